"""Files recorded from real servers, and what those servers said is in them.

The law of this file: expectations are made by a server's own answers, never by the code under test.  A description is
JSON: {"version": 10, "keys": [{"db", "key", "type", "value", "expires_at_ms"}]}; bytes that are not printable ASCII are
{"hex": "..."}; sets and hashes are sorted; a stream's value is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from realserver import Client, RealServer

from durable_redis.formats.rdb import Entry, Opaque

GOLDEN = Path(__file__).parent / "golden"


class Key(NamedTuple):
    """A key as a server describes it.  Sets and hashes are sorted; a stream's value is None."""

    kind: str
    value: Any
    expires_at_ms: int | None


def read_keyspace(server: RealServer, databases: int = 16) -> dict[tuple[int, bytes], Key]:
    """Every key of a server by (database, name), asked with ordinary commands."""
    found = {}
    with server.connect() as client:
        for db in range(databases):
            client.execute("SELECT", db)
            for key in sorted(client.execute("KEYS", "*")):
                found[db, key] = _read_key(client, key)
    return found


def _read_key(client: Client, key: bytes) -> Key:
    kind = client.execute("TYPE", key).text.decode()
    value: Any = None
    if kind == "string":
        value = client.execute("GET", key)
    elif kind == "list":
        value = client.execute("LRANGE", key, 0, -1)
    elif kind == "set":
        value = sorted(client.execute("SMEMBERS", key))
    elif kind == "hash":
        flat = client.execute("HGETALL", key)
        value = sorted(zip(flat[::2], flat[1::2], strict=True))
    elif kind == "zset":
        flat = client.execute("ZRANGE", key, 0, -1, "WITHSCORES")
        value = [(member, float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]
    expires_at_ms = client.execute("PEXPIRETIME", key)
    if not isinstance(expires_at_ms, int):  # 6.2 does not have it: to the nearest second, then
        left_ms = client.execute("PTTL", key)
        seconds, microseconds = client.execute("TIME")
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        expires_at_ms = round((now_ms + left_ms) / 1000) * 1000 if left_ms >= 0 else -1
    return Key(kind, value, None if expires_at_ms < 0 else expires_at_ms)


def printable(data: bytes) -> str | dict[str, str]:
    """Bytes as JSON can hold them."""
    return data.decode("ascii") if all(0x20 <= byte < 0x7F for byte in data) else {"hex": data.hex()}


def unprintable(text: str | dict[str, str]) -> bytes:
    """The inverse of `printable`."""
    return text.encode("ascii") if isinstance(text, str) else bytes.fromhex(text["hex"])


def to_json(value: Any) -> Any:
    """A value of `Key`, as JSON can hold it; infinite scores are "inf" and "-inf"."""
    if isinstance(value, bytes):
        return printable(value)
    if isinstance(value, float):
        return value if abs(value) != float("inf") else str(value)
    return [to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def from_json(kind: str, value: Any) -> Any:
    """The inverse of `to_json`, for a value of this kind."""
    if kind == "string":
        return unprintable(value)
    if kind in ("list", "set"):
        return [unprintable(item) for item in value]
    if kind == "hash":
        return [(unprintable(field), unprintable(item)) for field, item in value]
    return [(unprintable(member), float(score)) for member, score in value] if kind == "zset" else None


def description(version: int, keys: dict[tuple[int, bytes], Key]) -> dict[str, Any]:
    return {
        "version": version,
        "keys": [
            {
                "db": db,
                "key": printable(name),
                "type": key.kind,
                "value": to_json(key.value),
                "expires_at_ms": key.expires_at_ms,
            }
            for (db, name), key in sorted(keys.items())
        ],
    }


def load_description(path: Path) -> dict[tuple[int, bytes], Key]:
    rows = json.loads(path.read_text())["keys"]
    return {
        (row["db"], unprintable(row["key"])): Key(
            row["type"], from_json(row["type"], row["value"]), row["expires_at_ms"]
        )
        for row in rows
    }


def keyspace_of(entries: Iterable[Entry]) -> dict[tuple[int, bytes], Key]:
    """What `decode` found, in the shape of `read_keyspace`."""
    found = {}
    for entry in entries:
        value = entry.value
        if isinstance(value, Opaque):
            value = None
        elif entry.kind in ("set", "hash"):
            value = sorted(value)
        elif entry.kind == "zset":
            value = sorted(value, key=lambda pair: (pair[1], pair[0]))
        assert (entry.db, entry.key) not in found
        found[entry.db, entry.key] = Key(entry.kind, value, entry.expires_at_ms)
    return found
