"""The bus's messages: literal bytes, there and back, and everything that is no message."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.formats.resp import NEED_MORE, encode_command
from durable_redis.redis.cluster.bus import (
    HEARTBEATS,
    MARKS,
    BusError,
    BusParser,
    Health,
    Kind,
    Message,
    Rumour,
    encode,
)
from durable_redis.redis.cluster.slots import ALL, slots_in
from durable_redis.redis.epochs import LARGEST_EPOCH

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12).filter(lambda n: n != "-")
NUMBERS = st.integers(0, 2**63 - 1)
EPOCHS = st.integers(0, LARGEST_EPOCH)
SLOTS = st.lists(st.integers(0, 16383), max_size=6).map(lambda each: slots_in((slot, slot) for slot in each))
RUMOURS = st.builds(Rumour, NAMES, st.sampled_from(Health), NUMBERS, NUMBERS)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(Kind))
    header = (draw(NAMES), draw(EPOCHS), draw(EPOCHS), draw(NUMBERS), draw(NAMES | st.just("")), draw(SLOTS))
    marks = tuple(draw(st.lists(st.sampled_from(MARKS), unique=True)))
    rumours = tuple(draw(st.lists(RUMOURS, max_size=4))) if kind in HEARTBEATS else ()
    about = draw(NAMES) if kind in (Kind.FAIL, Kind.UPDATE) else ""
    claim = (draw(EPOCHS), draw(SLOTS)) if kind is Kind.UPDATE else (0, 0)
    return Message(kind, *header, marks, rumours, about, *claim)


def parsed(*pieces: bytes) -> list[Message]:
    parser, found = BusParser(), []
    for piece in pieces:
        parser.feed(piece)
        while (message := parser.next()) is not NEED_MORE:
            found.append(message)
    return found


def test_a_message_in_literal_bytes() -> None:
    message = Message(
        Kind.PING, "n1", 6, 1, 1024, slots=slots_in([(0, 5460)]), rumours=(Rumour("n2", Health.OK, 0, 7),)
    )
    data = encode(message)
    words = [*b"PING n1 6 1 1024 - 0-5460 -".split(), b"n2 ok 0 7"]
    assert data == encode_command(words)
    assert parsed(data) == [message]


@settings(max_examples=60, deadline=None)
@given(st.lists(messages(), max_size=4), st.integers(1, 40))
def test_there_and_back_in_any_pieces(sent: list[Message], size: int) -> None:
    data = b"".join(map(encode, sent))
    assert parsed(*(data[i : i + size] for i in range(0, len(data), size))) == sent


@settings(max_examples=100, deadline=None)
@given(messages(), st.data())
def test_a_damaged_message_is_another_message_or_a_named_error(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BusError):
        for found in parsed(bytes(damaged)):
            assert parsed(encode(found)) == [found]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_a_named_error_or_not_finished_yet(garbage: bytes) -> None:
    with suppress(BusError):
        assert parsed(garbage) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("HELLO n1 6 1 0 - - -", "no message of the bus begins with b'HELLO'"),
        ("PING n1 6 1 0 - -", "PING has a header of 8 words, not of 7"),
        ("PING n1 six 1 0 - - -", "the current epoch is a whole number, from 0 to 100000000000000000, not 'six'"),
        (f"PING n1 6 {10**17 + 1} 0 - - -", "the config epoch is a whole number, from 0 to 100000000000000000"),
        ("PING n1 -6 1 0 - - -", "the current epoch is a whole number"),
        ("PING n1 6 1 0 - 5-3 -", "slots are numbers from 0 to 16383 in ascending order, and '5-3' breaks it"),
        ("PING n1 6 1 0 - 0-16384 -", "'0-16384' breaks it"),
        ("PING n1 6 1 0 - 3,3 -", "'3' breaks it"),
        ("PING n1 6 1 0 - x -", "slots are written like 0-5460,6000, not 'x'"),
        ("PING n1 6 1 0 - - loud", "the marks are some of paused, force, nofailover, not 'loud'"),
        ("PING n1 6 1 0 - - - n2", "a rumour is written like"),
        ("FAIL n1 6 1 0 - - -", "FAIL does not carry 0 words"),
        ("FAIL n1 6 1 0 - - - -", "a node's name has 1 to 255 printable characters"),
        ("UPDATE n1 6 1 0 - - - n2 7", "UPDATE does not carry 2 words"),
        ("AUTH-ACK n1 6 1 0 - - - n2", "AUTH-ACK does not carry 1 words"),
    ],
)
def test_what_is_wrong_is_named(text: str, sentence: str) -> None:
    with pytest.raises(BusError) as caught:
        parsed(encode_command(text.encode().split(b" ")))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "header", [b"*2000000000\r\n", b"*1\r\n$500000000\r\n", b"*9999\r\n$4\r\nPING\r\n" + b"x" * 999]
)
def test_nothing_is_allocated_because_a_peer_announced_it(header: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(BusError):
        parsed(header)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_the_longest_set_of_slots_fits() -> None:
    every_other = sum(1 << slot for slot in range(0, 16384, 2))
    for slots in (ALL, every_other):
        message = Message(Kind.PONG, "n1", slots=slots)
        assert parsed(encode(message)) == [message]
