"""Code of the package, shown in a chapter: pulled from the module by name, so that it cannot drift from what runs."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any


class Source:
    """The text of a function, class or module.  A notebook shows it with colours, a plain page as it is."""

    def __init__(self, what: Callable[..., Any] | type | object) -> None:
        self.text = textwrap.dedent(inspect.getsource(what)).rstrip()  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.text}\n```"


def source(what: Callable[..., Any] | type | object) -> Source:
    """Show the code of something of this package."""
    return Source(what)
