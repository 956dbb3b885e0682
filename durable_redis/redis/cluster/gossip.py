"""What a node says on the bus, and what it makes of what it hears.

Heartbeats carry everything: PING and PONG bring the sender's claims, and what it thinks of a few others.  Nobody is in
charge of spreading news; it spreads because everybody talks to somebody all the time.

    say     once a second to the one of five others, drawn by lot, that has been silent longest;
            to everybody not heard of for half of NODE_TIMEOUT;
            and at once to all, when there is something that cannot wait (FAIL, a victory)
    hear    1. epochs and offset        2. answer a PING           3. who answered is alive
            4. its role                 5. its claims of slots     6. its rumours

The rules: cluster.c `clusterProcessPacket`, `clusterProcessGossipSection`, `clusterSendPing`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.cluster import detector, election
from durable_redis.redis.cluster.bus import FORCE, HEARTBEATS, NO_FAILOVER, PAUSED, Health, Kind, Message, Rumour
from durable_redis.redis.cluster.links import Link
from durable_redis.redis.cluster.membership import ClusterNode
from durable_redis.redis.cluster.slots import SlotSet, ranges_of

if TYPE_CHECKING:
    from durable_redis.redis.cluster.cluster import Cluster

LEAST_RUMOURS = 3
FUTURE_US = 500_000
"""A rumour about an answer from later than this in the future is not believed: somebody's clock is wrong."""


