"""Asking the object store: a part of a node that has something to keep there, or to fetch.

Requests are sent in order and answered in order.  Every one of them may be done twice without harm, so one rule covers
all that can go wrong on the way: *if the answer does not come, make a new connection and ask again*, everything that
is unanswered, in the same order.  Whoever asks therefore gets an answer in the end, or waits for as long as the store
is gone; an error of the store (its disk) is an answer too.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Opened, Received, Send, SetTimer, TimerFired
from durable_redis.formats.resp import NEED_MORE, ProtocolError, Reply, ReplyParser, encode_command

STORE = "s3"
PATIENCE_US = 5_000_000
"""How long to wait for an answer before asking again, on a new connection."""
RETRY_US = 500_000
"""How long to wait before connecting anew when a connection was refused or lost."""


class Stored(NamedTuple):
    """An answer: what was asked ("GET", b"s1/released"), and the reply."""

    verb: str
    name: bytes
    reply: Reply


class StoreClient:
    """Answers come in the order of the questions; `take_answers` hands them over.  A node with several of these gives
    each a `timer` of its own."""

    def __init__(self, store: str = STORE, timer: str = "store") -> None:
        self.store = store
        self.timer = timer
        self._connection = ""  # its name, also while it is being made
        self._is_open = False
        self._parser = ReplyParser()
        self._asked: deque[list[bytes]] = deque()
        self._answers: list[Stored] = []

    # -- asking ------------------------------------------------------------------------------------------------------

    def put(self, name: bytes, content: bytes, now: int) -> Effects:
        yield from self._ask([b"PUT", name, content], now)

    def get(self, name: bytes, now: int) -> Effects:
        yield from self._ask([b"GET", name], now)

    def names(self, prefix: bytes, now: int) -> Effects:
        yield from self._ask([b"LIST", prefix], now)

    def delete(self, name: bytes, now: int) -> Effects:
        yield from self._ask([b"DELETE", name], now)

    @property
    def is_idle(self) -> bool:
        """Every question is answered."""
        return not self._asked

    def take_answers(self) -> list[Stored]:
        answers, self._answers = self._answers, []
        return answers

    def _ask(self, argv: list[bytes], now: int) -> Effects:
        self._asked.append(argv)
        if self._is_open:
            yield Send(self._connection, encode_command(argv))
        elif not self._connection:
            self._connection = yield Connect(self.store)
        if len(self._asked) == 1:
            yield SetTimer(self.timer, now + PATIENCE_US)

    # -- hearing -----------------------------------------------------------------------------------------------------

    def owns(self, event: Event) -> bool:
        """Whether this event is for `handle`."""
        if isinstance(event, TimerFired):
            return event.name == self.timer
        return isinstance(event, Opened | Received | Closed) and event.connection == self._connection != ""

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened():
                self._is_open = True
                for argv in self._asked:
                    yield Send(self._connection, encode_command(argv))
            case Received(data=data):
                yield from self._received(data, now)
            case Closed():
                self._lost()
                yield SetTimer(self.timer, now + RETRY_US)
            case TimerFired() if self._asked:
                if self._connection:
                    yield Close(self._connection)
                    self._lost()
                self._connection = yield Connect(self.store)
                yield SetTimer(self.timer, now + PATIENCE_US)

    def _received(self, data: bytes, now: int) -> Effects:
        self._parser.feed(data)
        try:
            while (reply := self._parser.next()) is not NEED_MORE and self._asked:
                argv = self._asked.popleft()
                self._answers.append(Stored(argv[0].decode(), argv[1], reply))
        except ProtocolError:  # nobody knows what it meant: ask again
            yield SetTimer(self.timer, now)
            return
        if self._asked:
            yield SetTimer(self.timer, now + PATIENCE_US)

    def _lost(self) -> None:
        self._connection, self._is_open, self._parser = "", False, ReplyParser()
