"""Who may fail the primary over: epochs, votes, majorities.  Pure, without messages and without time.

The law, and why there is never more than one leader in an epoch:

1. An *epoch* is a number that only grows.  Whoever wants to lead a failover takes the next one.
2. A sentinel votes *once* in an epoch: for the first that asks.
3. A leader needs the votes of a *majority of all known sentinels*, and at least `quorum`.
4. Two majorities have a member in common, and by 2 that member voted once.

Rule 2 must survive a restart, so a vote is on the platter before anybody hears of it (`memory`).  Rule 3 counts all the
sentinels that there are, not those that can be reached: in a minority nobody wins.

Worked values: 5 sentinels, quorum 2: needed are 3 votes.  4 sentinels: 3 as well, so that 4 endure no more than 3 do.
Quorum 5 of 5: needed are 5.

Source: sentinel.c, sentinelVoteLeader and sentinelGetLeader; this is Raft's leader election, without Raft's log: what
the winner *knows* plays no part, and the best replica is looked for afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Ballot:
    """A sentinel's memory of elections.  Candidates are run ids."""

    epoch: int = 0  # the highest that it has heard of
    voted_epoch: int = 0  # the last in which it voted ...
    candidate: str = ""  # ... and for whom; empty if it has forgotten that in a restart

    def hear(self, epoch: int) -> bool:
        """Somebody spoke of this epoch.  True: it is news."""
        if epoch <= self.epoch:
            return False
        self.epoch = epoch
        return True

    def vote(self, candidate: str, epoch: int) -> bool:
        """Vote for the candidate, if this epoch is the latest and the vote is still free.  True: the vote was cast."""
        self.hear(epoch)
        if epoch < self.epoch or self.voted_epoch >= epoch:
            return False
        self.voted_epoch, self.candidate = epoch, candidate
        return True

    def vote_in(self, epoch: int) -> str:
        """For whom it voted in this epoch, or an empty string."""
        return self.candidate if self.voted_epoch == epoch else ""


@dataclass(frozen=True, slots=True)
class Tally:
    """The count: the candidate with the most votes, and whether they suffice."""

    candidate: str
    votes: int
    needed: int

    @property
    def elected(self) -> bool:
        return self.votes >= self.needed


def votes_needed(sentinels: int, quorum: int) -> int:
    """A majority of all, and not less than the quorum."""
    return max(sentinels // 2 + 1, quorum)


def count(votes: Iterable[str], sentinels: int, quorum: int) -> Tally:
    """Count votes (run ids; an empty one is no vote).  Of two with the same count the one first voted for is named."""
    counts: dict[str, int] = {}
    for vote in votes:
        if vote:
            counts[vote] = counts.get(vote, 0) + 1
    winner = max(counts, key=lambda candidate: counts[candidate], default="")
    return Tally(winner, counts.get(winner, 0), votes_needed(sentinels, quorum))
