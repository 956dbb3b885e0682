"""The keyspace: sixteen databases of keys, values and expiry times, and what a fork sees of them.

It knows nothing of commands, sessions or clocks: time comes in as an absolute number of milliseconds since 1970, and
nothing here decides to expire a key; the engine asks what is due.

**Fork.**  `fork(2)` gives a child the memory as it was; the kernel copies a page when somebody writes to it.  Python
cannot fork inside a simulation, so the keyspace does it with objects:

1. `fork()` copies the *tables* (key -> value, key -> expiry), but shares every value.  Strings are immutable, done.
2. Every container has a generation: the number of forks before it was made.  One that is older than the youngest living
   fork may be shared.
3. Every write to a container goes through `Database.open`, which copies a shared one first and puts the copy in the
   table.  The snapshot keeps the old one, which nobody writes to any more.

    forks = 0    RPUSH l a        l is born with generation 0
    fork()       forks = 1        snapshot 1 shares l
    RPUSH l b    0 < 1: copied    the copy has generation 1; snapshot 1 still sees [a]
    RPUSH l c    1 < 1 is false   written in place

**Copy-on-write memory.**  A snapshot counts `copied_bytes`, what the kernel would have had to copy.  The model: each
distinct key that was written since the fork costs its own size, rounded up to pages of 4096 bytes.  That is our own
simplification: a real kernel copies only the touched pages of a large value, and neighbours of a small one along with
it, since one page holds many small keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from durable_redis.engine.values import (
    NEVER_SHARED,
    Container,
    OpaqueValue,
    RedisHash,
    RedisList,
    RedisSet,
    SortedSet,
    Value,
    size_of,
)
from durable_redis.formats.rdb import Entry, Opaque
from durable_redis.formats.resp import strict_integer

if TYPE_CHECKING:
    from durable_redis.engine.session import WatchedKey

DATABASES = 16
PAGE_BYTES = 4096

KEY_OVERHEAD = 64
"""Bytes charged for a key beside its name and value: roughly Redis's dictEntry, robj and string header."""

EXPIRY_OVERHEAD = 32
"""Bytes charged for an expiry time: roughly a second dictEntry."""

ContainerType = TypeVar("ContainerType", bound=Container)


def database_number(word: bytes) -> int | None:
    """The database that SELECT means by this word; None if there is none of that name."""
    number = strict_integer(word)
    return number if number is not None and 0 <= number < DATABASES else None


