"""How a receipt looks in a notebook: the number first, then what became of the writes, then a few of the lost ones.

The law of this file: plain HTML without styles, classes or scripts, so that every page that shows notebooks
shows this one in its own manner; it says what the text of the receipt says, and nothing else.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from durable_redis.lab.verdicts import VERDICTS

if TYPE_CHECKING:
    from durable_redis.lab.receipt import Receipt


def receipt_as_html(receipt: Receipt) -> str:
    """The receipt as a headline, a table of counts, and a list of lost writes."""
    lines = [f"<h3>{escape(receipt.headline.rstrip('.'))}</h3>"]
    if receipt.rows:
        lines += ["<table>", f"<tr><th>{_left('what became of them')}</th><th>writes</th></tr>"]
        lines += [
            f"<tr><td>{_left(verdict)}</td><td>{receipt.counts[verdict]:,}</td></tr>"
            for verdict in VERDICTS
            if receipt.counts[verdict]
        ]
        lines.append("</table>")
    lost = receipt.lost_in_words()
    if lost:
        lines += ["<ul>", *(f"<li>{escape(f'{who}: {why}' if why else who)}</li>" for who, why in lost), "</ul>"]
    return "\n".join(lines)


def _left(words: str) -> str:
    """Words at the left of a cell.  JupyterLab moves what is in a cell to the right, and would overrule the cell's own
    attribute, but not that of a block in it."""
    return f'<div align="left">{escape(words)}</div>'
