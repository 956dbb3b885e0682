"""The append-only file against literal bytes, every cut, recorded files and real servers."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realserver import RealServer, check_file

from durable_redis.formats import rdb
from durable_redis.formats.aof import (
    AofError,
    Manifest,
    ManifestFile,
    encode_record,
    read_records,
    timestamp_annotation,
)

bounded = settings(max_examples=150, derandomize=True, deadline=None)

GOLDEN = Path(__file__).parents[1] / "golden"


def record(*words):
    return encode_record([word.encode() for word in words])


A = record("SET", "a", "1")
MULTI, B, C, EXEC = record("MULTI"), record("SET", "b", "2"), record("SET", "c", "3"), record("EXEC")
D = record("DEL", "a")


def commands(content):
    return [b" ".join(found.argv).decode() for found in content.records]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_records_carry_their_place_in_the_file():
    data = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n#TS:1637280000\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n"
    content = read_records(data, "x.aof")
    assert [tuple(found) for found in content.records] == [
        (0, 23, [b"SELECT", b"0"]),
        (39, 67, [b"SET", b"k", b"\r\n"]),
    ]
    assert content.timestamps == [(23, 1637280000)]
    assert (content.valid_to, content.damage, content.warnings, content.preamble) == (len(data), None, [], None)
    assert timestamp_annotation(1637280000) == data[23:39]


def test_reading_can_begin_further_on():
    content = read_records(A + D, "x.aof", len(A))
    assert [tuple(found) for found in content.records] == [(len(A), len(A + D), [b"DEL", b"a"])]
    assert read_records(b"", "x.aof").valid_to == 0


def test_long_strings_and_many_arguments_leave_the_fast_path():
    argv = [b"RPUSH", b"k", *[b"x" * length for length in (511, 512, 5000)], *[b"y"] * 70]
    data = A + encode_record(argv) + D
    assert [found.argv for found in read_records(data, "x.aof").records][1] == argv


def test_every_cut_of_plain_commands_keeps_the_whole_ones():
    data = A + timestamp_annotation(7) + D + C
    ends = [0, len(A), len(A) + 7, len(A) + 7 + len(D), len(data)]
    for size in range(len(data) + 1):
        content = read_records(data[:size], "x.aof")
        assert content.valid_to == max(end for end in ends if end <= size)
        assert (content.damage is None) == (size in ends)
        if content.damage:
            assert content.damage.truncated
            assert content.damage.offset == content.valid_to
            assert f"x.aof: at byte {content.valid_to}: " in str(content.damage)
        assert (
            commands(content)
            == ["SET a 1", "DEL a", "SET c 3"][: len([end for end in ends[1:] if end <= size and end != ends[2]])]
        )


def test_every_cut_inside_a_transaction_goes_back_to_before_it():
    data = A + MULTI + timestamp_annotation(7) + B + C + EXEC + D
    begin, end = len(A), len(data) - len(D)
    for size in range(begin, end):
        content = read_records(data[:size], "x.aof")
        assert commands(content) == ["SET a 1"]
        assert content.valid_to == begin
        assert content.timestamps == []
        assert (content.damage is None) == (size == begin)
    assert commands(read_records(data[: end + 3], "x.aof")) == ["SET a 1", "MULTI", "SET b 2", "SET c 3", "EXEC"]
    assert read_records(data[: end + 3], "x.aof").valid_to == end
    assert read_records(data, "x.aof").damage is None


@pytest.mark.parametrize(
    ("junk", "reason"),
    [
        (b"\0\0\0\0", "expected a line *N, found b'\\x00\\x00\\x00\\x00"),
        (b"PING\r\n", "expected a line *N, found b'PING"),
        (b"*0\r\n", "expected a line *N"),
        (b"*-1\r\n", "expected a line *N"),
        (b"*x\r\n", "expected a line *N"),
        (b"$1\r\na\r\n", "expected a line *N"),
        (b"*1\r\n*1\r\n", "expected a line $N"),
        (b"*1\r\n$-1\r\n", "expected a line $N"),
        (b"#" + b"x" * 2000 + b"\r\n", "an annotation of more than 1024 bytes"),
    ],
)
@pytest.mark.parametrize("after", [b"", A])
def test_what_cannot_be_a_command_is_corruption(junk, reason, after):
    content = read_records(A + junk + after, "x.aof")
    assert content.damage.kind == "corrupt"
    assert content.damage.reason.startswith(reason)
    assert content.valid_to == len(A)
    assert commands(content) == ["SET a 1"]
    with pytest.raises(AofError, match=r"x\.aof: at byte"):
        raise content.damage


def test_damage_that_the_server_overlooks_is_a_warning():
    overlooked = A.replace(b"a\r\n", b"aXX") + B.replace(b"*3\r\n", b"*3X\n") + C
    content = read_records(overlooked, "x.aof")
    assert commands(content) == ["SET a 1", "SET b 2", "SET c 3"]
    assert content.damage is None
    assert [warning.split(": ")[1] for warning in content.warnings] == ["at byte 18", f"at byte {len(A)}"]


def test_a_length_grown_beyond_the_end_looks_like_a_truncated_tail():
    content = read_records(A + B.replace(b"$1\r\nb", b"$99999999\r\nb") + C + D, "x.aof")
    assert content.damage.truncated
    assert content.damage.reason.startswith("a string of 99999999 bytes is announced")
    assert commands(content) == ["SET a 1"]
    assert read_records(b"*999999999999999999\r\n$1\r\na\r\n", "x.aof").damage.truncated


@pytest.mark.parametrize("version", [b"REDIS", b"VALKEY"])
def test_a_preamble_is_an_rdb_and_a_damaged_one_is_corruption(version):
    preamble = rdb.encode([rdb.Entry(0, b"k", "string", b"v", None)], {"aof-base": b"1"})
    content = read_records(preamble + A, "x.aof")
    assert content.preamble.entries == [rdb.Entry(0, b"k", "string", b"v", None)]
    assert content.records[0].offset == len(preamble)
    assert content.valid_to == len(preamble + A)
    assert read_records(preamble + A[:5], "x.aof").valid_to == len(preamble)
    content = read_records(version + preamble[9:40], "x.aof")
    assert content.damage.kind == "corrupt"
    assert "the RDB preamble is damaged" in content.damage.reason
    assert content.valid_to == 0


@bounded
@given(st.data())
def test_mutated_files_never_raise(data):
    whole = bytearray(timestamp_annotation(9) + A + MULTI + B + EXEC + D)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"*", b"$", b"9\r\n"])
        )
        if not whole:
            break
    content = read_records(bytes(whole), "x.aof")
    assert 0 <= content.valid_to <= len(whole)
    again = read_records(bytes(whole[: content.valid_to]), "x.aof")
    assert again.damage is None  # what is said to be valid is valid
    assert again.records == content.records


@bounded
@given(st.lists(st.lists(st.binary(max_size=600), min_size=1, max_size=4), max_size=6))
def test_records_survive_the_file(sent):
    data = b"".join(encode_record([b"X", *argv]) for argv in sent)
    content = read_records(data, "x.aof")
    assert [found.argv[1:] for found in content.records] == sent
    assert b"".join(data[found.offset : found.end] for found in content.records) == data


# --- the manifest ----------------------------------------------------------------------------------------------------

REWRITTEN = (
    b"file appendonly.aof.2.base.rdb seq 2 type b\n"
    b"file appendonly.aof.1.base.rdb seq 1 type h\n"
    b"file appendonly.aof.1.incr.aof seq 1 type h\n"
    b"file appendonly.aof.2.incr.aof seq 2 type i\n"
)


def test_a_manifest_goes_through_a_rewrite():
    manifest = Manifest.empty().rewritten("rdb", 1)
    assert manifest.format() == (
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    manifest = manifest.with_incr(manifest.next_incr_number)
    assert [file.name for file in manifest.files] == [
        "appendonly.aof.1.base.rdb",
        "appendonly.aof.1.incr.aof",
        "appendonly.aof.2.incr.aof",
    ]
    manifest = manifest.rewritten("rdb", 2)
    assert manifest.format().encode() == REWRITTEN
    assert Manifest.parse(REWRITTEN, "appendonly.aof.manifest") == manifest
    assert [file.name for file in manifest.files] == ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof"]
    assert manifest.without_history().history == ()
    assert manifest.rewritten("aof", 2).base == ManifestFile("appendonly.aof.3.base.aof", 3, "b")


def test_the_file_of_old_redis_becomes_a_base():
    manifest = Manifest.of_old_file("appendonly.aof").with_incr(1)
    assert manifest.format() == "file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    assert manifest.rewritten("rdb", 1).base.name == "appendonly.aof.2.base.rdb"


@pytest.mark.parametrize("name", ["a b", 'say "x"', "it's", "back\\slash"[:4], "tab\t", "new\nline", "\x00\x7f", "äö"])
def test_names_are_quoted_so_that_they_are_split_again(name):
    manifest = Manifest.empty(name).with_incr(1)
    assert manifest.format().isascii()
    assert Manifest.parse(manifest.format().encode(), f"{name}.manifest") == manifest


def test_comments_other_keys_and_any_order_are_passed_over():
    text = b"# a comment\nstartoffset 7 type i SEQ 4 file x.aof\n"
    assert Manifest.parse(text, "m").incrs == (ManifestFile("x.aof", 4, "i"),)


BASE = b"file b.rdb seq 1 type b\n"


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        (b"", 0, "an empty AOF manifest"),
        (BASE + b"\n", len(BASE), "not a line of a manifest: b''"),
        (BASE + b"file x seq 1\n", len(BASE), "not a line of a manifest"),
        (BASE + b"file x seq 1 type i y\n", len(BASE), "not a line of a manifest"),
        (BASE + b'file "x seq 1 type i\n', len(BASE), "not a line of a manifest"),
        (BASE + b"name x seq 1 type i\n", len(BASE), "a line without file, seq or type"),
        (BASE + b"file x seq 0 type i\n", len(BASE), "a line without file, seq or type"),
        (BASE + b"file x seq one type i\n", len(BASE), "a line without file, seq or type"),
        (BASE + b"file x seq 1 type z\n", len(BASE), "an unknown type of file: 'z'"),
        (BASE + b"file ../x seq 1 type i\n", len(BASE), "a path where the name of a file should be: '../x'"),
        (BASE + b"file a\\b seq 1 type i\n", len(BASE), "a path where"),
        (BASE + b"file c.rdb seq 2 type b\n", len(BASE), "a second base file, c.rdb, beside b.rdb"),
        (b"file x seq 2 type i\nfile y seq 2 type i\n", 20, "increment 2 stands after increment 2"),
        (b"file x seq -2 type i\n", 0, "increment -2 stands after increment 0"),
        (BASE + b"file x seq 1 type i", len(BASE), "the last line does not end"),
        (b"#" * 1024 + b"\n", 0, "a line of 1024 bytes or more"),
    ],
)
def test_a_bad_manifest_is_named_with_the_offset_of_its_line(text, offset, reason):
    with pytest.raises(AofError) as caught:
        Manifest.parse(text, "m")
    assert caught.value.offset == offset
    assert caught.value.reason.startswith(reason)


@bounded
@given(st.data())
def test_a_mutated_manifest_raises_only_the_named_error(data):
    text = bytearray(REWRITTEN)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=3))
    try:
        manifest = Manifest.parse(bytes(text), "appendonly.aof.manifest")
    except AofError:
        return
    assert Manifest.parse(manifest.format().encode(), "appendonly.aof.manifest") == manifest


# --- files of real servers, and ours in real servers -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["aof-redis70-rdb-preamble", "aof-redis70-resp-base", "aof-redis70-incr-only"])
def test_recorded_directories_are_read_whole(recorded_fixtures, name):
    folder = recorded_fixtures / name / "appendonlydir"
    text = (folder / "appendonly.aof.manifest").read_bytes()
    manifest = Manifest.parse(text, "appendonly.aof.manifest")
    assert manifest.format().encode() == text
    for file in manifest.files:
        data = (folder / file.name).read_bytes()
        content = read_records(data, file.name)
        assert content.damage is None
        assert content.warnings == (content.preamble.warnings if content.preamble else [])
        assert content.valid_to == len(data)
        assert b"".join(encode_record(found.argv) for found in content.records) in data


def test_a_recorded_truncated_tail_is_cut_where_the_server_cuts_it(recorded_fixtures):
    path = recorded_fixtures / "bad-aof-truncated-tail" / "appendonlydir" / "appendonly.aof.1.incr.aof"
    content = read_records(path.read_bytes(), path.name)
    assert content.damage.truncated
    assert content.records[-1].end == content.valid_to < path.stat().st_size


def golden():
    specification = importlib.util.spec_from_file_location("make_golden_aof", GOLDEN / "make_golden_aof.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["aof-rdb-base", "aof-resp-base"])
def test_golden_directories_are_still_written_byte_for_byte(name):
    kept = {path.name: path.read_bytes() for path in (GOLDEN / name / "appendonlydir").iterdir()}
    assert kept == golden().directories()[name]


@pytest.mark.parametrize("name", ["aof-rdb-base", "aof-resp-base"])
def test_real_servers_load_and_check_our_directories(real_server_binary, tmp_path, name):
    if real_server_binary.version < (7,):
        pytest.skip("redis-server before 7.0 has no append-only directory")
    folder = tmp_path / "appendonlydir"
    folder.mkdir()
    for file, content in golden().directories()[name].items():
        (folder / file).write_bytes(content)
    accepted, said = check_file(real_server_binary, "aof", folder / "appendonly.aof.manifest")
    assert accepted, said
    with RealServer(real_server_binary, "--appendonly", "yes", directory=tmp_path) as server:
        expected = json.loads((GOLDEN / name / "expected.json").read_text())
        assert {database: dump(server, database) for database in ("0", "3")} == expected


def dump(server, database):
    """Every key of a database with its value, as JSON would hold it."""
    server.execute("SELECT", database)
    readers = {
        b"string": lambda key: server.execute("GET", key).decode(),
        b"list": lambda key: [item.decode() for item in server.execute("LRANGE", key, 0, -1)],
        b"zset": lambda key: [
            [key.decode(), float(score)] for key, score in pairs(server, "ZRANGE", key, 0, -1, "WITHSCORES")
        ],
        b"hash": lambda key: {field.decode(): value.decode() for field, value in pairs(server, "HGETALL", key)},
    }
    keys = server.execute("KEYS", "*")
    return {key.decode(): readers[server.execute("TYPE", key).text](key) for key in keys}


def pairs(server, *argv):
    flat = server.execute(*argv)
    return zip(flat[::2], flat[1::2], strict=True)


def start_on(binary, folder, data):
    """Start a server on this increment; result: its keys and what it left of the file, or None if it refuses."""
    directory = folder / "appendonlydir"
    directory.mkdir(parents=True)
    path = directory / "appendonly.aof.1.incr.aof"
    path.write_bytes(data)
    (directory / "appendonly.aof.manifest").write_text(Manifest.empty().with_incr(1).format())
    try:
        with RealServer(binary, "--appendonly", "yes", directory=folder) as server:
            return sorted(server.execute("KEYS", "*")), path.stat().st_size
    except RuntimeError:
        return None


@pytest.mark.parametrize(
    "data",
    [
        A + B[:-1],
        A + B[:-12],
        A + b"*",
        A + MULTI + B,
        A + MULTI + B + EXEC + C[:-4],
        A + B.replace(b"b\r\n", b"bXX") + C,
        A + B.replace(b"*3\r\n", b"*3X\n") + C,
        A + b"\0\0\0\0",
        A + b"*0\r\n" + B,
        A + b"PING\r\n" + B,
    ],
)
def test_real_servers_judge_damage_as_we_do(real_server_binary, tmp_path, data):
    if real_server_binary.version < (7,):
        pytest.skip("redis-server before 7.0 has no append-only directory")
    content = read_records(data, "x.aof")
    ours = None
    if content.damage is None or content.damage.truncated:
        ours = sorted(found.argv[1] for found in content.records if found.argv[0] == b"SET"), content.valid_to
    assert start_on(real_server_binary, tmp_path, data) == ours


def test_a_tail_torn_inside_a_transaction_is_cut_better_than_redis_7_does(real_server_binary, tmp_path):
    if real_server_binary.version < (7,):
        pytest.skip("redis-server before 7.0 has no append-only directory")
    data = A + MULTI + B + C[:-5]
    assert read_records(data, "x.aof").valid_to == len(A)
    left_open = len(A + MULTI + B) if real_server_binary.version < (9,) else len(A)
    assert start_on(real_server_binary, tmp_path, data) == ([b"a"], left_open)
    if left_open > len(A):  # what is acknowledged after that is gone at the next start
        path = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
        acknowledged = path.read_bytes() + record("SELECT", "0") + record("SET", "z", "1")
        assert start_on(real_server_binary, tmp_path / "again", acknowledged) == ([b"a"], len(A))
