"""Entries of the log: what one is, and its bytes, the same on a disk and on a wire.

An entry is known by its *id*: the term of the log's leader that made it, and its place.  A term has one leader, and a
leader fills a place once, so an id names the same entry for ever, whoever is asked.  Ids are ordered by their place.

Every entry carries the *running checksum*: the CRC-64 of its own content, started from the checksum of the entry before
it.  So one number vouches for the whole log up to here: two logs whose checksums agree at an entry agree in everything
before it, and a snapshot that names the number can be held against the log (MemoryDB paper, section 7.2.1).  It also
shows that nothing is missing between two entries.  Worked values, with terms and places left out:

    body        b"12345"              b"6789"
    checksum    crc64(b"12345")       crc64(b"6789", crc64(b"12345")) == crc64(b"123456789")

A *no-op* is what a new leader of the log writes first, to have something of its own term to commit.  It takes a place,
but users of the log are never shown it; so the chain of checksums goes past it: its own checksum guards its bytes, and
the entry behind it continues from the entry before it.

The bytes of an entry, integers with the high byte first:

    4   length of the content
    4   the same with every bit turned over: a length changed by rot would make good entries look like a torn tail
    .   content: term (8), place (8), lengths of kind (1) and token (1), kind, token, body
    8   running checksum

Bytes that are no entry raise `LogError`.  Nothing is allocated because a length field says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from typing import ClassVar, Final

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.damage import DamageError

DATA: Final = "data"
"""A chunk of the replication stream: whole commands, a transaction never split."""
LEADERSHIP: Final = "leadership"
RENEWAL: Final = "renewal"
HANDOVER: Final = "handover"
SLOTS: Final = "slots"
"""A step of the two-phase commit that moves slots from one shard to another."""
NO_OP: Final = "no-op"
"""The log's own: see above."""
KINDS: Final = (DATA, LEADERSHIP, RENEWAL, HANDOVER, SLOTS)
"""What a user of the log may append."""

LARGEST_BODY: Final = 64 * 2**20
LONGEST_TOKEN: Final = 255

_HEADER: Final = 8
_FIXED: Final = 18
_CHECKSUM: Final = 8
_ID = re.compile(r"(0|[1-9][0-9]{0,18})-(0|[1-9][0-9]{0,18})")


class LogError(DamageError):
    """These bytes are not what a log is made of.  `torn`: the end is missing and the rest is good, which is what a
    power loss leaves; otherwise they are damaged."""

    def __init__(self, where: str, offset: int, reason: str, torn: bool = False) -> None:
        super().__init__(where, offset, reason)
        self.torn = torn


@total_ordering
@dataclass(frozen=True, slots=True)
class EntryId:
    """Term and place.  Of two ids in one log, the one with the higher place comes later."""

    term: int
    index: int

    ZERO: ClassVar[EntryId]
    """What stands before the first entry."""

    def __lt__(self, other: EntryId) -> bool:
        return (self.index, self.term) < (other.index, other.term)

    def __str__(self) -> str:
        return f"{self.term}-{self.index}"

    @classmethod
    def parse(cls, text: str) -> EntryId:
        """`"3-17"`: term 3, place 17.  Raises LogError."""
        match = _ID.fullmatch(text)
        if match is None:
            raise LogError("an entry's id", 0, f'a term and a place are wanted, such as "3-17", not {text[:40]!r}')
        return cls(int(match[1]), int(match[2]))


EntryId.ZERO = EntryId(0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.  `token` was chosen by who appended it, and is never used twice; `checksum` is the running one."""

    id: EntryId
    kind: str
    body: bytes
    token: str
    checksum: int

    @classmethod
    def following(cls, base: int, id: EntryId, kind: str, body: bytes, token: str) -> Entry:
        """The entry with this content, behind one at which the running checksum is `base`."""
        return cls(id, kind, body, token, crc64(_content(id, kind, body, token), base))

    @property
    def shown(self) -> bool:
        """Users of the log get to see it."""
        return self.kind != NO_OP

    def running(self, base: int) -> int:
        """The checksum from which the entry behind this one continues; `base` is that from which this one did."""
        return self.checksum if self.shown else base

    def follows(self, base: int) -> bool:
        """Whether its checksum is right, if it is `base` before it."""
        return self.checksum == crc64(_content(self.id, self.kind, self.body, self.token), base)


def _content(id: EntryId, kind: str, body: bytes, token: str) -> bytes:
    lengths = bytes([len(kind), len(token)])
    words = id.term.to_bytes(8) + id.index.to_bytes(8) + lengths + kind.encode("ascii") + token.encode("ascii")
    return words + body


def encode(entry: Entry) -> bytes:
    """One entry as bytes."""
    content = _content(entry.id, entry.kind, entry.body, entry.token)
    length = len(content)
    header = length.to_bytes(4) + (length ^ 0xFFFFFFFF).to_bytes(4)
    return header + content + entry.checksum.to_bytes(8)


def decode(data: bytes, base: int, at: int = 0, where: str = "an entry") -> tuple[Entry, int]:
    """The entry that begins at byte `at`, behind one at which the running checksum is `base`; and where it ends.

    Raises LogError: torn if the bytes end before the entry does, damaged if anything else is wrong."""
    if len(data) - at < _HEADER:
        raise LogError(where, at, f"it ends inside the header of an entry ({len(data) - at} bytes of 8)", torn=True)
    length = int.from_bytes(data[at : at + 4])
    if length ^ 0xFFFFFFFF != int.from_bytes(data[at + 4 : at + _HEADER]):
        raise LogError(where, at, "the two lengths in front of an entry contradict each other")
    if not _FIXED <= length <= _FIXED + 2 * LONGEST_TOKEN + LARGEST_BODY:
        raise LogError(where, at, f"no entry has {length} bytes")
    start, end = at + _HEADER, at + _HEADER + length
    if len(data) < end + _CHECKSUM:
        missing = end + _CHECKSUM - len(data)
        raise LogError(where, at, f"it ends inside an entry ({missing} bytes are missing)", torn=True)
    checksum = int.from_bytes(data[end : end + _CHECKSUM])
    if crc64(memoryview(data)[start:end], base) != checksum:
        raise LogError(where, at, "an entry's checksum does not follow from what is before it and in it")
    return _read(data[start:end], checksum, where, start), end + _CHECKSUM


def _read(content: bytes, checksum: int, where: str, at: int) -> Entry:
    kind_ends = _FIXED + content[16]
    token_ends = kind_ends + content[17]
    kind, token = content[_FIXED:kind_ends], content[kind_ends:token_ends]
    if token_ends > len(content) or not (kind + token).isascii():
        raise LogError(where, at, "an entry's kind or token is not a word")
    entry_id = EntryId(int.from_bytes(content[:8]), int.from_bytes(content[8:16]))
    if (name := kind.decode()) not in (*KINDS, NO_OP):
        raise LogError(where, at, f"no entry is of the kind {name[:40]!r}")
    return Entry(entry_id, name, content[token_ends:], token.decode(), checksum)


def decode_all(frames: Iterable[bytes], base: int, where: str) -> tuple[Entry, ...]:
    """Entries that came each in a piece of its own, one after the other.  Raises LogError."""
    entries = []
    for number, frame in enumerate(frames):
        entry, end = decode(frame, base, where=f"{where}, entry {number}")
        if end != len(frame):
            raise LogError(f"{where}, entry {number}", end, f"{len(frame) - end} bytes too many")
        entries.append(entry)
        base = entry.running(base)
    return tuple(entries)
