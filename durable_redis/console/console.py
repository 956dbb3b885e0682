"""The console: a run that one can click.

    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.console()

The law of this file: the console knows nothing that a cell could not do.  Every control calls exactly one verb of the
run, and shows the line of Python that it was; a mistake is one sentence in the console, never a traceback.  The
libraries of widgets are imported when a console is made, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from durable_redis.console import acts, model, panels, shipment, twin
from durable_redis.console.acts import Act
from durable_redis.console.film import Film
from durable_redis.errors import PlainError
from durable_redis.lab.playback import Playback
from durable_redis.lab.run import Run
from durable_redis.lab.tasks import Checklist, Task

if TYPE_CHECKING:
    from durable_redis.console.controls import Controls

VERBS = (
    *("crash", "restart", "slow_disk", "fail_disk", "heal_disk", "hold", "release", "write"),
    *("play", "forward", "go", "checkout"),
)
"""The verbs of a run that the browser may ask for."""
BEAT_LIMIT = 20_000
"""So many steps are played in search of the next beat."""


class Console:
    """The console of one run.  `widget` is what is displayed; `act` is what every control calls."""

    def __init__(self, run: Run, tasks: Iterable[Task] = ()) -> None:
        from durable_redis.console.controls import Controls
        from durable_redis.console.scene import Scene

        self.run = run
        self.checklist = Checklist(tasks)
        self.films: dict[Playback, Film] = {}  # a film for every branch that was looked at
        self.scene = Scene(menus=acts.menus(), tab="Tasks" if self.checklist.tasks else "Story")
        self.controls: Controls = Controls(self)
        self.widget = self.controls.around(self.scene)
        self._heard = 0  # the number of the reader's last move that is known here
        self._trying = False
        self._news: list[str] = []  # sentences on tasks that were done just now
        self._shipped: tuple[object, ...] = ()
        self._settled_for: tuple[object, ...] = ()
        self._settled: list[dict[str, Any]] = []
        self.refresh()
        self.scene.on_msg(self._asked)
        run.listeners.append(self.refresh)

    # -- acting ------------------------------------------------------------------------------------------------------

    def act(self, verb: str, *arguments: Any, at_ms: float | None = None) -> None:
        """Call one verb of the run, and say so; say what is wrong if it cannot be done."""
        line = acts.call(verb, arguments, at_ms)
        options = {} if at_ms is None else {"at_ms": at_ms}
        self._try(line, lambda: getattr(self.run, verb)(*arguments, **options))

    def beat(self) -> None:
        """Play on to the next beat."""
        film, playback = self.film, self.film.playback
        beats, limit = len(film.beats), playback.steps + BEAT_LIMIT
        try:
            while len(film.beats) == beats and playback.steps < limit and playback.step():
                film.read()
        except PlainError as error:
            self.say(f"{error}.", "error")
            return
        self.act("go", playback.steps)

    def undo(self) -> None:
        """Stand where one stood before the last act; acting there starts a branch."""
        befores = [done.before for done in self.run.playback.performed if done.before < self.run.step]
        if not befores:
            self.say("There is nothing to undo: this is the beginning.", "error")
            return
        self.act("go", befores[-1])

    def say(self, text: str, tone: str = "") -> None:
        """Show a sentence (an error), or a line of Python that was done."""
        self.controls.say(text, tone, self._news)
        self._news = []

    def _try(self, line: str, do: Callable[[], object]) -> None:
        self._trying = True
        try:
            do()
        except PlainError as error:
            self.say(f"{error}.", "error")
        else:
            self.say(line)
        finally:
            self._trying = False

    def _asked(self, _: object, message: Any, __: object) -> None:
        """A message from the browser: {"verb", "arguments", "step", "moves"}.  It stands at this step."""
        verb, arguments, step, self._heard = (message.get(part) for part in ("verb", "arguments", "step", "moves"))
        with self.scene.hold_sync():  # one message, one answer: that of the end
            if step is not None and step != self.run.step:
                self.run.go(min(step, self.run.steps))
            if verb == "beat":
                self.beat()
            elif verb in VERBS:
                self.act(verb, *arguments)
            elif verb != "stand":
                self.say(f"The console does not know how to {verb!r}.", "error")
            self._answer()

    def _answer(self) -> None:
        """Say where the run stands, and which of the reader's moves is known here."""
        self.scene.stand = {"step": self.run.step, "heard": self._heard}

    # -- showing -----------------------------------------------------------------------------------------------------

    @property
    def film(self) -> Film:
        """The film of the branch one stands on."""
        playback = self.run.playback
        if playback not in self.films:
            self.films[playback] = Film(playback)
        return self.films[playback]

    def refresh(self) -> None:
        """Show the run as it stands; called after every change of it."""
        run, film = self.run, self.film
        film.read()
        self._news += [f"Task done: {task.words} {task.praise}".strip() for task in self.checklist.look(run)]
        # A long branch is shipped thinned out around where one stands, so there the step matters too.
        near = run.step // shipment.AROUND if film.steps > shipment.MOST_STEPS else 0
        state = (run.branch, film.steps, len(run.playback.performed), near)
        with self.scene.hold_sync():
            if state != self._shipped:
                self._shipped = state
                self.scene.film = {"version": [*state], **shipment.shipped(film, run.step)}
                self.scene.branches = {"names": list(run.playbacks), "current": run.branch}
            self.scene.panels = self._panels((*state, run.step == run.steps))
            self._answer()
        self.controls.refresh()
        if self._news and not self._trying:  # the run was changed by a cell
            self.say("")

    def _panels(self, state: tuple[object, ...]) -> list[dict[str, Any]]:
        """The panels; those that follow from the branch, and not from the step, are made once a change."""
        if state != self._settled_for:
            self._settled_for = state
            self._settled = [panels.panel(name, self.run) for name in panels.OF_BRANCH]
            self.scene.verdict = panels.verdict(self.run)
        todo = [panels.tasks(self.checklist)] if self.checklist.tasks else []
        return [*(panels.panel(name, self.run) for name in panels.OF_STEP), *self._settled, *todo]

    def possible(self, target: str) -> tuple[Act, ...]:
        """What can be done to a target now."""
        if target not in self.run.deployment.nodes:
            return acts.MENUS["client"]
        return acts.MENUS[model.node_row(self.film, target, self.run.step)["state"]]

    def __repr__(self) -> str:
        return f"Console({self.run!r})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The live widget, and in the same bundle its static twin."""
        picture = twin.Picture(self.film, self.run.step)
        live = self.widget._repr_mimebundle_() or {}
        return {**live, **picture._repr_mimebundle_()}
