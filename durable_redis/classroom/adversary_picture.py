"""The picture of a hunt: how much a crash costs at every instant, the worst one, and where the reader has tried.

The law of this file: that of `picture`, SVG with presentation attributes only.  A line for the cost; a diamond and the
letter W on the worst instant; a square with its number for each of the reader's best tries; below, the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from durable_redis.classroom.picture import LINE, as_text
from durable_redis.lab.figures import BLUE, INK, NIGHT, ORANGE

if TYPE_CHECKING:
    from durable_redis.classroom.adversary import Adversary, Reveal

WIDTH, HEIGHT, LINE_HEIGHT = 720, 250, 18
LEFT, RIGHT, TOP, BOTTOM = 56, 690, 58, 206  # the field in which the line is drawn
COLUMN = 2
"""Of the instants in so many pixels the most costly is drawn."""
TRIES = 8


def draw(reveal: Reveal) -> str:
    """The picture, as SVG; its description says the same in words."""
    hunt = reveal.hunt
    words = f"The cost of a {hunt.crash} at every instant; at most {reveal.most} acknowledged writes."
    top = max(reveal.most, 1)
    height = HEIGHT + LINE_HEIGHT * len(reveal.lines) + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(words)}" font-family="sans-serif" font-size="12" fill="{INK}">{NIGHT}',
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#ffffff" stroke="{LINE}"/>',
        as_text(16, 26, f"What a {hunt.crash} costs, by its instant", size=14, weight=700),
        as_text(16, 44, "acknowledged writes", size=10),
        *_axes(hunt, top),
        f'<polyline points="{_points(hunt, top)}" fill="none" stroke="{ORANGE}" stroke-width="1.6"/>',
        *_tries(hunt, top),
    ]
    if reveal.peaks:
        worst = reveal.peaks[0]
        x, y = _x(hunt, hunt.times_ms[worst.last]), _y(worst.lost, top)
        parts.append(f'<path d="M{x:g},{y - 6:g}l6,6l-6,6l-6,-6z" fill="{INK}"/>')
        parts.append(as_text(x - 10, y - 5, f"W {worst.lost}", weight=700, anchor="end"))
    for place, line in enumerate(reveal.lines):
        indent = len(line) - len(line.lstrip())
        parts.append(as_text(16 + 6 * indent, HEIGHT + 4 + LINE_HEIGHT * place, line.strip()))
    return "".join([*parts, "</svg>"])


def _x(hunt: Adversary, at_ms: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * at_ms / max(hunt.times_ms[-1], 1), 1)


def _y(lost: float, top: int) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * lost / top, 1)


def _points(hunt: Adversary, top: int) -> str:
    """The line, a step at a time; of what falls into one column the highest."""
    columns: dict[int, int] = {}
    for at_ms, lost in zip(hunt.times_ms, hunt.risks, strict=True):
        column = int(_x(hunt, at_ms)) // COLUMN * COLUMN
        columns[column] = max(columns.get(column, 0), lost)
    return " ".join(f"{column},{_y(lost, top):g}" for column, lost in columns.items())


def _axes(hunt: Adversary, top: int) -> Iterator[str]:
    for lost in dict.fromkeys((0, top // 2, top)):
        y = _y(lost, top)
        yield f'<line x1="{LEFT}" y1="{y:g}" x2="{RIGHT}" y2="{y:g}" stroke="{LINE}"/>'
        yield as_text(LEFT - 8, y + 4, str(lost), anchor="end", size=10)
    for part in range(5):
        at_ms = hunt.times_ms[-1] * part / 4
        yield as_text(_x(hunt, at_ms), BOTTOM + 18, f"{at_ms / 1000:.2f}", anchor="middle", size=10)
    yield as_text(RIGHT, BOTTOM + 34, "instant of the crash (s)", anchor="end", size=10)


def _tries(hunt: Adversary, top: int) -> Iterator[str]:
    for tried in hunt.ranking()[:TRIES]:
        x, y = _x(hunt, tried.at_ms), _y(min(tried.lost, top), top)
        yield f'<rect x="{x - 4:g}" y="{y - 4:g}" width="8" height="8" fill="{BLUE}" stroke="#ffffff"/>'
        yield as_text(x + 7, y + 4, str(tried.order), size=10)
