"""Pens for still pictures: a sheet, a text, a box, a group, as SVG with presentation attributes only.

The law of this file: an attribute that says what the picture says anyway is left out, so that a picture stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from durable_redis.lab.figures import NIGHT

INK, SOFT, PAPER = "#1f2933", "#616e7c", "#ffffff"
LINE, TINT = "#b8c0c8", "#f3f5f7"
RED_TEXT, GREEN_TEXT = "#b84f00", "#00785a"
"""Darker than the colours of `figures`, so that letters can be read in them."""


def sheet(width: int, height: int, attributes: str) -> str:
    """The beginning of a picture that is as wide as the page lets it be, and knows a night."""
    size = f'viewBox="0 0 {width} {height}" width="100%"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {attributes} font-size="12" fill="{INK}">{NIGHT}'


def moved(y: int, parts: Iterator[str]) -> str:
    return f'<g transform="translate(0 {y})">{"".join(parts)}</g>'


def text(
    x: float, y: float, words: str, fill: str = INK, size: float = 12, weight: int = 400, anchor: str = "start"
) -> str:
    options = "" if fill in (INK, "") else f' fill="{fill}"'
    options += "" if size == 12 else f' font-size="{size:g}"'
    options += "" if weight == 400 else f' font-weight="{weight}"'
    options += "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}"{options}>{escape(words)}</text>'


def rect(
    x: float, y: float, width: float, height: float, radius: int, fill: str, stroke: str = "", thick: float = 1.2
) -> str:
    border = f' stroke="{stroke}" stroke-width="{thick:g}"' if stroke else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{max(0, round(width, 1)):g}" height="{height:g}" rx="{radius}" '
        f'fill="{fill}"{border}/>'
    )


def wrapped(words: str, width: int) -> list[str]:
    """Two lines at most; what is longer ends in an ellipsis."""
    if len(words) <= width:
        return [words]
    cut = words.rfind(" ", 0, width + 1)
    rest = words[cut + 1 :]
    return [words[:cut], rest if len(rest) <= width else rest[: width - 1].rstrip() + "…"]


def fitting(words: str, width: float) -> str:
    """As many of the parts between dots as have room in so many pixels at 11 px: the last ones, which tell what is not
    as usual."""
    while len(words) * 5.7 > width and " · " in words:
        words = words.split(" · ", 1)[1]
    return words
