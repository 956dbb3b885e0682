"""Nodes that come to lead in a way that cannot be.

The law of this file is that of `durable_redis.memorydb.bugs`: a bug is one part with one method overridden.
"""

from __future__ import annotations

from durable_redis.contract import Effects, Note, SetTimer
from durable_redis.memorydb.leadership import WAKE, Leadership, Phase
from durable_redis.memorydb.log import Answer, Entries, EntryId, Tail
from durable_redis.memorydb.logbook import Logbook
from durable_redis.memorydb.planted.nodes import TriesAgain
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.redis.replication.history import new_id


class _ClaimsTheEnd(Leadership):
    """It asks where the log ends, and puts its claim there, whatever of the log it has not read yet."""

    asks = False

    def may_campaign(self, now: int) -> bool:
        return False

    def _is_due(self, now: int) -> bool:
        return self.phase is Phase.FOLLOWING and not self.server.logbook.flight and now >= self.backoff_until_us

    def check(self, now: int) -> Effects:
        yield from super().check(now)
        if self._is_due(now) and not self.asks:
            self.asks = True
            yield from self.server.logbook.log.tail(now)

    def told(self, now: int) -> Effects:
        """The log has said where it ends."""
        self.asks = False
        if self._is_due(now):
            yield from self._campaign(now)


class _SkipsToTheEnd(Logbook):
    end = EntryId.ZERO

    def _answered(self, answer: Answer, now: int) -> Effects:
        leadership = self.server.leadership
        if isinstance(answer, Tail) and isinstance(leadership, _ClaimsTheEnd):
            self.end = answer.id
            yield from leadership.told(now)
        elif leadership.phase is not Phase.CAMPAIGNING or not isinstance(answer, Entries):
            yield from super()._answered(answer, now)

    def precondition(self) -> EntryId:
        return self.end if self.server.leadership.phase is Phase.CAMPAIGNING else self.position


class LeadsWithoutHavingRead(MemoryDBServer):
    leadership_type = _ClaimsTheEnd
    logbook_type = _SkipsToTheEnd


class _ChecksAppliesServes(Leadership):
    """Who has heard nothing of a leader for a backoff reads the log up to its tail, applies what it lacks, and serves.

    It asks nobody: nothing in the log says that it leads.  So nothing stops whoever led before, who may be alive and
    append after the tail was read; and no lease ends, since nobody has given one."""

    checking = False

    def may_campaign(self, now: int) -> bool:
        return not self.checking and now >= self.backoff_until_us

    def _campaign(self, now: int) -> Effects:
        self.checking = True
        yield Note("checks the tail", {"at": str(self.server.logbook.position)})
        yield from self.server.logbook.read_on(now)

    def wait(self, now: int) -> Effects:
        """A sign of a leader: the check is off."""
        self.checking = False
        yield from super().wait(now)

    def take_over(self, now: int) -> Effects:
        """It has the tail, and everything before it."""
        server, old = self.server, self.leader
        self.enter(Phase.CAMPAIGNING)
        self.leader, self.epoch, self.replid = server.name, server.logbook.position, new_id(server.random)
        self.enter(Phase.EXPIRED)
        yield Note("takes over", {"after": str(self.epoch), "shard": server.config.shard, "old": old})
        yield from server.lead(now)
        self.enter(Phase.LEADING)
        self.renew_at_us = now  # a sign of life, at once

    def _renewed(self, sent_us: int, now: int) -> Effects:
        """A renewal is only a sign of life."""
        self.renew_at_us = sent_us + self.server.config.renew_ms * 1000
        yield SetTimer(WAKE, self.renew_at_us)

    def check(self, now: int) -> Effects:
        if self.checking and self.phase is Phase.FOLLOWING and self.server.logbook.is_caught_up:
            yield from self.take_over(now)
        elif not self.leads:
            yield from super().check(now)

    def serves(self, now: int) -> bool:
        return self.phase is Phase.LEADING


class ServesWithoutAsking(MemoryDBServer):
    leadership_type = _ChecksAppliesServes
    logbook_type = TriesAgain
