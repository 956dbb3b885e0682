"""The shadow of one shard: off the nodes that serve, it makes snapshots, rehearses them, and lets the log be trimmed.

Redis takes its snapshots where it serves: the fork stops the thread, and copy-on-write needs memory.  A shadow has
neither problem: it has the same data from the log, on a machine of its own (MemoryDB paper, section 4.2.2).

A snapshot, step by step:

1. FETCHING     the newest released snapshot is loaded into an empty data set
2. REPLAYING    the log is applied up to the tail that it had when this began, and the data are dumped
3. UPLOADING    the file is put into the store, under a name at which nobody looks
4. REHEARSING   it is fetched again, and recovered from, as a node would that has lost everything: loaded into an empty
                data set, held against the log's running checksum at its entry, and the log behind it applied
5. RELEASING    only now it is given the name at which everybody looks
6. TRIMMING     the log goes up to the entry of the snapshot that this one was made from, and not one further
7. SWEEPING     snapshots older than that one go, and what was left half done

A crash at any moment leaves the old snapshot released or the new one, each with the whole log behind it, because what
makes an old one useless (6, 7) comes after what makes the new one count (5).  A snapshot that fails its rehearsal is
swept away, and nothing else has changed.

Two snapshots stay, the newest and the one that it was made from, and the log behind both: what was good when it was
released may rot later, and a recovery that finds it damaged begins with the other.  So does step 1; the next snapshot
then takes the place of the damaged one.  (How long MemoryDB keeps its log is not published: this is the model's own.)

**When?**  Recovery loads a snapshot and replays what is behind it.  The snapshot should be the larger part ("snapshot
dominant", section 4.2.3), so a new one is made when the log behind the last has grown to a given share of its size.
Few writes on much data: seldom.  Many writes on few data: often.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Compute, Effect, Effects, Event, Note, SetTimer, TimerFired
from durable_redis.engine import Engine
from durable_redis.formats.resp import OK
from durable_redis.memorydb.catalog import Found, Newest, id_of, release_name, snapshot_name, stem_in, stem_of
from durable_redis.memorydb.dataset import Dataset
from durable_redis.memorydb.errors import Damaged, RecoveryError
from durable_redis.memorydb.log.answers import Answer, Entries, LogUser, Refused, Tail, Trimmed
from durable_redis.memorydb.log.entries import EntryId
from durable_redis.memorydb.record import ENGINE_VERSION, Version
from durable_redis.memorydb.shadow_phase import TRANSITIONS, Phase
from durable_redis.memorydb.snapshot import Label, dump
from durable_redis.memorydb.store_client import StoreClient, Stored

if TYPE_CHECKING:
    from random import Random


Outcome = Generator[Effect, Any, bool]
"""Effects, and then an answer."""

ENTRY_OVERHEAD = 64
"""About what an entry takes besides its body: header, id, kind, token, checksum (`log.entries`)."""


@dataclass(frozen=True, slots=True)
class SnapshotterConfig:
    """When snapshots are made.  The figures are the model's own: none is published.

    * `freshness_percent`: make one when the log behind the last has so many percent of its size;
    * `least_bytes`: and at least so many bytes, so that an empty shard is not saved for every write;
    * `watch_ms`: how often to look;
    * `version`: of the oldest engine that must be able to load them (paper, section 7.1)."""

    freshness_percent: int = 100
    least_bytes: int = 16_384
    watch_ms: int = 1_000
    batch: int = 256
    version: Version = ENGINE_VERSION


class Shadow:
    """A part of the snapshotter: all that concerns one shard.  It asks one question at a time, of the log or the store,
    and goes on when it is answered."""

    def __init__(self, random: Random, shard: str, log: LogUser, store: StoreClient, config: SnapshotterConfig) -> None:
        self.random = random
        self.shard = shard
        self.log = log
        self.store = store
        self.config = config
        self.timer = f"watch {shard}"
        self.phase = Phase.LEARNING
        self.newest = Newest(shard, store)
        self.released = Found()  # without its bytes
        self.released_bytes = 0
        self.base = ""  # the snapshot that the next one is made from
        self.before = ""  # the snapshot that the released one was made from: behind it the log begins
        self.seen = EntryId.ZERO  # how far the log has been looked at
        self.behind_bytes = 0  # of the log, behind the released snapshot
        self.wanted = False  # somebody has asked for a snapshot, however fresh the last one is
        self.data: Dataset | None = None  # that is being made, or rehearsed
        self.goal: EntryId | None = None  # up to where
        self.stem = ""  # what the candidate is called
        self.size = 0  # its bytes
        self.label: Label | None = None  # the candidate's, as it was when it was dumped

    def boot(self, now: int) -> Effects:
        yield from self.log.connect(now)
        yield from self.newest.ask(now)

    def owns(self, event: Event) -> bool:
        """This event is for `handle`."""
        mine = isinstance(event, TimerFired) and event.name == self.timer
        return mine or self.log.owns(event) or self.store.owns(event)

    def handle(self, event: Event, now: int) -> Effects:
        if self.log.owns(event):
            yield from self.log.handle(event, now)
            for answer in self.log.take_answers():
                yield from self._log_says(answer, now)
        elif self.store.owns(event):
            yield from self.store.handle(event, now)
            for stored in self.store.take_answers():
                yield from self._store_says(stored, now)
        elif self.phase is Phase.WATCHING:
            yield from self.log.read(self.seen, self.config.batch, now)

    def view(self) -> dict[str, object]:
        at = str(self.released.at) if self.released.stem else ""
        return {"phase": self.phase.value, "released": at, "behind_bytes": self.behind_bytes, "seen": str(self.seen)}

    def _enter(self, phase: Phase) -> None:
        assert phase in TRANSITIONS[self.phase], f"{self.shard}: {self.phase} does not lead to {phase}"
        self.phase = phase

    # -- answers -----------------------------------------------------------------------------------------------------

    def _log_says(self, answer: Answer, now: int) -> Effects:
        match self.phase, answer:
            case Phase.WATCHING, Entries():
                yield from self._count(answer, now)
            case Phase.WATCHING, Refused():  # somebody has trimmed the log further than this shadow knows
                self._enter(Phase.LEARNING)
                yield from self.newest.ask(now)
            case Phase.REPLAYING, Tail(id=tail):
                self.goal = tail
                yield from self._read_on(now)
            case Phase.REPLAYING, Entries():
                if (yield from self._follow(answer, now)):
                    yield from self.dump(now)
            case Phase.REHEARSING, Entries():
                self.goal = self.goal or answer.tail
                if (yield from self._follow(answer, now)):
                    yield from self.release(now)
            case ((Phase.REPLAYING | Phase.REHEARSING), Refused(reason=reason)):
                yield from self._give_up(reason, now)
            case Phase.TRIMMING, Trimmed(cut=cut):
                yield Note("trimmed", {"shard": self.shard, "upto": str(cut)})
                yield from self._sweep(now)
            case Phase.TRIMMING, Refused():
                yield from self._sweep(now)

    def _store_says(self, answer: Stored, now: int) -> Effects:
        match self.phase:
            case Phase.LEARNING | Phase.FETCHING:
                yield from self.newest.answered(answer, now)
                while (found := self.newest.take()) is not None:
                    yield from (self._learn if self.phase is Phase.LEARNING else self._load)(found, now)
            case Phase.UPLOADING if answer.reply == OK:
                yield from self.verify(now)
            case Phase.UPLOADING:
                yield from self._give_up(f"the store said {answer.reply!r}", now)
            case Phase.REHEARSING:
                yield from self._rehearse(answer.reply, now)
            case Phase.RELEASING if answer.reply == OK:
                yield from self._is_released(now)
            case Phase.RELEASING:
                self._enter(Phase.LEARNING)
                yield from self.newest.ask(now)
            case Phase.SWEEPING:  # the last answers may come together: then the first of them ends it
                yield from self._swept(answer, now)

    # -- when --------------------------------------------------------------------------------------------------------

    def _learn(self, found: Found, now: int) -> Effects:
        """After a start: what is released counts, and what had to follow from it may not have been done."""
        self._released(found.stem, len(found.content or b""), self.newest.older)
        if found.stem:
            yield from self._trim(now)
        else:
            yield from self._sweep(now)

    def _released(self, stem: str, size: int, before: str) -> None:
        """From now on this is the snapshot with which a recovery begins, and `before` the one that stands by."""
        self.released, self.released_bytes, self.before = Found(stem), size, before
        self.seen, self.behind_bytes = self.released.at, 0

    def _count(self, found: Entries, now: int) -> Effects:
        """So much more log lies behind the snapshot."""
        if found.entries:
            self.seen = found.entries[-1].id
            self.behind_bytes += sum(len(entry.body) + ENTRY_OVERHEAD for entry in found.entries)
        if found.entries and self.seen < found.tail:
            yield from self.log.read(self.seen, self.config.batch, now)
        elif self._is_due():
            self.wanted = False
            self._enter(Phase.FETCHING)
            yield Note("snapshot begun", {"shard": self.shard, "behind_bytes": self.behind_bytes})
            yield from self.newest.ask(now)
        else:
            yield SetTimer(self.timer, now + self.config.watch_ms * 1000)

    def _is_due(self) -> bool:
        if self.wanted or not self.behind_bytes:
            return self.behind_bytes > 0
        share = self.released_bytes * self.config.freshness_percent // 100
        return self.behind_bytes >= max(self.config.least_bytes, share)

    # -- making one --------------------------------------------------------------------------------------------------

    def _nothing(self) -> Dataset:
        engine = Engine(self.random)
        engine.is_replica = True  # what has expired goes when the log says so
        return Dataset(engine, self.shard, self.config.version)

    def _load(self, found: Found, now: int) -> Effects:
        self.data, self.base = self._nothing(), found.stem
        try:
            yield from self._load_into(self.data, found.content, found.stem)
        except RecoveryError as error:
            yield Note("snapshot refused", {"shard": self.shard, "at": str(found.at), "why": str(error)})
            yield from self.newest.ask_older(now)
            return
        self._enter(Phase.REPLAYING)
        yield from self.log.tail(now)

    def _load_into(self, data: Dataset, content: bytes | None, name: str) -> Effects:
        """Raises RecoveryError."""
        if content is not None:
            yield Compute("load", len(content))
            data.load(content, name)

    def _read_on(self, now: int) -> Effects:
        assert self.data is not None, f"{self.shard}: nothing is being made in {self.phase}"
        yield from self.log.read(self.data.at, self.config.batch, now)

    def _follow(self, found: Entries, now: int) -> Outcome:
        """Apply what was read, up to the goal.  True: that is reached."""
        data, goal = self.data, self.goal
        assert data is not None, f"{self.shard}: nothing is being made in {self.phase}"
        assert goal is not None, f"{self.shard}: no goal in {self.phase}"
        wanted = replace(found, entries=tuple(entry for entry in found.entries if entry.id <= goal))
        try:
            commands = self.apply(wanted, now)
        except RecoveryError as error:
            yield from self._give_up(str(error), now)
            return False
        yield Compute("replay", commands)
        if wanted.entries and wanted.entries[-1].id < goal:
            yield from self._read_on(now)
            return False
        return True

    def apply(self, found: Entries, now: int) -> int:
        """The number of commands in what was read.  Raises RecoveryError."""
        assert self.data is not None, f"{self.shard}: nothing is being made in {self.phase}"
        return self.data.follow(found, now // 1000)

    def dump(self, now: int) -> Effects:
        """The data as a file, with its label, into the store."""
        data = self.data
        assert data is not None, f"{self.shard}: nothing to dump"
        self.label = data.label()
        content = b"".join(dump(data.engine.entries(), self.label))
        yield Compute("serialize", len(content))
        self.stem = stem_of(data.at, self.random.getrandbits(32))
        yield Note("dumped", {"shard": self.shard, "at": str(data.at), "bytes": len(content)})
        self._enter(Phase.UPLOADING)
        self.size = len(content)
        yield from self.store.put(snapshot_name(self.shard, self.stem), content, now)

    # -- verifying it ------------------------------------------------------------------------------------------------

    def verify(self, now: int) -> Effects:
        """It is in the store.  Whether it is any good, nobody knows."""
        self._enter(Phase.REHEARSING)
        yield from self.store.get(snapshot_name(self.shard, self.stem), now)

    def _rehearse(self, content: object, now: int) -> Effects:
        """Recover from what the store gives back, as a node would that has nothing else."""
        self.data, self.goal = self._nothing(), None
        try:
            if not isinstance(content, bytes):
                raise Damaged(self.stem, "the store does not have it any more")
            yield from self._load_into(self.data, content, self.stem)
            if self.data.label() != self.label:
                raise Damaged(self.stem, f"it is at {self.data.at} with other data than were dumped")
        except RecoveryError as error:
            yield from self._give_up(str(error), now)
            return
        yield from self._read_on(now)

    def _give_up(self, why: str, now: int) -> Effects:
        """This snapshot will not be released.  The old one, and the log behind it, are as they were."""
        yield Note("snapshot given up", {"shard": self.shard, "in": self.phase.value, "why": why})
        yield from self._sweep(now)

    # -- releasing it ------------------------------------------------------------------------------------------------

    def release(self, now: int) -> Effects:
        self._enter(Phase.RELEASING)
        yield from self.store.put(release_name(self.shard, self.stem), b"", now)

    def _is_released(self, now: int) -> Effects:
        yield Note("snapshot released", {"shard": self.shard, "name": self.stem, "bytes": self.size})
        self._released(self.stem, self.size, self.base)
        yield from self._trim(now)

    def _trim(self, now: int) -> Effects:
        self._enter(Phase.TRIMMING)
        yield from self.log.trim(id_of(self.before), now)

    # -- sweeping ----------------------------------------------------------------------------------------------------

    def _sweep(self, now: int) -> Effects:
        self._enter(Phase.SWEEPING)
        self.data, self.goal, self.label = None, None, None
        yield from self.store.names(f"{self.shard}/".encode(), now)

    def _swept(self, answer: Stored, now: int) -> Effects:
        """Delete every object but those of the two snapshots that stay; a release before the snapshot that it names."""
        if isinstance(answer.reply, list):
            stay = (self.released.stem, self.before)
            names = [name for name in answer.reply if isinstance(name, bytes) and stem_in(name) not in stay]
            for name in names:
                yield from self.store.delete(name, now)
        if self.store.is_idle:
            self._enter(Phase.WATCHING)
            yield SetTimer(self.timer, now + self.config.watch_ms * 1000)
