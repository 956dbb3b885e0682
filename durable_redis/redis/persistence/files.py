"""The one safe way to make a file appear whole: write it under another name, fsync it, rename it, fsync the directory.

Each step has its reason.  Written in place, a crash would leave half a file under the good name.  Renamed before the
fsync, the name could be durable and the content not.  Without the last step, the old file may come back.
Every file that Redis replaces goes this way: the RDB (rdb.c `rdbSave`), the base of a rewritten log, and the manifest
(aof.c `persistAofManifest`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from durable_redis.contract import (
    Append,
    Compute,
    DiskError,
    Effect,
    Fsync,
    Remove,
    Rename,
    SyncDirectory,
    Write,
)

FileEffects = Generator[Effect, Any, DiskError | None]
"""Effects that end in None, or in the error that stopped them."""


def write_whole(path: str, chunks: Iterable[bytes]) -> FileEffects:
    """Write a new file and fsync it; a failure removes it.  Making each chunk costs processor time."""
    error: DiskError | None = yield Write(path, b"")
    for chunk in chunks:
        if error:
            break
        yield Compute("serialize", len(chunk))
        error = yield Append(path, chunk)
    error = error or (yield Fsync(path))
    if error:
        yield Remove(path)
    return error


def put_in_place(temporary: str, path: str) -> FileEffects:
    """Give a finished file its real name, durably."""
    error: DiskError | None = yield Rename(temporary, path)
    return error or (yield SyncDirectory(path.rpartition("/")[0]))


def replace(path: str, temporary: str, chunks: Iterable[bytes]) -> FileEffects:
    """All four steps.  Whatever happens at whatever instant, `path` holds the old content or the new, whole."""
    error = yield from write_whole(temporary, chunks)
    return error or (yield from put_in_place(temporary, path))
