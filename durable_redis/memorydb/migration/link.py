"""The source's connection to the primary of the target, over which a migration runs.

    the source says, and the target answers at once +OK, "I have heard it", or with an error:
    MIGRATION BEGIN s1 17 5000                              source, number, slots
    MIGRATION DATA s1 17 <commands>                         to be executed and logged, all or nothing of them
    MIGRATION PREPARE s1 17 5000 8f0e... 1700000001000      a checksum; keys that expire up to then are not in it
    MIGRATION COMMIT s1 17 5000
    MIGRATION ABANDON s1 17 5000

    and the target says when its log has got something: ["migration", number, "begun" | "prepared" | "closed"]

The law of this file: it finds whoever leads the target, and notices when nobody is there; what to say, and what follows
from an answer, is the affair of `source`.  Every message but DATA may be said again, on another connection,
and to another node: they say what is wanted, and not what is to be changed.

How the real service talks between shards is not published: these words are the model's own.
"""

from __future__ import annotations

from typing import NamedTuple

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Opened, Received, Send, TimerFired
from durable_redis.formats.resp import NEED_MORE, ErrorReply, ProtocolError, ReplyParser, encode_command
from durable_redis.memorydb.shards import Shards

SILENCE_US = 1_000_000
"""A node that says nothing for so long although it was asked, or does not even open the connection, is left."""
RETRY_US = 100_000
"""How long to wait before the next node is tried."""


class Word(NamedTuple):
    """What the target has in its log about the migration of this number."""

    number: int
    phase: str


class MigrationLink:
    """`outstanding` is the number of messages that nobody has answered yet."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self.peer = ""
        self.is_open = False
        self.outstanding = 0
        self._connection = ""
        self._goal = ""  # whom somebody has named as the primary
        self._parser = ReplyParser()
        self._since_us = 0  # the last sign of the peer, or what it should answer was said
        self._asked_us = 0  # when the last message was sent that is no data; 0: not yet
        self._retry_us = 0
        self._words: list[Word | ErrorReply] = []

    # -- finding the target ------------------------------------------------------------------------------------------

    def reach(self, target: str, now: int) -> Effects:
        """See to it that there is a connection to a node of this shard, and leave one that is silent."""
        waits = self.outstanding > 0 or not self.is_open
        if self._connection and waits and now - self._since_us >= SILENCE_US:
            yield from self._leave(now)
        if not self._connection and now >= self._retry_us:
            self.peer, self._goal = self._goal or self._next(target), ""
            self._connection = yield Connect(self.peer)
            self._since_us = now

    def _next(self, target: str) -> str:
        """At first whoever leads there, as far as one has heard; if that was in vain, one after the other."""
        shard = self.shards.named(target)
        if self.peer not in shard.nodes:
            return self.shards.leader_of(shard)
        return shard.nodes[(shard.nodes.index(self.peer) + 1) % len(shard.nodes)]

    def _leave(self, now: int) -> Effects:
        yield Close(self._connection)
        self._lost(now)

    def _lost(self, now: int) -> None:
        self._connection, self.is_open, self.outstanding, self._asked_us = "", False, 0, 0
        self._parser = ReplyParser()
        self._retry_us = now + RETRY_US

    def close(self) -> Effects:
        """The migration is over, or is somebody else's affair."""
        if self._connection:
            yield Close(self._connection)
        self._lost(0)
        self.peer, self._retry_us, self._words = "", 0, []

    # -- talking -----------------------------------------------------------------------------------------------------

    def may_ask(self, now: int, every_us: int) -> bool:
        """Whether it is time to say, or to say again, what is wanted."""
        return self.is_open and (not self._asked_us or now - self._asked_us >= every_us)

    def ask_anew(self) -> None:
        """What was said does not count any more: something else is wanted now."""
        self._asked_us = 0

    def say(self, words: list[bytes], now: int, is_data: bool = False) -> Effects:
        if not self.outstanding:
            self._since_us = now
        if not is_data:
            self._asked_us = now
        self.outstanding += 1
        yield Send(self._connection, encode_command([b"MIGRATION", *words]))

    def owns(self, event: Event) -> bool:
        """This event is for `handle`."""
        if isinstance(event, Opened | Received | Closed):
            return event.connection == self._connection != ""
        return False

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened():
                self.is_open, self._since_us = True, now
            case Closed():
                self._lost(now)
            case Received(data=data):
                self._since_us = now
                yield from self._received(data, now)
            case TimerFired():
                raise AssertionError(f"no timer is of the link: {event}")

    def _received(self, data: bytes, now: int) -> Effects:
        self._parser.feed(data)
        connection = self._connection
        try:
            while connection == self._connection and (reply := self._parser.next()) is not NEED_MORE:
                match reply:
                    case [b"migration", int(number), bytes(phase)]:
                        self._words.append(Word(number, phase.decode("ascii", "replace")))
                    case ErrorReply(code="REDIRECT"):
                        self._goal = reply.text.split()[-1].rpartition(":")[0]
                        yield from self._leave(now)
                        self._retry_us = now
                    case _:
                        self.outstanding -= 1
                        if isinstance(reply, ErrorReply):
                            self._words.append(reply)
        except ProtocolError:  # nobody knows what it meant: ask again, elsewhere
            yield from self._leave(now)

    def take_words(self) -> list[Word | ErrorReply]:
        """What was said since the last time, in order."""
        words, self._words = self._words, []
        return words
