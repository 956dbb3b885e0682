"""Checks: an exercise, the run that judges it, and the sentence that each typical wrong answer earns.

An `Exercise` is one entry of a chapter's table (`chapters/ch00.py`).  It says what *kind* of answer is asked for, how
an answer is *tried out* (`outcome`), and how the *truth* comes out of a run; never what the truth is.

A typical wrong answer is known by what it does, not by how it is written: it is given as an answer, and recognised when
the reader's comes to the same outcome (or, where outcomes are too coarse, by a condition of its own).  So the tests can
hand in every entry of the bank as a reader would, and ask for its sentence; and the solution, and ask for praise.

Sentences may quote `{given}`, `{outcome}` and `{truth}`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from durable_redis.classroom import chapters
from durable_redis.classroom.kinds import READERS_ERRORS, Kind, NotAttempted, Refused
from durable_redis.classroom.words import spoken, wrapped

NOT_ATTEMPTED = "not attempted yet"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A typical wrong answer, and its sentence.  `when(given, outcome)` recognises it if its outcome alone does not."""

    answer: Any
    says: str
    when: Callable[[Any, Any], bool] | None = None


def _itself(given: Any) -> Any:
    return given


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.  Its name is unique in the book.

    * `truth()`: what the run says.  `outcome(answer)`: what comes of an answer; by default the answer itself.
    * `accept(outcome, truth)`: whether that is right; by default, whether they are equal.
    * `stub`: what the chapter's cell hands in before the reader has touched it; `...` is one always.
    * `solution`: an answer that is right, for the tests."""

    name: str
    kind: Kind
    truth: Callable[[], Any]
    solution: Any
    right: str
    wrong: tuple[Wrong, ...]
    outcome: Callable[[Any], Any] = _itself
    accept: Callable[[Any, Any], bool] = operator.eq
    stub: Any = ...
    otherwise: str = ""  # for a wrong answer that nobody has foreseen; "" leaves it to the kind


@dataclass(frozen=True, slots=True, repr=False)
class Checked:
    """What became of an answer: `right` is None if there was none."""

    name: str
    right: bool | None
    says: str

    def __repr__(self) -> str:
        if self.right is None:
            return NOT_ATTEMPTED
        return wrapped(f"{'Right.' if self.right else 'Not yet.'} {self.says}")


def check(name: str, given: Any) -> Checked:
    """Compare an answer with what the run says.  Raises ClassroomError if no exercise has this name, and only then."""
    return judge(chapters.exercise(name), given)


def judge(exercise: Exercise, given: Any) -> Checked:
    """Take the answer, try it out, ask the run, and find the sentence: in this order, as far as one gets."""
    try:
        if _is_stub(exercise, given):
            raise NotAttempted
        taken = exercise.kind.take(given)
        outcome = exercise.outcome(taken)
    except NotAttempted:
        return Checked(exercise.name, None, NOT_ATTEMPTED)
    except Refused as refused:
        return Checked(exercise.name, False, str(refused))
    except READERS_ERRORS as error:
        return Checked(exercise.name, False, f"This could not be tried out: {spoken(error)}.")
    truth = exercise.truth()
    facts = {"given": taken, "outcome": outcome, "truth": truth}
    if exercise.accept(outcome, truth):
        return Checked(exercise.name, True, exercise.right.format_map(facts))
    foreseen = (wrong.says for wrong in exercise.wrong if _recognises(exercise, wrong, taken, outcome))
    template = next(foreseen, exercise.otherwise)
    says = template.format_map(facts) if template else exercise.kind.difference(outcome, truth)
    return Checked(exercise.name, False, says)


def _is_stub(exercise: Exercise, given: Any) -> bool:
    """Whether the cell was left alone.  Of different types nothing is compared: `==` may be anybody's code."""
    return given is exercise.stub or (type(given) is type(exercise.stub) and bool(given == exercise.stub))


def _recognises(exercise: Exercise, wrong: Wrong, taken: Any, outcome: Any) -> bool:
    if wrong.when is not None:
        return wrong.when(taken, outcome)
    return bool(exercise.outcome(exercise.kind.take(wrong.answer)) == outcome)
