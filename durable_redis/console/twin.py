"""The static twin: a still of the console as a picture and as a text, for every page that has no kernel.

The law of this file: the picture is SVG with presentation attributes only (no style, script, id, class or defs), at
most 15 KB, so that every page that shows pictures at all shows it, as wide as the page lets it be; the text stands by
itself, because a notebook that is not trusted yet shows nothing else.  The same still gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from durable_redis.console import layout, model, timeline
from durable_redis.console.film import FSYNCING, STARTING, UP, Film
from durable_redis.console.pens import INK, PAPER, SOFT, moved, rect, text, wrapped

LINE, TINT = "#b8c0c8", "#f3f5f7"
HATCH = "#e7eaed"
BLUE, SKY, GREEN, RED, AMBER, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7"
RED_TEXT, GREEN_TEXT, GREY = "#b84f00", "#00785a", "#52606d"
COLOURS = {"R": BLUE, "B": PURPLE, "C": SKY, "P": GREEN, "S": AMBER, "OK": GREY}
TONES = {"risk": RED_TEXT, "gone": RED_TEXT, "safe": GREEN_TEXT}
SHAPES = ("●", "◌", "✕", "✕")
MARGIN = 18
LIFT = (8, 30)
"""So far above the cards run the wires between nodes: of neighbouring zones, and of those further apart."""
MOST_ON_A_WIRE = 3
"""So many messages are drawn one by one."""
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
    for name, node in still["nodes"].items():
        counts = [(words, "—" if words in node["dark"] else f"{count:,}") for words, _, count in node["lanes"]]
        places = ", ".join(f"{words} {count}" for words, count in counts)
        running = f" An {FSYNCING.replace(' running', ' runs')}." if FSYNCING in node["note"] else ""
        lines.append(f"  {name}: writes in each place: {places}.{running}")
    for message in chain.from_iterable(_by_wire(still["messages"])):
        held = ", held there" if message["held"] else ""
        lines.append(f"  On the wire: {message['label']}, from {message['from']} to {message['to']}{held}.")
    lines += [f"  Where are my bytes? {group.text}." for group in still["board"]["groups"]]
    if still["story"]:
        lines.append("  The last that happened:")
        lines += [f"    {time} s  {text}" for time, text in still["story"][:3]]
    return "\n".join(lines)


# -- as a picture -----------------------------------------------------------------------------------------------------


def draw(film: Film, still: dict[str, Any]) -> str:
    """The still as SVG."""
    room = model.room(film)
    board_top = 46 + room["height"] + 12
    rows = len(still["board"]["rows"])
    fates = max(1, len(still["board"]["groups"]))
    track_top = board_top + 30 + max(rows * 20 + fates * 16, 150) + 10
    height = track_top + 146
    width = 912 + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" '
        f'font-family="{FONT}" font-size="12" fill="{INK}">',
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" fill="{PAPER}" stroke="{LINE}"/>',
        f'<g transform="translate({MARGIN} 0)">',
        text(0, 30, still["time"], size=19, weight=700),
        text(100, 30, still["status"], size=13.5),
        moved(46, _scene(film, still, room)),
        moved(board_top, _board(still)),
        moved(board_top, _story(still)),
        moved(track_top, _timeline(film, still)),
        "</g></svg>",
    ]
    return "".join(parts)


def _scene(film: Film, still: dict[str, Any], room: dict[str, Any]) -> Iterator[str]:
    for zone, (x, y, width, height) in room["zones"].items():
        yield rect(x, y, width, height, 8, TINT)
        yield text(x + 14, y + 21, f"zone {zone}", SOFT, 11, 700)
    first = next(iter(room["nodes"]))
    for name, words in still["clients"].items():
        x, y, width, height = room["clients"][name]
        (x1, y1), (x2, y2) = _wire(room, name, first)
        dashes = ' stroke-dasharray="3 5"' if words == "not connected" else ""
        yield f'<path d="M{x1},{y1}L{x2},{y2}" stroke="{LINE}" stroke-width="1.5"{dashes}/>'
        yield rect(x, y, width, height, height // 2, PAPER, INK)
        yield text(x + width // 2, y + height // 2 + 4, f"{name} · {words}" if words else name, anchor="middle")
    most = max(1, *(count for node in still["nodes"].values() for _, _, count in node["lanes"]))
    full = max(most, *(node["marks"]["acknowledged"] for node in still["nodes"].values()))
    for name, node in still["nodes"].items():
        yield from _card(name, node, room["nodes"][name], full)
    yield from _messages(still, room)


def _card(name: str, node: dict[str, Any], box: tuple[int, int, int, int], full: int) -> Iterator[str]:
    x, y, width, height = box
    state = node["state"]
    colour = {UP: BLUE, STARTING: AMBER}.get(state, RED)
    ink = {UP: BLUE, STARTING: INK}.get(state, RED_TEXT)
    yield rect(x, y, width, height, 8, PAPER, colour, 1.8)
    yield text(x + 14, y + 25, name, size=15, weight=700)
    yield text(x + 22 + 9 * len(name), y + 25, f"{SHAPES[state]} {node['role']}", ink, weight=600)
    yield text(x + width - 14, y + 25, node["note"], SOFT, 11, anchor="end")
    for place, (lane, letter, count) in enumerate(node["lanes"]):
        top = y + 40 + 20 * place
        yield text(x + 14, top + 10, lane, SOFT, 11)
        yield rect(x + 124, top, width - 190, 12, 2, TINT)
        if count:
            yield rect(x + 124, top, max(2, (width - 190) * count // full), 12, 2, COLOURS[letter])
        words = f"{count:,}" if count else "—" if lane in node["dark"] else "empty"
        yield text(x + width - 14, top + 10, words, INK if count else SOFT, 11, anchor="end")


def _messages(still: dict[str, Any], room: dict[str, Any]) -> Iterator[str]:
    for messages in _by_wire(still["messages"]):
        many = len(messages)
        for rank, message in enumerate(messages):
            (x1, y1), (x2, y2) = _wire(room, message["from"], message["to"])
            part = 0.5 + ((rank - (many - 1) / 2) * min(0.24, 0.8 / many) if many > 1 else 0)
            x, y = round(x1 + (x2 - x1) * part), round(y1 + (y2 - y1) * part)
            yield rect(x - 7, y - 7, 14, 14, 1 if message["held"] else 7, AMBER, "#7a5600")
            arrow = f"← {message['label']}" if x2 < x1 else f"{message['label']} →"
            yield text(x, y - 14, arrow, INK, 11, 600, "middle")
            if message["held"]:
                yield text(x, y + 22, "held", SOFT, 11, anchor="middle")


def _by_wire(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The messages of each wire.  Where they would lie upon one another, the oldest stands for all of them."""
    wires: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for message in messages:
        wires.setdefault(tuple(sorted((message["from"], message["to"]))), []).append(message)
    for on_wire in wires.values():
        if len(on_wire) > MOST_ON_A_WIRE:
            yield [on_wire[0] | {"label": f"{len(on_wire)} messages"}]
        else:
            yield on_wire


