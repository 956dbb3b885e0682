"""The shards of a cluster: which slots each has, which nodes, and who leads it as far as a node has heard.

A node learns from its own log who leads its own shard, which slots that one has, and to whom it has given others
(`migration.ownership`).  Of the other shards it knows what the bus has told (`bus`), and at first nothing: then it
names the node and the slots with which a shard began.  So what it says of them may be old; whoever is sent to a wrong
shard by it is sent on from there.

That this comes to an end: a shard that has given a slot away names whom it has given it to, last; and from one to the
next of these, time only goes forward, up to the one that has it now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durable_redis.memorydb.migration.ownership import Ownership, Phase
from durable_redis.redis.cluster.slots import SLOTS, SlotRange, SlotSet, ranges_of, slots_in


class Shard(NamedTuple):
    """A range of slots with which it begins, both ends included, and the nodes that serve it."""

    name: str
    nodes: tuple[str, ...]
    first: int = 0
    last: int = SLOTS - 1

    def has(self, slot: int) -> bool:
        """Whether it begins with this slot."""
        return self.first <= slot <= self.last

    @property
    def slots(self) -> SlotSet:
        return slots_in([(self.first, self.last)])


class Heard(NamedTuple):
    """What the bus says of another shard: at this place of its log, this node leads it, and it has these slots."""

    place: int
    leader: str
    slots: SlotSet


class Shards:
    """All shards, seen from one of them.  `strangers` are the nodes of the others."""

    def __init__(self, shards: Sequence[Shard], own: str) -> None:
        self.shards = tuple(shards)
        self.own = self.named(own)
        self.strangers = tuple(name for shard in shards if shard is not self.own for name in shard.nodes)
        self._heard: dict[str, Heard] = {}  # by shard, the newest word last
        self._ownership = Ownership(own)
        self._map: dict[str, SlotSet] = {}
        self._ranges: tuple[SlotRange, ...] = ()
        self.know(self._ownership)

    def named(self, name: str) -> Shard:
        return next(shard for shard in self.shards if shard.name == name)

    def of_node(self, node: str) -> Shard | None:
        return next((shard for shard in self.shards if node in shard.nodes), None)

    # -- learning ----------------------------------------------------------------------------------------------------

    def heard(self, shard: str, word: Heard) -> None:
        """The bus tells of another shard; what is older than what one knows is passed over."""
        if shard not in self._heard or word.place >= self._heard[shard].place:
            self._heard.pop(shard, None)
            self._heard[shard] = word
            self._draw_map()

    def know(self, ownership: Ownership) -> None:
        """The own log says this."""
        self._ownership = ownership
        self._draw_map()

    def _draw_map(self) -> None:
        """Who has which slots.  Each of these overrules what stands before it:

        1. what every shard began with
        2. what the bus has told, the newest word last
        3. to whom the own shard has given slots; and from whom it is about to get some
        4. what it has itself"""
        ownership = self._ownership
        words = [(shard.name, shard.slots) for shard in self.shards]
        words += [(shard, word.slots) for shard, word in self._heard.items()]
        words += ownership.given.items()
        if (coming := ownership.migration) is not None and ownership.is_target and ownership.phase is not Phase.OVER:
            words.append((coming.source, coming.slots))
        words.append((self.own.name, ownership.owned(self.own.slots)))
        self._map = {shard.name: 0 for shard in self.shards}
        for owner, slots in words:
            for name in self._map:
                self._map[name] &= ~slots
            self._map[owner] |= slots
        self._ranges = tuple(ranges_of(self.owned))

    # -- asking ------------------------------------------------------------------------------------------------------

    @property
    def owned(self) -> SlotSet:
        """The slots of the own shard."""
        return self._map[self.own.name]

    @property
    def ranges(self) -> tuple[SlotRange, ...]:
        """The same, as ranges."""
        return self._ranges

    @property
    def map(self) -> Mapping[str, SlotSet]:
        """By shard, the slots that it has, as far as this node knows."""
        return self._map

    def leader_of(self, shard: Shard) -> str:
        """Who leads another shard, as far as this node has heard."""
        return self._heard[shard.name].leader if shard.name in self._heard else shard.nodes[0]

    def elsewhere(self, slot: int) -> str:
        """To whom a client is sent that wants a slot of another shard; "" if it is of the own one."""
        if self.owned >> slot & 1:
            return ""
        return next((self.leader_of(shard) for shard in self.shards if self._map[shard.name] >> slot & 1), "")
