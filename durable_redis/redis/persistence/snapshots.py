"""Snapshots: the whole keyspace in one RDB file, now and then.

A snapshot is cheap to load and always out of date: what was written after the fork is not in it.

BGSAVE, step by step (rdb.c `rdbSaveBackground`, `rdbSave`):

1. remember how many changes there are, and fork: the parent stops for as long as copying the page table takes;
2. the child writes the keyspace as it was at the fork to a temporary file, and fsyncs it;
3. the child renames it over the old snapshot, and syncs the directory;
4. the parent hears of the child's end, and takes the changes counted in step 1 off its count: what was written during
   the save still counts for the next one.

A crash in steps 1 or 2 leaves the old snapshot, in step 3 the old or the new, whole.

A *save point* (seconds, changes) asks for a BGSAVE when at least so many changes have come since a save that is at
least so many seconds old.  A save that failed is not tried again for 5 seconds; until one succeeds, writes are refused
(`stop-writes-on-bgsave-error`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Compute, DiskError, Effect, Effects, Fork, Kill, Note, Remove
from durable_redis.formats.rdb import Entry, encode_chunks
from durable_redis.redis.persistence.files import FileEffects, replace
from durable_redis.redis.replication import facts

if TYPE_CHECKING:
    from durable_redis.engine.keyspace import Snapshot
    from durable_redis.redis.server import RedisServer

CHILD = "bgsave"
RETRY_DELAY_US = 5_000_000
"""rdb.c, server.h CONFIG_BGSAVE_RETRY_DELAY."""


class Snapshots:
    """The snapshots of one server: when they are taken, how, and how the last one went."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.last_save_us = 0
        self.last_try_us = 0
        self.last_ok = True
        self.scheduled = False  # BGSAVE SCHEDULE: as soon as no other child runs
        self.started_us = 0
        self.last_duration_us = -1
        self.last_copied_bytes = 0
        self.saves = 0
        self._forked: Snapshot | None = None
        self._dirty_at_fork = 0
        self._temporary_files = 0

    @property
    def running(self) -> bool:
        return self._forked is not None

    @property
    def copied_bytes(self) -> int:
        """Memory that copy-on-write has cost since the fork."""
        return self._forked.copied_bytes if self._forked is not None else 0

    # -- saving ------------------------------------------------------------------------------------------------------

    def save(self, now: int) -> FileEffects:
        """SAVE: write the snapshot in the foreground.  Nobody is served meanwhile.

        Whoever asked for it hears of a failure at once, so that it does not count as a failed BGSAVE."""
        dirty = self.server.engine.dirty
        error = yield from self._write(self.server.engine.entries(), facts.of_snapshot(self.server))
        yield Note("saved", {"child": "", "error": str(error or "")})
        if error is None:
            self._saved(dirty, now)
        return error

    def start(self, now: int) -> Effects:
        """BGSAVE: fork, and let the child write."""
        engine = self.server.engine
        assert self.server.child is None, f"a child is running already: {self.server.child}"
        # 1. Remember the changes, and fork.
        self.server.child = CHILD
        self.scheduled = False
        self.started_us = self.last_try_us = now
        self._dirty_at_fork = engine.dirty
        yield Compute("fork", engine.keyspace.used_memory)
        self._forked = engine.keyspace.fork()
        yield Note("forked", {"child": CHILD})
        # 2. and 3. are the child's.
        yield Fork(CHILD, self._child(self._forked, facts.of_snapshot(self.server)))

    def _child(self, snapshot: Snapshot, aux: dict[str, bytes]) -> Generator[Effect, Any, DiskError | None]:
        error = yield from self._write(snapshot.entries(), aux)
        yield Note("saved", {"child": CHILD, "error": str(error or "")})
        return error

    def _write(self, entries: Iterable[Entry], aux: dict[str, bytes]) -> FileEffects:
        self._temporary_files += 1
        return replace(
            self.server.config.dbfilename,
            f"temp-{self._temporary_files}.rdb",
            encode_chunks(entries, aux),
        )

    def child_ended(self, error: DiskError | None, now: int) -> None:
        # 4. The parent hears of the end.
        assert self._forked is not None
        self.last_copied_bytes = self._forked.copied_bytes
        self.last_duration_us = now - self.started_us
        self.server.engine.keyspace.release(self._forked)
        self._forked = None
        self.server.child = None
        if error is None:
            self._saved(self._dirty_at_fork, now)
        else:
            self.last_ok = False

    def _saved(self, changes: int, now: int) -> None:
        self.server.engine.dirty -= changes
        self.last_save_us = now
        self.last_ok = True
        self.saves += 1

    def kill_child(self, now: int) -> Effects:
        """Stop a BGSAVE in progress: its snapshot is not wanted any more (FLUSHALL, SHUTDOWN)."""
        if self._forked is None:
            return
        yield Kill(CHILD)
        yield Remove(f"temp-{self._temporary_files}.rdb")
        self.server.engine.keyspace.release(self._forked)
        self._forked = None
        self.server.child = None
        yield from self.server.primary.sync.saved("its child was killed", now)

    # -- when --------------------------------------------------------------------------------------------------------

    def cron(self, now: int) -> Effects:
        """Start the BGSAVE that was scheduled, or that a save point asks for."""
        if self.server.child is None and (self.scheduled or self._save_point_reached(now)):
            yield from self.start(now)

    def _save_point_reached(self, now: int) -> bool:
        if not self.last_ok and now - self.last_try_us <= RETRY_DELAY_US:
            return False
        dirty = self.server.engine.dirty
        return any(
            dirty >= changes and now - self.last_save_us > seconds * 1_000_000
            for seconds, changes in self.server.config.save
        )
