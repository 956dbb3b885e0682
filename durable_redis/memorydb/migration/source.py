"""The source of a migration: what its primary does to give slots to another shard (paper, section 5.2).

    1. BEGUN is appended to this shard's log; then the target is told to BEGIN, and has BEGUN in its own
    2. the keys of the slots are sent, serialized, a batch at a time; and what is executed meanwhile, as it happens.
       The target executes all of it, and its log gets it
    3. no more writes to the slots: clients wait.  When all that was executed is in this log, PREPARED is appended
    4. the checksum of the data is sent with PREPARE; the target compares, and has PREPARED in its log, or gives up
    5. COMMITTED is appended here: the slots are the target's
    6. the target is told to COMMIT; when it has COMMITTED in its log, the clients that wait are sent there
    7. what is left of the keys here is deleted, a few at a time; OVER

The laws of this file:

* *What a phase asks for follows from the log alone* (`due`, `_demand`).  Whatever else is remembered here may be lost:
  a new primary finds the phase in its log, and goes on.  Only from BEGUN it does not: it abandons.
* Until COMMITTED is appended, this side may abandon for any reason, and does so: a lost connection, a wrong checksum,
  an operator's wish, a target that says nothing for too long.  ABANDONED is appended, and the target is told to ABANDON
  until it has that in its log.
* After COMMITTED nothing can be abandoned.  The target is told to COMMIT until it has; the slots are served by nobody
  until then.

The stall of writes lasts from 3 to 6: two appends here, two there, and two round trips.

A mutation is sent as it is if the target has all of its keys already; otherwise its keys are sent once more, as they
are then.  (RENAME may carry a key that the target has not got to a name that it believes to be free.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from durable_redis.contract import Compute, Effects, Event, SetTimer, TimerFired
from durable_redis.engine.keyspace import entry_of_value
from durable_redis.formats.rdb.payload import dump_value
from durable_redis.formats.resp import ErrorReply, encode_command
from durable_redis.memorydb.migration.link import MigrationLink
from durable_redis.memorydb.migration.ownership import Migration, Phase
from durable_redis.memorydb.migration.slotdata import DATABASE, checksum_of, keys_in, touched
from durable_redis.redis.cluster.slots import SlotSet, slots_text

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer

TIMER = "migration"
LOOK_US = 250_000
"""How often one looks whether an answer is missing, and asks again."""
PATIENCE_US = {Phase.BEGUN: 3_000_000, Phase.PREPARED: 10_000_000}
"""How long there may be no progress before the decision; then the source abandons.  From PREPARED on, long enough for
the target to have another primary.  The model's own figures."""
KEYS_A_BATCH = 16
"""So many keys travel in one message, and the next message waits for the answer."""
KEYS_A_TURN = 50
"""So many keys are deleted ten times a second, when they are not one's own any more: the model's own limited rate."""
PASSED_OVER_MS = 1_000
"""Keys that expire within so long are not in the checksum: one side may have deleted them, and the other not yet."""

DEMANDS = {
    Phase.BEGUN: b"BEGIN",
    Phase.PREPARED: b"PREPARE",
    Phase.COMMITTED: b"COMMIT",
    Phase.ABANDONED: b"ABANDON",
}
"""What a source in this phase wants of its target."""
CLOSED = "closed"
"""What a target says of a migration that it has committed or abandoned; otherwise it says its phase."""


