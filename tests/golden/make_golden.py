"""Make the golden RDB files again: `python tests/golden/make_golden.py`, with all four real servers installed.

Each server gets the same keys, saves them, and is asked what it holds: `rdb_<server>.rdb` and `rdb_<server>.json`.  The
limits between small and large encodings are turned down first, so that a few kilobytes hold both.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parents[1])]

from realserver import RealServer, ServerBinary, find_server_binaries  # noqa: E402
from recorded import description, read_keyspace  # noqa: E402

FAR_FUTURE_MS = 4_102_444_800_000  # 2100-01-01, a whole second: 6.2 can only be asked for the time left

Command = list[bytes | str | int | float]

LARGE: list[Command] = [
    *(["CONFIG", "SET", f"{kind}-max-ziplist-entries", 4] for kind in ("hash", "zset")),
    ["CONFIG", "SET", "set-max-intset-entries", 4],
    ["CONFIG", "SET", "list-max-ziplist-size", 2],
    ["RPUSH", "list:large", "a", "b", "c" * 100, "d", 7],
    ["SADD", "set:large numbers", *range(6)],
    ["HSET", "hash:large", *(word for n in range(6) for word in (f"field {n}", n * 1000))],
    ["ZADD", "zset:large", *(word for n in range(6) for word in (n / 8 - 0.25, f"member {n}"))],
    ["ZADD", "zset:large", "inf", "above", "-inf", "below"],
    *(["CONFIG", "SET", f"{kind}-max-ziplist-entries", 128] for kind in ("hash", "zset")),
    ["CONFIG", "SET", "set-max-intset-entries", 512],
    ["CONFIG", "SET", "list-max-ziplist-size", -2],
]

SMALL: list[Command] = [
    ["MSET", "string:plain", "hello", "string:empty", "", "string:not a number", "007", "string:float", "3.25"],
    ["MSET", "string:int8", -128, "string:int16", -129, "string:int32", 70_000, "string:int64", 5_000_000_000],
    ["MSET", "string:compressed", "abc" * 200, "string:14 bits", bytes(range(256)), b"key \x00\xff", b"\x80\r\n"],
    ["RPUSH", "list:small", "a", "", 0, 12, 127, 128, -1, -4096, 4095, 4096, 32_767, -32_769, 8_388_607, 8_388_608],
    ["RPUSH", "list:small", 2_147_483_648, -9_223_372_036_854_775_808, "x" * 63, "y" * 64, "z" * 300, "w" * 5000],
    ["SADD", "set:16 bits", 1, 2, -5],
    ["SADD", "set:32 bits", 1, 70_000],
    ["SADD", "set:64 bits", 1, 5_000_000_000],
    ["SADD", "set:words", "one", "two", 3],
    ["HSET", "hash:small", "name", "value", "number", -300, "long", "v" * 64, "", ""],
    ["ZADD", "zset:small", 1, "one", 0.1, "tenth", "inf", "above", "-inf", "below", 1e300, "huge", -3, "negative"],
    ["SET", "string:expires", "v", "PXAT", FAR_FUTURE_MS],
    ["HSET", "hash:expires", "f", "v"],
    ["PEXPIREAT", "hash:expires", FAR_FUTURE_MS + 1000],
]

STREAM: list[Command] = [
    ["XADD", "stream:s", "1-1", "field", "value"],
    ["XADD", "stream:s", "2-1", "field", "value", "other", 7],
    ["XGROUP", "CREATE", "stream:s", "group", 0],
    ["XREADGROUP", "GROUP", "group", "consumer", "COUNT", 1, "STREAMS", "stream:s", ">"],
    ["XDEL", "stream:s", "2-1"],
]

OTHER_DATABASES: list[Command] = [
    ["SELECT", 3],
    ["SET", "string:plain", "in database 3"],
    ["SELECT", 9],
    ["RPUSH", "list:nine", "nine"],
    ["SELECT", 0],
]

FUNCTION = "#!lua name=library\nredis.register_function('f', function() return 1 end)\n"


def commands_for(binary: ServerBinary) -> list[Command]:
    commands = LARGE + SMALL + STREAM + OTHER_DATABASES
    if binary.rdb_version == 9:  # SET ... PXAT came with 6.2; FUNCTION later
        return commands
    commands = [*commands, ["FUNCTION", "LOAD", FUNCTION]]
    if binary.rdb_version == 80:
        commands += [
            ["HSET", "hash:fields expire", "stays", "v", "goes", "w"],
            ["HPEXPIREAT", "hash:fields expire", FAR_FUTURE_MS, "FIELDS", 1, "goes"],
        ]
    return commands


def make(binary: ServerBinary) -> None:
    name = f"rdb_{binary.name}"
    with RealServer(binary, "--dbfilename", f"{name}.rdb") as server:
        for command in commands_for(binary):
            reply = server.exchange(*command)
            assert not reply.startswith(b"-"), (command, reply)
        assert server.exchange("SAVE") == b"+OK\r\n"
        content = (server.directory / f"{name}.rdb").read_bytes()
        (FOLDER / f"{name}.rdb").write_bytes(content)
        version = int(content[:9].lstrip(b"REDISVALKEY"))
        text = json.dumps(description(version, read_keyspace(server)), indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n")
        print(f"{name}.rdb: {len(content)} bytes of version {version}")


if __name__ == "__main__":
    for found in find_server_binaries():
        make(found)
