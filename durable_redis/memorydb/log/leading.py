"""What the leader of the log knows of the others, and what it sends them.

For each follower it keeps `next`, the place of the first entry not sent yet, and `stored`, the last one of which the
follower has said that it is on its platter.  Entries are sent once, without waiting for answers; `next` goes back only
if a connection was lost, or if the follower says that what it got does not fit behind what it has:

    leader: 1 2 3 4 5      follower after a crash: 1 2      REPLICATE prev=5  ->  STORED fits=no index=2  ->  next = 3

A *round* is a number in every REPLICATE that comes back in STORED.  When a majority has answered a round, nobody had
been elected in a later term when that round began.  A leader that was deposed without having noticed can therefore not
tell anybody of an outdated tail: who asks is answered when a round that began after the question has come back.

The leader sends before its own fsync: its disk is one of three, and works while the entries travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.memorydb.log.election import commit_point, reached_by
from durable_redis.memorydb.log.entries import EntryId, encode
from durable_redis.memorydb.log.messages import Replicate, Stored
from durable_redis.memorydb.log.sequence import batch

if TYPE_CHECKING:
    from durable_redis.memorydb.log.replica import Replica


@dataclass(slots=True)
class Progress:
    """One follower.  `told` is the last round sent to it, `round` the last that it answered, `heard_us` when."""

    next: int
    heard_us: int
    stored: int = 0
    told: int = 0
    round: int = 0


class Leading:
    """One replica's time as leader, in one term."""

    def __init__(self, replica: Replica, now: int) -> None:
        self.replica = replica
        self.own_term_from = replica.sequence.last.index + 1
        self.followers = {peer: Progress(self.own_term_from, now) for peer in replica.links.to}
        self.round = 1

    def next_round(self) -> int:
        """Begin another round; it goes out with the next `send`."""
        self.round += 1
        return self.round

    # -- sending -----------------------------------------------------------------------------------------------------

    def send(self) -> None:
        """Tell everybody what they have not been told yet: entries, or only that a round has begun."""
        last = self.replica.sequence.last.index
        for peer, progress in self.followers.items():
            while self.replica.links.is_up(peer) and (progress.next <= last or progress.told < self.round):
                self._send_batch(peer, progress)

    def _send_batch(self, peer: str, progress: Progress) -> None:
        replica, sequence = self.replica, self.replica.sequence
        progress.next = max(progress.next, sequence.cut.index + 1)  # what was trimmed, the cut stands for
        prev = sequence.id_at(progress.next - 1) or EntryId.ZERO
        config = replica.config
        entries = batch(sequence.behind(progress.next - 1), config.batch_entries, config.batch_bytes)
        progress.next += len(entries)
        progress.told = self.round
        replica.links.say(
            peer,
            Replicate(
                replica.shard,
                replica.ballot.term,
                self.round,
                sequence.cut,
                sequence.cut_checksum,
                prev,
                replica.committed,
                sequence.last.index,
                tuple(map(encode, entries)),
            ),
        )

    # -- hearing -----------------------------------------------------------------------------------------------------

    def heard(self, peer: str, message: Stored, now: int) -> None:
        """A follower's answer.  A blank one is served like the others, and does not count."""
        progress = self.followers[peer]
        if not message.fits:
            progress.next = min(message.index, self.replica.sequence.last.index) + 1
        if not message.whole:
            progress.stored = 0  # what it had in an earlier life is gone
            return
        progress.heard_us = now
        progress.round = max(progress.round, message.round)
        if message.fits:
            progress.stored = max(progress.stored, message.index)

    def reconnected(self, peer: str) -> None:
        """There is a new way to a follower; what was on the old one may be lost."""
        progress = self.followers[peer]
        progress.next = min(progress.next, progress.stored + 1)
        progress.told = 0

    def answered_round(self) -> int:
        """The last round that a majority has answered, oneself included."""
        rounds = [self.round, *(progress.round for progress in self.followers.values())]
        return reached_by(rounds, self.replica.config.majority)

    def commit_point(self, own: int) -> int:
        """The last place that is committed, or 0; `own` is the last one on the leader's own platter."""
        stored = [own, *(progress.stored for progress in self.followers.values())]
        return commit_point(stored, self.replica.config.majority, self.own_term_from)

    def hears_majority(self, now: int) -> bool:
        """Whether a majority has answered lately.  A leader that does not hear one may have been deposed, and its
        clients had better look elsewhere."""
        times = [now, *(progress.heard_us for progress in self.followers.values())]
        return now - reached_by(times, self.replica.config.majority) < 2 * self.replica.config.election_us
