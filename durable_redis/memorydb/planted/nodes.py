"""Nodes that are wrong about a reply, a lease, an append, or their recovery.

The law of this file is that of `durable_redis.memorydb.bugs`: a bug is one part with one method overridden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from durable_redis.contract import Effects
from durable_redis.engine import Command, Session
from durable_redis.formats.resp import ErrorReply
from durable_redis.memorydb import admission
from durable_redis.memorydb.caller import Answer, Caller
from durable_redis.memorydb.leadership import Leadership, Phase
from durable_redis.memorydb.log import EntryId, LogClient
from durable_redis.memorydb.log.messages import AskAppend, Question
from durable_redis.memorydb.logbook import Flight, Logbook
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.memorydb.tracker import Tracker

# -- the reply --------------------------------------------------------------------------------------------------------


class AnswersAtOnce(MemoryDBServer):
    """Breaks step 3 of `server`: a reply leaves when its data is in the log."""

    def may_be_told(self, answer: Answer) -> bool:
        return True


class _SeesNoHazard(Tracker):
    """Breaks the law of `tracker`, for readers: they wait for what they have read."""

    def hazard(self, keys: Iterable[bytes] | None) -> int:
        return 0


class ReadsAtOnce(MemoryDBServer):
    tracker_type = _SeesNoHazard


class _TakesUnknownForDone(Logbook):
    """Breaks rule 3 of `logbook`: from `Unknown` follows nothing, and no reply."""

    def unknown(self, flight: Flight) -> None:
        if self.server.behind.sent:
            self.server.tracker.commit(self.server.behind.sent[-1].end)


class BelievesInTheBest(MemoryDBServer):
    logbook_type = _TakesUnknownForDone


class BuffersForEver(MemoryDBServer):
    """Breaks `admission`: no writes while the log is too far behind."""

    def is_behind(self) -> bool:
        return False


# -- the lease --------------------------------------------------------------------------------------------------------


class _KnowsNoLease(Leadership):
    """Breaks `leadership`: who is EXPIRED serves nothing."""

    def serves(self, now: int) -> bool:
        return self.phase in (Phase.LEADING, Phase.EXPIRED)


class LeadsForEver(MemoryDBServer):
    leadership_type = _KnowsNoLease


class _CountsFromTheAnswer(Leadership):
    """Breaks `leadership`: a lease is counted from before its renewal was sent."""

    def lease_end(self, sent_us: int, now: int) -> int:
        return now + self.server.config.lease_ms * 1000


class LeasesTooLong(MemoryDBServer):
    leadership_type = _CountsFromTheAnswer


class _IsImpatient(Leadership):
    """Breaks the law of `config`: the backoff is longer than the lease.  Here it is one renewal, and a fifth of one."""

    def backoff_us(self) -> int:
        return self.server.config.renew_ms * 1200


class CampaignsTooSoon(MemoryDBServer):
    leadership_type = _IsImpatient


# -- the condition ----------------------------------------------------------------------------------------------------


class TriesAgain(Logbook):
    """Breaks rule 2 of `logbook`: a conflict deposes whoever led.

    It is taken for bad luck: the same entry is sent again, behind the entry that stood in its way."""

    def conflicted(self, tail: EntryId, now: int) -> Effects:
        assert self.flight is not None, "an append has failed that nobody had asked for"
        yield from self.log.append(self.flight.kind, self.flight.body, tail, now)


class AppendsBehindAnything(MemoryDBServer):
    logbook_type = TriesAgain


class RetriesAsIfNew(LogClient):
    """Breaks `answers`: a question goes on under the same token, by which the log tells a retry from another append."""

    def asked_again(self, question: Question) -> Question:
        if not isinstance(question, AskAppend):
            return question
        return replace(question, token=f"{self.name}-{self.random.getrandbits(64):016x}")


class _IsAlwaysClean(Leadership):
    """Breaks `leadership`: what a deposed leader has executed, and not got into the log, never happened."""

    def is_clean(self) -> bool:
        return True


class KeepsWhatNeverHappened(MemoryDBServer):
    leadership_type = _IsAlwaysClean


# -- recovery ---------------------------------------------------------------------------------------------------------


class ReadsWhileItRecovers(MemoryDBServer):
    """Breaks `admission`: a node that recovers answers nobody.

    Who has said READONLY does not mind old data: so why not before the log is applied?"""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.engine.admit = self._admit

    def _admit(self, session: Session, command: Command, argv: list[bytes]) -> ErrorReply | None:
        refused = admission.refusal(self, session, command, argv)
        asks_for_less = cast("Caller", session).reads_replica and not command.writes
        return None if refused is admission.LOADING and asks_for_less else refused
