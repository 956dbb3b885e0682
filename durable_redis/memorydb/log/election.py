"""Who may lead the log, and what is committed: the rules, as pure functions of what a replica knows.

The law, and why nothing that was committed is ever lost:

1. A *term* is a number that only grows.  A replica votes once in a term, and its vote is on the platter before anybody
   hears of it.  So a term has at most one leader: two majorities would share a voter.
2. An entry is *committed* when a majority has it on the platter, and it, or one behind it, is of the leader's own term.
3. A replica votes only for a candidate whose log is at least as *complete* as its own: a later term of the last entry,
   or the same term and not fewer entries.
4. The majority that elects a leader shares a member with the majority that stored a committed entry; by 3 the new
   leader has it too.

Why "of the leader's own term" in 2: an entry of an older term may lie on a majority, and a replica with a shorter log
but a later last term may still be elected and overwrite it (Ongaro and Ousterhout 2014, figure 8).  So a new leader
first writes a no-op of its own term; with it, everything before it is committed.

Before it campaigns, a replica *canvasses*: would you vote for me?  Nobody who hears a living leader says yes, and
nobody's term changes.  So a replica that was cut off for a while does not depose a good leader when it comes back.

Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014; canvassing: Ongaro's
dissertation, section 9.6 (there "pre-vote").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from durable_redis.memorydb.log.entries import EntryId


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a replica must never forget: the latest term that it has heard of, and for whom it voted in it ("": nobody
    so far)."""

    term: int = 0
    candidate: str = ""

    def may_vote(self, candidate: str, term: int) -> bool:
        """Rule 1.  Term 5, voted for log-a: a vote for log-b in term 5 is refused, for log-a repeated, in 6 free."""
        return term > self.term or (term == self.term and self.candidate in ("", candidate))


def complete_enough(candidate: EntryId, own: EntryId) -> bool:
    """Rule 3, from the ids of the two last entries: 3-7 is more complete than 2-9, and less than 3-8."""
    return (candidate.term, candidate.index) >= (own.term, own.index)


def reached_by(marks: Iterable[int], majority: int) -> int:
    """How far a majority has come: the highest mark that so many have reached.  Marks 9, 7, 4, majority 2: 7."""
    return sorted(marks, reverse=True)[majority - 1]


def commit_point(stored: Iterable[int], majority: int, own_term_from: int) -> int:
    """Rule 2: the last place that is committed, or 0.  `stored` has the last place on each replica's platter, and the
    leader's own term begins at `own_term_from`.

    Stored 9, 7, 4 of 3 replicas: 7 if the own term begins at 7 or before; nothing new if it begins at 8."""
    point = reached_by(stored, majority)
    return point if point >= own_term_from else 0
