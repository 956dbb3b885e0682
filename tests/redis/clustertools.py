"""A small cluster in a simulated machine room, and questions to its journal.

The law of this file: it says what stands where, and what happened when; what should have happened is for the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from durable_redis.contract import (
    Close,
    Closed,
    Connect,
    Effects,
    Event,
    Node,
    Note,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.formats.resp import NEED_MORE, OK, Reply, ReplyParser, encode_command
from durable_redis.redis.cluster.cluster import Cluster
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import Config
from durable_redis.redis.server import RedisServer
from durable_redis.sim import EPOCH_US, World
from durable_redis.sim.faults import Crash, Restart

TIMEOUT_S = 2
"""NODE_TIMEOUT of these clusters."""


@dataclass(frozen=True)
class Fact:
    """A note of the journal; time in seconds since the room started."""

    at_s: float
    node: str
    kind: str
    facts: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]


class Asker:
    """A machine from which a test talks to any node, one command at a time."""

    def __init__(self, random: Random) -> None:
        self.plan: list[tuple[str, list[bytes]]] = []
        self.replies: list[Reply] = []
        self.open: dict[str, str] = {}
        self.parser = ReplyParser()

    def boot(self, now: int) -> Effects:
        yield from ()

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Opened):
            yield Send(event.connection, encode_command(self.plan[0][1]))
        elif isinstance(event, Received):
            self.parser.feed(event.data)
            while (reply := self.parser.next()) is not NEED_MORE:
                self.replies.append(reply)
                yield Close(event.connection)
        elif event == "ask":
            self.parser = ReplyParser()
            yield Connect(self.plan[0][0])

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {}


class Writer:
    """A client of one server: writes the keys {tag}0, {tag}1, ... and does not look elsewhere, whatever it is told.

    It waits for each answer as long as it takes, then `every_us` before the next.  `said` is what it was told of each,
    `when_us` when it was told."""

    def __init__(self, server: str, tag: bytes, every_us: int, random: Random) -> None:
        self.server = server
        self.tag = tag
        self.every_us = every_us
        self.said: list[Reply] = []
        self.when_us: list[int] = []
        self.connection = ""
        self.parser = ReplyParser()

    def boot(self, now: int) -> Effects:
        yield SetTimer("go", now + 1)

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, TimerFired) and not self.connection:
            self.connection = yield Connect(self.server)
            self.parser = ReplyParser()
        elif isinstance(event, TimerFired | Opened):
            yield Send(self.connection, encode_command([b"SET", self.key(len(self.said)), b"v"]))
        elif isinstance(event, Received):
            self.parser.feed(event.data)
            while (reply := self.parser.next()) is not NEED_MORE:
                self.said.append(reply)
                self.when_us.append(now)
            yield SetTimer("go", now + self.every_us)
        elif isinstance(event, Closed):
            self.connection = ""
            yield SetTimer("go", now + self.every_us)

    def key(self, number: int) -> bytes:
        return b"{%b}%d" % (self.tag, number)

    def acknowledged(self, since_s: float = 0, until_s: float = 1e9) -> list[bytes]:
        """The keys whose writes were answered OK in that time."""
        told = [(when - EPOCH_US) / 1e6 for when in self.when_us]
        return [self.key(n) for n, reply in enumerate(self.said) if reply == OK and since_s <= told[n] < until_s]

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {}


class Room:
    """Nodes n1, n2, ... in zones a, b, c in turn, the first `primaries` of them primaries; and somebody who asks."""

    def __init__(self, seed: int = 1, nodes: int = 6, primaries: int = 3, **options: Any) -> None:
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.topology = Topology.of(self.names, primaries) if primaries else Topology()
        standard = {"cluster_enabled": True, "cluster_node_timeout": TIMEOUT_S * 1000, "save": ()}
        options = standard | {"repl_diskless_sync_delay": 0} | options
        self.config = Config.of(**options)
        self.world = World(seed)
        for number, name in enumerate(self.names):
            self.world.add_machine(name, "abc"[number % 3], partial(self._program, name))
            self.world.start(name)
        self.world.add_machine("you", "a", Asker)
        self.world.start("you")

    def _program(self, name: str, random: Random) -> Node:
        return RedisServer(random, self.config, name, self.topology)

    def add_writer(self, server: str, tag: bytes, zone: str = "a", every_us: int = 5_000) -> Writer:
        """Let a client write to this server from now on; its machine is called "writer"."""
        self.world.add_machine("writer", zone, partial(Writer, server, tag, every_us))
        self.world.start("writer")
        writer: Writer = self.world.machines["writer"].process.node  # type: ignore[assignment, union-attr]
        return writer

    # -- acting ------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> Room:
        self.world.run_until(self.world.now_us + int(seconds * 1e6))
        return self

    def run_until(self, kind: str, node: str = "", limit_s: float = 60) -> Fact:
        """Run until such a note is made."""
        end_us = self.world.now_us + int(limit_s * 1e6)
        while self.world.step(end_us):
            step = self.world.journal.steps[-1]
            if isinstance(step.what, Note) and step.what.kind == kind and node in ("", step.machine):
                return Fact(step.at_us / 1e6, step.machine, kind, step.what.facts)
        raise AssertionError(f"no note {kind!r} on {node or 'any node'} within {limit_s} s")

    def crash(self, name: str, kind: str = "power loss") -> None:
        self.world.act(Crash(name, kind))

    def restart(self, name: str) -> None:
        self.world.act(Restart(name))

    def ask(self, node: str, *argv: bytes | str | int) -> Reply:
        """Ask a node something on a connection of its own; the answer must come within a second."""
        asker: Any = self.world.machines["you"].process.node  # type: ignore[union-attr]
        asker.plan = [(node, [word if isinstance(word, bytes) else str(word).encode() for word in argv])]
        asker.replies = []
        self.world.ask("you", f"ask {node}", "ask")  # type: ignore[arg-type]
        end_us = self.world.now_us + 1_000_000
        while not asker.replies and self.world.step(end_us):
            pass
        assert asker.replies, f"{node} did not answer {argv}"
        return asker.replies[0]

    def lost(self, keys: list[bytes], server: str) -> list[bytes]:
        """Which of these keys a server does not have."""
        has = self.server(server).engine.keyspace.databases[0].values
        return [key for key in keys if key not in has]

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return self.world.now_us / 1e6

    def server(self, name: str) -> Any:
        process = self.world.machines[name].process
        assert process is not None, f"{name} is down"
        return process.node

    def cluster(self, name: str) -> Cluster:
        found: Cluster = self.server(name).cluster
        return found

    def notes(self, *kinds: str, node: str = "", since_s: float = 0) -> list[Fact]:
        return [
            Fact(step.at_us / 1e6, step.machine, step.what.kind, step.what.facts)
            for step in self.world.journal.steps
            if isinstance(step.what, Note)
            and step.what.kind in kinds
            and node in ("", step.machine)
            and step.at_us >= since_s * 1e6
        ]
