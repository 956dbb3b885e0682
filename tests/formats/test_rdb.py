"""RDB against literal bytes: every encoding of lengths, strings and values, every opcode, every error."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import Entry, Opaque, Rdb, RdbError, decode, encode


def from_hex(text: str) -> bytes:
    return bytes.fromhex(text)


def file(body: bytes, header: bytes = b"REDIS0011", end: bytes = b"\xff") -> bytes:
    """A file with this body and a right checksum."""
    content = header + body + end
    return content + crc64(content).to_bytes(8, "little")


def read(body: bytes, header: bytes = b"REDIS0011") -> Rdb:
    data = file(body, header)
    rdb = decode(data)
    assert rdb.end == len(data)
    return rdb


def value_of(type_byte: int, content: bytes, header: bytes = b"REDIS0011") -> tuple[str, Any]:
    """The kind and value of one key `k` of this type and content."""
    (entry,) = read(bytes((type_byte,)) + b"\x01k" + content, header).entries
    assert (entry.db, entry.key, entry.expires_at_ms) == (0, b"k", None)
    return entry.kind, entry.value


def string(content: bytes) -> bytes:
    return b"\x80" + len(content).to_bytes(4, "big") + content


def test_the_file_of_the_docstring() -> None:
    data = file(
        from_hex("fa 09 72 65 64 69 73 2d 76 65 72 05 37 2e 30 2e 30 fe 00 fc 01 00 00 00 00 00 00 00 00 01 6b c0 2a"),
        b"REDIS0010",
    )
    rdb = decode(data)
    assert (rdb.version, rdb.aux, rdb.end) == (10, {"redis-ver": b"7.0.0"}, len(data))
    assert rdb.entries == [Entry(0, b"k", "string", b"42", 1)]
    assert not rdb.warnings
    assert encode(rdb.entries, {"redis-bits": b"64"}) == file(
        data[9:26] + from_hex("fa 0a 72 65 64 69 73 2d 62 69 74 73 c0 40") + data[26:-9], b"REDIS0010"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("00", b""),
        ("02 31 32", b"12"),
        ("40 02 31 32", b"12"),
        ("80 00 00 00 02 31 32", b"12"),
        ("81 00 00 00 00 00 00 00 02 31 32", b"12"),
        ("c0 80", b"-128"),
        ("c1 39 30", b"12345"),
        ("c2 00 00 00 80", b"-2147483648"),
        ("c3 05 0a 00 61 e0 00 00", b"a" * 10),
    ],
)
def test_strings(content: str, expected: bytes) -> None:
    assert value_of(0, from_hex(content)) == ("string", expected)


def listpack(*entries: str) -> bytes:
    body = b"".join(map(from_hex, entries))
    return (7 + len(body)).to_bytes(4, "little") + len(entries).to_bytes(2, "little") + body + b"\xff"


def ziplist(*entries: str) -> bytes:
    body = b"".join(map(from_hex, entries))
    return (11 + len(body)).to_bytes(4, "little") + bytes(4) + len(entries).to_bytes(2, "little") + body + b"\xff"


PAIR = listpack("81 61 02", "05 01")  # a, 5
OLD_PAIR = ziplist("00 01 61", "03 f6")  # a, 5
TRIPLE = listpack("81 61 02", "05 01", "00 01")  # a, 5, and 0: no expiry
TWO_STRINGS = b"\x01a\x015"


@pytest.mark.parametrize(
    ("type_byte", "content", "expected"),
    [
        (1, b"\x02" + TWO_STRINGS, ("list", [b"a", b"5"])),
        (2, b"\x02" + TWO_STRINGS, ("set", [b"a", b"5"])),
        (3, b"\x03\x01a\x015\x01b\xfe\x01c\xff", ("zset", [(b"a", 5.0), (b"b", float("inf")), (b"c", float("-inf"))])),
        (4, b"\x01" + TWO_STRINGS, ("hash", [(b"a", b"5")])),
        (5, b"\x01\x01a" + struct.pack("<d", 2.5), ("zset", [(b"a", 2.5)])),
        (9, string(from_hex("01 01 61 01 02 35 00 00 ff")), ("hash", [(b"a", b"5")])),
        (10, string(OLD_PAIR), ("list", [b"a", b"5"])),
        (11, string(from_hex("02 00 00 00 02 00 00 00 ff ff 05 00")), ("set", [b"-1", b"5"])),
        (11, string(from_hex("08 00 00 00 01 00 00 00 00 00 00 00 00 00 00 80")), ("set", [b"-9223372036854775808"])),
        (12, string(OLD_PAIR), ("zset", [(b"a", 5.0)])),
        (13, string(OLD_PAIR), ("hash", [(b"a", b"5")])),
        (14, b"\x02" + string(OLD_PAIR) * 2, ("list", [b"a", b"5"] * 2)),
        (16, string(PAIR), ("hash", [(b"a", b"5")])),
        (17, string(PAIR), ("zset", [(b"a", 5.0)])),
        (18, b"\x02\x02" + string(PAIR) + b"\x01\x04huge", ("list", [b"a", b"5", b"huge"])),
        (20, string(PAIR), ("set", [b"a", b"5"])),
        (22, b"\x01\x00" + TWO_STRINGS, ("hash", [(b"a", b"5")])),
        (23, string(TRIPLE), ("hash", [(b"a", b"5")])),
        (24, bytes(8) + b"\x01\x07" + TWO_STRINGS, ("hash", [(b"a", b"5")])),
        (25, bytes(8) + string(TRIPLE), ("hash", [(b"a", b"5")])),
    ],
)
def test_every_type_of_value(type_byte: int, content: bytes, expected: tuple[str, Any]) -> None:
    assert value_of(type_byte, content) == expected


def test_byte_22_means_another_thing_to_valkey() -> None:
    content = b"\x02" + TWO_STRINGS + b"\xff" * 8 + b"\x01b\x016" + (1).to_bytes(8, "little")
    rdb = read(b"\x16\x01k" + content, b"VALKEY080")
    assert rdb.entries[0][2:4] == ("hash", [(b"a", b"5"), (b"b", b"6")])
    assert len(rdb.warnings) == 1
    assert "expiry of single fields" in rdb.warnings[0]
    with pytest.raises(RdbError):
        read(b"\x18\x01k" + bytes(8) + b"\x01\x07" + TWO_STRINGS, b"VALKEY080")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("00 01", b"0"),
        ("7f 01", b"127"),
        ("80 01", b""),
        ("df ff 02", b"-1"),
        ("d0 00 02", b"-4096"),
        ("cf ff 02", b"4095"),
        ("f1 00 80 03", b"-32768"),
        ("f2 ff ff 7f 04", b"8388607"),
        ("f3 00 00 00 80 05", b"-2147483648"),
        ("f4 ff ff ff ff ff ff ff 7f 09", b"9223372036854775807"),
        ("e0 01 78 03", b"x"),
        ("f0 01 00 00 00 78 06", b"x"),
        ("e0 80" + "78" * 128 + "01 82", b"x" * 128),
        ("f0 f9 3f 00 00" + "78" * 16377 + "ff fe", b"x" * 16377),
        ("f0 fa 3f 00 00" + "78" * 16378 + "00 ff ff", b"x" * 16378),  # 16,383 in all: listpack.c takes three bytes
    ],
)
def test_every_entry_of_a_listpack(entry: str, expected: bytes) -> None:
    # A second entry shows that the first was left at the right byte.
    assert value_of(18, b"\x01\x02" + string(listpack(entry, "05 01"))) == ("list", [expected, b"5"])


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("00", b""),
        ("40 01 78", b"x"),
        ("80 00 00 00 01 78", b"x"),
        ("f1", b"0"),
        ("fd", b"12"),
        ("fe 80", b"-128"),
        ("c0 ff ff", b"-1"),
        ("f0 00 00 80", b"-8388608"),
        ("d0 00 00 00 80", b"-2147483648"),
        ("e0 00 00 00 00 00 00 00 80", b"-9223372036854775808"),
        ("40 ff" + "78" * 255, b"x" * 255),
    ],
)
def test_every_entry_of_a_ziplist(entry: str, expected: bytes) -> None:
    size = 1 + len(from_hex(entry))
    before = f"{size:02x}" if size < 254 else "fe" + size.to_bytes(4, "little").hex()
    assert value_of(10, string(ziplist("00" + entry, before + "f6"))) == ("list", [expected, b"5"])


def test_opcodes() -> None:
    rdb = read(
        from_hex("fa 01 61 01 62")  # AUX a b
        + from_hex("f5 04 63 6f 64 65")  # FUNCTION2
        + from_hex("fe 03 fb 02 01")  # SELECTDB 3, RESIZEDB
        + from_hex("f4 05 02 01")  # SLOT_INFO
        + from_hex("fd 02 00 00 00 f9 ff 00 01 61 01 62")  # EXPIRETIME 2 s, FREQ, a key
        + from_hex("f8 0a fc ff ff ff ff ff ff ff ff 00 01 62 01 63")  # IDLE, EXPIRETIME_MS -1, a key
        + from_hex("fe 00 00 01 61 01 64")
        + from_hex("fe 03 00 01 63 01 65")
    )
    assert rdb.aux == {"a": b"b"}
    assert rdb.functions == [b"code"]
    assert rdb.entries == [
        Entry(3, b"a", "string", b"b", 2000),
        Entry(3, b"b", "string", b"c", -1),
        Entry(0, b"a", "string", b"d", None),
        Entry(3, b"c", "string", b"e", None),
    ]
    assert not rdb.warnings


MODULE_NAME = (0b000000_000001_000010 << 46 | 1).to_bytes(8, "big")  # "ABC" and six times "A", encoding version 1


@pytest.mark.parametrize(
    ("opcode", "content", "sentence"),
    [
        (243, from_hex("04 6e 61 6d 65 01 00 05"), "import of slots"),
        (246, from_hex("01 61 03 4c 55 41 01 01 64 01 63"), "release candidate"),
        (246, from_hex("01 61 03 4c 55 41 00 01 63"), "release candidate"),
        (247, b"\x81" + MODULE_NAME + from_hex("02 01 01 05 02 07 03 00000000 04 0000000000000000 05 01 78 00"), "ABC"),
    ],
)
def test_records_without_a_key_that_are_kept_as_bytes(opcode: int, content: bytes, sentence: str) -> None:
    rdb = read(bytes((opcode,)) + content + from_hex("00 01 6b 01 76"))
    assert rdb.opaque == [Opaque(opcode, content)]
    assert rdb.entries == [Entry(0, b"k", "string", b"v", None)]
    (warning,) = rdb.warnings
    assert sentence in warning
    assert "dump.rdb: at byte 9:" in warning


STREAM_ID = bytes(16)
LISTPACKS = b"\x01\x10" + STREAM_ID + b"\xc3\x05\x0a" + from_hex("00 61 e0 00 00")
PENDING = b"\x01" + STREAM_ID + bytes(8) + b"\x01"


def stream(last_ids: int, group_ids: int, consumer_times: int) -> bytes:
    """One listpack and one group with one pending entry of one consumer: so many numbers at each place."""
    group = b"\x01g" + bytes(group_ids) + PENDING
    consumer = b"\x01c" + bytes(8 * consumer_times) + b"\x01" + STREAM_ID
    return LISTPACKS + bytes(last_ids) + b"\x01" + group + b"\x01" + consumer


@pytest.mark.parametrize(
    ("type_byte", "content", "kind"),
    [
        (15, stream(3, 2, 1), "stream"),
        (19, stream(8, 3, 1), "stream"),
        (21, stream(8, 3, 2), "stream"),
        (7, b"\x81" + MODULE_NAME + b"\x05\x01x\x02\x07\x00", "module"),
    ],
)
def test_values_that_are_kept_as_bytes(type_byte: int, content: bytes, kind: str) -> None:
    rdb = read(from_hex("fc 05 00 00 00 00 00 00 00") + bytes((type_byte,)) + b"\x01k" + content)
    assert rdb.entries == [Entry(0, b"k", kind, Opaque(type_byte, content), 5)]
    (warning,) = rdb.warnings
    assert f"the {kind} b'k' is kept as bytes" in warning
    assert decode(encode(rdb.entries)).entries == rdb.entries


@pytest.mark.parametrize("type_byte", [1, 2, 4, 5])
def test_an_empty_collection_is_left_out_with_a_warning(type_byte: int) -> None:
    rdb = read(bytes((type_byte,)) + b"\x01k\x00")
    assert rdb.entries == []
    assert "is empty" in rdb.warnings[0]


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (b"", 0, "begins with REDIS or VALKEY"),
        (b"REDIS001", 0, "begins with REDIS or VALKEY"),
        (b"REDISabcd\xff" + bytes(8), 0, "begins with REDIS or VALKEY"),
        (b"REDIS0013\xff" + bytes(8), 0, "version 13 of REDIS files is not known here, 1 to 12"),
        (b"VALKEY081\xff" + bytes(8), 0, "version 81 of VALKEY files is not known here, only 80"),
        (b"REDIS0010", 9, "the file is cut"),
        (b"REDIS0010\xff\x00", 10, "ends inside its checksum: 1 of 8"),
        (b"REDIS0010\xff" + b"\x01" * 8, 10, "the checksum says 0101010101010101"),
        (b"REDIS0010\x00\x01k\x05abc", 13, "5 bytes are declared here, but only 3 are left"),
        (b"REDIS0010\x00\x01k", 12, "a string was expected"),
        (b"REDIS0010\x00\x01k\xc4", 12, "0xc4 does not begin a string"),
        (b"REDIS0010\x01\x01k\xc0\x01", 12, "0xc0 does not begin a length"),
        (b"REDIS0010\x08\x01k", 9, "8 is neither a type of value nor an opcode"),
        (b"REDIS0010\x02\x01k\x80\xff\xff\xff\xff", 12, "4294967295 elements are declared here"),
        (b"REDIS0010\x01\x01k\x02\x01a\x05ab", 16, "5 bytes are declared here, but only 2 are left"),
        (b"REDIS0010\x02\x01k\x02\x01a\x01a\xff", 12, "occurs twice"),
        (b"REDIS0010\x03\x01k\x01\x01a\xfd\xff", 12, "NaN"),
        (b"REDIS0010\x03\x01k\x01\x01a\x01x\xff", 12, "a score is not a number"),
        (b"REDIS0010\x0a\x01k\x02ab", 12, "at byte 0 of a packed string, 2 bytes are too few for a ziplist"),
        (b"REDIS0010\x12\x01k\x01\x03\x01a", 13, "cannot be of kind 3"),
        (b"REDIS0010\x00\x01k\xc3\x01\x80\xff\xff\xff\xff\x00", 12, "cannot hold the 4294967295 bytes"),
        (b"REDIS0010\x06\x01k\x01\x00\xff", 13, "only the module"),
        (b"REDIS0010\x07\x01k\x01\x09\xff", 13, "9 is not a piece"),
    ],
)
def test_what_is_wrong_is_said_by_name(data: bytes, offset: int, reason: str) -> None:
    with pytest.raises(RdbError) as caught:
        decode(data, "some.rdb")
    assert reason in caught.value.reason
    assert (caught.value.name, caught.value.offset) == ("some.rdb", offset)
    assert str(caught.value).startswith(f"some.rdb: at byte {offset}: ")


def test_a_key_that_occurs_twice_is_refused() -> None:
    with pytest.raises(RdbError, match="a key of database 0 occurs twice: b'k'"):
        read(b"\x00\x01k\x01a\xfe\x01\x00\x01k\x01a\xfe\x00\x00\x01k\x01b")


def test_a_checksum_of_zero_is_off_and_old_versions_have_none() -> None:
    assert decode(b"REDIS0009\x00\x01k\x01v\xff" + bytes(8)).end == 23
    assert decode(b"REDIS0004\x00\x01k\x01v\xff").end == 15


def test_a_file_inside_other_bytes() -> None:
    data = file(b"\x00\x01k\x01v")
    rdb = decode(b"before" + data + b"after", offset=6)
    assert rdb.end == 6 + len(data)
    with pytest.raises(RdbError) as caught:
        decode(b"before" + data[:-1], offset=6)
    assert caught.value.offset == 6 + len(data) - 8
