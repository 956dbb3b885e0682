"""The console: a run that one can click.

    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.console()

The law of this file: the console knows nothing that a cell could not do.  Every control calls one verb of the run, and
shows the line of Python that it was; a mistake is one sentence in the console, never a traceback.  The libraries of
widgets are imported when a console is made, and not before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

from durable_redis.console import acts, panels, shipment, twin
from durable_redis.console.comparing import comparing
from durable_redis.console.film import Film, many
from durable_redis.console.shelf import Shelf
from durable_redis.errors import PlainError
from durable_redis.lab.playback import Playback
from durable_redis.lab.run import Run
from durable_redis.lab.tasks import Checklist, Task

VERBS = (
    *("crash", "restart", "slow_disk", "fail_disk", "heal_disk", "hold", "release", "write"),
    *("cut", "partition", "delay", "heal_network", "pause", "outage", "restore", "command"),
    *("forward", "go"),
)
"""The verbs of a run that the browser may ask for."""
OWN_VERBS = ("play", "beat", "undo", "visit", "load", "share", "versus", "look")
"""What it may ask of the console itself: methods of `Console`."""
BEAT_LIMIT, REST_LIMIT = 20_000, 2_000
"""So many steps are played in search of the next beat: where something is still to come, and where all is at rest."""
SETTLING_MS, LOOK_MS = 40_000, 500
"""For so long the servers may go on until they settle, when the clients are done; so often one looks."""


class Console:
    """The console of one run.  `scene` is what is displayed; `act` is what every control calls."""

    def __init__(self, run: Run, tasks: Iterable[Task] = ()) -> None:
        from durable_redis.console.scene import Scene

        self.run = run
        self.shelf = Shelf(run)
        self.films: dict[Playback, Film] = {}  # a film for every branch that was looked at
        self.checklist = Checklist(tasks)
        self.scene = Scene(menus=acts.menus(many(run.deployment)), tab="Tasks" if self.checklist.tasks else "Story")
        self._hearing = False  # a message of the browser is being carried out
        self._heard = 0  # the number of the reader's last move that is known here
        self._looked_at = ""  # the machine of the Inspect tab; "": the first
        self._versus = ""  # the branch that is compared with the one that is shown
        self._shipped: tuple[object, ...] = ()
        self._settled_for: tuple[object, ...] = ()
        self._settled: list[dict[str, Any]] = []
        self._listen(run)
        self.refresh()
        self.scene.on_msg(self._asked)

    # -- acting ------------------------------------------------------------------------------------------------------

    def act(self, verb: str, *arguments: Any, at_ms: float | None = None, **options: Any) -> None:
        """Call one verb of the run, and say so; say what is wrong if it cannot be done."""
        when = {} if at_ms is None else {"at_ms": at_ms}
        line = acts.call(verb, arguments, at_ms, options)
        self._try(line, lambda: getattr(self.run, verb)(*arguments, **options, **when))

    def play(self, until_ms: float | None = None) -> None:
        """Play to a time; or to the end, where the clients are done and the servers have settled, if they can."""
        if until_ms is not None:
            self.act("play", until_ms)
            return
        self.act("play")
        until_ms = last_ms = ceil(self.run.now_ms)
        while not self.run.playback.at_rest and until_ms < last_ms + SETTLING_MS:
            until_ms += LOOK_MS
            self.act("play", until_ms)

    def beat(self) -> None:
        """Play on to the next beat."""
        film, playback = self.film, self.film.playback
        beats, limit = len(film.beats), playback.steps + (REST_LIMIT if playback.at_rest else BEAT_LIMIT)
        try:
            while len(film.beats) == beats and playback.steps < limit and playback.step():
                film.read()
        except PlainError as error:
            self.say(f"{error}.", "error")
            return
        self.act("go", playback.steps)
        if len(film.beats) == beats:
            self.say(f"Up to {self.run.now_ms / 1000:.3f} s nothing happens that a person would care about.", "told")

    def undo(self) -> None:
        """Stand where one stood before the last act; acting there starts a branch."""
        befores = [done.before for done in self.run.playback.performed if done.before < self.run.step]
        if befores:
            self.act("go", befores[-1])
        else:
            self.say("There is nothing to undo: this is the beginning.", "error")

    def visit(self, place: str, step: int | None = None) -> None:
        """Stand on another branch, also one of a loaded run: at its end, or after a step of it."""
        if place not in self.shelf.places:
            self.say(f"There is no branch {place!r} here: there is {', '.join(self.shelf.places)}.", "error")
            return
        self.run, branch = self.shelf.places[place]
        self.act("checkout", branch, *(() if step is None else [step]))

    def load(self, text: str) -> None:
        """Put the run of a replay string on the shelf, beside the reader's own, and show it."""
        try:
            name, self.run = self.shelf.load(text)
        except PlainError as error:
            self.say(f"Nothing was loaded: {error}.", "error")
            return
        self._listen(self.run)
        self.refresh()
        loaded = f"{self.run.deployment!r}, seed {self.run.seed}, {self.run.steps:,} steps"
        self.say(f"Loaded: {loaded}. It is called {name!r}; your own run is still in the list of branches.", "told")

    def share(self) -> None:
        """Make the replay string of a long branch, which is not made unasked."""
        self.shelf.share(self.run)
        self._settled_for = ()
        self.refresh()

    def versus(self, place: str) -> None:
        """Compare with another branch."""
        self._versus = place
        self._settled_for = ()
        self.refresh()

    def look(self, name: str) -> None:
        """Let the Inspect tab show this machine."""
        self._looked_at = name

    def say(self, text: str, tone: str = "did") -> None:
        """Show a sentence: what was done, as a line of Python ("did"), what was "told", or an "error"."""
        self.scene.said = {"text": text, "tone": tone}

    def _try(self, line: str, do: Callable[[], object]) -> None:
        try:
            do()
        except PlainError as error:
            self.say(f"{error}.", "error")
        else:
            self.say(line)

    def _asked(self, _: object, message: Any, __: object) -> None:
        """A message from the browser: {"verb", "arguments", "at_ms", "options", "step", "moves"}.  It stands there.

        It is answered with the room; what is behind the tabs comes when the browser asks for the "panels"."""
        verb, arguments = message["verb"], message.get("arguments", [])
        if verb == "panels":
            self._show_panels()
            return
        step, self._heard = message.get("step"), message["moves"]
        options = {**(message.get("options") or {}), "at_ms": message.get("at_ms")}
        self._hearing = True
        try:
            with self.scene.hold_sync():  # one answer: what became of it, and the room as it is then
                self._carry_out(verb, arguments, step, options)
                self._show_room()
        finally:
            self._hearing = False

    def _carry_out(self, verb: str, arguments: list[Any], step: int | None, options: dict[str, Any]) -> None:
        try:
            if step is not None and step != self.run.step:
                self.run.go(min(step, self.run.steps))
            if verb not in ("stand", "look"):
                self.scene.news = []
            if verb in OWN_VERBS:
                getattr(self, verb)(*arguments)
            elif verb in VERBS:
                self.act(verb, *arguments, **options)
            elif verb != "stand":
                self.say(f"The console does not know how to {verb!r}.", "error")
        except Exception as error:  # a mistake of ours: whoever pressed the button hears of it, and so does the log
            self.say(f"The console has made a mistake ({type(error).__name__}: {error}).", "error")
            logging.getLogger(__name__).exception("the console could not %s", verb)

    def _listen(self, run: Run) -> None:
        """Show a run as soon as it changes, whoever changes it."""

        def changed() -> None:
            self.run = run
            self.refresh()

        run.listeners.append(changed)

    # -- showing -----------------------------------------------------------------------------------------------------

    @property
    def film(self) -> Film:
        """The film of the branch one stands on."""
        return self.film_of(self.run.playback)

    def film_of(self, playback: Playback) -> Film:
        """The film of a branch, up to its last step."""
        if playback not in self.films:
            self.films[playback] = Film(playback)
        self.films[playback].read()
        return self.films[playback]

    def refresh(self) -> None:
        """Show the run as it stands; called after every change of it that no message of the browser has made."""
        if not self._hearing:
            self._show_room()
            self._show_panels()

    def _show_room(self) -> None:
        run, film = self.run, self.film
        place = self.shelf.name(run)
        # A long branch is shipped thinned out around where one stands, so there the step matters too.
        near = run.step // shipment.AROUND if film.steps > shipment.MOST_STEPS else 0
        state = (place, film.steps, len(run.playback.performed), near)
        with self.scene.hold_sync():
            if state != self._shipped:
                self._shipped = state
                self.scene.film = shipment.as_text(film, run.step)
                self.scene.branches = {"names": list(self.shelf.places), "current": place}
            self.scene.stand = {"step": run.step, "heard": self._heard}

    def _show_panels(self) -> None:
        done = self.checklist.look(self.run)
        with self.scene.hold_sync():
            if done:
                self.scene.news = [f"Task done: {task.words} {task.praise}".strip() for task in done]
            self.scene.panels = self._panels()

    def _panels(self) -> list[dict[str, Any]]:
        """The panels; those that follow from the branch, and not from the step, are made once a change."""
        state = (*self._shipped, self.run.step == self.run.steps)
        if state != self._settled_for:
            self._settled_for = state
            self._settled = [panels.panel(name, self.run) for name in panels.OF_BRANCH]
            self._settled.append(panels.sharing(self.run, self.shelf))
            self._settled.append(comparing(self.shelf, self.run, self._versus, self.film_of))
            self.scene.verdict = panels.verdict(self.run)
        todo = [panels.tasks(self.checklist)] if self.checklist.tasks else []
        return [panels.inspecting(self.run, self._looked_at), *self._settled, *todo]

    def __repr__(self) -> str:
        return f"Console({self.run!r})"

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live widget, and in the same bundle its static twin."""
        picture = twin.Picture(self.film, self.run.step)
        live, metadata = self.scene._repr_mimebundle_() or ({}, {})
        return {**live, **picture._repr_mimebundle_()}, metadata
