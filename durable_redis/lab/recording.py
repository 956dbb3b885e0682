"""A picture of the room after every step, so that scrubbing is a lookup.

Most steps change one machine, so a picture is kept by machine and only when it differs from the one before.  After a
*quiet* step only what the node shows of itself can have changed, so only that is looked at.  A message is in flight
from the step in which it was sent to the step in which it arrived.

Pictures are named tuples: one is taken after every step, and they are made and compared faster than frozen dataclasses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_redis.contract import CancelTimer, Compute, Connect, SetTimer, TimerFired
from durable_redis.lab.ledger import Marks
from durable_redis.sim.journal import Arrived, Resumed, Step
from durable_redis.sim.machine import Machine
from durable_redis.sim.network import Segment

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback

QUIET = frozenset((Arrived, Resumed, TimerFired, Compute, SetTimer, CancelTimer, Connect))
"""The kinds of step that move nothing on a disk, and that no ledger knows of: half of all steps."""


class FileFrame(NamedTuple):
    """One file: bytes in the page cache, bytes on the platter, and whether its name is durable."""

    path: str
    cached: int
    platter: int
    durable: bool


class MachineFrame(NamedTuple):
    """One machine after a step.

    * `last_crash`, `down_since_us`: why and since when it is down, or was the last time.
    * `node`: the node's own view; empty when no process runs.
    * `marks`: how many writes are in each place; `acknowledged`: for how many the OK was sent, and that were not lost
      since; `at_risk`: how many of these each kind of crash would erase now.
    * `newest`: the key of the newest write that it holds (while it is down: held).  A write has one past, so this tells
      which writes these marks count.
    """

    up: bool
    powered: bool
    last_crash: str
    down_since_us: int
    node: Mapping[str, Any]
    files: tuple[FileFrame, ...] = ()
    marks: Marks = Marks()
    acknowledged: int = 0
    at_risk: Mapping[str, int] | None = None
    extra_fsync_us: int = 0
    failing: tuple[str, ...] = ()
    paused_until_us: int = 0  # 0 unless it stands still
    skew_us: int = 0
    newest: tuple[str, int] | None = None


class LinkFrame(NamedTuple):
    """One way between two machines that is not as it should be: cut, or slower by `extra_us`."""

    source: str
    target: str
    cut: bool
    extra_us: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The room after a step; `what` is the step."""

    step: int
    at_us: int
    machines: Mapping[str, MachineFrame]
    in_flight: tuple[Segment, ...]
    what: Step | None
    links: tuple[LinkFrame, ...] = ()  # those that are cut or slow


@dataclass(slots=True)
class Flight:
    """A message, from the step that sent it to the step in which it arrived (or was lost)."""

    segment: Segment
    first: int
    last: int | None = None


def shown(machine: Machine) -> Mapping[str, Any]:
    """What a machine's node shows of itself now; nothing where no process runs."""
    return {} if machine.process is None else machine.process.node.view()


class Recording:
    """The frames of one playback."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.flights: dict[int, Flight] = {}
        self._machines: dict[str, tuple[list[int], list[MachineFrame]]] = {
            name: ([], []) for name in playback.world.machines
        }
        self._in_flight: dict[int, Flight] = {}
        self._links: tuple[list[int], list[tuple[LinkFrame, ...]]] = ([0], [()])

    # -- recording ---------------------------------------------------------------------------------------------------

    def step_done(self, machine: str) -> None:
        """Called by the world after every step."""
        self.playback.read_journal()
        network = self.playback.world.network
        number = self.playback.steps
        if network.in_flight.keys() != self._in_flight.keys():
            for segment in network.in_flight.values():
                if segment.number not in self._in_flight:
                    self.flights[segment.number] = self._in_flight[segment.number] = Flight(segment, number)
            for segment_number in [key for key in self._in_flight if key not in network.in_flight]:
                self._in_flight.pop(segment_number).last = number
        books = self.playback.books
        if books.changed and len(books.ledgers) > 1:  # such as an OK, which counts wherever the write is
            for name in books.ledgers:
                self.keep(name)
        books.changed = False
        if machine:
            self.keep(machine, type(self.playback.world.journal.steps[-1].what) in QUIET)
        else:  # a step of the room itself: an act on the network
            self._keep_links()

    def keep(self, name: str, quiet: bool = False) -> None:
        """Take a picture of a machine, unless it looks as it did."""
        steps, frames = self._machines[name]
        node = shown(self.playback.world.machines[name])
        if quiet and frames[-1].node == node:
            return
        frame = frames[-1]._replace(node=node) if quiet else self._look(name, node)
        if not frames or frames[-1] != frame:
            steps.append(self.playback.steps)
            frames.append(frame)

    def _keep_links(self) -> None:
        steps, pictures = self._links
        wires = self.playback.world.wires.items()
        links = [LinkFrame(*way, wire.cut, wire.extra_us) for way, wire in wires if wire.cut or wire.extra_us]
        steps.append(self.playback.steps)
        pictures.append(tuple(sorted(links)))

    def _look(self, name: str, node: Mapping[str, Any]) -> MachineFrame:
        world = self.playback.world
        machine = world.machines[name]
        pause = world.paused.get(name)
        paused_until_us = 0 if pause is None else pause.until_us
        ledger = self.playback.ledgers.get(name)
        if ledger is None:
            return MachineFrame(
                machine.up,
                machine.powered,
                machine.last_crash,
                machine.down_since_us,
                node,
                paused_until_us=paused_until_us,
                skew_us=machine.clock_skew_us,
            )
        disk = machine.disk
        durable = disk.durable
        files = [
            FileFrame(path, len(file.cache), len(file.platter), durable.get(path) is file)
            for path, file in sorted(disk.files.items())
        ]
        marks = ledger.marks()
        return MachineFrame(
            machine.up,
            machine.powered,
            machine.last_crash,
            machine.down_since_us,
            node,
            tuple(files),
            marks,
            len(ledger.acknowledged),
            ledger.at_risk(marks),
            disk.extra_fsync_us,
            tuple([operation for operation, fails in disk.failing.items() if fails]),
            paused_until_us,
            machine.clock_skew_us,
            ledger.writes[-1].key if ledger.writes else None,
        )

    # -- looking back ------------------------------------------------------------------------------------------------

    def view(self, name: str) -> Mapping[str, Any]:
        """What the node of this machine showed of itself after the last step."""
        return self._machines[name][1][-1].node

    def machine_at(self, name: str, step: int) -> MachineFrame:
        """The picture of one machine after a step."""
        steps, frames = self._machines[name]
        return frames[max(0, bisect_right(steps, step) - 1)]

    def links_at(self, step: int) -> tuple[LinkFrame, ...]:
        """The links that are cut or slow after a step."""
        steps, pictures = self._links
        return pictures[bisect_right(steps, step) - 1]

    def link_pictures(self) -> tuple[list[int], list[tuple[LinkFrame, ...]]]:
        """All pictures of the links, and the steps after which they were taken."""
        return self._links

    def pictures(self, name: str) -> tuple[list[int], list[MachineFrame]]:
        """All pictures of one machine, and the steps after which they were taken."""
        return self._machines[name]

    def frame(self, step: int) -> Frame:
        """The picture of the room after a step."""
        journal = self.playback.world.journal.steps
        what = journal[step - 1] if step else None
        in_flight = tuple(
            flight.segment
            for flight in self.flights.values()
            if flight.first <= step and (flight.last is None or flight.last > step)
        )
        machines = {name: self.machine_at(name, step) for name in self._machines}
        return Frame(step, what.at_us if what else 0, machines, in_flight, what, self.links_at(step))
