"""Where are my bytes?  The place of every write, told by marks.

A write is executed at a position of the log (number of the incr file, bytes in it), and positions only grow.  So one
*high-water mark* a place is enough: a write is in a place when the mark of that place has passed it.  The places, from
the most fragile to the most lasting:

    RAM           what the server executed                 (lost with the process)
    page cache    what the server has written               (lost with the power)
    platter       what has been fsynced, or written back    (lost with the disk)
    RDB           what the newest durable snapshot holds     (lost with the disk)
    log           what a log in three zones has committed    (MemoryDB; lost with no node at all)

Each server has a ledger.  What a replica holds it has from a primary: a place in that one's *history* (`histories`), so
marks count a replica's writes as they count a primary's.  A full sync replaces all that a replica had; what its log and
its snapshots held before stays there until they are written anew, and then the marks count what both have in common.

The ledger reads the journal and the disk, after every step, and never the server's mind: it is the truth beside which
the server's own INFO can be laid.  What a crash would leave follows from the marks, and a test crashes at every step to
see whether it is so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from durable_redis.contract import Exit, Note, Rename, Send
from durable_redis.lab.histories import BOOT, PROMOTION, RESTART, Histories, History, Write, common
from durable_redis.lab.logreach import NOWHERE, LogReach, Position
from durable_redis.redis.config import Config
from durable_redis.redis.replication.replay import TEMPORARY
from durable_redis.sim.disk import File
from durable_redis.sim.faults import CRASHES, Crashed
from durable_redis.sim.journal import Step
from durable_redis.sim.machine import Machine

TOLD = frozenset((Note, Send, Rename, Exit, Crashed))
"""The kinds of step that a ledger takes notice of."""
FAILOVER = "failover"
"""Beside the kinds of crash: the server is gone for good, and the replica that has most takes over."""


def looks_at_the_disk(what: Any) -> bool:
    """Whether a ledger looks at the disk when it reads this, so that it must read it before the next step."""
    kind = type(what)
    return what.kind == "ready" if kind is Note else kind in (Rename, Exit, Crashed)


class Marks(NamedTuple):
    """How many writes are in each place; the writes of one server are counted in the order of execution.

    After a restart the count goes on from what was recovered: what was lost is not counted any more."""

    executed: int = 0
    written: int = 0  # in the page cache
    platter: int = 0
    snapshot: int = 0  # in the RDB that a restart would find now
    durable_snapshot: int = 0  # in the RDB that a restart would find after a power loss
    log: int = 0  # committed in the shared log, as far as this server has been told

    def surviving(self, crash: str, appendonly: bool) -> int:
        """How many of them a restart would find if the server crashed now; after a power loss, at least so many."""
        return max(self.log, self._on_disk(crash, appendonly))

    def _on_disk(self, crash: str, appendonly: bool) -> int:
        match crash:
            case "process kill":
                return self.written if appendonly else self.snapshot
            case "power loss":
                return self.platter if appendonly else self.durable_snapshot
            case _:
                return 0


@dataclass(frozen=True, slots=True)
class Loss:
    """A write that a restart did not find: the step of the crash (or of the end of the process) after which it was
    nowhere any more, and the place that it had among the others."""

    crash_step: int
    place: int


@dataclass(frozen=True, slots=True)
class Discard:
    """A write that a full sync threw away: the step at which it did, and whose copy the server became."""

    step: int
    primary: str


@dataclass(slots=True)
class Contents:
    """A data set: its writes, and from where on the server's log holds each.  `begins` is where the log holds the first
    of it: behind that is another data set, which this one replaced."""

    writes: list[Write] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    begins: Position = NOWHERE


class Ledger:
    """The writes that one server holds, in order, and the marks over them."""

    def __init__(self, machine: Machine, config: Config, books: Books) -> None:
        self.machine = machine
        self.config = config
        self.books = books
        self.reach = LogReach(config)
        self.history: History | None = None
        self.contents = Contents()
        self.index: dict[tuple[str, int], int] = {}  # (connection, command) -> place among the writes
        self.acknowledged: list[int] = []  # the places of those whose reply was sent, ascending
        self.lost_in: dict[tuple[str, int], Loss] = {}  # what a restart did not find, and not got again since
        self.discarded: dict[tuple[str, int], Discard] = {}  # likewise what a full sync threw away
        self._unanswered: dict[str, list[Write]] = {}  # connection -> those whose reply was not sent
        self._is_ready = False  # it has recovered, and has not gone down since
        self._log_is_new = False
        self._committed = 0  # how many of the writes are in the shared log, as far as the server knows
        self._replaced: list[Contents] = []  # data sets that the log may still hold, the newest last
        self._forked: list[Write] = []  # what there was when the last child was forked
        # RDB files that a restart may find, with what is in each; None: it came from the primary just now
        self._snapshots: list[tuple[File, list[Write] | None]] = []
        self._crashes: list[tuple[int, int]] = []  # since it was up: the step, and the writes that were left after it

    @property
    def writes(self) -> list[Write]:
        """What the server holds in RAM; while it is down, what it held."""
        return self.contents.writes

    # -- reading the journal -----------------------------------------------------------------------------------------

    def read(self, number: int, step: Step) -> None:
        """Take notice of one step of this server's machine."""
        match step.what:
            case Note(kind=kind, facts=facts):
                self._read_note(kind, facts, number)
            case Send(connection=connection):  # the promise has left the house
                for write in self._unanswered.pop(connection, ()):
                    write.answered = number
                    self.books.answered(write)
            case Rename(old=old, new=new) if new == self.config.dbfilename:
                self._take_snapshot(
                    None if old == TEMPORARY else self._forked if step.task == "bgsave" else self.writes
                )
            case Crashed() | Exit():
                self._unanswered.clear()
                self._is_ready = False
                self._crashes.append((number, self.marks().surviving("process kill", self.config.appendonly)))
                self.books.changed = True

    def _read_note(self, kind: str, facts: Mapping[str, Any], number: int) -> None:
        histories, name = self.books.histories, self.machine.name
        match kind:
            case "executed":
                self._executed(facts, number)
            case "applied":
                self._follow(histories.get(facts["replid"]), facts["offset"], (facts["incr"], facts["end"]))
            case "appended" if self.history is not None:
                self._committed = self.history.upto(facts["offset"])
            case "synced" if facts["how"] == "full":
                self._copied(facts, number)
            case "synced":
                self.history = histories.get(facts["replid"])
            case "role" if facts["role"] == "primary" and self._is_ready:
                replid, offset = facts["replid"], facts["offset"]
                self.history = histories.begin(replid, name, number, PROMOTION, self.writes, self.history, offset)
            case "forked":
                self._forked = list(self.writes)
            case "log begun":
                self._log_is_new = True
            case "ready":
                self._recovered(facts, number)
        if facts.get("from") == "log":  # what a server has from the shared log is committed there
            self._committed = len(self.writes)

    def _executed(self, facts: Mapping[str, Any], number: int) -> None:
        assert self.history is not None, f"{self.machine.name} executes a write before it is ready"
        position = facts["incr"], facts["end"]
        write = Write(facts["connection"], facts["command"], self.machine.name, position, number, self.history)
        self.history.add(write, facts.get("offset", 0))
        self.books.writes[write.key] = write
        self._unanswered.setdefault(write.connection, []).append(write)
        self._hold(write, position)

    def _follow(self, history: History, offset: int, position: Position) -> None:
        """A replica has executed the stream of this history up to an offset."""
        self.history = history
        for write in history.writes[len(self.writes) : history.upto(offset)]:
            self._hold(write, position)
        self.books.changed = True

    def _hold(self, write: Write, position: Position) -> None:
        place = self.index[write.key] = len(self.writes)
        self.contents.writes.append(write)
        self.contents.positions.append(position)
        if write.answered:
            insort(self.acknowledged, place)
        self.lost_in.pop(write.key, None)
        self.discarded.pop(write.key, None)

    def _copied(self, facts: Mapping[str, Any], number: int) -> None:
        """A full sync: all that the server had is gone, and it holds what its primary held at that offset."""
        history = self.history = self.books.histories.get(facts["replid"])
        position = facts["incr"], facts["end"]
        writes = history.writes[: history.upto(facts["offset"])]
        for write in self.writes[common(self.writes, writes) :]:
            self.discarded[write.key] = Discard(number, facts["primary"])
        self._snapshots = [(file, list(writes) if held is None else held) for file, held in self._snapshots]
        self._replaced.append(self.contents)
        self._become(Contents(writes, [position] * len(writes), position))

    def _take_snapshot(self, writes: list[Write] | None) -> None:
        """An RDB file has got its name.  Which of them a power loss leaves, the disk will say."""
        disk, name = self.machine.disk, self.config.dbfilename
        within_reach = [disk.durable.get(name), *(change.file for change in disk.changes)]
        known = [pair for pair in self._snapshots if any(pair[0] is file for file in within_reach)]
        new = disk.files.get(name)
        if new is not None and all(file is not new for file, _ in known):
            known.append((new, None if writes is None else list(writes)))
        self._snapshots = known

    def _recovered(self, facts: Mapping[str, Any], number: int) -> None:
        """The server is up: the writes behind what it loaded are gone."""
        before, held = self.history, self._loaded(facts)
        kept = common(self.writes, held.writes)
        for place, write in enumerate(self.writes[kept:], start=kept):
            step = next((step for step, left in self._crashes if left <= place), number)
            self.lost_in[write.key] = Loss(step, place)
        why = BOOT if before is None else RESTART
        replid = facts.get("replid") or f"{self.machine.name}, life {self.machine.incarnations}"
        self.history = self.books.histories.begin(
            replid, self.machine.name, number, why, held.writes, before, facts.get("offset", 0)
        )
        self._replaced = [contents for contents in self._replaced if contents.begins < held.begins]
        self._forked = self._forked[:kept]
        self._crashes.clear()
        self._log_is_new, self._is_ready = False, True
        self._become(held)

    def _loaded(self, facts: Mapping[str, Any]) -> Contents:
        """What a server holds that has just started, from what was on its disk or from the shared log."""
        if facts.get("from") == "log":
            history = self.books.histories.by_id.get(facts["replid"])
            shared = history.writes[: history.upto(facts["offset"])] if history is not None else []
            return Contents(list(shared), [NOWHERE] * len(shared))
        if self.config.appendonly:  # a server that finds no log begins one, and with it from nothing
            return Contents() if self._log_is_new else self._logged((facts["incr"], facts["end"]))
        writes = self._snapshot(self.machine.disk.files)
        if writes is None:  # the primary's, of which no full sync has told: it says itself what it is
            history = self.books.histories.get(facts["replid"])
            writes = history.writes[: history.upto(facts["offset"])]
        same = common(self.writes, writes) == len(writes)
        return Contents(list(writes), self.contents.positions[: len(writes)] if same else [NOWHERE] * len(writes))

    def _logged(self, end: Position) -> Contents:
        """What the log holds up to here: the newest data set that it had begun to hold by then."""
        found = next(c for c in (self.contents, *reversed(self._replaced)) if c.begins <= end)
        size = bisect_right(found.positions, end)
        return Contents(found.writes[:size], found.positions[:size], found.begins)

    def _become(self, contents: Contents) -> None:
        self.contents = contents
        self.index = {write.key: place for place, write in enumerate(contents.writes)}
        self.acknowledged = [place for place, write in enumerate(contents.writes) if write.answered]
        for write in contents.writes:
            self.lost_in.pop(write.key, None)
            self.discarded.pop(write.key, None)
        self.books.changed = True

    # -- the marks ---------------------------------------------------------------------------------------------------

    def marks(self) -> Marks:
        """The marks of this instant."""
        process = self.machine.process
        disk = self.machine.disk
        return Marks(
            executed=len(self.writes) if process is not None else 0,
            written=self._passed(disk.files, platter=False),
            platter=self._passed(disk.durable, platter=True),
            snapshot=common(self.writes, self._snapshot(disk.files) or ()),
            durable_snapshot=common(self.writes, self._snapshot(disk.durable) or ()),
            log=self._committed,
        )

    def at_risk(self, marks: Marks) -> dict[str, int]:
        """How many writes whose OK was sent each kind of crash would erase now (a power loss: at the most).

        Where there are replicas: how many a failover would, if nothing that is on the wires arrived any more."""
        acknowledged, appendonly = self.acknowledged, self.config.appendonly
        count = len(acknowledged)
        risks = {crash: count - bisect_left(acknowledged, marks.surviving(crash, appendonly)) for crash in CRASHES}
        if len(self.books.ledgers) > 1:
            survive = max(marks.log, self.books.elsewhere(self))
            risks[FAILOVER] = count - bisect_left(acknowledged, survive)
        return risks

    def _snapshot(self, names: dict[str, File]) -> list[Write] | None:
        """The writes in the RDB file under these names; none if there is no file, None if nobody knows yet."""
        found = names.get(self.config.dbfilename)
        if found is None:
            return []
        return next((writes for file, writes in self._snapshots if file is found), [])

    def _passed(self, names: dict[str, File], platter: bool) -> int:
        """How many writes the log under these names holds."""
        end = self.reach.end(names, platter) if self.writes else NOWHERE
        if end == NOWHERE:
            return 0
        if self.contents.begins <= end:
            return bisect_right(self.contents.positions, end)
        return common(self.writes, self._logged(end).writes)


class Books:
    """The ledgers of a room, and what they share: the histories, and every write that any server executed."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.histories = Histories()
        self.writes: dict[tuple[str, int], Write] = {}
        self.changed = False  # something that one server did has moved the marks of others

    def open(self, machine: Machine, config: Config) -> Ledger:
        """The ledger of one more server."""
        ledger = self.ledgers[machine.name] = Ledger(machine, config, self)
        return ledger

    def answered(self, write: Write) -> None:
        """The OK of a write was sent: that counts wherever the write is."""
        for ledger in self.ledgers.values():
            place = ledger.index.get(write.key)
            if place is not None:
                insort(ledger.acknowledged, place)
        self.changed = True

    def gone(self) -> set[tuple[str, int]]:
        """The keys of the writes that no server holds any more."""
        return {key for key in self.writes if all(key not in ledger.index for ledger in self.ledgers.values())}

    def elsewhere(self, of: Ledger) -> int:
        """How many of a server's writes the best other server holds in RAM: those will be there after a failover."""
        others = [ledger for ledger in self.ledgers.values() if ledger is not of and ledger.machine.up]
        return max((common(of.writes, other.writes) for other in others), default=0)
