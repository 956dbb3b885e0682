"""The stream: effects as bytes where it is made, bytes as units where it arrives.

A *unit* is what must be executed together: one command, or everything from MULTI to EXEC.  It comes with its exact
bytes, since these are counted, kept in the replica's own backlog, and passed on to its sub-replicas.  Half a
transaction is no unit: if the link breaks in its middle, the replica asks again for all of it.

What this file must not know: what the commands do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from durable_redis.formats.resp import NEED_MORE, CommandParser, ProtocolError, encode_command

if TYPE_CHECKING:
    from durable_redis.engine import Effect


def encode_effects(effects: list[Effect], selected_db: int | None) -> tuple[bytearray, int | None]:
    """Effects as bytes of a stream in which `selected_db` is selected; and which one is selected behind them."""
    stream = bytearray()
    for db, argv in effects:
        if db != selected_db:
            selected_db = db
            stream += encode_command([b"SELECT", b"%d" % db])
        stream += encode_command(argv)
    return stream, selected_db


class Unit(NamedTuple):
    """Commands to be executed together, MULTI and EXEC left out, and the bytes that they stood in."""

    commands: list[list[bytes]]
    data: bytes
    transaction: bool


class Stream:
    """What has arrived on one link.  `broken` says why nothing after the last unit can be understood, if so."""

    def __init__(self) -> None:
        self.broken = ""
        self._parser = CommandParser()
        self._bytes = bytearray()  # that arrived, and are in no unit yet
        self._taken = 0  # bytes in units so far
        self._queue: list[list[bytes]] | None = None  # of a transaction that has begun

    @property
    def waiting(self) -> int:
        """Bytes that have arrived and are in no unit yet."""
        return len(self._bytes)

    def feed(self, data: bytes) -> list[Unit]:
        """The units that these bytes complete."""
        self._bytes += data
        self._parser.feed(data)
        units: list[Unit] = []
        while not self.broken:
            try:
                argv = self._parser.next()
            except ProtocolError as error:
                self.broken = str(error)
                break
            if argv is NEED_MORE:
                break
            self._add(argv, units)
        return units

    def _add(self, argv: list[bytes], units: list[Unit]) -> None:
        name = argv[0].upper()
        if name == b"MULTI" and self._queue is None:
            self._queue = []
        elif name == b"EXEC" and self._queue is not None:
            units.append(Unit(self._queue, self._cut(), True))
            self._queue = None
        elif self._queue is not None:
            self._queue.append(argv)
        else:
            units.append(Unit([argv], self._cut(), False))

    def _cut(self) -> bytes:
        """The bytes up to the end of the command just read."""
        end = self._parser.consumed
        data = bytes(self._bytes[: end - self._taken])
        del self._bytes[: len(data)]
        self._taken = end
        return data
