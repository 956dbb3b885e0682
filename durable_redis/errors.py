"""Plain errors: what was asked for makes no sense, and one sentence says why, and what to do instead.

The law of this file: such an error is about what its reader wrote, never about this package.  So a notebook shows the
sentence and no traceback, which would lead the reader into modules that did nothing wrong.  Everywhere else it is an
exception like any other.
"""

from __future__ import annotations


class PlainError(Exception):
    """An error whose message is one sentence for whoever made the mistake."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the lines."""
        sentence = str(self)
        return [f"{type(self).__name__}: {sentence}{'' if sentence.endswith(('.', '?', '!')) else '.'}"]
