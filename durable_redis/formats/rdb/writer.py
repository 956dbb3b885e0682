"""From keys to the bytes of an RDB file.

The law of this file: it writes version 10, which Redis 7.0 and everything later load, with a checksum.  It chooses the
encodings that Redis 7.0 would choose with its default settings, as far as that takes few lines:

    string   an integer in 1, 2 or 4 bytes if it reads like one; LZF if asked for, above 20 bytes, and shorter; plain
    list     a quicklist: listpacks of up to 8 KiB, and a plain node for each element above that
    set      an intset if all members are integers and at most 512; else plain (version 10 has no listpack of a set)
    hash     a listpack if it has at most 512 fields and nothing in it is above 64 bytes; else plain
    zset     a listpack, in the order of the scores, for at most 128 members of at most 64 bytes; else plain

A file is written front to back in chunks, so that a snapshot of any size needs the memory of one chunk.  Nothing can be
said in front about what comes behind: the optional RESIZEDB is left out.

Compression is asked for with `rdbcompression=True`, the name of Redis's setting.  It is off by default, unlike there:
two LZF compressors need not make the same bytes, and the same keys shall give the same file on every machine.

An `Opaque` value is written as it was read.  What only later versions know (streams of 7.2, type 21) a server of 7.0
will refuse, by name; Valkey 8 and Redis 7.2 load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final, TypeAlias

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.lzf import compress
from durable_redis.formats.rdb import opcodes
from durable_redis.formats.rdb.packing import encode_intset, encode_listpack, fits
from durable_redis.formats.rdb.thresholds import (
    HASH_MAX_LISTPACK_ENTRIES,
    LIST_NODE_BYTES,
    MAX_LISTPACK_VALUE,
    SET_MAX_INTSET_ENTRIES,
    ZSET_MAX_LISTPACK_ENTRIES,
)
from durable_redis.formats.rdb.values import Entry, Opaque
from durable_redis.formats.resp_commands import strict_integer

HEADER: Final = opcodes.REDIS_MAGIC + b"%04d" % opcodes.WRITTEN_VERSION
DEFAULT_AUX: Final[Mapping[str, bytes]] = {"redis-ver": b"7.0.0", "redis-bits": b"64"}

EncodeString: TypeAlias = Callable[[bytes], bytes]

CHUNK_BYTES: Final = 64 * 1024
SHORTEST_COMPRESSED: Final = 21  # rdb.c: below that the two lengths eat what is gained


def encode(
    entries: Iterable[Entry],
    aux: Mapping[str, bytes] | None = None,
    functions: Iterable[bytes] = (),
    rdbcompression: bool = False,
) -> bytes:
    """A whole RDB file; see `encode_chunks`."""
    return b"".join(encode_chunks(entries, aux, functions, rdbcompression=rdbcompression))


def encode_chunks(
    entries: Iterable[Entry],
    aux: Mapping[str, bytes] | None = None,
    functions: Iterable[bytes] = (),
    chunk_bytes: int = CHUNK_BYTES,
    rdbcompression: bool = False,
) -> Iterator[bytes]:
    """An RDB file in pieces of about `chunk_bytes`.

    `aux` are facts about the file, added to redis-ver and redis-bits (or in place of them): repl-id, repl-offset,
    aof-base, ctime.  `functions` are sources of function libraries.  ValueError if an entry cannot be: an empty
    collection, a score that is NaN."""
    crc = 0
    pieces: list[bytes] = [HEADER]
    size = 0
    encode_string = _compressed_string if rdbcompression else plain_string
    for record in _records(entries, {**DEFAULT_AUX, **(aux or {})}, functions, encode_string):
        pieces.append(record)
        size += len(record)
        if size >= chunk_bytes:
            chunk = b"".join(pieces)
            crc = crc64(chunk, crc)
            yield chunk
            pieces, size = [], 0
    last = b"".join(pieces)
    yield last + crc64(last, crc).to_bytes(8, "little")


def _records(
    entries: Iterable[Entry], aux: Mapping[str, bytes], functions: Iterable[bytes], string: EncodeString
) -> Iterator[bytes]:
    """Each AUX field, each function library, each key with what must stand before it, and the end mark."""
    for field, fact in aux.items():
        yield bytes((opcodes.AUX,)) + string(field.encode()) + string(fact)
    for library in functions:
        yield bytes((opcodes.FUNCTION2,)) + string(library)
    selected = None
    for db, key, kind, value, expires_at_ms in entries:
        before = b""
        if db != selected:
            before = bytes((opcodes.SELECTDB,)) + encode_length(db)
            selected = db
        if expires_at_ms is not None:
            before += bytes((opcodes.EXPIRETIME_MS,)) + expires_at_ms.to_bytes(8, "little", signed=True)
        type_byte, content = encode_value(kind, value, string)
        yield b"%s%c%s%s" % (before, type_byte, string(key), content)
    yield bytes((opcodes.END_OF_FILE,))


# ---------------------------------------------------------------------------------------------------------------------
# Lengths and strings: the inverse of `source`
# ---------------------------------------------------------------------------------------------------------------------


def encode_length(number: int) -> bytes:
    if number < 0x40:
        return bytes((number,))
    if number < 0x4000:
        return (0x4000 | number).to_bytes(2, "big")
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def plain_string(content: bytes) -> bytes:
    """A string as an integer if it reads like one, else as its length and its bytes."""
    if len(content) <= 11 and (number := strict_integer(content)) is not None:
        for first, size in ((opcodes.INT8, 1), (opcodes.INT16, 2), (opcodes.INT32, 4)):
            if fits(number, size):
                return bytes((first,)) + number.to_bytes(size, "little", signed=True)
    return encode_length(len(content)) + content


def _compressed_string(content: bytes) -> bytes:
    """A string in the shortest form that Redis would choose."""
    if len(content) < SHORTEST_COMPRESSED or (compressed := compress(content)) is None:
        return plain_string(content)
    form = bytes((opcodes.LZF,)) + encode_length(len(compressed)) + encode_length(len(content)) + compressed
    return form if len(form) < len(content) else plain_string(content)


# ---------------------------------------------------------------------------------------------------------------------
# Values by kind: the type byte, and the bytes behind the key
# ---------------------------------------------------------------------------------------------------------------------

_BINARY_SCORE: Final = Struct("<d")
_EMPTY: Final = "an empty {} is not a key: remove the key instead"


def _encode_list(items: Sequence[bytes], string: EncodeString) -> tuple[int, bytes]:
    if not items:
        raise ValueError(_EMPTY.format("list"))
    nodes = [encode_length(container) + string(content) for container, content in _list_nodes(items)]
    return opcodes.LIST_QUICKLIST_2, encode_length(len(nodes)) + b"".join(nodes)


def _list_nodes(items: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The list cut into nodes: of what kind, and its content."""
    node: list[bytes] = []
    size = 0
    for item in items:
        large = len(item) > LIST_NODE_BYTES
        if node and (large or size + len(item) > LIST_NODE_BYTES):
            yield opcodes.PACKED_NODE, encode_listpack(node)
            node, size = [], 0
        if large:
            yield opcodes.PLAIN_NODE, item
        else:
            node.append(item)
            size += len(item) + 2
    if node:
        yield opcodes.PACKED_NODE, encode_listpack(node)


