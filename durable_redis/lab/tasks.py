"""Tasks: what a reader is asked to bring about in a run, and the list that ticks itself.

    tasks = [
        Task("Lose exactly one acknowledged write.", lambda run: run.receipt().lost == 1,
             hint="Stop soon after an fsync, when one write is at risk.", praise="One OK became a lie."),
        Task("Then keep them all.", lambda run: bool(run.crashes()) and run.receipt().lost == 0),
    ]
    run.console(tasks=tasks)

The law of this file: a condition is a question that a run answers now.  It may be asked after every step of a scrub, so
it must be quick, and must change nothing.  If the run cannot answer where it stands (`run.receipt()` in the past, or
while the server is down, raises LabError) the answer is: not yet.  What was ticked once stays ticked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable_redis.errors import PlainError
from durable_redis.lab.errors import LabError

if TYPE_CHECKING:
    from durable_redis.lab.run import Run


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to bring about: its words, whether a run has done it, a hint for whoever asks, and a word of praise."""

    words: str
    condition: Callable[[Run], Any]
    hint: str = ""
    praise: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.words, str) or not callable(self.condition):
            raise LabError(
                "a task is written like Task('lose one write', lambda run: run.receipt().lost == 1): "
                f"words and a function of the run, not {self.words!r} and {self.condition!r}"
            )


class Checklist:
    """Tasks, and which of them were done; nothing of it is written to disk."""

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.tasks = tuple(tasks)
        for task in self.tasks:
            if not isinstance(task, Task):
                raise LabError(f"tasks is a list of Task(words, condition), and {task!r} is none")
        self.ticked = [False] * len(self.tasks)
        self.troubles = [""] * len(self.tasks)
        """What a condition raised, other than one of our own errors: it is the condition that must be mended."""
        self._looking = False

    def look(self, run: Run) -> list[Task]:
        """Ask every condition that was not met so far; the tasks that were done just now."""
        if self._looking:  # a condition that moves the run brings us here again
            return []
        self._looking = True
        news = [place for place, done in enumerate(self.ticked) if not done and self._met(place, run)]
        self._looking = False
        for place in news:
            self.ticked[place] = True
        return [self.tasks[place] for place in news]

    def _met(self, place: int, run: Run) -> bool:
        self.troubles[place] = ""
        try:
            return bool(self.tasks[place].condition(run))
        except PlainError:
            return False  # the run cannot tell where it stands: not yet
        except Exception as error:  # the author's mistake is no reason to stop the reader
            self.troubles[place] = f"{type(error).__name__}: {error}"
            return False

    @property
    def progress(self) -> str:
        """`2 of 3`"""
        return f"{sum(self.ticked)} of {len(self.tasks)}"
