"""A client: it waits for each answer before it sends the next command, and remembers what it was told.

For each operation it knows one of three things, as any honest client does: *ok*, it was answered; *failed*, it was
answered with an error, and so definitely did not happen; *unknown*, the connection broke or the time ran out before the
answer, and nobody knows.  The client never repeats an operation, except where a server refused it and named the right
one (MOVED).

A write may ask for copies: SET, and after its OK, WAIT.  It is ok if so many replicas had executed it in time; if not,
it is unknown, for the server has executed it, will not take it back, and has not said that it is safe.

It is a node of the contract like any other, on a machine of its own.  Where its servers are, its `routing` knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from durable_redis.formats.resp import NEED_MORE, ErrorReply, ProtocolError, Reply, ReplyParser, encode_command
from durable_redis.lab.routing import Advice, Hop, Routing

ALARM = "alarm"
RETRY_US = 50_000
"""How long a client waits before it tries to connect again."""
TIMEOUT_US = 1_000_000
"""How long it waits for a connection, and for an answer."""
OPERATOR_TIMEOUT_US = 5_000_000
"""How long a person waits for an answer: some commands take their time (WAIT, WAITAOF, FAILOVER)."""
MOST_REDIRECTIONS = 5
"""So often it follows a MOVED for one operation (redis-py's and Jedis's number)."""


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
    node: str = ""  # to which it was sent, the last one if it was redirected
    to: str = ""  # the only node that it is for; otherwise the routing says
    wait: tuple[int, int] | None = None  # WAIT for so many replicas, so many ms
    confirming: bool = False  # the write was answered, and WAIT was not yet
    copies: int | None = None  # what WAIT answered
    redirections: int = 0

    @property
    def sent(self) -> bool:
        return self.sent_us is not None


@dataclass(slots=True)
class Link:
    """A connection to one machine."""

    peer: str
    connection: str
    is_open: bool = False
    parser: ReplyParser = field(default_factory=ReplyParser)
    commands: int = 0


class Client:
    """Sends its planned operations, one at a time, none before it is due."""

    def __init__(self, name: str, routing: Routing, timeout_us: int = TIMEOUT_US) -> None:
        self.name = name
        self.routing = routing
        self.timeout_us = timeout_us  # for an answer
        self.operations: list[Operation] = []  # all, in the order in which they were planned
        self.planned: deque[Operation] = deque()
        self.waiting: Operation | None = None  # sent, not answered
        self.links: dict[str, Link] = {}  # by the machine they lead to
        self.acknowledged = 0
        self._link: Link | None = None  # the one that is being opened, or waits for an answer, or did so last
        self._question: Hop | None = None  # asked on it, not answered
        self._deadline_us = 0  # of the answer, or of the connection; without a link, until then it does not try
        self._arrived = False  # it has found a server before
        self._hangs_up_on: list[str] = []

    def plan(
        self, argv: list[bytes], due_us: int, paced: bool = True, to: str = "", wait: tuple[int, int] | None = None
    ) -> Operation:
        """Add an operation; the client takes notice at its next event."""
        operation = Operation(len(self.operations) + 1, argv, due_us, paced=paced, to=to, wait=wait)
        self.operations.append(operation)
        self.planned.append(operation)
        return operation

    def plan_now(self, argv: list[bytes], now_us: int, to: str = "") -> Operation:
        """Add an operation that comes before all that are not due yet."""
        operation = self.plan(argv, now_us, to=to)
        later = [self.planned.pop()]
        while self.planned and self.planned[-1].due_us > now_us:
            later.append(self.planned.pop())
        self.planned += [later[0], *reversed(later[1:])]
        return operation

    def hang_up(self, peers: list[str]) -> None:
        """At the next event, leave these connections: a person who starts `redis-cli` again."""
        self._hangs_up_on = peers if self.waiting is None else []

    @property
    def idle(self) -> bool:
        """Nothing is planned, and nothing waits for an answer."""
        return not self.planned and self.waiting is None

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        yield from self._connect(self.routing.next(()).peer, now)

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Received(connection=connection, data=data):
                yield from self._received(connection, data, now)
            case Opened(connection=connection):
                for link in self.links.values():
                    link.is_open |= link.connection == connection
            case Closed(connection=connection):
                for link in [link for link in self.links.values() if link.connection == connection]:
                    self._lost(link)
                    if link is self._link or self._link is None:
                        self._link = None
                        self._deadline_us = now + RETRY_US
            case TimerFired() if self._link is not None and now >= self._deadline_us and self._expects:
                yield from self._drop(self._link)
                self._link = None
        yield from self._go_on(now)

    def before_sleep(self, now: int) -> Effects:
        return
        yield

    def view(self) -> Mapping[str, Any]:
        return {
            "role": "client",
            "connected": self._link is not None and self._link.is_open,
            "server": self._link.peer if self._link is not None else "",
            "waiting": self.waiting.number if self.waiting else 0,
            "planned": len(self.planned),
            "acknowledged": self.acknowledged,
        }

    # -- going on ----------------------------------------------------------------------------------------------------

    @property
    def _expects(self) -> bool:
        """Whether something is to happen on the link: it opens, or an answer comes."""
        unopened = self._link is not None and not self._link.is_open
        return self.waiting is not None or self._question is not None or unopened

    def _go_on(self, now: int) -> Effects:
        """Take the next hop, or send the next operation if it is due; set the alarm for whatever comes next."""
        for link in [self.links[peer] for peer in self._hangs_up_on if peer in self.links]:
            yield from self._drop(link)
            self._link = None
            self._deadline_us = now
        self._hangs_up_on = []
        due = self.planned[0] if self.planned and self.planned[0].due_us <= now else None
        wants = due is not None or self.routing.stays or not self._arrived
        if wants and not self._expects and (self._link is not None or now >= self._deadline_us):
            yield from self._take(due, now)
        if self._expects or (self._link is None and wants):
            yield SetTimer(ALARM, self._deadline_us)
        elif self.planned:
            yield SetTimer(ALARM, self.planned[0].due_us)

    def _take(self, due: Operation | None, now: int) -> Effects:
        """The next hop: make its link, or put its question, or, having arrived, send the operation that is due."""
        hop = Hop(due.to) if due is not None and due.to else self.routing.next(due.argv if due is not None else ())
        link = self._link = self.links.get(hop.peer)
        if link is None:
            yield from self._connect(hop.peer, now)
        elif hop.question:
            self._question = hop
            yield from self._send(link, hop.question, now + TIMEOUT_US)
        elif due is not None:
            self._arrived = True
            operation = self.waiting = self.planned.popleft()
            if operation.sent_us is None:  # else it was redirected
                operation.sent_us = now
            operation.connection, operation.command, operation.node = link.connection, link.commands + 1, link.peer
            yield from self._send(link, operation.argv, now + self.timeout_us)
        else:
            self._arrived = True

    def _connect(self, peer: str, now: int) -> Effects:
        connection = yield Connect(peer)
        self._link = self.links[peer] = Link(peer, connection)
        self._deadline_us = now + TIMEOUT_US

    def _send(self, link: Link, argv: tuple[bytes, ...] | list[bytes], deadline_us: int) -> Effects:
        link.commands += 1
        self._deadline_us = deadline_us
        yield Send(link.connection, encode_command(list(argv)))

    # -- what comes of it --------------------------------------------------------------------------------------------

    def _received(self, connection: str, data: bytes, now: int) -> Effects:
        link = next((link for link in self.links.values() if link.connection == connection), None)
        if link is None:
            return
        link.parser.feed(data)
        while self.links.get(link.peer) is link:
            try:
                reply = link.parser.next()
            except ProtocolError:
                yield from self._leave(link, now)
                return
            if reply is NEED_MORE:
                return
            if self._question is not None:
                yield from self._told(link, reply, now)
            elif self.waiting is not None:
                yield from self._answered(link, reply, now)
            else:
                yield from self._leave(link, now)

    def _leave(self, link: Link, now: int) -> Effects:
        """What comes there is no answer to anything: a stream, as after SYNC and PSYNC."""
        yield from self._drop(link)
        if link is self._link:
            self._link = None
            self._deadline_us = now + RETRY_US

    def _told(self, link: Link, reply: Reply, now: int) -> Effects:
        """The answer to a question of the routing.  Who has given directions is left, unless it is the server."""
        self._question = None
        further = self.routing.told(link.peer, reply)
        if not further or self.routing.next(()).peer != link.peer:
            yield Close(link.connection)
            del self.links[link.peer]
            self._link = None
            self._deadline_us = now if further else now + RETRY_US

    def _answered(self, link: Link, reply: Reply, now: int) -> Effects:
        operation = self.waiting
        assert operation is not None, f"an answer that nobody waits for: {reply!r}"
        advice = self.routing.refused(link.peer, reply) if isinstance(reply, ErrorReply) else Advice.FINAL
        if advice is Advice.AGAIN and not operation.to and operation.redirections < MOST_REDIRECTIONS:
            operation.redirections += 1
            self.waiting = None
            self.planned.appendleft(operation)
            return
        if operation.wait is not None and not operation.confirming and not isinstance(reply, ErrorReply):
            operation.reply, operation.confirming = reply, True
            replicas, milliseconds = operation.wait
            words = [b"WAIT", b"%d" % replicas, b"%d" % milliseconds]
            yield from self._send(link, words, now + milliseconds * 1000 + self.timeout_us)
            return
        self._concluded(operation, reply, now)
        if advice is Advice.LEAVE and not operation.to:
            yield Close(link.connection)
            del self.links[link.peer]
            self._link = None
            self._deadline_us = now + RETRY_US

    def _concluded(self, operation: Operation, reply: Reply, now: int) -> None:
        operation.answered_us = now
        if operation.confirming:
            operation.copies = reply if isinstance(reply, int) else 0
            enough = operation.wait is not None and operation.copies >= operation.wait[0]
            operation.outcome = "ok" if enough else "unknown"
        else:
            operation.reply = reply
            operation.outcome = "failed" if isinstance(reply, ErrorReply) else "ok"
        self.acknowledged += operation.outcome == "ok"
        self.waiting = None

    def _drop(self, link: Link) -> Effects:
        yield Close(link.connection)
        self._lost(link)

    def _lost(self, link: Link) -> None:
        """The connection is gone, and with it the answer."""
        del self.links[link.peer]
        self.routing.lost(link.peer)
        if link is self._link:
            self._question = None
            if self.waiting is not None:
                self.waiting.outcome = "unknown"
                self.waiting = None
