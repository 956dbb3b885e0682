"""The logbook: where this node stands in the log, and what it has under way there.

Everything that a node holds comes from the log up to its *position*, or was executed here since and is not in the log
yet.  The rules:

1. One append at a time, and each names the position as the entry that it must follow.  Committed, it is the position.
2. `Conflict` means that somebody else has written: whoever led is deposed, at once.
3. `Unknown` means nothing.  No reply is sent because of it, no other append, and no retry: the log's client goes on
   asking, under the same token, until somebody knows.
4. Entries of others are applied in order.  Which comes next is told by the running checksum: entries that were pushed
   for an older subscription do not fit behind the position, and are dropped.
5. A leader does not read.  It has written everything itself, and if it has not, its next append will tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Compute, Effects, Event, Note
from durable_redis.memorydb.claims import Claim, ClaimError
from durable_redis.memorydb.dataset import Dataset
from durable_redis.memorydb.errors import NewerEngine, RecoveryError, WrongPrefix
from durable_redis.memorydb.leadership import Phase
from durable_redis.memorydb.log import (
    DATA,
    HANDOVER,
    LEADERSHIP,
    RENEWAL,
    SLOTS,
    Answer,
    Appended,
    Conflict,
    Entries,
    Entry,
    EntryId,
    LogUser,
    Refused,
    Unknown,
)
from durable_redis.memorydb.record import Record

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer

CLAIMS = (LEADERSHIP, RENEWAL, HANDOVER)


@dataclass(slots=True)
class Flight:
    """The append that is under way."""

    kind: str
    sent_us: int
    body: bytes


class Logbook:
    """`tail` is the last committed entry that the log has told of, `heard_us` when it did; None before it has."""

    def __init__(self, server: MemoryDBServer, log: LogUser) -> None:
        self.server = server
        self.log = log
        self.data = self._nothing()
        self.tail: EntryId | None = None
        self.heard_us = 0
        self.flight: Flight | None = None
        self.replayed = 0  # entries applied since the data began
        self.unproved = False  # the data are a snapshot's, and the log has not said yet what it thinks of it

    @property
    def is_caught_up(self) -> bool:
        """It has applied everything that it knows to be committed."""
        return self.tail is not None and self.position >= self.tail

    def _nothing(self) -> Dataset:
        server = self.server
        return Dataset(server.engine, server.config.shard, server.config.engine_version)

    @property
    def position(self) -> EntryId:
        """The last entry that is in the data, and of everything up to which nothing is missing."""
        return self.data.at

    def read_on(self, now: int) -> Effects:
        """Have everything behind the position pushed, and learn where the tail is."""
        self.tail = None
        yield from self.log.subscribe(self.position, now)

    def forget(self) -> None:
        """Have no data at all."""
        self.server.engine.flush_all()
        self.data = self._nothing()
        self.server.shards.know(self.data.ownership)
        self.tail = None
        self.replayed = 0

    def start_over(self, snapshot: bytes | None, name: str, now: int) -> Effects:
        """Begin with a snapshot, or with nothing, and read on from there.  Raises RecoveryError."""
        if snapshot is not None:
            yield Compute("load", len(snapshot))
            self.data.load(snapshot, name)
            self.server.shards.know(self.data.ownership)
        self.unproved = snapshot is not None
        yield from self.read_on(now)

    def handle(self, event: Event, now: int) -> Effects:
        yield from self.log.handle(event, now)
        for answer in self.log.take_answers():
            yield from self._answered(answer, now)

    # -- writing -----------------------------------------------------------------------------------------------------

    def precondition(self) -> EntryId:
        """The entry that an append must follow: the last one that this node knows everything up to."""
        return self.position

    def append(self, kind: str, body: bytes, now: int) -> Effects:
        assert self.flight is None, f"an append of {self.flight} is under way"
        self.flight = Flight(kind, now, body)
        yield from self.log.append(kind, body, self.precondition(), now)

    def append_next(self, now: int) -> Effects:
        """If the log is free: what a leader owes it first, a step of a migration, then everything that was
        executed since."""
        server = self.server
        if self.flight is not None or not server.leadership.leads:
            return
        wanted = server.leadership.wanted(now)
        if wanted:
            yield from server.leadership.append_wanted(wanted, now)
        elif (step := server.migration.due()) is not None:
            yield from server.migration.append(step, now)
        elif server.behind.units:
            end, stream = server.behind.cut(server.config.record_bytes)
            record = Record(server.leadership.replid, end, server.config.engine_version, stream)
            yield from self.append(DATA, record.encode(), now)

    # -- what the log answers ----------------------------------------------------------------------------------------

    def _answered(self, answer: Answer, now: int) -> Effects:
        match answer:
            case Entries(pushed=True):
                yield from self._heard(answer, now)
            case Unknown() if self.flight is not None:
                yield Note("unknown", {"entry": self.flight.kind})
                self.unknown(self.flight)
            case Appended(id=id, checksum=checksum):
                yield from self._appended(id, checksum, now)
            case Conflict(tail=tail):
                yield from self.conflicted(tail, now)
            case Refused(pushed=True, reason=reason):
                yield from self._is_behind(reason, now)
            case Refused(reason=reason):
                yield from self._failed(reason, now)

    def _appended(self, id: EntryId, checksum: int, now: int) -> Effects:
        flight, self.flight = self.flight, None
        assert flight is not None, f"the log has appended {id}, and nobody had asked for it"
        if self.position > id:  # a candidate that has seen its own entry already, and what followed it
            yield from self.server.leadership.defeated(now)
            return
        self.data.appended(id, checksum, flight.kind, flight.body)
        if flight.kind == DATA:
            self.data.replid, self.data.offset = self.server.leadership.replid, self.server.behind.commit()
            offset = self.data.offset
            self.server.tracker.commit(offset)
            yield Note("appended", {"index": id.index, "term": id.term, "offset": offset})
        elif flight.kind == SLOTS:
            yield from self.server.slots_moved(now)
        else:
            yield from self.server.leadership.appended(flight.kind, id, flight.sent_us, now)

    def _failed(self, reason: str, now: int) -> Effects:
        flight, self.flight = self.flight, None
        assert flight is not None, "an append has failed that nobody had asked for"
        yield Note("conflict", {"entry": flight.kind, "reason": reason})
        yield from self.server.leadership.defeated(now)

    def conflicted(self, tail: EntryId, now: int) -> Effects:
        """Something else stands where this node's entry was to stand."""
        yield from self._failed(f"behind {self.position} stands something else by now (the log ends at {tail})", now)

    def unknown(self, flight: Flight) -> None:
        """Nobody knows whether it is in the log: nothing follows from that."""

    # -- reading -----------------------------------------------------------------------------------------------------

    def _is_behind(self, reason: str, now: int) -> Effects:
        """The log does not reach back to the position any more: a snapshot does.  A leader needs neither; and what a
        candidate needs will show when its campaign is over."""
        server = self.server
        if server.leadership.phase is Phase.FOLLOWING:
            server.leadership.enter(Phase.RECOVERING)
            yield from server.recover(now)
        elif server.leadership.phase is Phase.RECOVERING and not server.recovery.waits:
            yield from server.recovery.failed(reason, now)

    def _heard(self, pushed: Entries, now: int) -> Effects:
        leadership = self.server.leadership
        if leadership.leads or self.server.recovery.waits:
            return
        if self.unproved:
            try:
                self.data.expect(pushed.base)
            except WrongPrefix as error:
                yield from self.server.recovery.refuse(str(error), now)
                return
            self.unproved = False
        yield from leadership.heard_again(now)
        running = pushed.base
        for entry in pushed.entries:
            if running == self.data.checksum and entry.id > self.position:
                yield from self._apply(entry, now)
                if self.position != entry.id:
                    return
            running = entry.checksum
        self.tail, self.heard_us = pushed.tail, now
        if leadership.phase is Phase.RECOVERING and self.is_caught_up:
            if missing := self.server.recovery.missing():
                yield from self.server.recovery.failed(missing, now)
            else:
                yield from self.server.recovered(now)

    def _apply(self, entry: Entry, now: int) -> Effects:
        """What is committed becomes true here.  An entry that is refused leaves the position where it was."""
        server = self.server
        try:
            claim = Claim.decode(entry.body) if entry.kind in CLAIMS else None
            commands = self.data.apply(entry, now // 1000)
        except NewerEngine as error:
            yield from server.stop(str(error))
            return
        except (RecoveryError, ClaimError) as error:
            yield from self._refuse(str(error), now)
            return
        self.replayed += 1
        if commands:
            if server.leadership.phase is not Phase.RECOVERING:
                yield Note("applied", {"from": "log", **server.place()})
            yield Compute("replay", commands)
        elif entry.kind == SLOTS:
            yield from server.slots_moved(now)
        elif claim is not None:
            yield from server.leadership.see(entry, claim, now)

    def _refuse(self, why: str, now: int) -> Effects:
        """An entry of the log is not what the log vouches for: nothing is built on it, and nothing served without it.

        A candidate goes on: its entry cannot follow one that it has not applied, and it will read this one again."""
        leadership = self.server.leadership
        yield Note("entry refused", {"why": why})
        if leadership.phase is Phase.FOLLOWING:
            leadership.enter(Phase.RECOVERING)
            self.server.ready = False
        if leadership.phase is Phase.RECOVERING:
            yield from self.server.recovery.failed(why, now)
