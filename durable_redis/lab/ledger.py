"""Where are my bytes?  The place of every write, told by marks.

A write is executed at a position of the log (number of the incr file, bytes in it), and positions only grow.  So one
*high-water mark* a place is enough: a write is in a place when the mark of that place has passed it.  The places, from
the most fragile to the most lasting:

    RAM           what the server executed                 (lost with the process)
    page cache    what the server has written               (lost with the power)
    platter       what has been fsynced, or written back    (lost with the disk)
    RDB           what the newest durable snapshot holds     (lost with the disk)

The ledger reads the journal and the disk, after every step, and never the server's mind: it is the truth beside which
the server's own INFO can be laid.  What a crash would leave follows from the marks, and a test crashes at every step to
see whether it is so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import NamedTuple

from durable_redis.contract import Exit, Note, Rename, Send
from durable_redis.formats.aof import Manifest
from durable_redis.formats.aof_manifest import AofError
from durable_redis.redis.config import Config
from durable_redis.sim.disk import File
from durable_redis.sim.faults import CRASHES, Crashed
from durable_redis.sim.journal import Step
from durable_redis.sim.machine import Machine

Position = tuple[int, int]
NOWHERE: Position = (0, 0)
READ_AT_ONCE = (Note, Rename, Exit, Crashed)
"""The kinds of step at which the ledger looks at the disk, and so must be read before the next one."""


class Marks(NamedTuple):
    """How many writes are in each place; the writes of one server are counted in the order of execution.

    After a restart the count goes on from what was recovered: what was lost is not counted any more."""

    executed: int = 0
    written: int = 0  # in the page cache
    platter: int = 0
    snapshot: int = 0  # in the RDB that a restart would find now
    durable_snapshot: int = 0  # in the RDB that a restart would find after a power loss

    def surviving(self, crash: str, appendonly: bool) -> int:
        """How many of them a restart would find if the server crashed now; after a power loss, at least so many."""
        match crash:
            case "process kill":
                return self.written if appendonly else self.snapshot
            case "power loss":
                return self.platter if appendonly else self.durable_snapshot
            case _:
                return 0


@dataclass(slots=True)
class Write:
    """A write that a server executed: by whom it was asked for, and where it stands in the log."""

    connection: str
    command: int
    position: Position
    step: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A write that a restart did not find: the step of the crash (or of the end of the process) after which it was
    nowhere any more, and the place that it had among the others."""

    crash_step: int
    place: int


