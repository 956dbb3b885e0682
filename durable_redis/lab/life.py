"""The life of one write: the steps at which it was sent, executed, written, answered, synced, lost or recovered.

life = run.life("w108")
print(life)                       # one line an event, with its time
run.picture(life.answered)        # the room at that step
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Append, Note, Send
from durable_redis.lab.client import Operation
from durable_redis.lab.errors import LabError
from durable_redis.lab.logreach import Position
from durable_redis.sim.faults import Crashed
from durable_redis.sim.journal import Step, Synced

if TYPE_CHECKING:
    from durable_redis.lab.run import Run

WORDS = {
    "sent": "accept   the client sends it",
    "executed": "accept   the server executes it: it is in RAM (and in the AOF buffer, if there is a log)",
    "written": "buffer   the server writes the AOF buffer: it is in the page cache",
    "held": "tracker  the answer has to wait for the log",
    "logged": "log      the log says that it has it: on platters in two zones at least",
    "answered": "promise  the server says OK",
    "copied": "copy     a replica has executed it, too",
    "synced": "sync     an fsync ends: it is on the platter",
    "crashed": "fail     the node goes down",
    "recovered": "recover  the node is up again, with what it found on its disk",
}
EXECUTED = "accept   the server executes it: it is in RAM"
"""Where the only log is a shared one."""


@dataclass(frozen=True, slots=True)
class Life:
    """The steps of one write; None for what did not happen (yet).  `times_us` has the time of each, `fate` what a
    restart made of it."""

    key: str
    sent: int
    executed: int | None = None
    written: int | None = None
    answered: int | None = None
    synced: int | None = None
    crashed: int | None = None
    recovered: int | None = None
    copied: int | None = None
    held: int | None = None
    logged: int | None = None
    times_us: tuple[tuple[str, int], ...] = ()
    fate: str = ""

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that there are, in order."""
        return tuple(sorted(step for name in WORDS if (step := getattr(self, name)) is not None))

    def __str__(self) -> str:
        lines = [f"the life of {self.key}"]
        for name, at_us in sorted(self.times_us, key=lambda pair: getattr(self, pair[0])):
            words = EXECUTED if name == "executed" and self.held is not None else WORDS[name]
            lines.append(f"  {at_us / 1000:10.3f} ms  step {getattr(self, name):5}  {words}")
        if self.fate:
            lines.append(f"  {self.fate}")
        return "\n".join(lines)

    __repr__ = __str__


def life(run: Run, key: str, value: str | None = None) -> Life:
    """Follow the newest SET of this key (to this value) through the journal.  Raises LabError if there is none."""
    if not isinstance(key, str) or not isinstance(value, str | None):
        raise LabError(f"a key and a value are text, such as life('w7'), not {key!r} and {value!r}")
    words = [key.encode()] if value is None else [key.encode(), value.encode()]
    written = [
        operation
        for operation in run.playback.data_operations()
        if operation.argv[0].upper() == b"SET" and operation.argv[1 : len(words) + 1] == words
    ]
    if not written:
        to = "" if value is None else f" to {value!r}"
        raise LabError(f"no client has sent a SET of {key!r}{to} yet")
    operation = written[-1]
    steps = run.playback.world.journal.steps
    found = dict(_events(operation, steps))
    times = tuple((name, steps[number - 1].at_us) for name, number in found.items())
    return Life(key, **found, times_us=times, fate=_fate(run, operation, found))


def _fate(run: Run, operation: Operation, found: dict[str, int]) -> str:
    if "recovered" not in found:
        return ""
    ledger = run.playback.ledger(operation.node)
    if (operation.connection, operation.command) in ledger.lost_in:
        return "gone: the restart did not find it"
    if "synced" in found or (operation.connection, operation.command) not in ledger.index:
        return ""
    crash = run.playback.world.journal.steps[found["crashed"] - 1].what
    luck = isinstance(crash, Crashed) and crash.kind == "power loss"
    return "kept, by luck: it was on the platter, though no fsync had covered it" if luck else "kept"


def _events(operation: Operation, steps: list[Step]) -> Iterator[tuple[str, int]]:
    """(name, step number) of everything that happens to this write, in order; each at most once."""
    node = operation.node
    position: Position | None = None
    stream: tuple[str, int] | None = None
    seen: dict[str, None] = {}
    commands = 0
    for number, step in enumerate(steps, start=1):
        name = ""
        match step.what:
            case Send(connection=connection) if connection == operation.connection and step.machine != node:
                commands += 1
                name = "sent" if commands == operation.command else ""
            case Note(kind="executed", facts=facts) if (facts["connection"], facts["command"]) == (
                operation.connection,
                operation.command,
            ):
                position = facts["incr"], facts["end"]
                stream = facts.get("replid", ""), facts.get("offset", 0)
                name = "executed"
            case Note(kind="applied", facts=facts) if stream is not None and facts["replid"] == stream[0]:
                name = "copied" if facts["offset"] >= stream[1] else ""
            case Note(kind="held", facts=facts) if (facts["connection"], facts["command"]) == (
                operation.connection,
                operation.command,
            ):
                name = "held"
            case Note(kind="appended", facts=facts) if stream is not None and step.machine == node:
                name = "logged" if facts["offset"] >= stream[1] else ""
            case Append(path=path) if position is not None and step.machine == node and path.endswith(".incr.aof"):
                name = "written"
            case Send(connection=connection) if position is not None and connection == operation.connection:
                name = "answered" if step.machine == node else ""
            case Synced(path=path, size=size, error="") if position is not None and f".{position[0]}.incr." in path:
                name = "synced" if size >= position[1] and step.machine == node else ""
            case Crashed(machine=machine) if "sent" in seen and machine == node:
                name = "crashed"
            case Note(kind="ready") if "crashed" in seen and step.machine == node:
                name = "recovered"
        if name and name not in seen and not ("crashed" in seen and name != "recovered"):
            seen[name] = None
            yield name, number
