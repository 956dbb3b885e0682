"""Make the golden append-only directories beside this file: what `durable_redis.formats` writes, kept to be compared.

    python tests/golden/make_golden_aof.py            write them again, after a change of the format that was meant

`tests/formats/test_aof.py` makes them anew in memory and compares every byte, and lets real servers load them.
"""

from __future__ import annotations

import json
from pathlib import Path

from durable_redis.formats import rdb
from durable_redis.formats.aof import Manifest, encode_record, timestamp_annotation

HERE = Path(__file__).parent
FAR_FUTURE_MS = 4_102_444_800_001  # 2100-01-01 and a millisecond

ENTRIES = [
    rdb.Entry(0, b"list", "list", [b"a", b"b", b"c"], None),
    rdb.Entry(0, b"string", "string", b"from the base", None),
    rdb.Entry(0, b"zset", "zset", [(b"m", 1.5)], FAR_FUTURE_MS),
    rdb.Entry(3, b"string", "string", b"\x00\xff\r\n", None),
]
FIRST = [
    [b"SELECT", b"0"],
    [b"SET", b"string", b"from the first increment"],
    [b"RPUSH", b"list", b"*3\r\n$3\r\nDEL\r\n"],
    [b"HSET", b"hash", b"field", b""],
]
SECOND = [
    [b"SELECT", b"3"],
    [b"MULTI"],
    [b"SET", b"in", b"a transaction"],
    [b"PEXPIREAT", b"in", b"%d" % FAR_FUTURE_MS],
    [b"EXEC"],
    [b"DEL", b"string"],
]


def directories() -> dict[str, dict[str, bytes]]:
    """Every golden directory: the names of its files, and their bytes."""
    once = Manifest.empty().rewritten("rdb", 1)
    twice = once.with_incr(2).rewritten("aof", 2).with_incr(3)
    first = b"".join(encode_record(argv) for argv in FIRST)
    second = b"".join(encode_record(argv) for argv in SECOND)
    base = rdb.encode(ENTRIES, {"redis-ver": b"7.0.15", "aof-base": b"1"})
    return {
        "aof-rdb-base": {
            "appendonly.aof.manifest": once.with_incr(2).format().encode(),
            "appendonly.aof.1.base.rdb": base,
            "appendonly.aof.1.incr.aof": timestamp_annotation(1_637_280_000) + first,
            "appendonly.aof.2.incr.aof": second,
        },
        "aof-resp-base": {
            "appendonly.aof.manifest": twice.without_history().format().encode(),
            "appendonly.aof.2.base.aof": encode_record([b"SELECT", b"0"]) + encode_record([b"SET", b"a", b"1"]),
            "appendonly.aof.2.incr.aof": first,
            "appendonly.aof.3.incr.aof": second,
        },
    }


EXPECTED = {
    "aof-rdb-base": {
        "0": {
            "string": "from the first increment",
            "list": ["a", "b", "c", "*3\r\n$3\r\nDEL\r\n"],
            "zset": [["m", 1.5]],
            "hash": {"field": ""},
        },
        "3": {"in": "a transaction"},
    },
    "aof-resp-base": {
        "0": {"a": "1", "string": "from the first increment", "list": ["*3\r\n$3\r\nDEL\r\n"], "hash": {"field": ""}},
        "3": {"in": "a transaction"},
    },
}


def main() -> None:
    for directory, files in directories().items():
        folder = HERE / directory / "appendonlydir"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        expected = json.dumps(EXPECTED[directory], indent=1, sort_keys=True) + "\n"
        (folder.parent / "expected.json").write_text(expected)
        print(f"{directory}: {len(files)} files, {sum(map(len, files.values()))} bytes")


if __name__ == "__main__":
    main()
