"""What a MemoryDB node shows of itself: to an operator, and to whoever looks into the room from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_redis.memorydb.leadership import Phase

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer


def status(server: MemoryDBServer) -> Mapping[str, Any]:
    """`position` is the id of the last entry that is in the data."""
    leadership, logbook = server.leadership, server.logbook
    leads = leadership.leads
    led_last = leadership.leader == server.name  # before it was started again, and nobody has since
    return {
        "role": "primary" if leads else "replica",
        "primary": "" if leads or led_last else leadership.leader,
        "link": "" if leads else "up" if logbook.is_caught_up else "down",
        "phase": leadership.phase.value,
        "ready": server.ready,
        "keys": len(server.engine.keyspace),
        "shard": server.config.shard,
        "epoch": leadership.epoch.index,
        "position": str(logbook.position),
        "replid": server.replid[:8],
        "offset": server.offset,
        "committed": logbook.data.offset,
        "holding": sum(len(client.answers) for client in server.clients.values()),
        "lease_until_us": leadership.lease_until_us if leads else 0,
        **(_share(server) if len(server.shards.shards) > 1 else {}),
    }


def _share(server: MemoryDBServer) -> Mapping[str, Any]:
    """As a cluster's node shows it: which slots are its own, and which migration is under way."""
    leads, serves = server.leadership.leads, server.leadership.phase is Phase.LEADING
    return {
        "slots": server.shards.ranges if leads else (),
        "state": "ok" if serves or not leads else "fail",
        "migration": server.migration.state,
    }
