"""The replica's side of a failover: when it runs, how it asks, and what it does when it has won.

    1. its primary has FAILed, it served slots, and this replica's data are not too old
    2. wait: fixed delay + luck + rank (see `election`), and a second more for each better replica heard of meanwhile
    3. take the next epoch, write it down, ask everybody for a vote
    4. a majority: become a primary, take the slots under that epoch, tell everybody
    5. no majority in time: rest, and try again in a new epoch

A person can ask for it: CLUSTER FAILOVER FORCE skips 1 and 2; TAKEOVER skips 3 as well, and takes an epoch that nobody
has voted on, so that two such takeovers on two sides of a partition may choose the same.

The rules: cluster.c `clusterHandleSlaveFailover`, `clusterFailoverReplaceYourMaster`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.cluster import election
from durable_redis.redis.cluster.bus import FORCE, Kind
from durable_redis.redis.cluster.election import Campaign, Phase
from durable_redis.redis.cluster.slots import ranges_of

if TYPE_CHECKING:
    from durable_redis.redis.cluster.cluster import Cluster

FORCED_US = 5_000_000
"""A forced failover that has not happened by then will not (cluster.c, CLUSTER_MF_TIMEOUT)."""


class Candidate:
    """One replica's attempts to take over; idle on a primary."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.campaign = Campaign()
        self.forced_until_us = 0  # CLUSTER FAILOVER FORCE was said
        self.cannot = ""  # why not, as last noted

    @property
    def forced(self) -> bool:
        return self.forced_until_us > 0

    def force(self, now: int) -> None:
        """CLUSTER FAILOVER FORCE: run now, whatever the state of the primary."""
        self.forced_until_us = now + FORCED_US
        self.campaign.due_us = None

    # -- the steps ---------------------------------------------------------------------------------------------------

    def cron(self, now: int) -> Effects:
        """Ten times a second, and whenever a vote has come in: take the next step, if it is time for it."""
        if self.forced and now > self.forced_until_us:
            self.forced_until_us = 0
        # 1. May it run at all?
        cannot = self._why_not_run(now)
        if cannot and cannot != self.cannot and self.cluster.primary_failed:
            yield Note("cannot fail over", {"why": cannot})
        self.cannot = cannot
        if cannot:
            return
        campaign, timeout_us = self.campaign, self.cluster.timeout_us
        if campaign.attempt_is_due(now, timeout_us):
            # 2. Wait.
            yield from self._schedule(now)
        assert campaign.due_us is not None, "a campaign that is not due has been scheduled before"
        if campaign.phase is Phase.WAITING and not self.forced:
            yield from self._wait_longer(now)
        if now < campaign.due_us:
            return
        if now - campaign.due_us > election.vote_wait_us(timeout_us):
            # 5. In vain.
            if campaign.phase is not Phase.RESTING:
                yield Note("not elected", {"epoch": campaign.epoch, "votes": tuple(campaign.votes)})
                campaign.enter(Phase.RESTING)
        elif campaign.phase is Phase.WAITING:
            # 3. Ask.
            yield from self._ask()
        elif campaign.phase is Phase.ASKING and len(campaign.votes) >= self.cluster.membership.quorum:
            # 4. Won.
            campaign.enter(Phase.WON)
            yield from self.take_over(campaign.epoch, tuple(campaign.votes), now)

    def _why_not_run(self, now: int) -> str:
        cluster = self.cluster
        members, config = cluster.membership, cluster.server.config
        primary = members.nodes.get(members.me.primary)
        if primary is None:
            return "not a replica"
        if not primary.slots:
            return f"{primary.name} serves no slots"
        if self.forced:
            return ""
        if not primary.failed:
            return f"{primary.name} has not failed"
        if not members.me.takes_over:
            return "cluster-replica-no-failover is set"
        ping_us = 10_000_000
        age_us = cluster.data_age_us(now)
        if election.data_too_old(age_us, cluster.timeout_us, config.cluster_replica_validity_factor, ping_us):
            return f"its data are {age_us / 1e6:.1f} s old, and that is too old"
        return ""

    def _schedule(self, now: int) -> Effects:
        luck_us = self.cluster.draw(election.LUCK_US)
        rank = 0 if self.forced else self._rank()
        due_us = now if self.forced else now + election.delay_us(luck_us, rank)
        self.campaign.schedule(due_us, rank)
        yield Note("campaign", {"rank": rank, "delay_us": due_us - now, "offset": self.cluster.server.offset})
        for sibling in self.cluster.siblings:  # so that they know how much this one has
            self.cluster.links.say(sibling.name, self.cluster.gossip.heartbeat(Kind.PONG, sibling.name))

    def _rank(self) -> int:
        rivals = (sibling.offset for sibling in self.cluster.siblings if sibling.takes_over)
        return election.rank(self.cluster.server.offset, rivals)

    def _wait_longer(self, now: int) -> Effects:
        """Somebody with more data has spoken up meanwhile: let it go first."""
        rank, campaign = self._rank(), self.campaign
        if rank > campaign.rank and campaign.due_us is not None:
            campaign.due_us += (rank - campaign.rank) * election.RANK_DELAY_US
            campaign.rank = rank
            yield Note("campaign", {"rank": rank, "delay_us": campaign.due_us - now})

    def _ask(self) -> Effects:
        members, campaign = self.cluster.membership, self.campaign
        members.current_epoch += 1
        members.promise()
        campaign.epoch = members.current_epoch
        campaign.enter(Phase.ASKING)
        yield Note("asks for votes", {"epoch": campaign.epoch, "offset": self.cluster.server.offset})
        request = self.cluster.gossip.header(Kind.AUTH_REQUEST, (FORCE,) if self.forced else ())
        self.cluster.gossip.broadcast(request)

    def take_over(self, epoch: int, votes: tuple[str, ...], now: int) -> Effects:
        """Serve what the primary served, as of this epoch, and tell everybody; no votes: a person wanted it so."""
        members = self.cluster.membership
        me, old = members.me, members.nodes[members.me.primary]
        me.config_epoch = max(me.config_epoch, epoch)
        members.become_primary(me)
        me.slots, old.slots = old.slots, 0
        members.promise()
        facts = {"epoch": me.config_epoch, "old": old.name, "votes": votes}
        yield Note("elected", {**facts, "offset": self.cluster.server.offset})
        yield Note("slots", {"owner": me.name, "from": old.name, "epoch": epoch, "ranges": tuple(ranges_of(me.slots))})
        self.rest()
        yield from self.cluster.lead(now)
        self.cluster.gossip.announce()

    def rest(self) -> None:
        """Nothing to win any more: the role has changed."""
        self.forced_until_us = 0
        self.campaign = Campaign()
