r"""What a replica of the log keeps on its disk, two files for each shard:

    s1/log      LOG 1 s1 3-17 00f1a9...  9ab3...\n, then entries, one behind the other     (cut, checksum there)
    s1/ballot   BALLOT 1 s1 5 log-b 4d01...\n                                               (term, vote)

The last word of a line is the CRC-64 of what stands before it.

The rules:

1. Nothing is told to anybody before it is on the platter: entries after an `Fsync`, a ballot after it was replaced
   whole (`files.replace`).
2. *The ballot makes the replica whole.*  It is written last, when a new replica has learned all that it must know; a
   disk without one is blank (`newcomer`), whatever else is there.  And a replica that finds itself blank removes the
   ballot first.
3. A *torn tail* is the ordinary trace of a power loss: nobody was told of these entries, and they are cut off.
4. Anything else that is wrong means that this disk has broken a promise, or will.  It is not mended by guessing: the
   replica takes itself for blank, and learns everything anew from the others.
5. What a start has found is written anew before it counts.  After a failed fsync the kernel takes dirty pages for
   clean ones, and a second fsync says "done" although they never reach the platter ("fsyncgate", 2018).
6. When the disk reports an error, the process ends.  The other two go on without it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

from durable_redis.contract import (
    Append,
    DiskError,
    Effect,
    Effects,
    Exit,
    Fsync,
    Note,
    Read,
    Remove,
    SyncDirectory,
    Truncate,
)
from durable_redis.formats.crc64 import crc64
from durable_redis.formats.resp import strict_integer
from durable_redis.memorydb.log.election import Ballot
from durable_redis.memorydb.log.entries import Entry, EntryId, LogError, decode, encode
from durable_redis.memorydb.log.sequence import Sequence
from durable_redis.redis.persistence import files

VERSION = "1"
NOBODY = "-"
LONGEST_LINE = 1024


@dataclass(slots=True)
class Found:
    """What was on the disk.  `ballot` is None if the replica is blank."""

    ballot: Ballot | None
    sequence: Sequence


class Storage:
    """The two files of one shard.  `index` is the last place in the log file, and everything up to it is durable."""

    def __init__(self, shard: str) -> None:
        self.shard = shard
        self.log_path = f"{shard}/log"
        self.ballot_path = f"{shard}/ballot"
        self.first = 0  # the place of the entry that ends at ends[0], less one
        self.ends = [0]  # where in the file the cut's line ends, and each entry behind it

    @property
    def index(self) -> int:
        return self.first + len(self.ends) - 1

    # -- starting ----------------------------------------------------------------------------------------------------

    def load(self) -> Generator[Effect, Any, Found]:
        """Read both files (rules 2 to 4), and write the log anew (rule 5)."""
        ballot_text: bytes | None = yield Read(self.ballot_path)
        log_text: bytes | None = yield Read(self.log_path)
        found = Found(None, Sequence())
        try:
            if ballot_text is not None and log_text is not None:
                found = Found(self.read_ballot(ballot_text), (yield from self._read_log(log_text)))
        except LogError as error:
            yield Note("damaged", {"shard": self.shard, "why": str(error)})
        if found.ballot is None and ballot_text is not None:
            yield from self._forget_ballot()
        yield from self.rewrite(found.sequence)
        return found

    def _read_log(self, text: bytes) -> Generator[Effect, Any, Sequence]:
        sequence, torn = read_log(text, self.shard, self.log_path)
        if torn is not None:
            yield Note("cut", {"shard": self.shard, "bytes": len(text) - torn.offset, "why": str(torn)})
        return sequence

    def read_ballot(self, text: bytes) -> Ballot:
        """Raises LogError."""
        words = unsealed(text.removesuffix(b"\n"), "BALLOT", self.shard, 2, self.ballot_path)
        term = strict_integer(words[0].encode())
        if term is None or term < 0:
            raise LogError(self.ballot_path, 0, f"{words[0]!r} is no term")
        return Ballot(term, "" if words[1] == NOBODY else words[1])

    # -- while it runs -----------------------------------------------------------------------------------------------

    def save_ballot(self, ballot: Ballot) -> Effects:
        """Make term and vote durable (rules 1 and 2)."""
        line = sealed("BALLOT", self.shard, str(ballot.term), ballot.candidate or NOBODY)
        yield from self._must((yield from files.replace(self.ballot_path, f"{self.ballot_path}.tmp", [line])))

    def _forget_ballot(self) -> Effects:
        """Be blank from now on, durably, before the log is emptied: a ballot beside an empty log would look whole."""
        yield from self._must((yield Remove(self.ballot_path)))
        yield from self._must((yield SyncDirectory(self.shard)))

    def add(self, entries: Iterable[Entry]) -> Effects:
        """Make the entries behind `index` durable: one write, one fsync, however many there are."""
        frames = [encode(entry) for entry in entries]
        if not frames:
            return
        yield from self._must((yield Append(self.log_path, b"".join(frames))))
        yield from self._must((yield Fsync(self.log_path)))
        for frame in frames:
            self.ends.append(self.ends[-1] + len(frame))

    def drop_behind(self, index: int) -> Effects:
        """Cut the file: what stood behind this place is not in the log.  Durable with the next `add`."""
        if index < self.index:
            del self.ends[index - self.first + 1 :]
            yield from self._must((yield Truncate(self.log_path, self.ends[-1])))

    def rewrite(self, sequence: Sequence) -> Effects:
        """Replace the file: after a start, and when the cut has moved."""
        parts = [sealed("LOG", self.shard, str(sequence.cut), f"{sequence.cut_checksum:016x}")]
        parts += [encode(entry) for entry in sequence.entries]
        content = b"".join(parts)
        yield from self._must((yield from files.replace(self.log_path, f"{self.log_path}.tmp", [content])))
        self.first, self.ends = sequence.cut.index, [len(parts[0])]
        for part in parts[1:]:
            self.ends.append(self.ends[-1] + len(part))

    def _must(self, error: DiskError | None) -> Effects:
        """Rule 6."""
        if error is not None:
            yield Exit(1, f"the log of {self.shard} cannot be kept on this disk: {error}")


# -- the content of the files ----------------------------------------------------------------------------------------


def sealed(kind: str, shard: str, *words: str) -> bytes:
    """A line that carries its own checksum."""
    text = " ".join([kind, VERSION, shard, *words])
    return f"{text} {crc64(text.encode()):016x}\n".encode()


def unsealed(line: bytes, kind: str, shard: str, count: int, where: str) -> list[str]:
    """The `count` words of such a line.  Raises LogError."""
    text, _, checksum = line.rpartition(b" ")
    if checksum != b"%016x" % crc64(text):
        raise LogError(where, 0, "the checksum of its first line is wrong")
    words = text.decode("ascii", "replace").split(" ")
    if words[:3] != [kind, VERSION, shard] or len(words) != 3 + count:
        raise LogError(where, 0, f"it should begin with {kind} {VERSION} {shard}, and begins with {' '.join(words)!r}")
    return words[3:]


def read_log(text: bytes, shard: str, where: str) -> tuple[Sequence, LogError | None]:
    """The log in the bytes of its file; and, if its tail is torn, where and how.  Raises LogError for damage.

    The first line is never torn: the file was put in place whole."""
    end = text.find(b"\n", 0, LONGEST_LINE)
    if end < 0:
        raise LogError(where, 0, "it does not begin with a line")
    cut, checksum = unsealed(text[:end], "LOG", shard, 2, where)
    sequence = Sequence(EntryId.parse(cut), int(checksum, 16))
    at, base = end + 1, sequence.cut_checksum
    while at < len(text):
        try:
            entry, at = decode(text, base, at, where)
        except LogError as error:
            if error.torn:
                return sequence, error
            raise
        if entry.id.index != sequence.last.index + 1:
            raise LogError(where, at, f"entry {entry.id} stands behind {sequence.last}")
        base = entry.running(base)
        sequence.put(entry)
    return sequence, None
