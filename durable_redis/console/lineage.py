"""The writes of a room as a tree: which writes a node holds, in two numbers.

The law of this file: a write has one past.  Whoever executes a write holds all that its server held before it, so a
data set is told by the newest write in it; and a write is told by a *line* and its place on it.  A line goes on as long
as each write follows the last one.  Where a write follows an older one (its server had lost the newer ones, or never
had them), a new line begins, which shares the first `shared` places with its parent:

    line 0   w1 w2 w3 w4 w5          n1 executed these; n2 had received w1 to w3 when it was promoted,
    line 1          \\ w6 w7         so line 1 has the parent 0, and shares 3 places with it

A node at (line 1, 5 writes) holds w1, w2, w3, w6 and w7; w4, at place 3 of line 0, it does not hold.
"""

from __future__ import annotations

NOTHING = -1
"""The line of a node that holds nothing, and the parent of a line that begins with nothing before it."""


class Lineage:
    """The lines: of each, its parent, the number of places it shares with it, and how long it is by now."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int]] = []
        self._lengths: list[int] = []

    def add(self, line: int, place: int) -> tuple[int, int]:
        """A write that follows the one at this line and place (NOTHING: follows none).  Where it stands itself."""
        if line == NOTHING or self._lengths[line] > place + 1:
            self.lines.append((line, place + 1))
            self._lengths.append(place + 1)
            line = len(self.lines) - 1
        self._lengths[line] += 1
        return line, place + 1

    def holds(self, line: int, count: int, of: int, place: int) -> bool:
        """Whether a data set of `count` writes along a line holds the write at a place of the line `of`."""
        if place >= count:
            return False
        while line not in (of, NOTHING) and place < self.lines[line][1]:
            line = self.lines[line][0]
        return line == of

    def common(self, line: int, count: int, other: int, others: int) -> int:
        """How many writes two data sets share, from the first one on."""
        mine = self._ancestry(line)
        shared = others
        while other != NOTHING and other not in mine:
            other, places = self.lines[other]
            shared = min(shared, places)
        return min(count, shared, mine[other]) if other != NOTHING else 0

    def _ancestry(self, line: int) -> dict[int, int]:
        """The lines from which this one comes, and up to where it shares each."""
        found, shared = {}, 1 << 60
        while line != NOTHING:
            found[line] = shared
            line, places = self.lines[line]
            shared = min(shared, places)
        return found
