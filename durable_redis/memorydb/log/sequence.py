"""A log in memory: entries without a gap, behind a cut.

The *cut* is the entry up to which the log has been trimmed, with the running checksum there; at first it stands before
everything, at `EntryId.ZERO` with checksum 0.  The entries behind it have consecutive places:

    cut 3-17, entries at 18, 19, 20         entry 19 is entries[1]: places count on, list indices do not

What a user of the log sees are the entries that are `shown`: all but the no-ops.  "What follows 3-17" is therefore the
first shown entry behind it, and the rule on which every append rests needs nothing else:

    An append behind an id is settled by what follows that id.  Nothing: it may be put there.  An entry with the same
    token: it is there already, this was a retry.  Anything else: it has lost, for ever.

The rule is as good as the knowledge of what follows, so whoever answers waits until that is committed.

What this file must not know: which of the entries are committed, who leads, and where the bytes are kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from durable_redis.memorydb.log.entries import Entry, EntryId


class Sequence:
    """Entries behind a cut.  Indices are places in the log, and count from 1."""

    def __init__(self, cut: EntryId = EntryId.ZERO, cut_checksum: int = 0, entries: Iterable[Entry] = ()) -> None:
        self.cut = cut
        self.cut_checksum = cut_checksum
        self.entries: list[Entry] = []
        for entry in entries:
            self.put(entry)

    # -- the end -----------------------------------------------------------------------------------------------------

    @property
    def last(self) -> EntryId:
        """The id of the last entry, shown or not."""
        return self.entries[-1].id if self.entries else self.cut

    def make(self, term: int, kind: str, body: bytes, token: str) -> Entry:
        """An entry that fits behind the last one; and put it there."""
        end = self.last.index
        entry = Entry.following(self.checksum_at(end), EntryId(term, end + 1), kind, body, token)
        self.entries.append(entry)
        return entry

    def put(self, entry: Entry) -> None:
        """Add an entry that somebody else made, and whose checksum has been checked."""
        assert entry.id.index == self.last.index + 1, f"entry {entry.id} cannot stand behind {self.last}"
        self.entries.append(entry)

    def drop_behind(self, index: int) -> None:
        """Forget every entry behind this place."""
        assert index >= self.cut.index, f"what was trimmed cannot be dropped: {index} is before {self.cut}"
        del self.entries[index - self.cut.index :]

    # -- looking -----------------------------------------------------------------------------------------------------

    def at(self, index: int) -> Entry | None:
        """The entry at a place, if it is here."""
        position = index - self.cut.index - 1
        return self.entries[position] if 0 <= position < len(self.entries) else None

    def id_at(self, index: int) -> EntryId | None:
        """The id at a place, which may also be that of the cut."""
        entry = self.at(index)
        return entry.id if entry is not None else self.cut if index == self.cut.index else None

    def holds(self, id: EntryId) -> bool:
        """This very entry is here, or it is the cut."""
        return self.id_at(id.index) == id

    def checksum_at(self, index: int) -> int:
        """The running checksum at a place."""
        for position in range(index - self.cut.index - 1, -1, -1):
            if self.entries[position].shown:
                return self.entries[position].checksum
        return self.cut_checksum

    def behind(self, index: int) -> list[Entry]:
        """Every entry behind a place, which is not before the cut."""
        assert index >= self.cut.index, f"what stands behind {index} is not here: the log begins behind {self.cut}"
        return self.entries[index - self.cut.index :]

    # -- what users of the log see -----------------------------------------------------------------------------------

    def tail(self, upto: int) -> EntryId:
        """The last shown entry that is not behind the place `upto`."""
        for index in range(upto, self.cut.index, -1):
            entry = self.at(index)
            if entry is not None and entry.shown:
                return entry.id
        return self.cut

    def follower_of(self, id: EntryId) -> Entry | None:
        """The first shown entry behind this one."""
        index = id.index + 1
        while (entry := self.at(index)) is not None and not entry.shown:
            index += 1
        return entry

    def shown_behind(self, index: int, upto: int, limit: int) -> list[Entry]:
        """The first `limit` shown entries behind one place and not behind another."""
        found: list[Entry] = []
        for place in range(index + 1, upto + 1):
            entry = self.at(place)
            if entry is not None and entry.shown:
                found.append(entry)
                if len(found) == limit:
                    break
        return found

    # -- the beginning -----------------------------------------------------------------------------------------------

    def trim(self, id: EntryId) -> None:
        """Forget the entries up to this one, and it too; it becomes the cut."""
        assert self.holds(id), f"{id} is not here: the log reaches from {self.cut} to {self.last}"
        checksum = self.checksum_at(id.index)
        del self.entries[: id.index - self.cut.index]
        self.cut, self.cut_checksum = id, checksum


def batch(entries: list[Entry], most: int, most_bytes: int) -> list[Entry]:
    """The first of these entries: as many as fit into one message, and at least one if there is any."""
    size = 0
    for count, entry in enumerate(entries[:most]):
        size += len(entry.body)
        if count and size > most_bytes:
            return entries[:count]
    return entries[:most]
