"""The live scene as a widget: one anywidget, whose traits are all that crosses between Python and the browser.

The law of this file: no knowledge of runs.  The browser's side is written in a few plain files (`browser/*.js`), each a
part with its own law; they are joined here into the one module that anywidget wants.  There is nothing else to build,
and nothing is fetched from anywhere.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

PARTS = (
    *("draw", "lineage", "film", "still", "fates", "routes", "wires", "menu", "stage"),
    *("board", "timeline", "tabs", "doing", "console"),
)
"""The files of the browser's side, in the order in which they build on one another."""


@cache
def browser_file(name: str) -> str:
    """One file of the browser's side."""
    return (files("durable_redis.console") / "browser" / name).read_text(encoding="utf-8")


class Scene(anywidget.AnyWidget):
    """What the browser shows: the film, where one stands, the panels behind the tabs, and what was said last.

    `film` is one text of JSON: large data crosses faster so than as an object, which is searched for buffers.
    `stand` is {"step", "heard"}: where Python stands, and the number of the reader's last move that it had heard of
    then.  The browser goes there unless its reader has moved since: an answer that is late must not pull him back."""

    _esm = "\n".join(browser_file(f"{part}.js") for part in PARTS)
    _css = browser_file("console.css")
    film = traitlets.Unicode().tag(sync=True)
    stand = traitlets.Dict({"step": 0, "heard": 0}).tag(sync=True)
    panels: traitlets.List[Any] = traitlets.List().tag(sync=True)
    tab = traitlets.Unicode("Story").tag(sync=True)
    menus = traitlets.Dict().tag(sync=True)
    branches = traitlets.Dict({"names": ["main"], "current": "main"}).tag(sync=True)
    verdict = traitlets.Dict().tag(sync=True)
    said = traitlets.Dict({"text": "", "tone": "told"}).tag(sync=True)
    news: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __repr__(self) -> str:
        return "Scene()"

    def _repr_keys(self) -> Any:
        return iter(())
