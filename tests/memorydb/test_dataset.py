"""Recovery: a snapshot and the entries behind it give the data, or a named refusal; never anything else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from datatools import ALL_KINDS, FAR_FUTURE_MS, NOW_MS, Writer, dataset_of, digest, empty, restore, snapshot_of
from realserver import RealServer, ServerBinary, check_file

from durable_redis.formats.rdb import Entry as KeyEntry
from durable_redis.formats.rdb import decode, encode
from durable_redis.memorydb.dataset import Dataset
from durable_redis.memorydb.errors import (
    Damaged,
    NewerEngine,
    NoLabel,
    OtherShard,
    RecoveryError,
    Truncated,
    WrongPrefix,
)
from durable_redis.memorydb.log import DATA, LEADERSHIP, RENEWAL, Entries, Entry, EntryId
from durable_redis.memorydb.log.local import LocalLog
from durable_redis.memorydb.snapshot import digest_of, open_snapshot


def filled() -> Writer:
    writer = Writer()
    writer.append(b"n1", LEADERSHIP)
    for argv in ALL_KINDS:
        writer.write(argv)
    writer.append(b"n1", RENEWAL)
    return writer


def restored(content: bytes | None, log: LocalLog) -> Dataset:
    after = open_snapshot(content, "snapshot")[0].at if content is not None else EntryId.ZERO
    found = log.read(after)
    assert isinstance(found, Entries)
    return restore(content, found)


# -- what comes back -------------------------------------------------------------------------------------------------


def test_the_log_alone_is_the_data() -> None:
    writer = filled()
    dataset = restored(None, writer.log)
    assert (dataset.at, dataset.checksum) == (writer.log.tail().id, writer.log.tail().checksum)
    assert len(dataset.engine.keyspace) == len(ALL_KINDS)
    assert dataset.offset == writer.offset


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_snapshot_at_any_entry_and_the_entries_behind_it_are_the_same(trimmed: bool) -> None:
    count = len(filled().log.read(EntryId.ZERO).entries)
    for index in range(1, count + 1):
        writer = filled()
        at = writer.log.read(EntryId.ZERO).entries[index - 1].id
        content = snapshot_of(dataset_of(writer.log, upto=at))
        if trimmed:
            writer.log.trim(at)
        found = restored(content, writer.log)
        assert (found.at, found.checksum) == (writer.log.tail().id, writer.log.tail().checksum)
        assert digest(found) == digest(dataset_of(filled().log))
        assert found.label() == dataset_of(filled().log).label()


def test_a_transaction_and_other_databases_are_applied() -> None:
    writer = Writer()
    writer.write([b"MULTI"], [b"SET", b"a", b"1"], [b"SELECT", b"3"], [b"SET", b"b", b"2"], [b"EXEC"])
    writer.write([b"SET", b"c", b"3"])
    entries = list(dataset_of(writer.log).engine.entries())
    assert [(entry.db, entry.key) for entry in entries] == [(0, b"a"), (0, b"c"), (3, b"b")]


def test_the_digest_sees_every_change_and_no_order() -> None:
    one = KeyEntry(0, b"k", "set", [b"a", b"b"], None)
    hash_ = KeyEntry(0, b"h", "hash", [(b"a", b"1"), (b"b", b"2")], 5)
    other_order = [hash_._replace(value=[(b"b", b"2"), (b"a", b"1")]), one._replace(value=[b"b", b"a"])]
    assert digest_of([one, hash_]) == digest_of(other_order)
    changed = [
        [one],
        [one, hash_._replace(expires_at_ms=6)],
        [one, hash_._replace(expires_at_ms=None)],
        [one._replace(db=1), hash_],
        [one._replace(key=b"K"), hash_],
        [one._replace(value=[b"ab"]), hash_],
        [one._replace(kind="list"), hash_],
        [one, hash_._replace(value=[(b"a", b"2"), (b"b", b"1")])],
    ]
    digests = [digest_of(entries) for entries in ([one, hash_], *changed)]
    assert len(set(digests)) == len(digests)
    listed = KeyEntry(0, b"l", "list", [b"a", b"b"], None)
    assert digest_of([listed]) != digest_of([listed._replace(value=[b"b", b"a"])])


# -- what is refused, and by which name ------------------------------------------------------------------------------


def test_a_snapshot_of_another_shard_is_refused() -> None:
    content = snapshot_of(dataset_of(filled().log, shard="s2"))
    with pytest.raises(OtherShard, match="a snapshot of the shard s2, and s1 is wanted"):
        empty("s1").load(content)


def test_a_snapshot_of_a_newer_engine_is_refused_and_one_of_an_older_is_not() -> None:
    dataset = dataset_of(filled().log)
    dataset.version = (7, 0, 10)
    with pytest.raises(NewerEngine, match=r"an engine 7\.0\.10 has written this, and this one is 7\.0\.9"):
        empty(version=(7, 0, 9)).load(snapshot_of(dataset))
    dataset.version = (7, 0, 8)
    empty(version=(7, 0, 9)).load(snapshot_of(dataset))


def test_every_flipped_bit_of_a_snapshot_is_refused() -> None:
    content = snapshot_of(dataset_of(filled().log))
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        with pytest.raises(RecoveryError) as refusal:
            empty().load(bytes(flipped))
        assert isinstance(refusal.value, Damaged | Truncated)


def test_a_flipped_bit_in_a_value_is_called_damage() -> None:
    content = snapshot_of(dataset_of(filled().log)).replace(b"hello", b"hellp")
    with pytest.raises(Damaged, match="the checksum says"):
        empty().load(content)


def test_every_truncated_snapshot_is_refused() -> None:
    content = snapshot_of(dataset_of(filled().log))
    names = []
    for length in range(len(content)):
        with pytest.raises(RecoveryError) as refusal:
            empty().load(content[:length])
        names.append(type(refusal.value))
    assert names.count(Truncated) > 0.97 * len(names)  # now and then a byte of the data looks like an end mark
    assert set(names) <= {Truncated, Damaged}


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(Damaged, match="1 bytes follow the end"):
        empty().load(snapshot_of(dataset_of(filled().log)) + b"x")


def test_a_snapshot_with_a_database_that_is_not_here_is_refused() -> None:
    beyond = [KeyEntry(16, b"k", "string", b"v", None)]
    label = dataclasses.replace(dataset_of(filled().log).label(), digest=digest_of(beyond))
    with pytest.raises(Damaged, match="database 16 is not among the 16 that are here"):
        empty().load(encode(beyond, label.aux()))


def test_a_plain_rdb_file_is_no_snapshot() -> None:
    with pytest.raises(NoLabel, match="does not say of which shard"):
        empty().load(encode([]))
    aux = decode(snapshot_of(dataset_of(filled().log))).aux
    for field in ("mdb-at", "mdb-checksum", "mdb-version", "mdb-digest"):
        for value in (b"?", None):
            label = {name: fact for name, fact in aux.items() if name != field}
            with pytest.raises(NoLabel, match="its label cannot be read"):
                empty().load(encode([], label | ({field: value} if value else {})))


def test_a_file_that_is_whole_and_has_other_data_is_refused_by_the_digest() -> None:
    """What the checksum of the file cannot see: a key was lost between memory and the file."""
    dataset = dataset_of(filled().log)
    entries = list(dataset.engine.entries())
    for kept in (entries[1:], [*entries[:-1], entries[0]._replace(key=b"other")]):
        with pytest.raises(Damaged, match="its label says that the data's digest is"):
            empty().load(encode(kept, dataset.label().aux()))
    empty().load(encode(entries[::-1], dataset.label().aux()))


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_snapshot_of_another_past_is_refused_by_the_running_checksum(behind: int) -> None:
    """Two histories of one shard with the same ids: the log that was lost, and the one that took its place."""
    mine, other = Writer(), Writer()
    for writer, value in ((mine, b"1"), (other, b"2")):
        writer.write([b"SET", b"k", value])
    content = snapshot_of(dataset_of(other.log))
    mine.fill(behind)
    with pytest.raises(WrongPrefix, match="restore another snapshot"):
        restored(content, mine.log)


def test_an_entry_left_out_or_applied_twice_is_refused_and_nothing_of_it_applied() -> None:
    writer = filled()
    entries = writer.log.read(EntryId.ZERO).entries
    dataset = empty()
    for entry in entries[:3]:
        dataset.apply(entry, NOW_MS)
    before = dataset.label()
    for wrong in (entries[4], entries[2]):
        with pytest.raises(WrongPrefix, match="entries are missing in between, or our past is another"):
            dataset.apply(wrong, NOW_MS)
    assert dataset.label() == before
    dataset.apply(entries[3], NOW_MS)


def test_a_changed_entry_is_refused() -> None:
    writer = filled()
    entry = writer.log.read(EntryId.ZERO).entries[0]
    with pytest.raises(WrongPrefix):
        empty().apply(dataclasses.replace(entry, body=entry.body + b"x"), NOW_MS)


def test_a_record_of_a_newer_engine_stops_an_older_one_in_front_of_it() -> None:
    writer = filled()
    good = writer.log.tail().id
    Writer(writer.log, (7, 2, 0)).write([b"SET", b"k", b"of tomorrow"])
    dataset = empty()
    with pytest.raises(NewerEngine, match=r"an engine 7\.2\.0 has written this"):
        dataset.follow(writer.log.read(EntryId.ZERO), NOW_MS)
    assert dataset.at == good
    assert not dataset.engine.keyspace.databases[0].values.get(b"k")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"nonsense", "a record is"),
        ([b"FROB", b"k"], "it cannot be executed: ERR unknown command 'FROB'"),
        ([b"SELECT", b"16"], "it cannot be executed: there is no database b'16'"),
        ([b"SELECT", b"one"], "it cannot be executed: there is no database b'one'"),
    ],
)
def test_an_entry_that_cannot_be_executed_is_refused_whole(written: bytes | list[bytes], reason: str) -> None:
    writer = Writer()
    if isinstance(written, bytes):
        writer.append(written, DATA)
    else:
        writer.write([b"SET", b"k", b"v"], written)
    dataset = empty()
    with pytest.raises(Damaged, match=reason):
        dataset.follow(writer.log.read(EntryId.ZERO), NOW_MS)
    assert (dataset.at, len(dataset.engine.keyspace)) == (EntryId.ZERO, 0)


def test_entries_of_other_kinds_move_the_position_alone() -> None:
    dataset = empty()
    entry = Entry.following(0, EntryId(1, 1), LEADERSHIP, b"n1", "t")
    assert dataset.apply(entry, NOW_MS) == 0
    assert (dataset.at, dataset.checksum) == (entry.id, entry.checksum)


# -- the authority ---------------------------------------------------------------------------------------------------


def test_a_real_server_loads_a_snapshot(real_server_binary: ServerBinary, tmp_path: Path) -> None:
    if real_server_binary.rdb_version < 10:
        pytest.skip(f"{real_server_binary} reads RDB up to version {real_server_binary.rdb_version}, and ours is 10")
    path = tmp_path / "dump.rdb"
    path.write_bytes(snapshot_of(dataset_of(filled().log)))
    accepted, text = check_file(real_server_binary, "rdb", path)
    assert accepted, text
    with RealServer(real_server_binary, directory=tmp_path) as server:
        assert server.execute("DBSIZE") == len(ALL_KINDS)
        assert server.execute("GET", "string") == b"hello"
        assert server.execute("PEXPIRETIME", "number") == FAR_FUTURE_MS
        assert server.execute("LRANGE", "list", 0, -1) == [b"c", b"a", b"b"]
        assert server.execute("ZRANGE", "zset", 0, -1) == [b"a", b"c", b"b"]
