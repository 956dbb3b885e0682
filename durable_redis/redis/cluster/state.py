"""The cluster's state, ok or fail, as one node sees it: may it serve?

This is what bounds the loss of a minority.  A primary that is cut off with some of its clients goes on accepting writes
which nobody replicates and which the winner of the election on the other side will wipe.  It stops when it can no
longer reach a majority of the primaries: NODE_TIMEOUT after the first PING that they did not answer, and that PING goes
out within half of NODE_TIMEOUT after the cut.  Up to then every write it has acknowledged is lost: with the default, 15
to 22.5 s of writes (the specification says "NODE_TIMEOUT", and leaves the half out).

    fail  because  a slot is served by nobody, or by a failed primary       (cluster-require-full-coverage)
          or       this node reaches less than a majority of the primaries

Turning `ok` again is slow on purpose, for primaries.  One that was in the minority waits NODE_TIMEOUT, but 0.5 s at
least and 5 s at most; one that was restarted waits 2 s.  In that time it shall hear that it has been replaced.  It
shall: nothing makes sure of it.

The rules: cluster.c `clusterUpdateState`.
"""

from __future__ import annotations

from durable_redis.redis.cluster.bus import Health
from durable_redis.redis.cluster.membership import Membership

SHORTEST_REJOIN_US = 500_000
LONGEST_REJOIN_US = 5_000_000
WRITABLE_DELAY_US = 2_000_000
NEVER_US = -(2**63)


def rejoin_delay_us(timeout_us: int) -> int:
    """How long a primary that was in the minority still refuses to serve: 15 s -> 5 s, 2 s -> 2 s, 0.1 s -> 0.5 s."""
    return min(max(timeout_us, SHORTEST_REJOIN_US), LONGEST_REJOIN_US)


def uncovered(membership: Membership) -> str:
    """Why not every slot is served, or ""."""
    if membership.unassigned:
        return "a slot is served by nobody"
    failed = [node.name for node in membership.voters if node.failed]
    return f"{failed[0]} has failed, and its slots with it" if failed else ""


def in_minority(membership: Membership) -> str:
    """Why this node is cut off from the majority of the primaries, or ""."""
    voters = membership.voters
    reached = sum(node.health is Health.OK for node in voters)
    return f"only {reached} of {len(voters)} primaries can be reached" if reached < membership.quorum else ""


class ClusterState:
    """Whether this node serves.  `why_not` is a sentence, or "" if it does."""

    def __init__(self) -> None:
        self.why_not = "just started"
        self._first_look_us: int | None = None
        self._minority_us = NEVER_US  # when this node last was in the minority

    @property
    def ok(self) -> bool:
        return not self.why_not

    def look(self, membership: Membership, now: int, timeout_us: int, full_coverage: bool) -> bool:
        """Look again at what is believed; whether the state has changed between ok and fail."""
        if self._first_look_us is None:  # not the start of the process: loading must not count
            self._first_look_us = now
        primary = membership.me.is_primary
        if primary and not self.ok and now - self._first_look_us < WRITABLE_DELAY_US:
            return False
        cut_off = in_minority(membership)
        if cut_off:
            self._minority_us = now
        why_not = cut_off or (uncovered(membership) if full_coverage else "")
        was_ok = self.ok
        if not why_not and not was_ok and primary and now - self._minority_us < rejoin_delay_us(timeout_us):
            return False
        self.why_not = why_not
        return self.ok is not was_ok
