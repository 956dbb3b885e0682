"""The room as a still picture: zones, servers with their lanes, sentinels, clients, wires, and what is in flight.

The law of this file: what `browser/stage.js` draws, as SVG with presentation attributes only; the boxes and the ways
come from `layout`, everything else from the still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from durable_redis.console.rows import ACTING, CALM, STARTING, UP
from durable_redis.lab.pens import INK, LINE, PAPER, RED_TEXT, SOFT, TINT, fitting, rect, text

BLUE, SKY, GREEN, RED, AMBER, PURPLE = "#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7"
GREY = "#52606d"
COLOURS = {"R": BLUE, "B": PURPLE, "C": SKY, "P": GREEN, "S": AMBER, "L": GREEN, "OK": GREY}
HALO = 5
LONGEST_WORDS = 130
ENTRY = 30
"""So long is the last piece of a way that enters a card from above, at least."""
MOST_ON_A_WIRE = 3
"""So many messages are drawn one by one."""

Still = dict[str, Any]
Room = dict[str, Any]
Point = tuple[float, float]


def scene(still: Still, room: Room) -> Iterator[str]:
    """All of it, from the back to the front."""
    yield from _zones(still, room)
    wires = {name: [wire for wire in still["wires"] if wire["from"] == name] for name in still["clients"]}
    busy = [{message["from"], message["to"]} for message in still["messages"]]
    for wire in still["wires"]:
        if wire["kind"] != "client":
            yield from _wire(wire, room, {wire["from"], wire["to"]} in busy)
    for name, words in still["clients"].items():
        for wire in wires[name]:
            yield from _wire(wire, room, {wire["from"], wire["to"]} in busy)
        x, y, width, height = room["clients"][name]
        yield rect(x, y, width, height, height // 2, PAPER, INK)
        yield text(x + width // 2, y + height // 2 + 4, f"{name} · {words}" if words else name, anchor="middle")
    if still["controls"]:
        yield from _controls(still["controls"], room["controls"])
    most = max(1, *(count for node in still["nodes"].values() for _, _, count in node["lanes"]))
    full = max(most, *(node["marks"]["acknowledged"] for node in still["nodes"].values()))
    for name, node in still["nodes"].items():
        yield from _card(name, node, room, full)
    yield from _messages(still, room)


def cut_off(still: Still, room: Room) -> tuple[list[str], list[str]]:
    """What stands on an island: whole zones, and single machines."""
    islands = [name for island in still["trouble"]["islands"] for name in island]
    zones, rest = [], list(islands)
    for zone, (left, top, width, height) in room["zones"].items():
        boxes = {**room["nodes"], **room["controls"]}
        inside = [name for name, (x, y, _, _) in boxes.items() if left <= x < left + width and top <= y < top + height]
        if inside and all(name in islands for name in inside):
            zones.append(zone)
            rest = [name for name in rest if name not in inside]
    return zones, rest


def _zones(still: Still, room: Room) -> Iterator[str]:
    dark, alone = cut_off(still, room)
    for zone, (x, y, width, height) in room["zones"].items():
        yield rect(x, y, width, height, 8, TINT)
        yield text(x + 14, y + 21, f"zone {zone}", SOFT, 11, 700)
        if zone in dark:
            yield _halo((x, y, width, height), -2)
            yield text(x + 62, y + 21, "✂ cut off", RED_TEXT, 11, 700)
    if room["band"]:
        words, (x, y, width, height) = room["band"]
        yield rect(x, y, width, height, 10, PAPER, INK)
        yield text(x + 14, y + 18, words, weight=700)
    boxes = {**room["nodes"], **room["controls"], **room["clients"]}
    yield from (_halo(boxes[name], HALO) for name in alone if name in boxes)
    words = still["trouble"]["words"]
    if words:
        shown = words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - 1]}…"
        yield text(0, room["height"] - 6, shown, RED_TEXT if still["trouble"]["cut"] else SOFT, 11.5, 600)


def _halo(box: Sequence[int], by: int) -> str:
    x, y, width, height = box
    dashes = f'fill="none" stroke="{RED}" stroke-width="1.3" stroke-dasharray="6 4"'
    return f'<rect x="{x - by}" y="{y - by}" width="{width + 2 * by}" height="{height + 2 * by}" rx="11" {dashes}/>'


# -- wires ------------------------------------------------------------------------------------------------------------


def way(room: Room, one: str, other: str) -> list[Point]:
    """The corners of the way from one box to another."""
    routes = room["routes"]
    return list(routes.get(f"{one} {other}") or reversed(routes.get(f"{other} {one}", [])))


def along(points: Sequence[Point], part: float) -> Point:
    """The place on a way, as a part of its length, and rounded to whole pixels."""
    lengths = [abs(x2 - x1) + abs(y2 - y1) for (x1, y1), (x2, y2) in pairwise(points)]
    left = part * sum(lengths)
    for (x1, y1), (x2, y2), length in zip(points, points[1:], lengths, strict=False):
        if left <= length:
            within = left / length if length else 0
            return round(x1 + (x2 - x1) * within), round(y1 + (y2 - y1) * within)
        left -= length
    return points[-1]


def spot(points: Sequence[Point]) -> tuple[Point, str]:
    """The place on a way for a dot, and where its words stand: "right" of it where the way enters a card; else
    in the middle of the longest piece, "beside" it in a channel, or "above" it between neighbours."""
    lengths = [abs(x2 - x1) + abs(y2 - y1) for (x1, y1), (x2, y2) in pairwise(points)]
    upright = [place for place in (0, len(lengths) - 1) if _is_upright(points, place) and lengths[place] >= ENTRY]
    place = max(upright or range(len(lengths)), key=lengths.__getitem__)
    where = "right" if upright else "beside" if len(points) > 4 else "above"
    (x1, y1), (x2, y2) = points[place], points[place + 1]
    return (round((x1 + x2) / 2), round((y1 + y2) / 2)), where


def _is_upright(points: Sequence[Point], place: int) -> bool:
    return points[place][0] == points[place + 1][0]


def _wire(wire: dict[str, Any], room: Room, busy: bool) -> Iterator[str]:
    """A wire, and what is wrong with it: on it, or below it if there is something else on it."""
    points = way(room, wire["from"], wire["to"])
    if not points:
        return
    path = "M" + "L".join(f"{x},{y}" for x, y in points)
    up, many = wire["state"] == "up", wire["kind"] != "client"
    colour = RED if wire["state"] == "cut" or (many and not up) else BLUE if many else LINE
    dashes = "" if up else ' stroke-dasharray="3 5"'
    fill = "" if len(points) == 2 else ' fill="none"'
    yield f'<path d="{path}"{fill} stroke="{colour}" stroke-width="1.5"{dashes}/>'
    if wire["words"]:
        (x, y), where = spot(points)
        ink = SOFT if wire["words"].startswith("+") else RED_TEXT
        if busy and where != "above":
            yield from _tag(x + 26, y + (20 if where == "right" else 0), wire["words"], ink)
        elif busy:
            yield text(x, y + 21, wire["words"], ink, 11, 600, "middle")
        else:
            yield from _tag(x, y, wire["words"], ink, "middle")


def _tag(x: float, y: float, words: str, ink: str, anchor: str = "start") -> Iterator[str]:
    """Words on a wire, which is interrupted for them."""
    wide = 8 + 7 * len(words)
    begin = {"start": x - 4, "middle": x - wide // 2, "end": x - wide + 4}[anchor]
    yield rect(begin, y - 8, wide, 16, 8, TINT)
    yield text(x, y + 4, words, ink, 11, 600, anchor)


def _messages(still: Still, room: Room) -> Iterator[str]:
    """A dot each; among many machines one for all of a way, with their number in it."""
    if len(room["nodes"]) + len(room["controls"]) == 1:
        for messages in by_wire(still["messages"]):
            yield from _in_a_row(messages, room)
        return
    ways = [(message["from"], message["to"]) for message in still["messages"]]
    for message in still["messages"]:
        points = way(room, message["from"], message["to"])
        if points:
            yield from _group(message, points, (message["to"], message["from"]) in ways, still)


def by_wire(messages: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The messages of each wire.  Where they would lie upon one another, the oldest stands for all of them."""
    wires: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for message in messages:
        wires.setdefault(tuple(sorted((message["from"], message["to"]))), []).append(message)
    for on_wire in wires.values():
        if len(on_wire) > MOST_ON_A_WIRE:
            yield [on_wire[0] | {"label": f"{len(on_wire)} messages"}]
        else:
            yield on_wire


