"""The keys of some slots: which they are, what checksum they have, and which of them a command is about.

Redis keeps a dictionary of keys for each slot; here all keys are looked through, which a migration does a few times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from durable_redis.engine.keyspace import entry_of_value
from durable_redis.formats.resp import ErrorReply
from durable_redis.memorydb.snapshot import digest_of
from durable_redis.redis.cluster.slots import SlotSet, key_slot

if TYPE_CHECKING:
    from durable_redis.engine import Engine

DATABASE = 0
"""A cluster has one database."""


def has_slot(slots: SlotSet, key: bytes) -> bool:
    """Whether this key belongs to one of these slots."""
    return bool(slots >> key_slot(key) & 1)


def keys_in(engine: Engine, slots: SlotSet) -> Iterator[bytes]:
    """The keys of these slots, in the order in which they were first set; the engine must not change meanwhile."""
    return (key for key in engine.keyspace.databases[DATABASE].values if has_slot(slots, key))


def touched(engine: Engine, argv: list[bytes], slots: SlotSet) -> list[bytes]:
    """Those of the keys that a command names which belong to these slots."""
    command = engine.lookup(argv)
    assert not isinstance(command, ErrorReply), f"the engine does not know its own effect {argv[0]!r}"
    return [key for key in command.keys(argv) if has_slot(slots, key)]


def is_mutation_of(engine: Engine, argv: list[bytes], slots: SlotSet) -> bool:
    """Whether this command writes to keys of these slots, and to nothing else."""
    command = engine.lookup(argv)
    if isinstance(command, ErrorReply) or not command.writes:
        return False
    keys = command.keys(argv)
    return bool(keys) and all(has_slot(slots, key) for key in keys)


def checksum_of(engine: Engine, slots: SlotSet, after_ms: int) -> tuple[int, int]:
    """(checksum, number of keys) of what these slots hold and what does not expire up to this time.

    The checksum is that of a snapshot's label: it does not depend on any order (`snapshot.digest_of`)."""
    database = engine.keyspace.databases[DATABASE]
    entries = [
        entry_of_value(DATABASE, key, database.values[key], database.expires.get(key))
        for key in keys_in(engine, slots)
        if database.expires.get(key, after_ms + 1) > after_ms
    ]
    return digest_of(entries), len(entries)
