"""How the fuzzer looks for each planted bug: where, with which faults, what the clients do, and for how many seeds.

The law of this file: it is a table.  A bug that needs a rare coincidence is looked for where that is common, as one who
has a suspicion would do: leases short, disks slow, snapshots made all the time.  But a ground does not know which bug
is planted on it, and on each of them the good deployment must stand.

    ISLAND      a server is cut off together with clients who go on talking to it; one writes a key, another reads it
    BUFFER      the same, where a primary answers before the log
    SLEEP       servers stand still for longer than a lease, and the log is slow, so that a renewal is often under way
    MOVE        servers die and come back, while slots move between two shards
    IN DOUBT    the same over slow logs, and servers are cut off, too: often one shard waits for a word of the other
    BAD STORE   servers die and come back, while snapshots are made all the time, and the store spoils some of them
    RESTART     servers die and come back, and somebody reads from a replica all the time
    SPLIT       the network falls apart, in the midst of the log
    STALL       one server and the log: each of them stands still, or dies, all the time
    BLACKOUT    the power fails in all zones at one moment, and the disks are slow, so that there is always a torn tail
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.lab.schedules import Nemesis
from durable_redis.verify.trials import MIXED, Regime, Work

A_WRITER_AND_A_READER: Work = (
    ("write", (("key", "k"), ("client", "client1"))),
    ("read", (("key", "k"), ("client", "client2"))),
)
"""Of one key: whoever reads an old value, or one that never was, is seen at once."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """A deployment, how trials are made on it, and the budget of seeds within which a judge must object."""

    deployment: str
    regime: Regime
    seeds: int


def _hunt(
    deployment: str,
    faults: tuple[str, ...],
    number: tuple[int, int],
    longest_ms: int,
    seeds: int,
    work: Work = MIXED,
    reads: bool = False,
    every_ms: int = 100,
) -> Hunt:
    """Twelve seconds of so many faults, each `longest_ms` at most; all timeouts of a deployment are shorter."""
    nemesis = Nemesis(faults, *number, begin_ms=3_000, end_ms=15_000, longest_ms=longest_ms)
    return Hunt(deployment, Regime(nemesis, work, every_ms, reads, patience_s=20), seeds)


ISLAND = _hunt(
    "MemoryDB(replicas=1, lease_ms=1000, renew_ms=300, backoff_ms=1500, backoff_jitter_ms=200, clients=2)",
    ("isolation",),
    (2, 4),
    8_000,
    seeds=10,
    work=A_WRITER_AND_A_READER,
)
BUFFER = _hunt(
    "ElastiCache(durability='async', buffer_ms=1000, replicas=1, clients=2)", ("isolation",), (2, 4), 8_000, seeds=5
)
SLEEP = _hunt(
    "MemoryDB(replicas=1, lease_ms=1000, renew_ms=300, backoff_ms=1100, backoff_jitter_ms=0, clients=2, "
    "hardware={'fsync_us': 100_000})",
    ("pause",),
    (3, 6),
    6_000,
    seeds=10,
)
MOVE = _hunt("MemoryDB(shards=2, replicas=1)", ("process kill",), (2, 5), 4_000, seeds=10)
IN_DOUBT = _hunt(
    "MemoryDB(replicas=0, shards=2, lease_ms=1000, renew_ms=300, backoff_ms=1500, backoff_jitter_ms=200, clients=2, "
    "hardware={'fsync_us': 30_000})",
    ("process kill", "partition", "isolation"),
    (8, 16),
    2_000,
    seeds=10,
    every_ms=25,
)
BAD_STORE = _hunt(
    "MemoryDB(replicas=1, least_bytes=500, clients=2)", ("process kill", "corruption"), (3, 6), 6_000, seeds=10
)
RESTART = _hunt("MemoryDB(replicas=1, clients=2)", ("process kill",), (3, 8), 2_000, seeds=5, reads=True)
SPLIT = _hunt("MemoryDB(replicas=0)", ("partition",), (4, 8), 3_000, seeds=10)
STALL = _hunt("MemoryDB(replicas=0)", ("pause", "process kill"), (6, 12), 4_000, seeds=15)
BLACKOUT = _hunt("MemoryDB(replicas=0, hardware={'fsync_us': 30_000})", ("blackout",), (3, 5), 1_500, seeds=10)

HUNTS: dict[str, Hunt] = {
    "answers before the commit": ISLAND,
    "no tracker": ISLAND,
    "unknown is taken for done": ISLAND,
    "buffer without bound": BUFFER,
    "reads while recovering": RESTART,
    "no lease": ISLAND,
    "lease from the answer": SLEEP,
    "backoff shorter than the lease": SLEEP,
    "append behind anything": ISLAND,
    "append twice": STALL,
    "no rollback": ISLAND,
    "election without catching up": ISLAND,
    "check, apply, serve": ISLAND,
    "slots decided in memory": MOVE,
    "writes to slots that go": IN_DOUBT,
    "promise taken for the commit": IN_DOUBT,
    "promise without the source": IN_DOUBT,
    "snapshot without verification": BAD_STORE,
    "trim ahead of the snapshot": BAD_STORE,
    "the log answers alone": SPLIT,
    "the log forgets tokens": STALL,
    "the log votes for anybody": STALL,
    "the log does not sync": BLACKOUT,
    "write past a torn tail": BLACKOUT,
}
"""By the name of the bug."""

NOT_HUNTED = {
    "snapshot of a wrong prefix": "it does no harm: the rehearsal finds that it is one, so none is ever released",
}
"""The others, and why."""