def _in_a_row(messages: Sequence[dict[str, Any]], room: Room) -> Iterator[str]:
    """Each at a place of its own, counted from the sender of the first, whichever way the others go."""
    many = len(messages)
    for rank, message in enumerate(messages):
        points = way(room, message["from"], message["to"])
        if not points:
            continue
        part = 0.5 + ((rank - (many - 1) / 2) * min(0.24, 0.8 / many) if many > 1 else 0)
        x, y = along(points, part if message["from"] == messages[0]["from"] else 1 - part)
        yield rect(x - 7, y - 7, 14, 14, 1 if message["held"] else 7, AMBER, "#7a5600")
        arrow = f"← {message['label']}" if points[-1][0] < points[0][0] else f"{message['label']} →"
        yield text(x, y - 14, arrow, INK, 11, 600, "middle")
        if message["held"]:
            yield text(x, y + 22, "held", SOFT, 11, anchor="middle")


def _group(message: dict[str, Any], points: Sequence[Point], both_ways: bool, still: Still) -> Iterator[str]:
    """The dot stands where there is most room, with the number of messages in it if there are several; the words above
    it, or beside it where there is more room."""
    ends = {message["from"], message["to"]}
    if not any({wire["from"], wire["to"]} == ends for wire in still["wires"]):  # a word between two without a wire
        path = "M" + "L".join(f"{x},{y}" for x, y in points)
        yield f'<path d="{path}" fill="none" stroke="{AMBER}" stroke-dasharray="2 3"/>'
    (x, y), where = spot(points)
    rightwards, downwards = points[-1][0] > points[0][0], points[-1][1] > points[0][1]
    if both_ways:
        x, y = (x, y - 10 if downwards else y + 10) if where == "right" else (x - 16 if rightwards else x + 16, y)
    label = message["label"].replace(" to ", "-") + (" (held)" if message["held"] else "")
    arrow = ("↓" if downwards else "↑") if where == "right" else "→" if rightwards else "←"
    inside = f"{message['count']:,} {arrow}" if message["count"] > 1 else ""
    if not inside:
        label = f"{label} {arrow}" if arrow == "→" else f"{arrow} {label}"
    wide = 14 + 6 * max(0, len(inside) - 1)
    yield rect(x - wide // 2, y - 7, wide, 14, 1 if message["held"] else 7, AMBER, "#7a5600")
    if inside:
        yield text(x, y + 3.5, inside, "#10202c", 9.5, 700, "middle")
    if where == "right":
        yield text(x + wide // 2 + 6, y + 4, label, INK, 11, 600)
    elif where == "beside":
        yield from _tag(x - wide // 2 - 8, y, label, INK, "end")
    else:
        yield text(x, y + 20 if both_ways and not rightwards else y - 11, label, INK, 11, 600, "middle")


# -- boxes ------------------------------------------------------------------------------------------------------------


def _card(name: str, node: dict[str, Any], room: Room, full: int) -> Iterator[str]:
    x, y, width, height = room["nodes"][name]
    state, shape = node["state"], node["shape"]
    leads = shape == "●"
    quiet = BLUE if shape == "●" else GREY
    colour = {UP: quiet, STARTING: AMBER}.get(state, RED)
    ink = {UP: BLUE if leads else GREY, STARTING: INK}.get(state, RED_TEXT)
    yield rect(x, y, width, height, 8, PAPER, colour, 1.8)
    yield text(x + 14, y + 25, name, size=15, weight=700)
    yield text(x + 22 + 9 * len(name), y + 25, f"{shape} {node['role']}", ink, weight=600)
    alarming = node["note"].endswith("behind") or node["note"] == "link down"
    tone, weight = (RED_TEXT, 600) if alarming else (SOFT, 400)
    yield text(x + width - 14, y + 25, node["note"], tone, 11, weight, "end")
    if node["detail"]:
        yield text(x + 14, y + 43, fitting(node["detail"], width - 28), SOFT, 11)
    yield from (_lanes_of_many if node["detail"] or len(room["nodes"]) > 1 else _lanes)(node, room, x, y, width, full)


def _lanes(node: dict[str, Any], room: Room, x: int, y: int, width: int, full: int) -> Iterator[str]:
    begin, beside, top = room["lane"]
    bar = width - begin - beside
    for place, (lane, letter, count) in enumerate(node["lanes"]):
        line = y + top + 20 * place
        yield text(x + 14, line + 10, lane, SOFT, 11)
        yield rect(x + begin, line, bar, 12, 2, TINT)
        if count:
            yield rect(x + begin, line, max(2, bar * count // full), 12, 2, COLOURS[letter])
        words = f"{count:,}" if count else "—" if lane in node["dark"] else "empty"
        yield text(x + width - 14, line + 10, words, INK if count else SOFT, 11, anchor="end")


def _lanes_of_many(node: dict[str, Any], room: Room, x: int, y: int, width: int, full: int) -> Iterator[str]:
    """The same, in fewer bytes: what is alike is written once."""
    begin, beside, top = room["lane"]
    bar, lanes = width - begin - beside, node["lanes"]
    lines = [y + top + 20 * place for place in range(len(lanes))]
    tracks = "".join(f"M{x + begin},{line}h{bar}v12h-{bar}z" for line in lines)
    yield f'<path d="{tracks}" fill="{TINT}"/>'
    for line, (_, letter, count) in zip(lines, lanes, strict=True):
        if count:
            long = max(2, bar * count // full)
            yield f'<path d="M{x + begin},{line}h{long}v12H{x + begin}z" fill="{COLOURS[letter]}"/>'
    names = "".join(text(x + 14, line + 10, lane) for line, (lane, _, _) in zip(lines, lanes, strict=True))
    yield f'<g fill="{SOFT}" font-size="11">{names}</g>'
    words = [f"{count:,}" if count else "—" if lane in node["dark"] else "empty" for lane, _, count in lanes]
    counts = "".join(text(x + width - 14, line + 10, word) for line, word in zip(lines, words, strict=True))
    yield f'<g font-size="11" text-anchor="end">{counts}</g>'


def _controls(controls: dict[str, Any], boxes: dict[str, Sequence[int]]) -> Iterator[str]:
    """Sentinels and the like: a box, a name, and two lines in small letters; what is calm is written once for all."""
    calm, names = [], []
    for name, control in controls.items():
        x, y, width, height = boxes[name]
        down, tone = control["state"] >= STARTING, control["tone"]
        loud = down or tone != CALM
        colour = RED if down else {CALM: GREY, ACTING: BLUE}.get(tone, AMBER)
        yield rect(x, y, width, height, 8, PAPER, colour, 1.8 if loud else 1.2)
        names.append(text(x + 10, y + 16, name))
        title = text(
            x + 18 + 7 * len(name), y + 16, f"{'✕' if down else '◇'} {control['title']}", RED_TEXT if down else ""
        )
        belief = text(x + 10, y + 31, control["belief"], "" if not loud else BLUE if tone == ACTING else RED_TEXT)
        calm.append(title + (f'<g font-weight="600">{belief}</g>' if loud else belief))
    yield f'<g font-weight="700">{"".join(names)}</g><g fill="{SOFT}" font-size="11">{"".join(calm)}</g>'
