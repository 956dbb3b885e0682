"""Nodes with one mechanism broken each, for whoever wants to see what that mechanism is for.

The law of this file: a bug is one part with one method overridden, put in the place of the good one; the good one knows
nothing of it.  Each is a mistake that somebody could make, and that a test with a friendly network would not find.

    dr.MemoryDB(replicas=1, bug="no tracker").start()
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple, cast

from durable_redis.contract import Effects, Note, SetTimer
from durable_redis.engine import Command, Session
from durable_redis.formats.resp import ErrorReply
from durable_redis.memorydb import admission, shadow_phase
from durable_redis.memorydb.caller import Answer, Caller
from durable_redis.memorydb.leadership import WAKE, Leadership, Phase
from durable_redis.memorydb.log import Entries, EntryId, LogClient
from durable_redis.memorydb.log.messages import AskAppend, Question
from durable_redis.memorydb.logbook import Flight, Logbook
from durable_redis.memorydb.migration.migrations import Migrations
from durable_redis.memorydb.migration.ownership import Migration
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.memorydb.shadow import Shadow
from durable_redis.memorydb.snapshotter import Snapshotter
from durable_redis.memorydb.tracker import Tracker
from durable_redis.redis.replication.history import new_id


class Bug(NamedTuple):
    """What is wrong, in a sentence, and a node, its way to the log, or a snapshotter that does it."""

    sentence: str
    node: type[MemoryDBServer] = MemoryDBServer
    snapshotter: type[Snapshotter] = Snapshotter
    log_client: type[LogClient] = LogClient


# -- the reply --------------------------------------------------------------------------------------------------------


class AnswersAtOnce(MemoryDBServer):
    def may_be_told(self, answer: Answer) -> bool:
        return True


class _SeesNoHazard(Tracker):
    def hazard(self, keys: Iterable[bytes] | None) -> int:
        return 0


class ReadsAtOnce(MemoryDBServer):
    tracker_type = _SeesNoHazard


class _TakesUnknownForDone(Logbook):
    def unknown(self, flight: Flight) -> None:
        if self.server.behind.sent:
            self.server.tracker.commit(self.server.behind.sent[-1].end)


class BelievesInTheBest(MemoryDBServer):
    logbook_type = _TakesUnknownForDone


# -- the lease --------------------------------------------------------------------------------------------------------


class _KnowsNoLease(Leadership):
    def serves(self, now: int) -> bool:
        return self.phase in (Phase.LEADING, Phase.EXPIRED)


class LeadsForEver(MemoryDBServer):
    leadership_type = _KnowsNoLease


class _CountsFromTheAnswer(Leadership):
    def lease_end(self, sent_us: int, now: int) -> int:
        return now + self.server.config.lease_ms * 1000


class LeasesTooLong(MemoryDBServer):
    leadership_type = _CountsFromTheAnswer


class _IsImpatient(Leadership):
    def backoff_us(self) -> int:
        return self.server.config.renew_ms * 1200


class CampaignsTooSoon(MemoryDBServer):
    leadership_type = _IsImpatient


# -- recovery ---------------------------------------------------------------------------------------------------------


class ReadsWhileItRecovers(MemoryDBServer):
    """Who has said READONLY does not mind old data; so it is answered also before the log is applied."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.engine.admit = self._admit

    def _admit(self, session: Session, command: Command, argv: list[bytes]) -> ErrorReply | None:
        refused = admission.refusal(self, session, command, argv)
        asks_for_less = cast("Caller", session).reads_replica and not command.writes
        return None if refused is admission.LOADING and asks_for_less else refused


# -- the condition ----------------------------------------------------------------------------------------------------


class _TriesAgain(Logbook):
    """A conflict is taken for bad luck: the same entry is sent again, behind the entry that stood in its way."""

    body = b""

    def append(self, kind: str, body: bytes, now: int) -> Effects:
        self.body = body
        yield from super().append(kind, body, now)

    def conflicted(self, tail: EntryId, now: int) -> Effects:
        assert self.flight is not None, "an append has failed that nobody had asked for"
        yield from self.log.append(self.flight.kind, self.body, tail, now)


class AppendsBehindAnything(MemoryDBServer):
    logbook_type = _TriesAgain


