"""Toy nodes and small questions to the journal, for the tests of the simulated machine room."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from durable_redis.contract import (
    Append,
    Compute,
    Connect,
    DiskError,
    Effects,
    Event,
    Fork,
    Fsync,
    Note,
    Opened,
    Received,
    Send,
)
from durable_redis.sim import EPOCH_US, Hardware, World
from durable_redis.sim.disk import Disk
from durable_redis.sim.journal import Arrived

STEADY = Hardware(jitter_us=0, fsync_jitter_us=0)
"""Hardware without luck: 100 us in a zone, 600 us between zones, 1000 us an fsync."""


class Toy:
    """A node that does nothing but remember what it was told, and when (in the room's time)."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.told: list[tuple[int, Event]] = []

    def boot(self, now: int) -> Effects:
        yield from ()

    def handle(self, event: Event, now: int) -> Effects:
        self.told.append((now - EPOCH_US, event))
        yield from self.react(event, now)

    def react(self, event: Event, now: int) -> Effects:
        yield from ()

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {"told": len(self.told)}


class Client(Toy):
    """Opens one connection to "server" and, when it is up, sends each of `messages`."""

    messages: tuple[bytes, ...] = (b"hello",)
    server = "server"

    def boot(self, now: int) -> Effects:
        yield Connect(self.server)

    def react(self, event: Event, now: int) -> Effects:
        if isinstance(event, Opened):
            for message in self.messages:
                yield Send(event.connection, message)

    @property
    def received(self) -> list[bytes]:
        return [event.data for _, event in self.told if isinstance(event, Received)]


class Logger(Toy):
    """Writes what it receives to "log" and acknowledges it; `order` says what comes when: the point of the book."""

    order = "append, fsync, reply"

    def boot(self, now: int) -> Effects:
        yield Append("log", b"")

    def react(self, event: Event, now: int) -> Effects:
        if isinstance(event, Received):
            for word in self.order.split(", "):
                if word == "append":
                    yield Append("log", event.data)
                elif word == "fsync":
                    yield Fsync("log")
                else:
                    yield Send(event.connection, b"OK " + event.data)


class Parent(Toy):
    """Forks a child that works for 300 us beside it."""

    def boot(self, now: int) -> Effects:
        yield Append("log", b"")
        yield Fork("child", self.child())
        yield note("forked")
        yield Compute("sleep", 100)
        yield note("parent")

    def child(self) -> Any:
        yield note("child")
        yield Compute("sleep", 300)
        yield Append("dump", b"x")
        return "result"


def room(seed: int | str = 0, hardware: Hardware = STEADY, zones: str = "aa", **programs: type[Toy]) -> World:
    """A room with one machine for each program, in the zones of these letters, all started."""
    world = World(seed, hardware)
    for (name, program), zone in zip(programs.items(), zones.ljust(len(programs), "a"), strict=False):
        world.add_machine(name, zone, program)
        world.start(name)
    return world


def node(world: World, name: str) -> Any:
    """The node object of a machine that is up."""
    process = world.machines[name].process
    assert process is not None, f"{name} is down"
    return process.node


def play(world: World) -> World:
    """Do every step there is."""
    while world.step():
        pass
    return world


def play_until(world: World, kind: type, machine: str = "") -> Any:
    """Step until the last step was of this kind (of effect, event or journal line), on this machine; return it."""
    while world.step():
        step = world.journal.steps[-1]
        if isinstance(step.what, kind) and machine in ("", step.machine):
            return step.what
    raise AssertionError(f"no {kind.__name__} on {machine or 'any machine'} before the end")


def arrivals(world: World, machine: str, kind: str = "data") -> list[tuple[int, bytes]]:
    """When what arrived at a machine."""
    return [
        (step.at_us, step.what.data)
        for step in world.journal
        if isinstance(step.what, Arrived) and step.machine == machine and step.what.kind == kind
    ]


def fsync(disk: Disk, path: str) -> DiskError | None:
    """Begin an fsync and let it end at once."""
    promise = disk.fsync_begins(path)
    if isinstance(promise, DiskError):
        return promise
    return disk.fsync_ends(*promise, path)


def notes(world: World) -> list[tuple[int, str]]:
    return [(step.at_us, step.what.kind) for step in world.journal if isinstance(step.what, Note)]


def note(kind: str) -> Note:
    return Note(kind, {})
