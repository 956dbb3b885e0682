"""What an RDB file holds, as Python values: the words that reader, writer, engine and tools share.

The law of this file: shapes only, no bytes are read or written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from durable_redis.formats.damage import DamageError


class RdbError(DamageError):
    """This is not a whole RDB file, or not one that can be read: which file, at which byte, and why.

    It is the only exception that `decode` raises, whatever the bytes.
    """


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value kept as its bytes: a stream, or what a module wrote.  Written again, it is the same bytes."""

    type_byte: int
    payload: bytes = field(repr=False)


class Entry(NamedTuple):
    """One key.  The shape of `value` follows from `kind`:

    "string"            bytes
    "list", "set"       list[bytes]
    "hash"              list[tuple[bytes, bytes]], field and value
    "zset"              list[tuple[bytes, float]], member and score
    "stream", "module"  Opaque

    `expires_at_ms` counts from 1970; None is never.  An expiry in the past is kept: what to do then is not the format's
    affair (a primary drops such keys when it loads a file, a replica keeps them)."""

    db: int
    key: bytes
    kind: str
    value: Any
    expires_at_ms: int | None


@dataclass(slots=True)
class Rdb:
    """A whole file, in the order of the file."""

    version: int
    aux: dict[str, bytes] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    functions: list[bytes] = field(default_factory=list)
    """The source of each function library."""
    opaque: list[Opaque] = field(default_factory=list)
    """Records that belong to no key and are kept as bytes; `type_byte` is the opcode."""
    warnings: list[str] = field(default_factory=list)
    """One sentence for each thing that was read but not understood, or left out."""
    end: int = 0
    """Where the file ended: behind its checksum, or behind the end-of-file opcode before version 5."""
