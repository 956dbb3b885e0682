"""A MemoryDB node: one thread that executes commands, has the log keep their effects, and answers only then.

It is Redis with the log put between the write and the reply (paper, section 3):

1. a batch of events: every command that arrived is *executed*, and its effects queue up behind it (`writebehind`);
2. `before_sleep`: if the log is free, all that has queued up is *appended* to it, as one record;
3. the *replies* leave whose data is in the log.  The others are held (`tracker`), and leave when the log has answered.

Compare `redis.server`: there step 2 is a write to this machine's disk, and nobody waits for what happens to it.  Here
the thread does not wait either: it goes on executing while the record travels.  Only replies wait.

A node has no disk to speak of.  What it holds it has from the newest snapshot (`recovery`) and from the log
(`logbook`), when it starts, when it follows, and when it was wrong; who leads is decided there, too (`leadership`).

What this file must not know: what the log is made of, and how a command works.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from durable_redis.contract import (
    Close,
    Closed,
    Compute,
    Effects,
    Event,
    Note,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.contract import Effect as ContractEffect
from durable_redis.engine import Engine
from durable_redis.formats.resp import NEED_MORE, ErrorReply, ProtocolError, encode
from durable_redis.memorydb import admission, commands
from durable_redis.memorydb.bus import Bus
from durable_redis.memorydb.caller import Answer, Caller
from durable_redis.memorydb.leadership import Leadership, Phase
from durable_redis.memorydb.logbook import Logbook
from durable_redis.memorydb.migration.migrations import Migrations
from durable_redis.memorydb.recovery import Recovery
from durable_redis.memorydb.shards import Shards
from durable_redis.memorydb.status import status
from durable_redis.memorydb.tracker import Tracker
from durable_redis.memorydb.writebehind import WriteBehind
from durable_redis.redis.replication.history import NO_ID

if TYPE_CHECKING:
    from random import Random

    from durable_redis.engine import Effect
    from durable_redis.memorydb.config import MemoryDBConfig
    from durable_redis.memorydb.log import LogUser
    from durable_redis.memorydb.store_client import StoreClient

Outcome = Generator[ContractEffect, Any, bool]
"""Effects, and then an answer."""

CRON = "cron"
CRON_US = 100_000


class MemoryDBServer:
    """A node of the contract.  `log` is its way to the log of its shard, `store` to its snapshots; `random`
    is its only source of luck.

    Its parts are named here, so that `bugs` can put a broken one in the place of each."""

    tracker_type = Tracker
    leadership_type: type[Leadership] = Leadership
    logbook_type: type[Logbook] = Logbook
    migration_type: type[Migrations] = Migrations

    def __init__(
        self, random: Random, name: str, config: MemoryDBConfig, log: LogUser, store: StoreClient | None = None
    ) -> None:
        self.random = random
        self.name = name
        self.config = config
        self.engine = Engine(random)
        self.engine.add_commands(commands.commands(self))
        self.engine.admit = partial(admission.refusal, self)
        self.engine.is_replica = True
        self.shards = Shards(config.shards, config.shard)
        self.bus = Bus(self)
        self.clients: dict[str, Caller] = {}
        self.connections = 0
        self.behind = WriteBehind()
        self.tracker = self.tracker_type()
        self.leadership = self.leadership_type(self)
        self.logbook = self.logbook_type(self, log)
        self.recovery = Recovery(self, store)
        self.ready = False  # its data is what the log says, up to a tail that it has seen
        self.recoveries = 0
        self.now_us = 0  # the time of this turn
        self.migration = self.migration_type(self)
        self._waiting: dict[str, None] = {}  # connections with answers to be told, in order
        self._postponed: dict[str, None] = {}  # connections with a command that must wait, in order

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        yield Compute("start")
        yield from self.logbook.log.connect(now)
        yield from self.recovery.begin(now)
        yield SetTimer(CRON, now + CRON_US)

    def handle(self, event: Event, now: int) -> Effects:
        self.now_us = now
        if self.logbook.log.owns(event):
            yield from self.logbook.handle(event, now)
            return
        for part in (self.bus, self.recovery, self.migration):
            if part.owns(event):
                yield from part.handle(event, now)
                return
        match event:
            case Received(connection=connection, data=data) if connection in self.clients:
                self.clients[connection].parser.feed(data)
                yield from self._go_on(self.clients[connection], now)
            case Opened(connection=connection, peer=peer, outgoing=False):
                self.connections += 1
                self.clients[connection] = Caller(connection, peer, self.connections)
            case Closed(connection=connection) if connection in self.clients:
                self.clients.pop(connection).end_transaction()
            case TimerFired(name=name) if name == CRON:
                yield from self._cron(now)

    def before_sleep(self, now: int) -> Effects:
        yield from self._look_around(now)
        # The log first.
        yield from self.logbook.append_next(now)
        # Then the replies that need not wait for it.
        for connection in list(self._waiting):
            client = self.clients.get(connection)
            if client is None or (yield from self._tell(client, now)):
                del self._waiting[connection]

    def _look_around(self, now: int) -> Effects:
        # Is the lease over?  Is it time to lead?
        yield from self.leadership.check(now)
        # Has a migration come further?  Then somebody need not wait any more.
        yield from self.migration.act(now)
        yield from self._go_on_with_postponed(now)

    def view(self) -> Mapping[str, Any]:
        return status(self)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _go_on(self, client: Caller, now: int) -> Effects:
        """Parse what there is, and execute every whole command in it."""
        while not client.closing and not client.postponed:
            try:
                argv = client.parser.next()
            except ProtocolError as error:
                self._answer(client, 0, encode(ErrorReply(f"ERR {error.reason}"), client.protocol), False)
                client.closing = True
                break
            if argv is NEED_MORE:
                break
            yield from self._execute(client, argv, now)

    def _go_on_with_postponed(self, now: int) -> Effects:
        """Try again what had to wait; and then what has come behind it."""
        for connection in list(self._postponed):
            del self._postponed[connection]
            if (client := self.clients.get(connection)) is not None:
                argv, client.postponed = client.postponed, []
                yield from self._execute(client, argv, now)
                yield from self._go_on(client, now)

    def _execute(self, client: Caller, argv: list[bytes], now: int) -> Effects:
        command = self.engine.lookup(argv)
        if not isinstance(command, ErrorReply) and self.migration.holds_back(client, command, argv):
            client.postponed, self._postponed[client.connection] = argv, None
            return
        client.commands += 1
        yield Compute("command")
        keys = [] if isinstance(command, ErrorReply) else admission.touched(client, command, argv)
        reply = self.engine.execute(client, argv, now // 1000)
        if self.propagate(now):
            yield Note("executed", {"connection": client.connection, "command": client.commands, **self.place()})
            needs = self.behind.executed
        else:
            needs = self.tracker.hazard(keys) if keys != [] else 0
        self._answer(client, needs, encode(reply, client.protocol), keys != [] and self.leadership.serves(now))

    def propagate(self, now: int) -> bool:
        """Queue the effects of what was just executed for the log, and remember what they make unsafe to be told.  Were
        there any?"""
        effects = self.engine.take_effects()
        if not effects:
            return False
        end = self.behind.feed([argv for _, argv in effects], now)
        self.tracker.wrote(self._changed(effects), end)
        self.migration.executed([argv for _, argv in effects])
        return True

    def repeat(self, commands: list[list[bytes]], now: int) -> None:
        """Execute effects that somebody else has decided, as a replica does, and queue them for the log."""
        for argv in commands:
            self.engine.apply(0, argv, now // 1000)
        self.tracker.wrote(self._changed([(0, argv) for argv in commands]), self.behind.feed(commands, now))

    def _changed(self, effects: list[Effect]) -> list[bytes]:
        """The keys that these effects change; none if one of them changes what it does not name (FLUSHALL)."""
        changed = []
        for _, argv in effects:
            command = self.engine.lookup(argv)
            assert not isinstance(command, ErrorReply), f"the engine does not know its own effect {argv[0]!r}"
            keys = command.keys(argv)
            if command.writes and not keys:
                return []
            changed += keys
        return changed

    # -- answers -----------------------------------------------------------------------------------------------------

    def _answer(self, client: Caller, needs: int, data: bytes, rests_on_data: bool) -> None:
        rests_on_lease = rests_on_data and needs <= self.tracker.committed
        client.answers.append(Answer(needs, data, client.commands, rests_on_lease))
        self._waiting[client.connection] = None

    def may_be_told(self, answer: Answer) -> bool:
        """The rule for the reply, in which the ways to be durable differ."""
        return self.config.durability == "async" or answer.needs <= self.tracker.committed

    def _tell(self, client: Caller, now: int) -> Outcome:
        """Send what may be told.  True: nothing is left to be said."""
        ready = bytearray()
        while client.answers and self.may_be_told(client.answers[0]):
            answer = client.answers.popleft()
            if answer.rests_on_lease and not self.leadership.serves(now):
                return (yield from self._hang_up(client))  # the thread stood still in between, for too long
            if client.held == answer.command:
                yield Note("released", {"connection": client.connection, "command": answer.command})
            ready += answer.data
        if ready:
            yield Send(client.connection, bytes(ready))
        if not client.answers:
            return (yield from self._hang_up(client)) if client.closing else True
        if client.held != client.answers[0].command:
            client.held = client.answers[0].command
            yield Note("held", {"connection": client.connection, "command": client.held})
        return False

    def _hang_up(self, client: Caller) -> Outcome:
        """Close a connection: its client does not know what became of its last commands."""
        yield Close(client.connection)
        client.end_transaction()
        del self.clients[client.connection]
        return True

    # -- roles -------------------------------------------------------------------------------------------------------

    @property
    def replid(self) -> str:
        """Whose stream this node's data is made of."""
        return self.leadership.replid if self.leadership.leads else self.logbook.data.replid or NO_ID

    @property
    def offset(self) -> int:
        """How much of it: executed by a leader, applied by a replica."""
        return self.behind.executed if self.leadership.leads else self.logbook.data.offset

    def place(self) -> dict[str, Any]:
        """Where this node is in the history of its shard; it has no log of its own."""
        return {"incr": 0, "end": 0, "replid": self.replid, "offset": self.offset}

    def lead(self, now: int) -> Effects:
        """The log says so: execute from now on, in a stream of one's own that continues the data."""
        data = self.logbook.data
        self.engine.is_replica = False
        self.behind, self.tracker = WriteBehind(data.offset), self.tracker_type(data.offset)
        self.migration.lead()
        names = {"replid": self.replid, "replid2": data.replid or NO_ID, "second_offset": data.offset + 1}
        yield Note("role", {"role": "primary", "primary": "", **names, "offset": data.offset})
        yield from self.bus.lead(now)

    def follow(self, clean: bool, now: int) -> Effects:
        """Somebody else leads.  Whoever waits for an answer will not get it; what is not in the log goes."""
        self.engine.is_replica = True
        yield from self.migration.follow()
        for client in list(self.clients.values()):
            if any(answer.needs > self.tracker.committed for answer in client.answers):
                yield from self._hang_up(client)
        self.tracker = self.tracker_type(self.tracker.committed)
        if clean:
            yield self._role_note()
            yield from self.logbook.read_on(now)
        else:
            yield from self.recover(now)

    def recover(self, now: int) -> Effects:
        """Throw everything away, and have it from the newest snapshot and the log."""
        self.ready = False
        yield from self.recovery.begin(now)

    def recovered(self, now: int) -> Effects:
        """The data is what the log says, up to its tail."""
        self.leadership.enter(Phase.FOLLOWING)
        self.ready = True
        self.recoveries += 1
        source = {"from": "log", "snapshot": self.recovery.snapshot, "entries": self.logbook.replayed, **self.place()}
        if self.recoveries == 1:
            yield Note("ready", {"role": "replica", "keys": len(self.engine.keyspace), **source})
        else:
            yield Note("synced", {"how": "full", "primary": "the log", **source})
        yield from self.leadership.wait(now)

    def _role_note(self) -> Note:
        facts = {"role": "replica", "primary": self.leadership.leader, "replid": self.replid, "replid2": NO_ID}
        return Note("role", {**facts, "second_offset": -1, "offset": self.offset})

    def slots_moved(self, now: int) -> Effects:
        """A committed entry says something new of the shard's slots."""
        self.shards.know(self.logbook.data.ownership)
        yield from self.migration.entered(now)
        if self.leadership.leads:
            yield from self.bus.tell()

    def stop(self, why: str) -> Effects:
        """The log speaks of a newer engine: this one must not guess what it means (paper, section 7.1)."""
        self.leadership.enter(Phase.STOPPED)
        yield Note("stopped", {"why": why})

    def is_behind(self) -> bool:
        """With durability "async": the oldest change that the log has not got is too old (the durability buffer)."""
        oldest_us = self.behind.oldest_us()
        limit_us = self.config.buffer_ms * 1000
        return self.config.durability == "async" and oldest_us is not None and self.now_us - oldest_us > limit_us

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _cron(self, now: int) -> Effects:
        """Ten times a second: a leader deletes what has expired."""
        if self.leadership.serves(now):
            self.engine.expire_cycle(now // 1000)
            self.propagate(now)
            self.migration.clean(now)
        yield SetTimer(CRON, now + CRON_US)
