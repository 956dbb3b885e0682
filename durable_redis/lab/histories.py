"""Histories: which writes a data set holds, told by (replication id, offset).

A primary executes writes in an order, and each ends at an offset of its replication stream: that order is a *history*,
and has a replication id.  Whoever is at (id, offset) holds exactly the writes of that history that end by then.  So a
replica's memory needs no book-keeping of its own: it is a place in somebody's history.

A new id begins a new history, which shares a past with another one: the writes that the server held when it took the
new id, because it was promoted, or had started from what was on its disk.  All histories of a room make a tree, and a
write is lost where the branch of the survivor leaves the branch of the write.  That *fork* is the deciding event.

    n1   A: w1 w2 w3 w4 w5         n2 held w1 to w3 when it was promoted: B forks from A after 3 writes,
    n2            \\ B: w6 w7       and w4 and w5 are on no way from B back to the root
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

BOOT, RESTART, PROMOTION = "boot", "restart", "promotion"
"""Why a history begins: with nothing, with what was on a disk, or with what a replica had received."""


@dataclass(slots=True)
class Write:
    """A write that a server executed: by whom it was asked for, and where it stands in that server's log and history.

    Only the very same object is the same write."""

    connection: str
    command: int
    node: str
    position: tuple[int, int]
    step: int
    history: History = field(repr=False)
    place: int = 0  # among the writes of its history, and of every history that shares it
    answered: int = 0  # the step at which its OK left the server

    @property
    def key(self) -> tuple[str, int]:
        """Its identity: the client's connection, and the number of the command on it."""
        return self.connection, self.command


@dataclass(slots=True, eq=False)
class History:
    """What happened under one replication id.  The first `shared` writes are also its parent's, if it has one."""

    replid: str
    node: str
    step: int
    why: str = BOOT
    parent: History | None = field(default=None, repr=False)
    writes: list[Write] = field(default_factory=list, repr=False)
    offsets: list[int] = field(default_factory=list, repr=False)
    shared: int = 0

    def add(self, write: Write, offset: int) -> None:
        """A primary has executed a write, which ends at this offset."""
        write.place = len(self.writes)
        self.writes.append(write)
        self.offsets.append(offset)

    def upto(self, offset: int) -> int:
        """How many of its writes end by this offset of the stream."""
        return bisect_right(self.offsets, offset)

    def holds(self, write: Write) -> bool:
        return write.place < len(self.writes) and self.writes[write.place] is write

    def ancestry(self) -> Iterator[History]:
        """This history, its parent, and so on to the root."""
        history: History | None = self
        while history is not None:
            yield history
            history = history.parent


class Histories:
    """All histories of a room, by their ids."""

    def __init__(self) -> None:
        self.by_id: dict[str, History] = {}

    def get(self, replid: str) -> History:
        """The history with this id.  Whoever follows a primary names an id that the primary has told of."""
        return self.by_id[replid]

    def begin(
        self, replid: str, node: str, step: int, why: str, held: Sequence[Write], parent: History | None, offset: int
    ) -> History:
        """A server takes an id, new or known, at this offset of it, while it holds these writes of its past.

        A promoted replica counts on from where it was; a restarted server may begin at 0 with everything that it has,
        and then all of it is there at 0."""
        if replid in self.by_id:
            return self.by_id[replid]
        offsets = [offset] * len(held)
        if parent is not None and common(held, parent.writes) == len(held):
            offsets = [min(end, offset) for end in parent.offsets[: len(held)]]
        history = self.by_id[replid] = History(replid, node, step, why, parent, list(held), offsets, len(held))
        return history


def fork(write: Write, survivor: History) -> History | None:
    """The history that decided against a write: on the way from the survivor's back to the root, the last one without
    it.  None: the survivor's history holds the write, or is an ancestor of the one that does."""
    decided = None
    past = list(write.history.ancestry())
    for history in survivor.ancestry():
        if history.holds(write) or history in past:
            break
        decided = history
    return decided


def common(left: Sequence[Write], right: Sequence[Write]) -> int:
    """How many writes two data sets share, from the first one on.  A write has one past, so where two data sets hold
    the same write at the same place, they are the same up to there."""
    low, high = 0, min(len(left), len(right))
    if not high or left[0] is not right[0]:
        return 0
    if left[high - 1] is right[high - 1]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if left[middle - 1] is right[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low
