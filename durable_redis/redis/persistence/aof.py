"""The append-only file: every change of the keyspace, in order, as the commands that make it.

Three places hold a change on its way, and each can be lost by another kind of crash:

    AOF buffer  -- write -->  page cache  -- fsync -->  platter
    (process)                 (kernel)                  (disk)

`appendfsync` says when the second arrow is taken: `always`, before the reply; `everysec`, once a second by a background
thread; `no`, whenever the kernel likes (about 30 s).

The write itself is not always at once.  A write(2) to a file whose fsync is in progress waits for it, and the server
would stand still.  So with `everysec` the write is *postponed* while an fsync runs, for up to two seconds; then it is
done all the same, and the server does stand still (aof.c `flushAppendOnlyFile`).  Meanwhile the change is in the AOF
buffer only: a killed process loses it, though its client was told OK.

With `always` an error ends the process: the reply has not been sent, the change cannot be taken back, and after a
failed fsync nobody knows what is on the platter.  With the other policies writes are refused until the disk is well
again.

A *position* in the log is (number of the incr file, bytes in it).
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import TYPE_CHECKING, Any

from durable_redis.contract import (
    Append,
    DiskError,
    Effect,
    Effects,
    Exit,
    Fork,
    Fsync,
    Kill,
    Note,
    Remove,
    Truncate,
    Write,
)
from durable_redis.formats.aof import Manifest, timestamp_annotation
from durable_redis.redis.persistence.files import FileEffects, replace

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

FSYNC_THREAD = "fsync"
POSTPONE_US = 2_000_000
"""How long a write may wait for an fsync in progress (aof.c)."""

Position = tuple[int, int]


class State(Enum):
    """Whether there is a log."""

    OFF = "off"
    WAITING = "waiting for its base"  # switched on at run time: the changes are kept, but nothing points to them yet
    ON = "on"


TRANSITIONS = {
    State.OFF: (State.WAITING, State.ON),
    State.WAITING: (State.ON, State.OFF),
    State.ON: (State.OFF,),
}


class AppendOnlyFile:
    """The log of one server: its buffer, the incr file that grows, and what has been fsynced."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.state = State.OFF
        self.manifest = Manifest.empty(server.config.appendfilename)  # as it is on the disk
        self.incr_number = 0  # of the file that grows
        self.selected_db: int | None = None  # the database that the last SELECT in it named
        self.buffer = bytearray()
        self.incr_size = 0  # written to the page cache
        self.synced_size = 0  # fsynced, as far as this process knows
        self.base_size = 0
        self.older_incrs_size = 0
        self.size_after_rewrite = 0
        self.write_error: DiskError | None = None  # of the last write(2), until one succeeds
        self.fsync_error: DiskError | None = None  # of the last fsync in the background, until one succeeds
        self.last_fsync_us = 0
        self.fsync_running = False
        self.delayed_fsyncs = 0  # writes that could be postponed no longer
        self._postponed_since_us: int | None = None
        self._timestamp_s = 0
        self._fsynced_offset = 0

    # -- where things are --------------------------------------------------------------------------------------------

    @property
    def directory(self) -> str:
        return self.server.config.appenddirname

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    @property
    def manifest_name(self) -> str:
        return f"{self.server.config.appendfilename}.manifest"

    @property
    def incr_path(self) -> str:
        """The file that grows."""
        return self.path(self.manifest.incr_name(self.incr_number))

    @property
    def logging(self) -> bool:
        """Whether changes go to the AOF buffer.  A log that waits for its base takes only what comes after the fork:
        what came before will be in the base (aof.c `feedAppendOnlyFile`)."""
        return self.state is State.ON or (self.state is State.WAITING and self.server.rewrite.running)

    @property
    def error(self) -> DiskError | None:
        """Why writes are refused."""
        return self.write_error or self.fsync_error

    @property
    def position(self) -> Position:
        """Up to here changes have been executed.  While nothing is logged: just behind what was."""
        if self.incr_number and not self.logging:
            return self.incr_number, self.incr_size + 1
        return self.incr_number, self.incr_size + len(self.buffer)

    @property
    def fsynced_offset(self) -> int:
        """Up to here the *stream* is on this server's platter: what WAITAOF counts.  Of a log without anything left to
        fsync that is the end of the stream, since what the stream has beside effects (PING) is in no log."""
        if self.state is not State.ON:
            return 0
        return self._fsynced_offset if self.buffer or self.synced_size != self.incr_size else self.server.offset

    @property
    def written_position(self) -> Position:
        """Up to here changes are in the page cache."""
        return self.incr_number, self.incr_size

    @property
    def current_size(self) -> int:
        """Bytes of all files of the log."""
        return self.base_size + self.older_incrs_size + self.incr_size

    def enter(self, state: State) -> None:
        assert state in TRANSITIONS[self.state], f"the log cannot go from {self.state.value} to {state.value}"
        self.state = state

    # -- buffer ------------------------------------------------------------------------------------------------------

    def feed(self, stream: bytes | bytearray, now: int) -> None:
        """Take the effects of a command that was just executed."""
        if not self.logging:
            return
        second = now // 1_000_000
        if self.server.config.aof_timestamp_enabled and second > self._timestamp_s:
            self._timestamp_s = second
            self.buffer += timestamp_annotation(second)
        self.buffer += stream

    # -- page cache and platter --------------------------------------------------------------------------------------

    def flush(self, now: int, force: bool = False) -> Generator[Effect, Any, bool]:
        """Write the buffer, and fsync as the policy says.  False: the process has ended, nothing may follow."""
        policy = self.server.config.appendfsync
        if not self.logging:
            return True
        if self.buffer:
            if policy == "everysec" and self.fsync_running and not force and self._postpone(now):
                return True
            error = yield Append(self.incr_path, bytes(self.buffer))
            self._postponed_since_us = None
            if error is not None:
                return (yield from self._write_failed(error))
            self.incr_size += len(self.buffer)
            self.buffer.clear()
            self.write_error = None
        if self.synced_size == self.incr_size or self._fsync_suspended():
            return True
        if policy == "always":
            return (yield from self._fsync_now())
        if policy == "everysec" and not self.fsync_running and now - self.last_fsync_us >= 1_000_000:
            yield from self._fsync_in_background(now)
        return True

    def _postpone(self, now: int) -> bool:
        """An fsync runs: wait with the write, but no longer than two seconds."""
        if self._postponed_since_us is None:
            self._postponed_since_us = now
            return True
        if now - self._postponed_since_us < POSTPONE_US:
            return True
        self.delayed_fsyncs += 1
        return False

    def _fsync_suspended(self) -> bool:
        """`no-appendfsync-on-rewrite`: while a child writes to the same disk, rely on the kernel."""
        return self.server.config.no_appendfsync_on_rewrite and self.server.child is not None

    def _fsync_now(self) -> Generator[Effect, Any, bool]:
        """`always`: the reply waits for this."""
        error = yield Fsync(self.incr_path)
        if error is not None:
            yield Exit(1, f"cannot fsync the append-only file, and appendfsync is always: {error}")
            return False
        self.synced_size, self._fsynced_offset = self.incr_size, self.server.offset
        return True

    def _fsync_in_background(self, now: int) -> Effects:
        """`everysec`: nobody waits for this."""
        self.fsync_running = True
        self.last_fsync_us = now
        yield Fork(FSYNC_THREAD, self._fsync_thread(self.incr_path, self.written_position, self.server.offset))

    def _fsync_thread(
        self, path: str, position: Position, offset: int
    ) -> Generator[Effect, Any, tuple[Position, int, DiskError | None]]:
        error = yield Fsync(path)
        return position, offset, error

    def fsync_ended(self, result: tuple[Position, int, DiskError | None]) -> None:
        """The background thread is done: note how far, or why not."""
        (incr_number, size), offset, error = result
        self.fsync_running = False
        self.fsync_error = error
        if error is None and incr_number == self.incr_number:
            self.synced_size = max(self.synced_size, size)
            self._fsynced_offset = max(self._fsynced_offset, offset)

    def _write_failed(self, error: DiskError) -> Generator[Effect, Any, bool]:
        if self.server.config.appendfsync == "always":
            yield Exit(1, f"cannot write the append-only file, and appendfsync is always: {error}")
            return False
        if self.write_error is None:
            yield Note("cannot write the log", {"error": str(error)})
        self.write_error = error  # the buffer keeps what it has: the next flush tries again
        return True

    # -- files -------------------------------------------------------------------------------------------------------

    def persist_manifest(self, manifest: Manifest) -> FileEffects:
        """Let the directory say which files are the log.  Atomic: the old list, or the new one."""
        name = self.manifest_name
        error = yield from replace(self.path(name), self.path(f"temp-{name}"), [manifest.format().encode()])
        if error is None:
            self.manifest = manifest
        return error

    def create_incr(self, number: int) -> FileEffects:
        """Create an empty incr file.  Nothing points to it before the manifest does.

        A file of that number may be there, left by a log that was never finished.  It is removed and not emptied: what
        is on the platter under its name must not come back after a power loss."""
        path = self.path(self.manifest.incr_name(number))
        yield Remove(path)
        error: DiskError | None = yield Write(path, b"")
        return error

    def go_on_in(self, number: int) -> None:
        """From now on changes go to this incr file, which has been created."""
        self.older_incrs_size += self.incr_size
        self.incr_number, self.incr_size, self.synced_size, self._fsynced_offset = number, 0, 0, 0
        self.selected_db = None  # every file starts with a SELECT of its own

    def cut(self, path: str, size: int) -> Effects:
        """Drop the torn tail of a file before writing behind it."""
        yield Truncate(path, size)
        yield Note("truncated", {"path": path, "size": size})

    def switch_off(self, now: int) -> Effects:
        """CONFIG SET appendonly no: write and fsync what there is, then stop logging (aof.c `stopAppendOnly`)."""
        if self.state is State.ON:
            if not (yield from self.flush(now, force=True)):
                return
            yield Fsync(self.incr_path)
        yield Kill(FSYNC_THREAD)
        yield from self.server.rewrite.kill_child()
        self.server.rewrite.scheduled = False
        self.enter(State.OFF)
        self.buffer.clear()
        self.fsync_running = False
