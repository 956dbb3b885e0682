"""The simulator beside SimPy: the same replicated, durable write, told by the same journal.

A client writes a record to a primary; the primary appends it to its log, waits for the fsync, and sends it to a
replica; the replica does the same and acknowledges; then the primary answers the client, which writes the next one.
Links are first-in, first-out, each with jitter of its own; a disk flushes one file after the other, in a time that
depends on luck and on the bytes.  What counts is *writes*, from the client's send to the answer.

The comparison is fair if both do the same work, and that can be checked: both sides draw their luck from streams of the
same seeds, so both journals must have the same lines, fourteen a write, with the same times (a test compares them).
Python's cycle collector rests on both sides.  What ours does besides is the point of it, and is not counted: after any
line a machine can be crashed, and its page cache lost.

SimPy's side is written as its documentation does it: machines are processes with a `Store` as inbox, a message is a
process that waits for the latency ("Event Latency" among the examples of its manual), a disk is a `Resource`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from durable_redis.bench.measure import Peer, Row, compare, seconds
from durable_redis.contract import Append, Connect, Effects, Event, Fsync, Received, Send, TimerFired
from durable_redis.sim import Hardware, World
from durable_redis.sim.journal import WroteBack
from durable_redis.sim.world import FOREVER_US, collector_paused

WRITES = 5_000
RECORD = bytes(64)
SEED = 1

Line = tuple[float, str, str]
"""A line of a journal, as far as the two sides can be compared: when, on which machine, and what."""


def measure_simulator(scale: float, rounds: int) -> list[Row]:
    """Replicated writes a second."""
    writes = max(1, round(WRITES * scale))
    peer = Peer("SimPy", ("simpy",), partial(_peer_rate, writes))
    return [compare("simulator: a replicated write", "writes/s", partial(_our_rate, writes), peer, 3.0, rounds)]


# -- ours ------------------------------------------------------------------------------------------------------------


class _Machine:
    def __init__(self, random: Random) -> None:
        self.replica = self.client = ""

    def boot(self, now: int) -> Effects:
        yield from ()

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def handle(self, event: Event, now: int) -> Effects:
        raise NotImplementedError

    def view(self) -> Mapping[str, Any]:
        return {}


class _Client(_Machine):
    connection = ""
    to_write = 0

    def boot(self, now: int) -> Effects:
        self.connection = yield Connect("primary")

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Received | TimerFired) and self.to_write:
            self.to_write -= 1
            yield Send(self.connection, RECORD)


class _Primary(_Machine):
    def boot(self, now: int) -> Effects:
        self.replica = yield Connect("replica")

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Received):
            if event.connection == self.replica:
                yield Send(self.client, b"OK")
            else:
                self.client = event.connection
                yield Append("log", event.data)
                yield Fsync("log")
                yield Send(self.replica, event.data)


class _Replica(_Machine):
    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Received):
            yield Append("log", event.data)
            yield Fsync("log")
            yield Send(event.connection, b"ACK")


def our_room(writes: int) -> World:
    """The room in the moment in which the client is about to send the first of so many records."""
    world = World(SEED)
    for name, program in (("replica", _Replica), ("primary", _Primary), ("client", _Client)):
        world.add_machine(name, "a", program)
        world.start(name)
    world.run_until(5_000)  # everybody is connected
    process = world.machines["client"].process
    assert process is not None
    assert isinstance(process.node, _Client)
    process.node.to_write = writes
    world.ask("client", "begin", TimerFired("begin"))
    world.step()
    return world


def our_journal(writes: int) -> list[Line]:
    """What happened, counted from the first send.  That Linux writes old pages back is no part of the comparison."""
    world = our_room(writes)
    before, start_us = len(world.journal), world.now_us
    world.run_until(FOREVER_US)
    steps = [step for step in world.journal.steps[before:] if not isinstance(step.what, WroteBack)]
    return [(step.at_us - start_us, step.machine, type(step.what).__name__) for step in steps]


def _our_rate(writes: int) -> float:
    world = our_room(writes)
    with collector_paused():
        return writes / seconds(lambda: world.run_until(FOREVER_US))


# -- SimPy's ---------------------------------------------------------------------------------------------------------


class _PeerRoom:
    """The same room, made of SimPy's parts."""

    def __init__(self, writes: int) -> None:
        import simpy

        self.hardware = Hardware()
        self.environment = environment = simpy.Environment()
        self.journal: list[tuple[float, str, str, object]] = []
        self.inboxes = {name: simpy.Store(environment) for name in ("client", "primary", "replica")}
        self.turns = {name: simpy.Resource(environment, capacity=1) for name in ("primary", "replica")}
        environment.process(self.primary())
        environment.process(self.replica())
        self.finished = environment.process(self.client(writes))

    def note(self, machine: str, what: str, about: object) -> None:
        self.journal.append((self.environment.now, machine, what, about))

    def client(self, writes: int) -> Any:
        wire, inbox = _PeerWire(self, "client", "primary"), self.inboxes["client"]
        for _ in range(writes):
            wire.send(RECORD)
            yield inbox.get()

    def primary(self) -> Any:
        disk, inbox = _PeerDisk(self, "primary"), self.inboxes["primary"]
        to_replica, to_client = _PeerWire(self, "primary", "replica"), _PeerWire(self, "primary", "client")
        while True:
            source, data = yield inbox.get()
            if source == "replica":
                to_client.send(b"OK")
            else:
                disk.append(data)
                yield from disk.fsync()
                to_replica.send(data)

    def replica(self) -> Any:
        disk, inbox = _PeerDisk(self, "replica"), self.inboxes["replica"]
        wire = _PeerWire(self, "replica", "primary")
        while True:
            _, data = yield inbox.get()
            disk.append(data)
            yield from disk.fsync()
            wire.send(b"ACK")


