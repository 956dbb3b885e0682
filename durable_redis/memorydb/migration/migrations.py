"""A node's part in migrations: that of a source, that of a target, or none; and which clients it holds back.

The law of this file: it hands entries, events and turns to `source` and `target`, and decides nothing about slots.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Event, Note
from durable_redis.memorydb import admission
from durable_redis.memorydb.leadership import Phase as Leading
from durable_redis.memorydb.log import SLOTS
from durable_redis.memorydb.migration.ownership import Migration, Phase
from durable_redis.memorydb.migration.slotdata import has_slot
from durable_redis.memorydb.migration.source import Source
from durable_redis.memorydb.migration.target import Target
from durable_redis.redis.cluster.slots import slots_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from durable_redis.engine import Command
    from durable_redis.memorydb.caller import Caller
    from durable_redis.memorydb.server import MemoryDBServer


class Migrations:
    """A node's part in them.  `last` is the newest step that its log has told of, and `why` it was abandoned."""

    source_type: type[Source] = Source
    target_type: type[Target] = Target

    def __init__(self, server: MemoryDBServer) -> None:
        self.server = server
        self.source = self.source_type(server)
        self.target = self.target_type(server)
        self.last: Migration | None = None
        self.why = ""
        self._stalls = False

    @property
    def state(self) -> str:
        """For an operator: `s1-17 (5000 to s2): prepared`; "" when none is under way."""
        migration = self.server.logbook.data.ownership.migration
        return f"{migration}: {migration.phase.value}" if migration else ""

    # -- this node's role ---------------------------------------------------------------------------------------------

    def lead(self) -> None:
        """This node leads: go on with what the log says, and with nothing else."""
        self.source, self.target = self.source_type(self.server), self.target_type(self.server)
        self.last = self.server.logbook.data.ownership.migration or self.last

    def follow(self) -> Effects:
        """It leads no more."""
        yield from self.source.link.close()
        self._stalls = False

    # -- the log ------------------------------------------------------------------------------------------------------

    def due(self) -> Migration | None:
        """The step that a primary must append next, if there is one."""
        if self.server.leadership.phase not in (Leading.LEADING, Leading.EXPIRED):
            return None
        return self.source.due() or self.target.due()

    def append(self, step: Migration, now: int) -> Effects:
        """Let the log decide."""
        yield from self.server.logbook.append(SLOTS, step.encode(), now)

    def entered(self, now: int) -> Effects:
        """A step is in the log, and so in force."""
        migration, before = self.server.logbook.data.ownership.migration, self.last
        self.last = migration or (self.last and self.last.step(Phase.OVER))
        if self.last == before:
            return  # it was about another one, which has never begun here
        if not self.server.leadership.leads or self.last is None:
            return
        side = self.source if self.last.source == self.server.config.shard else self.target
        yield from side.entered(now)
        if self.last.phase is not Phase.OVER:
            self.why = side.why if self.last.phase is Phase.ABANDONED else ""
        facts = {"phase": self.last.phase.value, "number": self.last.number, "shard": self.server.config.shard}
        sides = {"source": self.last.source, "target": self.last.target, "slots": slots_text(self.last.slots)}
        yield Note("migration", {**facts, **sides, **({"why": self.why} if self.why else {})})

    # -- in every turn -----------------------------------------------------------------------------------------------

    def owns(self, event: Event) -> bool:
        """This event is for `handle`."""
        return self.source.owns(event)

    def handle(self, event: Event, now: int) -> Effects:
        yield from self.source.handle(event, now)

    def act(self, now: int) -> Effects:
        """Do what a primary does between two entries."""
        if not self.server.leadership.leads:
            return
        yield from self.source.act(now)
        yield from self.target.act(now)
        stalls = bool(self.source.stalls())
        if stalls != self._stalls and self.last is not None:
            self._stalls = stalls
            yield Note("slots stalled" if stalls else "slots released", {"number": self.last.number})

    def executed(self, effects: Sequence[list[bytes]]) -> None:
        """One unit was executed for clients, or because something has expired."""
        self.source.executed(effects)

    def clean(self, now: int) -> None:
        """Ten times a second, on a primary that serves."""
        self.source.clean(now)
        self.target.clean(now)

    # -- clients -----------------------------------------------------------------------------------------------------

    def holds_back(self, client: Caller, command: Command, argv: list[bytes]) -> bool:
        """Whether this command must wait until it is known who serves its slot.

        As long as nothing is decided, reading goes on.  Commands of a transaction are queued as ever: EXEC waits."""
        slots = self.source.stalls()
        if not slots or not self.server.leadership.serves(self.server.now_us):
            return False
        if client.in_transaction and not command.at_once and not self.source.is_decided():
            return False
        keys = admission.touched(client, command, argv)
        if not self.source.is_decided() and not admission.writes(client, command):
            return False
        if keys is None:
            return not self.source.is_decided()
        return any(has_slot(slots, key) for key in keys)
