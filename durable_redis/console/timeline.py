"""What the timeline shows: the whole branch at once, as plain data in pixels of the track.

The law of this file: no drawing, and nothing that depends on where one stands.  `twin.py` and `browser/timeline.js`
draw the same marks, bars and strips from it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from durable_redis.console import layout
from durable_redis.console.board import heads
from durable_redis.console.film import Film
from durable_redis.console.rows import KILLED, NODE_ROW, OFF, UP, Row
from durable_redis.lab.ledger import FAILOVER
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import CRASHES

BUCKETS = 200
"""The resolution of the risk strip."""
ROOM = 13
"""So far apart, in pixels of the track, stand the marks on the timeline."""
TICKS_APART = {False: 2, True: 3}
"""Likewise the ticks of the OKs: with one node, with many."""
LEAST_SCALE = {False: 1, True: 10}
"""So many lost writes, at least, fill the height of a strip; among many machines one is always on its way."""
SHORTEST_BAR = 4
"""A shorter fsync, in pixels of the track, is a flag and nothing else."""


def horizon_us(film: Film) -> int:
    """The end of the timeline: the last step, or the last thing that a client has planned."""
    planned = [client.planned[-1].due_us - EPOCH_US for client in film.playback.clients() if client.planned]
    return max(1000, film.playback.world.now_us, *planned) if planned else max(1000, film.playback.world.now_us)


def at_risk(row: Row, crash: str) -> int | None:
    """How many acknowledged writes a crash would erase now, and a restart would have found.  None: it cannot happen,
    for there is no process to kill, or no power to lose."""
    if (row["state"] in (KILLED, OFF) and crash == "process kill") or (row["state"] == OFF and crash == "power loss"):
        return None
    if row["state"] == UP or crash == FAILOVER:
        return row[crash]
    return row[crash] - row["process kill"]  # without those that are gone already


def crashes(film: Film) -> tuple[str, ...]:
    """The rows of the risk strip; of a crash, with replicas, the primary that comes back with what its disk has."""
    return (FAILOVER, *CRASHES) if len(film.nodes) > 1 else CRASHES


def at_risk_now(film: Film, step: int, crash: str) -> int | None:
    """How many acknowledged writes a crash (of any primary) would erase after a step.  None: it cannot happen."""
    rows = [head.row for head in heads(film, step) if head is not None]
    return _together([at_risk(row, crash) for row in rows])


def _together(risks: Sequence[int | None]) -> int | None:
    known = [risk for risk in risks if risk is not None]
    return sum(known) if known else None


def timeline(film: Film) -> dict[str, Any]:
    """The whole branch: `end_us`, `horizon_us`, `ticks` (at_us of OKs), `marks` (kind and pixel on the track), `risk`
    (crash -> values by bucket) and `scale` (crash -> the value that fills the height); as pairs of pixels, `fsyncs`,
    `cuts` (when a link was cut) and `down` (crash -> when it could not happen)."""
    horizon, end = horizon_us(film), film.time_us(film.steps)
    series = _series(film)
    strips = {crash: _buckets(film, series[0], risks, end) for crash, risks in series[1].items()}
    apart = TICKS_APART[film.many]
    ticks = {at_us * layout.TRACK // horizon // apart: at_us for kind, at_us, _ in film.marks if kind == "ok"}
    return {
        "end_us": end,
        "horizon_us": horizon,
        "ticks": list(ticks.values()),
        "marks": _placed(film, horizon),
        "fsyncs": _bars(film, horizon),
        "cuts": _cuts(film, horizon),
        "risk": strips,
        "scale": {crash: max(LEAST_SCALE[film.many], *values) for crash, values in strips.items()},
        "down": {crash: _impossible(film, series[0], risks, horizon) for crash, risks in series[1].items()},
    }


def _series(film: Film) -> tuple[list[int], dict[str, list[int | None]]]:
    """The steps at which the risk may have changed, and what it was from each of them on, by crash."""
    columns = list(film.nodes.values())
    changes: dict[int, list[tuple[int, list[int]]]] = {}
    for place, column in enumerate((*columns, *film.heads)):
        for step, row in zip(column.steps, column.rows, strict=True):
            changes.setdefault(step, []).append((place, row))
    now: list[list[int]] = [column.rows[0] for column in (*columns, *film.heads)]
    steps: list[int] = []
    before: list[list[int]] | None = None
    series: dict[str, list[int | None]] = {crash: [] for crash in crashes(film)}
    for step in sorted(changes):
        for place, row in changes[step]:
            now[place] = row
        leading = [now[head] for (head,) in now[len(columns) :] if head >= 0]
        if leading == before:  # the picture of a replica has changed
            continue
        before = leading
        steps.append(step)
        rows = [dict(zip(NODE_ROW, row, strict=True)) for row in leading]
        for crash, risks in series.items():
            risks.append(_together([at_risk(row, crash) for row in rows]))
    return steps, series


def _bars(film: Film, horizon: int) -> list[tuple[int, int]]:
    """The fsyncs that are long enough to be seen as a bar."""
    times = [
        (film.at_us[span.begin], film.at_us[span.end] if span.end else film.time_us(film.steps)) for span in film.fsyncs
    ]
    bars = [(begin * layout.TRACK // horizon, end * layout.TRACK // horizon) for begin, end in times]
    return [(begin, end) for begin, end in bars if end >= begin + SHORTEST_BAR]


def _cuts(film: Film, horizon: int) -> list[tuple[int, int]]:
    """When a link was cut, or the network was."""
    times = [film.at_us[step] for step in film.links.steps] + [film.time_us(film.steps)]
    spans = [
        (begin * layout.TRACK // horizon, end * layout.TRACK // horizon)
        for found, begin, end in zip(film.links.troubles, times, times[1:], strict=False)
        if found.cut
    ]
    return _joined(spans)


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that meet are one."""
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if joined and joined[-1][1] >= begin:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return [(begin, end) for begin, end in joined if end > begin]


def _impossible(film: Film, steps: Sequence[int], risks: Sequence[int | None], horizon: int) -> list[tuple[int, int]]:
    """When a crash could not happen."""
    times = [film.at_us[step] for step in steps] + [film.time_us(film.steps)]
    pixels = [at_us * layout.TRACK // horizon for at_us in times]
    return _joined([(pixels[place], pixels[place + 1]) for place, risk in enumerate(risks) if risk is None])


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


def _buckets(film: Film, steps: Sequence[int], risks: Sequence[int | None], end: int) -> list[int]:
    """The most acknowledged writes that a crash would have erased in each bucket of time."""
    times = [film.at_us[step] for step in steps]
    values = [risk or 0 for risk in risks]
    ends = [bisect_right(times, end * (bucket + 1) // BUCKETS) for bucket in range(BUCKETS)]
    begins = [max(0, stop - 1) for stop in (1, *ends[:-1])]
    return [max(values[begin : max(stop, begin + 1)]) for begin, stop in zip(begins, ends, strict=True)]
