"""What can be done to a thing in the picture: which words the menu has, and which verb of the run each calls.

The law of this file: one entry, one call of one verb of `Run`, written as the line of Python that it is.  The menus of
the scene, and the dropdowns beside it, are made of the same table.

In the words and in the arguments stand, for what was chosen: {name}; of a wire, {name} and {other}; {group}, of a zone
the machines in it, of a machine itself alone; and {party}, these together with the clients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from durable_redis.console.rows import KILLED, OFF, STARTING, UP

NAME, OTHER, GROUP, PARTY = "{name}", "{other}", "{group}", "{party}"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do: the words in the menu, the verb and its arguments, and the words on the button."""

    words: str
    verb: str
    arguments: tuple[Any, ...]
    button: str
    harm: bool = False
    timed: bool = True  # the verb takes `at_ms`
    options: Mapping[str, Any] = field(default_factory=dict)


_CRASHES = (
    Act("power loss", "crash", (NAME, "power loss"), "crash {name}", harm=True),
    Act("kill the process", "crash", (NAME, "process kill"), "crash {name}", harm=True),
    Act("lose the disk", "crash", (NAME, "disk loss"), "crash {name}", harm=True),
)
_CRASHES_OFF = tuple(act for act in _CRASHES if act.arguments[1] != "process kill")
_DISK = (
    Act("slow disk: fsync +500 ms", "slow_disk", (NAME, 500), "slow {name} down"),
    Act("failing fsyncs", "fail_disk", (NAME, "fsync"), "break fsync of {name}"),
    Act("failing writes", "fail_disk", (NAME, "write"), "break writes of {name}"),
    Act("heal the disk", "heal_disk", (NAME,), "heal {name}"),
)
_RESTART = Act("restart", "restart", (NAME,), "restart {name}")
_WRITES = (
    Act("write 1 value", "write", (1,), "write", timed=False),
    Act("write 20 values, one every 10 ms", "write", (20,), "write", timed=False),
    Act("write 200 values, one every 10 ms", "write", (200,), "write", timed=False),
)
_HEAL = Act("heal the whole network", "heal_network", (), "heal the network")
_SNAPSHOT = Act(
    "take a snapshot now", "command", ("SNAPSHOT",), "take a snapshot", timed=False, options={"node": "snapshotter"}
)
_STALLS = (
    Act("pause for 2 s", "pause", (NAME, 2000), "pause {name}"),
    Act("pause for 5 s", "pause", (NAME, 5000), "pause {name}"),
    Act("pause for 60 s", "pause", (NAME, 60_000), "pause {name}"),
    Act("cut off from everybody", "partition", (GROUP,), "cut {name} off"),
    _HEAL,
)
_WIRE = (
    Act("cut it", "cut", (NAME, OTHER), "cut it", harm=True),
    Act("cut only {name} → {other}", "cut", (NAME, OTHER), "cut one way", harm=True, options={"both": False}),
    Act("cut only {other} → {name}", "cut", (OTHER, NAME), "cut one way", harm=True, options={"both": False}),
    Act("{name} → {other} 200 ms slower", "delay", (NAME, OTHER, 200), "slow it down"),
    Act("{other} → {name} 200 ms slower", "delay", (OTHER, NAME, 200), "slow it down"),
    _HEAL,
)
_ZONE = (
    Act("power loss everywhere in it", "outage", (NAME, "power loss"), "darken zone {name}", harm=True),
    Act("kill every process in it", "outage", (NAME, "process kill"), "darken zone {name}", harm=True),
    Act("cut it off", "partition", (GROUP,), "cut zone {name} off", harm=True),
    Act("cut it off, the clients with it", "partition", (PARTY,), "cut zone {name} off", harm=True),
    Act("start again what is down", "restore", (NAME,), "restore zone {name}"),
    _HEAL,
)

ALONE: Mapping[str, tuple[Act, ...]] = {
    str(UP): (*_CRASHES, *_DISK),
    str(STARTING): (*_CRASHES, *_DISK),
    str(KILLED): (_RESTART, *_CRASHES_OFF, *_DISK),
    str(OFF): (_RESTART, *_DISK),
    "client": _WRITES,
}
"""In a room with one node: the acts, by the state of the node; and those of the client."""
MANY: Mapping[str, tuple[Act, ...]] = {
    str(UP): (*_CRASHES, *_DISK, *_STALLS),
    str(STARTING): (*_CRASHES, *_DISK, *_STALLS),
    str(KILLED): ALONE[str(KILLED)],
    str(OFF): ALONE[str(OFF)],
    "control 0": (*_CRASHES, *_STALLS),
    "control 1": (_RESTART,),
    "snapshotter 0": (_SNAPSHOT, *_CRASHES, *_STALLS),
    "snapshotter 1": (_RESTART,),
    "client": _WRITES,
    "wire": _WIRE,
    "zone": _ZONE,
}
"""In a room with many machines.  A control (a sentinel, an endpoint) is up (0), or down (1); one of them, the
snapshotter, can be told what to do."""


def call(verb: str, arguments: Sequence[Any], at_ms: float | None = None, options: Mapping[str, Any] = {}) -> str:
    """The line of Python: `run.crash('n1', 'power loss')`."""
    words = [repr(argument) for argument in arguments]
    words += [f"{name}={value!r}" for name, value in options.items()]
    if at_ms is not None:
        words.append(f"at_ms={int(at_ms) if at_ms == int(at_ms) else at_ms}")
    return f"run.{verb}({', '.join(words)})"


def table(many: bool) -> Mapping[str, tuple[Act, ...]]:
    """The acts, by what they are done to."""
    return MANY if many else ALONE


def menus(many: bool) -> dict[str, list[dict[str, Any]]]:
    """The table as plain data."""
    return {thing: [asdict(act) for act in acts] for thing, acts in table(many).items()}
