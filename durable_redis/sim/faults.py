"""What can be done to the machine room from outside: faults, repairs, and messages held back.

An act is data.  The world carries it out between two steps (`acting`), writes it into the journal, and refuses what
makes no sense (crashing a node that is already down) with a `FaultError`, having changed nothing.  Luck is drawn only
from the streams of the disks and wires concerned, so that one more act changes nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from durable_redis.errors import PlainError
from durable_redis.sim.disk import Tail, TailKept

CRASHES = ("process kill", "power loss", "disk loss")
"""The kinds of crash, by what they take with them: the memory; and the page cache; and the platter."""


class FaultError(PlainError):
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
class SpoilWrites:
    """Let one bit of all that is written be turned over, from now on, and nobody be told."""

    machine: str


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


# -- the network: see `links` ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cut:
    """Let nothing from `source` arrive at `target` any more, and with `both` nothing the other way either."""

    source: str
    target: str
    both: bool = False


@dataclass(frozen=True, slots=True)
class Partition:
    """Cut every link between machines of different groups.  A machine that no group names keeps all of its links."""

    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Delay:
    """Let what `source` sends to `target` travel this much longer, from now on; 0 makes the link fast again."""

    source: str
    target: str
    extra_us: int


@dataclass(frozen=True, slots=True)
class HealNetwork:
    """Make every link whole and fast.  Messages held one by one stay held."""


# -- time: see `pauses` ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pause:
    """Let a machine stand still for a while, as a virtual machine does whose host is busy: only its clock goes on."""

    machine: str
    for_us: int


@dataclass(frozen=True, slots=True)
class Skew:
    """Let a machine's clock show so much more (or less) than the room's time.

    A timer set already fires when it would have, as Linux counts it down on a clock that nobody can set; a timer set
    from now on fires when the machine's clock, wrong as it is, shows its time."""

    machine: str
    skew_us: int


# -- zones -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outage:
    """Crash every machine that is up in a zone, except the spared ones, in one moment: one step for the outage, and one
    for each `Crash`."""

    zone: str
    kind: str = "power loss"
    spared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restore:
    """Start every machine of a zone that is down, whatever stopped it: one step, and one for each `Restart`."""

    zone: str


Act: TypeAlias = (
    Crash
    | Restart
    | SlowDisk
    | FailDisk
    | SpoilWrites
    | HealDisk
    | BitRot
    | Hold
    | Release
    | Cut
    | Partition
    | Delay
    | HealNetwork
    | Pause
    | Skew
    | Outage
    | Restore
)
