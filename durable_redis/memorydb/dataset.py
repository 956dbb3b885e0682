"""A shard's data, made of a snapshot and the entries behind it: what a node holds, and up to where.

    snapshot            everything up to the entry `at` of its label
    entry, entry, ...   the next ones of the log, in order, none left out

The law of this file: *never be anything that the log does not vouch for*.  Every entry moves `at` by one and continues
the running checksum; if the log's own differs, then what is here is not what the log says came before, and nothing of
the entry is applied.  The same is asked of a snapshot, before anything is built on it.

A record of a newer engine is not applied either: the data set stays as it is in front of it, good and too old.

Recovery, replication and the rehearsal of a snapshot are this same thing; they differ in where the entries come from
and in what happens then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.engine.keyspace import database_number
from durable_redis.formats.resp import ErrorReply
from durable_redis.memorydb.errors import Damaged, NewerEngine, NoLabel, OtherShard, WrongPrefix
from durable_redis.memorydb.log.answers import Entries
from durable_redis.memorydb.log.entries import DATA, SLOTS, Entry, EntryId
from durable_redis.memorydb.migration.ownership import Migration, Ownership, OwnershipError
from durable_redis.memorydb.record import ENGINE_VERSION, Record, RecordError, Version, version_text
from durable_redis.memorydb.snapshot import Label, digest_of, open_snapshot

if TYPE_CHECKING:
    from durable_redis.engine import Engine


class Dataset:
    """`engine` holds the log's effects up to the entry `at`, where the running checksum is `checksum`; `ownership` is
    what the log says up to there of the shard's slots.

    `replid` and `offset` are the position in the stream of the leader that wrote the last record."""

    def __init__(self, engine: Engine, shard: str, version: Version = ENGINE_VERSION) -> None:
        self.engine = engine
        self.shard = shard
        self.version = version
        self.at = EntryId.ZERO
        self.checksum = 0
        self.replid = ""
        self.offset = 0
        self.ownership = Ownership(shard)

    # -- a snapshot --------------------------------------------------------------------------------------------------

    def load(self, content: bytes, name: str = "snapshot") -> Label:
        """Be what a snapshot says, instead of nothing.  Raises Truncated, Damaged, NoLabel, OtherShard, NewerEngine.

        1. the bytes: a whole RDB file with a label
        2. the label: this shard's, and of an engine that is not newer than this one
        3. the data: in memory, they have the digest that they had where they came from"""
        assert self.at == EntryId.ZERO, f"a snapshot is loaded into an empty data set, and this one is at {self.at}"
        # 1. the bytes
        label, rdb = open_snapshot(content, name)
        # 2. the label
        if label.shard != self.shard:
            raise OtherShard(name, f"this is a snapshot of the shard {label.shard}, and {self.shard} is wanted")
        self._check_version(label.version, name)
        try:
            ownership = Ownership.decode(self.shard, label.slots)
        except OwnershipError as error:
            raise NoLabel(name, str(error)) from error
        # 3. the data
        for entry in rdb.entries:
            self.engine.load(entry)
        if (digest := digest_of(self.engine.entries())) != label.digest:
            raise Damaged(
                name, f"its label says that the data's digest is {label.digest:016x}, and it is {digest:016x}"
            )
        self.at, self.checksum = label.at, label.checksum
        self.replid, self.offset = label.replid, label.offset
        self.ownership = ownership
        return label

    def label(self) -> Label:
        """The label of a snapshot that is made of this now."""
        digest = digest_of(self.engine.entries())
        slots = self.ownership.encode()
        return Label(self.shard, self.at, self.checksum, self.version, digest, self.replid, self.offset, slots)

    # -- the log -----------------------------------------------------------------------------------------------------

    def expect(self, checksum: int) -> None:
        """Hold this against the log, whose running checksum at `at` is this.  Raises WrongPrefix."""
        if checksum != self.checksum:
            raise WrongPrefix(
                f"{self.shard}, entry {self.at}",
                f"the log's running checksum is {checksum:016x} here, and ours is {self.checksum:016x}: what we have "
                "is not what the log says came before; restore another snapshot",
            )

    def follow(self, found: Entries, now_ms: int) -> int:
        """Apply entries that were read behind `at`; the number of commands in them.  Raises as `apply`."""
        self.expect(found.base)
        return sum(self.apply(entry, now_ms) for entry in found.entries)

    def apply(self, entry: Entry, now_ms: int) -> int:
        """Apply the next entry; the number of commands in it.  Raises WrongPrefix, NewerEngine or Damaged, with nothing
        of the entry applied."""
        where = f"{self.shard}, entry {entry.id}"
        if not entry.follows(self.checksum):
            raise WrongPrefix(
                where,
                f"its checksum {entry.checksum:016x} does not follow from {self.checksum:016x}, ours at {self.at}: "
                "entries are missing in between, or our past is another; restore another snapshot",
            )
        commands = self._execute(entry, where, now_ms) if entry.kind == DATA else 0
        if entry.kind == SLOTS:
            self._move_slots(entry.body, entry.id, where)
        self.at, self.checksum = entry.id, entry.checksum
        return commands

    def appended(self, id: EntryId, checksum: int, kind: str, body: bytes) -> None:
        """The next entry is this node's own, and what it says of data has been executed already."""
        if kind == SLOTS:
            self._move_slots(body, id, f"{self.shard}, entry {id}")
        self.at, self.checksum = id, checksum

    def _move_slots(self, body: bytes, id: EntryId, where: str) -> None:
        try:
            self.ownership = self.ownership.after(Migration.decode(body), id.index)
        except OwnershipError as error:
            raise Damaged(where, str(error)) from error

    def _execute(self, entry: Entry, where: str, now_ms: int) -> int:
        try:
            record = Record.decode(entry.body)
            self._check_version(record.version, where)
            commands = record.commands()
        except RecordError as error:
            raise Damaged(where, str(error)) from error
        for db, argv in self._placed(commands, where):
            self.engine.apply(db, argv, now_ms)
        self.replid, self.offset = record.replid, record.end
        return len(commands)

    def _placed(self, commands: list[list[bytes]], where: str) -> list[tuple[int, list[bytes]]]:
        """Each command but SELECT with the database in which it belongs; Damaged if one of them cannot be executed."""
        placed, db = [], 0
        for argv in commands:
            command = self.engine.lookup(argv)
            if isinstance(command, ErrorReply):
                raise Damaged(where, f"it cannot be executed: {command.text}")
            if command.name != "select":
                placed.append((db, argv))
            elif (selected := database_number(argv[1])) is not None:
                db = selected
            else:
                raise Damaged(where, f"it cannot be executed: there is no database {argv[1]!r}")
        return placed

    def _check_version(self, version: Version, where: str) -> None:
        if version > self.version:
            raise NewerEngine(
                where,
                f"an engine {version_text(version)} has written this, and this one is {version_text(self.version)}: "
                "upgrade this node before it goes on",
            )
