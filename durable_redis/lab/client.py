"""A client: it waits for each answer before it sends the next command, and remembers what it was told.

For each operation it knows one of three things, as any honest client does: *ok*, it was answered; *failed*, it was
answered with an error, and so definitely did not happen; *unknown*, the connection broke or the time ran out before the
answer, and nobody knows.  The client never repeats an operation.

It is a node of the contract like any other, on a machine of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from durable_redis.contract import (
    Close,
    Closed,
    Connect,
    Effects,
    Event,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.formats.resp import NEED_MORE, ErrorReply, Reply, ReplyParser, encode_command

ALARM = "alarm"
RETRY_US = 50_000
"""How long a client waits before it tries to connect again."""
TIMEOUT_US = 1_000_000
"""How long it waits for an answer."""


@dataclass(slots=True)
class Operation:
    """One command, from the client's side.  Times are on the client's clock, in microseconds."""

    number: int
    argv: list[bytes]
    due_us: int
    sent_us: int | None = None
    answered_us: int | None = None
    outcome: str = "waiting"  # then "ok", "failed" or "unknown"
    reply: Reply = None
    connection: str = ""
    command: int = 0  # how many commands this connection had carried, this one included
    paced: bool = True  # it was to be sent at `due_us`, not merely as soon as possible

    @property
    def sent(self) -> bool:
        return self.sent_us is not None


class Client:
    """Sends its planned operations to one server, one at a time, none before it is due."""

    def __init__(self, name: str, server: str) -> None:
        self.name = name
        self.server = server
        self.operations: list[Operation] = []  # all, in the order in which they were planned
        self.planned: deque[Operation] = deque()
        self.waiting: Operation | None = None  # sent, not answered
        self.connection = ""
        self.connected = False
        self.acknowledged = 0
        self._parser = ReplyParser()
        self._commands = 0
        self._deadline_us = 0  # of the answer, or of the connection
        self._hangs_up = False

    def plan(self, argv: list[bytes], due_us: int, paced: bool = True) -> Operation:
        """Add an operation; the client takes notice at its next event."""
        operation = Operation(len(self.operations) + 1, argv, due_us, paced=paced)
        self.operations.append(operation)
        self.planned.append(operation)
        return operation

    def hang_up(self) -> None:
        """At the next event, leave the connection and make a new one: a person who starts `redis-cli` again."""
        self._hangs_up = self.waiting is None

    @property
    def idle(self) -> bool:
        """Nothing is planned, and nothing waits for an answer."""
        return not self.planned and self.waiting is None

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        yield from self._connect(now)

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Received(data=data):
                self._parser.feed(data)
                while (reply := self._parser.next()) is not NEED_MORE:
                    self._answered(reply, now)
            case Opened():
                self.connected = True
            case Closed(connection=connection) if connection == self.connection:
                self._lost()
                self._deadline_us = now + RETRY_US
            case TimerFired() if self.connection and now >= self._deadline_us and (self.waiting or not self.connected):
                yield Close(self.connection)
                self._lost()
        yield from self._go_on(now)

    def before_sleep(self, now: int) -> Effects:
        return
        yield

    def view(self) -> Mapping[str, Any]:
        return {
            "role": "client",
            "connected": self.connected,
            "waiting": self.waiting.number if self.waiting else 0,
            "planned": len(self.planned),
            "acknowledged": self.acknowledged,
        }

    # -- inside ------------------------------------------------------------------------------------------------------

    def _go_on(self, now: int) -> Effects:
        """Send the next operation if it is due and nothing waits; set the alarm for whatever comes next."""
        if self._hangs_up and self.connection:
            yield Close(self.connection)
            self._lost()
            self._deadline_us = now
        self._hangs_up = False
        if not self.connection:
            if now >= self._deadline_us:
                yield from self._connect(now)
        elif self.connected and self.waiting is None and self.planned and self.planned[0].due_us <= now:
            operation = self.waiting = self.planned.popleft()
            self._commands += 1
            operation.sent_us, operation.connection, operation.command = now, self.connection, self._commands
            self._deadline_us = now + TIMEOUT_US
            yield Send(self.connection, encode_command(operation.argv))
        if self.waiting is not None or not self.connected:
            yield SetTimer(ALARM, self._deadline_us)
        elif self.planned:
            yield SetTimer(ALARM, self.planned[0].due_us)

    def _connect(self, now: int) -> Effects:
        self.connection = yield Connect(self.server)
        self._parser = ReplyParser()
        self._commands = 0
        self._deadline_us = now + TIMEOUT_US

    def _answered(self, reply: Reply, now: int) -> None:
        operation = self.waiting
        assert operation is not None, f"an answer that nobody waits for: {reply!r}"
        operation.answered_us, operation.reply = now, reply
        operation.outcome = "failed" if isinstance(reply, ErrorReply) else "ok"
        self.acknowledged += operation.outcome == "ok"
        self.waiting = None

    def _lost(self) -> None:
        """The connection is gone, and with it the answer."""
        if self.waiting is not None:
            self.waiting.outcome = "unknown"
            self.waiting = None
        self.connection = ""
        self.connected = False
