"""One disk: a page cache above a platter.

The fault model, in five lines.  A *process kill* takes nothing: the page cache belongs to the kernel.  A *power loss*
takes the page cache: the platter survives, and of every unsynced tail (and of the unsynced changes of names) a prefix
chosen by the seed, which may end in the middle of a record.  A *disk loss* takes everything.  A *disk error* fails a
write, or an fsync, and after a failed fsync the kernel forgets that those pages were dirty: the next fsync says "done"
and they never reach the platter (Linux; "fsyncgate", 2018).  *Bit rot* turns one bit over, and tells nobody; a disk
that *spoils* does so to everything that is written.

What moves bytes to the platter: `fsync` (the file's content), the sync of a directory (its names: a journalling file
system commits every earlier change of names with it), and the kernel's own write-back, at most 30 s after something
became dirty.  A file's content and its name are durable separately: what was fsynced under a name that was not is lost.

The disk knows no time.  The world says when an fsync begins and ends; what lies between is at risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from durable_redis.contract import DiskError


class File:
    """The content of one file, twice: as processes read it (`cache`), and as it would be found after a power loss.

    The first `settled` bytes of the two are the same.  An append leaves `settled` alone; cutting or overwriting lowers
    it, and the rest of the platter is then an old content, which a power loss may bring back."""

    __slots__ = ("cache", "failed", "forgotten", "platter", "settled", "syncing", "syncing_until_us")

    def __init__(self) -> None:
        self.cache = bytearray()
        self.platter = bytearray()
        self.settled = 0
        self.forgotten: list[tuple[int, int]] = []  # ranges that a failed flush dropped: zeros when the platter grows
        self.failed = False  # a flush failed, and no fsync has reported it yet
        self.syncing = 0  # fsyncs in progress
        self.syncing_until_us = 0  # when the last of them ends

    @property
    def dirty(self) -> bool:
        return self.settled < max(len(self.cache), len(self.platter))

    @property
    def replaced(self) -> bool:
        """The platter holds an old content behind the settled bytes."""
        return self.settled < len(self.platter)

    @property
    def safe(self) -> int:
        """So many bytes of the cache are on the platter, from the first on, and none that a failed flush dropped."""
        return min([self.settled, *(start for start, _ in self.forgotten)]) if self.forgotten else self.settled

    def settle(self, size: int) -> None:
        """Move the first `size` bytes of the cache to the platter."""
        size = max(self.settled, min(size, len(self.cache)))
        self.platter[self.settled :] = self.cache[self.settled : size]
        self.settled = size
        for start, end in self.forgotten:
            if start < size:
                self.platter[start : min(end, size)] = bytes(min(end, size) - start)

    def forget(self, size: int) -> None:
        """What a failed flush does: the pages up to `size` count as clean, and will not be written again."""
        if size > self.settled:
            self.forgotten.append((self.settled, size))

    def cut(self, size: int) -> None:
        """Keep the first `size` bytes of the cache."""
        del self.cache[size:]
        self.settled = min(self.settled, size)
        self.forgotten = [(start, min(end, size)) for start, end in self.forgotten if start < size]


TailKept: TypeAlias = str | int
"""What a power loss leaves of each unsynced tail: "seeded" (a prefix chosen by the seed), "lost" (nothing), "kept" (all
of it), or so many bytes."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What a power loss made of one file's unsynced tail: of `unsynced` bytes, the first `kept` were on the platter.

    `path` is None for the changes of names: the bytes are then changes.  In a file that was cut or overwritten, the cut
    of the old content comes first and counts as one: with `kept` 0 the old content came back, with 1 just the cut was
    on the platter."""

    path: str | None
    unsynced: int
    kept: int


@dataclass(frozen=True, slots=True)
class NameChange:
    """An unsynced change of names: `file` appears as `new` (None: nothing does), and `old` (if any) disappears."""

    old: str | None
    new: str | None
    file: File | None = None


class Disk:
    """The files of one machine.  `random` decides what a power loss leaves of the unsynced tails."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.files: dict[str, File] = {}  # the names as processes see them
        self.durable: dict[str, File] = {}  # the names as they would be found after a power loss
        self.changes: list[NameChange] = []  # what lies between the two, oldest first
        self.failing: dict[str, bool] = {"write": False, "fsync": False}
        self.spoils = False  # a bit of every write is turned over
        self.extra_fsync_us = 0  # a slow disk
        self.busy_until_us = 0  # the device does one fsync after the other
        self.outages = 0  # an fsync that began before the last of them never ends

    @property
    def dirty(self) -> bool:
        """Something is in the page cache only."""
        return bool(self.changes) or any(file.dirty for file in self.files.values())

    # -- what processes do -------------------------------------------------------------------------------------------

    def append(self, path: str, data: bytes) -> DiskError | None:
        if self.failing["write"]:
            return DiskError("EIO", path)
        self._open(path).cache += self._spoilt(data)
        return None

    def write(self, path: str, data: bytes) -> DiskError | None:
        if self.failing["write"]:
            return DiskError("EIO", path)
        file = self._open(path)
        file.cut(0)
        file.cache += self._spoilt(data)
        return None

    def truncate(self, path: str, size: int) -> DiskError | None:
        file = self.files.get(path)
        if file is None:
            return DiskError("ENOENT", path)
        if self.failing["write"]:
            return DiskError("EIO", path)
        file.cut(size)
        return None

    def rename(self, old: str, new: str) -> DiskError | None:
        file = self.files.pop(old, None)
        if file is None:
            return DiskError("ENOENT", old)
        self.files[new] = file
        self.changes.append(NameChange(old, new, file))
        return None

    def remove(self, path: str) -> DiskError | None:
        if self.files.pop(path, None) is None:
            return DiskError("ENOENT", path)
        self.changes.append(NameChange(path, None))
        return None

    def read(self, path: str) -> bytes | None:
        file = self.files.get(path)
        return None if file is None else bytes(file.cache)

    def list(self, directory: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self.files if _directory(path) == directory))

    def fsync_begins(self, path: str) -> tuple[File, int] | DiskError:
        """Remember what this fsync promises: the file, and how much of it there is now."""
        file = self.files.get(path)
        if file is None:
            return DiskError("ENOENT", path)
        file.syncing += 1
        return file, len(file.cache)

    def fsync_ends(self, file: File, size: int, path: str) -> DiskError | None:
        file.syncing -= 1
        if self.failing["fsync"]:
            file.forget(size)
            file.failed = True
        else:
            file.settle(size)
        if file.failed:
            file.failed = False  # an error is reported once
            return DiskError("EIO", path)
        return None

    def sync_names(self) -> DiskError | None:
        """Commit the journal of the file system: every change of names so far becomes durable."""
        if self.failing["fsync"]:
            return DiskError("EIO", "")
        self._commit(len(self.changes))
        return None

    def write_back(self) -> None:
        """The kernel's own doing: everything goes to the platter.  If the device fails, the next fsync will say so."""
        for file in self.files.values():
            if file.dirty and self.failing["fsync"]:
                file.forget(len(file.cache))
                file.failed = True
            else:
                file.settle(len(file.cache))
        if not self.failing["fsync"]:
            self._commit(len(self.changes))

    # -- what befalls the disk ---------------------------------------------------------------------------------------

    def power_loss(self, tail: TailKept = "seeded") -> tuple[Tail, ...]:
        """Lose the page cache.  `tail` says what remains of each unsynced tail."""
        tails = []
        if self.changes:
            kept = self._draw(len(self.changes), tail)
            tails.append(Tail(None, len(self.changes), kept))
            self._commit(kept)
        self.changes.clear()
        self.files = dict(self.durable)
        for path, file in self.files.items():
            if file.dirty:
                tails.append(self._tear(path, file, tail))
            file.cache[:] = file.platter
            file.settled = len(file.platter)
            file.forgotten.clear()
            file.failed = False
            file.syncing = 0
        self.busy_until_us = 0
        self.outages += 1
        return tuple(tails)

    def lose(self) -> None:
        """The disk is gone; an empty one takes its place."""
        self.files.clear()
        self.durable.clear()
        self.changes.clear()
        self.failing = {"write": False, "fsync": False}
        self.spoils = False
        self.extra_fsync_us = 0
        self.busy_until_us = 0
        self.outages += 1

    def rot(self, path: str, offset: int, bit: int) -> DiskError | None:
        """Turn one bit over, on the platter and in what is read from it."""
        file = self.files.get(path)
        if file is None:
            return DiskError("ENOENT", path)
        for content in (file.cache, file.platter):
            if offset < len(content):
                content[offset] ^= 1 << bit
        return None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _spoilt(self, data: bytes) -> bytes:
        """What reaches the cache of data that are to be written."""
        if not self.spoils or not data:
            return data
        content, at = bytearray(data), self.random.randrange(8 * len(data))
        content[at // 8] ^= 1 << at % 8
        return bytes(content)

    def _open(self, path: str) -> File:
        file = self.files.get(path)
        if file is None:
            file = self.files[path] = File()
            self.changes.append(NameChange(None, path, file))
        return file

    def _commit(self, count: int) -> None:
        for change in self.changes[:count]:
            if change.old is not None:
                self.durable.pop(change.old, None)
            if change.new is not None and change.file is not None:
                self.durable[change.new] = change.file
        del self.changes[:count]

    def _draw(self, length: int, tail: TailKept) -> int:
        if isinstance(tail, int):
            return min(tail, length)
        if tail == "lost":
            return 0
        return length if tail == "kept" else self.random.randrange(length + 1)

    def _tear(self, path: str, file: File, tail: TailKept) -> Tail:
        """Let a prefix of the unsynced content have reached the platter, after the end of an old content if there is
        one: first the cut, then the bytes."""
        cut = int(file.replaced)
        unsynced = cut + len(file.cache) - file.settled
        kept = self._draw(unsynced, tail)
        if kept or not cut:
            file.settle(file.settled + kept - cut)
        return Tail(path, unsynced, kept)


def _directory(path: str) -> str:
    return path.rpartition("/")[0]
