"""Kinds of answers: what an exercise asks for, and a friendly sentence for whatever is something else.

The law of this file: it calls what the reader wrote, and lets nothing out of it but a value or a sentence.  `take`
turns an answer into a plain value that can be tried out; it raises `NotAttempted` for a stub that was left alone, and
`Refused`, whose text is the sentence, for an answer of a wrong kind.  Both are caught in `checking`; a reader meets
neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any, Protocol

from durable_redis.classroom.words import short, spoken
from durable_redis.lab.deployments import Redis

READERS_ERRORS = (Exception, SystemExit)
"""What code of the reader may end with.  An interrupt by hand is not among them: it must stop the cell."""


class NotAttempted(Exception):
    """The answer is still the stub."""


class Refused(Exception):
    """The answer is not of the kind that is asked for; the text says so to the reader."""


class Kind(Protocol):
    """What an exercise asks for."""

    def take(self, given: Any) -> Any:
        """The answer as a plain value.  Raises NotAttempted or Refused, and nothing else."""
        ...

    def difference(self, outcome: Any, truth: Any) -> str:
        """A sentence on a wrong answer that nobody has foreseen."""
        ...


def named(given: Any) -> str:
    """What somebody has given, in words: `the text 'nine'`, `a list`."""
    if given is None:
        return "None, which is nothing"
    if isinstance(given, str):
        return f"the text {short(repr, given)}"
    if isinstance(given, bool):
        return f"{given}, which is yes or no"
    if callable(given):
        return "a function"
    if isinstance(given, Real):
        return f"the number {short(str, given)}"
    article = "an" if type(given).__name__[0] in "aeiouAEIOU" else "a"
    return f"{article} {type(given).__name__}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number, within bounds."""

    unit: str = ""
    low: float | None = None
    high: float | None = None

    def take(self, given: Any) -> float:
        if given is ...:
            raise NotAttempted
        if isinstance(given, bool) or not isinstance(given, Real):
            raise Refused(
                f"A number{self._of_units} is asked for, and this is {named(given)}. {_advice(given)}".strip()
            )
        try:
            number = float(given)
        except OverflowError:
            number = float("inf")
        if not isfinite(number):
            raise Refused(f"A number{self._of_units} is asked for, and this is not one that can be counted to.")
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise Refused(f"{number:g} is out of range: a number{self._of_units} {self._bounds} is asked for.")
        return int(number) if number.is_integer() else number

    def difference(self, outcome: Any, truth: Any) -> str:
        return f"The run says {'more' if outcome < truth else 'less'}."

    @property
    def _of_units(self) -> str:
        return f" of {self.unit}" if self.unit else ""

    @property
    def _bounds(self) -> str:
        if self.high is None:
            return f"from {self.low:g} on"
        return f"from {self.low:g} to {self.high:g}" if self.low is not None else f"up to {self.high:g}"


def _advice(given: Any) -> str:
    """What to do about something that should be a number."""
    if isinstance(given, str):
        return "Leave the quotes away." if given.strip().replace(".", "", 1).isdigit() else "Write it in digits."
    return "Call it, with its arguments in parentheses." if callable(given) else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    def take(self, given: Any) -> str:
        if given is ...:
            raise NotAttempted
        word = given.strip().lower() if isinstance(given, str) else ""
        if word not in self.options:
            options = ", ".join(map(repr, self.options))
            raise Refused(f"One of {options} is asked for, and this is {named(given)}.")
        return word

    def difference(self, outcome: Any, truth: Any) -> str:
        return "The run says otherwise."


@dataclass(frozen=True, slots=True)
class Function:
    """A function.  It is known by what it does: `take` calls it for every case, and gives back its results."""

    parameters: tuple[str, ...]
    cases: Callable[[], Sequence[tuple[Any, ...]]]
    returns: Number

    def take(self, given: Any) -> tuple[float, ...]:
        if given is ...:
            raise NotAttempted
        if not callable(given):
            raise Refused(
                f"A function is asked for, and this is {named(given)}. Hand in its name, without parentheses."
            )
        return tuple(self._result(given, case) for case in self.cases())

    def _result(self, function: Callable[..., Any], case: tuple[Any, ...]) -> float:
        try:
            result = function(*case)
        except READERS_ERRORS as error:
            raise Refused(f"For {self.spelled(case)} your function stops: {spoken(error)}.") from None
        if result is None:
            raise Refused(f"For {self.spelled(case)} your function returns nothing: is there a `return`?")
        try:
            return self.returns.take(result)
        except Refused as refused:
            raise Refused(f"For {self.spelled(case)} your function returns something else. {refused}") from None

    def spelled(self, case: tuple[Any, ...]) -> str:
        return ", ".join(f"{name}={value}" for name, value in zip(self.parameters, case, strict=True))

    def difference(self, outcome: Any, truth: Any) -> str:
        for case, result, right in zip(self.cases(), outcome, truth, strict=True):
            if result != right:
                return f"For {self.spelled(case)} your function says {result:g}; the run says {right:g}."
        return "The run says otherwise."


@dataclass(frozen=True, slots=True)
class Settings:
    """Options for a deployment, as a dict.  They are tried by building it."""

    builds: Callable[..., object] = Redis

    def take(self, given: Any) -> dict[str, Any]:
        if given is ...:
            raise NotAttempted
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise Refused(f"Settings are asked for, such as dict(appendonly=True), and this is {named(given)}.")
        try:
            self.builds(**given)
        except ValueError as error:  # ConfigError and LabError: each is a sentence already
            raise Refused(f"These settings are refused: {short(str, error).rstrip('.')}.") from None
        except READERS_ERRORS as error:
            raise Refused(f"These settings cannot be read: {spoken(error)}.") from None
        return dict(given)

    def difference(self, outcome: Any, truth: Any) -> str:
        return "The run says otherwise."
