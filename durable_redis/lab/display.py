"""How a receipt looks in a notebook: the number first, then what became of the writes, then a few of the lost ones.

The law of this file: plain HTML without styles, classes or scripts, so that every page that shows notebooks
shows this one in its own manner; it shows the rows that the text of the receipt shows, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from durable_redis.lab.verdicts import VERDICTS

if TYPE_CHECKING:
    from durable_redis.lab.receipt import Receipt, Row

ALL_OF_SO_FEW, FIRST, LAST = 6, 3, 2
"""Up to six lost writes are all shown; of more, the first three and the last two."""


def receipt_as_html(receipt: Receipt) -> str:
    """The receipt as a headline, a table of counts, and a list of lost writes."""
    lines = [f"<h3>{escape(receipt.headline.rstrip('.'))}</h3>"]
    if receipt.rows:
        lines += ["<table>", "<tr><th>what became of them</th><th>writes</th></tr>"]
        lines += [
            f"<tr><td>{escape(verdict)}</td><td>{receipt.counts[verdict]:,}</td></tr>"
            for verdict in VERDICTS
            if receipt.counts[verdict]
        ]
        lines.append("</table>")
    if receipt.lost:
        lines += ["<ul>", *(f"<li>{escape(sentence)}</li>" for sentence in _lost(receipt.lost_rows)), "</ul>"]
    return "\n".join(lines)


def _lost(rows: tuple[Row, ...]) -> Iterator[str]:
    """The first and the last of them; in between, how many more there are."""
    few = len(rows) <= ALL_OF_SO_FEW
    yield from map(_told, rows if few else rows[:FIRST])
    if not few:
        yield f"… and {len(rows) - FIRST - LAST:,} more …"
        yield from map(_told, rows[-LAST:])


def _told(row: Row) -> str:
    when = "" if row.answered_us is None else f" at {row.answered_us / 1e6:.3f} s"
    return f"{row.key} = {row.value}: told OK{when}; {row.why}"
