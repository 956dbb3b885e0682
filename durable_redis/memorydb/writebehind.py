"""Write-behind: what was executed and is not in the log yet.

The effects of one command are a *unit* (a transaction is one unit, between MULTI and EXEC).  Units queue here; when the
log is free, as many as have come are cut off and sent as one record.  Group commit comes out of that by itself: the
busier the server, the longer the records, and one round trip to three zones serves them all.

Only one record is under way at a time, because each names the entry that it must follow.

Offsets count the bytes of the units since the shard began, as Redis counts its replication stream.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from durable_redis.formats.resp import encode_command


class Unit(NamedTuple):
    """The effects of one command: where they end in the stream, their bytes, and when they were executed."""

    end: int
    data: bytes
    at_us: int


class WriteBehind:
    """`executed` and `committed` are offsets; what lies between them is in `units`, or in the record under way."""

    def __init__(self, offset: int = 0) -> None:
        self.executed = self.committed = offset
        self.units: deque[Unit] = deque()
        self.sent: list[Unit] = []  # in the record that is under way

    def feed(self, commands: Sequence[list[bytes]], now: int) -> int:
        """One more unit.  Returns the offset at which it ends."""
        data = b"".join(encode_command(argv) for argv in commands)
        self.executed += len(data)
        self.units.append(Unit(self.executed, data, now))
        return self.executed

    def cut(self, most_bytes: int) -> tuple[int, bytes]:
        """The next record: (offset at its end, stream).  At least one unit, and no more than fit."""
        assert not self.sent, f"a record up to {self.sent[-1].end} is under way already"
        size = 0
        while self.units and (not self.sent or size + len(self.units[0].data) <= most_bytes):
            unit = self.units.popleft()
            self.sent.append(unit)
            size += len(unit.data)
        return self.sent[-1].end, b"".join(unit.data for unit in self.sent)

    def commit(self) -> int:
        """The record under way is in the log.  Returns the offset at its end."""
        self.committed = self.sent[-1].end
        self.sent = []
        return self.committed

    @property
    def is_clean(self) -> bool:
        """Everything that was executed is in the log."""
        return self.executed == self.committed

    def oldest_us(self) -> int | None:
        """When the oldest change was executed that is not known to be in the log; None if there is none."""
        waiting = self.sent or self.units
        return waiting[0].at_us if waiting else None
