"""The cluster as its builder wants it at first: which machines serve which slots, and who replicates whom.

In Redis this is made by commands: MEET, ADDSLOTS, SET-CONFIG-EPOCH, REPLICATE, which `redis-cli --cluster create` sends
to every node.  Here every node is given the result, and believes it when it finds no nodes.conf on its disk; with one,
that counts.  The n-th node's config epoch is n, as redis-cli sets it, so that no two primaries have the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from durable_redis.redis.cluster.membership import Membership
from durable_redis.redis.cluster.slots import SlotRange, equal_shares, slots_in


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary, the slots that it serves, and its replicas."""

    primary: str
    replicas: tuple[str, ...] = ()
    slots: tuple[SlotRange, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """All shards.  `Topology()` is a cluster that is still to be made, by CLUSTER MEET and ADDSLOTS."""

    shards: tuple[Shard, ...] = ()

    @classmethod
    def of(cls, nodes: Sequence[str], primaries: int) -> Topology:
        """The first nodes are primaries with equal shares of the slots, the others their replicas in turn.

        Of n1..n6 with 3 primaries: n4 follows n1, n5 follows n2, n6 follows n3.  Raises ValueError."""
        if not 1 <= primaries <= len(nodes):
            raise ValueError(f"of {len(nodes)} nodes 1 to {len(nodes)} can be primaries, not {primaries}")
        return cls(
            tuple(
                Shard(nodes[number], tuple(nodes[primaries + number :: primaries]), (share,))
                for number, share in enumerate(equal_shares(primaries))
            )
        )

    @property
    def nodes(self) -> list[str]:
        """Every machine, the primaries first."""
        return [shard.primary for shard in self.shards] + [name for shard in self.shards for name in shard.replicas]

    def beliefs_of(self, name: str) -> Membership:
        """What a node believes that has just been put into this cluster, or into none."""
        membership = Membership(name)
        for epoch, member in enumerate(self.nodes, 1):
            node = membership.nodes.get(member) or membership.add(member)
            node.config_epoch = membership.current_epoch = epoch
        for shard in self.shards:
            membership.nodes[shard.primary].slots = slots_in(shard.slots)
            for replica in shard.replicas:
                membership.nodes[replica].primary = shard.primary
        membership.promise()
        return membership
