"""A managed service's hand on its nodes: it watches them, promotes a replica when the primary is silent, and tells
clients where the primary is.

Modelled after ElastiCache with Multi-AZ (AWS, "Minimizing downtime in ElastiCache with Multi-AZ"): when the primary
fails, *the replica with the least replication lag* is promoted, the primary endpoint comes to point at it, and the
failed node is replaced by one that starts cold and follows.  What is inside the service is not published, so the rest
is the model's own: one watcher, outside the zones and never at fault; a fixed time of silence; INFO as the question.

    every `ask_ms`                 INFO replication, to every node
    silent for `detection_ms`      the primary has failed
    promote                        REPLICAOF NO ONE, to the replica that is furthest
    it says that it is a primary   ENDPOINT answers its name from now on
    everybody else                 REPLICAOF, whenever INFO says that they follow somebody else, or nobody

How far a replica is, INFO says (`slave_repl_offset`) also after its link has broken, which ROLE does not: and just then
a replica is chosen.  A primary that says it is a replica has failed as well: it was promoted once, and its node has
been replaced meanwhile by one that starts as the configuration says.

It asks nobody for consent, and it cannot tell a dead primary from one that only it does not reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from durable_redis.contract import (
    Close,
    Closed,
    Connect,
    Effects,
    Event,
    Note,
    Opened,
    Received,
    Remove,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.formats.resp import (
    NEED_MORE,
    ErrorReply,
    ProtocolError,
    Reply,
    ReplyParser,
    encode_command,
    strict_integer,
)
from durable_redis.redis.config import DEFAULT_PORT
from durable_redis.redis.responder import Answering, Responder
from durable_redis.redis.server import RedisServer

if TYPE_CHECKING:
    from random import Random

TICK = "tick"
ASK = (b"INFO", b"replication")


@dataclass(frozen=True, slots=True)
class ManagedConfig:
    """The nodes, the first of them the primary at first; times in milliseconds, both the model's own."""

    nodes: tuple[str, ...] = ("n1",)
    detection_ms: int = 10_000
    ask_ms: int = 1_000


@dataclass(slots=True)
class Watched:
    """One node, as the watcher knows it from its last answer."""

    name: str
    heard_us: int
    connection: str = ""
    is_open: bool = False
    role: str = ""  # "master" or "slave"
    primary: str = ""  # whom it follows, if it does
    offset: int = 0
    asked: bool = False  # a question is not answered
    parser: ReplyParser = field(default_factory=ReplyParser)

    def lost(self) -> None:
        """The connection is gone, and with it the answer that was awaited."""
        self.connection, self.is_open, self.asked = "", False, False


