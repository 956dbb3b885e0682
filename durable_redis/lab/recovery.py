"""What it costs to come back: how much a node loads, how much it replays, and how long it takes until it serves.

    dr.recoveries("MemoryDB(replicas=0)")                               flat: the snapshot moves with the log
    dr.recoveries("Redis(appendonly=True, auto_aof_rewrite_percentage=0)")      grows with every write

The data are the same size in all of these runs; only their past is longer or shorter.  So what grows with the number of
writes is what a recovery owes to the past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Compute, Note
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.deployments.base import Deployment, whole_number
from durable_redis.lab.errors import LabError
from durable_redis.lab.run import Run
from durable_redis.sim.faults import Restart

if TYPE_CHECKING:
    from durable_redis.sim.journal import Step

LONGEST_MS = 30_000
"""How long a node may take to be ready again."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """One restart of a node: `writes` were done before it; it read `loaded_bytes` of a snapshot or a base, repeated
    `replayed` commands of a log, and was ready after `took_us` microseconds."""

    node: str
    writes: int
    loaded_bytes: int
    replayed: int
    took_us: int

    def __str__(self) -> str:
        return (
            f"after {self.writes:,} writes {self.node} loaded {self.loaded_bytes:,} bytes and replayed "
            f"{self.replayed:,} commands: ready after {self.took_us / 1000:.1f} ms"
        )

    __repr__ = __str__


def recovery(run: Run, node: str) -> Recovery:
    """The last restart of a node, up to the moment at which it was ready.  Raises LabError if there was none."""
    steps = list(_of_last_restart(run, node))
    if not steps or not _says_ready(steps[-1]):
        raise LabError(f"{node} was not restarted, or is not ready yet: crash it, restart it, and play on")
    work = [step.what for step in steps if isinstance(step.what, Compute)]
    return Recovery(
        node,
        sum(operation.outcome == "ok" and operation.argv[0].upper() == b"SET" for operation in run.history()),
        sum(done.amount for done in work if done.work == "load"),
        sum(done.amount for done in work if done.work == "replay"),
        steps[-1].at_us - steps[0].at_us,
    )


def _of_last_restart(run: Run, node: str) -> Iterator[Step]:
    """The steps of this machine from its last restart to the first of them that says "ready"."""
    own = [step for step in run.playback.world.journal if step.machine == node]
    begins = max((at for at, step in enumerate(own) if isinstance(step.what, Restart)), default=len(own))
    for step in own[begins:]:
        yield step
        if _says_ready(step):
            return


def _says_ready(step: Step) -> bool:
    return isinstance(step.what, Note) and step.what.kind == "ready"


def recoveries(
    deployment: Deployment | str,
    writes: Sequence[int] = (500, 1_000, 2_000, 4_000),
    keys: int = 200,
    every_ms: float = 5,
    seed: int = 0,
) -> tuple[Recovery, ...]:
    """Of the first node, for each of these numbers of writes: `keys` keys are written once, and one of them again and
    again; then every node loses its power, and comes back."""
    whole_number("keys", keys, 1, 100_000)
    room = parse_deployment(deployment) if isinstance(deployment, str) else deployment
    if not isinstance(room, Deployment):
        raise LabError(f"who recovers is a deployment, such as Redis(appendonly=True), not {room!r}")
    return tuple(_after(room, count, keys, every_ms, seed) for count in writes)


def _after(deployment: Deployment, count: int, keys: int, every_ms: float, seed: int) -> Recovery:
    if count < keys:
        raise LabError(f"{count} writes cannot write {keys} keys: give more writes, or fewer keys")
    run = deployment.start(seed)
    run.write(keys, every_ms=every_ms, key="key:{n}", value="value of {n}")
    run.play()
    run.write(count - keys, every_ms=every_ms, key="key:1", value="value of {n}")
    run.play()
    for node in run.deployment.nodes:
        run.crash(node, "power loss")
    for node in run.deployment.nodes:
        run.restart(node)
    first, until_ms = run.deployment.nodes[0], run.now_ms + LONGEST_MS
    while not run.playback.views()[first].get("ready") and run.now_ms < until_ms:
        run.play(run.now_ms + 100)
    run.play(run.now_ms + 1)  # it is ready: let it say so
    return recovery(run, first)
