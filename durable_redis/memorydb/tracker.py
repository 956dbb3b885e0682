"""The tracker: which replies have to wait for the log, and for how much of it (paper, section 3.2).

MemoryDB executes first and logs afterwards.  So for a few milliseconds the memory holds what the log has not got, and
what may never come to be.  The law: *nobody is told anything that rests on it.*  Not the writer, who waits for his own
record; and not a reader who comes in between, since Redis keeps no older version that he could be given:

    offset   0        60        120       180
             | SET a  | SET b   | SET a   |          the log has got everything up to 60
    GET a    waits for 180: the newest write to a            GET b    waits for 120
    GET c    waits for nothing: nobody has touched c         DBSIZE   waits for 180: it rests on every key

Hazards are *per key*: whoever reads something else is not held up.  An offset is a number of bytes of the stream of
effects; offsets grow, so one number a key is enough, and a commit takes away all marks up to its own.

What this file must not know: connections, records, the log.
"""

from __future__ import annotations

from collections.abc import Iterable


class Tracker:
    """Offsets: `committed` is in the log; every mark behind it is a hazard."""

    def __init__(self, committed: int = 0) -> None:
        self.committed = committed
        self.executed = committed
        self.everything = committed  # a change that names no key (FLUSHALL) is a hazard to all of them
        self.keys: dict[bytes, int] = {}  # key -> end of its newest uncommitted change, ascending

    def wrote(self, keys: Iterable[bytes], end: int) -> None:
        """A change to these keys ends at this offset of the stream; to no key in particular: to all."""
        self.executed = end
        named = False
        for key in keys:
            self.keys.pop(key, None)
            self.keys[key] = end
            named = True
        if not named:
            self.everything = end

    def hazard(self, keys: Iterable[bytes] | None) -> int:
        """How far the log must have come before a reply may be told that rests on these keys (None: on all keys)."""
        if keys is None:
            return self.executed
        marks = self.keys
        return max([self.everything, *[marks[key] for key in keys if key in marks]])

    def commit(self, offset: int) -> None:
        """The log has got everything up to here."""
        self.committed = max(self.committed, offset)
        passed = []
        for key, end in self.keys.items():
            if end > offset:
                break
            passed.append(key)
        for key in passed:
            del self.keys[key]
