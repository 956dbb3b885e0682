"""Carrying out an act: is it possible, and if so, what changes.

Every check comes before the first change, so that a refused act has changed nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.sim import links, pauses
from durable_redis.sim.disk import Disk
from durable_redis.sim.faults import (
    CRASHES,
    Act,
    BitRot,
    Crash,
    Crashed,
    Cut,
    Delay,
    FailDisk,
    FaultError,
    HealDisk,
    HealNetwork,
    Hold,
    Outage,
    Partition,
    Pause,
    Release,
    Restart,
    Restore,
    Skew,
    SlowDisk,
    SpoilWrites,
)

if TYPE_CHECKING:
    from durable_redis.sim.machine import Machine
    from durable_redis.sim.world import World


def carry_out(world: World, act: Act) -> Act | Crashed:
    """Do what the act says, or raise FaultError and change nothing.  Returns what the journal shall say."""
    match act:
        case Crash():
            return _crash(world, act)
        case Restart(machine=name):
            if world.machine(name).up:
                raise FaultError(f"{name} is up: crash it before you restart it")
        case SlowDisk() | FailDisk() | SpoilWrites() | HealDisk() | BitRot():
            _change_disk(world.machine(act.machine).disk, act)
        case Hold() | Release() | Cut() | Partition() | Delay() | HealNetwork():
            _change_network(world, act)
        case Pause(machine=name, for_us=for_us):
            pauses.pause(world, _pausable(world, name, for_us), for_us)
        case Skew(machine=name, skew_us=skew_us):
            world.machine(name).clock_skew_us = skew_us
        case Outage() | Restore():
            _check_zone(world, act)
    return act


def parts(world: World, act: Act) -> list[Act]:
    """The acts of which this one, carried out already, consists: those on a zone are one for each machine."""
    match act:
        case Outage(kind=kind):
            return [Crash(machine.name, kind) for machine in _hit(world, act)]
        case Restore(zone=zone):
            return [
                Restart(machine.name) for machine in world.machines.values() if machine.zone == zone and not machine.up
            ]
    return []


# -- machines --------------------------------------------------------------------------------------------------------


def _crash(world: World, act: Crash) -> Crashed:
    machine = world.machine(act.machine)
    _check_kind(act.kind)
    if act.tail not in ("seeded", "lost", "kept") and not (isinstance(act.tail, int) and act.tail >= 0):
        raise FaultError(f'the unsynced tail can be "seeded", "lost", "kept" or a number of bytes, not {act.tail!r}')
    if not _can_crash(machine, act.kind):
        raise FaultError(f"{machine.name} is already down ({_why_down(machine)}): restart it first")
    world.end_process(machine, act.kind, says_goodbye=act.kind == "process kill")
    pauses.drop(world, machine)
    if act.kind == "process kill":
        return Crashed(machine.name, act.kind)
    machine.powered = False
    links.forget_stalled(world, machine)
    if act.kind == "power loss":
        return Crashed(machine.name, act.kind, machine.disk.power_loss(act.tail))
    machine.disk.lose()
    return Crashed(machine.name, act.kind)


def _check_kind(kind: str) -> None:
    if kind not in CRASHES:
        raise FaultError(f"no crash is called {kind!r}: choose one of {', '.join(CRASHES)}")


def _can_crash(machine: Machine, kind: str) -> bool:
    """It has what this kind of crash takes first: a process, or power."""
    return machine.up or (machine.powered and kind != "process kill")


def _why_down(machine: Machine) -> str:
    return f"{machine.last_crash} at {machine.down_since_us / 1e6:.3f} s"


def _pausable(world: World, name: str, for_us: int) -> Machine:
    machine = world.machine(name)
    if for_us <= 0:
        raise FaultError(f"{name} cannot be paused for {for_us} us: give 1 or more")
    if not machine.up:
        raise FaultError(f"{name} is down ({_why_down(machine)}): restart it before you pause it")
    if name in world.paused:
        raise FaultError(
            f"{name} is paused until {world.paused[name].until_us / 1e6:.3f} s: wait for that, or crash it"
        )
    return machine


# -- zones -----------------------------------------------------------------------------------------------------------


def _check_zone(world: World, act: Outage | Restore) -> None:
    zones = sorted({machine.zone for machine in world.machines.values()})
    if act.zone not in zones:
        raise FaultError(f"no zone is called {act.zone!r}: the room has {', '.join(zones) or 'none'}")
    if isinstance(act, Outage):
        _check_kind(act.kind)
        if not _hit(world, act):
            raise FaultError(f"in zone {act.zone} nothing is up that an outage could stop: restore it first")
    elif not parts(world, act):
        raise FaultError(f"in zone {act.zone} every machine is up: there is nothing to restore")


def _hit(world: World, act: Outage) -> list[Machine]:
    inside = [machine for machine in world.machines.values() if machine.zone == act.zone]
    return [machine for machine in inside if machine.name not in act.spared and _can_crash(machine, act.kind)]


# -- the network -----------------------------------------------------------------------------------------------------


def _change_network(world: World, act: Hold | Release | Cut | Partition | Delay | HealNetwork) -> None:
    match act:
        case Hold(message=number):
            world.network.hold(number)
        case Release(message=number):
            if world.network.release(number):
                world.schedule(world.now_us, "arrive", number)
        case Cut(source=source, target=target, both=both):
            _check_link(world, source, target)
            what = f"the link between {source} and {target}" if both else f"the way from {source} to {target}"
            _cut(world, [(source, target), (target, source)][: 1 + both], what)
        case Partition(groups=groups):
            _check_groups(world, groups)
            _cut(world, links.ways_between(groups), "every link between these groups")
        case Delay(source=source, target=target, extra_us=extra_us):
            _check_link(world, source, target)
            if extra_us < 0:
                raise FaultError(f"a link cannot be {extra_us} us slower: give 0 or more")
            world.wire(source, target).slow_down(extra_us)
        case HealNetwork():
            if not any(wire.cut or wire.extra_us for wire in world.wires.values()):
                raise FaultError("no link is cut or slow: there is nothing to heal")
            links.heal(world)


def _cut(world: World, ways: list[tuple[str, str]], what: str) -> None:
    whole = [way for way in ways if not world.wire(*way).cut]
    if not whole:
        raise FaultError(f"{what} is cut already: heal the network, or cut another")
    links.cut(world, whole)


def _check_link(world: World, source: str, target: str) -> None:
    if world.machine(source) is world.machine(target):
        raise FaultError(f"a link leads from one machine to another, not from {source} to itself: name two")


def _check_groups(world: World, groups: tuple[tuple[str, ...], ...]) -> None:
    names = [world.machine(name).name for group in groups for name in group]
    if len(groups) < 2 or not all(groups):
        raise FaultError(f"a partition needs two groups or more, none of them empty, not {groups!r}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise FaultError(f"{twice[0]} cannot be on two sides of a partition: name it once")


# -- disks -----------------------------------------------------------------------------------------------------------


def _change_disk(disk: Disk, act: SlowDisk | FailDisk | SpoilWrites | HealDisk | BitRot) -> None:
    match act:
        case SlowDisk(extra_us=extra_us):
            if extra_us < 0:
                raise FaultError(f"a disk cannot be {extra_us} us slower: give 0 or more")
            disk.extra_fsync_us = extra_us
        case FailDisk(operation=operation):
            if operation not in disk.failing:
                raise FaultError(f'a disk can fail at "write" or at "fsync", not at {operation!r}')
            disk.failing[operation] = True
        case SpoilWrites():
            disk.spoils = True
        case HealDisk():
            disk.extra_fsync_us = 0
            disk.spoils = False
            disk.failing = {"write": False, "fsync": False}
        case BitRot(machine=name, path=path, offset=offset, bit=bit):
            size = len(disk.read(path) or b"")
            if not -size <= offset < size or not 0 <= bit < 8:
                found = f"the file has {size} bytes of 8 bits" if size else "there is no such file, or it is empty"
                raise FaultError(f"{name} has no bit {bit} of byte {offset} in {path!r}: {found}")
            disk.rot(path, offset % size, bit)
