"""RDB against what nobody planned: any keys survive a round trip, and any bytes are answered or refused by name."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import GOLDEN, keyspace_of

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import Entry, RdbError, decode, encode

ROUND_TRIPS = settings(max_examples=150, derandomize=True, deadline=None)
MUTATIONS = settings(max_examples=600, derandomize=True, deadline=None)

SAMPLES = [path.read_bytes() for path in sorted(GOLDEN.glob("rdb_*.rdb"))]

numbers = st.integers(-(1 << 64), 1 << 64).map(lambda number: b"%d" % number)
small_numbers = st.integers(-300, 300).map(lambda number: b"%d" % number)
short = st.one_of(st.binary(max_size=8), small_numbers, numbers, st.sampled_from([b"007", b"+5", b"-0", b"--1"]))
long = st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=5), st.integers(1, 9000))
strings = st.one_of(short, st.binary(max_size=200), long)
scores = st.floats(allow_nan=False)

values = st.one_of(
    st.tuples(st.just("string"), strings),
    st.tuples(st.just("list"), st.lists(strings, min_size=1, max_size=20)),
    st.tuples(st.just("set"), st.lists(st.one_of(short, strings), min_size=1, max_size=20, unique=True)),
    st.tuples(st.just("set"), st.lists(small_numbers, min_size=1, max_size=20, unique=True)),
    st.tuples(st.just("hash"), st.dictionaries(short, strings, min_size=1, max_size=20).map(lambda d: list(d.items()))),
    st.tuples(st.just("zset"), st.dictionaries(short, scores, min_size=1, max_size=20).map(lambda d: list(d.items()))),
)
expiries = st.none() | st.integers(-(1 << 63), (1 << 63) - 1)
databases = st.dictionaries(st.tuples(st.integers(0, 20), strings), st.tuples(values, expiries), max_size=12).map(
    lambda keys: [Entry(db, key, kind, value, at) for (db, key), ((kind, value), at) in keys.items()]
)


@given(databases, st.booleans())
@ROUND_TRIPS
def test_what_is_written_is_read_again(entries: list[Entry], rdbcompression: bool) -> None:
    data = encode(entries, rdbcompression=rdbcompression)
    rdb = decode(data)
    assert keyspace_of(rdb.entries) == keyspace_of(entries)
    assert [entry[:3] for entry in rdb.entries] == [entry[:3] for entry in entries]
    assert (rdb.end, rdb.warnings) == (len(data), [])


def with_right_checksum(data: bytes) -> bytes:
    """So that a mutation is judged by the parser, not stopped by the checksum."""
    return data[:-8] + crc64(data[:-8]).to_bytes(8, "little")


mutations = st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255), st.sampled_from("=+-")), max_size=6)


@given(st.sampled_from(SAMPLES), mutations, st.floats(0, 1), st.booleans())
@MUTATIONS
def test_a_damaged_file_is_read_or_refused_by_name(
    sample: bytes, changes: list[tuple[float, int, str]], keep: float, cut: bool
) -> None:
    data = bytearray(sample[: int(len(sample) * keep)] if cut else sample)
    for where, byte, how in changes:
        at = int(where * len(data))
        data[at : at + (how != "+")] = b"" if how == "-" else bytes((byte,))
    try:
        rdb = decode(with_right_checksum(bytes(data)))
    except RdbError as error:
        offset = error.offset
    else:
        offset = rdb.end
        keyspace_of(rdb.entries)
    assert 0 <= offset <= len(data)


@given(st.sampled_from([b"REDIS0010", b"REDIS0012", b"VALKEY080"]), st.binary(max_size=80))
@MUTATIONS
def test_any_bytes_behind_a_header_are_read_or_refused_by_name(header: bytes, body: bytes) -> None:
    data = with_right_checksum(header + body + b"\xff" + bytes(8))
    try:
        offset = decode(data).end
    except RdbError as error:
        offset = error.offset
    assert 0 <= offset <= len(data)


def test_a_changed_byte_anywhere_is_noticed() -> None:
    sample = SAMPLES[0]
    for at in range(len(sample)):
        data = bytearray(sample)
        data[at] ^= 0x10
        try:
            decode(bytes(data))
        except RdbError:
            continue
        raise AssertionError(f"the change of byte {at} went unseen")


def test_no_length_field_allocates() -> None:
    """Every type of value, declaring as much as a length can say, with nothing behind it."""
    huge = b"\x81" + b"\x7f" * 8
    tracemalloc.start()
    try:
        for type_byte in range(256):
            for content in (huge, b"\xc3\x01" + huge, b"\x01" + huge, bytes(8) + huge, b"\x80" + b"\xff" * 4):
                for header in (b"REDIS0012", b"VALKEY080"):
                    try:
                        decode(header + bytes((type_byte,)) + b"\x01k" + content + bytes(300))
                    except RdbError:
                        pass
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
