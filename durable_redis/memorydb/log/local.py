"""The log in one process: the same interface, with no replicas, no disks and no network.  For tests of its users.

`LocalLog` is the log; `LocalLogUser` is one node's way to it, a `LogUser` like `LogClient`, so that a node cannot tell
which of the two it has.  Answers come with a timer, `delay_us` after the question, because with the real log too they
come with a later event.  A test may append to the `LocalLog` itself, as another node would, and may let it be `down`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Event, SetTimer, TimerFired
from durable_redis.memorydb.log.answers import (
    Answer,
    Appended,
    Conflict,
    Entries,
    Refused,
    Tail,
    Trimmed,
    Unknown,
)
from durable_redis.memorydb.log.entries import DATA, EntryId
from durable_redis.memorydb.log.sequence import Sequence

if TYPE_CHECKING:
    from random import Random

MANY = 1_000_000_000


class LocalLog:
    """One shard's log.  Everything in it is committed."""

    def __init__(self, delay_us: int = 2_000, patience_us: int = 500_000) -> None:
        self.delay_us = delay_us
        self.patience_us = patience_us  # after which an append counts as unknown
        self.sequence = Sequence()
        self.down = False  # a test's to set: nothing is done, and nothing answered
        self.term = 1  # a test may raise it, as a change of the log's leader does

    def append(
        self, after: EntryId, body: bytes, token: str = "test", kind: str = DATA
    ) -> Appended | Conflict | Refused:
        """Append at once."""
        if (refusal := self._refuse(after)) is not None:
            return refusal
        entry = self.sequence.follower_of(after) or self.sequence.make(self.term, kind, body, token)
        return Appended(entry.id, entry.checksum) if entry.token == token else Conflict(self.tail().id)

    def read(self, after: EntryId, limit: int = MANY, pushed: bool = False) -> Entries | Refused:
        if (refusal := self._refuse(after)) is not None:
            return refusal
        found = self.sequence.shown_behind(after.index, self.sequence.last.index, limit)
        return Entries(tuple(found), self.tail().id, self.sequence.checksum_at(after.index), pushed)

    def tail(self) -> Tail:
        end = self.sequence.last.index
        return Tail(self.sequence.tail(end), self.sequence.checksum_at(end))

    def trim(self, upto: EntryId) -> Trimmed | Refused:
        if upto.index > self.sequence.cut.index:
            if (refusal := self._refuse(upto)) is not None:
                return refusal
            self.sequence.trim(upto)
        return Trimmed(self.sequence.cut, self.sequence.cut_checksum)

    def _refuse(self, id: EntryId) -> Refused | None:
        if id.index < self.sequence.cut.index:
            return Refused("BEHIND", f"the log begins behind {self.sequence.cut}, and {id} is before that")
        if not self.sequence.holds(id):
            return Refused("NOENTRY", f"the log has no entry {id}; its last one is {self.tail().id}")
        return None


class LocalLogUser:
    """A node's way to a LocalLog."""

    def __init__(self, name: str, shard: str, log: LocalLog, random: Random) -> None:
        self.name = name
        self.log = log
        self.random = random
        self._timer = f"log {shard}"
        self._questions: list[Callable[[], Answer]] = []
        self._answers: list[Answer] = []
        self._asked_us: int | None = None  # when the append was asked that has no answer; None: there is none
        self._said_unknown = False  # that it has none so far
        self._seen: EntryId | None = None  # the last entry pushed; None: no subscription

    def connect(self, now: int) -> Effects:
        yield from ()

    def owns(self, event: Event) -> bool:
        return isinstance(event, TimerFired) and event.name == self._timer

    def append(self, kind: str, body: bytes, after: EntryId, now: int) -> Effects:
        assert self._asked_us is None, f"{self.name} has an append in flight"
        self._asked_us, self._said_unknown = now, False
        token = f"{self.name}-{self.random.getrandbits(64):016x}"
        yield from self._ask(lambda: self._append(kind, body, after, token), now)

    def _append(self, kind: str, body: bytes, after: EntryId, token: str) -> Answer:
        self._asked_us = None
        return self.log.append(after, body, token, kind)

    def read(self, after: EntryId, limit: int, now: int) -> Effects:
        yield from self._ask(lambda: self.log.read(after, limit), now)

    def tail(self, now: int) -> Effects:
        yield from self._ask(self.log.tail, now)

    def trim(self, upto: EntryId, now: int) -> Effects:
        yield from self._ask(lambda: self.log.trim(upto), now)

    def subscribe(self, after: EntryId, now: int) -> Effects:
        self._seen = after
        yield SetTimer(self._timer, now + self.log.delay_us)

    def _ask(self, question: Callable[[], Answer], now: int) -> Effects:
        self._questions.append(question)
        yield SetTimer(self._timer, now + self.log.delay_us)

    def handle(self, event: Event, now: int) -> Effects:
        if not self.log.down:
            questions, self._questions = self._questions, []
            self._answers += [question() for question in questions]
            self._push()
        elif self._asked_us is not None and not self._said_unknown and now - self._asked_us >= self.log.patience_us:
            self._answers.append(Unknown())
            self._said_unknown = True
        if self._questions or self._seen is not None:
            yield SetTimer(self._timer, now + self.log.delay_us)

    def _push(self) -> None:
        """What a subscription brings: here it is looked for after every `delay_us`."""
        if self._seen is None:
            return
        found = self.log.read(self._seen, pushed=True)
        if isinstance(found, Refused):
            found = replace(found, pushed=True)
            self._seen = None
        elif found.entries:
            self._seen = found.entries[-1].id
        self._answers.append(found)

    def take_answers(self) -> list[Answer]:
        answers, self._answers = self._answers, []
        return answers
