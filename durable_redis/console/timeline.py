"""What the timeline shows: the whole branch at once, as plain data in pixels of the track.

The law of this file: no drawing, and nothing that depends on where one stands.  `twin.py` and `browser/timeline.js`
draw the same marks, bars and strips from it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from durable_redis.console import layout
from durable_redis.console.film import KILLED, NODE_ROW, OFF, UP, Film, Row
from durable_redis.sim import EPOCH_US

BUCKETS = 200
"""The resolution of the risk strip."""
ROOM = 13
"""So far apart, in pixels of the track, stand the marks on the timeline; the ticks of the OKs, 2."""
SHORTEST_BAR = 4
"""A shorter fsync, in pixels of the track, is a flag and nothing else."""
CRASHES = ("process kill", "power loss", "disk loss")


def horizon_us(film: Film) -> int:
    """The end of the timeline: the last step, or the last thing that a client has planned."""
    planned = [client.planned[-1].due_us - EPOCH_US for client in film.playback.clients() if client.planned]
    return max(1000, film.playback.world.now_us, *planned) if planned else max(1000, film.playback.world.now_us)


def at_risk(row: Row, crash: str) -> int | None:
    """How many acknowledged writes a crash would erase now, and a restart would have found.  None: it cannot happen,
    for there is no process to kill, or no power to lose."""
    if (row["state"] in (KILLED, OFF) and crash == "process kill") or (row["state"] == OFF and crash == "power loss"):
        return None
    return row[crash] if row["state"] == UP else row[crash] - row["process kill"]  # without those that are gone already


def timeline(film: Film) -> dict[str, Any]:
    """The whole branch: `end_us`, `horizon_us`, `ticks` (at_us of OKs), `marks` (kind and pixel on the track), `risk`
    (crash -> values by bucket); as pairs of pixels, `fsyncs` and `down` (crash -> when it could not happen)."""
    horizon, end = horizon_us(film), film.time_us(film.steps)
    rows = [dict(zip(NODE_ROW, row, strict=True)) for row in film.nodes[next(iter(film.nodes))].rows]
    ticks = {at_us * layout.TRACK // horizon // 2: at_us for kind, at_us, _ in film.marks if kind == "ok"}
    return {
        "end_us": end,
        "horizon_us": horizon,
        "ticks": list(ticks.values()),
        "marks": _placed(film, horizon),
        "fsyncs": _bars(film, horizon),
        "risk": _risk(film, rows, end),
        "down": {crash: _impossible(film, rows, crash, horizon) for crash in CRASHES},
    }


def _bars(film: Film, horizon: int) -> list[tuple[int, int]]:
    """The fsyncs that are long enough to be seen as a bar."""
    times = [
        (film.at_us[span.begin], film.at_us[span.end] if span.end else film.time_us(film.steps)) for span in film.fsyncs
    ]
    bars = [(begin * layout.TRACK // horizon, end * layout.TRACK // horizon) for begin, end in times]
    return [(begin, end) for begin, end in bars if end >= begin + SHORTEST_BAR]


def _impossible(film: Film, rows: Sequence[Row], crash: str, horizon: int) -> list[tuple[int, int]]:
    """When a crash could not happen."""
    column = film.nodes[next(iter(film.nodes))]
    spans: list[tuple[int, int]] = []
    for place, row in enumerate(rows):
        if at_risk(row, crash) is not None:
            continue
        last = place + 1 == len(column.rows)
        ends = film.time_us(film.steps) if last else film.at_us[column.steps[place + 1]]
        begin, end = film.at_us[column.steps[place]] * layout.TRACK // horizon, ends * layout.TRACK // horizon
        if spans and spans[-1][1] == begin:
            begin = spans.pop()[0]
        spans.append((begin, end))
    return [(begin, end) for begin, end in spans if end > begin]


def _placed(film: Film, horizon: int) -> list[tuple[str, int]]:
    """The marks, none on top of another: what comes too soon after its like is left out, what comes too soon after
    something else moves to the right."""
    placed: list[tuple[str, int]] = []
    for kind, at_us, _ in film.marks:
        x = at_us * layout.TRACK // horizon
        if kind == "ok":
            continue
        if placed and x < placed[-1][1] + ROOM:
            if placed[-1][0] == kind:
                continue
            x = placed[-1][1] + ROOM
            if x > min(at_us * layout.TRACK // horizon + 2 * ROOM, layout.TRACK + ROOM // 2):
                continue  # too many in one place to tell them apart
        placed.append((kind, x))
    return placed


def _risk(film: Film, rows: Sequence[Row], end: int) -> dict[str, list[int]]:
    """For each kind of crash, the most acknowledged writes that it would have erased in each bucket of time."""
    column = film.nodes[next(iter(film.nodes))]
    times = [film.at_us[step] for step in column.steps]
    ends = [bisect_right(times, end * (bucket + 1) // BUCKETS) for bucket in range(BUCKETS)]
    begins = [max(0, stop - 1) for stop in (1, *ends[:-1])]
    risk = {}
    for crash in CRASHES:
        values = [at_risk(row, crash) or 0 for row in rows]
        risk[crash] = [max(values[begin : max(stop, begin + 1)]) for begin, stop in zip(begins, ends, strict=True)]
    return risk
