"""A film: everything that a branch of a run has to show, in columns that grow as the branch is played.

The law of this file: a film only ever grows.  Reading on after a click costs what the new steps cost, and no more; what
is in a film came from the journal and from the lab's recording, and every number of it is the lab's.

Columns, by step (0 is the room before anything): `at_us`, and `said`, an index into `texts`.  By change: for each node
and client the steps at which its picture changed, and a row of numbers for each (`NODE_ROW`, `CLIENT_ROW`).  By event:
`writes`, `messages`, `marks`, `fsyncs`, `beats`.  `durable_redis.console.model` looks things up in it; `film.js`
does the same in the browser, from the same columns, so that scrubbing needs no kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_redis.console.story import Teller, label
from durable_redis.contract import Fsync, Note, Rename, Send
from durable_redis.lab.deployments import OPERATOR
from durable_redis.lab.playback import Playback
from durable_redis.lab.recording import Flight, MachineFrame
from durable_redis.sim.faults import Crashed, Hold, Release, Restart
from durable_redis.sim.journal import Step, Synced

UP, STARTING, KILLED, OFF = range(4)
"""The state of a node: its process runs; it runs and recovers; the process is gone; the machine has no power."""
NODE_ROW = (
    *("state", "executed", "written", "platter", "snapshot", "durable_snapshot", "acknowledged"),
    *("process kill", "power loss", "disk loss"),  # how many acknowledged writes each would erase now
    *("role", "note", "since_us"),  # two indices into texts; since when it is down
)
Row = Mapping[str, int]
"""The numbers of a node, by the names in `NODE_ROW`."""
CLIENT_ROW = ("text",)
LOG = ".incr.aof"
MOST_PILLS = 3
"""More clients than that are drawn as one crowd."""
FSYNCING = "fsync running"
FALLEN = {"power loss": "power lost", "process kill": "process killed", "disk loss": "disk lost"}


@dataclass(slots=True)
class Written:
    """A write that the server executed: where it stands among the others, and the steps that mattered to it."""

    name: str
    place: int
    executed: int
    number: int  # among all writes of the film
    answered: int = 0  # 0: not yet
    lost: int = 0  # the step at which a restart did not find it

    def row(self) -> list[str | int]:
        return [self.name, self.place, self.executed, self.answered, self.lost]


@dataclass(slots=True)
class Span:
    """An fsync of a log: from its first step to its last.  One that the power cut off ended, and is not `whole`."""

    machine: str
    begin: int
    end: int = 0  # 0: still running
    whole: bool = False


@dataclass(slots=True)
class Column:
    """The pictures of one machine: the steps at which they changed, and a row each."""

    steps: list[int] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    read: int = 0  # how many pictures of the recording were read


class Film:
    """The film of one branch; `read()` makes it go on to the last step."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.nodes: dict[str, Column] = {name: Column() for name in playback.deployment.nodes}
        workers = playback.deployment.clients
        self.crowd = f"{len(workers)} clients" if len(workers) > MOST_PILLS else ""
        self.clients: dict[str, Column] = {name: Column() for name in (*(() if self.crowd else workers), OPERATOR)}
        self.at_us = [0]
        self.texts: list[str] = []
        self.said: list[int] = []
        self.beats: list[int] = []
        self.writes: list[Written] = []
        self.marks: list[tuple[str, int, str]] = []  # (kind, at_us, machine)
        self.fsyncs: list[Span] = []
        self.holds: dict[int, list[list[int]]] = {}  # message -> [from step, to step (0: still)]
        self.has_snapshots = False
        self._numbers: dict[str, int] = {}
        self._labels: dict[int, int] = {}
        self._teller = Teller(playback.deployment.nodes, playback.deployment.config)
        self._standing: list[Written] = []  # executed and not lost, in order
        self._unanswered: dict[str, list[Written]] = {}
        self._fsyncing: dict[tuple[str, str, str], Span] = {}  # machine, task, file
        self.said.append(self.number("the room, before anything happens"))
        self.read()

    @property
    def steps(self) -> int:
        """How many steps were read."""
        return len(self.at_us) - 1

    def read(self) -> None:
        """Take in every step that was played since the last time."""
        steps = self.playback.world.journal.steps
        for number in range(self.steps + 1, len(steps) + 1):
            step = steps[number - 1]
            told = self._teller.tell(step)
            self.at_us.append(step.at_us)
            self.said.append(self.number(told.text))
            if told.beat:
                self.beats.append(number)
            self._event(number, step)
        self._pictures()

    def time_us(self, step: int) -> int:
        """The time of a step; at the end of the branch, the time until which it was played."""
        return max(self.at_us[step], self.playback.world.now_us) if step == self.steps else self.at_us[step]

    def number(self, text: str) -> int:
        """The number of a text in the table of texts."""
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return found

    def message(self, flight: Flight) -> list[Any]:
        """A message as a row: number, from, to, label, first step, last step (0: in flight), holds."""
        segment = flight.segment
        name = self._labels.get(segment.number)
        if name is None:
            reply = segment.direction.source in self.nodes
            text = label(segment.data, reply) if segment.kind == "data" else segment.kind
            name = self._labels[segment.number] = self.number(text)
        ends = [self.pill(segment.direction.source), self.pill(segment.direction.target)]
        return [segment.number, *ends, name, flight.first, flight.last or 0, self.holds.get(segment.number, [])]

    def pill(self, machine: str) -> str:
        """The name under which a machine is drawn: its own, or that of the crowd to which it belongs."""
        return machine if machine in self.nodes or machine in self.clients else self.crowd

    # -- events ------------------------------------------------------------------------------------------------------

    def _event(self, number: int, step: Step) -> None:
        """What an event means for the writes, and for the marks of the timeline."""
        machine, at_us = step.machine, step.at_us
        match step.what:
            case Note(kind="executed", facts=facts):
                key = facts["connection"], facts["command"]
                name = self._teller.names.get(key, f"#{len(self._standing) + 1}")
                write = Written(name, len(self._standing), number, len(self.writes))
                self.writes.append(write)
                self._standing.append(write)
                self._unanswered.setdefault(facts["connection"], []).append(write)
            case Send(connection=connection) if machine in self.nodes:
                for write in self._unanswered.pop(connection, ()):
                    write.answered = number
                    self.marks.append(("ok", at_us, machine))
            case Fsync(path=path) if path.endswith(LOG):
                self._fsyncing[machine, step.task, path] = span = Span(machine, number)
                self.fsyncs.append(span)
            case Synced(path=path, error=error):
                self._synced(number, step, path, error)
            case Rename(new=new) if new == self.playback.deployment.config.dbfilename:
                self.has_snapshots |= machine == self.playback.deployment.nodes[0]  # a replica renames what it was sent
                self.marks.append(("snapshot", at_us, machine))
            case Note(kind="rewritten"):
                self.marks.append(("rewrite", at_us, machine))
            case Note(kind="ready"):
                self._recovered(number)
            case Crashed(kind=kind):
                self._unanswered.clear()
                if kind != "process kill":  # a kernel ends the fsync of a process that is gone
                    self._cut_off(number)
                self.marks.append(("crash", at_us, machine))
            case Restart():
                self.marks.append(("restart", at_us, step.what.machine))
            case Hold(message=message):
                self.holds.setdefault(message, []).append([number, 0])
            case Release(message=message):
                self.holds[message][-1][1] = number

    def _synced(self, number: int, step: Step, path: str, error: str) -> None:
        span = self._fsyncing.pop((step.machine, step.task, path), None)
        if span is not None:
            span.end, span.whole = number, not error
        if error:
            self.marks.append(("error", step.at_us, step.machine))
        elif path.endswith(LOG):
            self.marks.append(("fsync", step.at_us, step.machine))

    def _cut_off(self, number: int) -> None:
        for span in self._fsyncing.values():
            span.end = number
        self._fsyncing.clear()

    def _recovered(self, number: int) -> None:
        """A node is up again: the writes that it did not find are lost."""
        node = self.playback.deployment.nodes[0]
        recording = self.playback.recording
        assert recording is not None, "a film is made of a recorded run"
        kept = recording.machine_at(node, number).marks.executed
        for write in self._standing[kept:]:
            write.lost = number
        del self._standing[kept:]

    # -- pictures ----------------------------------------------------------------------------------------------------

    def _pictures(self) -> None:
        recording = self.playback.recording
        assert recording is not None, "a film is made of a recorded run"
        for columns, row_of in ((self.nodes, self._node_row), (self.clients, self._client_row)):
            for name, column in columns.items():
                steps, frames = recording.pictures(name)
                for place in range(column.read, len(frames)):
                    row = row_of(frames[place])
                    if not column.rows or column.rows[-1] != row:
                        column.steps.append(steps[place])
                        column.rows.append(row)
                column.read = len(frames)

    def _node_row(self, frame: MachineFrame) -> list[int]:
        marks, risk = frame.marks, frame.at_risk or {}
        state = _state(frame)
        return [
            state,
            marks.executed if state == UP else 0,  # a server that is still loading holds nothing yet
            marks.written,
            marks.platter,
            marks.snapshot,
            marks.durable_snapshot,
            frame.acknowledged,
            *(risk.get(crash, 0) for crash in ("process kill", "power loss", "disk loss")),
            self.number(str(frame.node.get("role", ""))),
            self.number(_note(frame)),
            0 if frame.up else frame.down_since_us,
        ]

    def _client_row(self, frame: MachineFrame) -> list[int]:
        view = frame.node
        if not view.get("connected"):
            return [self.number("not connected")]
        text = f"{view['acknowledged']:,} OK" if view["acknowledged"] else "no OK yet"
        if view["waiting"]:
            text += " · waiting"
        return [self.number(text)]

    @property
    def operator_was_here(self) -> bool:
        """Whether anybody sent a command from the operator's machine."""
        process = self.playback.world.machines[OPERATOR].process
        return process is not None and bool(getattr(process.node, "operations", ()))


def _state(frame: MachineFrame) -> int:
    if frame.up:
        return UP if frame.node.get("ready") else STARTING
    return KILLED if frame.powered else OFF


def _note(frame: MachineFrame) -> str:
    """The state of a node, in two or three words."""
    if not frame.up:
        return FALLEN.get(frame.last_crash, frame.last_crash)
    words = ["up" if frame.node.get("ready") else "starting"]
    if frame.node.get("child"):
        words.append(f"{frame.node['child']} runs")
    if frame.extra_fsync_us:
        words.append(f"fsync +{frame.extra_fsync_us / 1000:g} ms")
    words += [f"{operation} fails" for operation in frame.failing]
    return " · ".join(words)
