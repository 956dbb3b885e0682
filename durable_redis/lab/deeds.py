"""What each verb does to the room, now: the clients get something to do, or a fault is carried out.

The law of this file: a deed is done at the present moment of a playback, or refused with a LabError or FaultError that
has changed nothing.  When it is done is the playback's affair; that a person waits for what comes of it is the run's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_redis.contract import TimerFired
from durable_redis.lab.client import ALARM, Operation
from durable_redis.lab.deployments import OPERATOR
from durable_redis.lab.deployments.base import in_us
from durable_redis.lab.errors import LabError
from durable_redis.lab.workload import looked_at, mixed
from durable_redis.sim import EPOCH_US, faults
from durable_redis.sim.disk import TailKept

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback

MOST_WRITES = 100_000
VERB = {"write": b"SET", "read": b"GET"}


class Deeds:
    """The verbs of one playback: every public method is one."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.world = playback.world
        self.deployment = playback.deployment

    def of(self, verb: str) -> Callable[..., Any]:
        """The deed of this name.  Raises LabError naming those that there are."""
        verbs = [name for name, what in vars(Deeds).items() if callable(what) and not name.startswith("_")]
        verbs.remove("of")
        if verb not in verbs:
            raise LabError(f"there is no action {verb!r}: choose one of {', '.join(verbs)}")
        deed: Callable[..., Any] = getattr(self, verb)
        return deed

    def write(
        self,
        count: int,
        every_ms: float = 10,
        key: str = "w{n}",
        value: str = "v{n}",
        wait: tuple[int, int] | None = None,
        client: str = "",
    ) -> None:
        """Let the clients write `count` values, one every `every_ms`, in turn; each waits for the answer
        before it sends the next."""
        self._work(
            "write",
            count,
            every_ms,
            client,
            lambda number: [b"SET", _filled(key, number), _filled(value, number)],
            wait,
        )

    def read(self, count: int, every_ms: float = 10, key: str = "w{n}", client: str = "") -> None:
        """Let the clients read `count` keys, one every `every_ms`, in turn."""
        self._work("read", count, every_ms, client, lambda number: [b"GET", _filled(key, number)])

    def work(
        self,
        count: int,
        every_ms: float = 10,
        wait: tuple[int, int] | None = None,
        client: str = "",
        command: str = "",
    ) -> None:
        """Let the clients send `count` commands of a mixed workload, one every `every_ms`, in turn; or so many times
        this one."""

        def words(number: int) -> list[bytes]:
            return _filled(command, number).split() if command else mixed(self.world.seed, number)

        self._work("work", count, every_ms, client, words, wait)

    def read_replica(self, *nodes: str, count: int = 10, every_ms: float = 10) -> None:
        """Let you read `count` keys of the mixed workload, one every `every_ms`, from this node, old as they may be; or
        from several nodes in turn.  Before each, READONLY is said."""
        if not nodes or type(count) is not int or not 1 <= count <= MOST_WRITES:
            raise LabError(f"read_replica needs a node, and to read 1 to {MOST_WRITES:,} times, not {count!r}")
        if in_us("every_ms", every_ms) < 0:
            raise LabError(f"read_replica reads one key every 0 ms or more, not every {every_ms}")
        for place in range(count):
            node = self.playback.known(nodes[place % len(nodes)])
            due_us = EPOCH_US + self.world.now_us + round(place * every_ms * 1000)
            for words in ([b"READONLY"], looked_at(self.world.seed, place + 1)):
                self.playback.client(OPERATOR).plan(words, due_us, to=node)
        self.world.ask(OPERATOR, ("read_replica", *nodes, count, every_ms), TimerFired(ALARM))

    def _work(
        self,
        verb: str,
        count: int,
        every_ms: float,
        client: str,
        words: Callable[[int], list[bytes]],
        wait: tuple[int, int] | None = None,
    ) -> None:
        if type(count) is not int or not 1 <= count <= MOST_WRITES or in_us("every_ms", every_ms) < 0:
            raise LabError(
                f"{verb}({count!r}, every_ms={every_ms}) cannot be: {verb} 1 to {MOST_WRITES:,}, 0 ms or more"
            )
        if wait is not None and not (len(wait) == 2 and all(type(number) is int and number >= 0 for number in wait)):
            raise LabError(f"wait is (replicas, milliseconds), such as (1, 100), not {wait!r}")
        everybody = [self.playback.client(name) for name in self.deployment.clients]
        workers = [self.playback.client(client)] if client else everybody
        begin_us = EPOCH_US + self.world.now_us
        done = [operation.argv[0] for worker in everybody for operation in worker.operations]
        before = done.count(VERB[verb]) if verb in VERB else len(done)
        for place in range(count):
            due_us = begin_us + round(place * every_ms * 1000)
            workers[place % len(workers)].plan(words(before + place + 1), due_us, paced=every_ms > 0, wait=wait)
        for worker in workers:
            self.world.ask(worker.name, (verb, count, every_ms), TimerFired(ALARM))

    def command(self, *words: str | bytes | int | float, node: str = "") -> Operation:
        """Send one command as an operator would: to this node, or else to where a client would be sent.  Returns the
        operation, which is answered some steps later."""
        if not words:
            raise LabError("command() needs the words of a command, such as command('GET', 'w1')")
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        client = self.playback.client(OPERATOR)
        client.hang_up([peer for peer, link in client.links.items() if not self.playback.reaches(link)])
        operation = client.plan_now(argv, EPOCH_US + self.world.now_us, self.playback.known(node) if node else "")
        self.world.ask(OPERATOR, ("command", *argv), TimerFired(ALARM))
        return operation

    def migrate(self, slots: str | int | tuple[int, int], to: str) -> Operation:
        """Ask for slots to move to another shard, as an operator would.  Raises NotNow while nobody serves them."""
        words, node = self.deployment.migration(self.playback.views(), slots, to)
        return self.command(*words, node=node)

    def crash(self, node: str, kind: str, tail: TailKept = "seeded") -> faults.Crashed:
        """Crash a node: "process kill", "power loss" or "disk loss"."""
        crashed = self.world.act(faults.Crash(self.playback.known(node), kind, tail))
        assert isinstance(crashed, faults.Crashed)
        return crashed

    def restart(self, node: str, **options: Any) -> None:
        """Start a node again; it boots from what is on its disk, some steps long.

        With options: after its configuration file was edited so."""
        machine = self.world.machines[self.playback.known(node)]
        if options and not machine.up:
            ledger = self.playback.ledger(node)
            config = ledger.config = ledger.config.edited(**options)
            machine.program = self.deployment.program(node, config)
        self.world.act(faults.Restart(node))

    def slow_disk(self, node: str, extra_ms: float) -> None:
        """Let every fsync take longer by so much."""
        self.world.act(faults.SlowDisk(self.playback.known(node), in_us("extra_ms", extra_ms)))

    def fail_disk(self, node: str, operation: str = "fsync") -> None:
        """Let every "write" or every "fsync" fail."""
        self.world.act(faults.FailDisk(self.playback.known(node), operation))

    def spoil_writes(self, node: str) -> None:
        """Let a bit of everything that is written be turned over, in silence."""
        self.world.act(faults.SpoilWrites(self.playback.known(node)))

    def heal_disk(self, node: str) -> None:
        """Make the disk fast and free of errors again."""
        self.world.act(faults.HealDisk(self.playback.known(node)))

    def bit_rot(self, node: str, path: str, offset: int, bit: int = 0) -> None:
        """Turn one bit of a file over.  A path that ends in a star is that of the last file, by name, which begins so:
        `objects/s1%2Fsnapshots%2F*` is the newest snapshot of a store."""
        machine = self.world.machines[self.playback.known(node)]
        if path.endswith("*"):
            path = max((name for name in machine.disk.files if name.startswith(path[:-1])), default=path)
        self.world.act(faults.BitRot(node, path, offset, bit))

    def hold(self, message: int) -> None:
        """Keep a message on the wire."""
        self.world.act(faults.Hold(message))

    def release(self, message: int) -> None:
        """Let a held message go on."""
        self.world.act(faults.Release(message))

    def cut(self, source: str, target: str, both: bool = True) -> None:
        """Let nothing from one machine arrive at another, and the other way neither, unless told so."""
        self.world.act(faults.Cut(source, target, both))

    def partition(self, *groups: Sequence[str]) -> None:
        """Cut every link between the groups.  One group alone is cut off from all machines but the operator's."""
        for group in groups:
            if not isinstance(group, list | tuple):
                raise LabError(f"a group is a list of machines, such as ['n1', 'client'], not {group!r}")
        sides = [tuple(group) for group in groups]
        if len(sides) == 1:
            sides.append(tuple(name for name in self.world.machines if name not in (*sides[0], OPERATOR)))
        self.world.act(faults.Partition(tuple(sides)))

    def delay(self, source: str, target: str, extra_ms: float) -> None:
        """Let what one machine sends to another travel longer by so much."""
        self.world.act(faults.Delay(source, target, in_us("extra_ms", extra_ms)))

    def heal_network(self) -> None:
        """Make every link whole and fast again."""
        self.world.act(faults.HealNetwork())

    def pause(self, node: str, for_ms: float) -> None:
        """Let a machine stand still for so long."""
        self.world.act(faults.Pause(node, in_us("for_ms", for_ms)))

    def skew(self, node: str, by_ms: float) -> None:
        """Let a machine's clock be fast by so much; slow, if negative."""
        if node in (*self.deployment.clients, OPERATOR):
            raise LabError(f"the clock of {node} times the receipt, and stays right: skew that of a node")
        self.world.act(faults.Skew(node, in_us("by_ms", by_ms)))

    def outage(self, zone: str, kind: str = "power loss") -> None:
        """Crash everything in a zone but the clients."""
        self.world.act(faults.Outage(zone, kind, (*self.deployment.clients, OPERATOR)))

    def restore(self, zone: str) -> None:
        """Start everything in a zone that is down."""
        self.world.act(faults.Restore(zone))


def _filled(pattern: str, number: int) -> bytes:
    """`w{n}` and 7 make `w7`.  Raises LabError for what is no text."""
    if not isinstance(pattern, str):
        raise LabError(f"keys, values and commands are text, such as 'w{{n}}', not {pattern!r}")
    return pattern.replace("{n}", str(number)).encode()
