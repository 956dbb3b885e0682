"""What a follower does with what a leader sends, and what it answers.

An entry is taken only behind the very entry that stands before it at the leader, and the running checksum must agree.
So two logs that hold the same entry hold the same ones before it.  What a follower has instead of the leader's entries
was never committed, or the leader would have it: it gives way.

"I have it" is said when it is on the platter, not before: `answer` comes after the sync (`Replica.flush`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.memorydb.log.entries import Entry, LogError, decode_all
from durable_redis.memorydb.log.messages import Replicate, Stored
from durable_redis.memorydb.log.sequence import Sequence

if TYPE_CHECKING:
    from durable_redis.memorydb.log.replica import Replica


class Following:
    """A replica's dealings with its leader.  `complete`: it has been sent everything that the leader has."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.complete = False
        self._owed: tuple[str, Replicate, int] | None = None  # to be answered when all up to this place is durable

    def receive(self, peer: str, sent: Replicate, now: int) -> Effects:
        """What a leader sends.  Raises LogError if it carries what is no entry.

        1. A leader of an earlier term is told that its time is over.  A blank replica listens to none below its floor.
        2. Follow this one.
        3. Take over its cut, if this log ends before it.
        4. Does what it sends fit behind what is here?  If not, say from where on to send.
        5. Take the entries.
        6. Owe an answer."""
        replica = self.replica
        # 1.
        if replica.is_blank and (replica.newcomer.floor is None or sent.term < replica.newcomer.floor):
            return
        if sent.term < replica.ballot.term:
            self._say(peer, sent, 0, fits=False)
            return
        # 2.
        if sent.term > replica.ballot.term:
            yield from replica.adopt(sent.term, now)
        elif replica.leading is not None:
            yield Note("two log leaders", {"shard": sent.shard, "term": sent.term, "other": peer})
            return
        yield from replica.hear(peer, now)
        # 3.
        if sent.cut.index > replica.sequence.cut.index:
            yield from self._take_cut(sent)
        # 4.
        if not replica.sequence.holds(sent.prev):
            last = replica.sequence.last.index
            behind = last if last < sent.prev.index else max(replica.committed, sent.prev.index - 1)
            self._say(peer, sent, behind, fits=False)
            return
        # 5.
        base = replica.sequence.checksum_at(sent.prev.index)
        entries = decode_all(sent.entries, base, f"{sent.verb} from {peer}")
        yield from self._take(sent, entries)
        # 6.
        matched = sent.prev.index + len(entries)
        replica.committed = max(replica.committed, min(sent.committed, matched))
        self.complete = matched >= sent.tail
        self._owed = peer, sent, matched

    def answer(self) -> None:
        """Everything that was taken is durable: say so."""
        if self._owed is not None:
            self._say(*self._owed, fits=True)
            self._owed = None

    def forget(self) -> None:
        """There is another term: what was owed to a leader is owed no more."""
        self.complete, self._owed = False, None

    def _say(self, peer: str, sent: Replicate, index: int, fits: bool) -> None:
        replica = self.replica
        stored = Stored(sent.shard, replica.ballot.term, sent.round, index, fits, not replica.is_blank)
        replica.links.say(peer, stored)

    def _take_cut(self, sent: Replicate) -> Effects:
        """The leader has trimmed its log: everything up to its cut was committed, and is in a snapshot."""
        replica = self.replica
        sequence, cut = replica.sequence, sent.cut
        if sequence.holds(cut) and sequence.checksum_at(cut.index) == sent.cut_checksum:
            replica.committed = max(replica.committed, cut.index)
            yield from replica.trim(cut)
        else:
            yield Note("log begins anew", {"shard": sent.shard, "cut": str(cut)})
            replica.sequence = Sequence(cut, sent.cut_checksum)
            replica.committed = cut.index
            yield from replica.storage.rewrite(replica.sequence)

    def _take(self, sent: Replicate, entries: tuple[Entry, ...]) -> Effects:
        """Put entries behind `prev`; others that stand there give way."""
        replica = self.replica
        for place, entry in enumerate(entries, sent.prev.index + 1):
            if entry.id.index != place:
                raise LogError(f"{sent.verb} of term {sent.term}", 0, f"entry {entry.id} stands at place {place}")
            if replica.sequence.holds(entry.id):
                continue
            if place <= replica.sequence.last.index:
                assert place > replica.committed, f"entry {place} is committed, and {entry.id} shall stand in its place"
                replica.sequence.drop_behind(place - 1)
                yield from replica.storage.drop_behind(place - 1)
            replica.sequence.put(entry)
