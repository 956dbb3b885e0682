"""What a named scenario is: data, which `scenarios.play` makes a run of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """One incident.  `expect` says in a sentence what the receipt will; times in `acts` are since the start."""

    name: str
    deployment: str
    acts: tuple[str, ...]
    expect: str
    source: str
    remedy: str = ""
    seed: int = 7
