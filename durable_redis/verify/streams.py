"""Streams and places: which writes belong together, whatever server holds them.

A *stream* is what one primary executed under one replication id.  It begins with what this server held when it took the
id: nothing, what it had received as a replica (a promotion), or what it found on its disk (a start).  So the streams of
a room are a tree, and a *place* in it is a stream and a number of its writes:

    n1   A: w1 w2 w3 w4 w5         n2 held w1 to w3 when it was promoted: B begins at the place (A, 3).
    n2           \\ B: w6 w7        The writes of the place (B, 1) are w1 w2 w3 w6; w4 and w5 are not among them.

Here are only the shapes; `reference` makes a tree of a run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from durable_redis.lab.client import Operation
from durable_redis.verify.evidence import Held

START, PROMOTION, RENAMED = "start", "promotion", "renamed"
"""Why a stream begins: a server has started, a replica was promoted, or a primary took another id."""


@dataclass(slots=True, eq=False)
class Write:
    """A client's command that a primary executed: where it ended in the stream, and what the data are after it."""

    operation: Operation
    node: str
    step: int
    at_us: int
    end: int
    held: Held
    logged: bool  # the primary's append-only file was on
    place: Place = field(repr=False)  # the first one that holds it

    def __str__(self) -> str:
        words = b" ".join(self.operation.argv[:3]).decode("utf-8", "backslashreplace")
        return f"{words} (executed by {self.node} at {self.at_us / 1e6:.3f} s)"


@dataclass(slots=True, eq=False)
class Stream:
    """What one primary executed under one id, from offset `start` on.

    `continues`: it counts the bytes of the base's stream on, so that what lies before `start` is a place there."""

    replid: str
    node: str
    step: int
    at_us: int
    why: str
    base: Place | None
    held: Held
    start: int
    continues: bool = False
    writes: list[Write] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    @property
    def last(self) -> Place:
        return Place(self, len(self.writes))

    def place(self, offset: int) -> Place | None:
        """Where a server is that holds so many bytes of this stream; None if there is no such place."""
        if offset >= self.start:
            return Place(self, bisect_right(self.ends, offset))
        if self.continues and self.base is not None:
            return self.base.stream.place(offset)
        return None

    def __str__(self) -> str:
        return f"{self.node}'s history {self.replid[:8]} (since a {self.why} at {self.at_us / 1e6:.3f} s)"


class Place(NamedTuple):
    """So many writes of a stream, and all that the stream began with."""

    stream: Stream
    size: int

    @property
    def held(self) -> Held:
        """What a server holds here."""
        return self.stream.writes[self.size - 1].held if self.size else self.stream.held

    def way_back(self) -> Iterator[Place]:
        """This place, the one where its stream began, and so on to the first stream."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.stream.base

    def holds(self, write: Write) -> bool:
        """Whether the write is among those that made this place what it is."""
        stream, size = write.place
        return any(place.stream is stream and place.size >= size for place in self.way_back())

    def decided_against(self, write: Write) -> Stream | None:
        """Of a write that is not held: the stream on the way back that first went on without it.  None: this place is
        only behind it, in the write's own stream or before it."""
        past = list(write.place.way_back())
        decided = None
        for place in self.way_back():
            if any(place.stream is other.stream for other in past):
                break
            decided = place.stream
        return decided
