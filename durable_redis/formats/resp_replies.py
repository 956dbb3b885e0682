"""The client's ear: bytes to replies, in both versions of the protocol.

The same law as for commands (`resp_commands`): bytes in, replies out, no socket; NEED_MORE is a value; a length field
allocates nothing; damage is a ProtocolError with its offset.  Replies nest, so the parser keeps a stack of *open*
arrays, each with the number of items it still lacks, and looks at every byte once:

    *2\\r\\n:1\\r\\n*1\\r\\n       -> open: [an array that lacks 1 item: 1], [an array that lacks 1 item]
    :2\\r\\n                    -> the inner one is complete, and so is the outer one: [1, [2]]

A client is stricter than Redis is as a server: a bulk string must be followed by CRLF.  An attribute (`|`, sent before
the reply that it describes) is understood and dropped: no Redis sends one unless asked by DEBUG.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from durable_redis.formats.resp_commands import NEED_MORE, ByteStream, Limits, NeedMore, strict_integer
from durable_redis.formats.resp_values import (
    NULL_ARRAY,
    Boolean,
    Double,
    ErrorReply,
    Map,
    Members,
    Push,
    Reply,
    Status,
    Verbatim,
)


@dataclass(slots=True)
class _Open:
    """An aggregate of which not all items have arrived."""

    mark: bytes
    count: int
    items: list[Any] = field(default_factory=list)


_NOTHING: Final = object()  # no value yet; None is a reply

_FLOAT = re.compile(rb"[-+]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|inf|nan)")
_BIG_NUMBER = re.compile(rb"[-+]?[0-9]{1,1000}")
_BULKS = b"$=!"
_AGGREGATES = b"*~>%|"


class ReplyParser(ByteStream):
    """The client's side of a connection: bytes in, replies out."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits or Limits())
        self._open: list[_Open] = []
        self._bulk_mark = b""  # of the bulk string whose data is awaited, with its length
        self._length = -1

    def next(self) -> Reply | NeedMore:
        """The next whole reply, or NEED_MORE.  Raises ProtocolError."""
        if self._failure is not None:
            raise self._failure
        while len(self._buffer) - self._at >= self._wanted or self._gather():
            value = self._read_bulk() if self._length >= 0 else self._read_line()
            if value is not _NOTHING:
                value = self._close(value)
            if value is not _NOTHING:
                return value  # type: ignore[return-value]
        return NEED_MORE

    def _close(self, value: object) -> object:
        """Put a value into the innermost open aggregate, and that into the next if it is now complete, and so on."""
        while self._open:
            innermost = self._open[-1]
            innermost.items.append(value)
            if len(innermost.items) < innermost.count:
                return _NOTHING
            self._open.pop()
            if innermost.mark == b"|":
                return _NOTHING
            value = _AGGREGATE_OF_MARK[innermost.mark](innermost.items)
        return value

    def _read_line(self) -> object:
        """A whole simple reply, or the header of a bulk string or an aggregate."""
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r\n", at)
        if end < 0:
            self._wait_for_line(at, "too big reply line")
            return _NOTHING
        self._check_line(at, end, "too big reply line")
        mark, text = buffer[at : at + 1], buffer[at + 1 : end]
        if mark in _BULKS:
            value = self._bulk_header(mark, text, at)
        elif mark in _AGGREGATES:
            value = self._aggregate_header(mark, text, at)
        else:
            value = self._simple(mark, text, at)
        self._at = end + 2
        return value

    def _simple(self, mark: bytes, text: bytes, at: int) -> object:
        simple = _SIMPLE_OF_MARK.get(mark)
        if simple is None:
            raise self._error(f"unknown reply type {mark!r}", at)
        value = simple(text)
        if value is _NOTHING:
            raise self._error(f"not a value of type {mark!r}: {text[:40]!r}", at)
        return value

    def _bulk_header(self, mark: bytes, text: bytes, at: int) -> object:
        length = strict_integer(text)
        if length == -1 and mark == b"$":
            return None
        if length is None or not 0 <= length <= self.limits.bulk_bytes:
            raise self._error("invalid bulk length", at)
        self._bulk_mark, self._length = mark, length
        return _NOTHING

    def _read_bulk(self) -> object:
        at, stop = self._at, self._at + self._length
        if stop + 2 > len(self._buffer):
            self._wanted = self._length + 2
            return _NOTHING
        if self._buffer[stop : stop + 2] != b"\r\n":
            raise self._error("a bulk string does not end with CRLF", stop)
        text = self._buffer[at:stop]
        self._at, self._length = stop + 2, -1
        if self._bulk_mark == b"$":
            return text
        if self._bulk_mark == b"!":
            return ErrorReply(text.decode("utf-8", "surrogateescape"))
        if text[3:4] != b":" or not text[:3].isascii():
            raise self._error("a verbatim string does not begin with three letters and a colon", at)
        return Verbatim(text[:3].decode("ascii"), text[4:])

    def _aggregate_header(self, mark: bytes, text: bytes, at: int) -> object:
        count = strict_integer(text)
        if count == -1 and mark == b"*":
            return NULL_ARRAY
        if count is None or count < 0:
            raise self._error("invalid multibulk length", at)
        if len(self._open) >= self.limits.depth:
            raise self._error(f"replies nested deeper than {self.limits.depth}", at)
        if mark in b"%|":
            count *= 2
        if count:
            self._open.append(_Open(mark, count))
            return _NOTHING
        return _AGGREGATE_OF_MARK[mark]([]) if mark != b"|" else _NOTHING


def _integer(text: bytes) -> object:
    value = strict_integer(text.removeprefix(b"+"))
    return _NOTHING if value is None else value


_SIMPLE_OF_MARK: Final[dict[bytes, Callable[[bytes], object]]] = {
    b"+": Status,
    b"-": lambda text: ErrorReply(text.decode("utf-8", "surrogateescape")),
    b":": _integer,
    b"_": lambda text: _NOTHING if text else None,
    b",": lambda text: Double(float(text)) if _FLOAT.fullmatch(text) else _NOTHING,
    b"#": lambda text: Boolean(text == b"t") if text in (b"t", b"f") else _NOTHING,
    b"(": lambda text: int(text) if _BIG_NUMBER.fullmatch(text) else _NOTHING,
}

_AGGREGATE_OF_MARK: Final[dict[bytes, Callable[[list[Any]], Reply]]] = {
    b"*": lambda items: items,
    b"~": Members,
    b">": Push,
    b"%": lambda items: Map(list(zip(items[::2], items[1::2], strict=True))),
}
