"""What the engine propagates: the law that effects repeat the keyspace, and the canonical form of each rewrite.

The forms were read from the append-only file of a real Redis 7.0; `test_engine_against_redis` compares whole random
sequences with that file.
"""

from __future__ import annotations

import random

import pytest
from enginetools import FURNITURE, NOW_MS, Driver, commands, contents, words
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.engine import Engine, Session

LUCKY = st.sampled_from([words(line) for line in ("SPOP m1", "SPOP m1 2", "SPOP m2", "EXPIRE s1 1", "SETEX s2 1 v")])
STEPS = st.lists(
    st.tuples(st.integers(0, 400), st.one_of(commands(), commands(), commands(), LUCKY)), min_size=20, max_size=60
)


@given(STEPS, st.booleans())
@settings(max_examples=80, derandomize=True, deadline=None)
def test_effects_applied_to_an_empty_engine_give_the_same_keyspace(
    steps: list[tuple[int, list[bytes]]], cycle: bool
) -> None:
    primary, replica = Engine(random.Random(1)), Engine(random.Random(2))
    replica.is_replica = True
    session, now_ms = Session("client"), NOW_MS
    for waited_ms, argv in [*((0, argv) for argv in FURNITURE), *steps]:
        now_ms += waited_ms
        primary.execute(session, argv, now_ms)
        if cycle:
            primary.expire_cycle(now_ms, limit=1)
        for db, effect in primary.take_effects():
            # A replica may be late: it applies the effect when the key's time has long passed on its own clock.
            replica.apply(db, effect, now_ms + 10_000)
        assert contents(replica) == contents(primary)
    assert replica.take_effects() == []


@pytest.mark.parametrize(
    ("before", "line", "effects"),
    [
        ("", "SET k v EX 10", ["SET k v PXAT 1700000010000"]),
        ("", "SET k v PX 10 NX", ["SET k v PXAT 1700000000010"]),
        ("", "SET k v EXAT 1800000000", ["SET k v PXAT 1800000000000"]),
        ("SET k o", "SET k v EX 10 GET", ["SET k v PXAT 1700000010000"]),
        ("SET k o", "SET k v GET XX", ["SET k v XX"]),
        ("", "SETEX k 10 v", ["SET k v PXAT 1700000010000"]),
        ("", "PSETEX k 10 v", ["SET k v PXAT 1700000000010"]),
        ("SET k o", "GETSET k v", ["SET k v"]),
        ("SET k o", "GETDEL k", ["DEL k"]),
        ("SET k o", "GETEX k EX 10", ["PEXPIREAT k 1700000010000"]),
        ("SET k o EX 9", "GETEX k PERSIST", ["PERSIST k"]),
        ("SET k o", "GETEX k", []),
        ("SET k o", "GETEX k PXAT 1", ["DEL k"]),
        ("SET k o", "EXPIRE k 10", ["PEXPIREAT k 1700000010000"]),
        ("SET k o", "EXPIRE k 10 NX", ["PEXPIREAT k 1700000010000 NX"]),
        ("SET k o", "EXPIRE k -1", ["DEL k"]),
        ("SET k 10.5", "INCRBYFLOAT k 0.1", ["SET k 10.6 KEEPTTL"]),
        ("HSET k f 10.5", "HINCRBYFLOAT k f 0.1", ["HSET k f 10.6"]),
        ("SADD k a", "SPOP k", ["SREM k a"]),
        ("SADD k a", "SPOP k 1", ["DEL k"]),
        ("SADD k a b", "SPOP k 5", ["DEL k"]),
        ("RPUSH k a b c", "LMPOP 2 none k LEFT COUNT 2", ["LPOP k 2"]),
        ("ZADD k 1 a", "ZMPOP 1 k MIN", ["ZPOPMIN k 1"]),
        ("", "FLUSHALL", ["FLUSHALL"]),
        ("", "DEL nothing", []),
        ("SADD k a", "SADD k a", []),
        ("SET k v", "SET k w NX", []),
        ("SET k v", "LPUSH k a", []),
        ("RPUSH k a b", "LTRIM k 0 -1", []),
        ("SET k v", "GET k", []),
    ],
)
def test_canonical_forms(before: str, line: str, effects: list[str]) -> None:
    drive = Driver()
    if before:
        drive(before)
        drive.effects()
    drive(line)
    assert drive.effects() == effects


def test_several_members_taken_by_one_spop_are_one_transaction() -> None:
    drive = Driver()
    drive("SADD k a b c d")
    drive.effects()
    drive("SPOP k 2")
    first, *removals, last = drive.effects()
    assert (first, last) == ("MULTI", "EXEC")
    assert len(removals) == 2
    assert all(removal.startswith("SREM k ") for removal in removals)


def test_a_transaction_is_wrapped_only_if_it_wrote_more_than_once() -> None:
    drive = Driver()
    for lines, effects in (
        (["GET k"], []),
        (["SET k 1", "GET k"], ["SET k 1"]),
        (["SET k 1", "LPUSH k x", "INCR k"], ["MULTI", "SET k 1", "INCR k", "EXEC"]),
    ):
        for line in ["MULTI", *lines, "EXEC"]:
            drive(line)
        assert drive.effects() == effects


def test_an_expired_key_that_a_command_touches_is_deleted_first_and_both_are_one_transaction() -> None:
    drive = Driver()
    drive("SET k v PX 5")
    drive.effects()
    drive.now_ms += 6
    drive("GET k")
    assert drive.effects() == ["DEL k"]
    drive("SET k v PX 5")
    drive.effects()
    drive.now_ms += 6
    drive("APPEND k w")
    assert drive.effects() == ["MULTI", "DEL k", "APPEND k w", "EXEC"]


def test_effects_carry_their_database() -> None:
    drive = Driver()
    drive("SELECT 3")
    drive("SET k v")
    assert drive.engine.take_effects() == [(3, [b"SET", b"k", b"v"])]
    assert drive.engine.take_effects() == []


def test_dirty_counts_as_redis_does() -> None:
    drive = Driver()
    for line, changes in (
        ("SET k v", 1),
        ("SET k v", 1),
        ("MSET a 1 b 2", 2),
        ("RPUSH l a b c", 3),
        ("LPOP l 2", 2),
        ("HSET h a 1 b 2", 2),
        ("SADD s a a b", 2),
        ("SADD s a", 0),
        ("DEL k a nothing", 2),
        ("GET b", 0),
        ("SET b v EX 10", 1),
        ("FLUSHALL", 4),
    ):
        drive.engine.dirty = 0
        drive(line)
        assert drive.engine.dirty == changes, line
