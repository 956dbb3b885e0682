"""The links between machines: whole, slow, or cut; and what TCP makes of that.

The fault model, in five lines.  A link is cut *one way*.  A segment that would arrive on a cut way *stalls*, in order,
and so does what follows it; when the link heals, the sender's kernel sends it again, and it arrives one latency later.
A kernel that hears of no acknowledgement for `Hardware.tcp_timeout_us` *gives the connection up*: its own process is
told so, the peer is told nothing, and finds out by a reset when it next sends something.  What stalled lies in the
sender's kernel: it survives the end of the process, and is lost with the machine's power.  A *slow* link adds to the
latency of what is sent from then on, and overtakes nothing.

An acknowledgement travels the other way: with one way cut, the other way still delivers, and its sender too gives up.
Nobody gives up waiting for an answer to "open", as the program that asked has patience of its own.  An idle connection
notices nothing, whatever becomes of its link: TCP says nothing when there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from durable_redis.contract import Closed
from durable_redis.sim.journal import GaveUp
from durable_redis.sim.network import Connection, Direction, Segment

if TYPE_CHECKING:
    from durable_redis.sim.machine import Machine
    from durable_redis.sim.world import World

ACKNOWLEDGED = ("accept", "data", "close")
"""The kinds of segment that a kernel sends again until they are acknowledged, or until it gives up."""


# -- acts ------------------------------------------------------------------------------------------------------------


def cut(world: World, ways: Iterable[tuple[str, str]]) -> None:
    """Let nothing arrive any more on these ways, each from one machine to another."""
    for source, target in ways:
        world.wire(source, target).cut = True
        for way in ((source, target), (target, source)):
            world.wire(*way).deaf = True
    for connection, target, direction in _directions(world):
        if not world.machines[direction.source].powered:
            _forget(world, direction)
        elif direction.wire.deaf and any(segment.kind in ACKNOWLEDGED for segment in direction.in_flight):
            expect_acknowledgement(world, connection, target)


def heal(world: World) -> None:
    """Make every link whole and fast: what stalled is sent again."""
    for wire in world.wires.values():
        wire.cut = wire.deaf = False
        wire.slow_down(0)
    for _, _, direction in _directions(world):
        direction.waits_since_us = None
        _send_again(world, direction)


def ways_between(groups: Iterable[Iterable[str]]) -> list[tuple[str, str]]:
    """Every way from a machine of one group to a machine of another."""
    sides = [tuple(group) for group in groups]
    return [
        (source, target)
        for here, side in enumerate(sides)
        for there, other in enumerate(sides)
        if here != there
        for source in side
        for target in other
    ]


# -- what the kernels do about it ------------------------------------------------------------------------------------


def expect_acknowledgement(world: World, connection: Connection, target: str) -> None:
    """Something is on its way to `target`, and no acknowledgement can come back: the sender's patience begins."""
    direction = connection.directions[target]
    if direction.waits_since_us is None:
        direction.waits_since_us = world.now_us
        at_us = world.now_us + world.hardware.tcp_timeout_us
        world.schedule(at_us, "gives up", connection, target, world.now_us)


def give_up(world: World, connection: Connection, target: str, since_us: int) -> bool:
    """The sender's patience is over, unless the link healed meanwhile: it drops its half of the connection."""
    direction = connection.directions[target]
    if direction.waits_since_us != since_us or world.network.connections.get(connection.name) is not connection:
        return False
    direction.waits_since_us = None
    lost = _drop(world, direction) if direction.wire.cut else 0
    sender = world.machines[direction.source]
    world.record(sender.name, "", GaveUp(connection.name, target, lost))
    incarnation = connection.incarnations.pop(sender.name, 0)
    if not connection.incarnations:
        world.network.close(connection)
    if sender.process is not None and sender.process.incarnation == incarnation:
        seconds = world.hardware.tcp_timeout_us / 1_000_000
        world.tell(sender.process, Closed(connection.name, f"timed out: nothing acknowledged for {seconds:g} s"))
    return True


def forget_stalled(world: World, machine: Machine) -> None:
    """The machine lost its power: nobody will send again what stalled on its way from there."""
    for _, _, direction in _directions(world):
        if direction.source == machine.name:
            _forget(world, direction)


def never_left(connection: Connection) -> bool:
    """The question for this connection stalled: who closes it now has nothing to say to anybody."""
    direction = connection.directions[connection.accepter]
    return direction.wire.cut and bool(direction.in_flight) and direction.in_flight[0].kind == "open"


def _directions(world: World) -> Iterator[tuple[Connection, str, Direction]]:
    for connection in list(world.network.connections.values()):
        for target, direction in connection.directions.items():
            yield connection, target, direction


def _send_again(world: World, direction: Direction) -> None:
    """Let what stalled arrive one latency from now.  The first of it draws the others behind it."""
    stalled: list[Segment] = [segment for segment in direction.in_flight if segment.arrived]
    for segment in stalled:
        segment.due_us = world.now_us + direction.wire.latency_us
    if stalled:
        world.schedule(stalled[0].due_us, "arrive", stalled[0].number)


def _forget(world: World, direction: Direction) -> None:
    """The sender has no power, and will send nothing again."""
    direction.waits_since_us = None
    if direction.wire.cut:
        _drop(world, direction)


def _drop(world: World, direction: Direction) -> int:
    dropped = len(direction.in_flight)
    for segment in direction.in_flight:
        del world.network.in_flight[segment.number]
    direction.in_flight.clear()
    return dropped
