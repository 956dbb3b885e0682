"""The named scenarios of slots that move between two shards of MemoryDB: with both logs, and without.

Without, two primaries agree on who has the slot, by messages alone (`memorydb.bugs`).  That is quicker, and it is what
Redis Cluster does, where the owner of a slot is what nodes remember and gossip.  The move is asked for at 1.0 s, a
client writes to the slot all the time, and one of the two primaries dies 22 ms later: with the logs, between the
target's promise and the source's decision.
"""

from __future__ import annotations

from durable_redis.lab.named import Named

_SHARDS = "MemoryDB(shards=2, replicas=1"
_WITHOUT = f"{_SHARDS}, bug='slots decided in memory')"


def _moved(dies: str) -> tuple[str, ...]:
    """The slot of the keys {b}..., 3300, moves from s1 (n1, n3) to s2 (n2, n4)."""
    return (
        "write(120, every_ms=50, key='{b}{n}')",
        "play(1000)",
        "migrate('{b}', 's2')",
        f"crash('{dies}', 'process kill', at_ms=1022)",
        "play(12000)",
    )


MOVED = (
    Named(
        "slot-moved-without-logs-and-the-source-dies",
        _WITHOUT,
        _moved("n1"),
        "The new primary of the source has never heard that the slot is gone: two shards own it, and one has the data.",
        "MemoryDB paper, 5.2; redis.io, 'Redis cluster specification': a slot's owner is what nodes remember",
        remedy="slot-moved-and-the-source-dies",
    ),
    Named(
        "slot-moved-and-the-source-dies",
        f"{_SHARDS})",
        _moved("n1"),
        "The same with both logs: the new primary finds the move prepared in its log, and decides it.",
        "MemoryDB paper, 5.2",
    ),
    Named(
        "slot-moved-without-logs-and-the-target-dies",
        _WITHOUT,
        _moved("n2"),
        "The new primary of the target has never heard that the slot is its own: nobody owns it, and all writes fail.",
        "MemoryDB paper, 5.2; redis.io, 'Redis cluster specification': a slot's owner is what nodes remember",
        remedy="slot-moved-and-the-target-dies",
    ),
    Named(
        "slot-moved-and-the-target-dies",
        f"{_SHARDS})",
        _moved("n2"),
        "The same with both logs: the new primary finds the promise of the old one in its log, and keeps it.",
        "MemoryDB paper, 5.2",
    ),
)
