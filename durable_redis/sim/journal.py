"""The journal: what happened in the room, step by step, and a digest of it.

A *step* is the smallest thing the world does: it performs one effect of one node, or lets one thing happen (a message
arrives, a timer fires, an fsync ends), or carries out one act from outside.  Steps are numbered from 1; "after step 0"
is the room before anything.

Two runs are the same run when their journals have the same digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple


class Step(NamedTuple):
    """At `at_us`, in this task of this machine ("" for the room itself), this effect, event or act took place."""

    at_us: int
    machine: str
    task: str
    what: Any


new_step = tuple.__new__
"""`new_step(Step, (...))` is `Step(...)` in half of the time, past the constructor that NamedTuple writes in Python."""


@dataclass(slots=True)
class Arrived:
    """A segment reached the kernel of its target."""

    number: int
    kind: str
    connection: str
    source: str
    data: bytes


@dataclass(slots=True)
class Synced:
    """An fsync ended: the first `size` bytes of the file are on the platter, or (with `error`) they are not."""

    path: str
    size: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class WroteBack:
    """The kernel moved what had been dirty for long to the platter, unasked."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """A task begins, or goes on after it computed, read, or waited."""


RESUMED = Resumed()
"""One for all: it holds nothing."""


@dataclass(slots=True)
class GaveUp:
    """A kernel heard of no acknowledgement for too long, and dropped its half of a connection to `peer`.

    Of what it had sent, `lost` segments never arrive; what arrived, and was not acknowledged, is not counted."""

    connection: str
    peer: str
    lost: int


@dataclass(frozen=True, slots=True)
class WentOn:
    """The pause of a machine is over."""


WENT_ON = WentOn()
"""One for all: it holds nothing."""


class Journal:
    """An append-only list of steps."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def digests(self, at: list[int]) -> list[str]:
        """The digest of the first n steps, for each n in `at` (ascending), as 64 hexadecimal digits."""
        running = hashlib.sha256()
        digests = []
        done = 0
        for count in at:
            for step in self.steps[done:count]:
                running.update(repr(tuple(step)).encode())
                running.update(b"\n")
            done = count
            digests.append(running.hexdigest())
        return digests

    def digest(self) -> str:
        """The digest of the whole journal, as 64 hexadecimal digits."""
        return self.digests([len(self.steps)])[0]
