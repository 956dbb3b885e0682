"""The commands of a MemoryDB node that are not about data: who leads, who one is, and what no client may do.

    ask        ROLE, INFO, CLUSTER SLOTS, INFO, MYID, KEYSLOT
    session    READONLY, READWRITE, CLIENT, HELLO, QUIT
    act        FAILOVER [TO node]: hand the leadership over, through the log
               CLUSTER MIGRATESLOTS and its like: hand slots over, through two logs (`migration.commands`)
    hear       LEADS: the bus; MIGRATION: another shard

There is no SAVE, no CONFIG and no REPLICAOF: whoever runs the service decides about these.  As in any cluster there is
one database.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from durable_redis.engine import Call, Command, container
from durable_redis.engine.arguments import integer
from durable_redis.formats.resp import OK, ErrorReply, Reply, Verbatim
from durable_redis.memorydb.leadership import Phase
from durable_redis.memorydb.migration import commands as migration
from durable_redis.memorydb.record import version_text
from durable_redis.memorydb.shards import Heard
from durable_redis.redis import session
from durable_redis.redis.cluster.restrictions import restricted
from durable_redis.redis.cluster.slots import SlotError, key_slot, parse_slots, ranges_of
from durable_redis.redis.config import DEFAULT_PORT

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer

Handler = Callable[["MemoryDBServer", Call], Reply]


def commands(server: MemoryDBServer) -> list[Command]:
    """The rows, bound to one node."""

    def row(name: str, arity: int, flags: str, handler: Handler) -> Command:
        return Command(name, arity, flags, partial(handler, server))

    return [
        row("role", 1, "noscript loading stale fast", role),
        row("info", -1, "loading stale", info),
        container(
            "cluster",
            -2,
            row("cluster|slots", 2, "stale", cluster_slots),
            row("cluster|info", 2, "stale", cluster_info),
            row("cluster|myid", 2, "stale", cluster_myid),
            row("cluster|keyslot", 3, "stale", cluster_keyslot),
            row("cluster|migrateslots", -2, "admin stale no_multi", migration.migrate_slots),
            row("cluster|getslotmigrations", 2, "admin stale", migration.get_slot_migrations),
            row("cluster|cancelslotmigrations", 2, "admin stale no_multi", migration.cancel_slot_migrations),
        ),
        container(
            "client",
            -2,
            *session.client_rows(),
        ),
        row("hello", -1, "no_auth loading stale", hello),
        Command("quit", -1, "no_auth loading stale at_once", session.quit_connection),
        row("leads", 5, "admin loading stale no_multi", leads),
        row("migration", -5, "admin loading stale no_multi", migration.migration),
        row("failover", -1, "admin noscript stale no_multi", failover),
        *restricted(server.engine.commands),
    ]


# -- asking ----------------------------------------------------------------------------------------------------------


def role(server: MemoryDBServer, call: Call) -> Reply:
    """As Redis answers it; a replica's link is its way to the log."""
    if server.leadership.leads:
        others: list[Reply] = [
            [name.encode(), b"%d" % DEFAULT_PORT, b""] for name in server.shards.own.nodes if name != server.name
        ]
        return [b"master", server.offset, others]
    state = b"connected" if server.logbook.is_caught_up else b"connecting"
    return [b"slave", server.leadership.leader.encode(), DEFAULT_PORT, state, server.offset]


def info(server: MemoryDBServer, call: Call) -> Reply:
    """Redis's first fields of a replication section, and what only a MemoryDB has."""
    leadership, logbook = server.leadership, server.logbook
    fields = {
        "redis_version": version_text(server.config.engine_version),
        "redis_mode": "cluster",
        "role": "master" if leadership.leads else "slave",
        "master_host": leadership.leader,
        "master_replid": server.replid,
        "master_repl_offset": server.offset,
        "durability": server.config.durability,
        "shard": server.config.shard,
        "phase": leadership.phase.value,
        "epoch": leadership.epoch,
        "log_position": logbook.position,
        "log_tail": logbook.tail or "",
        "log_offset": logbook.data.offset,
        "log_append_in_flight": logbook.flight.kind if logbook.flight else "",
        "replies_held": sum(len(client.answers) for client in server.clients.values()),
    }
    return Verbatim("txt", "".join(f"{name}:{value}\r\n" for name, value in fields.items()).encode())


def cluster_slots(server: MemoryDBServer, call: Call) -> Reply:
    """[first, last, the leader, the other nodes ...] of each range of slots, as far as this node has heard."""
    rows: list[Reply] = []
    for shard in server.shards.shards:
        leader = server.leadership.leader if shard == server.shards.own else server.shards.leader_of(shard)
        if leader:
            nodes = [_address(leader), *(_address(name) for name in shard.nodes if name != leader)]
            rows += [[first, last, *nodes] for first, last in ranges_of(server.shards.map[shard.name])]
    return rows


def _address(name: str) -> list[Reply]:
    return [name.encode(), DEFAULT_PORT, name.encode(), []]


def cluster_info(server: MemoryDBServer, call: Call) -> Reply:
    ok = server.leadership.leader != ""
    fields = {
        "cluster_state": "ok" if ok else "fail",
        "cluster_known_nodes": sum(len(shard.nodes) for shard in server.shards.shards),
        "cluster_size": len(server.shards.shards),
        "cluster_my_epoch": server.leadership.epoch.index,
    }
    return Verbatim("txt", "".join(f"{name}:{value}\r\n" for name, value in fields.items()).encode())


def cluster_myid(server: MemoryDBServer, call: Call) -> Reply:
    return server.name.encode()


def cluster_keyslot(server: MemoryDBServer, call: Call) -> Reply:
    return key_slot(call.argv[2])


def hello(server: MemoryDBServer, call: Call) -> Reply:
    role_now = b"master" if server.leadership.leads else b"replica"
    return session.plain_hello(call, version_text(server.config.engine_version), b"cluster", role_now)


# -- acting ----------------------------------------------------------------------------------------------------------


def leads(server: MemoryDBServer, call: Call) -> Reply:
    """LEADS shard node place slots: ours; the bus."""
    shard, node, place, slots = (word.decode("latin-1") for word in call.argv[1:])
    if shard not in server.shards.map:
        return ErrorReply(f"ERR there is no shard {shard}: there is {', '.join(server.shards.map)}")
    try:
        server.shards.heard(shard, Heard(integer(place.encode("latin-1")), node, parse_slots(slots)))
    except SlotError as error:
        return ErrorReply(f"ERR {error}")
    return OK


def failover(server: MemoryDBServer, call: Call) -> Reply:
    """FAILOVER [TO node]: the leader takes no more commands, and names its successor in the log."""
    words = [argument.decode("latin-1") for argument in call.argv[1:]]
    others = [name for name in server.shards.own.nodes if name != server.name]
    if server.leadership.phase is not Phase.LEADING or not server.leadership.serves(server.now_us):
        return ErrorReply("ERR FAILOVER is for the primary, while its lease holds: ask it instead")
    if words and (len(words) != 2 or words[0].upper() != "TO"):
        return ErrorReply("ERR syntax error: FAILOVER [TO node]")
    successor = words[1] if words else (others[0] if others else "")
    if successor not in others:
        return ErrorReply(f"ERR FAILOVER needs another node of the shard: it has {', '.join(others) or 'none'}")
    server.leadership.hand_over(successor)
    return OK
