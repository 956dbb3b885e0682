"""INFO replication: the fields of Redis, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.redis.replication.phase import Phase

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

Fields = dict[str, object]


def replication_fields(server: RedisServer, now: int) -> Fields:
    """What INFO says of replication."""
    primary, history, backlog = server.primary, server.history, server.primary.backlog
    fields: Fields = {"role": "slave" if server.replica.primary else "master"}
    if server.replica.primary:
        fields |= _of_replica(server, now)
    fields["connected_slaves"] = len(primary.followers)
    if server.config.min_replicas_to_write and server.config.min_replicas_max_lag:
        fields["min_slaves_good_slaves"] = primary.good
    for number, follower in enumerate(primary.followers.values()):
        assert follower.state is not None
        fields[f"slave{number}"] = (
            f"ip={follower.name},port={follower.port},state={follower.state.value},offset={follower.acknowledged},"
            f"lag={follower.lag_s(now)}"
        )
    return fields | {
        "master_failover_state": server.failover.state.value,
        "master_replid": history.replid,
        "master_replid2": history.replid2,
        "master_repl_offset": server.offset,
        "second_repl_offset": history.second_offset,
        "repl_backlog_active": int(backlog is not None),
        "repl_backlog_size": server.config.repl_backlog_size,
        "repl_backlog_first_byte_offset": backlog.first if backlog is not None else 0,
        "repl_backlog_histlen": len(backlog) if backlog is not None else 0,
    }


def _of_replica(server: RedisServer, now: int) -> Fields:
    link, up = server.replica, server.replica.phase is Phase.CONNECTED
    transferring = link.phase is Phase.TRANSFER
    fields: Fields = {
        "master_host": link.primary,
        "master_port": link.port,
        "master_link_status": link.link,
        "master_last_io_seconds_ago": (now - link.last_io_us) // 1_000_000 if up else -1,
        "master_sync_in_progress": int(transferring),
        "slave_read_repl_offset": server.offset + link.unread if up or link.can_continue else 0,
        "slave_repl_offset": server.offset if up or link.can_continue else 0,
    }
    if transferring:
        total, received = link.transfer.size, link.transfer.received
        fields |= {
            "master_sync_total_bytes": total or 0,
            "master_sync_read_bytes": received,
            "master_sync_left_bytes": total - received if total is not None else -received,
            "master_sync_perc": f"{100 * received / total:.2f}" if total else "0.00",
            "master_sync_last_io_seconds_ago": (now - link.last_io_us) // 1_000_000,
        }
    if not up:
        since = link.down_since_us
        fields["master_link_down_since_seconds"] = (now - since) // 1_000_000 if since else -1
    return fields | {
        "slave_priority": server.config.replica_priority,
        "slave_read_only": int(server.config.replica_read_only),
        "replica_announced": 1,
    }
