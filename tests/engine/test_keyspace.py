"""The keyspace: what a fork sees, what copy-on-write costs, and the estimate of memory."""

from __future__ import annotations

import random
from typing import Any

from enginetools import FURNITURE, NOW_MS, Driver, commands, contents
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.engine import Engine, Session
from durable_redis.engine.keyspace import PAGE_BYTES, Snapshot
from durable_redis.formats.rdb import Entry, Opaque
from durable_redis.formats.resp import ErrorReply, Status


def frozen(snapshot: Snapshot) -> list[Any]:
    """What a snapshot sees, in lists of its own."""
    return [(entry.db, entry.key, entry.kind, repr(entry.value), entry.expires_at_ms) for entry in snapshot.entries()]


FORK = [b"fork"]
RELEASE = [b"release"]
STEPS = st.lists(st.one_of(commands(), commands(), st.sampled_from([FORK, FORK, RELEASE])), min_size=20, max_size=60)


@given(STEPS)
@settings(max_examples=100, derandomize=True, deadline=None)
def test_a_snapshot_never_changes_whatever_runs_after_it(steps: list[list[bytes]]) -> None:
    engine, session = Engine(random.Random(1)), Session("client")
    alive: list[tuple[Snapshot, list[Any]]] = []
    for argv in [*FURNITURE, *steps]:
        if argv is FORK:
            snapshot = engine.keyspace.fork()
            alive.append((snapshot, frozen(snapshot)))
        elif argv is RELEASE:
            if alive:
                engine.keyspace.release(alive.pop(len(alive) // 2)[0])
        else:
            engine.execute(session, argv, NOW_MS)
        assert all(frozen(snapshot) == seen for snapshot, seen in alive)


@given(st.lists(commands(), min_size=20, max_size=60))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_used_memory_kept_up_by_changes_equals_used_memory_counted_afresh(steps: list[list[bytes]]) -> None:
    engine, session, fresh = Engine(random.Random(1)), Session("client"), Engine(random.Random(1))
    for argv in [*FURNITURE, *steps]:
        engine.execute(session, argv, NOW_MS)
    for entry in engine.entries():
        fresh.load(entry)
    assert engine.keyspace.used_memory == fresh.keyspace.used_memory
    assert contents(engine) == contents(fresh)


def test_a_container_is_copied_once_for_a_fork_and_not_at_all_without_one() -> None:
    drive = Driver()
    drive("RPUSH l a")
    values = drive.engine.keyspace.databases[0].values
    before = values[b"l"]
    drive("RPUSH l b")
    assert values[b"l"] is before
    snapshot = drive.engine.keyspace.fork()
    drive("RPUSH l c")
    copy = values[b"l"]
    assert copy is not before
    drive("RPUSH l d")
    assert values[b"l"] is copy
    assert list(snapshot.entries()) == [Entry(0, b"l", "list", [b"a", b"b"], None)]
    drive.engine.keyspace.release(snapshot)
    drive("RPUSH l e")
    assert values[b"l"] is copy


def test_a_younger_fork_copies_what_an_older_fork_had_copied() -> None:
    drive = Driver()
    drive("RPUSH l a")
    older = drive.engine.keyspace.fork()
    drive("RPUSH l b")
    younger = drive.engine.keyspace.fork()
    drive("RPUSH l c")
    seen = [[entry.value for entry in snapshot.entries()] for snapshot in (older, younger)]
    assert seen == [[[b"a"]], [[b"a", b"b"]]]


def test_releasing_the_younger_fork_leaves_the_older_one_protected() -> None:
    drive = Driver()
    drive("RPUSH l a")
    older, younger = drive.engine.keyspace.fork(), drive.engine.keyspace.fork()
    drive.engine.keyspace.release(younger)
    drive("RPUSH l b")
    assert [entry.value for entry in older.entries()] == [[b"a"]]


def test_copied_bytes_are_whole_pages_of_each_key_written_once() -> None:
    drive = Driver()
    drive(f"SET large {'x' * 10_000}")
    drive("SET small x")
    drive("SET unwritten x")
    snapshot = drive.engine.keyspace.fork()
    assert snapshot.copied_bytes == 0
    drive("SET small y")
    drive("SET small z")
    assert snapshot.copied_bytes == PAGE_BYTES
    drive("APPEND large x")
    assert snapshot.copied_bytes == 4 * PAGE_BYTES
    drive("DEL small")
    drive("GET unwritten")
    assert snapshot.copied_bytes == 4 * PAGE_BYTES
    drive.engine.keyspace.release(snapshot)
    drive("SET unwritten y")
    assert snapshot.copied_bytes == 4 * PAGE_BYTES


def test_used_memory_by_hand() -> None:
    drive = Driver()
    assert drive.engine.keyspace.used_memory == 0
    drive("SET key value")  # 64 for a key, 3 for its name, 5 for the value
    assert drive.engine.keyspace.used_memory == 72
    drive("EXPIRE key 10")
    assert drive.engine.keyspace.used_memory == 104
    drive("FLUSHALL")
    assert drive.engine.keyspace.used_memory == 0
    drive("HSET key field value")  # 64 + 3, and 16 + 5 + 5 for the one field
    assert drive.engine.keyspace.used_memory == 93
    drive("HSET key field valuable")
    assert drive.engine.keyspace.used_memory == 96
    drive("HDEL key field")
    assert drive.engine.keyspace.used_memory == 0


def test_opaque_values_are_kept_and_refused_to_commands() -> None:
    drive = Driver()
    entry = Entry(2, b"stream", "stream", Opaque(19, b"\x01\x02"), 1_800_000_000_000)
    drive.engine.load(entry)
    assert list(drive.engine.entries()) == [entry]
    drive("SELECT 2")
    assert drive("TYPE stream") == Status(b"stream")
    for line in ("GET stream", "LPUSH stream x", "SINTER stream", "SORT stream", "ZUNION 1 stream"):
        assert drive(line) == ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert drive("COPY stream other") == 1
    assert drive("DEL stream") == 1
    assert list(drive.engine.entries()) == [entry._replace(key=b"other")]
