"""The value of a key, whichever of the encodings of fifteen years it is written in.

The law of this file: one function a type byte, from a `Source` to a value; a table says which belongs to which byte.
There are two tables because byte 22 means different things to Redis and to Valkey.  What has a shape of its own that
this package does not use (streams, modules) is in `opaque`.

An encoding that is damaged, an element that occurs twice in a set, and a score that is not a number are errors, as they
are to Redis (rdbLoadObject in rdb.c).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from durable_redis.formats.rdb import opcodes, packed
from durable_redis.formats.rdb.source import Source

Pairs: TypeAlias = list[tuple[bytes, bytes]]
Scores: TypeAlias = list[tuple[bytes, float]]
Unpack: TypeAlias = Callable[[bytes], list[bytes]]


class Reading(NamedTuple):
    """How the value behind a type byte is read."""

    kind: str
    read: Callable[[Source], bytes | list[bytes] | Pairs | Scores]
    fields_expire: bool = False
    """Fields of this hash may have an expiry of their own, which is read and dropped."""


def _unpacked(source: Source, unpack: Unpack) -> list[bytes]:
    """The items of the packed string that comes next."""
    start = source.position
    try:
        return unpack(source.string())
    except packed.PackedError as error:
        raise source.error(f"at byte {error.position} of a packed string, {error.reason}", start) from error


def _distinct(source: Source, start: int, names: Iterable[bytes], count: int) -> None:
    if len(set(names)) != count:
        raise source.error("an element occurs twice in this set, hash or sorted set", start)


# ---------------------------------------------------------------------------------------------------------------------
# Lists and sets
# ---------------------------------------------------------------------------------------------------------------------


def _list(source: Source) -> list[bytes]:
    return source.strings(source.count(smallest=1))


def _list_ziplist(source: Source) -> list[bytes]:
    return _unpacked(source, packed.ziplist_items)


def _list_quicklist(source: Source) -> list[bytes]:
    items: list[bytes] = []
    for _ in range(source.count(smallest=1)):
        items += _unpacked(source, packed.ziplist_items)
    return items


def _list_quicklist_2(source: Source) -> list[bytes]:
    items: list[bytes] = []
    for _ in range(source.count(smallest=2)):
        start = source.position
        container = source.length()
        if container == opcodes.PACKED_NODE:
            items += _unpacked(source, packed.listpack_items)
        elif container == opcodes.PLAIN_NODE:
            items.append(source.string())
        else:
            raise source.error(f"a node of a list cannot be of kind {container}", start)
    return items


def _checked_set(read: Callable[[Source], list[bytes]]) -> Callable[[Source], list[bytes]]:
    def read_set(source: Source) -> list[bytes]:
        start = source.position
        members = read(source)
        _distinct(source, start, members, len(members))
        return members

    return read_set


# ---------------------------------------------------------------------------------------------------------------------
# Hashes
# ---------------------------------------------------------------------------------------------------------------------


def _paired(source: Source, start: int, items: list[bytes], stride: int = 2) -> Pairs:
    """Every `stride` items begin with a field and its value."""
    if len(items) % stride:
        raise source.error(f"{len(items)} items do not make groups of {stride}", start)
    fields = items[::stride]
    _distinct(source, start, fields, len(fields))
    return list(zip(fields, items[1::stride], strict=True))


def _hash(source: Source) -> Pairs:
    start = source.position
    return _paired(source, start, source.strings(2 * source.count(smallest=2)))


def _packed_hash(unpack: Unpack, stride: int = 2, nearest_expiry: bool = False) -> Callable[[Source], Pairs]:
    def read(source: Source) -> Pairs:
        start = source.position
        if nearest_expiry:
            source.skip(8)
        return _paired(source, start, _unpacked(source, unpack), stride)

    return read


def _hash_metadata(nearest_expiry: bool) -> Callable[[Source], Pairs]:
    """Redis 7.4: expiry (0 is none; the final format counts from the nearest one, written first), field, value."""

    def read(source: Source) -> Pairs:
        start = source.position
        if nearest_expiry:
            source.skip(8)
        items: list[bytes] = []
        for _ in range(source.count(smallest=3)):
            source.length()
            items += (source.string(), source.string())
        return _paired(source, start, items)

    return read


def _valkey_hash_2(source: Source) -> Pairs:
    """Valkey 9.0: field, value, expiry in milliseconds (eight bytes; -1 is none)."""
    start = source.position
    items: list[bytes] = []
    for _ in range(source.count(smallest=10)):
        items += (source.string(), source.string())
        source.skip(8)
    return _paired(source, start, items)


# ---------------------------------------------------------------------------------------------------------------------
# Sorted sets
# ---------------------------------------------------------------------------------------------------------------------

_BINARY_SCORE: Final = Struct("<d")
_SPELT_OUT: Final = {253: b"nan", 254: b"inf", 255: b"-inf"}


def _scored(source: Source, start: int, members: list[bytes], texts: Iterable[bytes | float]) -> Scores:
    """Members with their scores, which may come as digits."""
    try:
        scores = [float(text) for text in texts]
    except ValueError as error:
        raise source.error(f"a score is not a number: {error}", start) from error
    if any(map(math.isnan, scores)):
        raise source.error("a score is NaN, which has no place in an order", start)
    _distinct(source, start, members, len(members))
    return list(zip(members, scores, strict=True))


def _zset(source: Source) -> Scores:
    start = source.position
    members: list[bytes] = []
    texts: list[bytes] = []
    for _ in range(source.count(smallest=2)):
        members.append(source.string())
        length = source.byte()
        texts.append(_SPELT_OUT[length] if length in _SPELT_OUT else source.take(length))
    return _scored(source, start, members, texts)


def _zset_2(source: Source) -> Scores:
    start = source.position
    members: list[bytes] = []
    scores: list[float] = []
    for _ in range(source.count(smallest=9)):
        members.append(source.string())
        scores += _BINARY_SCORE.unpack(source.take(8))
    return _scored(source, start, members, scores)


def _packed_zset(unpack: Unpack) -> Callable[[Source], Scores]:
    def read(source: Source) -> Scores:
        start = source.position
        items = _unpacked(source, unpack)
        if len(items) % 2:
            raise source.error(f"{len(items)} items do not make pairs of a member and a score", start)
        return _scored(source, start, items[::2], items[1::2])

    return read


# ---------------------------------------------------------------------------------------------------------------------
# The tables
# ---------------------------------------------------------------------------------------------------------------------

_SHARED: Final[Mapping[int, Reading]] = {
    opcodes.STRING: Reading("string", Source.string),
    opcodes.LIST: Reading("list", _list),
    opcodes.SET: Reading("set", _checked_set(_list)),
    opcodes.ZSET: Reading("zset", _zset),
    opcodes.HASH: Reading("hash", _hash),
    opcodes.ZSET_2: Reading("zset", _zset_2),
    opcodes.HASH_ZIPMAP: Reading("hash", _packed_hash(packed.zipmap_items)),
    opcodes.LIST_ZIPLIST: Reading("list", _list_ziplist),
    opcodes.SET_INTSET: Reading("set", _checked_set(lambda source: _unpacked(source, packed.intset_items))),
    opcodes.ZSET_ZIPLIST: Reading("zset", _packed_zset(packed.ziplist_items)),
    opcodes.HASH_ZIPLIST: Reading("hash", _packed_hash(packed.ziplist_items)),
    opcodes.LIST_QUICKLIST: Reading("list", _list_quicklist),
    opcodes.HASH_LISTPACK: Reading("hash", _packed_hash(packed.listpack_items)),
    opcodes.ZSET_LISTPACK: Reading("zset", _packed_zset(packed.listpack_items)),
    opcodes.LIST_QUICKLIST_2: Reading("list", _list_quicklist_2),
    opcodes.SET_LISTPACK: Reading("set", _checked_set(lambda source: _unpacked(source, packed.listpack_items))),
}

REDIS_READINGS: Final[Mapping[int, Reading]] = {
    **_SHARED,
    opcodes.HASH_METADATA_PRE_GA: Reading("hash", _hash_metadata(nearest_expiry=False), fields_expire=True),
    opcodes.HASH_LISTPACK_EX_PRE_GA: Reading("hash", _packed_hash(packed.listpack_items, stride=3), fields_expire=True),
    opcodes.HASH_METADATA: Reading("hash", _hash_metadata(nearest_expiry=True), fields_expire=True),
    opcodes.HASH_LISTPACK_EX: Reading(
        "hash", _packed_hash(packed.listpack_items, stride=3, nearest_expiry=True), fields_expire=True
    ),
}

VALKEY_READINGS: Final[Mapping[int, Reading]] = {
    **_SHARED,
    opcodes.VALKEY_HASH_2: Reading("hash", _valkey_hash_2, fields_expire=True),
}
