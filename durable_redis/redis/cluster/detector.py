"""Failure detection: from "I cannot reach it" to "it has failed", and back.

Two opinions, and the second is what makes a failover:

    OK  ----->  PFAIL      one node's own: it has had no answer for NODE_TIMEOUT.  Told to others as a rumour.
    PFAIL --->  FAIL       a majority of the primaries think so, each having said it within the last 2 x NODE_TIMEOUT.
                           Whoever notices broadcasts FAIL, and everybody who hears that believes it.
    PFAIL --->  OK         it answered.
    FAIL  --->  OK         it answered, and it is a replica, or serves no slots, or nobody took its slots over in
                           2 x NODE_TIMEOUT.

A majority that suspects is not a majority that agreed at one instant: reports of different moments are added up.  That
is weak, and enough: FAIL only allows an election, and the election is what must be exact.

Silence is the shorter of two times: since the unanswered PING, and since anything at all came from the node.  So a node
which sends much and answers late is not suspected.

The rules: redis.io, "Redis cluster specification", section "Failure detection"; cluster.c `clusterCron`,
`markNodeAsFailingIfNeeded`, `clearNodeFailureIfNeeded`.
"""

from __future__ import annotations

from durable_redis.redis.cluster.bus import Health
from durable_redis.redis.cluster.membership import ClusterNode, Membership

REPORT_VALIDITY = 2
"""A report counts for so many NODE_TIMEOUTs."""
FAIL_UNDO = 2
"""So many NODE_TIMEOUTs after FAIL, a primary that answers is taken back if nobody replaced it."""


# -- this node's own opinion -----------------------------------------------------------------------------------------


def silence_us(node: ClusterNode, now: int) -> int:
    """For how long a node has owed an answer; 0 if it owes none.

    Pinged at 5 s, last heard at 7 s, now 20 s: silent for 13 s."""
    return min(now - node.pinged_us, now - node.heard_us) if node.pinged_us else 0


def must_suspect(node: ClusterNode, now: int, timeout_us: int) -> bool:
    """Whether this node should begin to think that the other has failed: OK -> PFAIL."""
    return node.health is Health.OK and silence_us(node, now) > timeout_us


# -- what primaries report -------------------------------------------------------------------------------------------


def hear_report(node: ClusterNode, reporter: ClusterNode, unreachable: bool, now: int) -> None:
    """A primary said what it thinks of a node; a replica's opinion does not count."""
    if unreachable and reporter.is_primary:
        node.reports[reporter.name] = now
    else:
        node.reports.pop(reporter.name, None)


def reports_on(node: ClusterNode, now: int, timeout_us: int) -> list[str]:
    """The primaries whose reports still count."""
    oldest_us = now - REPORT_VALIDITY * timeout_us
    return [name for name, since_us in node.reports.items() if since_us >= oldest_us]


def majority_agrees(membership: Membership, node: ClusterNode, now: int, timeout_us: int) -> bool:
    """Whether PFAIL becomes FAIL.  This node's own suspicion is needed, and counts if it is a primary: of 3 primaries,
    it and one other are enough."""
    if node.health is not Health.PFAIL:
        return False
    reports = len(reports_on(node, now, timeout_us)) + membership.me.is_primary
    return reports >= membership.quorum


# -- changing one's mind ---------------------------------------------------------------------------------------------


def mark_failed(node: ClusterNode, now: int) -> None:
    node.health = Health.FAIL
    node.failed_us = now


def may_recover(node: ClusterNode, now: int, timeout_us: int) -> bool:
    """Whether a node that has just answered is OK again.

    A failed primary is not at once: its replicas have begun an election, and would be refused the votes."""
    match node.health:
        case Health.PFAIL:
            return True
        case Health.FAIL:
            return not node.votes or now - node.failed_us > FAIL_UNDO * timeout_us
    return False
