r"""A record: what one data entry of the log carries.

A record is a chunk of the replication stream, cut between commands and never inside a transaction, with three words in
front of it that a reader needs before it may look at the commands:

    replid     whose stream this is: every leadership writes one of its own
    end        the offset of that stream behind this chunk, in bytes
    version    of the engine that wrote it: an older one must not guess what newer commands mean (paper, section 7.1)

On disk and on the wire it is one RESP array of these words and the chunk, so that anybody can read it:

    >>> body = Record("f" * 40, 29, (7, 0, 7), encode_command([b"SET", b"k", b"1"])).encode()
    >>> body[:22]
    b'*4\r\n$40\r\nffffffffffffff'
    >>> Record.decode(body).commands()
    [[b'SET', b'k', b'1']]

Each chunk begins in database 0: it can be understood without those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from durable_redis.formats.resp import NEED_MORE, CommandParser, ProtocolError, encode_command, strict_integer

Version: TypeAlias = tuple[int, ...]
"""(7, 0, 7); a tuple, because 7.0.10 comes after 7.0.9."""

ENGINE_VERSION: Version = (7, 0, 7)
"""Of the Redis on which the paper's MemoryDB is built (section 2.1)."""

REPLID_LENGTH = 40
MOST_VERSION_WORDS = 4


class RecordError(Exception):
    """The body of an entry is no record.  The message says what is wrong with it."""


def version_text(version: Version) -> str:
    """(7, 0, 7) -> "7.0.7"."""
    return ".".join(map(str, version))


def parse_version(text: bytes) -> Version:
    """b"7.0.7" -> (7, 0, 7).  Raises RecordError."""
    numbers = [strict_integer(word) for word in text.split(b".")[: MOST_VERSION_WORDS + 1]]
    if len(numbers) > MOST_VERSION_WORDS or any(number is None or number < 0 for number in numbers):
        raise RecordError(f"a version is written like 7.0.7, not {text[:20]!r}")
    return tuple(number for number in numbers if number is not None)


@dataclass(frozen=True, slots=True)
class Record:
    """`stream` holds whole commands, of a transaction all of them with MULTI and EXEC."""

    replid: str
    end: int
    version: Version
    stream: bytes

    def encode(self) -> bytes:
        """The body of a data entry."""
        return encode_command(
            [self.replid.encode(), b"%d" % self.end, version_text(self.version).encode(), self.stream]
        )

    @classmethod
    def decode(cls, body: bytes) -> Record:
        """The record in a body.  Raises RecordError, and nothing else."""
        replid, end, version, stream = words_of(body, "a record", "replid end version stream")
        offset = strict_integer(end)
        if len(replid) != REPLID_LENGTH or not replid.isalnum() or offset is None or offset < len(stream):
            raise RecordError(f"a record begins with a replid and an offset, not with {replid[:50]!r}, {end[:20]!r}")
        return cls(replid.decode(), offset, parse_version(version), stream)

    def commands(self) -> list[list[bytes]]:
        """The commands, in order, MULTI and EXEC among them.  Raises RecordError."""
        commands = whole_commands(self.stream, "a chunk of the stream")
        marks = [argv[0].upper() for argv in commands if argv[0].upper() in (b"MULTI", b"EXEC")]
        if marks != [b"MULTI", b"EXEC"] * (len(marks) // 2):
            raise RecordError("a transaction is cut: a record holds all of it, from MULTI to EXEC, or nothing of it")
        return commands


def words_of(body: bytes, what: str, names: str) -> list[bytes]:
    """The words of the one RESP array that the body of an entry is, so many as there are names.  Raises RecordError."""
    arrays = whole_commands(body, what)
    if len(arrays) != 1 or len(arrays[0]) != len(names.split()):
        raise RecordError(f"{what} is one array of these words: {names}")
    return arrays[0]


def whole_commands(data: bytes, what: str) -> list[list[bytes]]:
    """All commands in these bytes, which must end where the last of them ends."""
    parser = CommandParser()
    commands = []
    end = 0
    try:
        parser.feed(data)
        while (argv := parser.next()) is not NEED_MORE:
            commands.append(argv)
            end = parser.consumed
    except ProtocolError as error:
        raise RecordError(f"{what} cannot be read: {error}") from error
    if end != len(data):
        raise RecordError(f"{what} is cut: the {len(data) - end} bytes at its end are no whole command")
    return commands
