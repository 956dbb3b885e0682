"""Nodes that come to lead without having asked the log.

The law of this file is that of `durable_redis.memorydb.bugs`: a bug is one part with one method overridden.
"""

from __future__ import annotations

from durable_redis.contract import Effects, Note, SetTimer
from durable_redis.memorydb.leadership import WAKE, Leadership, Phase
from durable_redis.memorydb.log import EntryId
from durable_redis.memorydb.logbook import Logbook
from durable_redis.memorydb.planted.nodes import TriesAgain
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.redis.replication.history import new_id


class _ClaimsUnread(Leadership):
    """Breaks `leadership`: a candidate has seen the tail, and applied everything up to it."""

    def may_campaign(self, now: int) -> bool:
        return now >= self.backoff_until_us


class _SkipsToTheTail(Logbook):
    """Breaks rule 1 of `logbook`: what an append names as its position has been applied, with all that comes before it.

    A claim that meets entries which this node has not read is sent again, behind them; and they are taken for read."""

    def conflicted(self, tail: EntryId, now: int) -> Effects:
        if self.server.leadership.phase is not Phase.CAMPAIGNING:
            yield from super().conflicted(tail, now)
            return
        assert self.flight is not None, "an append has failed that nobody had asked for"
        self.data.at = tail
        yield from self.log.append(self.flight.kind, self.flight.body, tail, now)


class LeadsWithoutHavingRead(MemoryDBServer):
    leadership_type = _ClaimsUnread
    logbook_type = _SkipsToTheTail


class _ChecksAppliesServes(Leadership):
    """Breaks `leadership`: who leads is who appended a leadership entry last.  This is another way to elect, whole.

    Who has heard nothing of a leader for a backoff reads the log up to its tail, applies what it lacks, and serves.
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
