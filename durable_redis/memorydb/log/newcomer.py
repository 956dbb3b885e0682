"""A replica without a memory: its disk is new, or lost, or damaged.

It may have promised things in an earlier life: votes, and entries of which it said "I have them".  If it now voted for
the first that asks, or counted as one of a majority, those promises would be broken, and with the next loss an
acknowledged entry would be gone:

    entry 7 is on log-a and log-c, which makes it committed; log-b was slow, and has 6
    log-c loses its disk, log-a its power; a forgetful log-c votes for log-b: 7 is lost, and only one disk was

So a *blank* replica does not vote, is not counted, and answers nobody until it has learned what it may have promised:

1. It asks both others for their terms.  Whoever got its vote had a durable term not below; so the higher of the two is
   the *floor*: a leader of a lower term may have been deposed with the help of that vote, and is not listened to.
2. Then it copies the log of a leader of the floor's term or a later one, up to that leader's last entry: every entry
   that it stored in an earlier life, and that was committed, or may still be, is among them.
3. Having all that on its platter it writes a ballot (a vote for that leader, which it may have given) and is whole.

If both others are in term 0, nobody has ever promised anything: the log is new, and so are its replicas.  If another
one is blank while the third is not, two disks are lost, and with them perhaps a committed entry.  Nobody can know, and
nobody guesses: the log stands still until a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Newcomer:
    """What a blank replica has learned so far.  `heard`: each other replica's term, and whether it is whole."""

    others: tuple[str, ...]
    heard: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def hear(self, other: str, term: int, whole: bool) -> None:
        self.heard[other] = (term, whole)

    @property
    def log_is_new(self) -> bool:
        """Everybody has said that nothing has ever been promised."""
        return self._all_heard and all(term == 0 for term, _ in self.heard.values())

    @property
    def floor(self) -> int | None:
        """The least term of a leader worth listening to; None as long as that is not known."""
        if not self._all_heard or not all(whole for _, whole in self.heard.values()):
            return None
        return max(term for term, _ in self.heard.values())

    @property
    def _all_heard(self) -> bool:
        return all(other in self.heard for other in self.others)