class Source:
    """This primary's part, as long as it leads.

    * `asked`: a migration that somebody wants, and that is not in the log yet; `why`: what abandons the one that is.
    * `begins`: it was begun by this primary, and not by one before it.
    * `pending`: keys that the target has not got, or not as they are; `outbox`: mutations that are to be sent.
    * `blocked_at`: writes to the slots wait, and this offset of the stream must be in the log; -1: they do not.
    * `heard`: what the target has said last."""

    def __init__(self, server: MemoryDBServer) -> None:
        self.server = server
        self.asked: Migration | None = None
        self.why = ""
        self.begins = False
        self.pending: dict[bytes, None] = {}
        self.outbox: list[list[list[bytes]]] = []
        self.blocked_at = -1
        self.heard = ""
        self.since_us = server.now_us  # since when it waits for a word of the target
        self.cleaning = Cleaning(server)
        self._look_us = 0  # when the timer fires
        self.link = MigrationLink(server.shards)

    @property
    def migration(self) -> Migration | None:
        """The one that takes slots away from here, and is not over."""
        ownership = self.server.logbook.data.ownership
        return ownership.migration if ownership.is_source else None

    # -- clients ------------------------------------------------------------------------------------------------------

    def stalls(self) -> SlotSet:
        """The slots to which no write may go now."""
        migration = self.migration
        if migration is None or (migration.phase is Phase.BEGUN and self.blocked_at < 0):
            return 0
        return 0 if migration.phase is Phase.ABANDONED or self._is_told(migration) else migration.slots

    def is_decided(self) -> bool:
        """Nobody serves the slots that stall: they are not one's own any more, and not the target's yet."""
        return self.migration is not None and self.migration.phase is Phase.COMMITTED

    def executed(self, effects: Sequence[list[bytes]]) -> None:
        """One unit of the stream: the target must learn of it, if it is about the slots that move."""
        migration = self.migration
        if migration is None or migration.phase is not Phase.BEGUN or not self._moves:
            return
        named = [(argv, touched(self.server.engine, argv, migration.slots)) for argv in effects]
        commands = [argv for argv, keys in named if keys]
        keys = [key for _, of_one in named for key in of_one]
        if any(key in self.pending for key in keys):
            self.pending |= dict.fromkeys(keys)
        elif commands:
            self.outbox.append(commands)

    # -- what the log is to be told ---------------------------------------------------------------------------------

    def due(self) -> Migration | None:
        """The step that is to be appended next, if there is one."""
        migration = self.migration
        if migration is None:
            return self._first()
        match migration.phase:
            case Phase.BEGUN | Phase.PREPARED if self.why:
                return migration.step(Phase.ABANDONED)
            case Phase.BEGUN if 0 <= self.blocked_at <= self.server.behind.committed:
                return migration.step(Phase.PREPARED)
            case Phase.PREPARED if self.heard == Phase.PREPARED.value:
                return migration.step(Phase.COMMITTED)
            case Phase.ABANDONED if self._is_told(migration):
                return migration.step(Phase.OVER)
            case Phase.COMMITTED if self._is_told(migration) and self.cleaning.is_done:
                return migration.step(Phase.OVER)
        return None

    def _first(self) -> Migration | None:
        """What somebody wants, unless another migration came in between and has changed what it was about."""
        if self.asked is None or self.server.logbook.data.ownership.migration is not None:
            return None
        if self.asked.slots & ~self.server.shards.owned:
            self.asked = None
        return self.asked

    def _is_told(self, migration: Migration) -> bool:
        """The target has the decision in its log."""
        return self.heard == CLOSED and migration.phase in (Phase.COMMITTED, Phase.ABANDONED)

    def entered(self, now: int) -> Effects:
        """A step of it is in the log."""
        migration = self.migration
        self.heard, self.since_us = "", now
        self.link.ask_anew()
        if migration is None:
            yield from self.link.close()
        elif migration.phase is Phase.BEGUN:
            self.asked, self.why, self.begins, self.blocked_at = None, "", True, -1
            self.pending, self.outbox = {}, []
        elif migration.phase in (Phase.COMMITTED, Phase.ABANDONED):
            self.blocked_at, self.cleaning = -1, Cleaning(self.server)

    # -- what the target is told -------------------------------------------------------------------------------------

    @property
    def _moves(self) -> bool:
        """The target takes data."""
        return self.begins and self.heard == Phase.BEGUN.value and self.blocked_at < 0

    def act(self, now: int) -> Effects:
        """Say what there is to be said, and give up what takes too long."""
        migration = self.migration
        if migration is None:
            return
        if migration.phase in PATIENCE_US:
            if migration.phase is Phase.BEGUN and not self.begins:
                self.give_up("the primary that had begun it is gone")
            if now - self.since_us >= PATIENCE_US[migration.phase]:
                self.give_up(f"there was no progress for {PATIENCE_US[migration.phase] // 1_000_000} s")
            if self.why:
                return
        yield from self.link.reach(migration.target, now)
        if migration.phase is Phase.BEGUN and self.heard and not self.link.is_open:
            self.give_up(f"the connection to {self.link.peer} was lost")
        elif self._moves:
            yield from self._move(migration, now)
        elif not self._is_told(migration) and self.link.may_ask(now, LOOK_US):
            yield from self._demand(migration, now)
        if now >= self._look_us:
            self._look_us = now + LOOK_US
            yield SetTimer(TIMER, self._look_us)

    def give_up(self, why: str) -> None:
        """Abandon it, for the first of several reasons."""
        self.why = self.why or why

    def _demand(self, migration: Migration, now: int) -> Effects:
        """Ask for what the phase needs, unless it has been said already."""
        if migration.phase is Phase.BEGUN and self.heard:
            return
        words = [b"%d" % migration.number, slots_text(migration.slots).encode()]
        if migration.phase is Phase.PREPARED:
            passed_ms = now // 1000 + PASSED_OVER_MS
            found, count = checksum_of(self.server.engine, migration.slots, passed_ms)
            yield Compute("replay", count)
            words += [b"%016x" % found, b"%d" % passed_ms]
        yield from self.link.say([DEMANDS[migration.phase], migration.source.encode(), *words], now)

    def _move(self, migration: Migration, now: int) -> Effects:
        """Mutations first, and then a batch, if the last one has arrived.  Nothing left: block, so that this is so."""
        outbox, self.outbox = self.outbox, []
        for commands in outbox:
            yield from self._send_data(migration, commands, now)
        if self.link.outstanding:
            return
        if self.pending:
            batch = list(islice(self.pending, KEYS_A_BATCH))
            commands = [self._whole(key) for key in batch]
            for key in batch:
                del self.pending[key]
            yield Compute("serialize", sum(len(word) for argv in commands for word in argv))
            yield from self._send_data(migration, commands, now)
            return
        self.blocked_at = self.server.behind.executed

    def _whole(self, key: bytes) -> list[bytes]:
        """A key as it is now: as RESTORE, or as UNLINK."""
        database = self.server.engine.keyspace.databases[DATABASE]
        value = database.values.get(key)
        if value is None:
            return [b"UNLINK", key]
        entry = entry_of_value(DATABASE, key, value, database.expires.get(key))
        words = [b"%d" % (entry.expires_at_ms or 0), dump_value(entry.kind, entry.value), b"REPLACE", b"ABSTTL"]
        return [b"RESTORE", key, *words]

    def _send_data(self, migration: Migration, commands: list[list[bytes]], now: int) -> Effects:
        stream = b"".join(map(encode_command, commands))
        yield from self.link.say(
            [b"DATA", migration.source.encode(), b"%d" % migration.number, stream], now, is_data=True
        )

    # -- what the target says ----------------------------------------------------------------------------------------

    def owns(self, event: Event) -> bool:
        """This event is for `handle`."""
        if isinstance(event, TimerFired):
            return event.name == TIMER
        return self.link.owns(event)

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, TimerFired):
            return  # `act` looks at the time in every turn
        outstanding = self.link.outstanding
        yield from self.link.handle(event, now)
        if self._moves and self.link.outstanding < outstanding:
            self.since_us = now
        for word in self.link.take_words():
            if isinstance(word, ErrorReply):
                self._refused(word)
            elif self.migration is not None and word.number == self.migration.number:
                self._told(self.migration, word.phase)

    def _refused(self, error: ErrorReply) -> None:
        """Before the data are there, a refusal is final; later, whoever refuses is asked again, or somebody else."""
        if self.migration is not None and self.migration.phase is Phase.BEGUN:
            self.give_up(error.text)

    def _told(self, migration: Migration, phase: str) -> None:
        if phase == CLOSED and migration.phase in PATIENCE_US:
            self.give_up(f"{migration.target} has abandoned it")
        if phase == Phase.BEGUN.value and migration.phase is Phase.BEGUN and not self.heard:
            self.pending = dict.fromkeys(keys_in(self.server.engine, migration.slots))
        self.heard = phase

    # -- cleaning -----------------------------------------------------------------------------------------------------

    def clean(self, now: int) -> None:
        """Ten times a second: delete a few of the keys that are the target's."""
        if self.is_decided() and self.migration is not None and self._is_told(self.migration):
            self.cleaning.go_on(self.migration.slots, now)


class Cleaning:
    """The deletion of keys that are another shard's; `is_done` when none is left, and the log knows it."""

    def __init__(self, server: MemoryDBServer) -> None:
        self.server = server
        self.is_done = False
        self._deleted_at = 0  # where in the stream the last deletion ends

    def go_on(self, slots: SlotSet, now: int) -> None:
        """Delete some more."""
        server = self.server
        keys = list(islice(keys_in(server.engine, slots), KEYS_A_TURN))
        if keys:
            server.repeat([[b"UNLINK", *keys]], now)
            self._deleted_at = server.behind.executed
        else:
            self.is_done = self._deleted_at <= server.behind.committed
