"""The controls beside the scene: a target, what to do to it, when, and one button; for the keyboard, and for whoever
cannot see the scene.

The law of this file: the same acts as in the menus of the scene, through the same `Console.act`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from durable_redis.console import acts
from durable_redis.console.acts import Act

if TYPE_CHECKING:
    from durable_redis.console.console import Console

WHEN = {"now": 0, "in 10 ms": 10, "in 100 ms": 100, "in 1 s": 1000}
"""When to do it: from where one stands, in milliseconds."""


class Controls:
    """The row of controls, and the line that says what was done or what went wrong."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.target = widgets.Dropdown(description="target", options=self._targets())
        self.verb = widgets.Dropdown(description="what happens")
        self.when = widgets.Dropdown(description="when", options=list(WHEN))
        self.go = widgets.Button(description="crash", tooltip="do it")
        self.undo = widgets.Button(description="undo", tooltip="go back to before the last act")
        self.code = widgets.HTML()
        self.said = widgets.HTML()
        word = widgets.HTML("Do")
        for widget, hook in (
            (word, "dr-do-word"),
            (self.target, "dr-target"),
            (self.verb, "dr-verb"),
            (self.when, "dr-when"),
            (self.go, "dr-go"),
            (self.undo, "dr-undo"),
            (self.code, "dr-code"),
            (self.said, "dr-said"),
        ):
            widget.add_class(hook)
        self.row = widgets.HBox([word, self.target, self.verb, self.when, self.go, self.undo, self.code])
        self.row.add_class("dr-do")
        self.target.observe(lambda _: self.refresh(), "value")
        self.verb.observe(lambda _: self._preview(), "value")
        self.when.observe(lambda _: self._preview(), "value")
        self.go.on_click(lambda _: self._do())
        self.undo.on_click(lambda _: console.undo())
        self._acts: dict[str, Act] = {}

    def around(self, scene: Any) -> Any:
        """The whole console as one widget."""
        box = widgets.VBox([scene, self.row, self.said])
        box.add_class("dr-console")
        return box

    def refresh(self) -> None:
        """Offer what can be done to the target where one stands."""
        self._acts = {act.words: act for act in self.console.possible(self.target.value)}
        if self.verb.options != tuple(self._acts):
            before = self.verb.value
            self.verb.options = tuple(self._acts)
            keeps = before in self._acts and "restart" not in self._acts
            self.verb.value = before if keeps else next(iter(self._acts))
        self._preview()

    def say(self, text: str, tone: str = "", news: Sequence[str] = ()) -> None:
        """Replace the sentence under the controls; a screen reader speaks it."""
        shown = escape(text) if tone == "error" or not text else f"did <code>{escape(text)}</code>"
        shown += "".join(f'<div class="dr-news">✓ {escape(sentence)}</div>' for sentence in news)
        self.said.value = f'<div class="dr-say" role="status" aria-live="polite" data-tone="{tone}">{shown}</div>'

    @property
    def chosen(self) -> Act | None:
        return self._acts.get(self.verb.value)

    def _targets(self) -> list[str]:
        deployment = self.console.run.deployment
        return [*deployment.nodes, "client" if len(deployment.clients) == 1 else "clients"]

    def _at_ms(self, act: Act) -> float | None:
        wait = WHEN[self.when.value]
        return round(self.console.run.now_ms + wait, 3) if wait and act.timed else None

    def _preview(self) -> None:
        """The words on the button, and the line of Python that it will call."""
        act = self.chosen
        if act is None:
            return
        target = self.target.value
        self.go.description = act.button.format(node=target)
        (self.go.remove_class if act.harm else self.go.add_class)("calm")
        self.when.disabled = not act.timed
        line = acts.call(act.verb, act.bound(target), self._at_ms(act))
        self.code.value = f"<code>{escape(line)}</code>"

    def _do(self) -> None:
        act = self.chosen
        if act is not None:
            self.console.act(act.verb, *act.bound(self.target.value), at_ms=self._at_ms(act))
