"""What is written, byte for byte: the encodings chosen, what stands around a key, and what cannot be written."""

from __future__ import annotations

from typing import Any

import pytest

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import Entry, decode, encode, encode_chunks


@pytest.mark.parametrize(
    ("kind", "value", "record"),
    [
        ("string", b"hi", "00 01 6b 02 68 69"),
        ("string", b"-129", "00 01 6b c1 7f ff"),
        ("string", b"007", "00 01 6b 03 30 30 37"),
        ("list", [b"a", b"5"], "12 01 6b 01 02 0c 0c 00 00 00 02 00 81 61 02 05 01 ff"),
        ("set", [b"5", b"-1"], "0b 01 6b 0c 02 00 00 00 02 00 00 00 ff ff 05 00"),
        ("set", [b"a", b"5"], "02 01 6b 02 01 61 c0 05"),
        ("hash", [(b"a", b"5")], "10 01 6b 0c 0c 00 00 00 02 00 81 61 02 05 01 ff"),
        ("zset", [(b"b", 0.5), (b"a", -1.0)],
            "11 01 6b 15 15 00 00 00 04 00 81 61 02 df ff 02 81 62 02 83 30 2e 35 04 ff"),
        ("zset", [(b"m" * 65, 2.5)], "05 01 6b 01 40 41 " + "6d " * 65 + "00 00 00 00 00 00 04 40"),
        ("hash", [(b"m" * 65, b"5")], "04 01 6b 01 40 41 " + "6d " * 65 + "c0 05"),
        ("list", [b"a", b"m" * 8193, b"b"], "12 01 6b 03 02 0a 0a 00 00 00 01 00 81 61 02 ff"
            " 01 60 01 " + "6d " * 8193 + "02 0a 0a 00 00 00 01 00 81 62 02 ff"),
    ],
)  # fmt: skip
def test_what_is_written(kind: str, value: Any, record: str) -> None:
    data = encode([Entry(0, b"k", kind, value, None)])
    assert data.startswith(b"REDIS0010\xfa\x09redis-ver\x057.0.0\xfa\x0aredis-bits\xc0\x40\xfe\x00")
    assert data[42:-9].hex(" ") == record
    assert crc64(data[:-8]).to_bytes(8, "little") == data[-8:]


def test_compression_is_asked_for() -> None:
    entries = [
        Entry(0, b"k", "string", b"a" * 300, None),
        Entry(0, b"digits", "string", bytes(range(256)), None),
        Entry(0, b"l", "list", [b"abc" * 20] * 20, None),
        Entry(0, b"h", "hash", [(b"f%d" % number, b"v" * 100) for number in range(9)], None),
    ]
    plain, compressed = encode(entries), encode(entries, rdbcompression=True)
    assert decode(plain).entries == decode(compressed).entries == entries
    assert b"a" * 300 in plain
    assert len(compressed) < len(plain) / 3


def test_aux_functions_databases_and_expiry_are_written() -> None:
    entries = [
        Entry(2, b"a", "string", b"1", 7),
        Entry(2, b"b", "string", b"2", None),
        Entry(0, b"a", "string", b"", -1),
    ]
    rdb = decode(encode(entries, {"repl-id": b"f" * 40, "repl-offset": b"12"}, [b"code"]))
    assert rdb.entries == entries
    assert rdb.aux == {"redis-ver": b"7.0.0", "redis-bits": b"64", "repl-id": b"f" * 40, "repl-offset": b"12"}
    assert rdb.functions == [b"code"]


def test_chunks_are_bounded_and_add_up() -> None:
    entries = [Entry(0, b"%06d" % number, "string", bytes((number % 7,)) * 20, None) for number in range(2000)]
    chunks = list(encode_chunks(entries, None, chunk_bytes=1000))
    assert b"".join(chunks) == encode(entries)
    assert max(map(len, chunks)) < 1100
    assert len(chunks) > 40


@pytest.mark.parametrize("kind", ["list", "set", "hash", "zset"])
def test_an_empty_collection_is_not_written(kind: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        encode([Entry(0, b"k", kind, [], None)])


def test_a_score_that_is_not_a_number_is_not_written() -> None:
    with pytest.raises(ValueError, match="NaN"):
        encode([Entry(0, b"k", "zset", [(b"a", float("nan"))], None)])
