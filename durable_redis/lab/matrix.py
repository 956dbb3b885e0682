"""The matrix: configurations against faults, and in every cell what each costs: writes lost, and seconds of silence.

Every cell is a run of its own.  Two clients write in turn; after a while the fault strikes; later it is mended; when
everybody is in step again, the survivor is asked for every write that was answered OK.

    lost      acknowledged writes that are gone (with WAIT: those that the client believed)
    silent    the longest time for which no client's write got through

The same instants, the same seed, the same faults for every configuration: what differs is the configuration.  The fault
strikes just before an fsync that is due once a second would end, which is the worst moment for a log under `everysec`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from durable_redis.lab import availability
from durable_redis.lab.deployments import Deployment, parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.playback import Playback
from durable_redis.lab.receipt import judge

if TYPE_CHECKING:
    import pandas as pd

BEGIN_MS, FAULT_MS, MENDED_MS, END_MS = 4_000, 7_950, 13_950, 30_000
"""When the clients begin to write, the fault strikes, it is mended, and the survivors are asked at the latest."""
LOOK_MS = 500
"""So often one looks whether everybody is in step again."""
WRITES, EVERY_MS = 500, 50
PRIMARY, NEAR_CLIENT = "n1", "client1"
SUPERVISED_MS = 1_000
"""So soon a process that died is started again by its supervisor."""
LONGEST_START_US = 60_000_000

Acts = Iterator[tuple[int, str, tuple[object, ...]]]
"""What is done: (at which millisecond, which verb, its arguments)."""
Fault = Callable[[Deployment], Acts]


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration: a deployment with two clients, and for how many replicas the clients wait, if they do."""

    deployment: str
    wait: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one fault cost one configuration: acknowledged writes, how many of them are gone, and the silence."""

    configuration: str
    fault: str
    acknowledged: int
    lost: int
    silent_us: int

    @property
    def harmless(self) -> bool:
        """Nothing was lost, and nobody had to wait for a second."""
        return not self.lost and self.silent_us < 1_000_000


# -- the faults -------------------------------------------------------------------------------------------------------


def process_dies(deployment: Deployment) -> Acts:
    """The primary's process is killed; its supervisor starts it again a second later."""
    yield FAULT_MS, "crash", (PRIMARY, "process kill")
    yield FAULT_MS + SUPERVISED_MS, "restart", (PRIMARY,)


def power_fails(deployment: Deployment) -> Acts:
    """The primary's machine loses its power, and has it back six seconds later."""
    yield FAULT_MS, "crash", (PRIMARY, "power loss", "lost")
    yield MENDED_MS, "restart", (PRIMARY,)


def disk_is_lost(deployment: Deployment) -> Acts:
    """The primary's machine is gone; six seconds later another stands in its place, with an empty disk."""
    yield FAULT_MS, "crash", (PRIMARY, "disk loss")
    yield MENDED_MS, "restart", (PRIMARY,)


def zone_is_cut_off(deployment: Deployment) -> Acts:
    """Zone a is separated from the others for six seconds; one client is inside with it."""
    inside = [name for name, zone in deployment.zones.items() if zone == "a"]
    yield FAULT_MS, "partition", ([*inside, NEAR_CLIENT],)
    yield MENDED_MS, "heal_network", ()


def wrong_heir(deployment: Deployment) -> Acts:
    """What feeds one replica has stalled for three seconds; then the primary and every other replica lose power.

    It is fed by the primary, or by the machines of a log: to cut a link on which nothing travels would be no fault."""
    follower = next((name for name in reversed(deployment.nodes) if name != PRIMARY), "")
    if follower:
        yield from ((FAULT_MS - 3_000, "cut", (source, follower)) for source in deployment.logs or (PRIMARY,))
    dying = [name for name in deployment.nodes if name != follower]
    yield from ((FAULT_MS, "crash", (name, "power loss", "lost")) for name in dying)
    if follower:
        yield FAULT_MS + 1, "heal_network", ()
    yield from ((MENDED_MS, "restart", (name,)) for name in dying)


def everybody_loses_power(deployment: Deployment) -> Acts:
    """All servers lose their power at once, and have it back six seconds later."""
    yield from ((FAULT_MS, "crash", (name, "power loss", "lost")) for name in deployment.nodes)
    yield from ((MENDED_MS, "restart", (name,)) for name in deployment.nodes)


FAULTS: Mapping[str, Fault] = {
    "process dies": process_dies,
    "power fails": power_fails,
    "disk is lost": disk_is_lost,
    "zone is cut off": zone_is_cut_off,
    "wrong heir": wrong_heir,
    "all lose power": everybody_loses_power,
}

# -- the configurations -----------------------------------------------------------------------------------------------

_ONE = "Redis(save={save}, clients=2{log})"
_THREE = (
    "ReplicatedRedis(replicas=2, sentinels=3, down_after_ms=3000, failover_timeout_ms=6000, save=(), clients=2{more})"
)
_LOG = ", appendonly=True, appendfsync='always'"

