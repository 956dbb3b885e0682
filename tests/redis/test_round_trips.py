"""Round trips: the files of a simulated server are loaded by real ones, and theirs by ours, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from realserver import RealServer, ServerBinary, check_file, wait_until
from recorded import Key, keyspace_of, read_keyspace
from redistools import Bench, disk_of

import durable_redis as dr
from durable_redis.sim import EPOCH_US

LATER_MS = 4_000_000_000_000
"""In 2096: after the real clock and the simulated one."""

COMMANDS = [
    ["SET", "string", "value"],
    ["SET", "binary", bytes(range(256))],
    ["SET", "number", "-12345"],
    ["SET", "long", "x" * 5_000],
    ["SET", "brief", "v", "PXAT", LATER_MS],
    ["RPUSH", "list", "a", "b", "c"],
    ["RPUSH", "long list", *range(300)],
    ["LPOP", "list"],
    ["SADD", "integers", 3, 1, 2, 70_000],
    ["SADD", "set", "x", "y", "z"],
    ["SPOP", "set"],
    ["HSET", "hash", "f", "1", "g", "2"],
    ["HINCRBYFLOAT", "hash", "f", "1.25"],
    ["HSET", "big hash", *(word for n in range(200) for word in (f"field{n}", n))],
    ["PEXPIREAT", "hash", LATER_MS + 1],
    ["ZADD", "zset", "1.5", "a", "-inf", "b", "1e300", "c", "3", "d"],
    ["ZADD", "big zset", *(word for n in range(200) for word in (n / 7, f"member{n}"))],
    ["INCRBYFLOAT", "float", "0.1"],
    ["APPEND", "string", "+"],
    ["SETRANGE", "bits", 3, "x"],
    ["DEL", "number"],
    ["SELECT", 9],
    ["MULTI"],
    ["SET", "in db 9", "v"],
    ["RPUSH", "both", "or neither"],
    ["EXEC"],
    ["SELECT", 0],
]


def files_of(run: dr.Run) -> dict[str, bytes]:
    return {path: bytes(file.cache) for path, file in run.playback.world.machines["n1"].disk.files.items()}


def put(files: Mapping[str, bytes], folder: Path) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def keys_of(server: object) -> dict[tuple[int, bytes], Key]:
    return keyspace_of(server.engine.entries())  # type: ignore[attr-defined]


def played(middle: str = "", **options: object) -> dr.Run:
    """A run with all of the commands, and something in the middle of them."""
    run = dr.Redis(**options).start(seed=6)
    for number, argv in enumerate(COMMANDS):
        if middle and number == 14:
            run.command(middle)
            run.play(run.now_ms + 50)
        run.command(*argv)
    return run


def our_keys(run: dr.Run) -> dict[tuple[int, bytes], Key]:
    return keys_of(run.playback.world.machines["n1"].process.node)  # type: ignore[union-attr]


# -- ours, loaded by real servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("middle", ["", "BGREWRITEAOF"])
@pytest.mark.parametrize("preamble", [True, False])
def test_real_servers_load_our_log(
    middle: str, preamble: bool, real_servers: list[ServerBinary], tmp_path: Path
) -> None:
    run = played(middle, appendonly=True, aof_use_rdb_preamble=preamble, aof_timestamp_enabled=preamble)
    readers = [binary for binary in real_servers if binary.version[0] >= 7]
    assert readers, "no real server with a log of several files is installed here"
    for binary in readers:
        folder = tmp_path / binary.name
        folder.mkdir()
        put(files_of(run), folder)
        with RealServer(binary, "--appendonly", "yes", directory=folder) as real:
            assert read_keyspace(real) == our_keys(run), binary
        for path in sorted(folder.glob("appendonlydir/*.manifest")):
            put(files_of(run), folder)
            assert check_file(binary, "aof", path)[0], binary


def test_a_real_server_of_the_old_layout_loads_the_log_as_one_file(
    real_servers: list[ServerBinary], tmp_path: Path
) -> None:
    """Redis 6.2 knows no manifest; the base of a log that was never rewritten is empty."""
    run = played(appendonly=True)
    single = files_of(run)["appendonlydir/appendonly.aof.1.incr.aof"]
    for binary in (binary for binary in real_servers if binary.version[0] < 7):
        (tmp_path / "appendonly.aof").write_bytes(single)
        with RealServer(binary, "--appendonly", "yes", directory=tmp_path) as real:
            theirs = read_keyspace(real)
        ours = our_keys(run)
        assert theirs.keys() == ours.keys()
        assert {name: key[:2] for name, key in theirs.items()} == {name: key[:2] for name, key in ours.items()}
        assert check_file(binary, "aof", tmp_path / "appendonly.aof")[0]


def test_real_servers_load_our_snapshot(real_servers: list[ServerBinary], tmp_path: Path) -> None:
    run = played()
    run.command("SAVE")
    for binary in (binary for binary in real_servers if binary.rdb_version >= 10):
        folder = tmp_path / binary.name
        folder.mkdir()
        put(files_of(run), folder)
        with RealServer(binary, directory=folder) as real:
            assert read_keyspace(real) == our_keys(run), binary
        assert check_file(binary, "rdb", folder / "dump.rdb")[0]


def test_a_real_server_cuts_the_same_torn_tail(real_servers: list[ServerBinary], tmp_path: Path) -> None:
    """The same bytes, after the same power loss: both find the same keys."""
    readers = [binary for binary in real_servers if binary.version[0] >= 7]
    for seed in range(6):
        run = dr.Redis(appendonly=True).start(seed=seed)
        run.write(100, every_ms=5)
        run.play(480)
        run.crash("n1", "power loss")
        for binary in readers:
            folder = tmp_path / f"{seed}{binary.name}"
            folder.mkdir()
            put(files_of(run), folder)
            with RealServer(binary, "--appendonly", "yes", directory=folder) as real:
                theirs = read_keyspace(real, databases=1)
            run.restart("n1")
            assert theirs == our_keys(run)
            run.crash("n1", "process kill")


# -- theirs, loaded by ours ------------------------------------------------------------------------------------------


def talk(real: RealServer) -> None:
    with real.connect() as client:
        for argv in COMMANDS:
            client.execute(*argv)


def test_we_load_the_logs_of_real_servers(real_server_binary: ServerBinary, tmp_path: Path) -> None:
    """Of 6.2 the single file, which our server moves into the new layout; of the others the directory."""
    with RealServer(real_server_binary, "--appendonly", "yes", directory=tmp_path) as real:
        talk(real)
        real.execute("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in real.exchange("INFO", "persistence"), "it is rewritten")
        real.execute("SET", "after the rewrite", "v")
        theirs = read_keyspace(real)
        exact = {name: key if real_server_binary.version[0] >= 7 else key[:2] for name, key in theirs.items()}
        real.stop()
    bench = Bench(disk_of(files_in(tmp_path)), appendonly=True)
    assert bench.exit is None, bench.exit
    ours = keys_of(bench.server)
    assert {name: key if real_server_binary.version[0] >= 7 else key[:2] for name, key in ours.items()} == exact
    bench.send("SET", "ours", "v")
    assert keys_of(bench.restarted(appendonly=True).server).keys() == {*ours, (0, b"ours")}


def test_we_load_the_snapshots_of_real_servers(real_server_binary: ServerBinary, tmp_path: Path) -> None:
    with RealServer(real_server_binary, directory=tmp_path) as real:
        talk(real)
        real.execute("SAVE")
        theirs = read_keyspace(real)
        real.stop()
    run = dr.Redis().start()
    disk = run.playback.world.machines["n1"].disk
    run.crash("n1", "process kill")
    for path, content in files_in(tmp_path).items():
        disk.append(path, content)
    disk.write_back()
    run.restart("n1")
    ours = our_keys(run)
    assert {name: key[:2] for name, key in ours.items()} == {name: key[:2] for name, key in theirs.items()}
    assert ours[0, b"brief"].expires_at_ms == LATER_MS > EPOCH_US // 1000
