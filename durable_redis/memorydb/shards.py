"""The shards of a cluster: which slots each has, and which nodes.

A node learns from its own log who leads its own shard.  Of another shard it knows the nodes and not the leader: it
sends a client to one of them, which redirects it.  (In the real service a cluster bus tells, afterwards, what the logs
have decided; paper, section 4.1.2.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durable_redis.redis.cluster.slots import SLOTS


class Shard(NamedTuple):
    """A range of slots, both ends included, and the nodes that serve it."""

    name: str
    nodes: tuple[str, ...]
    first: int = 0
    last: int = SLOTS - 1


class Shards:
    """All shards, seen from one of them."""

    def __init__(self, shards: Sequence[Shard], own: str) -> None:
        self.shards = tuple(shards)
        self.own = next(shard for shard in shards if shard.name == own)

    def elsewhere(self, slot: int) -> str:
        """A node of the shard that has this slot; "" if that is the own one."""
        if self.own.first <= slot <= self.own.last:
            return ""
        return next(shard.nodes[0] for shard in self.shards if shard.first <= slot <= shard.last)
