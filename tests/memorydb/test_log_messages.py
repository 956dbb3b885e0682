"""The words of the log: every message comes back as it was, and whatever is none is named."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logtools import add_user, appended, fill, leader, process, read, room, run

from durable_redis.contract import Closed, Connect, Effects, Event, Opened, Received, Send
from durable_redis.formats.resp import NEED_MORE, CommandParser, encode_command
from durable_redis.memorydb.log import DATA, EntryId
from durable_redis.memorydb.log.entries import Entry
from durable_redis.memorydb.log.entries import encode as encode_entry
from durable_redis.memorydb.log.messages import (
    LIMITS,
    PEER_MESSAGES,
    QUESTIONS,
    REPLIES,
    AskAppend,
    EntriesAre,
    Message,
    MessageError,
    NotLeader,
    Replicate,
    Vote,
    decode,
    encode,
)
from durable_redis.sim import World

QUICK = settings(max_examples=80, deadline=None)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
NUMBERS = st.integers(0, 2**63 - 1)
VALUES = {
    "str": WORDS,
    "int": NUMBERS,
    "bool": st.booleans(),
    "EntryId": st.builds(EntryId, NUMBERS, NUMBERS),
    "Checksum": st.integers(0, 2**64 - 1),
    "bytes": st.binary(max_size=50),
    "tuple[bytes, ...]": st.lists(st.binary(max_size=20), max_size=4).map(tuple),
}
ALL = {**PEER_MESSAGES, **QUESTIONS, **{f"{verb} reply": kind for verb, kind in REPLIES.items()}}


def words_of(data: bytes) -> list[bytes]:
    parser = CommandParser(LIMITS)
    parser.feed(data)
    words = parser.next()
    assert words is not NEED_MORE
    return words


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (AskAppend("s1", 7, EntryId(3, 17), "n1-1", DATA, b"\r\n\x00"), b"APPEND s1 7 3-17 n1-1 data \r\n\x00"),
        (Vote("s1", 4, EntryId(3, 17), True, False, 5), b"VOTE s1 4 3-17 yes no 5"),
        (NotLeader("s1", 7, ""), b"NOTLEADER s1 7 "),
        (EntriesAre("s1", 7, EntryId(3, 17), 255, (b"x",)), b"ENTRIES s1 7 3-17 00000000000000ff x"),
    ],
)
def test_the_words_of_a_message(message, words):
    assert words_of(encode(message)) == words.split(b" ")


@QUICK
@given(st.sampled_from(sorted(ALL)), st.data())
def test_every_message_comes_back(verb, data):
    kind = ALL[verb]
    message = kind(*(data.draw(VALUES[str(field.type)]) for field in fields(kind)))
    kinds = REPLIES if verb.endswith("reply") else {**PEER_MESSAGES, **QUESTIONS}
    assert decode(words_of(encode(message)), kinds) == message


@QUICK
@given(st.sampled_from([*PEER_MESSAGES, *QUESTIONS]), st.lists(st.binary(max_size=12), max_size=12))
def test_any_words_are_a_message_or_a_named_error(verb, rest):
    try:
        message = decode([verb.encode(), *rest], {**PEER_MESSAGES, **QUESTIONS})
    except MessageError as error:
        assert str(error)  # noqa: PT017
    else:
        assert isinstance(message, Message)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (b"", "'' is no verb here"),
        (b"GET k", "'GET' is no verb here: PEER, APPEND"),
        (b"TAIL s1", "TAIL wants 2 words (shard number), not 1"),
        (b"TAIL s1 1 2", "TAIL wants 2 words (shard number), not 3"),
        (b"TAIL s1 -1", "number of TAIL must be a number"),
        (b"TAIL s1 99999999999999999999", "number of TAIL must be a number"),
        (b"READ s1 1 17 5", "after of READ must be an id such as 3-17, not b'17'"),
        (b"TAIL \xff 1", "shard of TAIL must be a short word"),
        (b"TAIL " + b"s" * 300 + b" 1", "shard of TAIL must be a short word"),
    ],
)
def test_what_is_no_message_is_named(words, sentence):
    with pytest.raises(MessageError) as caught:
        decode(words.split(b" "), QUESTIONS)
    assert sentence in str(caught.value)


# -- at a node -------------------------------------------------------------------------------------------------------


class Rude:
    """Sends bytes to one replica, and keeps what comes back."""

    def __init__(self, target: str, data: bytes) -> None:
        self.target, self.data = target, data
        self.heard = b""
        self.closed = False

    def boot(self, now: int) -> Effects:
        yield Connect(self.target)

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened(connection=connection):
                yield Send(connection, self.data)
            case Received(data=data):
                self.heard += data
            case Closed():
                self.closed = True

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> dict[str, object]:
        return {}


def be_rude(world: World, target: str, *messages: bytes) -> Rude:
    rude = Rude(target, b"".join(messages))
    world.add_machine(f"rude{len(world.machines)}", "a", lambda random: rude)
    world.start(f"rude{len(world.machines) - 1}")
    run(world, 100)
    return rude


AS_PEER = encode_command([b"PEER", b"log-b"])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"*1\r\n$99999999999999\r\n", b"invalid bulk length"),
        (b"*99999999\r\n", b"invalid multibulk length"),
        (b"GET k\r\n", b"'GET' is no verb here"),
        (encode_command([b"APPEND", b"s1"]), b"APPEND wants 6 words"),
        (encode_command([b"PEER", b"stranger"]), b"'stranger' is no replica of this log"),
        (encode(AskAppend("s9", 3, EntryId.ZERO, "t", DATA, b"")), b"no shard 's9' is kept here: s1 are"),
    ],
)
def test_a_malformed_request_is_refused_by_name_and_changes_nothing(data, sentence):
    world = room()
    add_user(world)
    ids = fill(world, "n1", 2)
    rude = be_rude(world, leader(world), data)
    assert sentence in rude.heard
    assert rude.heard.startswith(b"*5\r\n$7\r\nREFUSED\r\n")
    assert rude.closed
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]
    appended(world, "n1", ids[-1])


@pytest.mark.parametrize(
    ("append", "sentence"),
    [
        (AskAppend("s1", 3, EntryId.ZERO, "t", "gossip", b""), b"no entry is of the kind 'gossip'"),
        (AskAppend("s1", 3, EntryId.ZERO, "t", "no-op", b""), b"no entry is of the kind 'no-op'"),
        (AskAppend("s1", 3, EntryId.ZERO, "", DATA, b""), b"needs a token"),
        (AskAppend("s1", 3, EntryId(9, 99), "t", DATA, b""), b"no entry 9-99 is committed; the last one is 0-0"),
    ],
)
def test_an_append_that_makes_no_sense_is_refused_by_name(append, sentence):
    world = room()
    rude = be_rude(world, leader(world), encode(append))
    assert sentence in rude.heard
    assert b"APPENDED" not in rude.heard
    assert not rude.closed
    add_user(world)
    assert read(world, "n1").entries == ()


@pytest.mark.parametrize("how", ["wrong checksum", "flipped bit", "wrong place", "no entry at all"])
def test_a_replica_takes_no_entry_that_is_damaged_and_acknowledges_nothing(how):
    """It comes on a connection that says it is log-b's."""
    world = room()
    add_user(world)
    ids = fill(world, "n1", 2)
    name = "log-a" if leader(world) != "log-a" else "log-c"
    log = process(world, name).replicas["s1"]
    last, base = log.sequence.last, log.sequence.checksum_at(log.sequence.last.index)
    place = last.index + (2 if how == "wrong place" else 1)
    entry = Entry.following(base ^ (how == "wrong checksum"), EntryId(last.term, place), DATA, b"forged", "t")
    frame = bytearray(encode_entry(entry) if how != "no entry at all" else b"forged")
    if how == "flipped bit":
        frame[-12] ^= 1
    forged = Replicate("s1", log.ballot.term, 1_000, EntryId.ZERO, 0, last, last.index, last.index + 1, (bytes(frame),))
    rude = be_rude(world, name, AS_PEER, encode(forged))
    assert rude.heard == b""
    assert rude.closed
    assert log.sequence.last == last
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]
    appended(world, "n1", ids[-1])
