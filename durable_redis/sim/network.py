"""The wires: connections between machines, each a pair of first-in, first-out directions, as TCP gives them.

What a process hands to its kernel travels even if the process dies a moment later; what is on its way to a machine that
lost power is lost.  A killed process's kernel closes its connections, so that its peers hear of it one latency later; a
machine without power says nothing at all, and its peers find out by their own patience.  A kernel refuses a connection
when nobody listens, and answers with a reset what arrives for a process that is gone.  What a cut link does to all this
is in `links`.

The network moves segments and knows no time of its own: the world tells it when, and schedules what it returns.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from durable_redis.sim.faults import FaultError

ENDINGS = {"close": "closed by the peer", "refuse": "refused: nobody listens there", "reset": "reset by the peer"}
"""The kinds of segment that end a connection, and the reason of which they tell the process."""


@dataclass(slots=True)
class Wire:
    """The way from one machine to another: its latency, and luck of its own for the jitter.

    `cut`: nothing arrives.  `deaf`: no acknowledgement can come back, as this way is cut, or the way back is."""

    random: Random
    latency_us: int
    jitter_us: int
    extra_us: int = 0  # what a slow link adds; part of the latency
    cut: bool = False
    deaf: bool = False

    def slow_down(self, extra_us: int) -> None:
        self.latency_us += extra_us - self.extra_us
        self.extra_us = extra_us


@dataclass(slots=True)
class Segment:
    """One thing in flight.  `kind`: "open" (asks for a connection), "accept", "data", or one of `ENDINGS`."""

    number: int
    kind: str
    connection: Connection
    direction: Direction
    data: bytes
    sent_us: int
    due_us: int
    arrived: bool = False
    held: bool = False

    def __str__(self) -> str:
        return f"message {self.number} from {self.direction.source} to {self.direction.target}"


@dataclass(slots=True)
class Direction:
    """One way of a connection: what is in flight, oldest first, and when the latest of it is due.

    `waits_since_us`: since when, if so, the sender waits for an acknowledgement that cannot come."""

    source: str
    target: str
    wire: Wire
    in_flight: deque[Segment] = field(default_factory=deque, repr=False)
    latest_due_us: int = 0
    waits_since_us: int | None = None


@dataclass(slots=True)
class Connection:
    """Two machines, and the lives of their processes (`incarnations`) between which the connection was made."""

    name: str
    opener: str
    accepter: str
    incarnations: dict[str, int]
    directions: dict[str, Direction]  # by the machine it leads to

    def peer(self, machine: str) -> str:
        return self.accepter if machine == self.opener else self.opener


class Network:
    """All connections that exist, and every segment in flight on them."""

    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}
        self.in_flight: dict[int, Segment] = {}
        self._opened: dict[str, int] = {}
        self._segments = 0

    def name_connection(self, opener: str, accepter: str) -> str:
        """A connection's name tells who asked whom, and the how-manieth time the opener asked anybody."""
        count = self._opened[opener] = self._opened.get(opener, 0) + 1
        return f"{opener}>{accepter}#{count}"

    def connect(self, opener: str, accepter: str, incarnation: int, there: Wire, back: Wire) -> Connection:
        """Make the opener's half of a connection."""
        name = self.name_connection(opener, accepter)
        directions = {accepter: Direction(opener, accepter, there), opener: Direction(accepter, opener, back)}
        connection = self.connections[name] = Connection(name, opener, accepter, {opener: incarnation}, directions)
        return connection

    def emit(self, kind: str, connection: Connection, target: str, data: bytes, now_us: int) -> Segment:
        """Put a segment on the wire.  It is due no sooner than what was sent before it."""
        direction = connection.directions[target]
        wire = direction.wire
        due_us = now_us + wire.latency_us + int(wire.random.random() * (wire.jitter_us + 1))
        if due_us < direction.latest_due_us:  # at every message: an `if` is much cheaper than a call of `max`
            due_us = direction.latest_due_us
        direction.latest_due_us = due_us
        number = self._segments = self._segments + 1
        segment = Segment(number, kind, connection, direction, data, now_us, due_us)
        direction.in_flight.append(segment)
        self.in_flight[number] = segment
        return segment

    def arrive(self, number: int) -> Segment | None:
        """A segment's time has come.  Returns it, or None if it is held, stalls, waits for another, or is lost."""
        segment = self.in_flight.get(number)
        if segment is None:
            return None
        direction = segment.direction
        in_flight = direction.in_flight
        segment.arrived = True
        if segment.held or in_flight[0] is not segment or direction.wire.cut:
            return None
        in_flight.popleft()
        del self.in_flight[number]
        return segment

    def hold(self, number: int) -> None:
        segment = self._find(number)
        if segment.held:
            raise FaultError(f"{segment} is held already: release it, or hold another one")
        segment.held = True

    def release(self, number: int) -> bool:
        """Let a held segment go.  True: its time has come meanwhile, so that it can arrive now."""
        segment = self._find(number)
        if not segment.held:
            raise FaultError(f"{segment} is not held: hold it before you release it")
        segment.held = False
        return segment.arrived

    def close(self, connection: Connection) -> None:
        """Forget a connection, and what was in flight on it."""
        del self.connections[connection.name]
        for direction in connection.directions.values():
            for segment in direction.in_flight:
                del self.in_flight[segment.number]
            direction.in_flight.clear()

    def connections_of(self, machine: str, incarnation: int) -> list[Connection]:
        """The connections that this life of this machine's process holds, oldest first."""
        return [c for c in self.connections.values() if c.incarnations.get(machine) == incarnation]

    def _find(self, number: int) -> Segment:
        segment = self.in_flight.get(number)
        if segment is None:
            raise FaultError(
                f"no message {number} is in flight: it arrived, or was lost with its connection; hold another"
            )
        return segment
