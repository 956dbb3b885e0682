"""The shards of a cluster: which slots each has, which nodes, and who leads it as far as a node has heard.

A node learns from its own log who leads its own shard.  Of the others it knows what the bus has told (`bus`), and at
first nothing: then it names the node with which the shard began.
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

    def has(self, slot: int) -> bool:
        return self.first <= slot <= self.last


class Shards:
    """All shards, seen from one of them.  `strangers` are the nodes of the others."""

    def __init__(self, shards: Sequence[Shard], own: str) -> None:
        self.shards = tuple(shards)
        self.own = next(shard for shard in shards if shard.name == own)
        self.strangers = tuple(name for shard in shards if shard is not self.own for name in shard.nodes)
        self._heard: dict[str, tuple[int, str]] = {}  # shard -> (epoch, leader)

    def heard(self, shard: str, leader: str, epoch: int) -> None:
        """The bus says that somebody leads another shard; what is older than what one knows is passed over."""
        self._heard[shard] = max(self._heard.get(shard, (0, "")), (epoch, leader))

    def leader_of(self, shard: Shard) -> str:
        """Who leads another shard, as far as this node has heard."""
        return self._heard[shard.name][1] if shard.name in self._heard else shard.nodes[0]

    def elsewhere(self, slot: int) -> str:
        """To whom a client is sent that wants a slot of another shard; "" if it is of the own one."""
        if self.own.has(slot):
            return ""
        return next(self.leader_of(shard) for shard in self.shards if shard.has(slot))
