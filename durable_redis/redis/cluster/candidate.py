"""The replica's side of a failover: when it runs, how it asks, and what it does when it has won.

    1. its primary has FAILed, it served slots, and this replica's data are not too old
    2. wait: fixed delay + luck + rank (see `election`), and a second more for each better replica heard of meanwhile
    3. take the next epoch, write it down, ask everybody for a vote
    4. a majority: become a primary, take the slots under that epoch, tell everybody
    5. no majority in time: rest, and try again in a new epoch

A person can ask for it.  CLUSTER FAILOVER first lets the primary stand still (see `handover`) until this replica has
all of its data, and loses nothing.  With FORCE the primary is not asked.  Both skip 1 and 2.  With TAKEOVER nobody is
asked: 3 is skipped as well, for an epoch without votes, so that two takeovers on two sides of a partition may choose
the same one.

The rules: cluster.c `clusterHandleSlaveFailover`, `clusterHandleManualFailover`, `clusterFailoverReplaceYourMaster`.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.cluster import election, handover
from durable_redis.redis.cluster.bus import FORCE, Kind
from durable_redis.redis.cluster.election import Campaign, Phase
from durable_redis.redis.cluster.slots import ranges_of

if TYPE_CHECKING:
    from durable_redis.redis.cluster.cluster import Cluster


class Wish(Enum):
    """What a person wants, and how far it is."""

    NONE = "none"
    WAITING = "waiting"  # for the primary to stand still, and for what is still to come from it
    GRANTED = "granted"  # run now


class Candidate:
    """One replica's attempts to take over; idle on a primary."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.campaign = Campaign()
        self.wish = Wish.NONE
        self.primary_offset: int | None = None  # where the primary stands still
        self._wish_ends_us = 0
        self.cannot = ""  # why not, as last noted

    @property
    def forced(self) -> bool:
        return self.wish is Wish.GRANTED

    # -- a person's wish ---------------------------------------------------------------------------------------------

    def wanted(self, politely: bool, now: int) -> None:
        """CLUSTER FAILOVER: let the primary stand still first, or (FORCE) run now, whatever its state."""
        self.wish = Wish.WAITING if politely else Wish.GRANTED
        self.primary_offset = None
        self._wish_ends_us = now + handover.LONGEST_US
        self.campaign.due_us = None
        if politely:
            primary = self.cluster.membership.me.primary
            self.cluster.links.say(primary, self.cluster.gossip.header(Kind.MFSTART))

    def primary_stands_still(self, offset: int) -> None:
        """The primary has said so, and where."""
        if self.wish is Wish.WAITING and self.primary_offset is None:
            self.primary_offset = offset

    def _look_at_wish(self, now: int) -> Effects:
        server = self.cluster.server
        if self.wish is Wish.WAITING and server.replica.link == "up" and self.primary_offset == server.offset:
            self.wish = Wish.GRANTED
            yield Note("caught up", {"offset": self.primary_offset})
        if self.wish is not Wish.NONE and now > self._wish_ends_us:
            self.wish = Wish.NONE

    # -- the steps ---------------------------------------------------------------------------------------------------

    def cron(self, now: int) -> Effects:
        """Ten times a second, and whenever a vote has come in: take the next step, if it is time for it."""
        yield from self._look_at_wish(now)
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
        members = cluster.membership
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
        return self._why_data_too_old(now)

    def _why_data_too_old(self, now: int) -> str:
        config, age_us = self.cluster.server.config, self.cluster.data_age_us(now)
        factor, ping_us = config.cluster_replica_validity_factor, config.repl_ping_replica_period * 1_000_000
        if factor and age_us is None:
            return "its data are of unknown age: it has reached no primary since it started, or was one itself"
        if age_us is not None and election.data_too_old(age_us, self.cluster.timeout_us, factor, ping_us):
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
        self.wish = Wish.NONE
        self.campaign = Campaign()
