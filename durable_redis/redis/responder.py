"""A responder: the part of a node that answers whoever connects, each request at once and in order.

The smallest programs of a room are no Redis and speak its protocol all the same: the endpoint of a managed service, the
object store, the snapshotter.  What they answer is their own affair.  That bytes come in pieces, and that who sends
what is no request is told so and hung up on, is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from durable_redis.contract import Close, Closed, Effect, Effects, Event, Opened, Received, Send
from durable_redis.formats.resp import NEED_MORE, CommandParser, ErrorReply, ProtocolError, Reply, encode

Answering: TypeAlias = Generator[Effect, Any, Reply]
"""The effects that an answer takes, and the answer."""


class Responder:
    """The connections that others made to this node.  `answer` is asked for the reply to each request."""

    def __init__(self, answer: Callable[[list[bytes]], Answering]) -> None:
        self._answer = answer
        self._parsers: dict[str, CommandParser] = {}

    def handle(self, event: Event) -> Effects:
        """React to what happens on a connection that somebody made; any other event is passed over."""
        match event:
            case Opened(connection=connection, outgoing=False):
                self._parsers[connection] = CommandParser()
            case Received(connection=connection, data=data) if connection in self._parsers:
                yield from self._received(connection, self._parsers[connection], data)
            case Closed(connection=connection):
                self._parsers.pop(connection, None)

    def _received(self, connection: str, parser: CommandParser, data: bytes) -> Effects:
        parser.feed(data)
        try:
            while (argv := parser.next()) is not NEED_MORE:
                reply = yield from self._answer(argv)
                yield Send(connection, encode(reply))
        except ProtocolError as error:
            yield Send(connection, encode(ErrorReply(f"ERR {error}")))
            yield Close(connection)
            del self._parsers[connection]
