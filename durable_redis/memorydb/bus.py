"""The cluster bus: a leader tells the nodes of the other shards its name and its slots, so that they can send clients
to it.

The law of this file: *nothing is decided here.*  Who leads, and which slots a shard has, is decided in its log; the
others are informed afterwards (paper, section 4.1.2).  Whoever has not heard yet sends a client to a wrong node, and
that one, which reads its own log, redirects it.

    LEADS s2 n5 17 5461-10922        the shard, the node, how far it knows its log (what is later there wins), the slots

A leader keeps a connection to each node of the other shards, says this when it is open and whenever its slots have
changed, and opens it again when it is lost.  With one shard there is nobody to be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Opened, Received, Send, SetTimer, TimerFired
from durable_redis.formats.resp import encode_command
from durable_redis.redis.cluster.slots import slots_text

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer

TIMER = "bus"
RETRY_US = 1_000_000
"""How often a leader looks whether a connection is missing."""


@dataclass(slots=True)
class Link:
    """A connection to a node of another shard; until `is_open`, one that was asked for at `since_us`."""

    connection: str
    since_us: int
    is_open: bool = False


class Bus:
    """The leader's side; what it says arrives as a command (`commands.leads`)."""

    def __init__(self, server: MemoryDBServer) -> None:
        self.server = server
        self.links: dict[str, Link] = {}

    def lead(self, now: int) -> Effects:
        """This node leads: everybody shall know."""
        yield from self.tell()
        yield from self._connect(now)

    def tell(self) -> Effects:
        """Say it on every connection that is open."""
        for link in self.links.values():
            if link.is_open:
                yield from self._say(link)

    def owns(self, event: Event) -> bool:
        """This event is for `handle`."""
        if isinstance(event, TimerFired):
            return event.name == TIMER
        return isinstance(event, Opened | Received | Closed) and self._link(event.connection) is not None

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened(connection=connection):
                link = self._link(connection)
                assert link is not None, f"{connection} is not of the bus"
                link.is_open = True
                yield from self._say(link)
            case Closed(connection=connection):
                self.links = {name: link for name, link in self.links.items() if link.connection != connection}
            case TimerFired() if self.server.leadership.leads:
                yield from self._connect(now)

    def _connect(self, now: int) -> Effects:
        """Ask for the connections that are missing, and anew for those that nobody has answered."""
        for name in self.server.shards.strangers:
            link = self.links.get(name)
            if link is not None and not link.is_open and now - link.since_us >= RETRY_US:
                yield Close(link.connection)
                del self.links[name]
            if name not in self.links:
                connection = yield Connect(name)
                self.links[name] = Link(connection, now)
        if self.server.shards.strangers:
            yield SetTimer(TIMER, now + RETRY_US)

    def _say(self, link: Link) -> Effects:
        server = self.server
        if server.leadership.leads:
            place, slots = str(server.logbook.position.index), slots_text(server.shards.owned)
            words = [server.config.shard, server.name, place, slots]
            yield Send(link.connection, encode_command([b"LEADS", *map(str.encode, words)]))

    def _link(self, connection: str) -> Link | None:
        return next((link for link in self.links.values() if link.connection == connection), None)
