"""What a node does with what does not fit: it names it, says where, serves nothing of it, and loses nothing by it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from datatools import Writer, dataset_of, snapshot_of
from shardtools import Room

from durable_redis.contract import Effects, Event, SetTimer, TimerFired
from durable_redis.formats.resp import Status
from durable_redis.memorydb.catalog import release_name, snapshot_name, stem_of
from durable_redis.memorydb.config import MemoryDBConfig
from durable_redis.memorydb.leadership import Phase
from durable_redis.memorydb.log import DATA, EntryId, LogUser
from durable_redis.memorydb.log.local import LocalLog
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.memorydb.store_client import StoreClient, Stored

OK = Status(b"OK")


class Shelf(StoreClient):
    """A store in this process: it answers a moment later."""

    def __init__(self, objects: dict[bytes, bytes]) -> None:
        super().__init__()
        self.objects = objects
        self.said: list[Stored] = []

    def names(self, prefix: bytes, now: int) -> Effects:
        self.said.append(Stored("LIST", prefix, sorted(name for name in self.objects if name.startswith(prefix))))
        yield SetTimer("shelf", now + 1_000)

    def get(self, name: bytes, now: int) -> Effects:
        self.said.append(Stored("GET", name, self.objects.get(name)))
        yield SetTimer("shelf", now + 1_000)

    def owns(self, event: Event) -> bool:
        return event == TimerFired("shelf")

    def handle(self, event: Event, now: int) -> Effects:
        yield from ()

    def take_answers(self) -> list[Stored]:
        said, self.said = self.said, []
        return said


def node_with(objects: dict[bytes, bytes]) -> type[MemoryDBServer]:
    class Node(MemoryDBServer):
        def __init__(
            self, random: Random, name: str, config: MemoryDBConfig, log: LogUser, store: StoreClient | None = None
        ) -> None:
            super().__init__(random, name, config, log, Shelf(objects))

    return Node


def put(objects: dict[bytes, bytes], at: EntryId, content: bytes) -> None:
    """Release a snapshot."""
    stem = stem_of(at, at.index)
    objects |= {snapshot_name("s1", stem): content, release_name("s1", stem): b""}


class Past:
    """A log with twenty writes, and snapshots at the fifth and the tenth of them."""

    def __init__(self, cut: int = 5) -> None:
        self.writer = Writer()
        self.objects: dict[bytes, bytes] = {}
        for count in (5, 5, 10):
            self.writer.fill(count, first=self.writer.log.tail().id.index)
            if count == 5:
                put(self.objects, self.writer.log.tail().id, snapshot_of(dataset_of(self.writer.log)))
        self.writer.log.trim(EntryId(1, cut))

    def replace_snapshots(self, change: Any, count: int) -> None:
        """Change the bytes of the newest ones."""
        names = sorted(name for name in self.objects if b"snapshots" in name)
        for name in names[-count:]:
            self.objects[name] = change(self.objects[name])

    def room(self) -> Room:
        return Room("n1", "n2", log=self.writer.log, node=node_with(self.objects))


def facts(room: Room, kind: str, name: str = "n1") -> list[dict[str, Any]]:
    return [dict(note.facts) for note in room[name].notes if note.kind == kind]


def flipped(content: bytes) -> bytes:
    return content[:200] + bytes([content[200] ^ 1]) + content[201:]


def of_another_shard(content: bytes) -> bytes:
    other = Writer()
    other.fill(5)
    return snapshot_of(dataset_of(other.log, "s2"))


def of_another_past(content: bytes) -> bytes:
    other = Writer()
    other.fill(10, first=1_000)
    return snapshot_of(dataset_of(other.log))


SNAPSHOTS = [
    (flipped, "the checksum says"),
    (lambda content: content[:-30], "at byte "),
    (of_another_shard, "this is a snapshot of the shard s2, and s1 is wanted"),
    (of_another_past, "the log's running checksum is"),
    (lambda content: b"nonsense", "at byte 0"),
]


@pytest.mark.parametrize(("change", "why"), SNAPSHOTS)
def test_a_snapshot_that_does_not_fit_is_named_and_the_one_before_it_gives_everything(change: Any, why: str) -> None:
    past = Past()
    past.replace_snapshots(change, 1)
    room = past.room()
    room.advance(5_000)
    (refused,) = facts(room, "snapshot refused")
    assert refused["at"] == "1-10"
    assert why in refused["why"]
    (ready,) = facts(room, "ready")
    assert (ready["snapshot"], ready["keys"]) == ("1-5", 20)
    assert room.ask(room.leader(), "GET", "key:19") == b"value 19"


@pytest.mark.parametrize(("change", "why"), SNAPSHOTS)
def test_when_none_fits_nobody_serves_and_nothing_is_acknowledged_or_lost(change: Any, why: str) -> None:
    past = Past()
    good = dict(past.objects)
    past.replace_snapshots(change, 2)
    room = past.room()
    room.advance(5_000)
    assert room.leader() == ""
    assert "the log begins behind 1-5" in facts(room, "cannot recover")[-1]["why"]
    assert room.ask("n1", "SET", "k", "v") != OK
    past.objects |= good  # somebody finds a copy, and puts it back
    room.advance(8_000)
    assert room.ask(room.leader(), "GET", "key:19") == b"value 19"
    assert room.log.tail().id.index >= 21, "and it goes on behind everything that there was"


def test_what_was_never_trimmed_needs_no_snapshot() -> None:
    past = Past(cut=0)
    past.replace_snapshots(flipped, 2)
    room = past.room()
    room.advance(5_000)
    assert facts(room, "ready") == [{**facts(room, "ready")[0], "snapshot": "", "keys": 20}]


def test_a_log_that_was_begun_anew_is_not_taken_for_the_whole_when_the_snapshots_have_rotted() -> None:
    past = Past()
    past.replace_snapshots(flipped, 2)
    past.writer = Writer()
    past.writer.fill(3)
    room = past.room()
    room.advance(5_000)
    assert room.leader() == ""
    assert {fact["why"] for fact in facts(room, "cannot recover")} == {
        "the log ends at 1-3, and there was a snapshot at 1-10"
    }


def damaged(log: LocalLog) -> None:
    """The next entry that is told of has another body than the one under its checksum."""
    entry = log.sequence.entries[-1]
    log.sequence.entries[-1] = replace(entry, body=entry.body + b"!")


def test_an_entry_with_a_wrong_checksum_is_named_and_nothing_is_built_on_it() -> None:
    past = Past()
    whole = past.writer.log.sequence.entries[-1]
    damaged(past.writer.log)
    room = past.room()
    room.advance(5_000)
    refused = facts(room, "entry refused")
    assert refused
    assert "s1, entry 1-20: its checksum" in refused[0]["why"]
    assert room.leader() == ""
    past.writer.log.sequence.entries[-1] = whole  # another replica of the log has it whole
    room.advance(8_000)
    assert room.ask(room.leader(), "GET", "key:19") == b"value 19"


def test_a_replica_that_is_told_a_damaged_entry_serves_nothing_and_comes_back_by_itself() -> None:
    room = Room("n1", "n2")
    assert room.ask("n1", "SET", "k", "old") == OK
    room["n1"].asleep = True
    tail = room.log.tail().id
    room.log.append(tail, b"nonsense", "somebody", DATA)
    room.advance(100)
    (refused,) = facts(room, "entry refused", "n2")[:1]
    assert "a record is" in refused["why"]
    assert f"s1, entry 1-{tail.index + 1}" in refused["why"]
    assert room["n2"].node.leadership.phase is Phase.RECOVERING
    assert not room["n2"].node.ready
    room.advance(20_000)
    assert room.leader() == "", "an entry that nobody can read has been committed: nobody leads past it"


def test_a_newer_engines_stream_stops_an_older_node_for_good() -> None:
    past = Past()
    Writer(past.writer.log, (7, 2, 0)).write([b"SET", b"k", b"of tomorrow"])
    room = past.room()
    room.advance(20_000)
    for name in room.names:
        (stopped,) = facts(room, "stopped", name)
        assert "s1, entry 1-21: an engine 7.2.0 has written this" in stopped["why"]
        assert room[name].node.logbook.position == EntryId(1, 20)
    assert room.leader() == ""
    assert room.log.tail().id == EntryId(1, 21)
