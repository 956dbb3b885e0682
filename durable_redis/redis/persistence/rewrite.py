"""Rewriting the log: a log that only grows is replaced by a shorter one that says the same, and is never incomplete.

Since Redis 7 the log is several files: one *base* (the keyspace at some instant) and *incr* files (what came after),
and a *manifest* that names them.  BGREWRITEAOF, step by step (aof.c `rewriteAppendOnlyFileBackground`):

1. write the AOF buffer and fsync it: the log so far is complete, and durable;
2. open a new incr file, and name it in the manifest behind the old ones: from now on changes go there;
3. fork; the child writes the keyspace as it was at the fork to a temporary file, and fsyncs it;
4. rename that file to be the new base;
5. replace the manifest: the new base and the new incr file are the log now, the files before them are history;
6. delete the history files, and strike them off the manifest.

Only step 5 changes what a restart would load, and it is one rename.  Before it, old base + old incr files + new incr
file are complete; after it, new base + new incr file are.  If the child fails, nothing is lost: the log merely has one
more file.

In step 1 the model is stricter than Redis, which leaves that fsync to a background thread and goes on.  A power loss in
between may tear the old incr file although a newer one stands behind it in the manifest, and then Redis refuses to
start: a torn tail is forgiven in the last file only.

CONFIG SET appendonly yes goes the same way, except that the manifest does not name the new incr file before step 5:
until there is a base, there is no log.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Compute, DiskError, Effect, Effects, Fork, Fsync, Kill, Note, Remove, Rename
from durable_redis.formats.aof import encode_record
from durable_redis.formats.rdb import Entry, encode_chunks
from durable_redis.formats.resp import format_double
from durable_redis.redis.persistence.aof import State
from durable_redis.redis.persistence.files import write_whole
from durable_redis.redis.replication import facts

if TYPE_CHECKING:
    from durable_redis.engine.keyspace import Snapshot
    from durable_redis.redis.server import RedisServer

CHILD = "rewrite"
TEMPORARY = "temp-rewriteaof-bg.aof"
ITEMS_PER_COMMAND = 64
"""A long list becomes several RPUSH, of so many elements (server.h AOF_REWRITE_ITEMS_PER_CMD)."""
FAILURES_BEFORE_DELAY = 3
LONGEST_DELAY_MINUTES = 60
COMMAND_OF_KIND = {"string": b"SET", "list": b"RPUSH", "set": b"SADD", "hash": b"HSET", "zset": b"ZADD"}
"""The command that makes a value of each kind."""


class Rewrite:
    """The rewriting of one server's log: when, how, and how the last one went."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.scheduled = False
        self.last_ok = True
        self.failures = 0  # in a row
        self.started_us = 0
        self.last_duration_us = -1
        self.last_copied_bytes = 0
        self.rewrites = 0
        self._forked: Snapshot | None = None
        self._kind = "rdb"  # of the base that the child writes

    @property
    def running(self) -> bool:
        return self._forked is not None

    # -- steps 1 to 3 ------------------------------------------------------------------------------------------------

    def start(self, now: int) -> Effects:
        """BGREWRITEAOF."""
        aof = self.server.aof
        assert self.server.child is None, f"a child is running already: {self.server.child}"
        self.scheduled = False
        self.started_us = now
        if aof.state is State.ON:
            # 1. The log so far is complete, and durable ...
            if not (yield from aof.flush(now, force=True)):
                return
            aof.fsync_error = yield Fsync(aof.incr_path)
            # 2. ... and goes on in a new file.
            if aof.error or (yield from self._open_next_incr()):
                self._failed()
                return
        # 3. Fork.
        self.server.child = CHILD
        keyspace = self.server.engine.keyspace
        yield Compute("fork", keyspace.used_memory)
        self._forked = keyspace.fork()
        yield Note("forked", {"child": CHILD})
        # What no command can make (a stream, a module's value) only an RDB base can hold.
        opaque = any(entry.kind not in COMMAND_OF_KIND for entry in self._forked.entries())
        self._kind = "rdb" if opaque or self.server.config.aof_use_rdb_preamble else "aof"
        yield Fork(CHILD, self._child(self._forked, self._kind, facts.of_log(self.server)))

    def _open_next_incr(self) -> Generator[Effect, Any, DiskError | None]:
        """Both or neither: while the manifest does not name the new file, the log goes on in the old one."""
        aof = self.server.aof
        number = aof.manifest.next_incr_number
        error = yield from aof.create_incr(number)
        error = error or (yield from aof.persist_manifest(aof.manifest.with_incr(number)))
        if error is None:
            aof.go_on_in(number)
        return error

    def switch_on(self, now: int) -> Effects:
        """CONFIG SET appendonly yes: get a base, and keep the changes that come after it.

        A rewrite that runs already is of no use: the changes since its fork are in no log."""
        aof = self.server.aof
        aof.enter(State.WAITING)
        aof.last_fsync_us = now
        aof.write_error = aof.fsync_error = None
        yield from self.kill_child()
        if self.server.child is not None:
            self.scheduled = True
            return
        yield from self._start_waiting(now)

    def begin(self, now: int) -> Effects:
        """A rewrite; of a log that waits for its base, the first."""
        yield from (self._start_waiting if self.server.aof.state is State.WAITING else self.start)(now)

    def _start_waiting(self, now: int) -> Effects:
        aof = self.server.aof
        aof.buffer.clear()  # what was executed before the fork will be in the base
        number = aof.manifest.next_incr_number
        self.started_us = now
        if (yield from aof.create_incr(number)) is not None:
            self._failed()
            return
        aof.go_on_in(number)
        yield from self.start(now)

    def _child(
        self, snapshot: Snapshot, kind: str, aux: dict[str, bytes]
    ) -> Generator[Effect, Any, tuple[int, DiskError | None]]:
        """Write the base; returns its size in bytes, or the error that stopped it."""
        entries = snapshot.entries()
        chunks = encode_chunks(entries, aux) if kind == "rdb" else commands_of(entries)
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                size += len(chunk)
                yield chunk

        error = yield from write_whole(TEMPORARY, counted())
        return size, error

    # -- steps 4 to 6 ------------------------------------------------------------------------------------------------

    def child_ended(self, result: tuple[int, DiskError | None], now: int) -> Effects:
        size, error = result
        aof = self.server.aof
        assert self._forked is not None
        self.last_copied_bytes = self._forked.copied_bytes
        self.last_duration_us = now - self.started_us
        self._release()
        if error is None:
            error = yield from self._install(size)
        if error is not None:
            self._failed()
            return
        self.last_ok = True
        self.failures = 0
        self.rewrites += 1
        if aof.state is State.WAITING:
            aof.enter(State.ON)
        yield Note("rewritten", {"base": aof.base_size, "incr": aof.incr_number})

    def _install(self, size: int) -> Generator[Effect, Any, DiskError | None]:
        aof = self.server.aof
        # 4. The new base gets its name ...
        if aof.state is State.OFF:  # nothing comes after the base
            manifest = replace(aof.manifest.rewritten(self._kind, aof.manifest.next_incr_number), incrs=())
        else:
            manifest = aof.manifest.rewritten(self._kind, aof.incr_number)
        assert manifest.base is not None
        error: DiskError | None = yield Rename(TEMPORARY, aof.path(manifest.base.name))
        # 5. ... and becomes the log, with the incr file opened in step 2.
        if error is None:
            error = yield from aof.persist_manifest(manifest)
        if error is not None:
            return error
        aof.base_size, aof.older_incrs_size = size, 0
        aof.size_after_rewrite = aof.current_size
        # 6. What is history now is deleted.
        for entry in manifest.history:
            yield Remove(aof.path(entry.name))
        yield from aof.persist_manifest(manifest.without_history())
        return None

    def _failed(self) -> None:
        """The old files are still the log.  Whoever still wants a new one tries again, but ever more rarely."""
        self.last_ok = False
        self.failures += 1

    def _release(self) -> None:
        assert self._forked is not None
        self.server.engine.keyspace.release(self._forked)
        self._forked = None
        self.server.child = None

    def kill_child(self) -> Effects:
        """Stop a rewrite in progress."""
        if self._forked is not None:
            yield Kill(CHILD)
            yield Remove(TEMPORARY)
            self._release()

    # -- when --------------------------------------------------------------------------------------------------------

    def cron(self, now: int) -> Effects:
        """Start the rewrite that was scheduled, or that the log's growth asks for."""
        if self.server.child is not None:
            return
        wanted = self.server.aof.state is State.WAITING or self._grown()
        if self.scheduled or (wanted and self._delay_over(now)):
            yield from self.begin(now)

    def _grown(self) -> bool:
        aof, config = self.server.aof, self.server.config
        percentage = config.auto_aof_rewrite_percentage
        if aof.state is not State.ON or not percentage or aof.current_size <= config.auto_aof_rewrite_min_size:
            return False
        base = aof.size_after_rewrite or 1
        return aof.current_size * 100 // base - 100 >= percentage

    def _delay_over(self, now: int) -> bool:
        """After three failures in a row wait 1, 2, 4 ... up to 60 minutes (aof.c `aofRewriteLimited`)."""
        if self.failures < FAILURES_BEFORE_DELAY:
            return True
        minutes = min(1 << (self.failures - FAILURES_BEFORE_DELAY), LONGEST_DELAY_MINUTES)
        return now - self.started_us >= minutes * 60_000_000


def commands_of(entries: Iterator[Entry]) -> Iterator[bytes]:
    """The shortest log that makes these keys: one chunk of records a key (`aof-use-rdb-preamble no`)."""
    selected = None
    for entry in entries:
        chunk = b""
        if entry.db != selected:
            selected = entry.db
            chunk += encode_record([b"SELECT", b"%d" % entry.db])
        for argv in _commands_of_value(entry):
            chunk += encode_record(argv)
        if entry.expires_at_ms is not None:
            chunk += encode_record([b"PEXPIREAT", entry.key, b"%d" % entry.expires_at_ms])
        yield chunk


def _commands_of_value(entry: Entry) -> Iterator[list[bytes]]:
    name = COMMAND_OF_KIND[entry.kind]
    match entry.kind:
        case "string":
            words = [entry.value]
        case "hash":
            words = [word for pair in entry.value for word in pair]
        case "zset":
            words = [word for member, score in entry.value for word in (format_double(score), member)]
        case _:
            words = entry.value
    width = ITEMS_PER_COMMAND * (2 if entry.kind in ("hash", "zset") else 1)
    for start in range(0, len(words), width):
        yield [name, entry.key, *words[start : start + width]]
