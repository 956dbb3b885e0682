"""A room with sentinels, and a toy Redis for them to watch.

`ToyRedis` answers what a sentinel asks (PING, INFO, REPLICAOF) and replicates nothing: its offset is what a test says.
`room(...)` builds sentinels and servers; `story(...)` reads the notes of the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Note, Opened, Received, Send, SetTimer
from durable_redis.formats.resp import NEED_MORE, OK, CommandParser, Reply, ReplyParser, Status, encode, encode_command
from durable_redis.redis.sentinel import Sentinel, SentinelConfig
from durable_redis.sim import EPOCH_US, Hardware, World
from durable_redis.sim.faults import Crash, Restart

STEADY = Hardware(jitter_us=0, fsync_jitter_us=0)
QUICK = {"down_after_ms": 2_000, "failover_timeout_ms": 6_000}


class ToyRedis:
    """Says that it is what it was told to be.  `offset`, `priority` and the rest are a test's to set."""

    def __init__(self, random: Random, name: str, primary: str, replicas: tuple[str, ...] = ()) -> None:
        self.name = name
        self.run_id = f"{random.getrandbits(160):040x}"
        self.primary = primary  # "" or the name of the primary that it follows
        self.replicas = replicas  # while it is a primary
        self.offset = 100
        self.priority = 100
        self.link_up = True
        self.link_down_s = 0
        self.obeys = True
        self.answer: Reply = Status(b"PONG")  # to PING
        self.garbage = b""  # sent instead of any answer
        self.orders: list[str] = []
        self.parsers: dict[str, CommandParser] = {}

    def boot(self, now: int) -> Effects:
        yield from ()

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened(connection=connection):
                self.parsers[connection] = CommandParser()
            case Closed(connection=connection):
                self.parsers.pop(connection, None)
            case Received(connection=connection, data=data):
                self.parsers[connection].feed(data)
                while (argv := self.parsers[connection].next()) is not NEED_MORE:
                    yield Send(connection, self.garbage or encode(self._execute(argv)))

    def _execute(self, argv: list[bytes]) -> Reply:
        match [argv[0].upper(), *argv[1:]]:
            case [b"PING"]:
                return self.answer
            case [b"INFO"]:
                return self._info().encode()
            case [b"REPLICAOF", name, _]:
                self.orders.append("" if name == b"NO" else name.decode())
                if self.obeys:
                    self.primary = self.orders[-1]
        return OK

    def _info(self) -> str:
        lines = [f"run_id:{self.run_id}"]
        if self.primary:
            status = "up" if self.link_up else "down"
            lines += ["role:slave", f"master_host:{self.primary}", f"master_link_status:{status}"]
            lines += [f"master_link_down_since_seconds:{self.link_down_s}"] if not self.link_up else []
            lines += [f"slave_priority:{self.priority}", f"slave_repl_offset:{self.offset}"]
        else:
            lines += ["role:master", f"master_repl_offset:{self.offset}"]
            for number, name in enumerate(self.replicas):
                lines.append(f"slave{number}:ip={name},port=6379,state=online,offset={self.offset},lag=0")
        return "# All\r\n" + "".join(f"{line}\r\n" for line in lines)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {"role": "replica" if self.primary else "primary", "offset": self.offset}


class Asker:
    """Sends one command a connection, and keeps the answers."""

    def __init__(self, random: Random, target: str, commands: list[list[bytes]]) -> None:
        self.target = target
        self.commands = commands
        self.answers: list[Reply] = []
        self.parser = ReplyParser()

    def boot(self, now: int) -> Effects:
        yield Connect(self.target)

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Opened(connection=connection):
                for argv in self.commands:
                    yield Send(connection, encode_command(argv))
            case Received(connection=connection, data=data):
                self.parser.feed(data)
                while (reply := self.parser.next()) is not NEED_MORE:
                    self.answers.append(reply)
                if len(self.answers) == len(self.commands):
                    yield Close(connection)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {}


class Nuisance:
    """A client that sends these bytes to a sentinel every 100 ms, on a new connection each time."""

    def __init__(self, target: str, data: bytes) -> None:
        self.target, self.data = target, data

    def boot(self, now: int) -> Effects:
        yield Connect(self.target)
        yield SetTimer("again", now + 100_000)

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Opened):
            yield Send(event.connection, self.data)
        elif not isinstance(event, Received | Closed):
            yield from self.boot(now)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {}


# -- rooms -----------------------------------------------------------------------------------------------------------


def room(seed: int = 0, servers: int = 3, sentinels: int = 3, hardware: Hardware = STEADY, **options: Any) -> World:
    """n1 (the primary), n2 ... and s1, s2 ..., each in the next of the zones a, b, c; all started.  Times are short."""
    names = tuple(f"s{i + 1}" for i in range(sentinels))
    config = SentinelConfig.of(sentinels=names, **(QUICK | {"quorum": sentinels // 2 + 1} | options))
    world = World(seed, hardware)
    replicas = tuple(f"n{i + 1}" for i in range(1, servers))
    for i in range(servers):
        world.add_machine(f"n{i + 1}", "abc"[i % 3], toy(f"n{i + 1}", "n1" if i else "", () if i else replicas))
    for i, name in enumerate(names):
        world.add_machine(name, "abc"[i % 3], program(name, config))
    for name in (*world.machines,):
        world.start(name)
    return world


def toy(name: str, primary: str, replicas: tuple[str, ...]) -> Callable[[Random], ToyRedis]:
    return lambda random: ToyRedis(random, name, primary, replicas)


def program(name: str, config: SentinelConfig) -> Callable[[Random], Sentinel]:
    return lambda random: Sentinel(random, name, config)


def node(world: World, name: str) -> Any:
    process = world.machines[name].process
    assert process is not None, f"{name} is down: {world.machines[name].last_crash}"
    return process.node


def run(world: World, ms: int) -> World:
    """Let so much time pass."""
    world.run_until(world.now_us + ms * 1000)
    return world


def kill(world: World, *names: str, kind: str = "process kill") -> None:
    for name in names:
        world.act(Crash(name, kind))


def restart(world: World, *names: str) -> None:
    for name in names:
        world.act(Restart(name))


def ask(world: World, target: str, *commands: str) -> list[Reply]:
    """Ask a node, from a machine made for it, and wait for its answers."""
    name = f"asker{len(world.machines)}"
    words = [[word.encode() for word in command.split(" ")] for command in commands]
    world.add_machine(name, "a", lambda random: Asker(random, target, words))
    world.start(name)
    run(world, 50)
    answers = list(node(world, name).answers)
    assert len(answers) == len(commands), f"{target} answered {answers} to {commands}"
    return answers


# -- the journal -----------------------------------------------------------------------------------------------------


def story(world: World, *kinds: str, machine: str = "") -> list[tuple[str, str, Mapping[str, Any]]]:
    """The notes of these kinds, or all: (machine, kind, facts), in order."""
    return [
        (step.machine, step.what.kind, step.what.facts)
        for step in world.journal
        if isinstance(step.what, Note) and step.what.kind in (kinds or (step.what.kind,))
        if machine in ("", step.machine)
    ]


def at_ms(world: World, kind: str, **facts: Any) -> int:
    """When the first such note was written, in the room's milliseconds."""
    for step in world.journal:
        if isinstance(step.what, Note) and step.what.kind == kind and facts.items() <= step.what.facts.items():
            return step.at_us // 1000
    raise AssertionError(f"no note {kind} {facts}: {story(world)}")


def clock_us(world: World) -> int:
    return EPOCH_US + world.now_us
