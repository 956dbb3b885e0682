"""DUMP and RESTORE: literal bytes, what is propagated and refused, and payloads that cross to a real Redis and back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from enginetools import FURNITURE, NOW_MS, Driver, contents
from realserver import RealServer, ServerBinary

from durable_redis.engine import Engine
from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import RdbError, decode, encode
from durable_redis.formats.rdb.payload import dump_value, load_value
from durable_redis.formats.resp import OK, ErrorReply

HI = b"\x00\x02hi\x0a\x00" + crc64(b"\x00\x02hi\x0a\x00").to_bytes(8, "little")


def run(driver: Driver, *argv: bytes | str) -> object:
    words = [word.encode() if isinstance(word, str) else word for word in argv]
    return driver.engine.execute(driver.session, words, driver.now_ms)


def error(reply: object) -> str:
    assert isinstance(reply, ErrorReply), reply
    return reply.text


def test_a_payload_is_a_type_a_value_a_version_and_a_checksum() -> None:
    driver = Driver()
    driver("SET k hi")
    assert run(driver, "DUMP", "k") == dump_value("string", b"hi") == HI
    assert run(driver, "DUMP", "nothing") is None


def test_every_kind_comes_back_with_its_expiry() -> None:
    ours, other = Driver(), Driver()
    for argv in FURNITURE:
        ours.engine.execute(ours.session, argv, NOW_MS)
    for _, key, *_, at_ms in contents(ours.engine):
        payload = run(ours, "DUMP", key)
        assert isinstance(payload, bytes)
        assert run(other, "RESTORE", key, str(at_ms or 0), payload, "ABSTTL") == OK
    assert contents(other.engine) == contents(ours.engine)
    replayed = Engine(random.Random(1))
    for db, argv in other.engine.take_effects():
        replayed.apply(db, argv, NOW_MS)
    assert contents(replayed) == contents(ours.engine)


def test_what_is_propagated_has_an_absolute_time() -> None:
    driver = Driver()
    run(driver, "RESTORE", "k", "100", HI)
    run(driver, "RESTORE", "k", "0", HI, "REPLACE")
    run(driver, "RESTORE", "k", str(NOW_MS - 1), HI, "REPLACE", "ABSTTL")
    run(driver, "RESTORE", "k", str(NOW_MS - 1), HI, "ABSTTL")
    assert [argv for _, argv in driver.engine.take_effects()] == [
        [b"RESTORE", b"k", b"%d" % (NOW_MS + 100), HI, b"ABSTTL"],
        [b"RESTORE", b"k", b"0", HI, b"REPLACE"],
        [b"DEL", b"k"],
    ]


def test_a_replica_keeps_what_has_expired_until_it_is_told() -> None:
    engine = Engine(random.Random(1))
    engine.is_replica = True
    engine.apply(0, [b"RESTORE", b"k", b"1", HI, b"ABSTTL"], NOW_MS)
    assert engine.keyspace.databases[0].expires == {b"k": 1}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("k", "0", HI), "BUSYKEY Target key name already exists."),
        (("n", "-1", HI), "ERR Invalid TTL value, must be >= 0"),
        (("n", "x", HI), "ERR value is not an integer or out of range"),
        (("n", "0", HI, "REPLACES"), "ERR syntax error"),
        (("n", "0", HI, "FREQ", "256"), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        (("n", "0", HI, "IDLETIME", "-1"), "ERR Invalid IDLETIME value, must be >= 0"),
        (("n", "0", HI[:-1] + b"x"), "ERR DUMP payload version or checksum are wrong"),
        (("n", "0", HI[:-8] + bytes(8)), "ERR DUMP payload version or checksum are wrong"),
        (("n", "0", b""), "ERR DUMP payload version or checksum are wrong"),
    ],
)
def test_refused_and_nothing_has_changed(words: tuple[str, ...], text: str) -> None:
    driver = Driver()
    driver("SET k v")
    driver.effects()
    assert error(run(driver, "RESTORE", *words)) == text
    assert (contents(driver.engine), driver.effects()) == ([(0, b"k", "string", b"v", None)], [])


LONGEST = str(2**63 - 1)


def test_a_time_to_live_that_does_not_fit_is_over_at_once() -> None:
    """The sum with the clock is one of 64 bits, in Redis as well; a snapshot could hold no other expiry."""
    driver = Driver()
    driver("SET k v")
    assert run(driver, "RESTORE", "n", LONGEST, HI) == OK
    assert run(driver, "RESTORE", "k", LONGEST, HI, "REPLACE") == OK
    assert contents(driver.engine) == []
    assert run(driver, "RESTORE", "k", LONGEST, HI, "ABSTTL") == OK
    assert decode(encode(driver.engine.entries())).entries[0].expires_at_ms == 2**63 - 1
    driver.engine.is_replica = True
    run(driver, "RESTORE", "n", LONGEST, HI)
    assert len(encode(driver.engine.entries())) > 0, "a replica keeps it, hidden, and can save it"


@pytest.mark.parametrize("body", [b"\x63", b"\x00\x05hi", b"\x00\x02hi!", b"\x12\x00", b"\x04\x81" + b"\xff" * 8])
def test_a_sealed_payload_with_nonsense_in_it_is_refused(body: bytes) -> None:
    sealed = body + b"\x0a\x00" + crc64(body + b"\x0a\x00").to_bytes(8, "little")
    with pytest.raises(RdbError):
        load_value(sealed)
    assert error(run(Driver(), "RESTORE", "k", "0", sealed)) == "ERR Bad data format"


@pytest.fixture
def redis_7_0(real_servers: list[ServerBinary], tmp_path: Path) -> Iterator[RealServer]:
    found = [binary for binary in real_servers if binary.version[:2] == (7, 0)]
    if not found:
        pytest.skip("no redis-server 7.0 is installed")
    with RealServer(found[0], directory=tmp_path) as server:
        yield server


BOUNDARIES = [
    *(["HSET", "k", *(word for n in range(count) for word in (f"f{n}", "v"))] for count in (128, 129, 512, 513)),
    *(["ZADD", "k", *(word for n in range(count) for word in (n, f"m{n}"))] for count in (128, 129)),
    *(["SADD", "k", *range(count)] for count in (512, 513)),
    *(["HSET", "k", "f", "v" * length] for length in (64, 65)),
    *(["ZADD", "k", 1, "m" * length] for length in (64, 65)),
]


@pytest.mark.parametrize("made", BOUNDARIES, ids=lambda made: f"{made[0]} of {len(made) - 2}, to {len(str(made[-1]))}")
def test_a_collection_is_packed_up_to_where_a_real_redis_packs_it(made: list[str | int], redis_7_0: RealServer) -> None:
    """The type byte in front of the payload says in which encoding it is."""
    ours = Driver()
    words = [str(word) for word in made]
    run(ours, *words)
    redis_7_0.execute(*words)
    mine, theirs = run(ours, "DUMP", "k"), redis_7_0.execute("DUMP", "k")
    assert isinstance(mine, bytes) and isinstance(theirs, bytes)  # noqa: PT018
    assert mine[0] == theirs[0]
    assert run(ours, "OBJECT", "ENCODING", "k") == redis_7_0.execute("OBJECT", "ENCODING", "k")


def test_a_real_redis_judges_the_checksum_and_the_time_alike(redis_7_0: RealServer) -> None:
    ours = Driver()
    asked: list[tuple[bytes | str, ...]] = [
        ("RESTORE", "n", "0", HI[:-8] + bytes(8)),
        ("RESTORE", "k", LONGEST, HI),
        ("EXISTS", "k"),
        ("RESTORE", "k", LONGEST, HI, "ABSTTL"),
        ("RESTORE", "k", LONGEST, HI, "REPLACE"),
        ("EXISTS", "k"),
    ]
    assert [run(ours, *words) for words in asked] == [redis_7_0.execute(*words) for words in asked]


def test_payloads_cross_to_a_real_redis_and_back(redis_7_0: RealServer) -> None:
    ours, back = Driver(), Driver()
    for argv in [*FURNITURE, [b"SET", b"long", b"ab" * 500]]:
        ours.engine.execute(ours.session, argv, NOW_MS)
    for _, key, *_ in contents(ours.engine):
        payload = run(ours, "DUMP", key)
        assert isinstance(payload, bytes)
        assert redis_7_0.execute("RESTORE", key, "0", payload) == OK
        theirs = redis_7_0.execute("DUMP", key)
        assert run(back, "RESTORE", key, "0", theirs) == OK
    mine = [row[:4] for row in contents(ours.engine)]
    assert [row[:4] for row in contents(back.engine)] == mine
    assert redis_7_0.execute("DBSIZE") == len(mine)
