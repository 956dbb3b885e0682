"""What the console labs ask: one module a chapter, `lab00` to `lab14`, found by its name.

Such a module has `TASKS`, a tuple of `lab.tasks.Task`; their conditions are in `conditions`.  The chapter tells the
same tasks in its prose, word for word, and each has a recorded solution in `tests/clicks.py`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from durable_redis.classroom.errors import ClassroomError
from durable_redis.lab.tasks import Task


@cache
def labs() -> dict[str, tuple[Task, ...]]:
    """The tasks of each chapter, by its number: `{"00": ...}`."""
    names = sorted(module.name for module in iter_modules(__path__) if re.fullmatch(r"lab\d\d", module.name))
    return {name[3:]: import_module(f"{__name__}.{name}").TASKS for name in names}


def tasks(chapter: str) -> tuple[Task, ...]:
    """The tasks of a chapter's console lab, "00" to "14".  Raises ClassroomError if there are none."""
    if chapter not in labs():
        raise ClassroomError(f"there are no tasks for chapter {chapter!r}: there are for {', '.join(labs())}")
    return labs()[chapter]
