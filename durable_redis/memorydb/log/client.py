"""A node's way to the shared log: it finds who leads the log, asks until it is answered, and checks what it is told.

    log = LogClient("n1", "s1", ("log-a", "log-b", "log-c"), random)
    yield from log.connect(now)                                   # in boot
    if log.owns(event):                                           # in handle
        yield from log.handle(event, now)
        for answer in log.take_answers(): ...
    yield from log.append(DATA, body, after, now)

Its questions and answers are those of `answers.LogUser`.

There is one connection at a time, to the replica that leads as far as this client knows.  A replica that does not lead
says who does; one that says nothing for `silence_us`, or is gone, is left for the next.  On a new connection every
question without an answer is asked again, in order.  That is safe: an append carries its token, and all other questions
change nothing when they are asked twice.

Every entry is held against the running checksum; a push must continue where the last one ended.  What does not fit is
noted, not handed on, and asked for elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from durable_redis.contract import (
    Close,
    Closed,
    Connect,
    Effects,
    Event,
    Note,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.formats.resp import NEED_MORE, CommandParser, ProtocolError
from durable_redis.memorydb.log import messages
from durable_redis.memorydb.log.answers import Answer, Appended, Conflict, Entries, Refused, Tail, Trimmed, Unknown
from durable_redis.memorydb.log.config import has_passed
from durable_redis.memorydb.log.entries import EntryId, LogError, decode_all
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
    MessageError,
    NotLeader,
    Question,
    RefusedIs,
    TailIs,
    TrimmedIs,
)

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the client waits, in microseconds.  The figures are the model's own."""

    silence_us: int = 400_000  # for any word, while something is asked; longer than the log's heartbeat to subscribers
    retry_us: int = 50_000  # before asking again when nobody leads
    unknown_us: int = 1_000_000  # for the outcome of an append, before it is called unknown