class Ledger:
    """The writes of one server, in order, and the marks over them."""

    def __init__(self, machine: Machine, config: Config) -> None:
        self.machine = machine
        self.config = config
        self.writes: list[Write] = []  # executed and not lost
        self.index: dict[tuple[str, int], int] = {}  # (connection, command) -> place among the writes
        self.acknowledged: list[int] = []  # the places of those whose reply was sent, ascending
        self._unanswered: dict[str, list[int]] = {}  # connection -> places of those whose reply was not
        self.lost_in: dict[tuple[str, int], Loss] = {}  # (connection, command) -> the crash that lost it
        self._log_is_new = False
        self._positions: list[Position] = []
        self._forked = 0  # writes when the last child was forked
        self._snapshots: list[tuple[File, int]] = []  # RDB files that a restart may find, with the writes in each
        self._crashes: list[tuple[int, int]] = []  # since it was up: the step, and the writes that were left after it
        self._manifest_path = f"{config.appenddirname}/{config.appendfilename}.manifest"
        self._manifests: dict[bytes, Manifest] = {}  # by their text: they are looked at after every step

    # -- reading the journal -----------------------------------------------------------------------------------------

    def read(self, number: int, step: Step) -> None:
        """Take notice of one step of this server's machine."""
        match step.what:
            case Note(kind="executed", facts=facts):
                position = (facts["incr"], facts["end"])
                write = Write(facts["connection"], facts["command"], position, number)
                self.index[write.connection, write.command] = len(self.writes)
                self._unanswered.setdefault(write.connection, []).append(len(self.writes))
                self.writes.append(write)
                self._positions.append(position)
            case Send(connection=connection):  # the promise has left the house
                for place in self._unanswered.pop(connection, ()):
                    insort(self.acknowledged, place)
            case Note(kind="forked"):
                self._forked = len(self.writes)
            case Rename(new=new) if new == self.config.dbfilename:
                self._take_snapshot(self._forked if step.task == "bgsave" else len(self.writes))
            case Crashed() | Exit():
                self._unanswered.clear()
                self._crashes.append((number, self.marks().surviving("process kill", self.config.appendonly)))
            case Note(kind="log begun"):
                self._log_is_new = True
            case Note(kind="ready", facts=facts):
                self._recovered((facts["incr"], facts["end"]), number)

    def _take_snapshot(self, writes: int) -> None:
        """An RDB file has got its name.  Which of them a power loss leaves, the disk will say."""
        disk, name = self.machine.disk, self.config.dbfilename
        within_reach = [disk.durable.get(name), *(change.file for change in disk.changes)]
        known = [pair for pair in self._snapshots if any(pair[0] is file for file in within_reach)]
        new = disk.files.get(name)
        if new is not None and all(file is not new for file, _ in known):
            known.append((new, writes))
        self._snapshots = known

    def _recovered(self, position: Position, number: int) -> None:
        """The server is up again: the writes behind what it loaded are gone."""
        if not self.config.appendonly:
            kept = self.marks().snapshot
        else:  # a server that finds no log begins one, and with it from nothing
            kept = 0 if self._log_is_new else bisect_right(self._positions, position)
        self._log_is_new = False
        for place, write in enumerate(self.writes[kept:], start=kept):
            step = next((step for step, left in self._crashes if left <= place), number)
            self.lost_in[write.connection, write.command] = Loss(step, place)
            del self.index[write.connection, write.command]
        del self.writes[kept:]
        del self._positions[kept:]
        del self.acknowledged[bisect_left(self.acknowledged, kept) :]
        self._crashes.clear()
        self._forked = min(self._forked, kept)
        self._snapshots = [(file, min(writes, kept)) for file, writes in self._snapshots]

    # -- the marks ---------------------------------------------------------------------------------------------------

    def marks(self) -> Marks:
        """The marks of this instant."""
        process = self.machine.process
        disk = self.machine.disk
        return Marks(
            executed=len(self.writes) if process is not None else 0,
            written=self._passed(disk.files, platter=False),
            platter=self._passed(disk.durable, platter=True),
            snapshot=self._in_snapshot(disk.files),
            durable_snapshot=self._in_snapshot(disk.durable),
        )

    def at_risk(self, marks: Marks) -> dict[str, int]:
        """How many writes whose OK was sent each kind of crash would erase now (a power loss: at the most)."""
        acknowledged, appendonly = self.acknowledged, self.config.appendonly
        count = len(acknowledged)
        return {crash: count - bisect_left(acknowledged, marks.surviving(crash, appendonly)) for crash in CRASHES}

    def _in_snapshot(self, names: dict[str, File]) -> int:
        """How many writes the RDB file under these names holds."""
        found = names.get(self.config.dbfilename)
        if found is None:
            return 0
        return next((writes for file, writes in self._snapshots if file is found), 0)

    def _passed(self, names: dict[str, File], platter: bool) -> int:
        """How many writes the log under these names holds."""
        end = self._end_of_log(names, platter) if self._positions else NOWHERE
        return 0 if end == NOWHERE else bisect_right(self._positions, end)

    def _end_of_log(self, names: dict[str, File], platter: bool) -> Position:
        """Follow the manifest, as a restart would, up to the first file that is not whole."""
        listing = names.get(self._manifest_path)
        if listing is None:
            return NOWHERE
        manifest = self._parsed(bytes(listing.platter if platter else listing.cache))
        if manifest is None:
            return NOWHERE
        end = NOWHERE
        for entry in manifest.incrs:
            file = names.get(f"{self.config.appenddirname}/{entry.name}")
            if file is None:
                return max(end, (entry.number, 0))
            size = len(file.cache)
            kept = file.safe if platter else size
            end = entry.number, kept
            if kept < size:
                break
        return end

    def _parsed(self, text: bytes) -> Manifest | None:
        manifest = self._manifests.get(text)
        if manifest is None:
            try:
                manifest = self._manifests[text] = Manifest.parse(text, "manifest")
            except AofError:
                return None
        return manifest
