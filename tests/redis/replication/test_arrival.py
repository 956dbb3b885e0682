"""What arrives at a replica, in whatever pieces: a snapshot, then the stream.  Bytes in, values out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redistools import command

from durable_redis.redis.replication.stream import Stream, Unit, encode_effects
from durable_redis.redis.replication.transfer import Transfer, TransferError

MARK = b"0123456789" * 4
STREAM = [
    [b"SELECT", b"0"],
    [b"SET", b"k", b"v"],
    [b"MULTI"],
    [b"SET", b"a", b"1"],
    [b"SELECT", b"3"],
    [b"INCR", b"b"],
    [b"EXEC"],
    [b"PING"],
]
BYTES = b"".join(command(*argv) for argv in STREAM)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=8), st.booleans(), st.binary(max_size=90))
def test_a_snapshot_arrives_in_any_pieces(places: list[int], marked: bool, content: bytes) -> None:
    header = b"$EOF:" + MARK if marked else b"$%d" % len(content)
    sent = b"\n\n" + header + b"\r\n" + content + (MARK if marked else b"the stream")
    transfer = Transfer()
    rest = b""
    for piece in cut(sent, places):
        if transfer.content is None:
            transfer.feed(piece)
            rest = transfer.rest
        else:
            rest += piece
    assert transfer.content == content
    assert transfer.marked is marked
    assert rest == (b"" if marked else b"the stream")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"-ERR out of memory\r\n", "the primary gave up: ERR out of memory"),
        (b"+OK\r\n", "'+OK' came instead of a snapshot"),
        (b"$-1\r\n", "'$-1' came instead of a snapshot"),
        (b"$12x\r\n", "came instead of a snapshot"),
        (b"$EOF:short\r\n", "came instead of a snapshot"),
        (b"$99999999999999999999\r\n", "came instead of a snapshot"),
        (b"\xff\x00\n", "came instead of a snapshot"),
        (b"x" * 1025, "a line of more than 1024 bytes"),
    ],
)
def test_what_is_no_snapshot_is_named(sent: bytes, said: str) -> None:
    with pytest.raises(TransferError, match=r"instead of a snapshot|gave up") as caught:
        Transfer().feed(sent)
    assert said in str(caught.value)


def test_an_announced_length_allocates_nothing() -> None:
    transfer = Transfer()
    transfer.feed(b"$9000000000000000000\r\nabc")
    assert (transfer.size, transfer.received, transfer.content) == (9 * 10**18, 3, None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=10))
def test_the_stream_arrives_in_any_pieces(places: list[int]) -> None:
    stream, units = Stream(), list[Unit]()
    for piece in cut(BYTES, places):
        units += stream.feed(piece)
    assert [unit.commands for unit in units] == [[STREAM[0]], [STREAM[1]], STREAM[3:6], [STREAM[7]]]
    assert [unit.transaction for unit in units] == [False, False, True, False]
    assert b"".join(unit.data for unit in units) == BYTES, "every byte is in exactly one unit"
    assert stream.waiting == 0


def test_half_a_transaction_is_no_unit() -> None:
    stream = Stream()
    for end in range(len(command("MULTI")), len(BYTES) - len(command("PING")) - 60):
        stream = Stream()
        units = stream.feed(BYTES[:end])
        whole = sum(len(unit.data) for unit in units)
        assert whole + stream.waiting == end
    assert stream.waiting


def test_a_stream_that_breaks_says_where_and_gives_what_came_before() -> None:
    stream = Stream()
    units = stream.feed(command("SET", "k", "v") + b"*1\r\n!nonsense\r\n")
    assert [unit.commands for unit in units] == [[[b"SET", b"k", b"v"]]]
    assert stream.broken.startswith("Protocol error: expected '$', got '!', at byte ")
    assert stream.feed(command("SET", "k", "w")) == []


def test_a_select_stands_only_where_the_database_changes() -> None:
    effects = [(0, [b"DEL", b"a"]), (0, [b"DEL", b"b"]), (3, [b"DEL", b"c"])]
    stream, selected = encode_effects(effects, 0)
    assert stream == command("DEL", "a") + command("DEL", "b") + command("SELECT", 3) + command("DEL", "c")
    assert selected == 3
    assert encode_effects([(3, [b"DEL", b"d"])], None)[0] == command("SELECT", 3) + command("DEL", "d")
