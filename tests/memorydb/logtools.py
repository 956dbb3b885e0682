"""A room with a shared log, and users of it that do what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from random import Random
from typing import Any

from durable_redis.contract import Effects, Event, Note, TimerFired
from durable_redis.memorydb.log import DATA, Answer, Appended, Entries, EntryId
from durable_redis.memorydb.log.client import LogClient, Patience
from durable_redis.memorydb.log.config import LogConfig
from durable_redis.memorydb.log.local import LocalLog, LocalLogUser
from durable_redis.memorydb.log.node import LogNode
from durable_redis.memorydb.log.replica import Replica
from durable_redis.sim import Hardware, World
from durable_redis.sim.faults import Crash, Restart

STEADY = Hardware(jitter_us=0, fsync_jitter_us=0)
REPLICAS = ("log-a", "log-b", "log-c")


def user(log: LocalLog, name: str = "n1") -> LocalLogUser:
    return LocalLogUser(name, "s1", log, Random(name))


def fire(user: LocalLogUser, now: int) -> list[Answer]:
    """Let the user's timer fire, and take what it was answered."""
    list(user.handle(TimerFired("log s1"), now))
    return user.take_answers()


class User:
    """A node that asks what a test tells it to ask, and keeps the answers with the time."""

    def __init__(
        self,
        random: Random,
        name: str,
        shard: str = "s1",
        patience: Patience | None = None,
        replicas: tuple[str, ...] = REPLICAS,
    ) -> None:
        self.log = LogClient(name, shard, replicas, random, patience)
        self.todo: list[Callable[[int], Effects]] = []
        self.answers: list[tuple[int, Answer]] = []

    def boot(self, now: int) -> Effects:
        yield from self.log.connect(now)

    def handle(self, event: Event, now: int) -> Effects:
        if self.log.owns(event):
            yield from self.log.handle(event, now)
        elif isinstance(event, TimerFired) and event.name == "todo":
            todo, self.todo = self.todo, []
            for question in todo:
                yield from question(now)
        for answer in self.log.take_answers():
            self.answers.append((now, answer))
            yield from self.answered(answer, now)

    def answered(self, answer: Answer, now: int) -> Effects:
        yield from ()

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {"target": self.log.target}


def room(
    seed: int | str = 0,
    hardware: Hardware = STEADY,
    config: LogConfig | None = None,
    node: type[LogNode] = LogNode,
    settle_ms: int = 2_000,
) -> World:
    """log-a, log-b, log-c in the zones a, b, c (or as many as `config` names), after their first election."""
    world = World(seed, hardware)
    for name, zone in zip(config.replicas if config else REPLICAS, cycle("abc"), strict=False):
        world.add_machine(name, zone, lambda random, name=name: node(random, name, config))
        world.start(name)
    return run(world, settle_ms)


def add_user(world: World, name: str = "n1", zone: str = "a", kind: type[User] = User, **options: Any) -> User:
    """A machine that uses the log, connected."""
    world.add_machine(name, zone, lambda random: kind(random, name, **options))
    world.start(name)
    run(world, 200)
    return process(world, name)


def run(world: World, ms: float) -> World:
    """Let so much time pass."""
    world.run_until(world.now_us + round(ms * 1000))
    return world


def process(world: World, name: str) -> Any:
    found = world.machines[name].process
    assert found is not None, f"{name} is down: {world.machines[name].last_crash}"
    return found.node


def tell(world: World, name: str, question: Callable[[int], Effects]) -> None:
    """Let a user ask something, now."""
    process(world, name).todo.append(question)
    world.ask(name, Note("asks", {}), TimerFired("todo"))


def ask(world: World, name: str, question: Callable[[int], Effects], within_ms: int = 5_000) -> Answer:
    """Let a user ask something, and wait for its answer."""
    node = process(world, name)
    count = len(node.answers)
    tell(world, name, question)
    end_us = world.now_us + within_ms * 1000
    while len(node.answers) == count and world.step(end_us):
        pass
    assert len(node.answers) > count, f"{name} was not answered within {within_ms} ms"
    return node.answers[-1][1]


def append(world: World, name: str, after: EntryId, body: bytes = b"x", within_ms: int = 5_000) -> Answer:
    log = process(world, name).log
    return ask(world, name, lambda now: log.append(DATA, body, after, now), within_ms)


def appended(world: World, name: str, after: EntryId, body: bytes = b"x", within_ms: int = 5_000) -> EntryId:
    answer = append(world, name, after, body, within_ms)
    assert isinstance(answer, Appended), answer
    return answer.id


def fill(world: World, name: str, count: int, after: EntryId = EntryId.ZERO) -> list[EntryId]:
    """Append so many entries, one after the other; their ids, and before them that which they follow."""
    ids = [after]
    for number in range(count):
        ids.append(appended(world, name, ids[-1], b"%d" % number))
    return ids


def read(world: World, name: str, after: EntryId = EntryId.ZERO, limit: int = 1_000) -> Entries:
    log = process(world, name).log
    answer = ask(world, name, lambda now: log.read(after, limit, now))
    assert isinstance(answer, Entries), answer
    return answer


def replica(world: World, name: str, shard: str = "s1") -> Replica:
    found = process(world, name).replicas[shard]
    assert isinstance(found, Replica)
    return found


def leader(world: World, shard: str = "s1") -> str:
    """The one replica that leads the latest term."""
    leaders = [name for name in REPLICAS if world.machines[name].up and replica(world, name, shard).leading]
    assert leaders, {name: world.machines[name].up and replica(world, name, shard).view() for name in REPLICAS}
    return max(leaders, key=lambda name: replica(world, name, shard).ballot.term)


def others(name: str) -> list[str]:
    return [other for other in REPLICAS if other != name]


def kill(world: World, *names: str, kind: str = "process kill", tail: str = "seeded") -> None:
    for name in names:
        world.act(Crash(name, kind, tail))


def restart(world: World, *names: str) -> None:
    for name in names:
        world.act(Restart(name))


def story(world: World, *kinds: str, machine: str = "") -> list[tuple[str, str, Mapping[str, Any]]]:
    """The notes of these kinds, or all: (machine, kind, facts), in order."""
    return [
        (step.machine, step.what.kind, step.what.facts)
        for step in world.journal
        if isinstance(step.what, Note) and step.what.kind in (kinds or (step.what.kind,))
        if machine in ("", step.machine)
    ]
