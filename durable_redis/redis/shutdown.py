"""A clean end: SHUTDOWN, step by step (server.c `prepareForShutdown`).

1. kill the child that is saving or rewriting: its file would come too late (but not the one that makes the first base
   of a log just switched on: without it there is no log);
2. write and fsync what is in the AOF buffer; Redis only logs an error here, and so do we;
3. with save points, save a snapshot;
4. exit.

This is why a clean restart of a server without any log loses nothing, and a crash of the same server does.
A snapshot that cannot be written stops the shutdown (unless FORCE): better a server that runs than data that is gone.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Effect, Exit, Fsync, Note
from durable_redis.redis.persistence.aof import State

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer


def shut_down(server: RedisServer, save: bool, force: bool, now: int) -> Generator[Effect, Any, str | None]:
    """End the process, or return why not."""
    # 1. Kill the child.
    yield from server.snapshots.kill_child()
    if server.rewrite.running and server.aof.state is State.WAITING and not force:
        return "the first base of the log is not written yet"
    yield from server.rewrite.kill_child()
    # 2. The log.
    if server.aof.logging:
        if not (yield from server.aof.flush(now, force=True)):
            return None
        error = yield Fsync(server.aof.incr_path)
        if error is not None:
            yield Note("cannot fsync the log", {"error": str(error)})
    # 3. The snapshot.
    if save:
        error = yield from server.snapshots.save(now)
        if error is not None and not force:
            return str(error)
    # 4. The end.
    yield Exit(0, "SHUTDOWN")
    return None
