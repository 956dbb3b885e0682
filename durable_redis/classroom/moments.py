"""Moments: at which step of a run something was noted, so that a picture can be taken there; and what is in the files.

The law of this file: everything is read off the journal and the disks; nothing is played.
"""

from __future__ import annotations

from durable_redis.contract import Note
from durable_redis.lab.errors import LabError
from durable_redis.lab.run import Run


def noted(run: Run, kind: str, machine: str = "", after: int = 0, **facts: object) -> int:
    """The first step behind `after` at which a machine noted this, with these facts: `noted(run, "role", "n2")`.

    Raises LabError if nobody did."""
    steps = run.playback.world.journal.steps
    for number, step in enumerate(steps[after:], start=after + 1):
        what = step.what
        if isinstance(what, Note) and what.kind == kind and machine in ("", step.machine) and _has(what, facts):
            return number
    raise LabError(f"nobody noted {kind!r} {facts or ''} behind step {after}: the run has {run.steps} steps")


def _has(note: Note, facts: dict[str, object]) -> bool:
    return all(note.facts.get(name) == value for name, value in facts.items())


def in_files(run: Run, node: str, values: list[str]) -> int:
    """How many of these values stand in some file on the disk of a node, whether or not a process runs there."""
    files = run.playback.world.machine(node).disk.files.values()
    content = b"\n".join(bytes(file.platter) for file in files)
    return sum(f"\r\n{value}\r\n".encode() in content for value in values)
