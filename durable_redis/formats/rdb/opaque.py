"""Values that are carried but not understood: streams, and whatever a module wrote.

The law of this file: find out where such a value ends, so that its bytes can be kept and written again as they were.
RDB gives no length for a value, so even to skip one its shape must be known (rdbSaveObject in rdb.c):

    stream      listpacks (each: a 16-byte key, a listpack), number of entries, last ID (two lengths);
                from type 19 on: first ID, largest deleted ID (two lengths each), entries ever added; groups, each:
                name, last delivered ID (from 19: entries read), pending entries of 16 + 8 bytes and a count,
                consumers, each: name, last seen (8 bytes; from 21: also last active), pending entries of 16 bytes
    module      its 64-bit name, then pieces, each with a number that says what it is, up to the piece 0

A value of type 6 (release candidates of 4.0) has no such marks: only the module that wrote it knows where it ends, and
nothing behind it can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from durable_redis.formats.rdb import opcodes
from durable_redis.formats.rdb.source import Source
from durable_redis.formats.rdb.values import Opaque

STREAM_ID_LENGTH: Final = 16
TIME_LENGTH: Final = 8

_NAME_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Skipping(NamedTuple):
    """How to find the end of a value that is kept as bytes."""

    kind: str
    skip: Callable[[Source], None]


def read_opaque(source: Source, type_byte: int) -> Opaque:
    """The value that begins here, as its bytes."""
    start = source.position
    SKIPPINGS[type_byte].skip(source)
    return Opaque(type_byte, source.data[start : source.position])


def _stream(generation: int) -> Callable[[Source], None]:
    """Types 15, 19 and 21 are generations 1, 2 and 3."""

    def skip(source: Source) -> None:
        for _ in range(source.count(smallest=2)):
            source.skip_string()
            source.skip_string()
        for _ in range(3 if generation == 1 else 8):
            source.length()
        for _ in range(source.count(smallest=5)):
            _skip_group(source, generation)

    return skip


def _skip_group(source: Source, generation: int) -> None:
    source.skip_string()
    for _ in range(2 if generation == 1 else 3):
        source.length()
    for _ in range(source.count(smallest=STREAM_ID_LENGTH + TIME_LENGTH + 1)):
        source.skip(STREAM_ID_LENGTH + TIME_LENGTH)
        source.length()
    for _ in range(source.count(smallest=TIME_LENGTH + 2)):
        source.skip_string()
        source.skip(TIME_LENGTH if generation < 3 else 2 * TIME_LENGTH)
        source.skip(source.count(smallest=STREAM_ID_LENGTH) * STREAM_ID_LENGTH)


def _module(source: Source) -> None:
    source.length()
    skip_module_pieces(source)


def skip_module_pieces(source: Source) -> None:
    """Move behind the pieces of a module's value or of its auxiliary data."""
    while True:
        start = source.position
        piece = source.length()
        if piece == opcodes.MODULE_END:
            return
        if piece in (opcodes.MODULE_SIGNED, opcodes.MODULE_UNSIGNED):
            source.length()
        elif piece == opcodes.MODULE_FLOAT:
            source.skip(4)
        elif piece == opcodes.MODULE_DOUBLE:
            source.skip(8)
        elif piece == opcodes.MODULE_STRING:
            source.skip_string()
        else:
            raise source.error(f"{piece} is not a piece of a module's value", start)


def _module_of_unknown_length(source: Source) -> None:
    name = module_name(source.length())
    raise source.error(f"only the module {name} knows where this value of type 6 ends: load it in Redis 4.0 or later")


def module_name(number: int) -> str:
    """The nine letters, of six bits each, in a module's 64-bit name; the low ten bits are its encoding version."""
    return "".join(_NAME_LETTERS[number >> shift & 0x3F] for shift in range(58, 9, -6))


SKIPPINGS: Final[Mapping[int, Skipping]] = {
    opcodes.MODULE_PRE_GA: Skipping("module", _module_of_unknown_length),
    opcodes.MODULE_2: Skipping("module", _module),
    opcodes.STREAM_LISTPACKS: Skipping("stream", _stream(1)),
    opcodes.STREAM_LISTPACKS_2: Skipping("stream", _stream(2)),
    opcodes.STREAM_LISTPACKS_3: Skipping("stream", _stream(3)),
}