def _board(still: dict[str, Any]) -> Iterator[str]:
    board = still["board"]
    rows, names = board["rows"], board["names"]
    yield text(0, 18, "Where are my bytes?", size=13, weight=700)
    if not names:
        yield text(168, 18, "nothing was written yet", SOFT, 11)
    for column, name in enumerate(names):
        lost = "gone" in rows[1][2][column : column + 1]
        yield text(178 + 41 * column, 18, name[:6], RED_TEXT if lost else SOFT, 11, anchor="middle")
    for rank, (words, letter, cells) in enumerate(rows):
        yield text(0, 44 + 20 * rank, words)
        yield from _cells(cells, letter, 40 + 20 * rank)
    line = 30 + 20 * len(rows) + 19
    for group in board["groups"]:
        if group.columns is not None:
            first, last = group.columns
            fence = f'fill="none" stroke="{RED}" stroke-width="1.4" stroke-dasharray="4 3"'
            yield (
                f'<rect x="{161 + 41 * first}" y="27" width="{41 * (last - first) + 34}" '
                f'height="{20 * len(rows) + 5}" rx="6" {fence}/>'
            )
        yield text(0, line, group.text, TONES[group.tone], 11.5, 600)
        line += 16


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
    places: dict[str, list[int]] = {"ok": []} if ticks else {}
    if line["fsyncs"]:
        places["fsync"] = []
    for kind, place in line["marks"]:
        places.setdefault(kind, []).append(TRACK_X + place)
    yield from (_glyphs(kind, found, 36) for kind, found in places.items() if kind in GLYPHS and found)
    yield from _legend(list(places))
    node = still["nodes"][next(iter(still["nodes"]))]
    for rank, (crash, values) in enumerate(line["risk"].items()):
        top = 66 + 20 * rank
        yield text(0, top + 12, crash, SOFT, 11)
        yield rect(TRACK_X, top, x(end) - TRACK_X, 14, 2, TINT)
        yield f'<path d="{_skyline(values, max(1, *values), top + 14, x(end) - TRACK_X)}" fill="{RED}"/>'
        yield from (_hatched(TRACK_X + begin, TRACK_X + end, top) for begin, end in line["down"][crash])
        lost = timeline.at_risk(node["marks"], crash)
        yield text(866, top + 12, f"{max(values):,}", SOFT, 11, anchor="end")
        if lost is None:
            yield text(912, top + 12, "down", SOFT, anchor="end")
        else:
            yield text(912, top + 12, f"{lost:,}", RED_TEXT if lost else INK, 12, 700, "end")
    now = x(film.time_us(still["step"]))
    yield f'<path d="M{now:g},20V126" stroke="{INK}" stroke-width="2"/><circle cx="{now:g}" cy="20" r="6"/>'
    yield text(TRACK_X, 138, "acknowledged writes lost if it crashed at that moment", SOFT, 11)
    place = f"step {still['step']:,} of {still['steps']:,}"
    yield text(TRACK_X + TRACK_WIDTH, 138, place, SOFT, 11, anchor="end")
    yield text(TRACK_X + TRACK_WIDTH - 12, 12, f"up to {model.clock(horizon)}", SOFT, 11, anchor="end")
    yield text(866, 138, "at most", SOFT, 11, anchor="end")
    yield text(912, 138, "now", SOFT, 11, anchor="end")


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


