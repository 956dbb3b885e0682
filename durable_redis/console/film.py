"""A film: everything that a branch of a run has to show, in columns that grow as the branch is played.

The law of this file: a film only ever grows.  Reading on after a click costs what the new steps cost, and no more; what
is in a film came from the journal and from the lab's recording, and every number of it is the lab's.

Columns, by step (0 is the room before anything): `at_us`, and `said`, an index into `texts`.  By change: for each
machine the steps at which its picture changed, and a row of numbers for each (see `rows`); likewise the links, and for
each share of the data its head, the server to which a client would be sent.  By event: `writes`, `messages`, `marks`,
`fsyncs`, `beats`.  `durable_redis.console.model` looks things up in it; `film.js` does the same in the browser, from
the same columns, so that scrubbing needs no kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from durable_redis.console import messages
from durable_redis.console.lineage import NOTHING, Lineage
from durable_redis.console.network import Links
from durable_redis.console.rows import client_values, control_values, node_values
from durable_redis.console.story import Teller
from durable_redis.contract import Fsync, Note, Rename, Send
from durable_redis.lab.deployments import OPERATOR, Deployment
from durable_redis.lab.playback import Playback
from durable_redis.lab.recording import Flight, MachineFrame
from durable_redis.sim.faults import Crashed, Hold, Pause, Release, Restart
from durable_redis.sim.journal import Step, Synced

LOG = ".incr.aof"
MOST_PILLS = 3
"""More clients than that are drawn as one crowd."""
FSYNCING = "fsync running"
DECIDES = ("role", "primary", "config_epoch", "epoch", "slots")
"""What in the view of a machine may change to whom a client is sent."""


def many(deployment: Deployment) -> bool:
    """Whether there is more than one machine beside the clients."""
    return len(deployment.nodes) + len(deployment.controls) > 1


@dataclass(slots=True)
class Written:
    """A write that a server executed: where it stands among the others, and the steps that mattered to it."""

    name: str
    line: int
    place: int
    executed: int
    number: int  # among all writes of the film
    share: int
    answered: int = 0  # 0: not yet

    def row(self) -> list[str | int]:
        return [self.name, self.place, self.executed, self.answered, self.line, self.share]


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

    def add(self, step: int, row: list[int]) -> None:
        """From this step on it looks so."""
        if self.steps and self.steps[-1] == step:
            self.steps.pop()
            self.rows.pop()
        if self.rows and self.rows[-1] == row:
            return
        self.steps.append(step)
        self.rows.append(row)


class Film:
    """The film of one branch; `read()` makes it go on to the last step."""

    def __init__(self, playback: Playback) -> None:
        assert playback.recording is not None, "a film is made of a recorded run"
        deployment = playback.deployment
        self.playback = playback
        self.recording = playback.recording
        self.many = many(deployment)
        self.has_log = deployment.has_log
        self.logs = list(deployment.logs)
        self.nodes: dict[str, Column] = {name: Column() for name in deployment.nodes}
        self.controls: dict[str, Column] = {name: Column() for name in deployment.controls}
        self.crowd = f"{len(deployment.clients)} clients" if len(deployment.clients) > MOST_PILLS else ""
        workers = () if self.crowd else deployment.clients
        self.clients: dict[str, Column] = {name: Column() for name in (*workers, OPERATOR)}
        self.people = frozenset((*deployment.clients, OPERATOR))
        self.heads: list[Column] = [Column() for _ in deployment.shares]  # rows: [index of the node], or [-1]
        self.at_us = [0]
        self.texts: list[str] = []
        self.said: list[int] = []
        self.beats: list[int] = []
        self.writes: list[Written] = []
        self.lineage = Lineage()
        self.links = Links(self.recording, [*deployment.nodes, *deployment.controls, *deployment.clients])
        self.marks: list[tuple[str, int, str]] = []  # (kind, at_us, machine)
        self.fsyncs: list[Span] = []
        self.holds: dict[int, list[list[int]]] = {}  # message -> [from step, to step (0: still)]
        self.has_snapshots = False
        self._numbers: dict[str, int] = {}
        self._labels: dict[int, int] = {}
        self._teller = Teller(deployment.nodes, deployment.config, self.people)
        self._written: dict[tuple[str, int], Written] = {}
        self._unanswered: dict[tuple[str, str], list[Written]] = {}  # machine, connection
        self._fsyncing: dict[tuple[str, str, str], Span] = {}  # machine, task, file
        self._roles = {name: "replica" for share in deployment.shares for name in share.nodes[1:]}
        self._views: dict[str, Any] = {name: {} for name in (*deployment.nodes, *deployment.controls)}
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
        self.links.read()

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

    def message(self, flight: Flight) -> list[Any] | None:
        """A message as a row: number, from, to, label, first step, last step (0: in flight), holds.  None: chatter."""
        segment = flight.segment
        source, target = segment.direction.source, segment.direction.target
        name = self._labels.get(segment.number)
        if name is None:
            text = messages.shown(source, target, self.people, segment.kind, segment.data)
            name = self._labels[segment.number] = self.number(text)
        if not self.texts[name]:
            return None
        ends = [self.pill(source), self.pill(target)]
        return [segment.number, *ends, name, flight.first, flight.last or 0, self.holds.get(segment.number, [])]

    def pill(self, machine: str) -> str:
        """The name under which a machine is drawn: its own, or that of the crowd to which it belongs."""
        return self.crowd if self.crowd and machine in self.playback.deployment.clients else machine

    # -- events ------------------------------------------------------------------------------------------------------

    def _event(self, number: int, step: Step) -> None:
        """What an event means for the writes, and for the marks of the timeline."""
        machine, at_us = step.machine, step.at_us
        match step.what:
            case Note(kind=kind, facts=facts):
                self._note(number, step, kind, facts)
            case Send(connection=connection) if machine in self.nodes:
                for write in self._unanswered.pop((machine, connection), ()):
                    write.answered = number
                    self.marks.append(("ok", at_us, machine))
            case Fsync(path=path) if path.endswith(LOG):
                self._fsyncing[machine, step.task, path] = span = Span(machine, number)
                if self._leads(machine):
                    self.fsyncs.append(span)
            case Synced(path=path, error=error):
                self._synced(number, step, path, error)
            case Rename(new=new) if new == self.playback.deployment.config.dbfilename and self._leads(machine):
                self.has_snapshots = True
                self.marks.append(("snapshot", at_us, machine))
            case Crashed(kind=kind):
                self._unanswered = {key: writes for key, writes in self._unanswered.items() if key[0] != machine}
                if kind != "process kill":  # a kernel ends the fsync of a process that is gone
                    self._cut_off(number, machine)
                self.marks.append(("crash", at_us, machine))
            case Restart():
                self.marks.append(("restart", at_us, step.what.machine))
            case Pause():
                self.marks.append(("pause", at_us, step.what.machine))
            case Hold(message=message):
                self.holds.setdefault(message, []).append([number, 0])
            case Release(message=message):
                self.holds[message][-1][1] = number

    def _note(self, number: int, step: Step, kind: str, facts: Any) -> None:
        machine, mark = step.machine, ""
        match kind:
            case "executed":
                self._executed(number, machine, facts)
            case "rewritten" if self._leads(machine):
                mark = "rewrite"
            case "role":
                mark = "promotion" if (self._roles.get(machine), facts["role"]) == ("replica", "primary") else ""
                self._roles[machine] = facts["role"]
            case "synced" if facts["how"] == "full":
                mark = "full sync"
            case "leader" | "elected" | "leads" | "log leader":
                mark = "election"
        if mark:
            self.marks.append((mark, step.at_us, machine))

    def _executed(self, number: int, machine: str, facts: Any) -> None:
        key = facts["connection"], facts["command"]
        executed = self.playback.books.writes[key]
        before = self._written[executed.history.writes[executed.place - 1].key] if executed.place else None
        line, place = self.lineage.add(*((before.line, before.place) if before else (NOTHING, NOTHING)))
        asked = self._teller.asked.get(key)
        share = self.playback.deployment.share_of(asked.key) if asked else 0
        name = asked.name if asked else f"#{place + 1}"
        write = self._written[key] = Written(name, line, place, number, len(self.writes), share)
        self.writes.append(write)
        self._unanswered.setdefault((machine, facts["connection"]), []).append(write)

    def _leads(self, machine: str) -> bool:
        """Whether a server is a primary; while it starts, it may not have said so."""
        return self._roles.get(machine, "primary") == "primary"

    def _synced(self, number: int, step: Step, path: str, error: str) -> None:
        span = self._fsyncing.pop((step.machine, step.task, path), None)
        if span is not None:
            span.end, span.whole = number, not error
        if error:
            self.marks.append(("error", step.at_us, step.machine))
        elif path.endswith(LOG) and self._leads(step.machine):
            self.marks.append(("fsync", step.at_us, step.machine))

    def _cut_off(self, number: int, machine: str) -> None:
        for key in [key for key in self._fsyncing if key[0] == machine]:
            self._fsyncing.pop(key).end = number

    # -- pictures ----------------------------------------------------------------------------------------------------

    def _pictures(self) -> None:
        views: list[tuple[int, str, MachineFrame]] = []
        for columns, row_of in (
            (self.nodes, self._node_row),
            (self.controls, lambda frame: control_values(frame, self.number)),
            (self.clients, lambda frame: client_values(frame, self.number)),
        ):
            for name, column in columns.items():
                steps, frames = self.recording.pictures(name)
                for place in range(column.read, len(frames)):
                    column.add(steps[place], row_of(frames[place]))
                    if name in self._views:
                        views.append((steps[place], name, frames[place]))
                column.read = len(frames)
        views.sort(key=lambda found: found[0])
        for step, name, frame in views:
            self._look_for_heads(step, name, frame)

    def _node_row(self, frame: MachineFrame) -> list[int]:
        newest = self._written[frame.newest] if frame.newest else None
        position = (newest.line, newest.place + 1) if newest else (NOTHING, 0)
        return node_values(frame, self.many, position, self.number)

    def _look_for_heads(self, step: int, name: str, frame: MachineFrame) -> None:
        """Ask the deployment where it would send a client, whenever the answer may be another one."""
        before, self._views[name] = self._views[name], frame.node
        if self.heads[0].rows and all(before.get(word) == frame.node.get(word) for word in DECIDES):
            return
        deployment, order = self.playback.deployment, list(self.nodes)
        for share, column in zip(deployment.shares, self.heads, strict=True):
            head = deployment.survivor(self._views, share.key)
            column.add(step, [order.index(head) if head else -1])

    @property
    def operator_was_here(self) -> bool:
        """Whether anybody sent a command from the operator's machine."""
        process = self.playback.world.machines[OPERATOR].process
        return process is not None and bool(getattr(process.node, "operations", ()))
