"""Those who connected to a replica: the other replicas, and the users of the log.

A connection belongs to a replica if its first message is PEER; before that it may ask, as any user may.  Bytes that are
not the log's language are answered by name, and the connection is closed: nobody knows what would come next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from durable_redis.contract import Close, Effects, Send
from durable_redis.formats.resp import NEED_MORE, CommandParser, ProtocolError
from durable_redis.memorydb.log.messages import (
    LIMITS,
    PEER_MESSAGES,
    QUESTIONS,
    LogReply,
    Message,
    MessageError,
    Peer,
    RefusedIs,
    decode,
    encode,
)


@dataclass(slots=True)
class Caller:
    """One connection.  `peer` is the replica at its other end, or "" if it is a user of the log."""

    parser: CommandParser = field(default_factory=lambda: CommandParser(LIMITS))
    peer: str = ""
    output: bytearray = field(default_factory=bytearray)
    refused: bool = False


class Callers:
    """The connections that others made, and what waits to be sent on them."""

    def __init__(self, peers: tuple[str, ...]) -> None:
        self.peers = peers
        self.connected: dict[str, Caller] = {}
        self._waiting: dict[str, None] = {}

    def opened(self, connection: str) -> None:
        self.connected[connection] = Caller()

    def closed(self, connection: str) -> None:
        self.connected.pop(connection, None)

    def received(self, connection: str, data: bytes) -> Iterator[tuple[str, Message]]:
        """The messages that these bytes complete, each with the replica that sent it, or ""."""
        caller = self.connected.get(connection)
        if caller is None:
            return
        caller.parser.feed(data)
        while not caller.refused:
            try:
                words = caller.parser.next()
                if words is NEED_MORE:
                    return
                message = decode(words, PEER_MESSAGES if caller.peer else QUESTIONS)
                if isinstance(message, Peer):
                    self._introduced(caller, message.name)
                else:
                    yield caller.peer, message
            except (ProtocolError, MessageError) as error:
                self.refuse(connection, str(error))

    def _introduced(self, caller: Caller, name: str) -> None:
        if name not in self.peers:
            raise MessageError(f"{name!r} is no replica of this log: {', '.join(self.peers)} are")
        caller.peer = name

    def reply(self, connection: str, message: LogReply) -> None:
        """Queue a reply; nobody misses it if the connection is gone."""
        caller = self.connected.get(connection)
        if caller is not None:
            caller.output += encode(message)
            self._waiting[connection] = None

    def refuse(self, connection: str, reason: str, shard: str = "-", number: int = 0) -> None:
        """Say what is wrong, and close."""
        self.reply(connection, RefusedIs(shard, number, "BADREQUEST", reason))
        if connection in self.connected:
            self.connected[connection].refused = True

    def send(self) -> Effects:
        """Hand over what was queued since the last time."""
        for connection in self._waiting:
            caller = self.connected.get(connection)
            if caller is None:
                continue
            yield Send(connection, bytes(caller.output))
            caller.output.clear()
            if caller.refused:
                yield Close(connection)
                del self.connected[connection]
        self._waiting.clear()
