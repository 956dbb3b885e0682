"""The commands, by the type of value that they work on.

Each module holds handlers, small functions from a `Call` to a reply, and ends with its rows of the command table.
Replies, errors and the order in which errors are found are those of Redis 7.0; so is what is propagated.  Not here:
commands that block (BLPOP ...), scripts, publish/subscribe, streams, geography, HyperLogLog, LCS, BITFIELD.
"""

from __future__ import annotations

from durable_redis.engine.commands import (
    bits,
    connection,
    expiry,
    hashes,
    introspection,
    keys,
    lists,
    scan,
    serialization,
    sets,
    sortedset_algebra,
    sortedset_ranges,
    sortedsets,
    sorting,
    strings,
    transactions,
)
from durable_redis.engine.table import Command

COMMANDS: tuple[Command, ...] = (
    *strings.COMMANDS,
    *bits.COMMANDS,
    *lists.COMMANDS,
    *hashes.COMMANDS,
    *sets.COMMANDS,
    *sortedsets.COMMANDS,
    *sortedset_ranges.COMMANDS,
    *sortedset_algebra.COMMANDS,
    *keys.COMMANDS,
    *expiry.COMMANDS,
    *scan.COMMANDS,
    *serialization.COMMANDS,
    *sorting.COMMANDS,
    *transactions.COMMANDS,
    *connection.COMMANDS,
    *introspection.COMMANDS,
)
"""Every command that the engine itself knows."""
