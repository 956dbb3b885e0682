"""The connections of the bus, and the messages that wait to leave.

Every node makes a connection of its own to every other, and so has two with each: on the one it pings, on the other it
is pinged and answers.  A connection that ends is made again at the next cron; one that is older than NODE_TIMEOUT, and
on which an answer has been overdue for half of that, is given up and made anew, since it may be the connection that is
broken and not the node.

Messages do not leave at once: they wait in `outbox` for `before_sleep`, which first writes nodes.conf.  So no message
overtakes the promise that it tells of, just as no reply overtakes the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.contract import Close, Connect, Effects, Send
from durable_redis.redis.cluster.bus import GREETING, BusParser, Message, encode


class Link:
    """One connection.  `peer` is whom this node asked for; "" on a connection that somebody else made."""

    __slots__ = ("asked_us", "connection", "parser", "peer", "up")

    def __init__(self, connection: str, peer: str = "", asked_us: int = 0) -> None:
        self.connection = connection
        self.peer = peer
        self.asked_us = asked_us
        self.up = not peer
        self.parser = BusParser()


class Links:
    """All connections of one node's bus."""

    def __init__(self) -> None:
        self.by_connection: dict[str, Link] = {}
        self.to: dict[str, Link] = {}  # those that this node asked for, by peer
        self.outbox: list[tuple[str, bytes]] = []

    def is_up(self, name: str) -> bool:
        """Whether this node has a connection of its own to that one."""
        return name in self.to and self.to[name].up

    # -- making and ending -------------------------------------------------------------------------------------------

    def connect(self, name: str, now: int) -> Effects:
        connection = yield Connect(name)
        self.by_connection[connection] = self.to[name] = Link(connection, name, now)

    def opened(self, connection: str) -> Link:
        """The peer has accepted: say first what kind of connection this is."""
        link = self.by_connection[connection]
        link.up = True
        self.outbox.append((connection, GREETING))
        return link

    def adopt(self, connection: str, already_read: bytes) -> None:
        """A client's connection turned out to be the bus's; some bytes behind its greeting may have come with it."""
        link = self.by_connection[connection] = Link(connection)
        link.parser.feed(already_read)

    def forget(self, connection: str) -> None:
        """The connection is gone."""
        link = self.by_connection.pop(connection)
        if self.to.get(link.peer) is link:
            del self.to[link.peer]

    def give_up(self, link: Link) -> Effects:
        self.forget(link.connection)
        yield Close(link.connection)

    # -- sending -----------------------------------------------------------------------------------------------------

    def answer(self, link: Link, message: Message) -> None:
        """Say something on this very connection."""
        self.outbox.append((link.connection, encode(message)))

    def say(self, name: str, message: Message) -> None:
        """Say something to a node; lost if there is no connection to it at the moment, as in Redis."""
        if self.is_up(name):
            self.answer(self.to[name], message)

    def take_outbox(self) -> Iterator[Send]:
        waiting, self.outbox = self.outbox, []
        return (Send(connection, data) for connection, data in waiting if connection in self.by_connection)
