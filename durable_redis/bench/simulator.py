"""The simulator beside SimPy: the same ping-pong, both writing a journal.

A client writes a record to a primary; the primary appends it to its disk and sends it to a replica; the replica appends
it and acknowledges; then the primary answers the client, which writes the next one.  An *event* is a message delivered
or an append: six a record, one line of journal each.  (Our journal has ten lines a record, because sending is a step
too, after which a crash may come; the other four are not counted.)

SimPy's side is written as its documentation does it: machines are processes, each direction of a connection has a
`Store`, and a message is a process that waits for the latency ("Event Latency" among the examples of its manual).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from durable_redis.bench.measure import Peer, Row, compare, seconds
from durable_redis.contract import Append, Connect, Effects, Event, Opened, Received, Send
from durable_redis.sim import World
from durable_redis.sim.journal import Arrived

RECORDS = 10_000
RECORD = bytes(64)
EVENTS_OF_A_RECORD = 6


def measure_simulator(scale: float, rounds: int) -> list[Row]:
    """Events a second of the replicated write."""
    records = max(1, round(RECORDS * scale))
    peer = Peer("SimPy", ("simpy",), partial(_peer_rate, records))
    return [compare("simulator: a replicated write", "events/s", partial(_our_rate, records), peer, 3.0, rounds)]


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
    def boot(self, now: int) -> Effects:
        yield Connect("primary")

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Opened | Received):
            yield Send(event.connection, RECORD)


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
                yield Send(self.replica, event.data)


class _Replica(_Machine):
    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Received):
            yield Append("log", event.data)
            yield Send(event.connection, b"ACK")


def _our_rate(records: int) -> float:
    world = World(seed=1)
    for name, program in (("replica", _Replica), ("primary", _Primary), ("client", _Client)):
        world.add_machine(name, "a", program)
        world.start(name)
    world.run_until(5_000)  # everybody is connected
    before = _events(world)
    mean_latency_us = world.hardware.same_zone_us + world.hardware.jitter_us // 2
    took = seconds(lambda: world.run_until(world.now_us + records * 4 * mean_latency_us))
    return (_events(world) - before) / took


def _events(world: World) -> int:
    return sum(1 for step in world.journal if isinstance(step.what, Arrived | Append))


# -- SimPy's ---------------------------------------------------------------------------------------------------------


def _peer_rate(records: int) -> float:
    import simpy

    environment = simpy.Environment()
    journal: list[tuple[float, str, str]] = []

    class Wire:
        """One direction of a connection."""

        def __init__(self, name: str) -> None:
            self.random = Random(f"1/{name}")
            self.store = simpy.Store(environment)

        def carry(self, data: bytes) -> Any:
            yield environment.timeout(100 + self.random.randrange(21))
            yield self.store.put(data)

        def send(self, data: bytes) -> None:
            environment.process(self.carry(data))

        def receive(self) -> Any:
            return self.store.get()

    to_primary, to_client, to_replica, from_replica = (Wire(name) for name in ("cp", "pc", "pr", "rp"))

    def client() -> Any:
        for _ in range(records):
            to_primary.send(RECORD)
            yield to_client.receive()
            journal.append((environment.now, "client", "arrived"))

    def primary() -> Any:
        log = bytearray()
        while True:
            data = yield to_primary.receive()
            journal.append((environment.now, "primary", "arrived"))
            log.extend(data)
            journal.append((environment.now, "primary", "append"))
            to_replica.send(data)
            yield from_replica.receive()
            journal.append((environment.now, "primary", "arrived"))
            to_client.send(b"OK")

    def replica() -> Any:
        log = bytearray()
        while True:
            data = yield to_replica.receive()
            journal.append((environment.now, "replica", "arrived"))
            log.extend(data)
            journal.append((environment.now, "replica", "append"))
            from_replica.send(b"ACK")

    environment.process(primary())
    environment.process(replica())
    finished = environment.process(client())
    took = seconds(lambda: environment.run(until=finished))
    assert len(journal) == EVENTS_OF_A_RECORD * records
    return len(journal) / took