class RetriesAsIfNew(LogClient):
    """The log tells a retry from another append by its token; here every try has a token of its own."""

    def asked_again(self, question: Question) -> Question:
        if not isinstance(question, AskAppend):
            return question
        return replace(question, token=f"{self.name}-{self.random.getrandbits(64):016x}")


class _IsAlwaysClean(Leadership):
    def is_clean(self) -> bool:
        return True


class KeepsWhatNeverHappened(MemoryDBServer):
    leadership_type = _IsAlwaysClean


# -- the order --------------------------------------------------------------------------------------------------------


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
    logbook_type = _TriesAgain


# -- slots ------------------------------------------------------------------------------------------------------------


class _DecidesInMemory(Migrations):
    """Every step counts at once, here, and the other primary is told: as if the two of them were all there is."""

    def append(self, step: Migration, now: int) -> Effects:
        data = self.server.logbook.data
        data.ownership = data.ownership.after(step, data.at.index)
        yield from self.server.slots_moved(now)


class MovesSlotsByWordOfMouth(MemoryDBServer):
    migration_type = _DecidesInMemory


# -- snapshots --------------------------------------------------------------------------------------------------------


class _Trusts(Shadow):
    def verify(self, now: int) -> Effects:
        self.phase = shadow_phase.Phase.REHEARSING
        self.base = self.stem  # it is as good as any: nothing need stand by
        yield from self.release(now)


class ReleasesUnread(Snapshotter):
    shadow_type = _Trusts


class _IsOneEntryShort(Shadow):
    """It applies all entries but the last, and says that it has applied that one, too."""

    def apply(self, found: Entries, now: int) -> int:
        if self.phase is shadow_phase.Phase.REPLAYING:
            found = replace(found, entries=tuple(entry for entry in found.entries if entry.id != self.goal))
        return super().apply(found, now)

    def dump(self, now: int) -> Effects:
        assert self.data is not None, "something was replayed"
        assert self.goal is not None, "and up to a goal"
        self.data.at = self.goal
        yield from super().dump(now)


class MissesTheLast(Snapshotter):
    shadow_type = _IsOneEntryShort


class _TrimsAtTheDump(Shadow):
    def dump(self, now: int) -> Effects:
        yield from super().dump(now)
        assert self.data is not None, "it was dumped just now"
        yield from self.log.trim(self.data.at, now)


class TrimsAhead(Snapshotter):
    shadow_type = _TrimsAtTheDump


BUGS = {
    "answers before the commit": Bug("A reply leaves at once, as in Redis.", AnswersAtOnce),
    "no tracker": Bug("A write waits for the log, and a read of what it wrote does not.", ReadsAtOnce),
    "unknown is taken for done": Bug("When the log does not answer in time, the writer is told OK.", BelievesInTheBest),
    "no lease": Bug("A leader serves until the log contradicts it.", LeadsForEver),
    "lease from the answer": Bug("The lease is counted from the log's answer, not from the question.", LeasesTooLong),
    "backoff shorter than the lease": Bug("A replica campaigns while the leader's lease may hold.", CampaignsTooSoon),
    "append behind anything": Bug(
        "After a conflict, the same entry is sent again behind the tail.", AppendsBehindAnything
    ),
    "append twice": Bug(
        "When the log does not answer, the record is sent again as another one, behind whatever is there.",
        AppendsBehindAnything,
        log_client=RetriesAsIfNew,
    ),
    "reads while recovering": Bug(
        "A node that recovers answers who has said READONLY, before it has applied the log.", ReadsWhileItRecovers
    ),
    "snapshot without verification": Bug(
        "A snapshot is released as soon as it is uploaded, unread, and takes the place of all others.",
        snapshotter=ReleasesUnread,
    ),
    "snapshot of a wrong prefix": Bug(
        "A snapshot lacks the last entry up to which its label says it goes.", snapshotter=MissesTheLast
    ),
    "trim ahead of the snapshot": Bug(
        "The log is trimmed when the snapshot is dumped, not when it is released.", snapshotter=TrimsAhead
    ),
    "check, apply, serve": Bug(
        "Who misses the leader reads the log to its end and serves, and no entry of the log says so.",
        ServesWithoutAsking,
    ),
    "slots decided in memory": Bug(
        "Two primaries agree on who has a slot, and neither tells its log.", MovesSlotsByWordOfMouth
    ),
    "no rollback": Bug("A deposed leader keeps what it had executed and not logged.", KeepsWhatNeverHappened),
}
"""By the name that a deployment is given."""
