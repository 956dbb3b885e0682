"""The shared log: an ordered record of everything that was decided, on the disks of three zones.

    append(kind, body, after)   conditional: it happens only if `after` is still the last entry
    read, tail, subscribe       committed entries only, in order
    trim                        forget the beginning, when a snapshot holds it

An entry is committed when a majority of the replicas has it on the platter.  So the loss of any one zone, with its
disk, loses nothing and stops nothing for long; with two zones down nothing is acknowledged, nothing is lost, and the
log goes on when one comes back.

Reading order:

    entries     what is kept, and its bytes
    sequence    a log in memory; what settles an append
    answers     what a user of the log may ask, and is told
    local       all of that in one process, for tests
    election    the rules of voting and committing
    config      the figures
    storage     the disk of a replica
    newcomer    a replica that has no memory, and what it must learn
    messages    what goes over the wires
    replica     one replica of one shard's log; its parts `following`, `leading`, `serving`
    node        a machine with its replicas; `links`, `callers`: its connections
    client      a node's way to the log
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
from durable_redis.memorydb.log.client import LogClient, Patience
from durable_redis.memorydb.log.config import LogConfig, LogConfigError
from durable_redis.memorydb.log.entries import DATA, HANDOVER, LEADERSHIP, RENEWAL, SLOTS, Entry, EntryId, LogError
from durable_redis.memorydb.log.node import LogNode

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
    "LogClient",
    "LogConfig",
    "LogConfigError",
    "LogError",
    "LogNode",
    "LogUser",
    "Patience",
    "Refused",
    "Tail",
    "Trimmed",
    "Unknown",
]
