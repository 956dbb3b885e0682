"""The catalog: which snapshots of a shard there are, which of them are released, and which is the newest of those.

    s1/snapshots/00000000000000000170-3-8c21f0aa     an RDB file: the data at entry 3-170
    s1/released/00000000000000000170-3-8c21f0aa      an empty object: that one has been verified

To *release* a snapshot is to put the second object.  Whoever recovers lists the released ones and takes the last; a
snapshot that nobody has verified has no such object, and nobody sees it.

Every object is written once, under a name that is never used again (the last word is luck).  So a request that was
long under way, of a snapshotter that has crashed since, can change no object, and can release nothing that was not
verified.  A release that comes late is older than the newest, or it names a snapshot that has been swept away: then
the one before it counts.

What was good when it was verified may rot later.  So the snapshot before the newest is kept as well, and the log behind
*that* one: whoever finds the newest damaged begins with the one before it, replays more, and has the same data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from durable_redis.contract import Effects
from durable_redis.memorydb.log.entries import EntryId
from durable_redis.memorydb.store_client import StoreClient, Stored

_STEM = re.compile(r"(\d{20})-(\d{1,19})-[0-9a-f]{8}")


def stem_of(at: EntryId, luck: int) -> str:
    """What a snapshot at this entry is called: names in order are ids in order."""
    return f"{at.index:020}-{at.term}-{luck:08x}"


def id_of(stem: str) -> EntryId:
    """The entry that a snapshot of this name is at; EntryId.ZERO if it is not such a name."""
    match = _STEM.fullmatch(stem)
    return EntryId(int(match[2]), int(match[1])) if match else EntryId.ZERO


def snapshot_name(shard: str, stem: str) -> bytes:
    return f"{shard}/snapshots/{stem}".encode()


def release_name(shard: str, stem: str) -> bytes:
    return f"{shard}/released/{stem}".encode()


def stem_in(name: bytes) -> str:
    """The last part of an object's name."""
    return name.rpartition(b"/")[2].decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class Found:
    """The newest released snapshot: its name and its bytes.  Without any, the name is "" and there are no bytes."""

    stem: str = ""
    content: bytes | None = None

    @property
    def at(self) -> EntryId:
        return id_of(self.stem)


class Newest:
    """Asks the store for the newest released snapshot of a shard.

    1. list what is released; nothing: there is no snapshot
    2. get the newest; it is gone: the one before it, and so on
    3. they were all gone (newer ones were released meanwhile): begin again

    Whoever cannot use what was found asks for the one before it (`ask_older`); before the first there is nothing, and
    the log from its beginning.  `newest` is the entry of the newest one that is released: no data that end before it
    are whole, whatever they were made of."""

    def __init__(self, shard: str, store: StoreClient) -> None:
        self.shard = shard
        self.store = store
        self.newest = EntryId.ZERO
        self._found: Found | None = None
        self._stems: list[str] = []  # released, and not yet asked for, the newest last
        self._asked = ""
        self._refused = False

    def ask(self, now: int) -> Effects:
        """Begin.  The answers that come from the store then are for `answered`."""
        self._refused = False
        yield from self.store.names(release_name(self.shard, ""), now)

    def ask_older(self, now: int) -> Effects:
        """What was found is of no use: find what there was before it."""
        self._refused = True
        yield from self._get_next(now)

    @property
    def older(self) -> str:
        """The released snapshot before the one that was found; "" if there is none."""
        return self._stems[-1] if self._stems else ""

    def answered(self, answer: Stored, now: int) -> Effects:
        """Take the store's answer.  What has come of it, `take` says."""
        if isinstance(answer.reply, list):
            self._stems = sorted(stem_in(name) for name in answer.reply if isinstance(name, bytes))
            self._stems = [stem for stem in self._stems if _STEM.fullmatch(stem)]
            self.newest = id_of(self.older)
            if not self._stems:
                self._found = Found()
                return
        elif isinstance(answer.reply, bytes):
            self._found = Found(self._asked, answer.reply)
            return
        yield from self._get_next(now)

    def _get_next(self, now: int) -> Effects:
        if self._stems:
            self._asked = self._stems.pop()
            yield from self.store.get(snapshot_name(self.shard, self._asked), now)
        elif self._refused:
            self._found = Found()
        else:
            yield from self.ask(now)

    def take(self) -> Found | None:
        """What was found, once; None as long as the store has not said."""
        found, self._found = self._found, None
        return found
