"""Small things about words: the same phrase on a plain page, in a form, and in a sentence.

Questions and explanations are written once, in plain English with `code` between backticks and *stress* between stars.
A line of text and a page of Markdown show them as they are; a form needs HTML, in which nothing may be taken for a tag.
"""

from __future__ import annotations

import re
import textwrap
from html import escape
from typing import Any

WIDTH = 96
LONGEST = 400
"""Of what a reader's own code says, no more than this is repeated."""
_CODE, _STRESS = re.compile(r"`([^`]+)`"), re.compile(r"\*([^*\s][^*]*)\*")


def as_html(text: str) -> str:
    """The phrase for a form."""
    return _STRESS.sub(r"<em>\1</em>", _CODE.sub(r"<code>\1</code>", escape(text, quote=False)))


def wrapped(text: str) -> str:
    """A paragraph, broken into lines."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def inline(value: Any) -> str:
    """A value in the middle of a sentence: 4, 0.25, text without quotes."""
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else short(str, value)


def short(words: Any, value: Any) -> str:
    """`words(value)`, such as its repr, on one line and not too long; the type's name if even that goes wrong."""
    try:
        text = " ".join(words(value).split())
    except Exception:
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def spoken(error: BaseException) -> str:
    """An error of somebody else's code, as one phrase: `ZeroDivisionError: division by zero`."""
    text = short(str, error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
