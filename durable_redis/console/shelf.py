"""The shelf: the reader's own run, the runs that were loaded beside it, and the branches of all of them by name.

The law of this file: nothing is ever replaced.  A loaded replay string is a run of its own, whatever its deployment and
its seed, and stands beside the others; a string that cannot be read, or comes out differently here, changes nothing.
"""

from __future__ import annotations

from durable_redis.lab.run import Run, replay
from durable_redis.sim.scenario import ReplayError, Scenario

LONG_RUN_STEPS = 10_000
"""A longer branch has its replay string made on request: it is a digest of every step."""


class Shelf:
    """Runs by name: the reader's own has none."""

    def __init__(self, run: Run) -> None:
        self.runs: dict[str, Run] = {"": run}
        self._strings: dict[tuple[Run, str, int], str] = {}

    @property
    def places(self) -> dict[str, tuple[Run, str]]:
        """Every branch by the name that it has in the list: "main", "branch 1", "loaded 1", "loaded 1, branch 1"."""
        return {_label(name, branch): (run, branch) for name, run in self.runs.items() for branch in run.playbacks}

    def name(self, run: Run) -> str:
        """The name of the branch that a run stands on."""
        return next(_label(name, run.branch) for name, other in self.runs.items() if other is run)

    def load(self, text: str) -> tuple[str, Run]:
        """Play a replay string; its name and its run.  Raises ReplayError, and changes nothing."""
        text = text.strip()
        if not text:
            raise ReplayError("there is nothing to load: paste a replay string into the field first")
        if not Scenario.parse(text).check:
            raise ReplayError("the replay string has no check at its end: it was cut off")
        run = replay(text)
        name = f"loaded {len(self.runs)}"
        self.runs[name] = run
        return name, run

    def share(self, run: Run) -> None:
        """Make the replay string of a branch, however long it takes."""
        self._strings[self._state(run)] = run.replay_string()

    def string(self, run: Run) -> str:
        """The replay string of the branch that a run stands on; empty if it is long, and was not asked for."""
        if run.steps <= LONG_RUN_STEPS:
            return run.replay_string()
        return self._strings.get(self._state(run), "")

    def _state(self, run: Run) -> tuple[Run, str, int]:
        return run, run.branch, run.steps


def _label(name: str, branch: str) -> str:
    if not name:
        return branch
    return name if branch == "main" else f"{name}, {branch}"
