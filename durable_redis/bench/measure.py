"""How the benchmarks measure: rates, the best of several rounds, rivals taking turns.

A rate on its own says more about the machine than about the program, so what counts is the *ratio* of two rates
measured in the same run.  The rivals take turns (ours, theirs, ours, theirs), so that a noisy moment hits both, and of
each the best round counts: noise only ever makes a round slower.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

Rival = Callable[[], float]
"""Plays one round and returns its rate."""

INSTALL = "not installed: pip install 'durable-redis[bench]'"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.  Rates are in `unit`; `peer` is None when there is nobody to compare with, and `note` says
    why.  `aim` is the ratio that this project wants to reach."""

    what: str
    unit: str
    ours: float
    peer_name: str = ""
    peer: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    @property
    def verdict(self) -> str:
        """Whether the aim is reached; the note, where there is nothing to compare."""
        if self.ratio is None or self.aim is None:
            return self.note
        return "reached" if self.ratio >= self.aim else "missed"


def seconds(work: Callable[[], object]) -> float:
    """How long this takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we compare with: the rival, which may be called only if all its `packages` are installed."""

    name: str
    packages: tuple[str, ...]
    rival: Rival

    @property
    def installed(self) -> bool:
        return all(find_spec(package) is not None for package in self.packages)


def compare(what: str, unit: str, ours: Rival, peer: Peer, aim: float, rounds: int) -> Row:
    """One row of the table: ours beside the peer, or alone where the peer is not installed."""
    if not peer.installed:
        return Row(what, unit, best_rates([ours], rounds)[0], peer.name, aim=aim, note=INSTALL)
    our_rate, peer_rate = best_rates([ours, peer.rival], rounds)
    return Row(what, unit, our_rate, peer.name, peer_rate, aim)


def best_rates(rivals: Sequence[Rival], rounds: int) -> list[float]:
    """The best rate of each rival; they take turns."""
    best = [0.0] * len(rivals)
    for _ in range(rounds):
        for place, rival in enumerate(rivals):
            gc.collect()  # nobody pays for another's garbage
            best[place] = max(best[place], rival())
    return best
