"""What one does in a run: the verbs, the same in a notebook, in the console and in a replay string.

The law of this file: a verb says what it does in one sentence, hands it to `act` (which knows when, and on which
branch), and waits where a person would wait.  What it does to the room is in `deeds`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durable_redis.formats.resp import Reply
from durable_redis.lab.client import OPERATOR_TIMEOUT_US
from durable_redis.lab.errors import LabError
from durable_redis.sim.disk import TailKept

if TYPE_CHECKING:
    from durable_redis.lab.client import Operation
    from durable_redis.lab.deployments import Deployment
    from durable_redis.lab.playback import Playback

TIMED = (
    *("crash", "restart", "slow_disk", "fail_disk", "spoil_writes", "heal_disk", "bit_rot"),
    *("cut", "partition", "delay", "heal_network", "pause", "skew", "outage", "restore"),
)
"""The verbs that take `at_ms`."""
WAITING = ("restart", "restore", "command", "migrate")
"""The verbs that play on until something has happened."""
SETTLING_US = 60_000_000
"""How long `play()` waits for the clients to finish, and a restart for the recovery, in the room's time."""


class Verbs(ABC):
    """The half of a run that acts."""

    deployment: Deployment

    @property
    @abstractmethod
    def playback(self) -> Playback:
        """The branch one stands on."""

    @abstractmethod
    def act(self, verb: str, *arguments: Any, at_ms: float | None = None, **options: Any) -> Any:
        """Do something at the step one stands on, or at a later time."""

    @abstractmethod
    def _done(self) -> None:
        """A verb has waited for what it wanted to see."""

    def write(self, count: int, every_ms: float = 10, **options: Any) -> None:
        """Let the clients write `count` values, one every `every_ms`, each after the answer to the one before.

        `wait=(1, 100)`: each is followed by WAIT for so many replicas, so many ms.  `client="client2"`: only this one.
        `key="x"` and `value="v{n}"`: what is written; {n} is the number of the write."""
        self.act("write", count, every_ms=every_ms, **options)

    def read(self, count: int, every_ms: float = 10, **options: Any) -> None:
        """Let the clients read `count` keys, one every `every_ms`; `key` and `client` as in `write`."""
        self.act("read", count, every_ms=every_ms, **options)

    def work(self, count: int, every_ms: float = 10, **options: Any) -> None:
        """Let the clients send `count` commands of a mixed workload (see `lab.workload`); `wait` and `client` as in
        `write`.  `command="INCR visits"`: so many times this one instead."""
        self.act("work", count, every_ms=every_ms, **options)

    def read_replica(self, *nodes: str, count: int = 10, every_ms: float = 10) -> None:
        """Read `count` keys of the mixed workload yourself, one every `every_ms`, from this node, old as they may be;
        or from several nodes in turn.  Before each, READONLY is said."""
        self.act("read_replica", *nodes, count=count, every_ms=every_ms)

    def command(self, *words: str | bytes | int | float, node: str = "") -> Reply:
        """Send one command as an operator, and wait for the answer.  `node`: to this one, and not to where the
        deployment would send a client."""
        options: dict[str, Any] = {"node": node} if node else {}
        return self._answer(self.act("command", *words, **options))

    def _answer(self, operation: Operation) -> Reply:
        """Wait for it."""
        self.playback.play_while(lambda: operation.outcome == "waiting", OPERATOR_TIMEOUT_US)
        self._done()
        name = operation.argv[0].decode("utf-8", "backslashreplace")
        ended = operation.node and not self.playback.world.machines[operation.node].up
        if ended and name.upper() == "SHUTDOWN":
            return None  # the server's answer to this is that it hangs up
        if operation.outcome in ("unknown", "waiting"):
            raise LabError(f"{name!r} was not answered: {self._why_not(operation)}")
        return operation.reply

    def _why_not(self, operation: Operation) -> str:
        if operation.argv[0].upper() in (b"SYNC", b"PSYNC"):
            return "what comes after it is the stream for a replica, and an operator is none"
        return "the server is down, or too slow"

    def migrate(self, slots: str | int | tuple[int, int], to: str) -> Reply:
        """Ask for slots to move to another shard of a MemoryDB: the slot of a key (`run.migrate("{user7}", "s2")`), one
        slot by its number, or a range, both ends included.  `to` is the shard.  The answer comes before they move.

        Behind it is an operator's command, CLUSTER MIGRATESLOTS."""
        return self._answer(self.act("migrate", slots, to))

    def info(self, node: str, section: str = "") -> dict[str, str]:
        """INFO of a node, by field: `run.info("n1", "replication")["master_repl_offset"]`.  Sent as a command."""
        reply = self.command("INFO", *([section] if section else []), node=node)
        if not isinstance(reply, bytes):
            raise LabError(f"{node} does not answer INFO: {reply}")
        lines = reply.decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def crash(
        self, node: str, kind: str = "power loss", *, tail: TailKept = "seeded", at_ms: float | None = None
    ) -> None:
        """Crash a node, now or at a time: "process kill", "power loss" or "disk loss".

        `tail` says what a power loss leaves of each unsynced tail: "seeded", "lost", "kept", or so many bytes."""
        options = {} if tail == "seeded" else {"tail": tail}
        self.act("crash", node, kind, at_ms=at_ms, **options)

    def restart(self, node: str, *, at_ms: float | None = None, **options: Any) -> bool:
        """Start a node again, and play until it has recovered.  False: it refuses to start (see its `last_crash`).

        With options (`appendonly=True`): after its configuration file was edited so."""
        self.act("restart", node, at_ms=at_ms, **options)
        self.playback.play_while(lambda: self.playback.starting(node), SETTLING_US)
        self._done()
        return self.playback.world.machines[node].up

    def slow_disk(self, node: str, extra_ms: float, *, at_ms: float | None = None) -> None:
        """Let every fsync of a node take longer by so much; 0 makes the disk well again."""
        self.act("slow_disk", node, extra_ms, at_ms=at_ms)

    def fail_disk(self, node: str, operation: str = "fsync", *, at_ms: float | None = None) -> None:
        """Let every "write" or "fsync" of a node fail with EIO."""
        self.act("fail_disk", node, operation, at_ms=at_ms)

    def spoil_writes(self, node: str, *, at_ms: float | None = None) -> None:
        """Let one bit of everything that a node writes be turned over, in silence."""
        self.act("spoil_writes", node, at_ms=at_ms)

    def heal_disk(self, node: str, *, at_ms: float | None = None) -> None:
        """Make a disk fast and free of errors again."""
        self.act("heal_disk", node, at_ms=at_ms)

    def bit_rot(self, node: str, path: str, offset: int, bit: int = 0, *, at_ms: float | None = None) -> None:
        """Turn over one bit of a file; of the last one whose path begins so, if it ends in a star."""
        self.act("bit_rot", node, path, offset, bit, at_ms=at_ms)

    def hold(self, message: int) -> None:
        """Keep a message on the wire (`run.frame().in_flight` names them)."""
        self.act("hold", message)

    def release(self, message: int) -> None:
        """Let a held message go on."""
        self.act("release", message)

    # -- the network, time, zones ------------------------------------------------------------------------------------

    def cut(self, source: str, target: str, both: bool = True, *, at_ms: float | None = None) -> None:
        """Cut the link between two machines; with `both=False`, only what `source` sends to `target` does not arrive.

        What is sent stalls, and arrives when the network is healed; a kernel that hears nothing for 15 s
        (`hardware={"tcp_timeout_us": ...}`) gives its end of the connection up."""
        self.act("cut", source, target, at_ms=at_ms, **({} if both else {"both": False}))

    def partition(self, *groups: Sequence[str], at_ms: float | None = None) -> None:
        """Cut every link between machines of different groups: `run.partition(["n1", "client"], ["n2", "n3"])`.

        A machine that no group names still reaches everybody.  One group alone is cut off from all the others, but not
        from `you`: an operator looks into a partition from outside."""
        self.act("partition", *groups, at_ms=at_ms)

    def delay(self, source: str, target: str, extra_ms: float, *, at_ms: float | None = None) -> None:
        """Let what `source` sends to `target` travel longer by so much, from now on; 0 makes the link fast again."""
        self.act("delay", source, target, extra_ms, at_ms=at_ms)

    def heal_network(self, *, at_ms: float | None = None) -> None:
        """Make every link whole and fast again; what had stalled arrives.  A message held one by one stays held."""
        self.act("heal_network", at_ms=at_ms)

    def pause(self, node: str, for_ms: float, *, at_ms: float | None = None) -> None:
        """Let a machine stand still for so long, as a virtual machine may: what would happen on it waits meanwhile."""
        self.act("pause", node, for_ms, at_ms=at_ms)

    def skew(self, node: str, by_ms: float, *, at_ms: float | None = None) -> None:
        """Set a machine's clock: fast by so much, slow if negative, right again with 0.  Timers set already keep."""
        self.act("skew", node, by_ms, at_ms=at_ms)

    def outage(self, zone: str, kind: str = "power loss", *, at_ms: float | None = None) -> None:
        """Crash everything that is up in a zone, in one moment.  The clients and `you` are spared, wherever they
        stand: somebody must see that the service is refused."""
        self.act("outage", zone, kind, at_ms=at_ms)

    def restore(self, zone: str, *, at_ms: float | None = None) -> bool:
        """Start everything in a zone that is down, and play until its servers have recovered.  False: one is down."""
        self.act("restore", zone, at_ms=at_ms)
        inside = [node for node in self.deployment.nodes if self.playback.world.machines[node].zone == zone]
        self.playback.play_while(lambda: any(map(self.playback.starting, inside)), SETTLING_US)
        self._done()
        return all(self.playback.world.machines[node].up for node in inside)
