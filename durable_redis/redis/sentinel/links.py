"""A link: one sentinel's connection to one other process, the questions that wait for their answers, and patience.

RESP has no numbers on its messages: the first answer belongs to the first question.  So a link is a queue.  It is also
where silence is measured, with the four times of sentinel.c's `instanceLink`:

    pinged_us         the last PING was sent                                         last_ping_time
    silent_since_us   the oldest PING without a valid answer was sent; 0: none       act_ping_time
    answered_us       the last answer to a PING, valid or not                        last_pong_time
    available_us      the last valid answer to a PING                                last_avail_time

A valid answer is PONG, and also LOADING and MASTERDOWN: such a server cannot serve, but it is there.  A new link counts
as silent from the start, so that a machine which never answers is found out too.

What a link must not know: what the answers mean.  Whatever the peer sends, nothing here raises: bytes that are not
RESP, or an answer to no question, make the link `broken`, and a broken link is made anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from durable_redis.contract import Close, Connect, Effects, Send
from durable_redis.formats.resp import NEED_MORE, ErrorReply, ProtocolError, Reply, ReplyParser, Status, encode_command

PING_PERIOD_US = 1_000_000
RECONNECT_US = 1_000_000
"""How long a link waits before it tries again."""
CONNECT_PATIENCE_US = 3_000_000
"""How long an attempt may take.  (TCP would repeat its first segment after 1 s and 3 s; here one is sent.)"""
LINK_AGE_US = 15_000_000
"""A silent connection younger than this is kept (sentinel.c: SENTINEL_MIN_LINK_RECONNECT_PERIOD)."""
MOST_QUESTIONS = 100

_ALIVE_THOUGH_BUSY = ("LOADING", "MASTERDOWN")

Answer = tuple[str, Reply]
"""The kind of question, as it was asked, and the reply."""


class Link:
    """`questions` are the kinds of those asked and not answered, oldest first: "ping", "info", "hello" ..."""

    __slots__ = (
        "answered_us",
        "available_us",
        "broken",
        "connection",
        "opened_us",
        "parser",
        "peer",
        "pinged_us",
        "questions",
        "silent_since_us",
        "tried_us",
        "up",
    )

    def __init__(self, peer: str, now: int) -> None:
        self.peer = peer
        self.connection = ""  # its name, also while it is being made
        self.up = False
        self.broken = False
        self.tried_us = 0
        self.opened_us = 0
        self.pinged_us = 0
        self.silent_since_us = self.answered_us = self.available_us = now
        self.questions: deque[str] = deque()
        self.parser = ReplyParser()

    # -- the connection ----------------------------------------------------------------------------------------------

    def keep(self, now: int, down_after_us: int) -> Effects:
        """Give up a connection that is good for nothing, and make one if there is none."""
        if self.connection and self._is_useless(now, down_after_us):
            yield Close(self.connection)
            self.lost()
        if not self.connection and now - self.tried_us >= RECONNECT_US:
            self.tried_us = now
            self.connection = yield Connect(self.peer)

    def _is_useless(self, now: int, down_after_us: int) -> bool:
        if self.broken:
            return True
        if not self.up:
            return now - self.tried_us > CONNECT_PATIENCE_US
        # The peer's machine may have lost power, and come back: only a new connection would tell.
        # One that answers PING with an error is not available, and yet its connection is good.
        silent = self.silent_since_us and now - max(self.silent_since_us, self.answered_us) > down_after_us // 2
        return bool(silent) and now - self.opened_us > LINK_AGE_US

    def opened(self, now: int) -> None:
        self.up = True
        self.opened_us = now

    def lost(self) -> None:
        """The connection is gone, and with it every answer that was awaited."""
        self.connection = ""
        self.up = self.broken = False
        self.questions.clear()
        self.parser = ReplyParser()

    # -- questions and answers ---------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """A question can be asked."""
        return self.up and not self.broken and len(self.questions) < MOST_QUESTIONS

    def ask(self, question: str, argv: Sequence[bytes]) -> Effects:
        """Send a command; the answer will come with the word `question`."""
        assert self.up, f"{question!r} cannot be asked of {self.peer}: there is no connection"
        self.questions.append(question)
        yield Send(self.connection, encode_command(argv))

    def ping_if_due(self, now: int, period_us: int) -> Effects:
        if now - self.answered_us > period_us and now - self.pinged_us > period_us // 2:
            self.pinged_us = now
            self.silent_since_us = self.silent_since_us or now
            yield from self.ask("ping", [b"PING"])

    def received(self, data: bytes, now: int) -> list[Answer]:
        """The answers that these bytes complete.  Answers to PING are understood here, and returned all the same."""
        answers: list[Answer] = []
        self.parser.feed(data)
        while not self.broken:
            try:
                reply = self.parser.next()
            except ProtocolError:
                self.broken = True
                break
            if reply is NEED_MORE:
                break
            if not self.questions:
                self.broken = True
                break
            question = self.questions.popleft()
            if question == "ping":
                self._pinged(reply, now)
            answers.append((question, reply))
        return answers

    def _pinged(self, reply: Reply, now: int) -> None:
        self.answered_us = now
        if reply == Status(b"PONG") or (isinstance(reply, ErrorReply) and reply.code in _ALIVE_THOUGH_BUSY):
            self.available_us = now
            self.silent_since_us = 0

    def silence_us(self, now: int) -> int:
        """For how long nothing valid has been heard: 0 as long as every PING was answered."""
        if self.silent_since_us:
            return now - self.silent_since_us
        return 0 if self.up else now - self.available_us
