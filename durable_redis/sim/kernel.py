"""What an operating system does for its processes: it performs their effects, and tells them when something happened.

Every effect of the contract has one method here, and so has every happening that the heap may hold.  A method that
performs an effect returns its result, or `BLOCKED` when the result comes later.  A method for a happening returns True
if it was a step, and False if it came too late: its process is gone, its timer was set anew, its message is held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_redis import contract as c
from durable_redis.sim import links, pauses
from durable_redis.sim.disk import Disk, File
from durable_redis.sim.journal import RESUMED, Arrived, Synced, WroteBack
from durable_redis.sim.machine import MAIN, Machine, Process, Task
from durable_redis.sim.network import ENDINGS, Connection, Segment

if TYPE_CHECKING:
    from durable_redis.sim.world import World

BLOCKED = object()
"""The result of an effect that takes time: the real one comes with a later happening."""


class Kernel:
    """The kernel of every machine in the room: they differ only in their state, which the machines hold."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.network = world.network
        self.effects: dict[type, Callable[[Task, Any], Any]] = {
            c.Connect: self.connect,
            c.Send: self.send,
            c.Close: self.close,
            c.SetTimer: self.set_timer,
            c.CancelTimer: self.cancel_timer,
            c.Append: self.append,
            c.Write: self.write,
            c.Truncate: self.truncate,
            c.Rename: self.rename,
            c.Remove: self.remove,
            c.Fork: self.fork,
            c.Kill: self.kill,
            c.Exit: self.exit,
            c.Note: self.note,
            c.Fsync: self.fsync,
            c.SyncDirectory: self.sync_directory,
            c.Read: self.read,
            c.ListDirectory: self.list_directory,
            c.Compute: self.compute,
        }
        self.happenings: dict[str, Callable[..., bool]] = {
            "arrive": self.arrives,
            "connection fails": self.connection_fails,
            "timer": self.timer_fires,
            "resume": self.resumes,
            "append again": self.appends_again,
            "fsync ends": self.fsync_ends,
            "names synced": self.names_synced,
            "writeback": self.writes_back,
            "asked": self.asked,
            "gives up": self.gives_up,
            "pause ends": self.pause_ends,
        }

    # -- effects that return at once ---------------------------------------------------------------------------------

    def connect(self, task: Task, effect: c.Connect) -> str:
        world, name, peer = self.world, task.machine.name, effect.peer
        if peer not in world.machines or peer == name:
            reason = "a machine cannot connect to itself" if peer == name else f"no machine is called {peer}"
            closed = c.Closed(world.network.name_connection(name, peer), reason)
            world.schedule(world.now_us, "connection fails", task.process, closed)
            return closed.connection
        wires = world.wire(name, peer), world.wire(peer, name)
        connection = world.network.connect(name, peer, task.process.incarnation, *wires)
        world.emit("open", connection, peer)
        return connection.name

    def send(self, task: Task, effect: c.Send) -> None:
        connection = self.network.connections.get(effect.connection)
        name = task.machine.name
        if connection is not None and name in connection.incarnations:
            self.world.emit("data", connection, connection.peer(name), effect.data)

    def close(self, task: Task, effect: c.Close) -> None:
        connection = self.world.network.connections.get(effect.connection)
        if connection is not None and connection.incarnations.pop(task.machine.name, None) is not None:
            self.world.hang_up(connection, task.machine.name)

    def set_timer(self, task: Task, effect: c.SetTimer) -> None:
        process = task.process
        number = process.timers[effect.name] = self.world.sequence
        self.world.schedule(self.world.room_time(process, effect.at_us), "timer", process, effect.name, number)

    def cancel_timer(self, task: Task, effect: c.CancelTimer) -> None:
        task.process.timers.pop(effect.name, None)

    def append(self, task: Task, effect: c.Append) -> Any:
        machine = task.machine
        file = machine.disk.files.get(effect.path)
        if file is not None and file.syncing:  # as on ext4, write(2) waits for the fsync in progress
            until_us = max(file.syncing_until_us, self.world.now_us)  # its end is overdue at the end of a pause
            return self._blocked_until(until_us, "append again", task)
        return self._dirtied(machine, machine.disk.append(effect.path, effect.data))

    def write(self, task: Task, effect: c.Write) -> Any:
        machine = task.machine
        return self._dirtied(machine, machine.disk.write(effect.path, effect.data))

    def truncate(self, task: Task, effect: c.Truncate) -> Any:
        machine = task.machine
        return self._dirtied(machine, machine.disk.truncate(effect.path, effect.size))

    def rename(self, task: Task, effect: c.Rename) -> Any:
        machine = task.machine
        return self._dirtied(machine, machine.disk.rename(effect.old, effect.new))

    def remove(self, task: Task, effect: c.Remove) -> Any:
        machine = task.machine
        return self._dirtied(machine, machine.disk.remove(effect.path))

    def _dirtied(self, machine: Machine, result: c.DiskError | None) -> c.DiskError | None:
        """The page cache differs from the platter now: the kernel will write it back in its own time."""
        if not machine.writeback_due and result is None:
            machine.writeback_due = True
            self.world.schedule(self.world.now_us + self.world.hardware.writeback_us, "writeback", machine)
        return result

    def fork(self, task: Task, effect: c.Fork) -> None:
        assert effect.name not in task.process.tasks, (
            f"{task.machine.name} has a task {effect.name!r} already: name another"
        )
        child = task.process.tasks[effect.name] = Task(task.process, effect.name, effect.work)
        self.world.schedule(self.world.now_us, "resume", child, None)

    def kill(self, task: Task, effect: c.Kill) -> None:
        assert effect.name not in (MAIN, task.name), f"{task.machine.name} cannot Kill {effect.name!r}: return, or Exit"
        process = task.process
        process.tasks.pop(effect.name, None)
        for waiting in (process.inbox, process.batch):  # it may have ended already, and nobody heard of it yet
            for event in [event for event in waiting if isinstance(event, c.ChildEnded) and event.name == effect.name]:
                waiting.remove(event)

    def exit(self, task: Task, effect: c.Exit) -> Any:
        self.world.end_process(task.machine, f"exit {effect.code}: {effect.reason}", says_goodbye=True)
        return BLOCKED

    def note(self, task: Task, effect: c.Note) -> None:
        return None

    # -- effects that take time --------------------------------------------------------------------------------------

    def fsync(self, task: Task, effect: c.Fsync) -> Any:
        disk = task.machine.disk
        promise = disk.fsync_begins(effect.path)
        if isinstance(promise, c.DiskError):
            return promise
        file, size = promise
        file.syncing_until_us = until_us = self._device_done(disk, size - file.settled)
        return self._blocked_until(until_us, "fsync ends", task, disk, disk.outages, file, size, effect.path)

    def sync_directory(self, task: Task, effect: c.SyncDirectory) -> Any:
        disk = task.machine.disk
        at_us = self._device_done(disk, 0)
        return self._blocked_until(at_us, "names synced", task, disk, disk.outages, effect.directory)

    def read(self, task: Task, effect: c.Read) -> Any:
        content = task.machine.disk.read(effect.path)
        duration_us = len(content or b"") * 1_000_000 // self.world.hardware.read_bytes_per_s
        return self._blocked_until(self.world.now_us + duration_us, "resume", task, content)

    def list_directory(self, task: Task, effect: c.ListDirectory) -> Any:
        return self._blocked_until(self.world.now_us, "resume", task, task.machine.disk.list(effect.directory))

    def compute(self, task: Task, effect: c.Compute) -> Any:
        duration_us = self.world.hardware.compute_us(effect.work, effect.amount)
        return self._blocked_until(self.world.now_us + duration_us, "resume", task, None)

    def _blocked_until(self, at_us: int, happening: str, *arguments: Any) -> Any:
        self.world.running = None
        self.world.schedule(at_us, happening, *arguments)
        return BLOCKED

    def _device_done(self, disk: Disk, dirty_bytes: int) -> int:
        """When the device will have flushed these bytes: it works on one fsync after the other."""
        hardware = self.world.hardware
        duration_us = (
            hardware.fsync_us + int(disk.random.random() * (hardware.fsync_jitter_us + 1)) + disk.extra_fsync_us
        )
        duration_us += max(0, dirty_bytes) * 1_000_000 // hardware.write_bytes_per_s
        disk.busy_until_us = max(self.world.now_us, disk.busy_until_us) + duration_us
        return disk.busy_until_us

    # -- happenings --------------------------------------------------------------------------------------------------

    def resumes(self, task: Task, result: Any) -> bool:
        if not task.alive:
            return False
        self.world.record(task.machine.name, task.name, RESUMED)
        self.world.resume(task, result)
        return True

    def appends_again(self, task: Task) -> bool:
        if not task.alive:
            return False
        self.world.record(task.machine.name, task.name, RESUMED)
        self.world.running = task  # its pending effect is still the append
        return True

    def fsync_ends(self, task: Task, disk: Disk, outages: int, file: File, size: int, path: str) -> bool:
        if disk.outages != outages:
            return False  # the power went meanwhile
        error = disk.fsync_ends(file, size, path)  # a killed process's fsync is finished by the kernel all the same
        self.world.record(task.machine.name, task.name, Synced(path, size, error.code if error else ""))
        if task.alive:
            self.world.resume(task, error)
        return True

    def names_synced(self, task: Task, disk: Disk, outages: int, directory: str) -> bool:
        if disk.outages != outages:
            return False
        error = disk.sync_names()
        self.world.record(task.machine.name, task.name, Synced(directory + "/", 0, error.code if error else ""))
        if task.alive:
            self.world.resume(task, error)
        return True

    def writes_back(self, machine: Machine) -> bool:
        machine.writeback_due = False
        if not machine.powered or not machine.disk.dirty:
            return False
        machine.disk.write_back()
        self.world.record(machine.name, "", WroteBack())
        return True

    def timer_fires(self, process: Process, name: str, number: int) -> bool:
        if not process.alive or process.timers.get(name) != number:
            return False
        del process.timers[name]
        event = c.TimerFired(name)
        self.world.record(process.machine.name, "", event)
        self.world.tell(process, event)
        return True

    def connection_fails(self, process: Process, closed: c.Closed) -> bool:
        if not process.alive:
            return False
        self.world.record(process.machine.name, "", closed)
        self.world.tell(process, closed)
        return True

    def asked(self, process: Process, what: Any, event: c.Event) -> bool:
        if not process.alive:
            return False
        self.world.record(process.machine.name, "", what)
        self.world.tell(process, event)
        return True

    def gives_up(self, connection: Connection, target: str, since_us: int) -> bool:
        return links.give_up(self.world, connection, target, since_us)

    def pause_ends(self, machine: Machine, begun: pauses.Pause) -> bool:
        return pauses.pause_ends(self.world, machine, begun)

    def arrives(self, number: int) -> bool:
        world = self.world
        segment = self.network.arrive(number)
        if segment is None:
            return False
        connection, direction = segment.connection, segment.direction
        name, kind, data = connection.name, segment.kind, segment.data
        target = world.machines[direction.target]
        world.record(target.name, "", Arrived(number, kind, name, direction.source, data))
        process = target.process
        if kind == "data" and process is not None and connection.incarnations.get(target.name) == process.incarnation:
            world.tell(process, c.Received(name, data))  # what nearly all of them are
        else:
            self._deliver(segment, connection, target)
        if direction.in_flight and direction.in_flight[0].arrived:  # it queued up behind this one, which was held
            world.schedule(world.now_us, "arrive", direction.in_flight[0].number)
        return True

    def _deliver(self, segment: Segment, connection: Connection, target: Machine) -> None:
        """What the target's kernel does with a segment: it tells the process whose connection this is, if it lives."""
        world, process, kind = self.world, target.process, segment.kind
        if kind in ENDINGS:
            world.network.close(connection)
        if process is not None and kind == "open":
            connection.incarnations[target.name] = process.incarnation
            world.emit("accept", connection, connection.opener)
            world.tell(process, c.Opened(connection.name, connection.opener))
        elif process is not None and connection.incarnations.get(target.name) == process.incarnation:
            if kind == "accept":
                world.tell(process, c.Opened(connection.name, connection.accepter, outgoing=True))
            else:
                world.tell(process, c.Closed(connection.name, ENDINGS[kind]))
        elif target.powered and kind not in ENDINGS:
            world.emit("refuse" if kind == "open" else "reset", connection, segment.direction.source)
