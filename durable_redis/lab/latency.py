"""What durability costs: how long the client waited for each answer, and how many writes a second went through.

A write that was to be sent at a given time waits from *then*, also if the client could not send it yet because it was
waiting for an earlier answer.  Counted from the sending, one long stall would be one slow write, and the fifty that
stood in line behind it would look fast ("coordinated omission").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.lab.client import Operation
from durable_redis.lab.errors import LabError

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback


@dataclass(frozen=True, slots=True)
class Latency:
    """Waiting times of the answered writes, in microseconds, and the rate at which they were answered."""

    writes: int
    median_us: int
    p99_us: int
    longest_us: int
    per_second: float

    def __str__(self) -> str:
        return (
            f"{self.writes} writes, {self.per_second:.0f} a second: half within {self.median_us / 1000:.2f} ms, "
            f"99 in 100 within {self.p99_us / 1000:.2f} ms, the slowest {self.longest_us / 1000:.2f} ms"
        )

    __repr__ = __str__


def latency(playback: Playback) -> Latency:
    """Measure the writes of a branch so far.  Raises LabError if none was answered."""
    answered = [operation for operation in playback.operations() if operation.answered_us and operation.sent_us]
    if not answered:
        raise LabError("no write was answered yet: let a client write something, and play")
    waits = sorted((operation.answered_us or 0) - _wanted_us(operation) for operation in answered)
    first = min(operation.sent_us or 0 for operation in answered)
    last = max(operation.answered_us or 0 for operation in answered)
    return Latency(
        len(waits),
        waits[len(waits) // 2],
        waits[min(len(waits) - 1, len(waits) * 99 // 100)],
        waits[-1],
        len(waits) * 1e6 / max(1, last - first),
    )


def _wanted_us(operation: Operation) -> int:
    return operation.due_us if operation.paced else operation.sent_us or 0