class _PeerWire:
    """One direction of a connection.  A message is due no sooner than what was sent before it."""

    def __init__(self, room: _PeerRoom, source: str, target: str) -> None:
        self.room, self.environment, self.inbox = room, room.environment, room.inboxes[target]
        self.source, self.target = source, target
        self.random = Random(f"{SEED}/wire {source}>{target}")
        self.random.random()  # ours drew once already, for the message that opened or accepted the connection
        self.latest_due_us = 0.0  # SimPy counts time in any numbers, and so says float

    def send(self, data: bytes) -> None:
        self.room.note(self.source, "Send", data)
        self.environment.process(self.carry(data))

    def carry(self, data: bytes) -> Any:
        hardware, now_us = self.room.hardware, self.environment.now
        delay_us = hardware.same_zone_us + int(self.random.random() * (hardware.jitter_us + 1))
        self.latest_due_us = max(self.latest_due_us, now_us + delay_us)
        yield self.environment.timeout(self.latest_due_us - now_us)
        self.room.note(self.target, "Arrived", data)
        yield self.inbox.put((self.source, data))


class _PeerDisk:
    """A log in a page cache, and on a platter, where a device brings it that does one thing at a time."""

    def __init__(self, room: _PeerRoom, machine: str) -> None:
        self.room, self.machine, self.turns = room, machine, room.turns[machine]
        self.random = Random(f"{SEED}/disk {machine}")
        self.cache, self.platter = bytearray(), bytearray()

    def append(self, data: bytes) -> None:
        self.room.note(self.machine, "Append", data)
        self.cache += data

    def fsync(self) -> Any:
        hardware, size = self.room.hardware, len(self.cache)
        self.room.note(self.machine, "Fsync", size)
        with self.turns.request() as turn:
            yield turn
            duration_us = hardware.fsync_us + int(self.random.random() * (hardware.fsync_jitter_us + 1))
            duration_us += (size - len(self.platter)) * 1_000_000 // hardware.write_bytes_per_s
            yield self.room.environment.timeout(duration_us)
        self.platter += self.cache[len(self.platter) : size]
        self.room.note(self.machine, "Synced", size)


def peer_journal(writes: int) -> list[Line]:
    """What happened, counted from the first send."""
    room = _PeerRoom(writes)
    room.environment.run(until=room.finished)
    return [(at_us, machine, what) for at_us, machine, what, _ in room.journal]


def _peer_rate(writes: int) -> float:
    room = _PeerRoom(writes)
    with collector_paused():
        return writes / seconds(lambda: room.environment.run(until=room.finished))
