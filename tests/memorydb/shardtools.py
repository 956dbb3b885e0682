"""A shard without a world: its nodes, one log in this process, and a clock that a test moves.

Between two moves of the clock nothing happens but what a test delivers.  A node that is `asleep` is a machine that
stands still: its timers and its input wait, and come when it wakes.
"""

from __future__ import annotations

from random import Random
from typing import Any

from durable_redis import contract as c
from durable_redis.formats.resp import NEED_MORE, Reply, ReplyParser, encode_command
from durable_redis.memorydb.config import MemoryDBConfig
from durable_redis.memorydb.log.local import LocalLog, LocalLogUser
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.memorydb.shards import Shard

BEGIN_US = 1_700_000_000 * 1_000_000


class Machine:
    """One node, and what has come of it: its notes, what it sent on each connection, what it closed."""

    def __init__(self, node: MemoryDBServer) -> None:
        self.node = node
        self.timers: dict[str, int] = {}
        self.asleep = False
        self.waiting: list[c.Event] = []
        self.notes: list[c.Note] = []
        self.parsers: dict[str, ReplyParser] = {}
        self.replies: dict[str, list[Reply]] = {}
        self.closed: list[str] = []

    def perform(self, work: c.Effects) -> None:
        for effect in work:
            match effect:
                case c.SetTimer(name, at_us):
                    self.timers[name] = at_us
                case c.CancelTimer(name):
                    self.timers.pop(name, None)
                case c.Send(connection, data):
                    parser = self.parsers.setdefault(connection, ReplyParser())
                    parser.feed(data)
                    while (reply := parser.next()) is not NEED_MORE:
                        self.replies.setdefault(connection, []).append(reply)
                case c.Close(connection):
                    self.closed.append(connection)
                case c.Note():
                    self.notes.append(effect)

    def deliver(self, event: c.Event, now: int) -> None:
        if self.asleep:
            self.waiting.append(event)
            return
        self.perform(self.node.handle(event, now))
        self.perform(self.node.before_sleep(now))

    def kinds(self) -> list[str]:
        return [note.kind for note in self.notes]


class Room:
    """The nodes of one shard around one log."""

    def __init__(
        self,
        *names: str,
        log: LocalLog | None = None,
        node: type[MemoryDBServer] = MemoryDBServer,
        options: dict[str, dict[str, Any]] | None = None,
        **common: Any,
    ) -> None:
        self.log = log or LocalLog()
        self.now = BEGIN_US
        self.names = names
        self.kind = node
        self.options = {name: {**common, **(options or {}).get(name, {})} for name in names}
        self.machines: dict[str, Machine] = {}
        for name in names:
            self.start(name)
        self.advance(10)

    def start(self, name: str) -> None:
        """A new life of this node."""
        options = {"shards": (Shard("s1", self.names),), **self.options[name]}
        config = MemoryDBConfig(begins=name == self.names[0], **options)
        random = Random(f"{name} {self.now}")
        machine = self.machines[name] = Machine(
            self.kind(random, name, config, LocalLogUser(name, "s1", self.log, random))
        )
        machine.perform(machine.node.boot(self.now))

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def advance(self, milliseconds: float) -> None:
        """Let time pass, and every timer that is due come."""
        end = self.now + round(milliseconds * 1000)
        while True:
            due = [
                (at_us, name, timer)
                for name, machine in self.machines.items()
                if not machine.asleep
                for timer, at_us in machine.timers.items()
                if at_us <= end
            ]
            if not due:
                break
            at_us, name, timer = min(due)
            self.now = max(self.now, at_us)
            del self.machines[name].timers[timer]
            self.machines[name].deliver(c.TimerFired(timer), self.now)
        self.now = end

    def wake(self, name: str) -> None:
        """What has waited comes, in one batch."""
        machine = self.machines[name]
        machine.asleep = False
        waiting, machine.waiting = machine.waiting, []
        for event in waiting:
            machine.perform(machine.node.handle(event, self.now))
        machine.perform(machine.node.before_sleep(self.now))

    def send(self, name: str, *words: str | int, connection: str = "one") -> None:
        """A command, without waiting for its answer."""
        machine = self._opened(name, connection)
        machine.deliver(c.Received(connection, command(*words)), self.now)

    def execute(self, name: str, *words: str | int, connection: str = "one") -> None:
        """Half a turn: a command is executed, and what comes before the node sleeps is still to be done."""
        machine = self._opened(name, connection)
        machine.perform(machine.node.handle(c.Received(connection, command(*words)), self.now))

    def _opened(self, name: str, connection: str) -> Machine:
        machine = self.machines[name]
        if connection not in machine.node.clients:
            machine.deliver(c.Opened(connection, "somebody"), self.now)
        return machine

    def ask(self, name: str, *words: str | int, connection: str = "one") -> Reply:
        """A command, and its answer within 50 ms; `...` if there is none."""
        before = len(self.machines[name].replies.get(connection, []))
        self.send(name, *words, connection=connection)
        self.advance(50)
        replies = self.machines[name].replies.get(connection, [])
        return replies[before] if len(replies) > before else ...  # type: ignore[return-value]

    def told(self, name: str, connection: str = "one") -> list[Reply]:
        """Every answer on a connection so far."""
        return self.machines[name].replies.get(connection, [])

    def leader(self) -> str:
        """Who serves now; there must be one at most."""
        serving = [name for name, machine in self.machines.items() if machine.node.leadership.serves(self.now)]
        assert len(serving) <= 1, f"{serving} serve at one time"
        return serving[0] if serving else ""

    def data(self, name: str) -> dict[bytes, Any]:
        return dict(self.machines[name].node.engine.keyspace.databases[0].values)


def command(*words: str | int) -> bytes:
    return encode_command([str(word).encode() for word in words])
