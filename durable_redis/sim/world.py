"""The simulated machine room: one heap of happenings, and machines whose nodes are driven step by step.

How it works.  A node's handler is a generator; the world takes one effect out of it, has the kernel of that machine
perform it, and sends the result back.  Effects that take no time follow one another without anything else in between,
*but the world can stop after any of them*: a crash needs no hook in the node.  Effects that take time put a happening
on the heap, ordered by (time, sequence number), and the thread is busy until it comes up.  Meanwhile events queue in
the inbox; when the thread is free it takes them all as one batch, and calls `before_sleep` once after it.  Group commit
comes out of that by itself.

What the world must not know: what the nodes are, and what the bytes mean.

Determinism.  The heap holds data: the name of what happens, and to whom.  Luck comes from one random stream a node, a
disk and a wire, each named after what it belongs to, so that one more message on one wire changes nobody else's luck.
The same seed and the same acts give the same journal, on every platform.
"""

from __future__ import annotations

import gc
import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from durable_redis.contract import ChildEnded, Event
from durable_redis.sim import acting, faults, links, pauses
from durable_redis.sim.faults import FaultError
from durable_redis.sim.hardware import Hardware
from durable_redis.sim.journal import Journal, Step, new_step
from durable_redis.sim.kernel import BLOCKED, Kernel
from durable_redis.sim.machine import Machine, Process, Program, Task
from durable_redis.sim.network import Connection, Network, Wire

EPOCH_US = 1_637_280_000 * 1_000_000
"""What the clocks show when the room starts: 2021-11-19 00:00 UTC."""

FOREVER_US = 2**63 - 1
ALL_STEPS = 2**63 - 1


