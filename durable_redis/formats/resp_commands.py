r"""Commands on the wire: what a client sends to a server, what a primary sends to a replica, what an AOF is made of.

A command is an array of bulk strings, each with its length in front, so that any byte may be inside:

    SET k v      *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $1\r\nv\r\n        (the spaces are not there)

or, typed by a person into a terminal, one *inline* line: `SET k "a b"\r\n`.

The law of the parser: *bytes in, commands out, no socket.*  Bytes arrive in whatever pieces the network made of them;
`next()` gives the next whole command, or `NEED_MORE`, which is a value and not an exception.  It keeps what it has
understood of an unfinished command, so every byte is looked at once.  A length field is only ever compared with what
has arrived; nothing is allocated because a peer announced it.  A stream that breaks the rules raises `ProtocolError`
with the server's own sentence and the byte offset in the stream, now and on every later call: nobody knows where the
next command would begin.

The rules and the sentences are those of Redis (networking.c: processMultibulkBuffer, processInlineBuffer; sds.c:
sdssplitargs), with one difference: Redis 7 took the limit of 1,048,576 arguments away, Redis 6.2 has it, and so do we.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


class NeedMore(enum.Enum):
    """The type of `NEED_MORE`: no whole command, or reply, has arrived yet."""

    NEED_MORE = "need more"


NEED_MORE: Final = NeedMore.NEED_MORE


class ProtocolError(Exception):
    """The peer sent something that is not RESP.  `reason` is Redis's sentence, `offset` a byte of the stream."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason}, at byte {offset} of the stream")
        self.reason = reason
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may send.  The defaults are Redis's (redis.conf: proto-max-bulk-len; server.h)."""

    bulk_bytes: int = 512 * 1024 * 1024
    arguments: int = 1024 * 1024
    line_bytes: int = 64 * 1024
    depth: int = 64  # of nested replies; Redis nests COMMAND DOCS about ten deep


def encode_command(argv: Sequence[bytes]) -> bytes:
    r"""One command as bytes: `[b"GET", b"k"]` -> `b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"`."""
    parts = [b"*%d\r\n" % len(argv)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in argv]
    return b"".join(parts)


_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")


def strict_integer(digits: bytes) -> int | None:
    """The number written so, or None.  Stricter than `int()`: no sign of plus, spaces, underscores or leading zeros,
    and nothing outside 64 bits (util.c: string2ll)."""
    if _INTEGER.fullmatch(digits) is None:
        return None
    value = int(digits)
    return value if -(2**63) <= value < 2**63 else None


class ByteStream:
    """Bytes that have arrived and are not yet understood; the base of both parsers.

    `_buffer[_at:]` is being read, `_chunks` has arrived since.  They are joined only once there are `_wanted` bytes
    or more: a bulk string of 100 MB that arrives in 1,600 pieces is put together once, not 1,600 times.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._buffer = b""
        self._at = 0
        self._wanted = 1
        self._chunks: list[bytes] = []
        self._chunk_bytes = 0
        self._offset = 0  # in the stream, of _buffer[0]
        self._failure: ProtocolError | None = None

    def feed(self, data: bytes) -> None:
        """Bytes that have just arrived."""
        self._chunks.append(data)
        self._chunk_bytes += len(data)

    @property
    def consumed(self) -> int:
        """How many bytes of the stream have been understood.  After a `next()` that returned a whole command this is
        the offset of the command's end, which is how a replica counts its replication offset."""
        return self._offset + self._at

    def take_rest(self) -> bytes:
        """Hand over the bytes not yet understood, and forget them: what follows is not RESP (an RDB file, say)."""
        rest = b"".join([self._buffer[self._at :], *self._chunks])
        self._offset += self._at + len(rest)
        self._buffer, self._at, self._wanted, self._chunks, self._chunk_bytes = b"", 0, 1, [], 0
        return rest

    def _gather(self) -> bool:
        """Have the bytes arrived that the parser waits for?  Then make them readable."""
        left = len(self._buffer) - self._at
        if not self._chunks or left + self._chunk_bytes < self._wanted:
            return False
        self._offset += self._at
        self._buffer = b"".join([self._buffer[self._at :], *self._chunks]) if left else b"".join(self._chunks)
        self._at, self._wanted, self._chunks, self._chunk_bytes = 0, 1, [], 0
        return True

    def _wait_for_line(self, at: int, overlong: str) -> None:
        """No end of line yet: want one byte more than there is, unless the line is too long already."""
        left = len(self._buffer) - at
        self._check_line(at, at + left - 1, overlong)  # -1: the last byte may be half of the line's end
        self._at, self._wanted = at, left + 1

    def _check_line(self, at: int, end: int, overlong: str) -> None:
        """Redis looks at the length of a line only while its end is missing; looking at it always gives the same
        answer however the bytes were cut into pieces."""
        if end - at > self.limits.line_bytes:
            raise self._error(overlong, at)

    def _error(self, reason: str, at: int) -> ProtocolError:
        self._failure = ProtocolError(f"Protocol error: {reason}", self._offset + at)
        return self._failure


_COUNT_OF_HEADER: Final = {b"*%d" % count: count for count in range(1, 64)}
_LENGTH_OF_HEADER: Final = {b"$%d" % length: length for length in range(512)}
"""The headers of nearly every command, so that the hot path neither slices nor checks digits."""


