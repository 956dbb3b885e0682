"""Those who ask a sentinel: clients that look for the primary, operators, and the other sentinels.

As in the server, replies wait until the batch is over; a reply that tells of a vote waits for the disk (`todo`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_redis.contract import Close, Compute, Effects, Send
from durable_redis.engine import Engine
from durable_redis.formats.resp import NEED_MORE, ErrorReply, ProtocolError
from durable_redis.redis.client import LATER, Client
from durable_redis.redis.sentinel import commands

if TYPE_CHECKING:
    from durable_redis.redis.sentinel.sentinel import Sentinel


class Clients:
    """The connections that others made.  `todo` is what the command just executed asked for, before its reply."""

    def __init__(self, sentinel: Sentinel) -> None:
        self.engine = Engine(sentinel.random, commands.commands(sentinel))  # for its table; the keyspace stays empty
        self.connected: dict[str, Client] = {}
        self.count = 0
        self.todo: list[Callable[[int], Effects]] = []
        self._waiting: dict[str, None] = {}  # connections with replies to send, in order

    def opened(self, connection: str, peer: str) -> None:
        self.count += 1
        self.connected[connection] = Client(connection, peer, self.count, True)

    def closed(self, connection: str) -> None:
        self.connected.pop(connection, None)

    def receive(self, client: Client, data: bytes, now: int) -> Effects:
        """Parse what there is, and execute every whole command in it."""
        client.parser.feed(data)
        while not client.closing:
            try:
                argv = client.parser.next()
            except ProtocolError as error:
                client.reply(ErrorReply(f"ERR {error.reason}"))
                client.closing = True
                break
            if argv is NEED_MORE:
                break
            yield Compute("command")
            reply = self.engine.execute(client, argv, now // 1000)
            while self.todo:
                yield from self.todo.pop(0)(now)
            if reply is not LATER:
                client.reply(reply)
        self._waiting[client.connection] = None

    def send_replies(self) -> Effects:
        for connection in self._waiting:
            client = self.connected.get(connection)
            if client is None:
                continue
            if client.output:
                yield Send(connection, bytes(client.output))
                client.output.clear()
            if client.closing:
                yield Close(connection)
                del self.connected[connection]
        self._waiting.clear()
