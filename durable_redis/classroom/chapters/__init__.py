"""What the chapters ask: one module a chapter, `ch00` to `ch14`, found by its name.

Such a module is a table: `EXERCISES`, a tuple of `checking.Exercise`, and `QUESTIONS`, a tuple of `quiz.Question` for
the end of the chapter.  The runs that they need are functions in `trials`, or in the module itself; the only state is
what a cache keeps of a run that would come out the same again.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING

from durable_redis.classroom.errors import ClassroomError

if TYPE_CHECKING:
    from durable_redis.classroom.checking import Exercise
    from durable_redis.classroom.quiz import Question


@cache
def tables() -> dict[str, ModuleType]:
    """The modules of the chapters, by number: `{"00": ...}`."""
    names = sorted(module.name for module in iter_modules(__path__) if re.fullmatch(r"ch\d\d", module.name))
    return {name[2:]: import_module(f"{__name__}.{name}") for name in names}


def exercises() -> list[Exercise]:
    """Every exercise of the book."""
    return [exercise for table in tables().values() for exercise in table.EXERCISES]


def exercise(name: str) -> Exercise:
    """An exercise by its name.  Raises ClassroomError if there is none."""
    for each in exercises():
        if each.name == name:
            return each
    raise ClassroomError(f"there is no exercise {name!r}: there is {', '.join(each.name for each in exercises())}")


def questions(chapter: str) -> tuple[Question, ...]:
    """The exit questions of a chapter, "00" to "14".  Raises ClassroomError if there are none."""
    if chapter not in tables():
        raise ClassroomError(f"there are no questions on chapter {chapter!r}: there are on {', '.join(tables())}")
    found: tuple[Question, ...] = tables()[chapter].QUESTIONS
    return found