SETUPS: Mapping[str, Setup] = {
    "one node, snapshots": Setup(_ONE.format(save="((2, 1),)", log="")),
    "one node, log everysec": Setup(_ONE.format(save="()", log=", appendonly=True")),
    "one node, log always": Setup(_ONE.format(save="()", log=_LOG)),
    "two replicas, no log": Setup(_THREE.format(more="")),
    "two replicas, log always": Setup(_THREE.format(more=_LOG)),
    "... and min-replicas 1": Setup(
        _THREE.format(more=f"{_LOG}, min_replicas_to_write=1, min_replicas_max_lag=3"),
    ),
    "... and WAIT 1": Setup(_THREE.format(more=_LOG), wait=(1, 1_000)),
    "... and WAIT 2": Setup(_THREE.format(more=_LOG), wait=(2, 1_000)),
    "cluster of three shards": Setup(
        "RedisCluster(shards=3, replicas=1, node_timeout_ms=3000, save=(), clients=2)",
    ),
    "ElastiCache, Multi-AZ": Setup("ElastiCache(replicas=2, detection_ms=3000, clients=2)"),
}

LOGGED: Mapping[str, Setup] = {
    "MemoryDB": Setup("MemoryDB(replicas=2, clients=2)"),
    "MemoryDB, one node": Setup("MemoryDB(replicas=0, clients=2)"),
    "ElastiCache, sync": Setup("ElastiCache(durability='sync', clients=2)"),
    "ElastiCache, async": Setup("ElastiCache(durability='async', clients=2)"),
}
"""Those that have a log in three zones."""

# -- the matrix -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matrix:
    """The cells, configuration by configuration."""

    cells: tuple[Cell, ...]

    def __getitem__(self, place: tuple[str, str]) -> Cell:
        """`matrix["one node, log always", "disk is lost"]`.  Raises LabError for a place that there is not."""
        for cell in self.cells:
            if (cell.configuration, cell.fault) == place:
                return cell
        raise LabError(f"the matrix has no cell {place!r}: it has {', '.join(self.rows)} x {', '.join(self.columns)}")

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.configuration for cell in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.fault for cell in self.cells))

    def worst(self, configuration: str) -> tuple[int, int]:
        """The most that any of the faults erases, and the longest silence (in microseconds) that any causes."""
        cells = [self[configuration, fault] for fault in self.columns]
        return max(cell.lost for cell in cells), max(cell.silent_us for cell in cells)

    def __str__(self) -> str:
        wide = max(map(len, self.rows)) + 1
        lines = [" " * wide + "".join(f"{fault:>17}" for fault in self.columns)]
        for row in self.rows:
            cells = (self[row, fault] for fault in self.columns)
            lines.append(f"{row:{wide}}" + "".join(f"{_said(cell):>17}" for cell in cells))
        return "\n".join(lines)

    __repr__ = __str__

    def table(self) -> pd.DataFrame:
        """One row a configuration, one column a fault, "lost / silent s" in each cell."""
        import pandas as pd

        rows = [[_said(self[row, fault]) for fault in self.columns] for row in self.rows]
        return pd.DataFrame(rows, index=list(self.rows), columns=list(self.columns))


def matrix(
    setups: Mapping[str, Setup] = SETUPS,
    faults: Iterable[str] = tuple(FAULTS),
    seed: int = 7,
    executor: Executor | None = None,
) -> Matrix:
    """Play every fault on every configuration.  An executor spreads the cells; without one they are played here."""
    chosen = list(faults)
    for fault in chosen:
        if fault not in FAULTS:
            raise LabError(f"no fault is called {fault!r}: choose from {', '.join(FAULTS)}")
    jobs = [(name, setup, fault, seed) for (name, setup), fault in product(setups.items(), chosen)]
    return Matrix(tuple(executor.map(_cell, jobs) if executor else map(_cell, jobs)))


def play(setup: Setup, fault: str, seed: int = 7, record: bool = False) -> Playback:
    """The run behind a cell, to its end."""
    playback = Playback(parse_deployment(setup.deployment), seed, record=record)
    deployment, deeds = playback.deployment, playback.deeds
    playback.play_while(lambda: any(map(playback.starting, deployment.nodes)), LONGEST_START_US)
    playback.play_to(BEGIN_MS * 1000)
    deeds.write(WRITES, every_ms=EVERY_MS, wait=setup.wait)
    for at_ms, verb, arguments in sorted(FAULTS[fault](deployment), key=lambda act: act[0]):
        playback.play_to(at_ms * 1000)
        deeds.of(verb)(*arguments)
    _play_until_calm(playback)
    return playback


def _play_until_calm(playback: Playback) -> None:
    """Play on until everybody is in step, still is at the next look, and a client was answered OK meanwhile."""
    before = None  # how many writes had been answered at the last look, if everybody was in step
    while playback.world.now_us < END_MS * 1000:
        playback.play_to(playback.world.now_us + LOOK_MS * 1000)
        answered = sum(client.acknowledged for client in playback.clients())
        settled = playback.deployment.settled(playback.views())
        if settled and before is not None and answered > before:
            return
        before = answered if settled else None


def _cell(job: tuple[str, Setup, str, int]) -> Cell:
    name, setup, fault, seed = job
    playback = play(setup, fault, seed)
    stands = [stands for write, stands in judge(playback) if write.outcome == "ok"]
    silence = availability.measure(playback)
    return Cell(name, fault, len(stands), stands.count(False), silence.longest_us)


def _said(cell: Cell) -> str:
    """`248 / 1.0 s`"""
    return f"{cell.lost:,} / {cell.silent_us / 1e6:.1f} s"