class World:
    """A room of machines.  `step()` does the smallest possible thing; `run_until()` does many."""

    def __init__(self, seed: int | str = 0, hardware: Hardware | None = None) -> None:
        self.seed = seed
        self.hardware = hardware or Hardware()
        self.now_us = 0  # since the room started
        self.machines: dict[str, Machine] = {}
        self.network = Network()
        self.journal = Journal()
        self._keep = self.journal.steps.append
        self.running: Task | None = None  # the task whose next effect comes before anything else
        self.watch: Callable[[str], None] | None = None  # called after every step, with the machine it concerned
        self.sequence = 0  # of the next happening
        self._heap: list[tuple[int, int, str, tuple[Any, ...]]] = []
        self.wires: dict[tuple[str, str], Wire] = {}  # by where they come from and where they lead
        self.paused: dict[str, pauses.Pause] = {}  # by machine
        kernel = Kernel(self)
        self._perform = kernel.effects
        self._happen = kernel.happenings

    # -- building the room -------------------------------------------------------------------------------------------

    def add_machine(self, name: str, zone: str, program: Program) -> Machine:
        """Put a machine into a zone; it stays off until `start`."""
        if name in self.machines:
            raise ValueError(f"there is a machine called {name} already: choose another name")
        machine = self.machines[name] = Machine(name, zone, program, self.seed)
        return machine

    def start(self, name: str) -> None:
        """Switch a machine on.  This is not a step: that its boot begins is the next one."""
        machine = self.machine(name)
        if machine.up:
            raise FaultError(f"{name} is up: crash it before you restart it")
        process = machine.boot(self.clock(machine))
        self.schedule(self.now_us, "resume", process.main, None)

    def machine(self, name: str) -> Machine:
        machine = self.machines.get(name)
        if machine is None:
            raise FaultError(f"there is no machine called {name!r}: the room has {', '.join(self.machines) or 'none'}")
        return machine

    # -- playing -----------------------------------------------------------------------------------------------------

    def step(self, by_us: int = FOREVER_US) -> bool:
        """Do the smallest possible thing that is due by `by_us`.  False: there is none, until somebody acts."""
        return self.do_steps(1, by_us) == 1

    def do_steps(self, most: int, by_us: int) -> int:
        """Do the steps that are due by `by_us`, but not more than `most` of them.  Returns how many these were.

        This is the loop of the simulator, and a step takes about a microsecond: what it needs is at hand in local
        names, one call lies between it and the kernel, and what most steps need of `resume` and `record` is here."""
        perform, happen, heap, steps, watch = self._perform, self._happen, self._heap, self.journal.steps, self.watch
        keep, heappop, paused = steps.append, heapq.heappop, self.paused
        done = 0
        while done < most:
            task = self.running
            if task is not None:
                effect = task.pending
                keep(new_step(Step, (self.now_us, task.machine.name, task.name, effect)))
                result = perform[type(effect)](task, effect)
                if result is None and task is task.process.main:
                    # Most results are None, and nobody wants what a handler returns: `next` is cheaper than `send` and
                    # the StopIteration that would carry it.
                    task.pending = next(task.generator, None)
                    if task.pending is None:
                        self._wake(task.process)
                elif result is not BLOCKED:
                    self.resume(task, result)
            elif heap and heap[0][0] <= by_us:
                self.now_us, _, happening, arguments = heappop(heap)
                if paused and pauses.defer(self, happening, arguments):
                    continue
                if not happen[happening](*arguments):
                    continue  # it came too late, such as a timer of a process that is gone
            else:
                break
            done += 1
            if watch is not None:
                watch(steps[-1].machine)
        return done

    def run_until(self, at_us: int) -> None:
        """Do every step that is due by `at_us`, then let the clock show `at_us`."""
        with collector_paused():
            self.do_steps(ALL_STEPS, at_us)
        self.now_us = max(self.now_us, at_us)

    def act(self, act: faults.Act) -> faults.Act | faults.Crashed:
        """Carry out an act, now.  It is one step, and one more for each act of which it consists.  Raises FaultError,
        having changed nothing, if it makes no sense."""
        outcome = acting.carry_out(self, act)
        machine = getattr(act, "machine", "")
        self.record(machine, "", outcome)
        if isinstance(act, faults.Restart):
            self.start(machine)
        if self.watch is not None:
            self.watch(machine)
        for part in acting.parts(self, act):
            self.act(part)
        return outcome

    def ask(self, name: str, what: Any, event: Event) -> None:
        """Give a node something to do, from outside.  The next step notes `what`, and hands the node the event."""
        process = self.machine(name).process
        if process is None:
            raise FaultError(f"{name} is down: restart it before you ask it for something")
        self.schedule(self.now_us, "asked", process, what, event)

    # -- driving a process: used by the kernel and by the faults -----------------------------------------------------

    def resume(self, task: Task, result: Any) -> None:
        """Send a result into a task and take its next effect; when there is none, see what its process does next."""
        try:
            task.pending = task.generator.send(result)
            self.running = task
            return
        except StopIteration as stop:
            returned = stop.value
        self.running = None
        if task is task.process.main:
            self._wake(task.process)
        else:
            del task.process.tasks[task.name]
            self.tell(task.process, ChildEnded(task.name, returned))

    def tell(self, process: Process, event: Event) -> None:
        """Put an event into a process's inbox."""
        if process.busy:
            process.inbox.append(event)
        else:
            process.batch.append(event)  # what a free thread would take from its inbox at once
            process.open_batch = True
            self._wake(process)

    def end_process(self, machine: Machine, why: str, says_goodbye: bool) -> None:
        """Drop the process, if there is one.  If its kernel lives on, the kernel closes its connections."""
        process, machine.process = machine.process, None
        machine.last_crash = why
        machine.down_since_us = self.now_us
        if process is None:
            return
        if self.running is not None and self.running.process is process:
            self.running = None
        if says_goodbye:
            for connection in self.network.connections_of(machine.name, process.incarnation):
                self.hang_up(connection, machine.name)

    def _wake(self, process: Process) -> None:
        """The thread is free: handle the rest of the batch, or go to sleep properly, or take the inbox as a batch.

        A handler that yields nothing is over at once, and is no step."""
        node, batch = process.node, process.batch
        clock_us = EPOCH_US + self.now_us + process.machine.clock_skew_us
        while True:
            if batch:
                handler = node.handle(batch.popleft(), clock_us)
            elif process.open_batch:
                process.open_batch = False
                handler = node.before_sleep(clock_us)
            elif process.inbox:
                batch, process.inbox = process.inbox, batch
                process.batch, process.open_batch = batch, True
                continue
            else:
                process.busy = False
                self.running = None
                return
            effect = next(handler, None)
            if effect is not None:
                break
        process.busy = True
        self.running = task = process.main
        task.generator, task.pending = handler, effect

    # -- time, wires, journal: used by the kernel and by the faults --------------------------------------------------

    def schedule(self, at_us: int, happening: str, *arguments: Any) -> None:
        """Let something happen at `at_us`: the name of a happening of the kernel, and its arguments."""
        heapq.heappush(self._heap, (at_us, self.sequence, happening, arguments))
        self.sequence += 1

    def wire(self, source: str, target: str) -> Wire:
        """The way from one machine to another, with luck of its own."""
        wire = self.wires.get((source, target))
        if wire is None:
            near = self.machines[source].zone == self.machines[target].zone
            latency_us = self.hardware.same_zone_us if near else self.hardware.cross_zone_us
            random = Random(f"{self.seed}/wire {source}>{target}")
            wire = self.wires[source, target] = Wire(random, latency_us, self.hardware.jitter_us)
        return wire

    def emit(self, kind: str, connection: Connection, target: str, data: bytes = b"") -> None:
        """Put a segment on the wire: it arrives after the wire's latency, and a little of its jitter."""
        segment = self.network.emit(kind, connection, target, data, self.now_us)
        self.schedule(segment.due_us, "arrive", segment.number)
        if segment.direction.wire.deaf and kind in links.ACKNOWLEDGED:
            links.expect_acknowledgement(self, connection, target)

    def hang_up(self, connection: Connection, machine: str) -> None:
        """Let a kernel close a connection: it says so to the peer, if the peer can know of the connection at all."""
        if links.never_left(connection):
            self.network.close(connection)
        else:
            self.emit("close", connection, connection.peer(machine))

    def clock(self, machine: Machine) -> int:
        """What the machine believes the time to be, in microseconds since 1970."""
        return EPOCH_US + self.now_us + machine.clock_skew_us

    def room_time(self, process: Process, clock_us: int) -> int:
        """The room's time at which the process's machine will show `clock_us`; not before now."""
        return max(self.now_us, clock_us - EPOCH_US - process.machine.clock_skew_us)

    def record(self, machine: str, task: str, what: Any) -> None:
        self._keep(new_step(Step, (self.now_us, machine, task, what)))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's cycle collector away for the length of a `with` block, around many steps.

    A step makes no cycles, and keeps a few objects for ever, in the journal: the collector would walk through the whole
    journal again and again for nothing, which takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
