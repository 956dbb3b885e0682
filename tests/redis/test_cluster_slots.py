"""Hash slots against published vectors, against sets of numbers, and against a real server; the keys of a command."""

from __future__ import annotations

import random
import socket
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realserver import RealServer, find_server_binaries
from requirements import need

from durable_redis.engine import Command, Engine
from durable_redis.redis.cluster.slots import (
    ALL,
    SLOTS,
    crc16,
    equal_shares,
    hashed_part,
    key_slot,
    ranges_of,
    slots_in,
)


def test_the_published_vectors() -> None:
    """CRC-16/XMODEM's check value (specification, appendix A), and slots that everybody's documentation shows."""
    assert crc16(b"123456789") == 0x31C3
    assert [key_slot(key) for key in (b"foo", b"bar", b"hello", b"")] == [12182, 5061, 866, 0]


@pytest.mark.parametrize(
    ("key", "part"),
    [  # the examples of the specification, then the edges
        (b"{user1000}.following", b"user1000"),
        (b"foo{}{bar}", b"foo{}{bar}"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"{}", b"{}"),
        (b"}x{", b"}x{"),
        (b"a}b{c}d", b"c"),
        (b"{open", b"{open"),
        (b"{\0}", b"\0"),
    ],
)
def test_hash_tags(key: bytes, part: bytes) -> None:
    assert hashed_part(key) == part


def test_shares_are_those_of_redis_cli() -> None:
    assert equal_shares(1) == [(0, 16383)]
    assert equal_shares(3) == [(0, 5460), (5461, 10922), (10923, 16383)]
    assert equal_shares(6)[0] == (0, 2730)
    for count in (2, 5, 7, 1000):
        assert sum(slots_in([share]) for share in equal_shares(count)) == ALL


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers(0, 40)), max_size=20))
def test_ranges_and_sets_are_the_same_thing(pieces: list[tuple[int, int]]) -> None:
    members = sorted({slot for first, length in pieces for slot in range(first, min(first + length + 1, SLOTS))})
    slots = slots_in((slot, slot) for slot in members)
    ranges = ranges_of(slots)
    assert [slot for first, last in ranges for slot in range(first, last + 1)] == members
    assert slots_in(ranges) == slots
    assert all(after[0] > before[1] + 1 for before, after in pairwise(ranges))


KEYS_OF = [
    "GET a",
    "MSET a 1 b 2",
    "OBJECT ENCODING a",
    "BITOP AND t a b",
    "ZUNION 2 a b WITHSCORES",
    "ZUNIONSTORE t 2 a b WEIGHTS 1 2",
    "ZINTERCARD 2 a b LIMIT 1",
    "SINTERCARD 1 a",
    "LMPOP 2 a b LEFT",
    "ZMPOP 1 a MIN",
    "SORT a BY w_* STORE t",
    "SORT a STORE t STORE u",
    "SORT_RO a GET p_*",
    "LMPOP 9 a b LEFT",
    "ZDIFF x a b",
    "PING",
]


def keys_of(engine: Engine, argv: list[bytes]) -> list[bytes]:
    command = engine.lookup(argv)
    assert isinstance(command, Command)
    return command.keys(argv)


def test_the_keys_of_a_command() -> None:
    engine = Engine(random.Random(1))
    found = {text: b" ".join(keys_of(engine, text.encode().split())) for text in KEYS_OF}
    assert found["ZUNIONSTORE t 2 a b WEIGHTS 1 2"] == b"t a b"
    assert found["SORT a STORE t STORE u"] == b"a u"
    assert found["LMPOP 2 a b LEFT"] == b"a b"
    assert found["LMPOP 9 a b LEFT"] == found["ZDIFF x a b"] == found["PING"] == b""


def test_a_real_server_sees_the_same_slots_and_keys() -> None:
    binaries = [binary for binary in find_server_binaries() if binary.version >= (7,)]
    need(bool(binaries), "no real server of version 7 is here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    luck = random.Random(1)
    engine = Engine(luck)
    arguments = ("--cluster-enabled", "yes", "--cluster-port", port, "--bind", "127.0.0.1")
    with RealServer(binaries[0], *arguments) as server:
        for _ in range(500):
            key = bytes(luck.choice(b"ab{}\0") for _ in range(luck.randrange(9)))
            assert server.execute("CLUSTER", "KEYSLOT", key) == key_slot(key), key
        for text in KEYS_OF[:-3]:
            argv = text.encode().split()
            assert server.execute("COMMAND", "GETKEYS", *argv) == keys_of(engine, argv), text
