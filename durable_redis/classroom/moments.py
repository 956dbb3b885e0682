"""Moments: at which step of a run something happened, so that a picture can be taken there; what was decided about the
replicas that asked; and what is in the files.

The law of this file: everything is read off the journal and the disks; nothing is played.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.contract import Note
from durable_redis.formats.resp import ErrorReply, Reply, Status
from durable_redis.lab.errors import LabError
from durable_redis.lab.life import Life
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


def decided(run: Run, after: int = 0) -> Iterator[int]:
    """The steps behind `after` at which a primary decided whether a replica that had asked may go on."""
    for number, step in enumerate(run.playback.world.journal.steps[after:], start=after + 1):
        match step.what:
            case Note(kind="replica", facts={"state": "full sync"}):
                yield number
            case Note(kind="replica", facts={"state": "online", "why": why}) if not why.startswith(
                "it has the snapshot"
            ):
                yield number  # otherwise it is the end of a full sync, which was decided earlier


def decisions(run: Run, after_ms: float = 0) -> str:
    """What primaries decided about replicas that asked for the stream, a line each: when, who, what, and why."""
    lines = []
    for number in decided(run, after=run.step_at(after_ms)):
        step = run.playback.world.journal.steps[number - 1]
        assert isinstance(step.what, Note)
        facts = step.what.facts
        sync = "full" if facts["state"] == "full sync" else "partial"
        lines.append(f"{step.at_us / 1e6:.3f} s  {step.machine} to {facts['name']}: {sync}, {facts['why']}")
    return "\n".join(lines) or "nobody has asked"


def heard(run: Run, key: str) -> int:
    """The step at which the client got the answer to its SET of this key."""
    [at_us] = [row.answered_us for row in run.receipt().rows if row.key == key]
    assert at_us is not None, f"the SET of {key} was never answered"
    return run.step_at(at_us / 1000)


def conversation(run: Run) -> str:
    """What each client asked, and what it was told, a line each, in the order of asking."""
    lines = []
    for call in run.history():
        told = {"ok": _shown(call.reply), "waiting": "(no answer yet)", "unknown": "(no answer)"}.get(call.outcome)
        took = f"after {(call.answered_us - (call.sent_us or 0)) / 1000:.1f} ms" if call.answered_us else ""
        words = b" ".join(call.argv).decode()
        lines.append(
            f"{call.connection.partition('>')[0]:8} {words:12} {told or _shown(call.reply):16} {took}".rstrip()
        )
    return "\n".join(lines)


def _shown(reply: Reply) -> str:
    if reply is None:
        return "(nil)"
    text = reply.text if isinstance(reply, Status | ErrorReply) else reply
    return text.decode() if isinstance(text, bytes) else str(text)


def on_platters(run: Run, life: Life) -> dict[str, int]:
    """The step at which each zone of the shared log had the record of this write on its platter; and "committed", at
    which a majority was known to have it.

    Raises LabError if the log never got it."""
    if life.logged is None:
        raise LabError(f"the log has never got {life.key}")
    note = run.playback.world.journal.steps[life.logged - 1].what
    assert isinstance(note, Note)
    index = int(note.facts["index"])
    found: dict[str, int] = {}
    for step in range(life.sent, run.steps + 1):
        machines = run.frame(step).machines
        for name in (name for name in run.deployment.logs if name not in found):
            stored = str(machines[name].node.get("stored", "0-0"))
            if int(stored.rpartition("-")[2]) >= index:
                found[name] = step
        if len(found) == len(run.deployment.logs):
            break
    return found | {"committed": noted(run, "committed", after=life.sent, index=index)}
