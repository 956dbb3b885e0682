"""Records: the words in front, the commands behind them, and what is refused by name."""

from __future__ import annotations

import pytest

from durable_redis.formats.resp import encode_command
from durable_redis.memorydb.record import Record, RecordError, Version, parse_version, version_text

REPLID = "0123456789abcdef" * 2 + "01234567"
SET = encode_command([b"SET", b"k", b"\r\n\x00"])
MULTI, EXEC = encode_command([b"MULTI"]), encode_command([b"EXEC"])


def record(stream: bytes = SET, end: int = 1_000, version: Version = (7, 0, 7)) -> Record:
    return Record(REPLID, end, version, stream)


def test_a_record_on_the_wire_is_an_array_of_four_words() -> None:
    body = record().encode()
    assert body == encode_command([REPLID.encode(), b"1000", b"7.0.7", SET])
    assert Record.decode(body) == record()


@pytest.mark.parametrize(
    ("stream", "commands"),
    [
        (b"", []),
        (SET, [[b"SET", b"k", b"\r\n\x00"]]),
        (SET + MULTI + SET + EXEC, [[b"SET", b"k", b"\r\n\x00"], [b"MULTI"], [b"SET", b"k", b"\r\n\x00"], [b"EXEC"]]),
    ],
)
def test_its_commands(stream: bytes, commands: list[list[bytes]]) -> None:
    assert Record.decode(record(stream).encode()).commands() == commands


@pytest.mark.parametrize("stream", [MULTI + SET, SET + EXEC, EXEC + MULTI, MULTI + MULTI + EXEC, MULTI])
def test_half_a_transaction_is_refused(stream: bytes) -> None:
    with pytest.raises(RecordError, match="a transaction is cut"):
        record(stream).commands()


@pytest.mark.parametrize("length", range(1, len(SET)))
def test_half_a_command_is_refused(length: int) -> None:
    with pytest.raises(RecordError, match="is cut"):
        record(SET[:length]).commands()


@pytest.mark.parametrize("length", range(len(record().encode())))
def test_half_a_body_is_refused(length: int) -> None:
    with pytest.raises(RecordError):
        Record.decode(record().encode()[:length])


@pytest.mark.parametrize(
    "words",
    [
        [],
        [b"x"] * 5,
        [REPLID[:-1].encode(), b"1000", b"7", SET],
        [REPLID.encode(), b"-1", b"7", b""],
        [REPLID.encode(), b"5", b"7", SET],  # the stream is longer than its end says
        [REPLID.encode(), b"01000", b"7", SET],
        [REPLID.encode(), b"1000", b"seven", SET],
        [REPLID.encode(), b"1000", b"7.-1", SET],
        [REPLID.encode(), b"1000", b"7.0.0.0.0", SET],
        [REPLID.encode(), b"1000", b"", SET],
    ],
)
def test_other_words_are_refused(words: list[bytes]) -> None:
    with pytest.raises(RecordError):
        Record.decode(encode_command(words))


def test_versions_are_compared_as_numbers() -> None:
    assert parse_version(b"7.0.10") > parse_version(b"7.0.9") > parse_version(b"7.0")
    assert version_text(parse_version(b"7.0.10")) == "7.0.10"
