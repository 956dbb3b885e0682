"""The Compare tab: the branch that is shown beside another one.

The law of this file: the numbers are the lab's (`lab.comparison`), the sentences the films'; here they are laid out as
blocks (see `panels`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_redis.console.film import Film
from durable_redis.console.model import clock
from durable_redis.console.shelf import Shelf
from durable_redis.lab.comparison import Side, compare
from durable_redis.lab.playback import Playback
from durable_redis.lab.run import Run

Block = list[Any]


def comparing(shelf: Shelf, run: Run, versus: str, film_of: Callable[[Playback], Film]) -> dict[str, Any]:
    """The panel; `versus` is the chosen branch, and the first other one if it cannot be chosen any more."""
    here, places = shelf.name(run), shelf.places
    others = [place for place in places if place != here]
    if not others:
        return {"name": "Compare", "blocks": _nothing_yet()}
    there = versus if versus in others else others[0]
    other_run, branch = places[there]
    one, other = run.playback, other_run.playbacks[branch]
    found = compare(one, other)
    blocks: list[Block] = [
        ["choose", f"{here}, beside", "versus", others, there],
        ["text", _parting(found.same_steps, film_of(one), film_of(other))],
    ]
    firsts = [
        [place, *_first_step(film_of(playback), found.same_steps)] for place, playback in ((here, one), (there, other))
    ]
    blocks += [["goto", firsts], ["table", ["", here, there], _table(*found.sides)]]
    return {"name": "Compare", "blocks": blocks}


def _nothing_yet() -> list[Block]:
    return [
        ["text", "There is only one branch so far."],
        ["text", "Go back to any step and do something else there: that starts a branch, and keeps the old one."],
        ["text", "Or load a replay string (Code): a loaded run can be compared too."],
    ]


def _parting(same: int, one: Film, other: Film) -> str:
    if same == one.steps == other.steps:
        return "They are one and the same, from the first step to the last."
    if not same:
        return "They differ from the first step on:"
    return f"One and the same up to step {same:,}, at {clock(one.at_us[same])}. Then they differ:"


def _first_step(film: Film, same: int) -> tuple[int, str]:
    """The first step that the other branch does not have, and what happened there."""
    if film.steps == same:
        return same, "ends there"
    return same + 1, f"{film.at_us[same + 1] / 1e6:.3f} {film.texts[film.said[same + 1]]}"


def _table(*sides: Side) -> list[list[str]]:
    """What each branch promised and lost, beside what its clients waited."""
    latencies = [side.latency for side in sides]
    return [
        ["OK was said", *(f"{side.acknowledged:,}" for side in sides)],
        ["of these, gone", *("nobody knows" if side.lost is None else f"{side.lost:,}" for side in sides)],
        ["median wait", *("—" if known is None else _ms(known.median_us) for known in latencies)],
        ["99 in 100 within", *("—" if known is None else _ms(known.p99_us) for known in latencies)],
        ["played up to", *(clock(side.end_us) for side in sides)],
    ]


def _ms(us: int) -> str:
    return f"{us / 1000:,.2f} ms"
