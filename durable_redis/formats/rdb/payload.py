"""One value as bytes, without a file around it: what DUMP answers, and RESTORE takes.

    00 02 68 69                type byte (00: a string) and value, as in an RDB file, without the key
    0a 00                      the version of RDB files that has this form, low byte first
    .. .. .. .. .. .. .. ..    CRC-64 of all the bytes before it

The rules: cluster.c, `createDumpPayload`, `verifyDumpPayload`.
"""

from __future__ import annotations

from typing import Any

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import opcodes
from durable_redis.formats.rdb.objects import REDIS_READINGS
from durable_redis.formats.rdb.opaque import SKIPPINGS, read_opaque
from durable_redis.formats.rdb.source import Source
from durable_redis.formats.rdb.values import RdbError
from durable_redis.formats.rdb.writer import encode_value, plain_string

VERSION_BYTES, CHECKSUM_BYTES = 2, 8
FOOTER_BYTES = VERSION_BYTES + CHECKSUM_BYTES
NAME = "a payload"


def dump_value(kind: str, value: Any) -> bytes:
    """The payload of a value, in the shapes of `Entry`.  ValueError for an empty collection, or a score that is NaN."""
    type_byte, content = encode_value(kind, value, plain_string)
    body = bytes((type_byte,)) + content + opcodes.WRITTEN_VERSION.to_bytes(VERSION_BYTES, "little")
    return body + crc64(body).to_bytes(CHECKSUM_BYTES, "little")


def has_good_footer(payload: bytes) -> bool:
    """Whether its version is known here, and its checksum right; unlike that of a file it cannot be left out."""
    if len(payload) <= FOOTER_BYTES:
        return False
    version = int.from_bytes(payload[-FOOTER_BYTES:-CHECKSUM_BYTES], "little")
    checksum = int.from_bytes(payload[-CHECKSUM_BYTES:], "little")
    return version <= opcodes.NEWEST_REDIS_VERSION and checksum == crc64(payload[:-CHECKSUM_BYTES])


def load_value(payload: bytes) -> tuple[str, Any]:
    """(kind, value) of a payload, in the shapes of `Entry`.  Raises RdbError, and nothing else."""
    if not has_good_footer(payload):
        raise RdbError(NAME, max(0, len(payload) - FOOTER_BYTES), "its version or its checksum is wrong")
    source = Source(payload[:-FOOTER_BYTES], NAME)
    type_byte = source.byte()
    kind: str
    value: Any
    if type_byte in REDIS_READINGS:
        reading = REDIS_READINGS[type_byte]
        kind, value = reading.kind, reading.read(source)
    elif type_byte in SKIPPINGS:
        kind, value = SKIPPINGS[type_byte].kind, read_opaque(source, type_byte)
    else:
        raise source.error(f"{type_byte} is no type of value that is known here", 0)
    if source.left():
        raise source.error(f"{source.left()} bytes follow the value")
    if kind != "string" and not value:
        raise source.error(f"the {kind} is empty, which no key can be")
    return kind, value
