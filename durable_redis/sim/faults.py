"""What can be done to the machine room from outside: faults, repairs, and messages held back.

An act is data.  The world carries it out between two steps, writes it into the journal, and refuses what makes no sense
(crashing a node that is already down) with a `FaultError`, having changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from durable_redis.sim.disk import Disk, Tail, TailKept

if TYPE_CHECKING:
    from durable_redis.sim.world import World

CRASHES = ("process kill", "power loss", "disk loss")
"""The kinds of crash, by what they take with them: the memory; and the page cache; and the platter."""


class FaultError(Exception):
    """An act that is not possible now.  The message says what, where, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Stop a machine.  `tail` says what a power loss leaves of unsynced data."""

    machine: str
    kind: str
    tail: TailKept = "seeded"


@dataclass(frozen=True, slots=True)
class Crashed:
    """What a crash did: for each unsynced tail, how much of it had reached the platter."""

    machine: str
    kind: str
    tails: tuple[Tail, ...] = ()


@dataclass(frozen=True, slots=True)
class Restart:
    """Start a machine that is down: a new process boots from what is on the disk."""

    machine: str


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """Let every fsync take this much longer, from now on; 0 makes the disk well again."""

    machine: str
    extra_us: int


@dataclass(frozen=True, slots=True)
class FailDisk:
    """Let every `operation` ("write" or "fsync") fail with EIO, from now on."""

    machine: str
    operation: str


@dataclass(frozen=True, slots=True)
class HealDisk:
    """The disk is well again: fast, and without errors.  What it lost stays lost."""

    machine: str


@dataclass(frozen=True, slots=True)
class BitRot:
    """Turn over one bit of a file.  `offset` is in bytes; a negative one counts from the end."""

    machine: str
    path: str
    offset: int
    bit: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep a message on the wire; what follows it on its connection queues up behind it, as in TCP."""

    message: int


@dataclass(frozen=True, slots=True)
class Release:
    """Let a held message, and what queued up behind it, arrive."""

    message: int


Act: TypeAlias = Crash | Restart | SlowDisk | FailDisk | HealDisk | BitRot | Hold | Release


def carry_out(world: World, act: Act) -> Act | Crashed:
    """Do what the act says, or raise FaultError and change nothing.  Returns what the journal shall say."""
    match act:
        case Crash():
            return _crash(world, act)
        case Restart(machine=name):
            if world.machine(name).up:
                raise FaultError(f"{name} is up: crash it before you restart it")
        case Hold(message=number):
            world.network.hold(number)
        case Release(message=number):
            if world.network.release(number):
                world.schedule(world.now_us, "arrive", number)
        case SlowDisk() | FailDisk() | HealDisk() | BitRot():
            _change_disk(world.machine(act.machine).disk, act)
    return act


def _crash(world: World, act: Crash) -> Crashed:
    machine = world.machine(act.machine)
    if act.kind not in CRASHES:
        raise FaultError(f"no crash is called {act.kind!r}: choose one of {', '.join(CRASHES)}")
    if act.tail not in ("seeded", "lost", "kept") and not (isinstance(act.tail, int) and act.tail >= 0):
        raise FaultError(f'the unsynced tail can be "seeded", "lost", "kept" or a number of bytes, not {act.tail!r}')
    if not machine.up and (act.kind == "process kill" or not machine.powered):
        when = f"{machine.last_crash} at {machine.down_since_us / 1e6:.3f} s"
        raise FaultError(f"{machine.name} is already down ({when}): restart it first")
    world.end_process(machine, act.kind, says_goodbye=act.kind == "process kill")
    machine.powered = act.kind == "process kill"
    match act.kind:
        case "power loss":
            return Crashed(machine.name, act.kind, machine.disk.power_loss(act.tail))
        case "disk loss":
            machine.disk.lose()
    return Crashed(machine.name, act.kind)


def _change_disk(disk: Disk, act: SlowDisk | FailDisk | HealDisk | BitRot) -> None:
    match act:
        case SlowDisk(extra_us=extra_us):
            if extra_us < 0:
                raise FaultError(f"a disk cannot be {extra_us} us slower: give 0 or more")
            disk.extra_fsync_us = extra_us
        case FailDisk(operation=operation):
            if operation not in disk.failing:
                raise FaultError(f'a disk can fail at "write" or at "fsync", not at {operation!r}')
            disk.failing[operation] = True
        case HealDisk():
            disk.extra_fsync_us = 0
            disk.failing = {"write": False, "fsync": False}
        case BitRot(machine=name, path=path, offset=offset, bit=bit):
            size = len(disk.read(path) or b"")
            if not -size <= offset < size or not 0 <= bit < 8:
                found = f"the file has {size} bytes of 8 bits" if size else "there is no such file, or it is empty"
                raise FaultError(f"{name} has no bit {bit} of byte {offset} in {path!r}: {found}")
            disk.rot(path, offset % size, bit)
