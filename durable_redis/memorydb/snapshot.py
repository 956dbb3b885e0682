"""A snapshot: the data of one shard at one entry of its log, in an RDB file with a label.

Any Redis loads it: the label is in AUX fields, and a server passes over those that it does not know.

    mdb-shard       s1                  whose data
    mdb-at          3-170               the entry up to which the log is in it: term and place
    mdb-checksum    9f31...             the log's running checksum there: by it the prefix is known, all of it
    mdb-version     7.0.7               the engine whose stream it is made from
    mdb-digest      04c2...             of the data, key by key
    mdb-slots       {"gained": ...      what the log says up to there of its slots (`migration.ownership`); if anything
    repl-id, repl-offset                the stream's position there, in Redis's own fields

There are three checks for three mistakes (MemoryDB paper, section 7.2.1).  The CRC-64 at the end of the file finds
bytes that have changed since they were written.  The *digest* finds data that were changed, or forgotten, on the way
from memory into the file and out of it: it is computed from the keys in memory, before and after.  The *running
checksum* finds a file that is good in itself and tells another story: one entry too few, or one twice.

The digest is a sum over the keys, so that their order does not matter, nor that of a set's members or a hash's fields:
after a restore they may stand in another order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from durable_redis.engine.keyspace import DATABASES
from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import Entry as KeyEntry
from durable_redis.formats.rdb import Opaque, Rdb, RdbError, decode, encode_chunks
from durable_redis.formats.resp import encode_command, strict_integer
from durable_redis.memorydb.errors import Damaged, NoLabel, Truncated
from durable_redis.memorydb.log.entries import EntryId, LogError
from durable_redis.memorydb.record import RecordError, Version, parse_version, version_text

END_MARK: Final = 0xFF
FOOTER: Final = 8
SIXTY_FOUR_BITS: Final = 2**64


@dataclass(frozen=True, slots=True)
class Label:
    """What a snapshot says of itself."""

    shard: str
    at: EntryId
    checksum: int
    version: Version
    digest: int
    replid: str = ""
    offset: int = 0
    slots: bytes = b""

    def aux(self) -> dict[str, bytes]:
        """The label as AUX fields of an RDB file."""
        facts = {
            "mdb-shard": self.shard.encode(),
            "mdb-at": str(self.at).encode(),
            "mdb-checksum": b"%016x" % self.checksum,
            "mdb-version": version_text(self.version).encode(),
            "mdb-digest": b"%016x" % self.digest,
        }
        if self.slots:
            facts["mdb-slots"] = self.slots
        if self.replid:
            facts |= {"repl-id": self.replid.encode(), "repl-offset": b"%d" % self.offset, "repl-stream-db": b"0"}
        return facts


def dump(entries: Iterable[KeyEntry], label: Label) -> Iterator[bytes]:
    """The file, in pieces.  `label.digest` must be that of the entries: see `digest_of`."""
    return encode_chunks(entries, label.aux())


def open_snapshot(content: bytes, name: str) -> tuple[Label, Rdb]:
    """The label and the keys of a snapshot; `name` is what to call it in errors.

    Raises Truncated, Damaged or NoLabel.  What the label says is for the caller to judge, and so is the digest: it is
    that of the keys in memory, where they are not yet."""
    try:
        rdb = decode(content, name, databases=DATABASES)
    except RdbError as error:
        # A whole file has an end mark in front of its eight last bytes.
        cut = content[-FOOTER - 1 : -FOOTER] != bytes([END_MARK])
        raise (Truncated if cut else Damaged)(name, f"at byte {error.offset}: {error.reason}") from error
    if rdb.end != len(content):
        raise Damaged(name, f"{len(content) - rdb.end} bytes follow the end of the file")
    return _label_of(rdb.aux, name), rdb


def _label_of(aux: dict[str, bytes], name: str) -> Label:
    if "mdb-shard" not in aux:
        raise NoLabel(name, "this RDB file does not say of which shard it is, and up to which entry of the log")
    try:
        return Label(
            aux["mdb-shard"].decode("utf-8", "replace"),
            EntryId.parse(aux["mdb-at"].decode("ascii", "replace")),
            int(aux["mdb-checksum"], 16),
            parse_version(aux["mdb-version"]),
            int(aux["mdb-digest"], 16),
            aux.get("repl-id", b"").decode("ascii", "replace"),
            strict_integer(aux.get("repl-offset", b"0")) or 0,
            aux.get("mdb-slots", b""),
        )
    except (KeyError, ValueError, LogError, RecordError) as error:
        raise NoLabel(name, f"its label cannot be read ({error})") from error


# ---------------------------------------------------------------------------------------------------------------------
# The digest of data
# ---------------------------------------------------------------------------------------------------------------------


def digest_of(entries: Iterable[KeyEntry]) -> int:
    """64 bits that say which keys there are, with which values and expiries, in whatever order."""
    return sum(crc64(_canonical(entry)) for entry in entries) % SIXTY_FOUR_BITS


def _canonical(entry: KeyEntry) -> bytes:
    """One key as bytes that no other key and value have."""
    expiry = b"" if entry.expires_at_ms is None else b"%d" % entry.expires_at_ms
    return encode_command([b"%d" % entry.db, entry.key, entry.kind.encode(), expiry, *_words(entry)])


def _words(entry: KeyEntry) -> list[bytes]:
    match entry.kind, entry.value:
        case _, Opaque(type_byte, payload):
            return [b"%d" % type_byte, payload]
        case "list", items:
            return list(items)
        case "set", members:
            return sorted(members)
        case "hash", pairs:
            return [word for pair in sorted(pairs) for word in pair]
        case "zset", pairs:
            return [word for member, score in sorted(pairs) for word in (member, repr(score).encode())]
        case _, text:
            return [text]
