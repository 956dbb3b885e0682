"""Picking at random: what SRANDMEMBER, SPOP, HRANDFIELD and ZRANDMEMBER share.

All luck comes from the engine's `random.Random`, and the candidates stand in the order of a dict, so that one seed
means one outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from random import Random

Item = TypeVar("Item")


def pick(random: Random, candidates: Iterable[Item]) -> Item:
    """One of them; there must be one."""
    return random.choice(list(candidates))


def pick_many(random: Random, candidates: Sequence[Item], count: int) -> list[Item]:
    """A positive count: so many different ones, or all.  A negative count: exactly so many, perhaps repeated."""
    if count < 0:
        return [random.choice(candidates) for _ in range(-count)]
    if count >= len(candidates):
        return list(candidates)
    return random.sample(candidates, count)
