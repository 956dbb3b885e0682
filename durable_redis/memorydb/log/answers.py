"""What a user of the log is told, and what it may ask: the interface of every home of the log.

Two things are worth knowing before anything else.

*An append is conditional.*  It names the entry that it must follow.  If another entry stands there the answer is
`Conflict`, and that is definite: this append has not happened and never will.

*An answer may be missing.*  Then nobody knows whether the append happened, and the user of the log must not act as if
it had, nor as if it had not.  `Unknown` says that patience is over; the question goes on, under the same token, and
`Appended` or `Conflict` comes when somebody knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from durable_redis.contract import Effects, Event
from durable_redis.memorydb.log.entries import Entry, EntryId


@dataclass(frozen=True, slots=True)
class Appended:
    """The entry is committed: no failure that the log survives takes it away again."""

    id: EntryId
    checksum: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something else follows the entry that was named, committed; `tail` is the last that is."""

    tail: EntryId


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer so far: the append may have happened, may yet happen, or never.  A definite answer follows later."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Committed entries, in order.  `pushed`: because of a subscription; then perhaps none, just to tell the tail.

    `base` is the log's running checksum at the entry from which was read (or at the last one pushed): what a snapshot
    taken there must have, and from which the checksum of the first entry follows."""

    entries: tuple[Entry, ...]
    tail: EntryId
    base: int
    pushed: bool = False


@dataclass(frozen=True, slots=True)
class Tail:
    """The last committed entry, and the running checksum at it."""

    id: EntryId
    checksum: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The log begins behind this entry now; the running checksum at it is kept."""

    cut: EntryId
    checksum: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What was asked makes no sense, and nothing was done.  `code` is one of

    BEHIND      the entry that was named has been trimmed away: begin from a snapshot
    NOENTRY     the log has no such entry
    BADREQUEST  it cannot be understood, or is too large

    `pushed`: a subscription is refused, and has ended."""

    code: str
    reason: str
    pushed: bool = False


Answer: TypeAlias = Appended | Conflict | Unknown | Entries | Tail | Trimmed | Refused


class LogUser(Protocol):
    """A component inside a node, through which the node uses the log.

    The node hands it the events that it `owns`, and looks into `take_answers` after each of them.  Nothing is answered
    before the generator of the question has ended."""

    def connect(self, now: int) -> Effects:
        """Begin; once, at boot."""
        ...

    def owns(self, event: Event) -> bool:
        """This event is for `handle`, and for nobody else in the node."""
        ...

    def handle(self, event: Event, now: int) -> Effects:
        """React to an event of its own: answers may be there afterwards."""
        ...

    def append(self, kind: str, body: bytes, after: EntryId, now: int) -> Effects:
        """Append an entry behind `after`; one at a time.  Answered by Appended, Conflict or Refused; before that,
        perhaps, by Unknown."""
        ...

    def read(self, after: EntryId, limit: int, now: int) -> Effects:
        """At most `limit` entries behind `after`, and no more than fit into one message.  Answered by Entries, or
        Refused."""
        ...

    def tail(self, now: int) -> Effects:
        """Answered by Tail: at least as far as anything that was committed before the question."""
        ...

    def subscribe(self, after: EntryId, now: int) -> Effects:
        """Every entry behind `after`, pushed in order as it is committed; and now and then the tail alone.  Another
        subscription replaces it."""
        ...

    def trim(self, upto: EntryId, now: int) -> Effects:
        """Forget the entries up to this one and including it: a verified snapshot holds them.  Answered by Trimmed or
        Refused."""
        ...

    def take_answers(self) -> list[Answer]:
        """What has been answered since the last call, in order."""
        ...
