"""Replies as Python values, and their bytes in both versions of the protocol.

A reply is a Python value.  Most are plain: bytes (a bulk string), int, list (an array), None (the null bulk string).
The rest are the small classes below.  A connection speaks version 2 until it says `HELLO 3`; a reply is made without
knowing which, and `encode` turns it into the bytes of either.  The table of both is at the top of `resp`.

The rules: redis.io, "Redis serialization protocol specification"; networking.c (the addReply family).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

# ---------------------------------------------------------------------------------------------------------------------
# The values
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """A short word from the server itself, such as `+OK`."""

    text: bytes


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error; by custom the text begins with a code in capitals: `ERR`, `WRONGTYPE`, `READONLY`."""

    text: str

    @property
    def code(self) -> str:
        """The first word: `"READONLY"`."""
        return self.text.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class NullArray:
    """No array at all, as `EXEC` answers when a watched key has changed."""


@dataclass(frozen=True, slots=True)
class Map:
    """Pairs, in the order the server made them."""

    pairs: list[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Members:
    """A collection without order, such as the members of a set."""

    items: list[Any]


@dataclass(frozen=True, slots=True)
class Double:
    """A floating point number, such as a score."""

    value: float


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text to be shown to a person as it is; `format` has three letters: `txt` or `mkd`."""

    format: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """Something the client did not ask for just now, such as a published message."""

    items: list[Any]


# The items are Any, not Reply: a list[bytes] is a good reply, and lists are invariant.
Reply: TypeAlias = (
    bytes
    | int
    | list[Any]
    | Status
    | ErrorReply
    | NullArray
    | Map
    | Members
    | Double
    | Boolean
    | Verbatim
    | Push
    | None
)

OK: Final = Status(b"OK")
NULL_ARRAY: Final = NullArray()

# ---------------------------------------------------------------------------------------------------------------------
# Replies to bytes
# ---------------------------------------------------------------------------------------------------------------------


def encode(reply: Reply, protocol: int = 2) -> bytes:
    """The bytes of a reply in this version of the protocol.  A value that is no reply is a TypeError: our mistake."""
    encoder = _ENCODERS.get(type(reply))
    if encoder is None:
        raise TypeError(f"{reply!r} is not a reply: it is of type {type(reply).__name__}")
    return encoder(reply, protocol)


def format_double(value: float) -> bytes:
    """A floating point number as Redis writes it since 7.2, and Valkey does: the fewest digits that read back as the
    same number, integers up to 2^62 in full (util.c: d2string; fpconv_dtoa.c).  Redis 7.0 writes 17 digits instead:
    0.1 as 0.10000000000000001.

    3.0 -> `3`; 0.1 -> `0.1`; 1e21 -> `1e+21`; 1e-7 -> `1e-7`; infinity -> `inf`.
    """
    if math.isnan(value):
        return b"nan"
    if math.isinf(value):
        return b"inf" if value > 0 else b"-inf"
    if value == int(value) and abs(value) <= 2**62:
        return b"-0" if value == 0 and math.copysign(1, value) < 0 else b"%d" % int(value)
    return _shortest(value).encode()


def _shortest(value: float) -> str:
    """fpconv's layout of the digits that Python's `repr` finds.  value = 0.digits * 10^point."""
    mantissa, _, power = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(digits) - len(fraction) + int(power or 0)
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    trailing = point - len(digits)  # zeros between the digits and the decimal point
    if 0 <= trailing < 8:
        return sign + digits + "0" * trailing
    if trailing < 0 and (trailing > -7 or abs(point - 1) < 4):
        return sign + (digits[:point] + "." + digits[point:] if point > 0 else "0." + "0" * -point + digits)
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def _line(mark: bytes, text: bytes) -> bytes:
    """A reply that ends at the end of its line; one within the text would end it early, so it becomes a space."""
    return mark + text.translate(_ONE_LINE) + b"\r\n"


def _bulk(text: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text), text)


def _items(mark: bytes, items: list[Any], protocol: int) -> bytes:
    return b"".join([b"%b%d\r\n" % (mark, len(items)), *[encode(item, protocol) for item in items]])


def _encode_map(reply: Map, protocol: int) -> bytes:
    halves = [encode(half, protocol) for pair in reply.pairs for half in pair]
    header = b"*%d\r\n" % len(halves) if protocol == 2 else b"%%%d\r\n" % len(reply.pairs)
    return header + b"".join(halves)


def _encode_double(reply: Double, protocol: int) -> bytes:
    text = format_double(reply.value)
    return _bulk(text) if protocol == 2 else b",%b\r\n" % text


def _encode_boolean(reply: Boolean, protocol: int) -> bytes:
    if protocol == 2:
        return b":%d\r\n" % reply.value
    return b"#t\r\n" if reply.value else b"#f\r\n"


def _encode_verbatim(reply: Verbatim, protocol: int) -> bytes:
    if protocol == 2:
        return _bulk(reply.text)
    return b"=%d\r\n%b:%b\r\n" % (len(reply.text) + 4, reply.format.encode(), reply.text)


_ENCODERS: Final[dict[type, Callable[[Any, int], bytes]]] = {
    bytes: lambda reply, protocol: _bulk(reply),
    int: lambda reply, protocol: b":%d\r\n" % reply,
    type(None): lambda reply, protocol: b"$-1\r\n" if protocol == 2 else b"_\r\n",
    NullArray: lambda reply, protocol: b"*-1\r\n" if protocol == 2 else b"_\r\n",
    Status: lambda reply, protocol: _line(b"+", reply.text),
    ErrorReply: lambda reply, protocol: _line(b"-", reply.text.encode("utf-8", "surrogateescape")),
    list: lambda reply, protocol: _items(b"*", reply, protocol),
    Members: lambda reply, protocol: _items(b"*" if protocol == 2 else b"~", reply.items, protocol),
    Push: lambda reply, protocol: _items(b"*" if protocol == 2 else b">", reply.items, protocol),
    Map: _encode_map,
    Double: _encode_double,
    Boolean: _encode_boolean,
    Verbatim: _encode_verbatim,
}
