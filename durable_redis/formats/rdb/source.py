"""The two smallest things in an RDB file, lengths and strings, read with every step checked.

The law of this file: a `Source` is bytes and a position; it knows no opcode, type or key.  It never reads past the end
and never allocates what a length field asks for before it has seen that so many bytes are there.

A length takes 1, 2, 5 or 9 bytes; the top two bits of the first say which, and numbers are big-endian (rdb.c):

    00nnnnnn                        0 to 63
    01nnnnnn nnnnnnnn               to 16,383
    10000000 and 4 bytes            to 4,294,967,295
    10000001 and 8 bytes            the rest
    11tttttt                        not a length: the string is written in the special form t

A string is a length and so many bytes, or one of four special forms: an integer in 1, 2 or 4 bytes (little-endian:
these came later), or LZF: the compressed length, the length, the compressed bytes.  So the string "12" is `02 31 32`
or `c0 0c`.
"""

from __future__ import annotations

from durable_redis.formats.lzf import LzfError, decompress
from durable_redis.formats.rdb import opcodes
from durable_redis.formats.rdb.values import RdbError

_INTEGER_SIZE = {opcodes.INT8: 1, opcodes.INT16: 2, opcodes.INT32: 4}


class Source:
    """Bytes and a position in them; every method moves the position behind what it has read, or raises RdbError."""

    __slots__ = ("data", "limit", "name", "position")

    def __init__(self, data: bytes, name: str, position: int = 0) -> None:
        self.data = data
        self.name = name
        self.position = position
        self.limit = len(data)

    def error(self, reason: str, at: int | None = None) -> RdbError:
        """The error to raise, about byte `at` of the file (the current one if not given)."""
        return RdbError(self.name, self.position if at is None else at, reason)

    def left(self) -> int:
        return self.limit - self.position

    def byte(self) -> int:
        if self.position >= self.limit:
            raise self.error("the file ends where a byte was expected")
        value = self.data[self.position]
        self.position += 1
        return value

    def skip(self, count: int) -> None:
        if count > self.limit - self.position:
            raise self.error(f"{count} bytes are declared here, but only {self.left()} are left")
        self.position += count

    def take(self, count: int) -> bytes:
        start = self.position
        self.skip(count)
        return self.data[start : self.position]

    def integer(self, size: int, signed: bool = False) -> int:
        """A little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def length(self) -> int:
        position = self.position
        # The two short forms, which nearly all lengths have, without a call.
        if position + 1 < self.limit and (first := self.data[position]) < 0x80:
            if first < 0x40:
                self.position = position + 1
                return first
            self.position = position + 2
            return (first & 0x3F) << 8 | self.data[position + 1]
        first = self.byte()
        if first < 0x40:
            return first
        if first < 0x80:
            return (first & 0x3F) << 8 | self.byte()
        if first == 0x80:
            return int.from_bytes(self.take(4), "big")
        if first == 0x81:
            return int.from_bytes(self.take(8), "big")
        raise self.error(f"0x{first:02x} does not begin a length", self.position - 1)

    def count(self, smallest: int) -> int:
        """A length that counts things of at least `smallest` bytes each, so that more cannot be there than fit."""
        start = self.position
        count = self.length()
        if count * smallest > self.limit - self.position:
            raise self.error(f"{count} elements are declared here, but only {self.left()} bytes are left", start)
        return count

    def string(self) -> bytes:
        position = self.position
        if position >= self.limit:
            raise self.error("the file ends where a string was expected")
        first = self.data[position]
        if first < 0x40 and (end := position + 1 + first) <= self.limit:
            self.position = end
            return self.data[position + 1 : end]
        if first < 0xC0:
            return self.take(self.length())
        self.position = position + 1
        if first == opcodes.LZF:
            return self._compressed_string(position)
        if first in _INTEGER_SIZE:
            return b"%d" % self.integer(_INTEGER_SIZE[first], signed=True)
        raise self.error(f"0x{first:02x} does not begin a string", position)

    def strings(self, count: int) -> list[bytes]:
        """So many strings in a row.  The short plain ones, which are most, are read here without a call for each."""
        data, position = self.data, self.position
        room_for_a_short_one = self.limit - 64
        found: list[bytes] = []
        for _ in range(count):
            if position < room_for_a_short_one and (length := data[position]) < 0x40:
                start = position + 1
                position = start + length
                found.append(data[start:position])
            else:
                self.position = position
                found.append(self.string())
                position = self.position
        self.position = position
        return found

    def _compressed_string(self, start: int) -> bytes:
        compressed_length = self.length()
        length = self.length()
        try:
            return decompress(self.take(compressed_length), length)
        except LzfError as error:
            raise self.error(f"in a compressed string, {error}", start) from error

    def skip_string(self) -> None:
        """Move behind a string without undoing its encoding."""
        start = self.position
        first = self.byte()
        if first < 0xC0:
            self.position = start
            self.skip(self.length())
        elif first == opcodes.LZF:
            compressed_length = self.length()
            self.length()
            self.skip(compressed_length)
        elif first in _INTEGER_SIZE:
            self.skip(_INTEGER_SIZE[first])
        else:
            raise self.error(f"0x{first:02x} does not begin a string", start)
