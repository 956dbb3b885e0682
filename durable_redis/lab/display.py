"""How a receipt looks in a notebook: the number first, then what became of the writes, then a few of the lost ones.

The law of this file: plain HTML tables without styles, classes or scripts, so that every page that shows notebooks
shows this one in its own manner; it shows the rows that the text of the receipt shows, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from durable_redis.lab.verdicts import VERDICTS

if TYPE_CHECKING:
    from durable_redis.lab.receipt import Receipt, Row

ALL_OF_SO_FEW, FIRST, LAST = 6, 3, 2
"""Up to six lost writes are all shown; of more, the first three and the last two."""


def receipt_as_html(receipt: Receipt) -> str:
    """The receipt as a headline and one or two tables."""
    parts = [f"<h3>{escape(receipt.headline.rstrip('.'))}</h3>"]
    if receipt.rows:
        found = [(verdict, f"{receipt.counts[verdict]:,}") for verdict in VERDICTS if receipt.counts[verdict]]
        parts.append(_table(("what became of them", "writes"), found))
    if receipt.lost:
        parts.append(_table(("lost write", "OK was heard at", "why it is gone"), _lost(receipt.lost_rows)))
    return "\n".join(parts)


def _lost(rows: tuple[Row, ...]) -> Iterator[tuple[str, ...]]:
    """The first and the last of them; in between, how many more there are."""
    few = len(rows) <= ALL_OF_SO_FEW
    yield from map(_cells, rows if few else rows[:FIRST])
    if not few:
        yield f"… {len(rows) - FIRST - LAST:,} more", "", ""
        yield from map(_cells, rows[-LAST:])


def _cells(row: Row) -> tuple[str, ...]:
    when = "" if row.answered_us is None else f"{row.answered_us / 1e6:.3f} s"
    return f"{row.key} = {row.value}", when, row.why


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["<table>", f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])
