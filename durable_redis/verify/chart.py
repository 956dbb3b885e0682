"""A contradiction, drawn: a lane for each client, a bar for each call, and below them what the key is worth when.

The law of this file: it draws what the text of a `Counterexample` says, and decides nothing.  A call that was answered
is a closed bar, one that nobody answered (or that is left out) is open at its right end, and the puzzle is hatched and
has a cross.  A disc
on a bar is the moment at which the call has effect in the order that goes farthest, with its number in this order; the
band below shows the value of the key from there on.

The times are not to scale, for calls of 200 µs with seconds between them could not be read: what counts is who ended
before whom began.  Each beginning, end and disc is as far to the right as what comes before it needs, and no farther:

    begin of a call   -> 14 ->  its disc  -> 14 ->  its end,  and as wide as its words      one disc -> 22 -> the next
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from xml.sax.saxutils import quoteattr

from durable_redis.lab.figures import BLUE, ORANGE
from durable_redis.lab.pens import INK, LINE, PAPER, RED_TEXT, SOFT, TINT, rect, sheet, text
from durable_redis.verify.counterexample import Point, plain, said
from durable_redis.verify.history import Call

WIDTH, MARGIN = 800, 20
LANE, BAR, TOP = 66, 18, 58
"""The heights of a lane and of a bar in it, and where the first lane begins."""
GAP, INSIDE, BETWEEN, FIRST = 20, 16, 24, 64
"""From one time to the next, from a disc to the ends of its bar, from one disc to the next; where the first disc is."""
LETTER = 6.9
LONGEST = 26
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
END, BEGIN, DISC = range(3)
"""What happens at one and the same time happens in this order."""


class Drawable(Protocol):
    """What can be drawn: the calls on a key, those of them that are placed, and the puzzle, if there is one."""

    @property
    def title(self) -> str: ...
    @property
    def key(self) -> bytes: ...
    @property
    def kept(self) -> tuple[Call, ...]: ...
    @property
    def points(self) -> tuple[Point, ...]: ...
    @property
    def puzzle(self) -> Call | None: ...
    @property
    def expected(self) -> object: ...


@dataclass(slots=True)
class Bar:
    """A call: the lane it is in, when it looks finished, and its number in the order (0: it has none)."""

    call: Call
    lane: int
    answer: str
    until_us: int
    disc: int

    @property
    def width(self) -> float:
        return LETTER * max(len(short(said(self.call.argv))), len(self.answer), 7) + 12


@dataclass(slots=True)
class Places:
    """How far to the right each time is, and each disc; and the end."""

    times: dict[int, float] = field(default_factory=dict)
    discs: dict[int, float] = field(default_factory=dict)
    end: float = 0


def draw(found: Drawable, left_out: Sequence[Call] = ()) -> str:
    """It as SVG.  Those `left_out` are drawn as if nobody had answered them."""
    bars, lanes = _bars(found, left_out)
    left = MARGIN + max(60, *(LETTER * len(name) + 16 for name in lanes))
    places = _stretched(_places(found, bars), WIDTH - MARGIN - left)
    width = round(max(WIDTH, left + places.end + MARGIN))
    band = TOP + LANE * len(lanes) + 16
    height = band + 74
    parts = [
        sheet(width, height, f'role="img" aria-label={quoteattr(found.title)} font-family="{FONT}"'),
        rect(0.5, 0.5, width - 1, height - 1, 10, PAPER, LINE, 1),
        text(MARGIN, 31, found.title, size=15, weight=700),
        text(width - MARGIN, 31, "times are not to scale", SOFT, 11, anchor="end"),
        *_lanes(lanes, width),
        f'<g transform="translate({left:g} 0)">',
        *_threads(found, bars, places, band),
        *(part for bar in bars for part in _bar(bar, found, places)),
        *_band(found, places, band),
        "</g>",
        text(MARGIN, band + 19, short(plain(found.key)), weight=600),
        *_legend(found, height - 20),
        "</svg>",
    ]
    return "".join(parts)


# -- where everything is ----------------------------------------------------------------------------------------------


def _bars(found: Drawable, left_out: Sequence[Call]) -> tuple[list[Bar], list[str]]:
    """A bar for each call, and the lanes: one a client, and more for one that did not wait for its answers."""
    order = {id(point.call): number for number, point in enumerate(found.points, start=1)}
    lanes: list[str] = []
    busy_us: list[int] = []
    bars = []
    for call in found.kept:
        free = [n for n, name in enumerate(lanes) if name == call.client and busy_us[n] <= call.began_us]
        if not free:
            lanes.append(call.client)
            busy_us.append(0)
        lane = free[0] if free else len(lanes) - 1
        busy_us[lane] = call.ended_us if call.answered else call.began_us + 1  # who gives up goes on
        answer = short(plain(call.reply)) if call.answered else "no answer"
        if any(call is one for one in left_out):
            answer = "left out"
        if call is found.puzzle:
            answer = f"{answer}, not {short(plain(found.expected))}"
        bars.append(Bar(call, lane, f"→ {answer}", call.ended_us, order.get(id(call), 0)))
    for bar in bars:
        later = [other.call.began_us for other in bars if other.lane == bar.lane and other.call is not bar.call]
        if not bar.call.answered:
            bar.until_us = min((us for us in later if us > bar.call.began_us), default=bar.call.ended_us)
    return bars, lanes


def _places(found: Drawable, bars: list[Bar]) -> Places:
    """As far to the right as need be, from one time or disc to the next."""
    nodes = [(bar.until_us, END, 0) for bar in bars] + [(bar.call.began_us, BEGIN, 0) for bar in bars]
    at_us = min(bar.call.began_us for bar in bars)
    for number, point in enumerate(found.points, start=1):
        at_us = max(at_us, point.call.began_us)
        nodes.append((at_us, DISC, number))
    places = Places()
    for time_us, kind, number in sorted(set(nodes)):
        if kind == DISC:
            call = found.points[number - 1].call
            begins = places.times[call.began_us] + INSIDE
            after = places.discs[number - 1] + BETWEEN if number > 1 else FIRST
            places.discs[number] = max(begins, after)
            continue
        x = max([0.0, *(before + GAP for before in places.times.values())])
        for bar in bars if kind == END else ():
            if bar.until_us == time_us:
                x = max(x, places.times[bar.call.began_us] + bar.width)
                x = max(x, places.discs[bar.disc] + INSIDE if bar.disc in places.discs else 0)
        places.times[time_us] = max(x, places.times.get(time_us, 0))
    places.end = max([*places.times.values(), *(x + INSIDE for x in places.discs.values())])
    return places


def _stretched(places: Places, room: float) -> Places:
    """As wide as there is room."""
    factor = max(1.0, room / places.end)
    return Places(
        {us: x * factor for us, x in places.times.items()},
        {number: x * factor for number, x in places.discs.items()},
        places.end * factor,
    )


# -- pens -------------------------------------------------------------------------------------------------------------


def _lanes(lanes: list[str], width: int) -> Iterator[str]:
    for lane, name in enumerate(lanes):
        y = TOP + LANE * lane
        if lane % 2 == 0:
            yield rect(MARGIN / 2, y - 6, width - MARGIN, LANE, 6, TINT)
        if name not in lanes[:lane]:
            yield text(MARGIN, y + 46, name, weight=600)


def _threads(found: Drawable, bars: list[Bar], places: Places, band: int) -> Iterator[str]:
    """From each disc, and from the puzzle, down to the band."""
    for bar in bars:
        wrong = bar.call is found.puzzle
        if wrong or bar.disc:
            x = _middle(bar, places) if wrong else places.discs[bar.disc]
            line = f'stroke="{ORANGE if wrong else SOFT}" stroke-dasharray="2 3"'
            yield f'<path d="M{x:.0f},{TOP + LANE * bar.lane + 51}V{band}" {line}/>'


def _bar(bar: Bar, found: Drawable, places: Places) -> Iterator[str]:
    wrong = bar.call is found.puzzle
    begin, end = places.times[bar.call.began_us], places.times[bar.until_us]
    y = TOP + LANE * bar.lane + 33
    colour, ink = (ORANGE, RED_TEXT) if wrong else (BLUE, INK)
    yield text(begin, y - 21, short(said(bar.call.argv)), ink, weight=600)
    yield text(begin, y - 6, bar.answer, ink if wrong else SOFT, weight=600 if wrong else 400)
    yield from _outline(begin, end, y, colour, bar.call.answered)
    if wrong:
        hatch = f'stroke="{ORANGE}" stroke-width="{BAR - 4}" stroke-dasharray="2 4" stroke-opacity="0.5"'
        yield f'<path d="M{begin + 2:.0f},{y + BAR / 2:g}H{end - 2:.0f}" {hatch}/>'
        yield from _disc(_middle(bar, places), y + BAR / 2, "✕", ORANGE)
    elif bar.disc:
        yield from _disc(places.discs[bar.disc], y + BAR / 2, str(bar.disc))


def _outline(begin: float, end: float, y: float, colour: str, closed: bool) -> Iterator[str]:
    if closed:
        yield rect(begin, y, end - begin, BAR, 3, PAPER, colour, 1.6)
        return
    way = f"M{end:.0f},{y:g}H{begin:.0f}v{BAR}H{end:.0f}"
    yield f'<path d="{way}" fill="{PAPER}" stroke="{colour}" stroke-width="1.6" stroke-dasharray="5 3"/>'
    yield text(end - 4, y + 14, "?", colour, 14, 700, "end")


def _disc(x: float, y: float, letter: str, colour: str = BLUE) -> Iterator[str]:
    yield f'<circle cx="{x:.0f}" cy="{y:g}" r="9" fill="{colour}"/>'
    yield text(round(x), y + 4, letter, PAPER, 11, 700, "middle")


def _middle(bar: Bar, places: Places) -> float:
    return (places.times[bar.call.began_us] + places.times[bar.until_us]) / 2


def _band(found: Drawable, places: Places, y: int) -> Iterator[str]:
    """What the key is worth, from disc to disc."""
    yield rect(0, y, places.end, 28, 3, TINT, LINE, 1)
    starts = [0.0, *(places.discs[number] for number in sorted(places.discs))]
    states = [None, *(point.after for point in found.points)]
    changes = [place for place, state in enumerate(states) if not place or state != states[place - 1]]
    for place, then in zip(changes, [*changes[1:], None], strict=True):
        room = (places.end if then is None else starts[then]) - starts[place] - 12
        ink = SOFT if states[place] is None else INK
        yield text(starts[place] + 7, y + 19, _fitting(plain(states[place]), room), ink)
    for x in places.discs.values():
        yield f'<path d="M{x:.0f},{y}v28" stroke="{BLUE}" stroke-width="2"/>'


def _legend(found: Drawable, y: int) -> Iterator[str]:
    """What the shapes mean, those that there are."""
    signs = {
        "answered": any(call.answered and call is not found.puzzle for call in found.kept),
        "no answer, or left out: it has effect later, or never": not all(call.answered for call in found.kept),
        "has effect here": bool(found.points),
        "fits no order": any(call is found.puzzle for call in found.kept),
    }
    x = float(MARGIN)
    for place, (words, there) in enumerate(signs.items()):
        if not there:
            continue
        if place < 2:
            yield from _outline(x, x + 28, y - 13, BLUE, place == 0)
        else:
            yield from _disc(x + 18, y - 4, *(("✕", ORANGE) if place == 3 else ("1", BLUE)))
        yield text(x + 34, y, words, SOFT, 11)
        x += 34 + 6 * len(words) + 14


# -- words ------------------------------------------------------------------------------------------------------------


def short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def _fitting(words: str, room: float) -> str:
    """As much of the words as there is room for."""
    most = int(room / LETTER)
    return words if len(words) <= most else words[: max(0, most - 1)] + "…" if most > 2 else ""