class CommandParser(ByteStream):
    """The server's side of a connection: bytes in, commands out."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits or Limits())
        self._argv: list[bytes] = []  # of the command being read
        self._missing = 0  # arguments that it still lacks; 0 between commands
        self._length = -1  # of the bulk string being read; -1 before its header

    def next(self) -> list[bytes] | NeedMore:
        """The next whole command, or NEED_MORE.  Raises ProtocolError."""
        if self._failure is not None:
            raise self._failure
        while len(self._buffer) - self._at >= self._wanted or self._gather():
            if (self._missing or self._begin()) and self._read_bulks():
                argv, self._argv = self._argv, []
                return argv
        return NEED_MORE

    def _begin(self) -> bool:
        """Read what comes before the arguments.  False: more bytes needed, or it was an empty command, which Redis
        ignores (`*0`, `*-1`, an empty line)."""
        buffer, at = self._buffer, self._at
        if buffer[at] != 42:  # ord("*")
            return self._read_inline()
        end = buffer.find(b"\r", at)
        if end < 0 or end + 2 > len(buffer):
            self._wait_for_line(at, "too big mbulk count string")
            return False
        self._check_line(at, end, "too big mbulk count string")
        count = _COUNT_OF_HEADER.get(buffer[at:end]) or strict_integer(buffer[at + 1 : end])
        if count is None or count > self.limits.arguments:
            raise self._error("invalid multibulk length", at)
        self._at = end + 2
        self._missing = max(count, 0)
        return count > 0

    def _read_bulks(self) -> bool:
        """Read the arguments that are there.  True: all of them are."""
        buffer, at, argv, length = self._buffer, self._at, self._argv, self._length
        for missing in range(self._missing, 0, -1):
            if length < 0:
                end = buffer.find(b"\r", at)
                if end < 0 or end + 2 > len(buffer):
                    self._missing, self._length = missing, -1
                    self._wait_for_line(at, "too big bulk count string")
                    return False
                known = _LENGTH_OF_HEADER.get(buffer[at:end])
                length = self._bulk_length(at, end) if known is None else known
                at = end + 2
            # Redis steps over the two bytes after the data without looking at them (Valkey looks, since 8), and so
            # must we, if we are to understand what it understands.
            stop = at + length
            if stop + 2 > len(buffer):
                self._missing, self._length, self._at, self._wanted = missing, length, at, length + 2
                return False
            argv.append(buffer[at:stop])
            at, length = stop + 2, -1
        self._missing, self._length, self._at = 0, -1, at
        return True

    def _bulk_length(self, at: int, end: int) -> int:
        self._check_line(at, end, "too big bulk count string")
        if self._buffer[at] != 36:  # ord("$")
            raise self._error(f"expected '$', got '{chr(self._buffer[at])}'", at)
        length = strict_integer(self._buffer[at + 1 : end])
        if length is None or not 0 <= length <= self.limits.bulk_bytes:
            raise self._error("invalid bulk length", at)
        return length

    def _read_inline(self) -> bool:
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\n", at)
        if end < 0:
            self._wait_for_line(at, "too big inline request")
            return False
        self._check_line(at, end, "too big inline request")
        words = split_inline(buffer[at:end].removesuffix(b"\r"))
        if words is None:
            raise self._error("unbalanced quotes in request", at)
        self._at = end + 1
        self._argv = words
        return bool(words)


# One word of an inline command is a run of these three: "double quoted", 'single quoted', or bare bytes.  A closing
# quote must be followed by white space or the end, so a quoted piece always ends its word.
_BARE = re.compile(rb"""[^\s"']+""")
_DOUBLE = re.compile(rb'"((?:\\.|[^"\\])*)"(?=\s|$)', re.DOTALL)
_SINGLE = re.compile(rb"'((?:\\'|[^'])*)'(?=\s|$)", re.DOTALL)
_SPACE = re.compile(rb"\s*")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def _unescape(match: re.Match[bytes]) -> bytes:
    code, letter = match.groups()
    return bytes([int(code, 16)]) if code else _ESCAPED.get(letter, letter)


def split_inline(line: bytes) -> list[bytes] | None:
    r"""The words of a line as Redis splits them (sds.c: sdssplitargs), or None if the quotes do not balance.

    `SET "a b" 'it\'s' "\x41\n"` -> `SET`, `a b`, `it's`, `A` and a newline.  The manifest of an AOF and redis.conf
    are split by the same rules.
    """
    words: list[bytes] = []
    at = _end_of(_SPACE, line, 0)
    while at < len(line):
        word = b""
        while at < len(line) and not line[at : at + 1].isspace():
            if match := _BARE.match(line, at):
                word += match[0]
            elif match := _DOUBLE.match(line, at):
                word += _ESCAPE.sub(_unescape, match[1])
            elif match := _SINGLE.match(line, at):
                word += match[1].replace(b"\\'", b"'")
            else:
                return None
            at = match.end()
        words.append(word)
        at = _end_of(_SPACE, line, at)
    return words


def _end_of(pattern: re.Pattern[bytes], line: bytes, at: int) -> int:
    match = pattern.match(line, at)
    return match.end() if match else at
