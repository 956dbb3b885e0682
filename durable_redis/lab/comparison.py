"""Two branches side by side: where they part, what each promised and lost, and how long its clients waited.

The law of this file: it looks at two playbacks and changes neither.  They may be branches of one run, or of two that
have nothing in common but the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.lab import receipt as receipts
from durable_redis.lab.errors import LabError
from durable_redis.lab.latency import Latency, latency

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback


@dataclass(frozen=True, slots=True)
class Side:
    """What one branch came to, at its end.  `lost` is None while there is no server to ask, `latency` while no write
    was answered."""

    steps: int
    end_us: int
    acknowledged: int
    lost: int | None
    latency: Latency | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two branches are one up to step `same_steps`; the next step is the first in which they differ, or one of them
    has no next step."""

    same_steps: int
    sides: tuple[Side, Side]


def compare(one: Playback, other: Playback) -> Comparison:
    """Lay two branches side by side."""
    return Comparison(same_steps(one, other), (side(one), side(other)))


def same_steps(one: Playback, other: Playback) -> int:
    """How many steps two branches have in common, from the first on."""
    count = 0
    for step, twin in zip(one.world.journal, other.world.journal, strict=False):
        # A step that holds a running child is like nothing but itself; what counts is what the journal says of it.
        if step != twin and repr(step) != repr(twin):
            break
        count += 1
    return count


def side(playback: Playback) -> Side:
    """What a branch came to."""
    acknowledged = sum(write.outcome == "ok" for write in receipts.writes(playback))
    return Side(playback.steps, playback.world.now_us, acknowledged, _lost(playback), _latency(playback))


def _lost(playback: Playback) -> int | None:
    try:
        return receipts.take(playback, explain=False).lost
    except LabError:
        return None


def _latency(playback: Playback) -> Latency | None:
    try:
        return latency(playback)
    except LabError:
        return None
