"""A machine of the room, and the process that runs on it.

The machine (its disk, its clock, its power) outlives its process.  A process is one life of a node: the node object,
one main thread, its children, its timers, its inbox.  A crash drops the process whole; a restart makes a new one, with
the next incarnation number, so that whatever was scheduled for the old one finds nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from random import Random
from typing import Any

from durable_redis.contract import Effect, Event, Node
from durable_redis.sim.disk import Disk

MAIN = "main"
"""The name of the node's own thread among its tasks."""

Program = Callable[[Random], Node]
"""Makes a node; the random stream is the node's only source of luck."""


class Task:
    """A generator half-way: `pending` is the effect that it yielded and that is not yet performed."""

    __slots__ = ("generator", "machine", "name", "pending", "process")

    def __init__(self, process: Process, name: str, generator: Generator[Effect, Any, Any]) -> None:
        self.process = process
        self.machine = process.machine
        self.name = name
        self.generator = generator
        self.pending: Effect | None = None

    @property
    def alive(self) -> bool:
        """It was neither killed nor did its process end."""
        process = self.process
        return self.machine.process is process and process.tasks.get(self.name) is self


class Process:
    """One life of a node on a machine."""

    __slots__ = ("batch", "busy", "inbox", "incarnation", "machine", "main", "node", "open_batch", "tasks", "timers")

    def __init__(self, machine: Machine, node: Node, incarnation: int, now_us: int) -> None:
        self.machine = machine
        self.node = node
        self.incarnation = incarnation
        self.main = Task(self, MAIN, node.boot(now_us))  # the thread: one task, given one handler after the other
        self.tasks: dict[str, Task] = {MAIN: self.main}
        self.timers: dict[str, int] = {}  # name -> the sequence number of the happening that will fire it
        self.inbox: deque[Event] = deque()  # what arrived while the thread was busy
        self.batch: deque[Event] = deque()  # what the thread took from the inbox, and has not handled yet
        self.open_batch = False  # events were handled since the last before_sleep
        self.busy = True  # the thread is inside a handler; the first one is the boot

    @property
    def alive(self) -> bool:
        return self.machine.process is self


class Machine:
    """A computer in a zone: it has a disk, a clock that may be wrong, power or not, and at most one process."""

    def __init__(self, name: str, zone: str, program: Program, seed: int | str) -> None:
        self.name = name
        self.zone = zone
        self.program = program
        self.seed = seed
        self.disk = Disk(Random(f"{seed}/disk {name}"))
        self.clock_skew_us = 0
        self.powered = False
        self.process: Process | None = None
        self.incarnations = 0
        self.last_crash = "never started"  # why it is down, or was: "process kill", "power loss", "exit 1: ..."
        self.down_since_us = 0
        self.writeback_due = False

    @property
    def up(self) -> bool:
        """A process runs here."""
        return self.process is not None

    def boot(self, now_us: int) -> Process:
        """Begin a new life, at `now_us` on the machine's own clock.  The node's luck depends on the seed and on the
        incarnation, on nothing else."""
        assert self.process is None, f"{self.name} runs already, in its life number {self.incarnations}"
        self.incarnations += 1
        self.powered = True
        random = Random(f"{self.seed}/node {self.name}, life {self.incarnations}")
        self.process = Process(self, self.program(random), self.incarnations, now_us)
        return self.process
