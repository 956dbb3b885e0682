"""Entries as bytes: they come back as they were, and damage has a name and a place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.formats.crc64 import crc64
from durable_redis.memorydb.log.entries import (
    DATA,
    KINDS,
    LARGEST_BODY,
    NO_OP,
    Entry,
    EntryId,
    LogError,
    decode,
    decode_all,
    encode,
)

NUMBERS = st.integers(0, 2**63 - 1)
TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
CONTENTS = st.tuples(st.builds(EntryId, NUMBERS, NUMBERS), st.sampled_from((*KINDS, NO_OP)), st.binary(), TOKENS)
QUICK = settings(max_examples=60, deadline=None)


def chain(contents: list[tuple[EntryId, str, bytes, str]], base: int = 0) -> list[Entry]:
    entries = []
    for content in contents:
        entries.append(Entry.following(base, *content))
        base = entries[-1].running(base)
    return entries


def test_the_bytes_of_an_entry():
    """Literal bytes: header, term, place, two lengths, kind, token, body, checksum."""
    entry = Entry.following(0, EntryId(3, 17), DATA, b"SET k v", "n1-7")
    content = bytes(7) + b"\x03" + bytes(7) + b"\x11" + b"\x04\x04" + b"data" + b"n1-7" + b"SET k v"
    assert entry.checksum == crc64(content)
    assert encode(entry) == b"\x00\x00\x00\x21\xff\xff\xff\xde" + content + crc64(content).to_bytes(8)


def test_the_running_checksum_is_that_of_everything_so_far_without_the_no_ops():
    first, no_op, second = chain(
        [(EntryId(1, 1), DATA, b"a", "x"), (EntryId(2, 2), NO_OP, b"", ""), (EntryId(2, 3), DATA, b"b", "y")]
    )
    contents = [encode(entry)[8:-8] for entry in (first, no_op, second)]
    assert second.checksum == crc64(contents[0] + contents[2])
    assert no_op.checksum == crc64(contents[0] + contents[1])
    assert second.follows(first.checksum)
    assert not second.follows(no_op.checksum)


@QUICK
@given(st.lists(CONTENTS, max_size=5), NUMBERS)
def test_entries_come_back(contents, base):
    entries = chain(contents, base)
    data = b"".join(map(encode, entries))
    at, running, found = 0, base, []
    while at < len(data):
        entry, at = decode(data, running, at)
        running = entry.running(running)
        found.append(entry)
    assert found == entries
    assert list(decode_all(map(encode, entries), base, "here")) == entries


@QUICK
@given(st.lists(CONTENTS, min_size=1, max_size=3), st.data())
def test_a_cut_end_is_torn_and_says_where(contents, data):
    entries = chain(contents)
    whole = b"".join(map(encode, entries[:-1]))
    last = encode(entries[-1])
    kept = data.draw(st.integers(0, len(last) - 1))
    base = 0
    for entry in entries[:-1]:
        base = entry.running(base)
    with pytest.raises(LogError) as caught:
        decode(whole + last[:kept], base, len(whole), "the file")
    assert caught.value.torn
    assert (caught.value.name, caught.value.offset) == ("the file", len(whole))


@QUICK
@given(CONTENTS, NUMBERS, st.data())
def test_a_bit_turned_over_anywhere_is_damage_and_never_looks_torn(content, base, data):
    encoded = bytearray(encode(Entry.following(base, *content)))
    position = data.draw(st.integers(0, len(encoded) * 8 - 1))
    encoded[position // 8] ^= 1 << position % 8
    with pytest.raises(LogError) as caught:
        decode(bytes(encoded), base)
    assert not caught.value.torn


@QUICK
@given(CONTENTS, NUMBERS, NUMBERS)
def test_an_entry_behind_the_wrong_predecessor_is_damage(content, base, other):
    entry = Entry.following(base, *content)
    if base == other:
        assert decode(encode(entry), other)[0] == entry
    else:
        with pytest.raises(LogError, match="does not follow"):
            decode(encode(entry), other)


@QUICK
@given(st.binary(max_size=80))
def test_bytes_that_are_no_entry_are_a_named_error(data):
    with pytest.raises(LogError, match=r"^an entry: at byte 0: "):
        decode(data, 0)


@pytest.mark.parametrize("length", [0, 17, LARGEST_BODY * 2, 2**32 - 1])
def test_a_hostile_length_is_refused_before_anything_is_read(length):
    header = length.to_bytes(4) + (length ^ 0xFFFFFFFF).to_bytes(4)
    with pytest.raises(LogError, match=f"no entry has {length} bytes") as caught:
        decode(header + bytes(100), 0)
    assert not caught.value.torn


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (bytes(16) + b"\x04\xff" + b"data", "not a word"),
        (bytes(16) + b"\x05\x00" + b"dat\xff\xff", "not a word"),
        (bytes(16) + b"\x05\x00" + b"datum", "no entry is of the kind 'datum'"),
    ],
)
def test_a_content_that_makes_no_sense_is_named_even_with_a_right_checksum(content, sentence):
    length = len(content)
    data = length.to_bytes(4) + (length ^ 0xFFFFFFFF).to_bytes(4) + content + crc64(content).to_bytes(8)
    with pytest.raises(LogError, match=sentence):
        decode(data, 0)


def test_bytes_behind_an_entry_that_came_alone_are_damage():
    frame = encode(Entry.following(0, EntryId(1, 1), DATA, b"", ""))
    with pytest.raises(LogError, match="1 bytes too many"):
        decode_all([frame + b"x"], 0, "a message")


def test_ids_are_ordered_by_place_and_read_back():
    assert sorted([EntryId(2, 3), EntryId(9, 1), EntryId(1, 2)]) == [EntryId(9, 1), EntryId(1, 2), EntryId(2, 3)]
    assert EntryId.parse("3-17") == EntryId(3, 17)
    assert str(EntryId(3, 17)) == "3-17"


@pytest.mark.parametrize("text", ["", "3", "3-", "-3-1", "03-1", "3-1 ", "3-1-1", "3-99999999999999999999", "٣-1"])
def test_what_is_no_id_is_named(text):
    with pytest.raises(LogError, match='such as "3-17"'):
        EntryId.parse(text)
