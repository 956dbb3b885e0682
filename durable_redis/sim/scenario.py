"""A scenario: everything that decides a run, as one short line of text.

    dr1;Redis(appendonly=True);seed=7;write(200, every_ms=10)@s0;crash('n1', 'power loss')@1250000us;end@s2466;check=...

It names the version of the model, the deployment, the seed, what was done and when, and where the run ended.  An action
happens after a step (`@s412`), exactly, or at a time (`@1250000us`), which keeps its meaning under another seed.

The check is a row of short digests of the journal, at sixteen places from the start to the end.  Whoever replays the
line learns whether it is the same run, and if not, between which steps it parted: the line was edited, or the model
has changed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from durable_redis.errors import PlainError
from durable_redis.sim.journal import Journal

MODEL = "dr1"
"""The version of the model.  It changes when old replay strings must not be expected to replay."""

PLACES = 16
DIGITS = 4
LONGEST_NUMBER = 1000


class ReplayError(PlainError, ValueError):
    """A replay string that cannot be read, or a run that came out differently.  The message says where."""


class ModelChanged(ReplayError):
    """The replay string was read and played, and the run came out differently from the original."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something done from outside: a verb of the lab, its arguments, and when: after a step, or at a time."""

    verb: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    step: int | None = None
    at_us: int | None = None

    @property
    def call(self) -> str:
        """As a line of Python: `crash('n1', 'power loss')`."""
        words = [repr(argument) for argument in self.arguments]
        words += [f"{name}={value!r}" for name, value in self.options]
        return f"{self.verb}({', '.join(words)})"

    def __str__(self) -> str:
        return f"{self.call}@{f's{self.step}' if self.at_us is None else f'{self.at_us}us'}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run before it is played.  `check` is empty for one that never was."""

    deployment: str
    seed: int
    actions: tuple[Action, ...] = ()
    end_step: int = 0
    check: tuple[str, ...] = field(default=())
    model: str = MODEL

    def __str__(self) -> str:
        parts = [self.model, self.deployment, f"seed={self.seed}", *map(str, self.actions), f"end@s{self.end_step}"]
        if self.check:
            parts.append("check=" + "-".join(self.check))
        return ";".join(parts)

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """Read a replay string.  Raises ReplayError, naming the part that is wrong."""
        if not isinstance(text, str):
            raise ReplayError(f"a replay string is text that begins with {MODEL!r}, not {text!r}")
        parts = _split(text.strip())
        if parts[0] != MODEL:
            if parts[0].startswith("dr") and _number(parts[0][2:]) is not None:
                raise ReplayError(
                    f"the replay string is of model {parts[0][:20]}, and this is {MODEL}: it cannot be replayed here"
                )
            raise ReplayError(
                f"a replay string begins with {MODEL!r} and a semicolon, and this text with {parts[0][:20]!r}"
            )
        if len(parts) < 4:
            raise ReplayError(
                f"a replay string has at least four parts ({MODEL};deployment;seed=...;end@...), not {len(parts)}"
            )
        if not any(part.startswith("end@s") for part in parts[3:]):
            raise ReplayError("the replay string has no end (end@s...): it was cut off")
        actions: list[Action] = []
        end = 0
        check: tuple[str, ...] = ()
        for number, part in enumerate(parts[3:], start=4):
            if part.startswith("check="):
                check = tuple(part.removeprefix("check=").split("-"))
            elif part.startswith("end@s") and (number_of_steps := _number(part[5:])) is not None:
                end = number_of_steps
            else:
                actions.append(_parse_action(part, number))
        seed = _number(parts[2].removeprefix("seed="))
        if not parts[2].startswith("seed=") or seed is None:
            raise ReplayError(f"part 3 should be the seed, such as seed=7, and is {parts[2][:40]!r}")
        return cls(parts[1], seed, tuple(actions), end, check)


def checks(journal: Journal) -> tuple[str, ...]:
    """Short digests of a journal at sixteen places, the last of them its end."""
    return tuple(digest[:DIGITS] for digest in journal.digests(places(len(journal))))


def places(steps: int) -> list[int]:
    """Where the digests are taken: `places(160)` is 10, 20 ... 160."""
    return [steps * (place + 1) // PLACES for place in range(PLACES)]


def compare(journal: Journal, scenario: Scenario) -> None:
    """Raise ReplayError if the journal of a replay is not that of the original run."""
    if not scenario.check or scenario.check == (found := checks(journal)):
        return
    whole = sum(len(digest) == DIGITS for digest in scenario.check)
    if len(scenario.check) != PLACES or whole != PLACES:
        raise ReplayError(f"a check has {PLACES} whole digests, and this one has {whole}: it was cut off")
    same = next(i for i, (ours, theirs) in enumerate(zip(found, scenario.check, strict=True)) if ours != theirs)
    marks = [0, *places(scenario.end_step)]
    raise ModelChanged(
        "the line has been edited, or the model has changed, since this replay string was made: the run is the same up "
        f"to step {marks[same]}, and differs by step {marks[same + 1]} of {scenario.end_step}; without its part "
        "check=... the line is played as it stands"
    )


def _split(text: str) -> list[str]:
    """Split at semicolons, except inside quotes."""
    parts, quote, start, skip = [], "", 0, False
    for index, character in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ";":
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _number(digits: str) -> int | None:
    """The number that these digits write, or None: `isdigit` alone is true of "²", and `int` refuses a long one."""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


def _parse_action(text: str, number: int) -> Action:
    call, _, when = text.rpartition("@")
    try:
        verb, arguments, options = parse_call(call)
    except ValueError as error:
        raise ReplayError(f"part {number} of the replay string is no action: {error}") from None
    if when.startswith("s") and (step := _number(when[1:])) is not None:
        return Action(verb, arguments, options, step=step)
    if when.endswith("us") and (at_us := _number(when[:-2])) is not None:
        return Action(verb, arguments, options, at_us=at_us)
    raise ReplayError(f"part {number} of the replay string should say when, as @s412 or @1250000us, not @{when[:20]}")


def parse_call(text: str) -> tuple[str, tuple[Any, ...], tuple[tuple[str, Any], ...]]:
    """Read `name(1, 'two', three=3)` as literals, evaluating nothing.  Raises ValueError."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{text[:60]!r} cannot be read as Python") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError(f"{text[:60]!r} is not of the form name(...)")
    try:
        arguments = tuple(ast.literal_eval(argument) for argument in call.args)
        options = tuple((keyword.arg or "**", ast.literal_eval(keyword.value)) for keyword in call.keywords)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(f"{text[:60]!r} has an argument that is not a literal") from None
    return call.func.id, arguments, options