class Database:
    """One numbered database.  Everything that changes it is a method here, so that accounting cannot be forgotten."""

    __slots__ = ("deadlines", "expires", "index", "keyspace", "payload", "scan_order", "values", "watched")

    def __init__(self, index: int, keyspace: Keyspace) -> None:
        self.index = index
        self.keyspace = keyspace
        self.values: dict[bytes, Value] = {}
        self.expires: dict[bytes, int] = {}
        # A heap of (expiry time, key).  Entries that `expires` no longer confirms are dropped when they come up.
        self.deadlines: list[tuple[int, bytes]] = []
        self.watched: dict[bytes, list[WatchedKey]] = {}
        self.payload = 0
        self.scan_order: list[tuple[int, bytes]] | None = None

    # -- values ------------------------------------------------------------------------------------------------------

    def put(self, key: bytes, value: Value) -> None:
        """Give a key this value, whatever it had.  Its expiry time, if any, stays."""
        old = self.values.get(key)
        self.values[key] = value
        if old is None:
            self.payload += len(key)
            self.scan_order = None
        else:
            self.payload -= len(old) if isinstance(old, bytes) else old.accounted
        size = len(value) if isinstance(value, bytes) else self._adopt(value)
        self.payload += size
        if self.watched or self.keyspace.snapshots:
            self.touch(key, size)

    def _adopt(self, container: Container) -> int:
        """Account for a container that enters the table; one that only moves to another key keeps its generation."""
        if container.generation == NEVER_SHARED:
            container.generation = self.keyspace.forks
        container.accounted = container.size
        return container.size

    def open(self, key: bytes, container: ContainerType) -> ContainerType:
        """The container at `key`, ready to be written to: a copy of it first, if a living fork shares it."""
        if container.generation >= self.keyspace.youngest_fork:
            return container
        copy = container.copy()
        copy.generation = self.keyspace.forks
        copy.accounted = container.accounted
        self.values[key] = copy
        return copy  # type: ignore[return-value]

    def close(self, key: bytes, container: Container) -> None:
        """A write to an open container is over: account for it, and remove the key if nothing is left in it."""
        if not len(container):
            self.remove(key)
            return
        self.payload += container.size - container.accounted
        container.accounted = container.size
        if self.watched or self.keyspace.snapshots:
            self.touch(key, container.size)

    def remove(self, key: bytes) -> bool:
        """Remove a key with its expiry time; False if there is none."""
        value = self.values.pop(key, None)
        if value is None:
            return False
        self.expires.pop(key, None)
        self.scan_order = None
        size = len(value) if isinstance(value, bytes) else value.accounted
        self.payload -= len(key) + size
        if self.watched or self.keyspace.snapshots:
            self.touch(key, size)
        return True

    def clear(self) -> int:
        """Remove every key; how many there were."""
        count = len(self.values)
        old_values = self.values
        self.values, self.expires, self.deadlines = {}, {}, []
        self.payload, self.scan_order = 0, None
        if self.watched or self.keyspace.snapshots:
            for key, value in old_values.items():
                self.touch(key, size_of(value))
        return count

    def touch(self, key: bytes, size: int) -> None:
        """A key of this size was written: tell the sessions that watch it, and the living forks."""
        for watched_key in self.watched.get(key, ()):
            watched_key.touched()
        for snapshot in self.keyspace.snapshots:
            snapshot.key_written(self.index, key, size)

    def _touch(self, key: bytes) -> None:
        if self.watched or self.keyspace.snapshots:
            self.touch(key, size_of(self.values[key]))

    # -- expiry ------------------------------------------------------------------------------------------------------

    def set_expiry(self, key: bytes, at_ms: int) -> None:
        """Let an existing key expire at this absolute time."""
        self.expires[key] = at_ms
        self._touch(key)
        heappush(self.deadlines, (at_ms, key))
        if len(self.deadlines) > 2 * len(self.expires) + 64:
            self.deadlines = [(at, key) for key, at in self.expires.items()]
            heapify(self.deadlines)

    def clear_expiry(self, key: bytes) -> bool:
        """Let a key live for ever; False if it already did."""
        if self.expires.pop(key, None) is None:
            return False
        self._touch(key)
        return True

    def next_deadline(self) -> tuple[int, bytes] | None:
        """The earliest (expiry time, key) of this database; ties in the order of the keys' bytes."""
        while self.deadlines:
            at_ms, key = self.deadlines[0]
            if self.expires.get(key) == at_ms:
                return at_ms, key
            heappop(self.deadlines)
        return None

    # -- iteration ---------------------------------------------------------------------------------------------------

    def in_scan_order(self) -> list[tuple[int, bytes]]:
        """All keys as (hash, key), sorted: the order of SCAN.  Kept until a key is added or removed."""
        if self.scan_order is None:
            self.scan_order = sorted((crc32(key), key) for key in self.values)
        return self.scan_order

    def swap(self, other: Database) -> None:
        """Exchange all content with another database; what is watched stays, and is told (SWAPDB)."""
        for name in ("values", "expires", "deadlines", "payload", "scan_order"):
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, theirs)
            setattr(other, name, mine)
        for database in (self, other):
            for key in list(database.watched):
                if key in self.values or key in other.values:
                    for watched_key in database.watched[key]:
                        watched_key.touched()


