"""The picture of the ledger: each prediction, and for each word of confidence what it promises and what came true.

The law of this file: SVG with presentation attributes only (and `NIGHT`), because static pages strip everything else.
Shapes carry what colours repeat: a square for a prediction that came true, a cross for one that did not, a ring for one
that is not counted; on the scales a bar for the share that is promised, a dot for the share that came true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING

from durable_redis.classroom.calibration import CAME_TRUE, DID_NOT, Bucket
from durable_redis.lab.figures import BLUE, INK, NIGHT, ORANGE

if TYPE_CHECKING:
    from durable_redis.classroom.ledger import Row

WIDTH, TOP, ROW = 600, 62, 46
LINE_HEIGHT, NEWEST = 20, 24
"""Of the predictions themselves so many are listed, the newest."""
LONGEST = 84
LEFT, RIGHT = 110, 370  # where the scale is 0 and where it is 1
SQUARES = 13
"""So many predictions of a row are drawn; the number beside them counts all."""
LINE = "#cbd2d9"


def draw(buckets: Sequence[Bucket], rows: Sequence[Row] = ()) -> str:
    """The picture, as SVG; its description says the same in words."""
    listed = rows[-NEWEST:]
    top = len(listed) * LINE_HEIGHT + 44 if listed else 0
    height = top + TOP + ROW * len(buckets) + 8
    words = ". ".join(f"{bucket.confidence}: {bucket.right} of {bucket.counted} came true" for bucket in buckets)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="How many predictions came true. {words}." font-family="sans-serif" font-size="12" '
        f'fill="{INK}">{NIGHT}',
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="#ffffff" stroke="{LINE}"/>',
        *_list(listed, len(rows)),
        f'<g transform="translate(0 {top})">',
        as_text(16, 26, "Do the things come true that you are sure of?", size=14, weight=700),
        *_scale(len(buckets)),
    ]
    for place, bucket in enumerate(buckets):
        parts += _row(bucket, TOP + ROW * place + 22)
    return "".join([*parts, "</g></svg>"])


def _list(listed: Sequence[Row], total: int) -> Iterator[str]:
    """One line a prediction, in the order of locking in."""
    if listed:
        newest = f", the newest {len(listed)} of {total}" if len(listed) < total else ""
        yield as_text(16, 26, f"Your predictions{newest}", size=14, weight=700)
    for place, row in enumerate(listed):
        y = 50 + place * LINE_HEIGHT
        said = f"{row.name}: {row.predicted} ({row.confidence})"
        said += f"; the run says {row.the_run_said}" if row.the_run_said else ""
        said += "" if row.outcome in (CAME_TRUE, DID_NOT) else f"; {row.outcome}"
        yield _mark(16, y - 9, row.outcome)
        yield as_text(32, y, said if len(said) <= LONGEST else f"{said[: LONGEST - 3]}...")


def _scale(rows: int) -> Iterator[str]:
    for percent in (0, 50, 100):
        x = _x(Fraction(percent, 100))
        yield as_text(x, TOP - 10, f"{percent} %", anchor="middle", size=10)
        yield f'<line x1="{x:g}" y1="{TOP - 4}" x2="{x:g}" y2="{TOP + ROW * rows - 8}" stroke="{LINE}"/>'
    yield as_text(RIGHT + 24, TOP - 10, "bar: promised, dot: came true", size=10)


def _row(bucket: Bucket, y: int) -> Iterator[str]:
    promised = _x(bucket.promised)
    yield as_text(16, y + 4, bucket.confidence, weight=600)
    yield f'<line x1="{LEFT}" y1="{y}" x2="{RIGHT}" y2="{y}" stroke="{LINE}" stroke-width="2"/>'
    yield f'<rect x="{promised - 2:g}" y="{y - 9}" width="4" height="18" fill="{INK}"/>'
    if bucket.share is not None:
        yield f'<circle cx="{_x(bucket.share):g}" cy="{y}" r="6" fill="{BLUE}" stroke="#ffffff"/>'
    said = f"{bucket.right} of {bucket.counted}" if bucket.counted else "none yet"
    yield as_text(RIGHT + 24, y - 3, said)
    for place in range(min(bucket.counted, SQUARES)):
        yield _mark(RIGHT + 24 + 12 * place, y + 5, CAME_TRUE if place < bucket.right else DID_NOT)


def _mark(x: int, y: int, outcome: str) -> str:
    """A filled square for what came true, a cross for what did not, a ring for everything else."""
    if outcome == CAME_TRUE:
        return f'<rect x="{x}" y="{y}" width="8" height="8" fill="{BLUE}"/>'
    if outcome == DID_NOT:
        return f'<path d="M{x},{y}l8,8m0,-8l-8,8" stroke="{ORANGE}" stroke-width="2" fill="none"/>'
    return f'<circle cx="{x + 4}" cy="{y + 4}" r="3.5" stroke="{INK}" fill="none"/>'


def _x(share: Fraction) -> float:
    return round(float(LEFT + (RIGHT - LEFT) * share), 1)


def as_text(x: float, y: float, words: str, size: int = 12, weight: int = 400, anchor: str = "start") -> str:
    """Some words at a place; `anchor` says which end of them stands there."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(words, quote=False)}</text>"
    )
