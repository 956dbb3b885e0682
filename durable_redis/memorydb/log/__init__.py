"""The shared log: an ordered record of everything that was decided, on the disks of three zones.

    append(kind, body, after)   conditional: it happens only if `after` is still the last entry
    read, tail, subscribe       committed entries only, in order
    trim                        forget the beginning, when a snapshot holds it

Reading order: `entries` (what is kept), `answers` (what a user of the log is told), `client` (how a node uses it),
`local` (the same in one process, for tests).
"""

from durable_redis.memorydb.log.answers import (
    Answer,
    Appended,
    Conflict,
    Entries,
    LogUser,
    Refused,
    Tail,
    Trimmed,
    Unknown,
)
from durable_redis.memorydb.log.entries import DATA, HANDOVER, LEADERSHIP, RENEWAL, SLOTS, Entry, EntryId, LogError

__all__ = [
    "DATA",
    "HANDOVER",
    "LEADERSHIP",
    "RENEWAL",
    "SLOTS",
    "Answer",
    "Appended",
    "Conflict",
    "Entries",
    "Entry",
    "EntryId",
    "LogError",
    "LogUser",
    "Refused",
    "Tail",
    "Trimmed",
    "Unknown",
]
