"""The election of a replica to be primary: its rules, as functions of what is known.

A replica whose primary has failed waits a little, takes a new epoch, and asks every primary for its vote.  With the
votes of a majority it takes the slots over, under the epoch in which it won.

What makes it safe: an epoch has at most one winner.  A primary votes once in an epoch, and its last vote is on its
platter before the vote leaves, so that it cannot forget it; and two majorities share a member.

What makes the better replica win, usually: the wait.  A replica that knows of n others with more data waits n seconds
longer.  But it knows only what they last told it, and a vote does not ask about data: a majority will elect a replica
that lags by an hour, if it asks first.

    delay = 500 ms, for FAIL to reach the voters  +  0..500 ms of luck, against ties  +  rank x 1000 ms
    votes count for max(2 x NODE_TIMEOUT, 2 s); the next attempt is due after twice that

The rules: redis.io, "Redis cluster specification", sections "Replica election and promotion", "Replica rank";
cluster.c `clusterHandleSlaveFailover`, `clusterSendFailoverAuthIfNeeded`, `clusterGetSlaveRank`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from durable_redis.redis.cluster.bus import FORCE, Message
from durable_redis.redis.cluster.membership import Membership

FIXED_DELAY_US = 500_000
LUCK_US = 500_000
RANK_DELAY_US = 1_000_000
SHORTEST_VOTE_WAIT_US = 2_000_000
VOTE_PAUSE = 2
"""For so many NODE_TIMEOUTs a voter does not vote again for a replica of the same primary."""


# -- the candidate ---------------------------------------------------------------------------------------------------


def rank(offset: int, siblings: Iterable[int]) -> int:
    """How many replicas of the same primary have more data: rank(100, [90, 100, 120, 130]) == 2."""
    return sum(other > offset for other in siblings)


def delay_us(luck_us: int, rank: int) -> int:
    """How long a replica waits before it asks for votes: delay_us(200_000, 1) == 1_700_000."""
    return FIXED_DELAY_US + luck_us + rank * RANK_DELAY_US


def data_too_old(age_us: int, timeout_us: int, validity_factor: int, ping_period_us: int) -> bool:
    """Whether a replica has been without its primary for so long that its data shall not be served.

    NODE_TIMEOUT of it is the failure itself and does not count.  With 15 s, factor 10 and a primary that pings its
    replicas every 10 s, the limit is 15 + 10 + 150 = 175 s.  Factor 0: there is no limit."""
    counted_us = age_us - timeout_us if age_us > timeout_us else age_us
    return validity_factor > 0 and counted_us > ping_period_us + validity_factor * timeout_us


def vote_wait_us(timeout_us: int) -> int:
    """How long votes may come in."""
    return max(2 * timeout_us, SHORTEST_VOTE_WAIT_US)


def retry_us(timeout_us: int) -> int:
    """How long after one attempt the next is due."""
    return 2 * vote_wait_us(timeout_us)


# -- the voter -------------------------------------------------------------------------------------------------------


def why_no_vote(membership: Membership, request: Message, now: int, timeout_us: int) -> str:
    """Why this node does not vote for the sender of a request, in the order in which it looks; "": it does."""
    candidate, me = membership.nodes[request.sender], membership.me
    primary = membership.nodes.get(candidate.primary)
    if not me.votes:
        return "only primaries that serve slots vote"
    if request.current_epoch < membership.current_epoch:
        return f"epoch {request.current_epoch} is over: it is {membership.current_epoch} now"
    if membership.last_vote_epoch == membership.current_epoch:
        return f"I have voted in epoch {membership.current_epoch}"
    if primary is None:
        return f"{candidate.name} is not the replica of anybody I know"
    if not primary.failed and FORCE not in request.marks:
        return f"its primary {primary.name} has not failed"
    if now - primary.voted_us < VOTE_PAUSE * timeout_us:
        return f"I voted for a replica of {primary.name} less than {VOTE_PAUSE} x NODE_TIMEOUT ago"
    if newer := membership.newer_owner(candidate, request.config_epoch, request.slots):
        return (
            f"{newer.name} serves its slots since epoch {newer.config_epoch}, and it speaks of {request.config_epoch}"
        )
    return ""


# -- one attempt after the other -------------------------------------------------------------------------------------


class Phase(Enum):
    """Where a replica stands."""

    RESTING = "resting"  # nothing to win, or too soon after the last attempt
    WAITING = "waiting"  # its delay runs
    ASKING = "asking"  # it has asked for votes
    WON = "won"


TRANSITIONS = {
    Phase.RESTING: (Phase.WAITING,),
    Phase.WAITING: (Phase.ASKING, Phase.RESTING),
    Phase.ASKING: (Phase.WON, Phase.RESTING),
    Phase.WON: (Phase.RESTING,),
}


class Campaign:
    """A replica's attempts to be elected: when the present one asks for votes, in which epoch, and who voted."""

    def __init__(self) -> None:
        self.phase = Phase.RESTING
        self.due_us: int | None = None  # when this attempt asks, or has asked; None: there was none yet
        self.rank = 0
        self.epoch = 0
        self.votes: list[str] = []

    def enter(self, phase: Phase) -> None:
        assert phase in TRANSITIONS[self.phase], f"a campaign cannot go from {self.phase.value} to {phase.value}"
        self.phase = phase

    def attempt_is_due(self, now: int, timeout_us: int) -> bool:
        """Whether a new attempt may be scheduled: there was none, or it is long enough ago."""
        return self.due_us is None or now - self.due_us > retry_us(timeout_us)

    def schedule(self, due_us: int, rank: int) -> None:
        if self.phase is not Phase.RESTING:
            self.enter(Phase.RESTING)
        self.enter(Phase.WAITING)
        self.due_us, self.rank, self.votes = due_us, rank, []

    def count(self, voter: str) -> None:
        """A vote came in; the same voter's second one is no second vote."""
        if self.phase is Phase.ASKING and voter not in self.votes:
            self.votes.append(voter)
