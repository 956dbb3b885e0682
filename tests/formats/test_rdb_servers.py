"""The authority: real servers load what we write and agree on every key, and their checkers accept it."""

from __future__ import annotations

from pathlib import Path

import pytest
from realserver import RealServer, ServerBinary, check_file
from recorded import GOLDEN, keyspace_of, read_keyspace

from durable_redis.formats.rdb import Entry, decode, encode

FAR_FUTURE_MS = 4_102_444_800_123

ENTRIES = [
    Entry(0, b"string", "string", b"hello", None),
    Entry(0, b"", "string", b"", None),
    Entry(0, b"key \x00\xff\r\n", "string", bytes(range(256)) * 70, None),
    *(Entry(0, b"int %d" % n, "string", b"%d" % n, None) for n in (0, -128, 128, -32769, 1 << 31, -(1 << 63))),
    Entry(0, b"007", "string", b"007", None),
    Entry(0, b"compressible", "string", b"abc" * 1000, FAR_FUTURE_MS),
    Entry(0, b"list", "list", [b"a", b"", *(b"%d" % (sign << n) for n in range(63) for sign in (1, -1))], None),
    Entry(0, b"list of sizes", "list", [b"x" * size for size in (63, 64, 4095, 4096, 8192, 8193, 16_390)], None),
    Entry(0, b"list of many", "list", [b"element %d" % n for n in range(3000)], None),
    *(Entry(0, b"list of one %d" % n, "list", [b"y" * n], None) for n in (0, 61, 62, 63, 64, 125, 126, 127, 128)),
    Entry(0, b"set 16", "set", [b"5", b"-1", b"300"], None),
    Entry(0, b"set 32", "set", [b"5", b"70000"], None),
    Entry(0, b"set 64", "set", [b"5", b"-5000000000"], None),
    Entry(0, b"set of words", "set", [b"a", b"5", b"\x00"], None),
    Entry(0, b"set of many", "set", [b"%d" % n for n in range(513)], None),
    Entry(0, b"hash", "hash", [(b"a", b"5"), (b"", b"-1")], FAR_FUTURE_MS + 1),
    Entry(0, b"hash of long", "hash", [(b"a", b"v" * 65), (b"b" * 100, b"7")], None),
    Entry(0, b"hash of many", "hash", [(b"f%d" % n, b"%d" % n) for n in range(600)], None),
    Entry(0, b"zset", "zset", [(b"b", 0.1), (b"z", float("inf")), (b"a", -1.5), (b"c", 1e300), (b"d", 3.0)], None),
    Entry(0, b"zset of equals", "zset", [(b"b", 1.0), (b"a", 1.0), (b"-", float("-inf")), (b"0", -0.0)], None),
    Entry(0, b"zset of many", "zset", [(b"m%d" % n, n / 7) for n in range(300)], None),
    Entry(3, b"string", "string", b"three", FAR_FUTURE_MS),
    Entry(15, b"last", "list", [b"z"], None),
]


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "dump.rdb"
    path.write_bytes(encode(ENTRIES, {"repl-id": b"a" * 40, "repl-offset": b"5"}, rdbcompression=request.param))
    return path


def skip_if_it_stops_before_version_10(binary: ServerBinary) -> None:
    if binary.rdb_version < 10:
        pytest.skip(f"{binary} reads RDB up to version {binary.rdb_version}, and ours is 10")


def test_a_real_server_loads_what_we_write(real_server_binary: ServerBinary, written: Path) -> None:
    skip_if_it_stops_before_version_10(real_server_binary)
    with RealServer(real_server_binary, "--sanitize-dump-payload", "yes", directory=written.parent) as server:
        assert read_keyspace(server) == keyspace_of(ENTRIES)
        # And back: the server saves in its own encodings, and we read those.
        assert server.exchange("SAVE") == b"+OK\r\n"
        assert keyspace_of(decode(written.read_bytes()).entries) == keyspace_of(ENTRIES)


def test_a_real_checker_accepts_what_we_write(real_server_binary: ServerBinary, written: Path) -> None:
    skip_if_it_stops_before_version_10(real_server_binary)
    accepted, text = check_file(real_server_binary, "rdb", written)
    assert accepted, text
    assert "Checksum OK" in text


def test_a_real_checker_refuses_a_changed_byte(real_server_binary: ServerBinary, written: Path) -> None:
    data = bytearray(written.read_bytes())
    data[200] ^= 1
    written.write_bytes(data)
    accepted, text = check_file(real_server_binary, "rdb", written)
    assert not accepted, text


def test_opaque_values_and_functions_reach_a_real_server(real_server_binary: ServerBinary, tmp_path: Path) -> None:
    """A stream that we do not understand, and a function library, written again by us from a file of Redis 7.0."""
    skip_if_it_stops_before_version_10(real_server_binary)
    rdb = decode((GOLDEN / "rdb_debian.rdb").read_bytes())
    (tmp_path / "dump.rdb").write_bytes(encode(rdb.entries, rdb.aux, rdb.functions))
    with RealServer(real_server_binary, directory=tmp_path) as server:
        assert server.execute("XRANGE", "stream:s", "-", "+") == [[b"1-1", [b"field", b"value"]]]
        assert server.execute("XPENDING", "stream:s", "group")[0] == 1
        assert server.execute("FCALL", "f", 0) == 1


def test_we_read_what_a_real_server_writes(real_server_binary: ServerBinary, tmp_path: Path) -> None:
    """Small and large encodings of the default settings, straight from the server."""
    with RealServer(real_server_binary, directory=tmp_path) as server:
        for count in (3, 1000):
            words = [word for n in range(count) for word in (n, f"m{n}")]
            server.execute("RPUSH", f"list {count}", *words)
            server.execute("SADD", f"set {count}", *words)
            server.execute("SADD", f"intset {count}", *words[::2])
            server.execute("HSET", f"hash {count}", *words)
            server.execute("ZADD", f"zset {count}", *words)
            server.execute("SET", f"string {count}", "ab" * count, "PXAT", 4_102_444_800_000)
        expected = read_keyspace(server)
        assert server.exchange("SAVE") == b"+OK\r\n"
    assert keyspace_of(decode((tmp_path / "dump.rdb").read_bytes()).entries) == expected