def _encode_set(members: Sequence[bytes], string: EncodeString) -> tuple[int, bytes]:
    if not members:
        raise ValueError(_EMPTY.format("set"))
    if len(members) <= SET_MAX_INTSET_ENTRIES:
        numbers = [number for number in map(strict_integer, members) if number is not None]
        if len(numbers) == len(members):
            return opcodes.SET_INTSET, string(encode_intset(numbers))
    return opcodes.SET, encode_length(len(members)) + b"".join(map(string, members))


def _are_short(items: Iterable[bytes]) -> bool:
    return all(len(item) <= MAX_LISTPACK_VALUE for item in items)


def _encode_hash(pairs: Sequence[tuple[bytes, bytes]], string: EncodeString) -> tuple[int, bytes]:
    if not pairs:
        raise ValueError(_EMPTY.format("hash"))
    items = [item for pair in pairs for item in pair]
    if len(pairs) <= HASH_MAX_LISTPACK_ENTRIES and _are_short(items):
        return opcodes.HASH_LISTPACK, string(encode_listpack(items))
    return opcodes.HASH, encode_length(len(pairs)) + b"".join(map(string, items))


def _encode_zset(pairs: Sequence[tuple[bytes, float]], string: EncodeString) -> tuple[int, bytes]:
    if not pairs:
        raise ValueError(_EMPTY.format("sorted set"))
    for member, score in pairs:
        if score != score:
            raise ValueError(f"the score of {member!r} is NaN, which has no place in an order")
    if len(pairs) <= ZSET_MAX_LISTPACK_ENTRIES and _are_short(member for member, _ in pairs):
        # A server believes the order of a listpack: equal scores go by member.
        ordered = sorted(pairs, key=lambda pair: (pair[1], pair[0]))
        items = [item for member, score in ordered for item in (member, _score_text(score))]
        return opcodes.ZSET_LISTPACK, string(encode_listpack(items))
    content = b"".join(string(member) + _BINARY_SCORE.pack(score) for member, score in pairs)
    return opcodes.ZSET_2, encode_length(len(pairs)) + content


def _score_text(score: float) -> bytes:
    """The shortest digits that give the score back; no point in a whole number, so that it is stored as one."""
    if score.is_integer() and abs(score) < 1 << 53:
        return b"-0" if str(score) == "-0.0" else b"%d" % int(score)
    return repr(score).encode()  # also inf and -inf, which strtod reads


def _encode_string(value: bytes, string: EncodeString) -> tuple[int, bytes]:
    return opcodes.STRING, string(value)


def _encode_opaque(value: Opaque, string: EncodeString) -> tuple[int, bytes]:
    return value.type_byte, value.payload


_ENCODERS: Final[Mapping[str, Callable[[Any, EncodeString], tuple[int, bytes]]]] = {
    "string": _encode_string,
    "list": _encode_list,
    "set": _encode_set,
    "hash": _encode_hash,
    "zset": _encode_zset,
}


def encode_value(kind: str, value: Any, string: EncodeString) -> tuple[int, bytes]:
    """(type byte, content) of a value of this kind; see `Entry`."""
    return _ENCODERS.get(kind, _encode_opaque)(value, string)
