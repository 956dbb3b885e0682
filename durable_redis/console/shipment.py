"""The whole film in one piece, as JSON can hold it, for the browser.

The law of this file: what is shipped is enough to scrub, step and play without a kernel; a long branch is thinned out,
so that a click stays quick, and is whole around the step that is looked at.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from typing import Any

from durable_redis.console.board import places, tiers
from durable_redis.console.film import Column, Film
from durable_redis.console.model import room
from durable_redis.console.rows import CONTROL_ROW, NODE_ROW
from durable_redis.console.timeline import crashes, timeline

MOST_STEPS = 6_000
"""A longer branch is shipped thinned out: its beats, evenly, and all steps around the one on the screen."""
AROUND = 400


def shown_steps(film: Film, around: int) -> list[int] | None:
    """None: all steps.  Of a long branch the beats, evenly thinned, and everything near `around`."""
    if film.steps <= MOST_STEPS:
        return None
    every = max(1, 2 * len(film.beats) // MOST_STEPS)
    near = range(max(0, around - AROUND), min(film.steps, around + AROUND) + 1)
    return sorted(dict.fromkeys([0, film.steps, *film.beats[::every], *near]))


def as_text(film: Film, around: int) -> str:
    """The film in one piece, as JSON."""
    return json.dumps(shipped(film, around), separators=(",", ":"))


def shipped(film: Film, around: int) -> dict[str, Any]:
    """The film in one piece, as JSON can hold it."""
    film.read()
    shown = shown_steps(film, around)
    steps = range(film.steps + 1) if shown is None else shown
    flights = _flights(film, shown)  # before the texts are copied: they add to them
    return {
        "steps": film.steps,
        "shown": shown,
        "at": [film.time_us(step) for step in steps],
        "said": [film.said[step] for step in steps],
        "texts": list(film.texts),
        "beats": list(film.beats) if shown is None else sorted(set(film.beats).intersection(shown)),
        "many": film.many,
        "has_log": film.has_log,
        "logs": film.logs,
        "crowd": film.crowd,
        "workers": list(film.playback.deployment.clients),
        "nodes": {name: _column(column, shown) for name, column in film.nodes.items()},
        "controls": {name: _column(column, shown) for name, column in film.controls.items()},
        "heads": [_column(column, shown) for column in film.heads],
        "shares": [list(share.nodes) for share in film.playback.deployment.shares],
        "lines": film.lineage.lines,
        "links": {"steps": film.links.steps, "troubles": [trouble.plain() for trouble in film.links.troubles]},
        "clients": {name: _column(column, shown) for name, column in film.clients.items()},
        "writes": [write.row() for write in film.writes],
        "flights": flights,
        "fsyncs": [[span.machine, span.begin, span.end] for span in film.fsyncs],
        "appendonly": film.playback.deployment.config.appendonly,
        "tiers": [list(tier) for tier in tiers(film)],
        "places": [[name, *tier] for name, tier in places(film)],
        "crashes": list(crashes(film)),
        "room": room(film),
        "columns": list(NODE_ROW),
        "control_columns": list(CONTROL_ROW),
        "timeline": timeline(film),
        "more": not film.playback.idle,
    }


def _flights(film: Film, shown: list[int] | None) -> list[list[Any]]:
    """The messages that are in flight at one of the shown steps."""
    rows = []
    for flight in film.recording.flights.values():
        end = film.steps + 1 if flight.last is None else flight.last
        if shown is None or bisect_left(shown, flight.first) < bisect_left(shown, end):
            rows.append(film.message(flight))
    return [row for row in rows if row is not None]


def _column(column: Column, shown: list[int] | None) -> dict[str, Any]:
    """The pictures of a machine that can be seen at one of the shown steps."""
    if shown is None:
        return {"steps": list(column.steps), "rows": list(column.rows)}
    places = dict.fromkeys(max(0, bisect_right(column.steps, step) - 1) for step in shown)
    return {"steps": [column.steps[place] for place in places], "rows": [column.rows[place] for place in places]}
