"""What a sentinel shows of its beliefs: the rows of SENTINEL MASTERS, REPLICAS and SENTINELS, and INFO.

Field names and order are Redis's (sentinel.c, addReplySentinelRedisInstance); a field that would always say the same is
left out.  Ages are in milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.formats.resp import NULL_ARRAY, Map, Reply
from durable_redis.redis.config import DEFAULT_PORT, REDIS_VERSION
from durable_redis.redis.sentinel.config import SENTINEL_PORT
from durable_redis.redis.sentinel.instances import PRIMARY, Instance, Peer, Reconfiguration, Server

if TYPE_CHECKING:
    from durable_redis.redis.sentinel.sentinel import Sentinel

NO_ADDRESS: Reply = NULL_ARRAY

Fields = dict[str, object]

_RECONFIGURATION_FLAGS = {
    Reconfiguration.SENT: "reconf_sent",
    Reconfiguration.IN_PROGRESS: "reconf_inprog",
    Reconfiguration.DONE: "reconf_done",
}


def primary(sentinel: Sentinel, now: int) -> Map:
    """The monitored primary."""
    server, config = sentinel.primary, sentinel.config
    flags = [*_down_flags(server, sentinel.odown), "master", *_link_flags(server)]
    flags += ["failover_in_progress"] if sentinel.failover.running else []
    flags += ["force_failover"] if sentinel.failover.forced else []
    fields = _instance(server, config.master_name, DEFAULT_PORT, flags, now)
    if sentinel.odown:
        fields["o-down-time"] = _age_ms(sentinel.odown_since_us, now)
    fields["down-after-milliseconds"] = config.down_after_ms
    fields |= _reported(server, now)
    fields |= {
        "config-epoch": sentinel.config_epoch,
        "num-slaves": len(sentinel.replicas),
        "num-other-sentinels": len(sentinel.peers),
        "quorum": config.quorum,
        "failover-timeout": config.failover_timeout_ms,
        "parallel-syncs": config.parallel_syncs,
    }
    return _map(fields)


def replica(sentinel: Sentinel, server: Server, now: int) -> Map:
    """One replica."""
    flags = [*_down_flags(server), "slave", *_link_flags(server)]
    flags += ["promoted"] if server.name == sentinel.failover.replica else []
    if server.reconfiguration in _RECONFIGURATION_FLAGS:
        flags.append(_RECONFIGURATION_FLAGS[server.reconfiguration])
    fields = _instance(server, f"{server.name}:{DEFAULT_PORT}", DEFAULT_PORT, flags, now)
    fields["down-after-milliseconds"] = sentinel.config.down_after_ms
    fields |= _reported(server, now)
    fields |= {
        "master-link-down-time": server.link_down_us // 1000,
        "master-link-status": "ok" if server.link_up else "err",
        "master-host": server.primary or "?",
        "master-port": DEFAULT_PORT if server.primary else 0,
        "slave-priority": server.priority,
        "slave-repl-offset": server.offset,
    }
    return _map(fields)


def peer(sentinel: Sentinel, other: Peer, now: int) -> Map:
    """One of the other sentinels."""
    flags = [*_down_flags(other), "sentinel", *_link_flags(other), *["master_down"] * other.says_down]
    fields = _instance(other, other.run_id or other.name, SENTINEL_PORT, flags, now)
    fields |= {
        "down-after-milliseconds": sentinel.config.down_after_ms,
        "last-hello-message": _age_ms(other.hello_us, now),
        "voted-leader": other.vote or "?",
        "voted-leader-epoch": other.vote_epoch,
    }
    return _map(fields)


def info(sentinel: Sentinel, sections: list[str], now: int) -> str:
    """The text of INFO: all sections, or those asked for."""
    status = "odown" if sentinel.odown else "sdown" if sentinel.primary.down else "ok"
    address = f"{sentinel.announced_primary}:{DEFAULT_PORT}"
    everything: dict[str, Fields] = {
        "Server": {
            "redis_version": REDIS_VERSION,
            "redis_mode": "sentinel",
            "uptime_in_seconds": (now - sentinel.started_us) // 1_000_000,
        },
        "Clients": {"connected_clients": len(sentinel.clients.connected)},
        "Sentinel": {
            "sentinel_masters": 1,
            "sentinel_tilt": int(sentinel.tilt),
            "sentinel_tilt_since_seconds": (now - sentinel.tilt_since_us) // 1_000_000 if sentinel.tilt else -1,
            "master0": f"name={sentinel.config.master_name},status={status},address={address},"
            f"slaves={len(sentinel.replicas)},sentinels={1 + len(sentinel.peers)}",
        },
    }
    wanted = [name for name in sections if name not in ("all", "everything", "default")]
    return "\r\n".join(
        f"# {title}\r\n" + "".join(f"{name}:{value}\r\n" for name, value in fields.items())
        for title, fields in everything.items()
        if not wanted or title.lower() in wanted
    )


# -- parts -----------------------------------------------------------------------------------------------------------


def _instance(instance: Instance, name: str, port: int, flags: list[str], now: int) -> Fields:
    link = instance.link
    fields: Fields = {
        "name": name,
        "ip": instance.name,
        "port": port,
        "runid": instance.run_id,
        "flags": ",".join(flags),
        "link-pending-commands": len(link.questions),
        "last-ping-sent": _age_ms(link.silent_since_us, now) if link.silent_since_us else 0,
        "last-ok-ping-reply": _age_ms(link.available_us, now),
        "last-ping-reply": _age_ms(link.answered_us, now),
    }
    if instance.down:
        fields["s-down-time"] = _age_ms(instance.down_since_us, now)
    return fields


def _reported(server: Server, now: int) -> Fields:
    return {
        "info-refresh": _age_ms(server.informed_us, now) if server.informed_us else 0,
        "role-reported": "master" if server.role == PRIMARY else "slave",
        "role-reported-time": _age_ms(server.role_since_us, now),
    }


def _down_flags(instance: Instance, odown: bool = False) -> list[str]:
    return ["s_down"] * instance.down + ["o_down"] * odown


def _link_flags(instance: Instance) -> list[str]:
    return [] if instance.link.up else ["disconnected"]


def _age_ms(since_us: int, now: int) -> int:
    return (now - since_us) // 1000


def _map(fields: Fields) -> Map:
    return Map([(name.encode(), str(value).encode()) for name, value in fields.items()])