class Endpoint:
    """A node of the contract: the watcher, and the name under which clients find the primary."""

    def __init__(self, random: Random, config: ManagedConfig) -> None:
        self.config = config
        self.primary = config.nodes[0]
        self.promoting = ""  # has been told to become the primary
        self.nodes = {name: Watched(name, 0) for name in config.nodes}
        self._responder = Responder(self._answer)  # to clients

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        for node in self.nodes.values():
            node.heard_us = now
        yield from self._tick(now)

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened(connection=connection, outgoing=True):
                if (node := self._node(connection)) is not None:
                    node.is_open = True
                    yield from self._say(node, *ASK)
            case Received(connection=connection, data=data) if (node := self._node(connection)) is not None:
                yield from self._received(node, data, now)
            case Closed(connection=connection) if (node := self._node(connection)) is not None:
                node.lost()
            case TimerFired():
                yield from self._tick(now)
            case _:
                yield from self._responder.handle(event)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {
            "role": "endpoint",
            "primary": self.primary,
            "promoting": self.promoting,
            "offsets": {node.name: node.offset for node in self.nodes.values()},
        }

    # -- watching ----------------------------------------------------------------------------------------------------

    def _tick(self, now: int) -> Effects:
        """Ask everybody; then see who has been silent for too long."""
        for node in self.nodes.values():
            if not node.connection:
                node.parser = ReplyParser()
                node.connection = yield Connect(node.name)
            elif self._is_silent(node, now):  # perhaps another connection gets through
                yield Close(node.connection)
                node.lost()
            elif node.is_open and not node.asked:
                yield from self._say(node, *ASK)
        if self._is_silent(self.nodes[self.promoting or self.primary], now):
            yield from self._promote(now)
        yield SetTimer(TICK, now + self.config.ask_ms * 1000)

    def _is_silent(self, node: Watched, now: int) -> bool:
        return now - node.heard_us >= self.config.detection_ms * 1000

    def _received(self, node: Watched, data: bytes, now: int) -> Effects:
        connection = node.connection
        node.parser.feed(data)
        try:
            while node.connection == connection and (reply := node.parser.next()) is not NEED_MORE:
                yield from self._heard(node, reply, now)
        except ProtocolError:  # nobody knows what it meant: ask again, on another connection
            yield Close(connection)
            node.lost()

    def _heard(self, node: Watched, reply: Reply, now: int) -> Effects:
        """An answer to INFO (or the OK to a REPLICAOF, after which INFO is asked again)."""
        node.asked = False
        if not isinstance(reply, bytes):
            if not isinstance(reply, ErrorReply):
                yield from self._say(node, *ASK)
            return
        fields = dict(line.partition(b":")[::2] for line in reply.splitlines())
        role, primary = fields.get(b"role", b""), fields.get(b"master_host", b"")
        offset = strict_integer(fields.get(b"slave_repl_offset", fields.get(b"master_repl_offset", b"")))
        if role not in (b"master", b"slave") or offset is None or not primary.isascii():
            return  # it does not say what it is: as good as silent
        node.heard_us = now
        node.role, node.primary, node.offset = role.decode(), primary.decode(), offset
        if node.name == self.promoting and node.role == "master":
            yield Note("switch", {"old": self.primary, "new": node.name})
            self.primary, self.promoting = node.name, ""
        elif node.name == self.promoting:
            yield from self._say(node, b"REPLICAOF", b"NO", b"ONE")
        elif node.name == self.primary and node.role == "slave" and not self.promoting:
            yield from self._promote(now)
        elif node.name != self.primary and node.primary != self.primary and not self.promoting:
            yield Note("demoted", {"node": node.name, "primary": self.primary})
            yield from self._say(node, b"REPLICAOF", self.primary.encode(), b"%d" % DEFAULT_PORT)

    def _promote(self, now: int) -> Effects:
        """The primary has failed: choose the replica with the least lag, the first of several."""
        alive = [n for n in self.nodes.values() if n.role == "slave" and not self._is_silent(n, now) and n.is_open]
        if not alive:
            return
        best = max(alive, key=lambda node: node.offset)
        self.promoting = best.name
        offsets = {node.name: node.offset for node in alive}
        yield Note("promoting", {"replica": best.name, "failed": self.primary, "offsets": offsets})
        if not best.asked:
            yield from self._say(best, b"REPLICAOF", b"NO", b"ONE")

    def _say(self, node: Watched, *argv: bytes) -> Effects:
        node.asked = True
        yield Send(node.connection, encode_command(list(argv)))

    def _node(self, connection: str) -> Watched | None:
        return next((node for node in self.nodes.values() if node.connection == connection), None)

    # -- answering ---------------------------------------------------------------------------------------------------

    def _answer(self, argv: list[bytes]) -> Answering:
        yield from ()
        if argv[0].upper() == b"ENDPOINT":
            return self.primary.encode()
        return ErrorReply("ERR the endpoint knows one command: ENDPOINT")


class ColdServer(RedisServer):
    """A server on a node that is replaced when it fails: it finds nothing on its disk, and starts empty."""

    def boot(self, now: int) -> Effects:
        yield Remove(self.config.dbfilename)  # such as what it had once received from its primary
        yield from super().boot(now)
