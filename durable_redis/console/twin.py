"""The static twin: a still of the console as a picture and as a text, for every page that has no kernel.

The law of this file: the picture is SVG with presentation attributes only (no script, id, class or defs, and no style
but that of dark pages, without which it is whole), at most 15 KB, so that every page that shows pictures at all shows
it, as wide as the page lets it be; the text stands by itself, because a notebook that is not trusted yet shows nothing
else.  The same still gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from durable_redis.console import layout, matrix, model, timeline
from durable_redis.console.film import FSYNCING, Film
from durable_redis.console.roomview import (
    AMBER,
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    PURPLE,
    RED,
    by_wire,
    scene,
)
from durable_redis.lab.pens import GREEN_TEXT, INK, LINE, PAPER, RED_TEXT, SOFT, TINT, moved, rect, sheet, text, wrapped

HATCH = "#e7eaed"
TONES = {"risk": RED_TEXT, "gone": RED_TEXT, "safe": GREEN_TEXT, "note": SOFT}
MARGIN = 18
FATE_LINE = 84
"""So many letters of a sentence below the board stand in one line, before the story begins."""
TRACK_X, TRACK_WIDTH = 92, layout.TRACK
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


class Picture:
    """A still of a run, after a step.  In a notebook it shows itself, as a picture with a text beside it."""

    def __init__(self, film: Film, step: int) -> None:
        self.film = film
        self.step = step
        self.still = model.still(film, step)

    def __repr__(self) -> str:
        return in_words(self.film, self.still)

    @property
    def svg(self) -> str:
        return draw(self.film, self.still)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.svg}


# -- in words ---------------------------------------------------------------------------------------------------------


def in_words(film: Film, still: dict[str, Any]) -> str:
    """The still as a text that needs no picture."""
    lines = [f"In words: {still['time']}, step {still['step']:,} of {still['steps']:,}. {still['status']}."]
    lines += _machines(still) if film.many else _node_alone(still)
    shown = still["messages"] if film.many else chain.from_iterable(by_wire(still["messages"]))
    for message in shown:
        held = ", held there" if message["held"] else ""
        count = f" ({message['count']} messages)" if message["count"] > 1 else ""
        lines.append(f"  On the wire: {message['label']}{count}, from {message['from']} to {message['to']}{held}.")
    lines += [f"  The network: {words}." for words in (still["trouble"]["words"],) if words]
    lines += [f"  Where are my bytes? {group.text}." for group in still["board"]["groups"] if group.tone != "note"]
    if still["story"]:
        lines.append("  The last that happened:")
        lines += [f"    {time} s  {text}" for time, text in still["story"][:3]]
    return "\n".join(lines)


def _node_alone(still: dict[str, Any]) -> list[str]:
    ((name, node),) = still["nodes"].items()
    running = f" An {FSYNCING.replace(' running', ' runs')}." if FSYNCING in node["note"] else ""
    return [f"  {name}: writes in each place: {_places(node)}.{running}"]


def _machines(still: dict[str, Any]) -> list[str]:
    """Every server, and what the sentinels believe."""
    lines = []
    for name, node in still["nodes"].items():
        role = "" if node["shape"] == model.PAUSED else node["role"]
        words = ", ".join(filter(None, (role, node["note"], node["detail"].replace(" · ", ", "))))
        lines.append(f"  {name}: {words}. Writes in each place: {_places(node)}.")
    watchers = [f"{name}: {watch['title']}, {watch['belief']}" for name, watch in still["controls"].items()]
    lines += [f"  {'; '.join(watchers)}."] if watchers else []
    wrong = [f"{wire['from']} to {wire['to']} {wire['words']}" for wire in still["wires"] if wire["words"]]
    return lines + ([f"  Links: {'; '.join(wrong)}."] if wrong else [])


def _places(node: dict[str, Any]) -> str:
    counts = [(words, "—" if words in node["dark"] else f"{count:,}") for words, _, count in node["lanes"]]
    return ", ".join(f"{words} {count}" for words, count in counts)


# -- as a picture -----------------------------------------------------------------------------------------------------


def draw(film: Film, still: dict[str, Any]) -> str:
    """The still as SVG."""
    room = model.room(film)
    board_top = 46 + room["height"] + 12
    rows = len(still["board"]["rows"])
    fates = max(1, sum(len(wrapped(group.text, FATE_LINE)) for group in still["board"]["groups"]))
    track_top = board_top + 30 + max(rows * 20 + fates * 16, 150) + (20 if film.many else 10)
    height = track_top + 86 + 20 * len(timeline.crashes(film))
    width = 912 + 2 * MARGIN
    parts = [
        sheet(width, height, f'font-family="{FONT}"'),
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" fill="{PAPER}" stroke="{LINE}"/>',
        f'<g transform="translate({MARGIN} 0)">',
        text(0, 30, still["time"], size=19, weight=700),
        text(100, 30, still["status"], size=13.5),
        moved(46, scene(still, room)),
        moved(board_top, _board(still, film.many)),
        moved(board_top, _story(still)),
        moved(track_top, _timeline(film, still)),
        "</g></svg>",
    ]
    return "".join(parts)


def _board(still: dict[str, Any], many: bool) -> Iterator[str]:
    board = still["board"]
    rows, names = board["rows"], board["names"]
    yield text(0, 18, "Where are my bytes?", size=13, weight=700)
    if not names:
        yield text(168, 18, "nothing was written yet", SOFT, 11)
    yield from (matrix.heads if many else _heads)(names, board["lost"])
    for rank, (words, letter, cells) in enumerate(rows):
        yield text(0, 44 + 20 * rank, words)
        if not many:
            yield from _cells(cells, letter, 40 + 20 * rank)
    if many:
        yield from matrix.cells(rows)
    line = 30 + 20 * len(rows) + 19
    for group in board["groups"]:
        for first, last in group.runs:
            fence = f'fill="none" stroke="{RED}" stroke-width="1.4" stroke-dasharray="4 3"'
            yield (
                f'<rect x="{161 + 41 * first}" y="27" width="{41 * (last - first) + 34}" '
                f'height="{20 * len(rows) + 5}" rx="6" {fence}/>'
            )
        for part in wrapped(group.text, FATE_LINE):
            yield text(0, line, part, TONES[group.tone], 11.5, 400 if group.tone == "note" else 600)
            line += 16


def _heads(names: list[str], lost: list[bool]) -> Iterator[str]:
    for column, name in enumerate(names):
        yield text(178 + 41 * column, 18, name[:6], RED_TEXT if lost[column] else SOFT, 11, anchor="middle")


def _cells(cells: list[str], letter: str, y: int) -> Iterator[str]:
    """One row of the board: a full circle with a letter, an empty one, or a cross."""
    columns = [(178 + 41 * column, cell) for column, cell in enumerate(cells)]
    full, empty, crosses = ([x for x, cell in columns if cell == kind] for kind in ("in", "out", "gone"))
    middle = 'text-anchor="middle" font-weight="700"'
    if full:
        circles = "".join(f'<circle cx="{x}" cy="{y}" r="7.6"/>' for x in full)
        letters = "".join(f'<text x="{x}" y="{y + 3}">{"✓" if letter == "OK" else letter}</text>' for x in full)
        ink = "#10202c" if letter in "BCS" else PAPER
        yield f'<g fill="{COLOURS[letter]}">{circles}</g><g fill="{ink}" font-size="9" {middle}>{letters}</g>'
    if empty:
        circles = "".join(f'<circle cx="{x}" cy="{y}" r="7"/>' for x in empty)
        yield f'<g fill="none" stroke="{LINE}">{circles}</g>'
    if crosses:
        letters = "".join(f'<text x="{x}" y="{y + 5}">✕</text>' for x in crosses)
        yield f'<g fill="{RED_TEXT}" font-size="14" {middle}>{letters}</g>'


def _story(still: dict[str, Any]) -> Iterator[str]:
    yield rect(600, 0, 312, 176, 8, TINT)
    yield text(614, 22, "Story", BLUE, weight=700)
    y = 44
    for place, (time, words) in enumerate(still["story"]):
        lines = wrapped(f"{time} {words}", 46)
        if y + 15 * (len(lines) - 1) > 170:
            break
        for line in lines:
            yield text(614, y, line, INK if place == 0 else SOFT, 11, 600 if place == 0 else 400)
            y += 15
        y += 4


def _timeline(film: Film, still: dict[str, Any]) -> Iterator[str]:
    line = timeline.timeline(film)
    end, horizon = line["end_us"], line["horizon_us"]

    def x(us: int) -> float:
        return TRACK_X + round(TRACK_WIDTH * us / int(horizon), 1)

    yield text(0, 12, "Timeline", size=13, weight=700)
    yield text(0, 44, "what happened", SOFT, 11)
    yield rect(TRACK_X, 24, x(end) - TRACK_X, 32, 4, TINT)
    ticks = "".join(f"M{x(us):.0f},46v9" for us in line["ticks"])
    yield f'<path d="{ticks}" stroke="{BLUE}" fill="none"/>'
    yield from (_bar(TRACK_X + begin, TRACK_X + end) for begin, end in line["fsyncs"])
    yield from (_cut(TRACK_X + begin, TRACK_X + end) for begin, end in line["cuts"])
    places: dict[str, list[int]] = {"ok": []} if ticks else {}
    if line["cuts"]:
        places["cut"] = []
    if line["fsyncs"]:
        places["fsync"] = []
    for kind, place in line["marks"]:
        places.setdefault(kind, []).append(TRACK_X + place)
    yield from (_glyphs(kind, found, 36) for kind, found in places.items() if kind in GLYPHS and found)
    yield from _legend(list(places))
    for rank, (crash, values) in enumerate(line["risk"].items()):
        top = 66 + 20 * rank
        yield text(0, top + 12, crash, SOFT, 11)
        yield rect(TRACK_X, top, x(end) - TRACK_X, 14, 2, TINT)
        yield f'<path d="{_skyline(values, line["scale"][crash], top + 14, x(end) - TRACK_X)}" fill="{RED}"/>'
        yield from (_hatched(TRACK_X + begin, TRACK_X + end, top) for begin, end in line["down"][crash])
        lost = timeline.at_risk_now(film, still["step"], crash)
        yield text(866, top + 12, f"{max(values):,}", SOFT, 11, anchor="end")
        if lost is None:
            yield text(912, top + 12, "down", SOFT, anchor="end")
        else:
            yield text(912, top + 12, f"{lost:,}", RED_TEXT if lost else INK, 12, 700, "end")
    now = x(film.time_us(still["step"]))
    bottom = 66 + 20 * len(line["risk"])
    yield f'<path d="M{now:g},20V{bottom}" stroke="{INK}" stroke-width="2"/><circle cx="{now:g}" cy="20" r="6"/>'
    yield text(TRACK_X, bottom + 12, LOSSES[film.many], SOFT, 11)
    place = f"step {still['step']:,} of {still['steps']:,}"
    yield text(TRACK_X + TRACK_WIDTH, bottom + 12, place, SOFT, 11, anchor="end")
    yield text(TRACK_X + TRACK_WIDTH - 12, 12, f"up to {model.clock(horizon)}", SOFT, 11, anchor="end")
    yield text(866, bottom + 12, "at most", SOFT, 11, anchor="end")
    yield text(912, bottom + 12, "now", SOFT, 11, anchor="end")


def _glyphs(kind: str, places: list[int], y: int) -> str:
    """All marks of one kind, as one path."""
    begin_x, begin_y, outline, colour = GLYPHS[kind]
    path = "".join(f"M{place + begin_x},{y + begin_y}{outline}" for place in places)
    return f'<path d="{path}" fill="{colour}"/>'


def _bar(begin: int, end: int) -> str:
    """A long fsync: from its begin to its end, where its flag is."""
    return f'<path d="M{begin},25h2v3H{end}v4H{begin + 2}v3h-2z" fill="{GREEN}"/>'


def _hatched(begin: int, end: int, top: int) -> str:
    """A stretch of a strip in which the crash cannot happen."""
    hatch = f'fill="none" stroke="{LINE}" stroke-width="14" stroke-dasharray="1.5 3.5"'
    return rect(begin, top, end - begin, 14, 0, HATCH) + f'<path d="M{begin},{top + 7}H{end}" {hatch}/>'


def _legend(kinds: list[str]) -> Iterator[str]:
    """What the marks mean, for those that there are."""
    x = TRACK_X + 6
    for kind, words in KINDS.items():
        if kind in kinds:
            yield _glyphs(kind, [x], 9) if kind in GLYPHS else f'<path d="M{x},6v9" stroke="{BLUE}"/>'
            yield text(x + 12, 12, words, SOFT, 11)
            x += 34 + 6 * len(words)


def _cut(begin: int, end: int) -> str:
    """When a link was cut: from its begin to its end."""
    return f'<path d="M{begin},25H{end}" stroke="{RED}" stroke-width="3" stroke-dasharray="5 2"/>'


LOSSES = {
    False: "acknowledged writes that a crash at that moment may cost; hatched: it is down",
    True: "acknowledged writes lost: by a failover; or if the primary crashed so, and came back (hatched: none is up)",
}
KINDS = {
    "ok": "OK was said",
    "fsync": "fsync",
    "snapshot": "snapshot",
    "rewrite": "log rewritten",
    "crash": "crash",
    "restart": "restart",
    "error": "disk error",
    "cut": "cut",
    "pause": "pause",
    "election": "election",
    "promotion": "promotion",
    "full sync": "full sync",
}
GLYPHS = {
    "fsync": (-5, -8, "h10v8l-5,6l-5,-6z", GREEN),
    "snapshot": (0, -8, "l7,7l-7,7l-7,-7z", AMBER),
    "rewrite": (-6, -7, "h12v12h-12z", PURPLE),
    "crash": (-6, -8, "l6,6l6,-6l2,2l-6,6l6,6l-2,2l-6,-6l-6,6l-2,-2l6,-6l-6,-6z", RED),
    "restart": (-4, -8, "l10,7l-10,7z", BLUE),
    "error": (-1, -9, "h3v9h-3zm0,11h3v3h-3z", RED),
    "pause": (-5, -7, "h4v12h-4zm6,0h4v12h-4z", GREY),
    "election": (0, -8, "l6,12h-12z", PURPLE),
    "promotion": (0, -9, "l7,7h-4v6h-6v-6h-4z", BLUE),
    "full sync": (-6, -7, "h5v12h-5zm7,0h5v12h-5z", AMBER),
    "cut": (-7, -4, "h5v3h-5zm8,0h5v3h-5z", RED),
}
"""What stands on the timeline: where the outline begins, seen from its middle; the outline; the colour."""


def _skyline(values: list[int], highest: int, bottom: int, width: float) -> str:
    """An outline over pairs of buckets: a run of equal heights is one line."""
    peaks = [max(pair) for pair in zip(values[::2], values[1::2], strict=True)]
    path, before, wide = [f"M{TRACK_X},{bottom}"], 0, width / len(peaks)
    for place, value in enumerate(peaks):
        height = max(2, round(14 * value / highest)) if value else 0
        if height != before:
            path.append(f"H{TRACK_X + place * wide:.0f}V{bottom - height}")
            before = height
    return "".join(path) + f"H{TRACK_X + width:.0f}V{bottom}z"
