"""Small things for the tests of snapshots: a shard's log with data in it, and data sets to compare."""

from __future__ import annotations

from random import Random

from durable_redis.engine import Engine
from durable_redis.formats.resp import encode_command
from durable_redis.memorydb.dataset import Dataset
from durable_redis.memorydb.log import DATA, Appended, Entries, EntryId
from durable_redis.memorydb.log.local import LocalLog
from durable_redis.memorydb.record import ENGINE_VERSION, Record, Version
from durable_redis.memorydb.snapshot import digest_of, dump

REPLID = "0123456789abcdef" * 2 + "01234567"
FAR_FUTURE_MS = 4_102_444_800_123
NOW_MS = 1_700_000_000_000

ALL_KINDS = (
    [b"SET", b"string", b"hello"],
    [b"SET", b"number", b"42", b"PXAT", b"%d" % FAR_FUTURE_MS],
    [b"RPUSH", b"list", b"c", b"a", b"b"],
    [b"SADD", b"set of words", b"z", b"a", b"m"],
    [b"SADD", b"set of numbers", b"3", b"-1", b"300"],
    [b"HSET", b"hash", b"f", b"1", b"a", b"2"],
    [b"ZADD", b"zset", b"2.5", b"b", b"-inf", b"a", b"0.1", b"c"],
)


class Writer:
    """Appends records to a log, as a primary would."""

    def __init__(self, log: LocalLog | None = None, version: Version = ENGINE_VERSION) -> None:
        self.log = log or LocalLog()
        self.version = version
        self.offset = 0

    def write(self, *commands: list[bytes]) -> EntryId:
        """One record with these commands."""
        stream = b"".join(encode_command(argv) for argv in commands)
        self.offset += len(stream)
        return self.append(Record(REPLID, self.offset, self.version, stream).encode())

    def append(self, body: bytes, kind: str = DATA) -> EntryId:
        tail = self.log.tail().id
        answer = self.log.append(tail, body, f"after {tail}", kind)
        assert isinstance(answer, Appended)
        return answer.id

    def fill(self, count: int, keys: int = 1_000_000, first: int = 0) -> None:
        """So many records with one SET each, over so many keys."""
        for number in range(first, first + count):
            self.write([b"SET", b"key:%d" % (number % keys), b"value %d" % number])


def empty(shard: str = "s1", version: Version = ENGINE_VERSION) -> Dataset:
    return Dataset(Engine(Random(1)), shard, version)


def dataset_of(log: LocalLog, shard: str = "s1", upto: EntryId | None = None) -> Dataset:
    """A data set that has followed the log from its beginning."""
    dataset = empty(shard)
    for entry in log.read(EntryId.ZERO).entries:
        if upto is None or entry.id <= upto:
            dataset.apply(entry, NOW_MS)
    return dataset


def restore(content: bytes | None, found: Entries, shard: str = "s1") -> Dataset:
    """A shard's data out of a snapshot (None: there is none) and the entries behind it.  Raises RecoveryError."""
    dataset = empty(shard)
    if content is not None:
        dataset.load(content)
    dataset.follow(found, NOW_MS)
    return dataset


def snapshot_of(dataset: Dataset) -> bytes:
    return b"".join(dump(dataset.engine.entries(), dataset.label()))


def digest(dataset: Dataset) -> int:
    return digest_of(dataset.engine.entries())