class Snapshot:
    """The keyspace at the moment of a fork, for a child to read while the parent goes on writing."""

    __slots__ = ("_written", "copied_bytes", "generation", "tables")

    def __init__(self, keyspace: Keyspace, generation: int) -> None:
        self.generation = generation
        self.tables = [(database.values.copy(), database.expires.copy()) for database in keyspace.databases]
        self.copied_bytes = 0
        self._written: dict[tuple[int, bytes], None] = {}

    def key_written(self, index: int, key: bytes, size: int) -> None:
        """The parent has written to this key: its pages are copied, once."""
        if (index, key) not in self._written:
            self._written[index, key] = None
            pages = -(-(KEY_OVERHEAD + len(key) + size) // PAGE_BYTES)
            self.copied_bytes += pages * PAGE_BYTES

    def entries(self) -> Iterator[Entry]:
        """Everything as it was at the fork, database by database, in the order in which the keys were first set."""
        return _entries(self.tables)

    def __len__(self) -> int:
        return sum(len(values) for values, _ in self.tables)


class Keyspace:
    """Sixteen databases, and the living forks of them."""

    def __init__(self) -> None:
        self.databases = [Database(index, self) for index in range(DATABASES)]
        self.forks = 0
        self.youngest_fork = 0
        """The number of the youngest living fork, 0 if none lives: a container of a lower generation may be shared."""
        self.snapshots: list[Snapshot] = []

    def __len__(self) -> int:
        return sum([len(database.values) for database in self.databases])  # asked after every step

    @property
    def used_memory(self) -> int:
        """An estimate of the memory in use, in bytes: names, elements, and fixed overheads (not an allocator's)."""
        return sum(
            database.payload + KEY_OVERHEAD * len(database.values) + EXPIRY_OVERHEAD * len(database.expires)
            for database in self.databases
        )

    def fork(self) -> Snapshot:
        """A snapshot of now.  Costs a copy of the tables, as the real fork copies the page tables."""
        self.forks += 1
        self.youngest_fork = self.forks
        snapshot = Snapshot(self, self.forks)
        self.snapshots.append(snapshot)
        return snapshot

    def release(self, snapshot: Snapshot) -> None:
        """The child has ended: stop copying for it.  Releasing twice is harmless."""
        self.snapshots = [other for other in self.snapshots if other is not snapshot]
        self.youngest_fork = max((other.generation for other in self.snapshots), default=0)

    def entries(self) -> Iterator[Entry]:
        """Everything as it is now; must not be written to meanwhile (fork for that)."""
        return _entries([(database.values, database.expires) for database in self.databases])

    def load(self, entry: Entry) -> None:
        """Put in what an RDB file holds for one key."""
        database = self.databases[entry.db]
        database.put(entry.key, value_of_entry(entry))
        database.clear_expiry(entry.key)
        if entry.expires_at_ms is not None:
            database.set_expiry(entry.key, entry.expires_at_ms)


def _entries(tables: list[tuple[dict[bytes, Value], dict[bytes, int]]]) -> Iterator[Entry]:
    for index, (values, expires) in enumerate(tables):
        for key, value in values.items():
            yield entry_of_value(index, key, value, expires.get(key))


def entry_of_value(index: int, key: bytes, value: Value, expires_at_ms: int | None) -> Entry:
    """A key and its value in the shape in which RDB files are written."""
    match value:
        case bytes():
            return Entry(index, key, "string", value, expires_at_ms)
        case RedisList():
            return Entry(index, key, "list", list(value.items), expires_at_ms)
        case RedisHash():
            return Entry(index, key, "hash", list(value.fields.items()), expires_at_ms)
        case RedisSet():
            return Entry(index, key, "set", list(value.members), expires_at_ms)
        case SortedSet():
            return Entry(index, key, "zset", [(member, score) for score, member in value.ordered], expires_at_ms)
        case OpaqueValue():
            return Entry(index, key, value.opaque_kind, value.opaque, expires_at_ms)
        case _:
            raise AssertionError(f"key {key!r} holds a {type(value).__name__}, which is no value")


def value_of_entry(entry: Entry) -> Value:
    """The opposite of `entry_of_value`."""
    match entry.kind, entry.value:
        case _, Opaque() as opaque:
            return OpaqueValue(entry.kind, opaque)
        case "string", bytes() as text:
            return text
        case "list", items:
            return RedisList(items)
        case "hash", pairs:
            return RedisHash(pairs)
        case "set", members:
            return RedisSet(members)
        case "zset", pairs:
            return SortedSet(pairs)
    raise AssertionError(f"an entry of kind {entry.kind!r} reached the keyspace: it should be an Opaque")
