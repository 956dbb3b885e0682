"""Replicas of the log with one rule broken each.

The law of this file is that of `durable_redis.memorydb.bugs`: a bug is one part with one method overridden.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from durable_redis.contract import Append, Effect, Effects, Fsync
from durable_redis.memorydb.log.entries import Entry, LogError, encode
from durable_redis.memorydb.log.messages import AppendedIs, AskAppend, Campaign, LogReply
from durable_redis.memorydb.log.node import LogNode
from durable_redis.memorydb.log.replica import Replica
from durable_redis.memorydb.log.sequence import Sequence
from durable_redis.memorydb.log.serving import Serving
from durable_redis.memorydb.log.storage import Storage, read_log

# -- the leader and its users -----------------------------------------------------------------------------------------


class _AnswersAlone(Serving):
    """Breaks rule 1 of `serving`: an append is answered when its entry is committed."""

    def _outcome(self, append: AskAppend) -> LogReply | None:
        entry = self.what_follows(append.after)
        if self.replica.sequence.holds(append.after) and entry is not None and self.is_retry(append, entry):
            return AppendedIs(append.shard, append.number, entry.id, entry.checksum)
        return super()._outcome(append)


class _AsksNobody(Replica):
    serving_type = _AnswersAlone


class AnswersForAll(LogNode):
    replica_type = _AsksNobody


class _PutsInAgain(Serving):
    """Breaks the rule of `sequence`: an entry with the same token is there already, this was a retry."""

    def _put(self, append: AskAppend) -> None:
        there = self.what_follows(append.after)
        if there is None or self.is_retry(append, there):
            self.replica.sequence.make(self.replica.ballot.term, append.kind, append.body, append.token)


class _ForgetsTokens(Replica):
    serving_type = _PutsInAgain


class AppendsTwice(LogNode):
    replica_type = _ForgetsTokens


# -- votes ------------------------------------------------------------------------------------------------------------


class _VotesForAnybody(Replica):
    """Breaks rule 3 of `election`: the candidate's log is at least as complete as one's own."""

    def would_elect(self, peer: str, asked: Campaign) -> bool:
        return self.ballot.may_vote(peer, asked.term)


class ElectsTheForgetful(LogNode):
    replica_type = _VotesForAnybody


# -- the disk ---------------------------------------------------------------------------------------------------------


class _NeverSyncs(Storage):
    """Breaks rule 1 of `storage`: nothing is told to anybody before it is on the platter."""

    def add(self, entries: Iterable[Entry]) -> Effects:
        for frame in map(encode, entries):
            yield from self._must((yield Append(self.log_path, frame)))
            self.ends.append(self.ends[-1] + len(frame))


class _TrustsTheCache(Replica):
    storage_type = _NeverSyncs


class KeepsInTheCache(LogNode):
    replica_type = _TrustsTheCache


class _WritesPastTheTear(Storage):
    """Breaks rule 3 of `storage`, a torn tail is cut off, and with it rule 4.

    What cannot be read is where the log ends, for whoever starts; and it stays where it is, in the file.  So the
    entries that are appended from now on stand behind it, and the next start does not come as far as them."""

    tear = b""

    def _read_log(self, text: bytes) -> Generator[Effect, Any, Sequence]:
        try:
            sequence, torn = read_log(text, self.shard, self.log_path)
        except LogError as error:
            if not error.offset:
                raise  # not even its first line can be read
            torn = error
            sequence, _ = read_log(text[: error.offset], self.shard, self.log_path)
        self.tear = text[torn.offset :] if torn is not None else b""
        return sequence
        yield

    def rewrite(self, sequence: Sequence) -> Effects:
        yield from super().rewrite(sequence)
        if self.tear:
            yield from self._must((yield Append(self.log_path, self.tear)))
            yield from self._must((yield Fsync(self.log_path)))
            self.ends[-1] += len(self.tear)
            self.tear = b""


class _LeavesTheTear(Replica):
    storage_type = _WritesPastTheTear


class ReadsUpToTheTear(LogNode):
    replica_type = _LeavesTheTear
