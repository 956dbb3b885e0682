"""The leader's other side: those who use the log.

Two rules decide every answer:

1. *An append* is settled by what follows the entry that it names (`sequence`), and is answered when that is committed.
   What is committed stays, so this answer is true whoever says it, and however late: it needs no proof of leadership.
2. *Everything else* (what is the tail, is there such an entry, what comes behind it) may have changed under another
   leader.  It waits for a round that began after the question (`leading`), and until an entry of the leader's own term
   is committed: before that it does not know all that is.

When the leader is deposed, everybody who waits is told NOTLEADER: ask another one.  Of an append this says nothing: it
may be committed yet, and only a retry with the same token will tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Effects
from durable_redis.memorydb.log.config import has_passed
from durable_redis.memorydb.log.entries import KINDS, LARGEST_BODY, Entry, EntryId, encode
from durable_redis.memorydb.log.messages import (
    AppendedIs,
    AskAppend,
    AskRead,
    AskSubscription,
    AskTail,
    AskTrim,
    ConflictIs,
    EntriesAre,
    LogReply,
    NotLeader,
    Question,
    RefusedIs,
    TailIs,
    TrimmedIs,
)
from durable_redis.memorydb.log.sequence import batch

if TYPE_CHECKING:
    from durable_redis.memorydb.log.replica import Replica

MANY = 1_000_000_000


@dataclass(slots=True)
class Subscriber:
    """`index` is the place up to which it has been told, `told_us` when."""

    number: int
    index: int
    told_us: int


class Serving:
    """The users of one shard's log, at the replica that leads it.  `reply(connection, message)` queues a message."""

    def __init__(self, replica: Replica, reply: Callable[[str, LogReply], None]) -> None:
        self.replica = replica
        self.reply = reply
        self.appends: list[tuple[str, AskAppend]] = []  # put in, and not committed yet
        self.questions: deque[tuple[int, str, Question]] = deque()  # with the round for which they wait
        self.subscribers: dict[str, Subscriber] = {}  # by connection

    # -- questions come in -------------------------------------------------------------------------------------------

    def ask(self, connection: str, question: Question) -> None:
        """Begin to answer a question (rules 1 and 2)."""
        leading = self.replica.leading
        if leading is None:
            self.reply(connection, self._not_leader(question.number))
        elif isinstance(question, AskAppend) and (reason := _unfit(question)):
            self.reply(connection, RefusedIs(question.shard, question.number, "BADREQUEST", reason))
        elif isinstance(question, AskAppend) and self.replica.sequence.holds(question.after):
            self._put(question)
            self.appends.append((connection, question))
        else:
            self.questions.append((leading.next_round(), connection, question))

    def _put(self, append: AskAppend) -> None:
        """Put the entry where it was asked for, if nothing is there."""
        if self.what_follows(append.after) is None:
            self.replica.sequence.make(self.replica.ballot.term, append.kind, append.body, append.token)

    def what_follows(self, after: EntryId) -> Entry | None:
        """What settles an append behind this entry."""
        return self.replica.sequence.follower_of(after)

    def is_retry(self, append: AskAppend, entry: Entry) -> bool:
        """Whether this entry is the one that the append asks for, put in at an earlier attempt."""
        return entry.token == append.token

    # -- answers go out ----------------------------------------------------------------------------------------------

    def settle(self, now: int) -> Effects:
        """Answer whatever can be answered now."""
        appends, self.appends = self.appends, []
        for connection, append in appends:
            if (answer := self._outcome(append)) is None:
                self.appends.append((connection, append))
            else:
                self.reply(connection, answer)
        leading = self.replica.leading
        while leading is not None and self.questions and self.replica.knows_what_is_committed:
            if self.questions[0][0] > leading.answered_round():
                break
            _, connection, question = self.questions.popleft()
            yield from self._answer(connection, question, now)
        self._push(now)

    def _outcome(self, append: AskAppend) -> LogReply | None:
        """Rule 1."""
        replica = self.replica
        if append.after.index < replica.sequence.cut.index:
            return self._behind(append.number, append.after)
        entry = self.what_follows(append.after)
        if entry is None or entry.id.index > replica.committed:
            return None
        if self.is_retry(append, entry):
            return AppendedIs(append.shard, append.number, entry.id, entry.checksum)
        return ConflictIs(append.shard, append.number, self.tail)

    def _answer(self, connection: str, question: Question, now: int) -> Effects:
        """Rule 2: answer a question whose round has come back."""
        shard, number, sequence = question.shard, question.number, self.replica.sequence
        match question:
            case AskTail():
                self.reply(connection, TailIs(shard, number, self.tail, sequence.checksum_at(self.replica.committed)))
            case AskRead(after=after, limit=limit):
                self.reply(
                    connection,
                    self._refusal(number, after) or self._entries(number, after.index, self._found(after.index, limit)),
                )
            case AskSubscription(after=after):
                if (refusal := self._refusal(number, after)) is not None:
                    self.reply(connection, refusal)
                else:
                    self.subscribers[connection] = Subscriber(number, after.index, 0)
            case AskAppend(after=after):
                if (refusal := self._refusal(number, after)) is not None:
                    self.reply(connection, refusal)
                else:  # it has become committed since
                    self.ask(connection, question)
            case AskTrim(upto=upto):
                ahead = upto.index > sequence.cut.index
                refusal = self._refusal(number, upto) if ahead else None
                if ahead and refusal is None:
                    yield from self.replica.trim(upto)
                self.reply(connection, refusal or TrimmedIs(shard, number, sequence.cut, sequence.cut_checksum))

    def _push(self, now: int) -> None:
        """Tell subscribers what was committed, or, if nothing was for a while, the tail."""
        tail = self.tail
        for connection, subscriber in list(self.subscribers.items()):
            overdue = has_passed(self.replica.config.beat_us, subscriber.told_us, now)
            while overdue or subscriber.index < tail.index:
                if subscriber.index < self.replica.sequence.cut.index:
                    id = EntryId(0, subscriber.index)
                    self.reply(connection, self._behind(subscriber.number, id))
                    del self.subscribers[connection]
                    break
                found = self._found(subscriber.index)
                self.reply(connection, self._entries(subscriber.number, subscriber.index, found))
                subscriber.index = found[-1].id.index if found else subscriber.index
                subscriber.told_us = now
                overdue = False

    def _found(self, index: int, limit: int = MANY) -> list[Entry]:
        """Committed entries behind a place: as many as fit into one message."""
        config = self.replica.config
        found = self.replica.sequence.shown_behind(index, self.replica.committed, min(limit, config.batch_entries))
        return batch(found, config.batch_entries, config.batch_bytes)

    def _entries(self, number: int, index: int, found: list[Entry]) -> EntriesAre:
        base = self.replica.sequence.checksum_at(index)
        return EntriesAre(self.replica.shard, number, self.tail, base, tuple(map(encode, found)))

    @property
    def tail(self) -> EntryId:
        """The last committed entry that users get to see."""
        return self.replica.sequence.tail(self.replica.committed)

    def _refusal(self, number: int, id: EntryId) -> RefusedIs | None:
        sequence = self.replica.sequence
        if id.index < sequence.cut.index:
            return self._behind(number, id)
        if id.index > self.replica.committed or not sequence.holds(id):
            reason = f"no entry {id} is committed; the last one is {self.tail}"
            return RefusedIs(self.replica.shard, number, "NOENTRY", reason)
        return None

    def _behind(self, number: int, id: EntryId) -> RefusedIs:
        reason = f"the log begins behind {self.replica.sequence.cut}, and {id} is before that: begin from a snapshot"
        return RefusedIs(self.replica.shard, number, "BEHIND", reason)

    # -- the end -----------------------------------------------------------------------------------------------------

    def closed(self, connection: str) -> None:
        """Nobody is there any more to be answered."""
        self.subscribers.pop(connection, None)
        self.appends = [waiting for waiting in self.appends if waiting[0] != connection]
        self.questions = deque(waiting for waiting in self.questions if waiting[1] != connection)

    def dismiss(self) -> None:
        """The replica leads no more: send everybody away."""
        for connection, append in self.appends:
            self.reply(connection, self._not_leader(append.number))
        for _, connection, question in self.questions:
            self.reply(connection, self._not_leader(question.number))
        for connection, subscriber in self.subscribers.items():
            self.reply(connection, self._not_leader(subscriber.number))
        self.appends.clear()
        self.questions.clear()
        self.subscribers.clear()

    def _not_leader(self, number: int) -> NotLeader:
        return NotLeader(self.replica.shard, number, self.replica.leader)


def _unfit(append: AskAppend) -> str:
    """Why such an entry cannot be in the log, or ""."""
    if append.kind not in KINDS:
        return f"no entry is of the kind {append.kind[:40]!r}: {', '.join(KINDS)} are"
    if len(append.body) > LARGEST_BODY:
        return f"an entry has {LARGEST_BODY} bytes at most, not {len(append.body)}: cut it into several"
    return "" if append.token else "an append needs a token, so that a retry can be told from another append"
