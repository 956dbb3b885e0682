"""INFO: what an operator may ask a server about itself, in Redis's own field names.

Only fields that the model knows are reported; a field that would always say the same is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.redis.config import REDIS_VERSION
from durable_redis.redis.persistence.aof import State
from durable_redis.redis.replication.report import replication_fields

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer

Fields = dict[str, object]


def render(server: RedisServer, sections: list[str], now_ms: int) -> str:
    """The text of INFO: all sections, or those asked for."""
    everything: dict[str, Fields] = {
        "Server": _server(server, now_ms),
        "Clients": {"connected_clients": len(server.clients) - len(server.primary.followers)},
        "Memory": {"used_memory": server.engine.keyspace.used_memory},
        "Persistence": _persistence(server, now_ms),
        "Stats": _stats(server),
        "Replication": replication_fields(server, now_ms * 1000),
        "Cluster": {"cluster_enabled": int(server.cluster is not None)},
        "Keyspace": _keyspace(server),
    }
    wanted = [name for name in sections if name not in ("all", "everything", "default")]
    parts = [
        f"# {title}\r\n" + "".join(f"{name}:{value}\r\n" for name, value in fields.items())
        for title, fields in everything.items()
        if not wanted or title.lower() in wanted
    ]
    return "\r\n".join(parts)


def _server(server: RedisServer, now_ms: int) -> Fields:
    return {
        "redis_version": REDIS_VERSION,
        "redis_mode": "standalone" if server.cluster is None else "cluster",
        "run_id": server.run_id,
        "hz": server.config.hz,
        "uptime_in_seconds": (now_ms * 1000 - server.started_us) // 1_000_000,
    }


def _persistence(server: RedisServer, now_ms: int) -> Fields:
    snapshots, rewrite, aof = server.snapshots, server.rewrite, server.aof
    now_us = now_ms * 1000
    fields: Fields = {
        "loading": int(not server.ready),
        "current_cow_size": snapshots.copied_bytes,
        "rdb_changes_since_last_save": server.engine.dirty,
        "rdb_bgsave_in_progress": int(snapshots.running),
        "rdb_last_save_time": snapshots.last_save_us // 1_000_000,
        "rdb_last_bgsave_status": _status(snapshots.last_ok),
        "rdb_last_bgsave_time_sec": _seconds(snapshots.last_duration_us),
        "rdb_current_bgsave_time_sec": _seconds(now_us - snapshots.started_us) if snapshots.running else -1,
        "rdb_saves": snapshots.saves,
        "rdb_last_cow_size": snapshots.last_copied_bytes,
        "aof_enabled": int(aof.state is not State.OFF),
        "aof_rewrite_in_progress": int(rewrite.running),
        "aof_rewrite_scheduled": int(rewrite.scheduled),
        "aof_last_rewrite_time_sec": _seconds(rewrite.last_duration_us),
        "aof_current_rewrite_time_sec": _seconds(now_us - rewrite.started_us) if rewrite.running else -1,
        "aof_last_bgrewrite_status": _status(rewrite.last_ok),
        "aof_rewrites": rewrite.rewrites,
        "aof_rewrites_consecutive_failures": rewrite.failures,
        "aof_last_write_status": _status(aof.error is None),
        "aof_last_cow_size": rewrite.last_copied_bytes,
    }
    if aof.state is not State.OFF:
        fields |= {
            "aof_current_size": aof.current_size,
            "aof_base_size": aof.size_after_rewrite,
            "aof_pending_rewrite": int(rewrite.scheduled),
            "aof_buffer_length": len(aof.buffer),
            "aof_pending_bio_fsync": int(aof.fsync_running),
            "aof_delayed_fsync": aof.delayed_fsyncs,
        }
    return fields


def _stats(server: RedisServer) -> Fields:
    return {
        "total_connections_received": server.stats["connections"],
        "total_commands_processed": server.stats["commands"],
        "sync_full": server.primary.syncs["full"],
        "sync_partial_ok": server.primary.syncs["partial"],
        "sync_partial_err": server.primary.syncs["refused"],
        "expired_keys": server.engine.expired_keys,
    }


def _keyspace(server: RedisServer) -> Fields:
    fields: Fields = {}
    for database in server.engine.keyspace.databases:
        if database.values:
            fields[f"db{database.index}"] = f"keys={len(database.values)},expires={len(database.expires)},avg_ttl=0"
    return fields


def client_line(client: Client) -> str:
    """One line of CLIENT LIST."""
    queued = -1 if client.queue is None else len(client.queue)
    return (
        f"id={client.number} addr={client.connection} name={client.name} db={client.db} multi={queued} "
        f"resp={client.protocol} tot-cmds={client.commands}\n"
    )


def _status(ok: bool) -> str:
    return "ok" if ok else "err"


def _seconds(duration_us: int) -> int:
    return -1 if duration_us < 0 else duration_us // 1_000_000
