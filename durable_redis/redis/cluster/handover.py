"""The primary's side of CLUSTER FAILOVER: it stands still, so that its replica can get everything before it takes over.

    1. a replica asks (MFSTART): hold back every write, so that the offset stands still
    2. say so, and the offset, in every message to that replica (the mark PAUSED)
    3. the replica reaches the offset, runs for election and wins: this node follows it, and what was held back is
       answered with MOVED
    4. or five seconds are over: go on as before

Nothing acknowledged is lost: after the last OK, the replica has all of it before it asks for the first vote.

The rules: cluster.c, "Manual failover"; CLUSTERMSG_TYPE_MFSTART.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.cluster.membership import ClusterNode

if TYPE_CHECKING:
    from durable_redis.redis.cluster.cluster import Cluster

WHY = "cluster failover"
LONGEST_US = 5_000_000
"""After so long it is given up on both sides (cluster.c, CLUSTER_MF_TIMEOUT)."""


class Handover:
    """Whether this primary stands still, for whom, and until when."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.to = ""
        self._until_us = 0

    def begin(self, replica: ClusterNode, now: int) -> Effects:
        """1. and 2.  A replica of another primary has nothing to ask for."""
        if replica.primary != self.cluster.name:
            return
        if not self.to:
            self.cluster.server.pause.begin(WHY)
        self.to, self._until_us = replica.name, now + LONGEST_US
        yield Note("handover", {"to": replica.name, "offset": self.cluster.server.offset})
        self.cluster.gossip.ping(replica, now)

    def cron(self, now: int) -> Effects:
        if self.to and now > self._until_us:
            yield Note("handover", {"to": "", "offset": self.cluster.server.offset})
            self.end()
        elif self.to:
            self.cluster.gossip.ping(self.cluster.membership.nodes[self.to], now)

    def end(self) -> None:
        """3. and 4.  Let go what was held back."""
        if self.to:
            self.to = ""
            self.cluster.server.pause.end(WHY)
