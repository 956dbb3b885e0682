"""The connections between the replicas: each opens one to each other, and says on it whatever it has to say.

So a message and the answer to it travel on two connections, and everything that one replica says to another arrives in
the order in which it was said, until a connection is lost.  What was on its way then is lost with it: every message of
the log is such that it may be missed, and said again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from durable_redis.contract import Close, Connect, Effects, Send
from durable_redis.memorydb.log.config import has_passed
from durable_redis.memorydb.log.messages import Message, Peer, encode


@dataclass(slots=True)
class Link:
    """The way to one peer.  `connection` is "" while there is none; `tried_us` is when the last one was asked for."""

    peer: str
    connection: str = ""
    up: bool = False
    tried_us: int = 0
    output: bytearray = field(default_factory=bytearray)


class Links:
    """The ways from one replica to the others."""

    def __init__(self, name: str, peers: Iterable[str], reconnect_us: int) -> None:
        self.name = name
        self.reconnect_us = reconnect_us
        self.to = {peer: Link(peer) for peer in peers if peer != name}

    def keep(self, now: int) -> Effects:
        """Ask for the connections that are missing; give up those that are not made in time."""
        for link in self.to.values():
            if not link.up and has_passed(self.reconnect_us, link.tried_us, now):
                if link.connection:
                    yield Close(link.connection)
                link.tried_us = now
                link.connection = yield Connect(link.peer)

    def opened(self, connection: str) -> str | None:
        """The peer to which there is a way now."""
        for link in self.to.values():
            if link.connection == connection:
                link.up = True
                link.output[:] = encode(Peer(self.name))
                return link.peer
        return None

    def closed(self, connection: str) -> bool:
        """A connection is gone.  True: it was one of these."""
        for link in self.to.values():
            if link.connection == connection:
                link.connection, link.up = "", False
                link.output.clear()
                return True
        return False

    @property
    def complete(self) -> bool:
        """There is a way to everybody."""
        return all(link.up for link in self.to.values())

    def is_up(self, peer: str) -> bool:
        return self.to[peer].up

    def say(self, peer: str, message: Message) -> None:
        """Say something to a peer; lost if there is no way to it."""
        if self.is_up(peer):
            self.to[peer].output += encode(message)

    def send(self) -> Effects:
        """Hand over what was said since the last time."""
        for link in self.to.values():
            if link.output:
                data = bytes(link.output)
                link.output.clear()
                yield Send(link.connection, data)