KINDS = {
    "ok": "OK was said",
    "fsync": "fsync",
    "snapshot": "snapshot",
    "rewrite": "log rewritten",
    "crash": "crash",
    "restart": "restart",
    "error": "disk error",
}
GLYPHS = {
    "fsync": (-5, -8, "h10v8l-5,6l-5,-6z", GREEN),
    "snapshot": (0, -8, "l7,7l-7,7l-7,-7z", AMBER),
    "rewrite": (-6, -7, "h12v12h-12z", PURPLE),
    "crash": (-6, -8, "l6,6l6,-6l2,2l-6,6l6,6l-2,2l-6,-6l-6,6l-2,-2l6,-6l-6,-6z", RED),
    "restart": (-4, -8, "l10,7l-10,7z", BLUE),
    "error": (-1, -9, "h3v9h-3zm0,11h3v3h-3z", RED),
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


# -- pieces -----------------------------------------------------------------------------------------------------------


def _wire(room: dict[str, Any], one: str, other: str) -> tuple[tuple[int, int], tuple[int, int]]:
    return _port(room, one, other), _port(room, other, one)


def _port(room: dict[str, Any], name: str, other: str) -> tuple[int, int]:
    """Where a wire leaves the box of `name` towards the box of `other`."""
    boxes = {**room["clients"], **room["nodes"]}
    x, y, width, height = boxes[name]
    other_x, other_y, other_width, _ = boxes[other]
    if name in room["nodes"] and other in room["nodes"] and x != other_x:
        return x + width // 2, min(y, other_y) - LIFT[abs(x - other_x) > 1.5 * width]
    if other_x >= x + width:
        return x + width, y + min(height, 140) // 2
    if other_x + other_width <= x:
        return x, y + min(height, 140) // 2
    return x + width // 2, y + height if other_y > y else y
