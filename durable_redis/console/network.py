"""What is wrong with the network, in words and as *islands*: groups of machines that do not reach one another.

The law of this file: told from the links alone.  Two machines are on the same island if a chain of links leads from one
to the other on which something gets through at least one way.  The largest island is the mainland.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from durable_redis.lab.recording import LinkFrame, Recording

MOST_WORDS = 3
"""So many single links are named; more are counted."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The links that are not as they should be.  `islands`: those beside the mainland, by names of machines."""

    cut: frozenset[tuple[str, str]]
    slow: Mapping[tuple[str, str], int]  # in ms
    islands: tuple[tuple[str, ...], ...]
    words: str

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "cut": [list(way) for way in sorted(self.cut)],
            "slow": [[*way, extra_ms] for way, extra_ms in sorted(self.slow.items())],
            "islands": [list(island) for island in self.islands],
            "words": self.words,
        }


NONE = Trouble(frozenset(), {}, (), "")


class Links:
    """The troubles of a branch, and the steps since which each lasts."""

    def __init__(self, recording: Recording, machines: Sequence[str]) -> None:
        self.recording = recording
        self.machines = tuple(machines)
        self.steps = [0]
        self.troubles = [NONE]
        self._read = 1  # how many pictures of the recording were read

    def read(self) -> None:
        """Take in what has changed since the last time."""
        steps, pictures = self.recording.link_pictures()
        for place in range(self._read, len(steps)):
            found = trouble(pictures[place], self.machines)
            if found != self.troubles[-1]:
                self.steps.append(steps[place])
                self.troubles.append(found)
        self._read = len(steps)


def trouble(links: Sequence[LinkFrame], machines: Sequence[str]) -> Trouble:
    """What these links come to."""
    cut = frozenset((link.source, link.target) for link in links if link.cut)
    slow = {(link.source, link.target): link.extra_us // 1000 for link in links if link.extra_us}
    found = sorted(_islands(cut, machines), key=len, reverse=True)
    return Trouble(cut, slow, tuple(found[1:]), _words(cut, slow, found))


def _islands(cut: frozenset[tuple[str, str]], machines: Sequence[str]) -> list[tuple[str, ...]]:
    left, islands = list(machines), []
    while left:
        island, reached = [left[0]], [left[0]]
        while reached:
            here = reached.pop()
            found = [there for there in left if there not in island and not {(here, there), (there, here)} <= cut]
            island += found
            reached += found
        islands.append(tuple(name for name in machines if name in island))
        left = [name for name in left if name not in island]
    return islands


def _words(
    cut: frozenset[tuple[str, str]], slow: Mapping[tuple[str, str], int], islands: Sequence[tuple[str, ...]]
) -> str:
    """`✂ n1, client | n2, n3`, then the single links."""
    words = []
    if len(islands) > 1:
        words.append(f"✂ {' | '.join(', '.join(names) for names in islands)}")
    inside = [way for way in sorted(cut) if any(way[0] in names and way[1] in names for names in islands)]
    single = [f"✂ {one} ↔ {other}" for one, other in inside if (other, one) in cut and one < other]
    single += [f"✂ {one} → {other}" for one, other in inside if (other, one) not in cut]
    single += [f"{one} → {other}: +{extra_ms} ms" for (one, other), extra_ms in sorted(slow.items())]
    if len(single) > MOST_WORDS:
        single = [*single[: MOST_WORDS - 1], f"and {len(single) - MOST_WORDS + 1} more links"]
    return " · ".join([*words, *single])
