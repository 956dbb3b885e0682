"""The contract between a node and the world that runs it.

The law of this package: *nodes decide, worlds act*.  A node is a program such as a Redis server.  It never touches a
clock, a socket or a file.  The world hands it an event and the time; the node's handler is a generator that yields
*effects*; the world performs each effect, in order, and sends its result back into the generator.

Two worlds perform the same effects: `durable_redis.sim` (a simulated machine room, deterministic, in which any node can
be crashed between any two effects) and the real one (sockets, files, fsync).  A third needs no world at all: a test may
say `list(node.handle(event, now))` and look at what the node wanted.

What a node author must know:

* Time is an integer number of microseconds since 1970, on the clock of the node's own machine.
* An effect either returns at once or *blocks the node's one thread*, as it does in Redis; events wait meanwhile.
* Errors of the disk come back as values (`DiskError`), never as exceptions: what to do next stays visible on the page.
* A crash drops the node object and every generator of it.  Nothing of it runs again, so node code holds no
  `try/finally` and no `with` around a `yield`.  A restart makes a new object, which boots from the bytes on its disk.
* Paths are relative and use `/`; a directory exists as soon as a file in it does.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

# ---------------------------------------------------------------------------------------------------------------------
# Events: what the world tells a node
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Opened:
    """A connection is up: one that `peer` made to this node, or (if `outgoing`) one that this node asked for."""

    connection: str
    peer: str
    outgoing: bool = False


@dataclass(slots=True)
class Received:
    """Bytes arrived on a connection, in the order they were sent; nothing says they end where a command ends."""

    connection: str
    data: bytes


@dataclass(slots=True)
class Closed:
    """A connection is gone, or could not be made.  Whatever was in flight on it may or may not have arrived."""

    connection: str
    reason: str


@dataclass(slots=True)
class TimerFired:
    """The timer of this name, set earlier by `SetTimer`, is due."""

    name: str


@dataclass(slots=True)
class ChildEnded:
    """A child started by `Fork` has finished; `result` is what its generator returned."""

    name: str
    result: Any


Event: TypeAlias = Opened | Received | Closed | TimerFired | ChildEnded


# ---------------------------------------------------------------------------------------------------------------------
# Effects that return at once
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Connect:
    """Ask for a connection to the node called `peer`.  Result: the connection's name; `Opened` or `Closed` follows, or
    nothing at all if the peer's machine has no power: patience is the node's own affair."""

    peer: str


@dataclass(slots=True)
class Send:
    """Hand bytes to the kernel, to be sent on a connection.  Result: None, also when the peer is already gone."""

    connection: str
    data: bytes


@dataclass(slots=True)
class Close:
    """Close a connection; what was sent before still travels.  Whoever closes is told nothing more of it."""

    connection: str


@dataclass(slots=True)
class SetTimer:
    """Fire `TimerFired(name)` at `at_us`.  A node has one timer of each name: setting it again moves it."""

    name: str
    at_us: int


@dataclass(slots=True)
class CancelTimer:
    """Forget the timer of this name, if there is one."""

    name: str


@dataclass(slots=True)
class Append:
    """Add bytes to the end of a file, in the kernel's page cache; creates the file.  Result: None or `DiskError`.

    `write(2)` to a file whose fsync is in progress waits for that fsync, as on ext4: then, and only then, it blocks.
    """

    path: str
    data: bytes


@dataclass(slots=True)
class Write:
    """Create a file with this content, or replace the content in place, in the page cache.  Result: None or
    `DiskError`.  Not atomic: write a temporary file and rename it where that matters."""

    path: str
    data: bytes


@dataclass(slots=True)
class Truncate:
    """Cut a file down to its first `size` bytes, in the page cache.  Result: None or `DiskError`."""

    path: str
    size: int


@dataclass(slots=True)
class Rename:
    """Give a file another name, atomically replacing what had it.  Durable only after `SyncDirectory`.  Result: None or
    `DiskError`."""

    old: str
    new: str


@dataclass(slots=True)
class Remove:
    """Remove a file's name.  Durable only after `SyncDirectory`.  Result: None or `DiskError`."""

    path: str


@dataclass(slots=True)
class Fork:
    """Run `work` beside the node's thread: a child process (BGSAVE) or a background thread (fsync).

    The generator yields effects like any other; when it returns, the node receives `ChildEnded(name, result)`.
    What a forked child may see of memory is the node's affair: give the generator a snapshot (`Keyspace.fork`)."""

    name: str
    work: Generator[Effect, Any, Any] = field(repr=False)


@dataclass(slots=True)
class Kill:
    """Kill a child started by `Fork`, if it still runs.  No `ChildEnded` follows."""

    name: str


@dataclass(slots=True)
class Exit:
    """End this process, also when a child yields it.  The page cache survives it, as after any end of a process."""

    code: int
    reason: str


@dataclass(slots=True)
class Note:
    """Write a line into the journal: a fact that no other effect shows, such as 'executed' or 'loaded'."""

    kind: str
    facts: Mapping[str, Any]


# ---------------------------------------------------------------------------------------------------------------------
# Effects that take time, and block whoever yields them: the node's thread, or the child
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Fsync:
    """Move a file from the page cache to the platter.  Result: None or `DiskError`."""

    path: str


@dataclass(slots=True)
class SyncDirectory:
    """Make the names in a directory durable (`""` is the top one).  Result: None or `DiskError`."""

    directory: str


@dataclass(slots=True)
class Read:
    """Result: the whole content of a file as bytes, or None if there is no such file."""

    path: str


@dataclass(slots=True)
class ListDirectory:
    """Result: the names in a directory, sorted, as a tuple of paths."""

    directory: str


@dataclass(slots=True)
class Compute:
    """Use the processor: `amount` units of a kind of work that the world's hardware puts a price on."""

    work: str
    amount: int = 1


Effect: TypeAlias = (
    Connect
    | Send
    | Close
    | SetTimer
    | CancelTimer
    | Append
    | Write
    | Truncate
    | Rename
    | Remove
    | Fork
    | Kill
    | Exit
    | Note
    | Fsync
    | SyncDirectory
    | Read
    | ListDirectory
    | Compute
)

Effects: TypeAlias = Generator[Effect, Any, None]
"""What a handler returns: effects out, their results in."""


@dataclass(slots=True)
class DiskError:
    """The operating system's answer to a disk operation that failed: `EIO` or `ENOENT`."""

    code: str
    path: str

    @property
    def description(self) -> str:
        """What `strerror` says of the code."""
        return {"EIO": "Input/output error", "ENOENT": "No such file or directory"}[self.code]

    def __str__(self) -> str:
        return f"{self.code} on {self.path}"


# ---------------------------------------------------------------------------------------------------------------------
# The node
# ---------------------------------------------------------------------------------------------------------------------


class Node(Protocol):
    """A program that a world can run."""

    def boot(self, now: int) -> Effects:
        """Power-on: read the disk, recover, set the first timers."""
        ...

    def handle(self, event: Event, now: int) -> Effects:
        """React to one event."""
        ...

    def before_sleep(self, now: int) -> Effects:
        """Called after every batch of events, before waiting for more: flush the log, *then* send the replies."""
        ...

    def view(self) -> Mapping[str, Any]:
        """What may be seen of the node from outside, as plain data: for people, judges and pictures."""
        ...
