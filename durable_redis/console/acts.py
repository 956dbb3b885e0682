"""What can be done to a thing in the picture: which words the menu has, and which verb of the run each calls.

The law of this file: one entry, one call of one verb of `Run`, written as the line of Python that it is.  The menus of
the scene, and the dropdowns beside it, are made of the same table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from durable_redis.console.film import KILLED, OFF, STARTING, UP

NODE = "{node}"
"""Stands for the name of the node that was chosen."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do: the words in the menu, the verb and its arguments, and the words on the button."""

    words: str
    verb: str
    arguments: tuple[Any, ...]
    button: str
    harm: bool = False
    timed: bool = True  # the verb takes `at_ms`


_CRASHES = (
    Act("power loss", "crash", (NODE, "power loss"), "crash {node}", harm=True),
    Act("kill the process", "crash", (NODE, "process kill"), "crash {node}", harm=True),
    Act("lose the disk", "crash", (NODE, "disk loss"), "crash {node}", harm=True),
)
_DISK = (
    Act("slow disk: fsync +500 ms", "slow_disk", (NODE, 500), "slow {node} down"),
    Act("failing fsyncs", "fail_disk", (NODE, "fsync"), "break fsync of {node}"),
    Act("failing writes", "fail_disk", (NODE, "write"), "break writes of {node}"),
    Act("heal the disk", "heal_disk", (NODE,), "heal {node}"),
)
_RESTART = Act("restart", "restart", (NODE,), "restart {node}")
_WRITES = (
    Act("write 1 value", "write", (1,), "write", timed=False),
    Act("write 20 values, one every 10 ms", "write", (20,), "write", timed=False),
    Act("write 200 values, one every 10 ms", "write", (200,), "write", timed=False),
)
MENUS: Mapping[int | str, tuple[Act, ...]] = {
    UP: (*_CRASHES, *_DISK),
    STARTING: (*_CRASHES, *_DISK),
    KILLED: (_RESTART, *(act for act in _CRASHES if act.arguments[1] != "process kill"), *_DISK),
    OFF: (_RESTART, *_DISK),
    "client": _WRITES,
}
"""The acts, by the state of the node; and those of the client."""


def call(verb: str, arguments: Sequence[Any], at_ms: float | None = None) -> str:
    """The line of Python: `run.crash('n1', 'power loss')`."""
    words = [repr(argument) for argument in arguments]
    if at_ms is not None:
        words.append(f"at_ms={int(at_ms) if at_ms == int(at_ms) else at_ms}")
    return f"run.{verb}({', '.join(words)})"


def menus() -> dict[str, list[dict[str, Any]]]:
    """The table as plain data."""
    return {str(state): [asdict(act) for act in acts] for state, acts in MENUS.items()}
