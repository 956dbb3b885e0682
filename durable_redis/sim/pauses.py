"""A machine that stands still for a while: a stop-the-world collection, or a virtual machine whose host is busy.

The fault model, in five lines.  The *whole machine* stands still, its kernel too: no task of it runs, and whatever
would happen on it (a message arrives, a timer is due, a child or an fsync ends) waits, and happens at the end of the
pause, in the order in which it was due.  Its clock goes on, so that it finds itself late without having noticed
anything.  To the others it is silent: its connections stay open, and what it had sent travels.  A crash ends the pause.

This is what a lease must survive, and what no process can see coming.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_redis.sim.journal import WENT_ON
from durable_redis.sim.machine import Machine, Task

if TYPE_CHECKING:
    from durable_redis.sim.world import World


class Pause:
    """One pause: until when, the task that was about to perform an effect (if any), and what waits to happen."""

    __slots__ = ("task", "until_us", "waiting")

    def __init__(self, until_us: int, task: Task | None) -> None:
        self.until_us = until_us
        self.task = task
        self.waiting: list[tuple[str, tuple[Any, ...]]] = []


def pause(world: World, machine: Machine, for_us: int) -> None:
    """Begin a pause: the machine is up, and not paused."""
    task = world.running if world.running is not None and world.running.machine is machine else None
    if task is not None:
        world.running = None
    begun = world.paused[machine.name] = Pause(world.now_us + for_us, task)
    world.schedule(begun.until_us, "pause ends", machine, begun)


def pause_ends(world: World, machine: Machine, begun: Pause) -> bool:
    """Let everything go on, unless a crash ended this pause already."""
    if world.paused.get(machine.name) is not begun:
        return False
    drop(world, machine)
    world.record(machine.name, "", WENT_ON)
    world.running = begun.task
    return True


def drop(world: World, machine: Machine) -> None:
    """End the pause of a machine, if there is one; what waited happens now, if it still can."""
    ended = world.paused.pop(machine.name, None)
    if ended is not None:
        for happening, arguments in ended.waiting:
            world.schedule(world.now_us, happening, *arguments)


def defer(world: World, happening: str, arguments: tuple[Any, ...]) -> bool:
    """Keep back what is about to happen on a machine that is paused.  False: it may happen."""
    machine = _concerned(world, happening, arguments)
    begun = world.paused.get(machine)
    if begun is None:
        return False
    begun.waiting.append((happening, arguments))
    return True


def _concerned(world: World, happening: str, arguments: tuple[Any, ...]) -> str:
    """The name of the machine on which something is about to happen; "" if it is none, or none any more."""
    first = arguments[0]
    match happening:
        case "pause ends":
            return ""
        case "arrive":
            segment = world.network.in_flight.get(first)
            return "" if segment is None else segment.direction.target
        case "gives up":
            return str(first.peer(arguments[1]))
        case "writeback":
            return str(first.name)
    return str(first.machine.name)
