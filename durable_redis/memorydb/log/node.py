"""One of the machines that keep the log: it hands every message to the replica of the shard that it is about.

With several shards the same machines keep several logs, which know nothing of one another: each has its own files, its
own terms, and perhaps its own leader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_redis.contract import (
    Close,
    Closed,
    Compute,
    Effects,
    Event,
    Note,
    Opened,
    Received,
    SetTimer,
    TimerFired,
)
from durable_redis.memorydb.log.callers import Callers
from durable_redis.memorydb.log.config import LogConfig, LogConfigError
from durable_redis.memorydb.log.entries import LogError
from durable_redis.memorydb.log.links import Links
from durable_redis.memorydb.log.messages import Message, Question
from durable_redis.memorydb.log.replica import Replica

if TYPE_CHECKING:
    from random import Random

LINKS = "links"
"""The timer for connections that are missing; the others are named after their shards."""


class LogNode:
    """A node of the contract.  `name` is its machine's, one of `config.replicas`."""

    replica_type: type[Replica] = Replica

    def __init__(self, random: Random, name: str, config: LogConfig | None = None) -> None:
        self.config = config or LogConfig()
        if name not in self.config.replicas:
            raise LogConfigError(f"{name} is not among the log's replicas ({', '.join(self.config.replicas)}): add it")
        self.name = name
        self.links = Links(name, self.config.replicas, self.config.reconnect_us)
        self.callers = Callers(tuple(self.links.to))
        self.replicas = {
            shard: self.replica_type(shard, self.config, self.links, random, self.callers.reply)
            for shard in self.config.shards
        }

    def boot(self, now: int) -> Effects:
        yield Compute("start")
        for replica in self.replicas.values():
            yield from replica.boot(now)
        yield from self._connect(now)

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Received(connection=connection, data=data):
                for peer, message in self.callers.received(connection, data):
                    yield from self._received(connection, peer, message, now)
            case TimerFired(name=name):
                yield from self._connect(now) if name == LINKS else self.replicas[name].tick(now)
            case Opened(connection=connection, outgoing=True):
                if (peer_reached := self.links.opened(connection)) is not None:
                    for replica in self.replicas.values():
                        replica.reconnected(peer_reached)
            case Opened(connection=connection):
                self.callers.opened(connection)
            case Closed(connection=connection):
                self.callers.closed(connection)
                for replica in self.replicas.values():
                    replica.serving.closed(connection)
                if self.links.closed(connection):
                    yield SetTimer(LINKS, now + self.config.reconnect_us)

    def before_sleep(self, now: int) -> Effects:
        """Let every shard send, write and sync once; then send the answers."""
        for replica in self.replicas.values():
            yield from replica.flush(now)
        yield from self.links.send()
        yield from self.callers.send()

    def view(self) -> Mapping[str, Any]:
        """The first shard's role, term, tail and so on; and with more than one, all of them under `shards`."""
        views = {shard: replica.view() for shard, replica in self.replicas.items()}
        first = views[self.config.shards[0]]
        return first | {"shards": views} if len(views) > 1 else first

    def _connect(self, now: int) -> Effects:
        yield from self.links.keep(now)
        if not self.links.complete:
            yield SetTimer(LINKS, now + self.config.reconnect_us)

    def _received(self, connection: str, peer: str, message: Message, now: int) -> Effects:
        """One message, of another replica or of a user."""
        shard = getattr(message, "shard", "")
        replica = self.replicas.get(shard)
        if replica is None:
            known = ", ".join(self.replicas)
            number = getattr(message, "number", 0)
            self.callers.refuse(connection, f"no shard {shard[:40]!r} is kept here: {known} are", shard, number)
        elif isinstance(message, Question):
            yield Compute("command")
            replica.serving.ask(connection, message)
        else:
            try:
                yield from replica.receive(peer, message, now)
            except LogError as error:
                yield Note("damaged", {"shard": shard, "why": str(error)})
                yield Close(connection)
                self.callers.closed(connection)
