"""What one node believes of the cluster: who is in it, who serves which slots, and as of which epoch.

There is no truth anywhere but these beliefs, one set in every node, and one rule that brings them together:

    **for every slot, the claim with the greater config epoch wins.**

A *config epoch* is the number of the election that gave a primary its slots; no two elections have the same number, as
each is won with the votes of a majority, and nobody votes twice in one epoch.  The *current epoch* is the greatest
number that a node has heard of: what the next election must exceed.  "Last failover wins", says the specification; that
the winner has the best data is another matter, which no epoch decides.

This file knows neither wires nor clocks, and changes nothing but beliefs.  Times are in microseconds, 0 means never.

The rules: redis.io, "Redis cluster specification"; cluster.c `clusterUpdateSlotsConfigWith`,
`clusterHandleConfigEpochCollision`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1

from durable_redis.redis.cluster.bus import Health
from durable_redis.redis.cluster.slots import ALL, SlotSet


def node_id(name: str) -> str:
    """The 40 digits by which CLUSTER NODES calls a node.

    Redis draws them at random once and keeps them in nodes.conf.  Ours follow from the machine's name, so that a
    cluster can start joined; hence a node that lost its disk comes back as itself, where Redis's would be a stranger.
    """
    return sha1(name.encode("ascii"), usedforsecurity=False).hexdigest()


@dataclass(slots=True, eq=False)
class ClusterNode:
    """One member, as this node sees it; also this node itself.  `primary` is "" for a primary."""

    name: str
    primary: str = ""
    slots: SlotSet = field(default=0, repr=False)  # Python refuses to print a number of 4,932 digits
    config_epoch: int = 0
    offset: int = 0  # of its replication stream, as it last said
    takes_over: bool = True  # not so with cluster-replica-no-failover
    # What the failure detector remembers of it.
    health: Health = Health.OK
    failed_us: int = 0  # when it was marked FAIL
    pinged_us: int = 0  # when the PING was sent that is not answered yet
    ponged_us: int = 0  # when it last answered one, as far as anybody healthy told us
    heard_us: int = 0  # when anything came from it
    reports: dict[str, int] = field(default_factory=dict)  # which primaries think it has failed, and since when
    # What a voter remembers of it.
    voted_us: int = 0  # when this node last voted for one of its replicas
    to_be_met: bool = False  # CLUSTER MEET named it, and it has not answered yet

    @property
    def id(self) -> str:
        return node_id(self.name)

    @property
    def is_primary(self) -> bool:
        return not self.primary

    @property
    def votes(self) -> bool:
        """Whether it counts in majorities: a primary that serves slots."""
        return not self.primary and self.slots != 0

    @property
    def failed(self) -> bool:
        return self.health is Health.FAIL


class Membership:
    """All beliefs of one node.

    * `changed`: something that nodes.conf holds has changed since it was last written.
    * `must_sync`: and what was changed is a promise (a vote, a new epoch), which must be on the platter before anybody
      hears of it.
    """

    def __init__(self, name: str) -> None:
        self.me = ClusterNode(name)
        self.nodes: dict[str, ClusterNode] = {name: self.me}
        self.current_epoch = 0
        self.last_vote_epoch = 0
        self.changed = False
        self.must_sync = False

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def others(self) -> list[ClusterNode]:
        """Everybody but this node, in the order in which it met them."""
        return [node for node in self.nodes.values() if node is not self.me]

    def primary_of(self, node: ClusterNode) -> ClusterNode | None:
        """The primary of a node's shard: itself if it is one; None if it follows somebody unknown."""
        return node if node.is_primary else self.nodes.get(node.primary)

    def replicas_of(self, name: str) -> list[ClusterNode]:
        return [node for node in self.nodes.values() if node.primary == name]

    def owner_of(self, slot: int) -> ClusterNode | None:
        """Who serves a slot, or None."""
        for node in self.nodes.values():
            if node.slots and node.slots >> slot & 1:
                return node
        return None

    @property
    def unassigned(self) -> SlotSet:
        """The slots that nobody serves."""
        slots = ALL
        for node in self.nodes.values():
            slots &= ~node.slots
        return slots

    @property
    def voters(self) -> list[ClusterNode]:
        """The primaries that serve slots: the cluster's size, and whose majority decides."""
        return [node for node in self.nodes.values() if node.votes]

    @property
    def quorum(self) -> int:
        """A majority of the primaries, the failed ones counted too: 2 of 3."""
        return len(self.voters) // 2 + 1

    # -- changing ----------------------------------------------------------------------------------------------------

    def promise(self) -> None:
        """What has just been changed must be on the platter before the next message leaves."""
        self.changed = self.must_sync = True

    def add(self, name: str) -> ClusterNode:
        """Take somebody in, without slots and with nothing known of it."""
        node = self.nodes[name] = ClusterNode(name)
        self.changed = True
        return node

    def saw_epochs(self, sender: ClusterNode, current: int, config: int) -> None:
        """Epochs only grow: the greatest that anybody speaks of is everybody's.

        A replica speaks of its primary's config epoch.  Keeping it as the replica's own does no harm: a replica's
        counts only once it has won an election, and then it gets the new one."""
        if current > self.current_epoch:
            self.current_epoch = current
            self.changed = True
        if config > sender.config_epoch:
            sender.config_epoch = config
            self.changed = True

    def become_primary(self, node: ClusterNode) -> None:
        self._follow(node, "")

    def become_replica(self, node: ClusterNode, primary: str) -> None:
        """A replica serves no slots of its own."""
        node.slots = 0
        self._follow(node, primary)

    def _follow(self, node: ClusterNode, primary: str) -> None:
        if node.primary != primary:
            node.primary = primary
            self.changed = True

    def claim(self, node: ClusterNode, epoch: int, slots: SlotSet) -> dict[str, SlotSet]:
        """A primary says that it serves these slots since this config epoch.  The greater epoch wins, slot by slot.

        Returns what it took, and from whom (`""`: from nobody).  Claims of 8 by n4, while n1 serves slots as of 1 and
        n2 as of 9: what was n1's is now n4's, what was n2's stays n2's."""
        taken: dict[str, SlotSet] = {}
        if unassigned := slots & self.unassigned:
            taken[""] = unassigned
        for other in self.nodes.values():
            if other is not node and other.slots & slots and other.config_epoch < epoch:
                taken[other.name] = other.slots & slots
                other.slots &= ~slots
        for part in taken.values():
            node.slots |= part
        self.changed |= bool(taken)
        return taken

    def newer_owner(self, node: ClusterNode, epoch: int, slots: SlotSet) -> ClusterNode | None:
        """Somebody who serves one of the slots that `node` claims, and since a greater epoch: then it must be told."""
        for other in self.nodes.values():
            if other is not node and other.slots & slots and other.config_epoch > epoch:
                return other
        return None

    def resolve_collision(self, other: ClusterNode) -> bool:
        """Two primaries with one config epoch (it takes a TAKEOVER, or a person): the one with the smaller id takes
        the next epoch, without any vote.  Whether that was this node."""
        me = self.me
        if not (me.is_primary and other.is_primary and other.config_epoch == me.config_epoch and me.id < other.id):
            return False
        self.take_new_epoch()
        return True

    def take_new_epoch(self) -> None:
        """A config epoch that nobody has, without asking anybody: another node may take the same one meanwhile."""
        self.current_epoch += 1
        self.me.config_epoch = self.current_epoch
        self.promise()
