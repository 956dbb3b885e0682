"""The board of many nodes, in a third of the bytes.

The law of this file: what `twin` draws for one node cell by cell is drawn here kind by kind.  A circle is the round end
of a line without length, and signs that are alike are one text, whose every letter has a place of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from durable_redis.console.roomview import COLOURS
from durable_redis.lab.pens import LINE, PAPER, RED_TEXT, SOFT, text

Place = tuple[int, int]
Rows = Sequence[tuple[str, str, Sequence[str]]]


def heads(names: Sequence[str], lost: Sequence[bool]) -> Iterator[str]:
    """The names of the writes."""
    columns = [(178 + 41 * column, name[:6], gone) for column, (name, gone) in enumerate(zip(names, lost, strict=True))]
    words = "".join(text(x, 18, name, RED_TEXT if gone else "") for x, name, gone in columns)
    yield f'<g fill="{SOFT}" font-size="11" text-anchor="middle">{words}</g>'


def cells(rows: Rows) -> Iterator[str]:
    """Full circles with a letter, empty ones, and crosses."""
    found: dict[str, list[Place]] = {}
    for rank, (_, letter, row) in enumerate(rows):
        for column, cell in enumerate(row):
            found.setdefault(letter if cell == "in" else cell, []).append((178 + 41 * column, 40 + 20 * rank))
    found.pop("none", None)
    empty, crosses = found.pop("out", []), found.pop("gone", [])
    if empty:
        yield _dots(empty, LINE, 15) + _dots(empty, PAPER, 13)
    if crosses:
        yield _signs(crosses, 5, "✕", 14, RED_TEXT)
    for letter, places in found.items():
        ink = "#10202c" if letter in "BCS" else PAPER
        yield _dots(places, COLOURS[letter], 15.2) + _signs(places, 3, "✓" if letter == "OK" else letter, 9, ink)


def _dots(places: Sequence[Place], colour: str, wide: float) -> str:
    path = "".join(f"M{x},{y}h.1" for x, y in places)
    return f'<path d="{path}" stroke="{colour}" stroke-width="{wide:g}" stroke-linecap="round"/>'


def _signs(places: Sequence[Place], down: int, sign: str, size: int, ink: str) -> str:
    xs = " ".join(str(x) for x, _ in places)
    ys = " ".join(str(y + down) for _, y in places)
    words = f'font-size="{size}" font-weight="700" text-anchor="middle"'
    return f'<text x="{xs}" y="{ys}" fill="{ink}" {words}>{sign * len(places)}</text>'
