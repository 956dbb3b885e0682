"""What durability costs when something fails: for how long nobody's write was answered OK, though somebody wanted one.

A *gap* begins when a write is wanted, and ends with the next OK that any client gets.  To wait a little for an answer
is a gap, too: gaps count as unavailability from `LEAST_US` on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.lab.client import Operation
from durable_redis.lab.errors import LabError
from durable_redis.sim import EPOCH_US

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback
    from durable_redis.lab.run import Run

LEAST_US = 100_000
"""Shorter gaps are waiting, as every client waits: no user would call them an outage."""


@dataclass(frozen=True, slots=True)
class Availability:
    """The gaps, as (from, to) in microseconds since the start; how many writes were wanted, and how many got an OK."""

    gaps: tuple[tuple[int, int], ...]
    wanted: int
    ok: int

    @property
    def longest_us(self) -> int:
        return max((end - begin for begin, end in self.gaps), default=0)

    @property
    def total_us(self) -> int:
        return sum(end - begin for begin, end in self.gaps)

    def __str__(self) -> str:
        answered = f"{self.ok:,} of {self.wanted:,} writes were answered OK"
        if not self.gaps:
            return f"{answered}, none of them after a gap of {LEAST_US / 1e6} s or more"
        gaps = "1 gap" if len(self.gaps) == 1 else f"{len(self.gaps)} gaps"
        return (
            f"{answered}; no write got through for {self.total_us / 1e6:.3f} s in {gaps}, "
            f"the longest of {self.longest_us / 1e6:.3f} s"
        )

    __repr__ = __str__


def availability(run: Run) -> Availability:
    """Measure the writes of a run so far.  Raises LabError if there were none."""
    return measure(run.playback)


def measure(playback: Playback) -> Availability:
    """The same of a playback that nobody looks at."""
    operations = [operation for client in playback.clients() for operation in client.operations]
    now_us = EPOCH_US + playback.world.now_us
    writes = [op for op in operations if op.argv[0].upper() == b"SET" and op.due_us <= now_us]
    if not writes:
        raise LabError("no write was wanted yet: let a client write something, and play")
    gaps = tuple((begin - EPOCH_US, end - EPOCH_US) for begin, end in _gaps(writes, now_us) if end - begin >= LEAST_US)
    return Availability(gaps, len(writes), sum(write.outcome == "ok" for write in writes))


def _gaps(writes: Sequence[Operation], now_us: int) -> Iterator[tuple[int, int]]:
    """Between one OK and the next (and from the last to now): from when a write was wanted."""
    waiting = deque(sorted(_demand(write, now_us) for write in writes))
    last = 0
    for ok in [*sorted(write.answered_us or 0 for write in writes if write.outcome == "ok"), now_us]:
        while waiting and waiting[0][1] <= last:
            waiting.popleft()
        if waiting and waiting[0][0] < ok:
            yield max(last, waiting[0][0]), ok
        last = ok


def _demand(write: Operation, now_us: int) -> tuple[int, int]:
    """From when to when somebody waited for this write: until it was answered, or, if it never was, until it was sent;
    then whoever wanted it had given it up, or waited with the next one."""
    wanted_us = write.due_us if write.paced or write.sent_us is None else write.sent_us
    return wanted_us, write.answered_us or write.sent_us or now_us + 1