class Gossip:
    """The mouth and the ear of one node."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    # -- saying ------------------------------------------------------------------------------------------------------

    def header(self, kind: Kind, marks: tuple[str, ...] = ()) -> Message:
        """A message about nothing but its sender.  A replica speaks for its primary's slots."""
        cluster = self.cluster
        members, me = cluster.membership, cluster.membership.me
        primary = members.primary_of(me) or me
        if not me.takes_over:
            marks = (*marks, NO_FAILOVER)
        if cluster.handover.to:
            marks = (*marks, PAUSED)
        offset = cluster.server.offset
        claims = primary.config_epoch, offset, me.primary, primary.slots
        return Message(kind, me.name, members.current_epoch, *claims, marks)

    def heartbeat(self, kind: Kind, target: str) -> Message:
        return replace(self.header(kind), rumours=self._rumours(target))

    def ping(self, node: ClusterNode, now: int) -> None:
        """Ask for an answer, on this node's own connection."""
        if self.cluster.links.is_up(node.name):
            node.pinged_us = node.pinged_us or now
            kind = Kind.MEET if node.to_be_met else Kind.PING
            self.cluster.links.say(node.name, self.heartbeat(kind, node.name))

    def broadcast(self, message: Message) -> None:
        for node in self.cluster.membership.others:
            self.cluster.links.say(node.name, message)

    def announce(self) -> None:
        """A PONG to everybody, that nobody asked for: my role or my slots have changed."""
        for node in self.cluster.membership.others:
            self.cluster.links.say(node.name, self.heartbeat(Kind.PONG, node.name))

    def _rumours(self, target: str) -> tuple[Rumour, ...]:
        """A tenth of the nodes, but 3 at least, drawn by lot; and besides them everybody whom this node suspects."""
        others = [node for node in self.cluster.membership.others if node.name != target]
        suspects = [node for node in others if node.health is Health.PFAIL]
        drawable = [node for node in others if node.health is not Health.PFAIL]
        wanted = min(max(LEAST_RUMOURS, len(others) // 10), len(drawable))
        drawn = [drawable.pop(self.cluster.draw(len(drawable))) for _ in range(wanted)]
        return tuple(
            Rumour(node.name, node.health, node.pinged_us // 1000, node.ponged_us // 1000) for node in drawn + suspects
        )

    # -- hearing -----------------------------------------------------------------------------------------------------

    def hear(self, link: Link, message: Message, now: int) -> Effects:
        """Take in one message."""
        members = self.cluster.membership
        sender = members.nodes.get(message.sender)
        if sender is members.me:
            return
        if sender is None and message.kind is Kind.MEET:
            sender = members.add(message.sender)
            yield Note("met", {"node": sender.name})
        if message.kind in (Kind.PING, Kind.MEET):  # a stranger's, too
            self.cluster.links.answer(link, self.heartbeat(Kind.PONG, message.sender))
        if sender is None:
            return
        sender.heard_us = now
        sender.offset = message.offset
        sender.takes_over = NO_FAILOVER not in message.marks
        if PAUSED in message.marks and sender.name == members.me.primary:
            self.cluster.candidate.primary_stands_still(message.offset)
        members.saw_epochs(sender, message.current_epoch, message.config_epoch)
        if message.kind in HEARTBEATS:
            yield from self._hear_heartbeat(sender, message, now)
        else:
            yield from self._hear_the_rest(sender, message, now)

    def _hear_heartbeat(self, sender: ClusterNode, message: Message, now: int) -> Effects:
        members = self.cluster.membership
        if message.kind is Kind.PONG:
            yield from self._answered(sender, now)
        if message.primary:
            if sender.primary != message.primary:
                members.become_replica(sender, message.primary)
        else:
            members.become_primary(sender)
        yield from self._hear_claims(sender, message, now)
        if members.resolve_collision(sender):
            yield Note("epoch collision", {"with": sender.name, "epoch": members.me.config_epoch})
        for rumour in message.rumours:
            yield from self._hear_rumour(sender, rumour, now)

    def _answered(self, sender: ClusterNode, now: int) -> Effects:
        sender.pinged_us = 0
        sender.ponged_us = now
        sender.to_be_met = False
        if detector.may_recover(sender, now, self.cluster.timeout_us):
            yield Note("recovered", {"node": sender.name, "was": sender.health.value})
            self.cluster.membership.changed |= sender.failed
            sender.health = Health.OK

    # -- who serves what ---------------------------------------------------------------------------------------------

    def _hear_claims(self, sender: ClusterNode, message: Message, now: int) -> Effects:
        """Believe what is newer, contradict what is older."""
        members = self.cluster.membership
        claimant = members.primary_of(sender)
        if claimant is None or claimant.slots == message.slots:
            return
        if claimant is sender:
            yield from self.accept_claim(sender, message.config_epoch, message.slots, now)
        newer = members.newer_owner(claimant, message.config_epoch, message.slots)
        if newer is not None:
            update = self.header(Kind.UPDATE)
            claim = replace(update, about=newer.name, about_epoch=newer.config_epoch, about_slots=newer.slots)
            self.cluster.links.say(sender.name, claim)

    def accept_claim(self, node: ClusterNode, epoch: int, slots: SlotSet, now: int) -> Effects:
        """Change the slot table as the claim demands; and follow the claimant, if it took all that my shard served.

        This is where an old primary learns that it is one no longer, and where what it alone had is given up.  A
        replica may have heard first that its primary follows somebody, and then finds nothing taken from it: it
        follows whom its primary follows ("I'm a sub-replica!", cluster.c)."""
        members = self.cluster.membership
        mine = members.primary_of(members.me)
        taken = members.claim(node, epoch, slots)
        for owner, part in taken.items():
            yield Note("slots", {"owner": node.name, "from": owner, "epoch": epoch, "ranges": tuple(ranges_of(part))})
        if mine is not None and mine is not node and mine.name in taken and not mine.slots:
            yield from self.cluster.follow(node.name, now)
        elif mine is not None and mine.primary in members.nodes and mine.primary != members.me.name:
            yield from self.cluster.follow(mine.primary, now)

    def _hear_update(self, message: Message, now: int) -> Effects:
        members = self.cluster.membership
        node = members.nodes.get(message.about)
        if node is None or node is members.me or message.about_epoch <= node.config_epoch:
            return
        members.become_primary(node)
        members.saw_epochs(node, message.current_epoch, message.about_epoch)
        yield from self.accept_claim(node, message.about_epoch, message.about_slots, now)

    # -- who has failed ----------------------------------------------------------------------------------------------

    def _hear_rumour(self, sender: ClusterNode, rumour: Rumour, now: int) -> Effects:
        members, timeout_us = self.cluster.membership, self.cluster.timeout_us
        node = members.nodes.get(rumour.name)
        if node is None:  # the sender is one of us, so we take its word that this one is, too
            members.add(rumour.name)
            return
        if node is members.me:
            return
        unreachable = rumour.health is not Health.OK
        if sender.is_primary:
            detector.hear_report(node, sender, unreachable, now)
            if unreachable and detector.majority_agrees(members, node, now, timeout_us):
                yield from self._fail(node, now)
        ponged_us = rumour.ponged_ms * 1000
        undoubted = not unreachable and not node.pinged_us and not detector.reports_on(node, now, timeout_us)
        if undoubted and node.ponged_us < ponged_us <= now + FUTURE_US:
            node.ponged_us = ponged_us  # it lives: it need not be pinged again by everybody

    def _fail(self, node: ClusterNode, now: int) -> Effects:
        """A majority agrees: tell everybody."""
        reports = tuple(detector.reports_on(node, now, self.cluster.timeout_us))
        detector.mark_failed(node, now)
        self.cluster.membership.changed = True
        yield Note("fail", {"node": node.name, "reports": reports, "told_by": ""})
        self.broadcast(replace(self.header(Kind.FAIL), about=node.name))

    def _hear_fail(self, sender: ClusterNode, message: Message, now: int) -> Effects:
        members = self.cluster.membership
        node = members.nodes.get(message.about)
        if node is not None and node is not members.me and not node.failed:
            detector.mark_failed(node, now)
            members.changed = True
            yield Note("fail", {"node": node.name, "reports": (), "told_by": sender.name})

    # -- elections ---------------------------------------------------------------------------------------------------

    def _hear_the_rest(self, sender: ClusterNode, message: Message, now: int) -> Effects:
        match message.kind:
            case Kind.FAIL:
                yield from self._hear_fail(sender, message, now)
            case Kind.UPDATE:
                yield from self._hear_update(message, now)
            case Kind.MFSTART:
                yield from self.cluster.handover.begin(sender, now)
            case Kind.AUTH_REQUEST:
                yield from self._vote(sender, message, now)
            case Kind.AUTH_ACK if sender.votes and message.current_epoch >= self.cluster.candidate.campaign.epoch:
                self.cluster.candidate.campaign.count(sender.name)
                yield from self.cluster.candidate.cron(now)

    def _vote(self, candidate: ClusterNode, request: Message, now: int) -> Effects:
        """Vote or refuse.  The promise comes first, the message after it: see `links`."""
        members = self.cluster.membership
        why_not = election.why_no_vote(members, request, now, self.cluster.timeout_us)
        facts = {"candidate": candidate.name, "epoch": request.current_epoch, "forced": FORCE in request.marks}
        yield Note("vote", {**facts, "granted": not why_not, "why_not": why_not})
        if not why_not:
            members.last_vote_epoch = members.current_epoch
            members.nodes[candidate.primary].voted_us = now
            members.promise()
            self.cluster.links.say(candidate.name, self.header(Kind.AUTH_ACK))
