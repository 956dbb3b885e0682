"""A room of servers, and somebody who sends them commands: what the tests of replication look at.

room = Room(n1={}, n2={"replicaof": "n1"})
room.command("n1", "SET", "k", "v")      # b"+OK\\r\\n"
room.run(5)                              # seconds
room.same("n1", "n2")                    # keyspace, history and offset
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from redistools import command

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Note, Opened, Received, Send
from durable_redis.redis.config import Config
from durable_redis.redis.server import RedisServer
from durable_redis.sim import Hardware, World
from durable_redis.sim.faults import Crash, Hold, Release, Restart

FAST = {"repl_diskless_sync_delay": 0, "save": ()}
"""Nobody waits for others to come, and nobody saves by himself."""


@dataclass(slots=True)
class Say:
    """Something for the caller to send to a server."""

    server: str
    data: bytes


class Caller:
    """A node that sends what it is told to, one connection a server, and keeps every answer."""

    def __init__(self, random: Random) -> None:
        self.connections: dict[str, str] = {}
        self.unsent: dict[str, bytes] = {}
        self.answers: dict[str, bytes] = {}

    def boot(self, now: int) -> Effects:
        yield from ()

    def handle(self, event: Event | Say, now: int) -> Effects:
        match event:
            case Say(server, data) if server in self.connections:
                yield Send(self.connections[server], data)
            case Say(server, data):
                connection = yield Connect(server)
                self.unsent[connection] = data
            case Opened(connection, server):
                self.connections[server] = connection
                yield Send(connection, self.unsent.pop(connection))
            case Received(connection, data):
                server = next(name for name, own in self.connections.items() if own == connection)
                self.answers[server] = self.answers.get(server, b"") + data
            case Closed(connection):
                self.connections = {name: own for name, own in self.connections.items() if own != connection}

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {}


class Room:
    """Servers by name, each with its options, all started; `you` is the caller."""

    def __init__(self, seed: int = 1, zones: str = "abcd", **servers: dict[str, Any]) -> None:
        self.world = World(seed, Hardware(jitter_us=0, fsync_jitter_us=0))
        self.configs: dict[str, Config] = {}
        for (name, options), zone in zip(servers.items(), zones, strict=False):
            config = self.configs[name] = Config.of(**{**FAST, **options})
            self.world.add_machine(name, zone, partial(_server, config))
            self.world.start(name)
        self.names = tuple(servers)
        self.world.add_machine("you", "a", Caller)
        self.world.start("you")
        self.run(0.05)

    # -- time --------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now_us + round(seconds * 1_000_000))

    def run_until(self, condition: Any, seconds: float = 120) -> None:
        """Step by step, until it is so."""
        deadline_us = self.world.now_us + round(seconds * 1_000_000)
        while not condition():
            assert self.world.step(deadline_us), f"not so after {seconds} s"

    # -- commands ----------------------------------------------------------------------------------------------------

    def say(self, name: str, *argv: bytes | str | int) -> None:
        self.caller.answers.pop(name, None)
        say = Say(name, command(*argv))
        self.world.ask("you", say, say)  # type: ignore[arg-type]

    def command(self, name: str, *argv: bytes | str | int, seconds: float = 5) -> bytes:
        """Send a command and wait for the (first bytes of the) answer."""
        self.say(name, *argv)
        self.run_until(lambda: name in self.caller.answers, seconds)
        return self.caller.answers[name]

    @property
    def caller(self) -> Caller:
        node = self.world.machines["you"].process.node  # type: ignore[union-attr]
        assert isinstance(node, Caller)
        return node

    # -- faults ------------------------------------------------------------------------------------------------------

    def crash(self, name: str, kind: str = "process kill") -> None:
        self.world.act(Crash(name, kind))
        self.caller.connections.pop(name, None)

    def restart(self, name: str, seconds: float = 0.05) -> None:
        self.world.act(Restart(name))
        self.run(seconds)

    def edit(self, name: str, **options: Any) -> None:
        """Edit its configuration file: it counts from the next start on."""
        self.configs[name] = self.configs[name].edited(**options)
        self.world.machines[name].program = partial(_server, self.configs[name])

    def freeze(self, source: str, target: str) -> list[int]:
        """Hold the next message on the wire: what follows it queues up behind it."""
        self.run_until(lambda: self.in_flight(source, target))
        number = self.in_flight(source, target)[0]
        self.world.act(Hold(number))
        return [number]

    def in_flight(self, source: str, target: str) -> list[int]:
        segments = self.world.network.in_flight.values()
        ours = [s for s in segments if (s.direction.source, s.direction.target) == (source, target)]
        return [segment.number for segment in ours if segment.kind == "data" and not segment.held]

    def thaw(self, held: list[int]) -> None:
        for number in held:
            self.world.act(Release(number))

    # -- looking -----------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> RedisServer:
        process = self.world.machines[name].process
        assert process is not None, f"{name} is down"
        assert isinstance(process.node, RedisServer)
        return process.node

    def place(self, name: str) -> tuple[str, int]:
        return self[name].history.replid, self[name].offset

    def info(self, name: str) -> dict[str, str]:
        text = self.command(name, "INFO", "replication").decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def linked(self, *names: str) -> bool:
        """Whether these replicas have their links up, and their primaries the stream going."""
        return all(self[name].replica.link == "up" for name in names)

    def notes(self, kind: str, name: str = "") -> list[Mapping[str, Any]]:
        steps = self.world.journal.steps
        return [
            step.what.facts
            for step in steps
            if isinstance(step.what, Note) and step.what.kind == kind and name in ("", step.machine)
        ]

    def same(self, *names: str) -> None:
        """The same data, of the same history, up to the same byte."""
        first, *others = names
        for other in others:
            assert keys(self[other]) == keys(self[first])
            assert self.place(other) == self.place(first)


def keys(server: RedisServer) -> list[Any]:
    """Everything in memory, expired or not, in an order of its own."""
    return sorted((e.db, e.key, e.kind, _plain(e.kind, e.value), e.expires_at_ms) for e in server.engine.entries())


def _plain(kind: str, value: Any) -> Any:
    return sorted(value) if kind in ("set", "hash") else value


def _server(config: Config, random: Random) -> RedisServer:
    return RedisServer(random, config)


__all__ = ["Close", "Room", "Say", "keys"]