class LogClient:
    """One node's use of one shard's log.  `target` is the replica that it asks at the moment."""

    def __init__(
        self, name: str, shard: str, peers: tuple[str, ...], random: Random, patience: Patience | None = None
    ) -> None:
        self.name = name
        self.shard = shard
        self.peers = peers
        self.random = random
        self.patience = patience or Patience()
        self.timer = f"log {shard}"
        self.target = peers[0]
        self._connection = ""
        self._left: deque[str] = deque(maxlen=8)  # connections that it has closed; something of them may still come
        self._up = False
        self._parser = CommandParser(messages.LIMITS)
        self._number = 0
        self._questions: dict[int, Question] = {}  # asked, and not answered
        self._appending = 0  # the number of the append among them; 0: none
        self._appending_since_us = 0
        self._said_unknown = False
        self._subscription: AskSubscription | None = None  # `after` is the last entry that was pushed
        self._pushed: int | None = None  # the checksum there, once it is known
        self._heard_us = 0
        self._fires_at_us = 0  # the timer; 0: it is not set
        self._pauses_since_us = 0  # since when it waits to leave for `_goal`; 0: it does not
        self._goal = ""  # "" is the next in turn
        self._hops = 0  # how often it was sent on since it heard anything else
        self._answers: list[Answer] = []

    # -- questions ---------------------------------------------------------------------------------------------------

    def append(self, kind: str, body: bytes, after: EntryId, now: int) -> Effects:
        """See `LogUser`.  The token is drawn here, once, and goes with every retry."""
        assert not self._appending, f"{self.name} has an append in flight: wait for its answer"
        self._appending, self._appending_since_us, self._said_unknown = self._number + 1, now, False
        token = f"{self.name}-{self.random.getrandbits(64):016x}"
        yield from self._ask(AskAppend(self.shard, self._next_number(), after, token, kind, body), now)

    def read(self, after: EntryId, limit: int, now: int) -> Effects:
        yield from self._ask(AskRead(self.shard, self._next_number(), after, limit), now)

    def tail(self, now: int) -> Effects:
        yield from self._ask(AskTail(self.shard, self._next_number()), now)

    def trim(self, upto: EntryId, now: int) -> Effects:
        yield from self._ask(AskTrim(self.shard, self._next_number(), upto), now)

    def subscribe(self, after: EntryId, now: int) -> Effects:
        self._pushed = None
        self._subscription = AskSubscription(self.shard, self._next_number(), after)
        yield from self._say(self._subscription, now)

    def take_answers(self) -> list[Answer]:
        answers, self._answers = self._answers, []
        return answers

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _ask(self, question: Question, now: int) -> Effects:
        self._questions[question.number] = question
        yield from self._say(question, now)

    def _say(self, question: Question, now: int) -> Effects:
        """Ask now if there is a way; if not, it is asked when there is."""
        if self._up:
            yield Send(self._connection, messages.encode(question))
        if len(self._questions) + (self._subscription is not None) == 1:
            self._heard_us = now  # silence counts from the first question on
        yield from self._set_timer(now)

    def asked_again(self, question: Question) -> Question:
        """What is sent when a question was not answered on another connection: the same."""
        return question

    # -- events ------------------------------------------------------------------------------------------------------

    def connect(self, now: int) -> Effects:
        """Begin with any of the replicas: it will say who leads."""
        yield from self._move(self.peers[self.random.randrange(len(self.peers))], now)

    def owns(self, event: Event) -> bool:
        if isinstance(event, TimerFired):
            return event.name == self.timer
        if not isinstance(event, Opened | Received | Closed):
            return False
        return event.connection == self._connection != "" or event.connection in self._left

    def handle(self, event: Event, now: int) -> Effects:
        """See `LogUser`."""
        if not isinstance(event, TimerFired) and getattr(event, "connection", "") in self._left:
            return
        match event:
            case Opened():
                yield from self._opened(now)
            case Received(data=data):
                self._heard_us = now
                yield from self._received(data, now)
            case Closed():
                self._connection, self._up = "", False
                self._goal, self._pauses_since_us = "", now
            case TimerFired():
                yield from self._timer_fired(now)
        yield from self._set_timer(now)

    def _opened(self, now: int) -> Effects:
        """Ask everything that is not answered, on the new connection."""
        self._up, self._heard_us = True, now
        again = [self.asked_again(question) for question in self._questions.values()]
        if self._subscription is not None:
            again.append(self._subscription)
        if again:
            yield Send(self._connection, b"".join(map(messages.encode, again)))

    def _timer_fired(self, now: int) -> Effects:
        self._fires_at_us = 0
        appends = self._appending and not self._said_unknown
        if appends and has_passed(self.patience.unknown_us, self._appending_since_us, now):
            self._said_unknown = True
            self._answers.append(Unknown())
        silent = self._waits and has_passed(self.patience.silence_us, self._heard_us, now)
        moves = self._pauses_since_us and has_passed(self.patience.retry_us, self._pauses_since_us, now)
        if silent or moves:
            yield from self._move(self._goal if moves else "", now)

    @property
    def _waits(self) -> bool:
        """It expects to hear something."""
        return bool(self._questions) or self._subscription is not None

    def _set_timer(self, now: int) -> Effects:
        """One timer for all: the next moment at which patience may be over.  One that is set is not put off: it looks
        when it fires, and patience is prolonged by every answer."""
        due = [self._pauses_since_us + self.patience.retry_us] if self._pauses_since_us else []
        if self._waits:
            due.append(self._heard_us + self.patience.silence_us)
        if self._appending and not self._said_unknown:
            due.append(self._appending_since_us + self.patience.unknown_us)
        if due and not 0 < self._fires_at_us <= min(due):
            self._fires_at_us = max(now, min(due))
            yield SetTimer(self.timer, self._fires_at_us)

    # -- finding the leader ------------------------------------------------------------------------------------------

    def _move(self, target: str, now: int) -> Effects:
        """Leave the present connection, if there is one, and ask for one to this replica, or to the next in turn."""
        if self._connection:
            self._left.append(self._connection)
            yield Close(self._connection)
        self.target = target or self.peers[(self.peers.index(self.target) + 1) % len(self.peers)]
        self._up, self._heard_us = False, now
        self._goal, self._pauses_since_us = "", 0
        self._parser = CommandParser(messages.LIMITS)
        self._connection = yield Connect(self.target)

    def _redirected(self, leader: str, now: int) -> Effects:
        """The replica does not lead.  Go where it points, but not round and round while nobody knows."""
        self._hops += 1
        goal = leader if leader in self.peers and leader != self.target else ""
        if goal and self._hops <= len(self.peers):
            yield from self._move(goal, now)
        elif not self._pauses_since_us:
            self._goal, self._pauses_since_us, self._hops = goal, now, 0

    # -- answers -----------------------------------------------------------------------------------------------------

    def _received(self, data: bytes, now: int) -> Effects:
        connection = self._connection
        self._parser.feed(data)
        try:
            while connection == self._connection and (words := self._parser.next()) is not NEED_MORE:
                reply = messages.decode(words, messages.REPLIES)
                assert isinstance(reply, LogReply)
                yield from self._replied(reply, now)
        except (ProtocolError, MessageError, LogError) as error:
            yield Note("log answer damaged", {"shard": self.shard, "from": self.target, "why": str(error)})
            yield from self._move("", now)

    def _replied(self, reply: LogReply, now: int) -> Effects:
        """Hand a reply on, unless it is about nothing that is asked.  Raises LogError."""
        subscription = self._subscription
        if isinstance(reply, NotLeader):
            yield from self._redirected(reply.leader, now)
            return
        self._hops = 0
        if subscription is not None and reply.number == subscription.number:
            self._take_push(subscription, reply)
        elif reply.number in self._questions:
            self._answers.append(self._answer_of(reply))
            del self._questions[reply.number]
            if reply.number == self._appending:
                self._appending = 0

    def _take_push(self, subscription: AskSubscription, reply: LogReply) -> None:
        answer = self._answer_of(reply)
        if isinstance(answer, Refused):
            answer = replace(answer, pushed=True)
            self._subscription = None
        elif isinstance(answer, Entries):
            if self._pushed not in (None, answer.base):
                raise LogError(f"a push from {self.target}", 0, f"it does not continue from {subscription.after}")
            answer = replace(answer, pushed=True)
            last = answer.entries[-1] if answer.entries else None
            self._pushed = last.checksum if last else answer.base
            self._subscription = replace(subscription, after=last.id) if last else subscription
        self._answers.append(answer)

    def _answer_of(self, reply: LogReply) -> Answer:
        """What the words mean to the user of the log.  Raises LogError."""
        match reply:
            case AppendedIs(id=id, checksum=checksum):
                return Appended(id, checksum)
            case ConflictIs(tail=tail):
                return Conflict(tail)
            case EntriesAre(tail=tail, base=base, entries=frames):
                return Entries(decode_all(frames, base, f"{reply.verb} from {self.target}"), tail, base)
            case TailIs(id=id, checksum=checksum):
                return Tail(id, checksum)
            case TrimmedIs(cut=cut, checksum=checksum):
                return Trimmed(cut, checksum)
            case RefusedIs(code=code, reason=reason):
                return Refused(code, reason)
        raise MessageError(f"{reply.verb} is no answer")
