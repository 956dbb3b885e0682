"""The commands of a MemoryDB node that are not about data: who leads, who one is, and what no client may do.

    ask        ROLE, INFO, CLUSTER SLOTS, INFO, MYID, KEYSLOT
    session    READONLY, READWRITE, CLIENT, HELLO, QUIT
    act        FAILOVER [TO node]: hand the leadership over, through the log
    hear       LEADS: the bus

There is no SAVE, no CONFIG and no REPLICAOF: whoever runs the service decides about these.  As in any cluster there is
one database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from durable_redis.engine import Call, Command, container
from durable_redis.engine.arguments import integer
from durable_redis.formats.resp import OK, ErrorReply, Map, Reply, Verbatim
from durable_redis.formats.resp_commands import strict_integer
from durable_redis.memorydb.record import version_text
from durable_redis.redis.cluster.nodes_conf import PORT
from durable_redis.redis.cluster.slots import key_slot

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer
    from durable_redis.redis.client import Client

Handler = Callable[["MemoryDBServer", Call], Reply]

FORBIDDEN = {"move": "MOVE", "swapdb": "SWAPDB"}


def commands(server: MemoryDBServer) -> list[Command]:
    """The rows, bound to one node."""

    def row(name: str, arity: int, flags: str, handler: Handler) -> Command:
        return Command(name, arity, flags, partial(handler, server))

    older = server.engine.commands
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
        ),
        row("readonly", 1, "fast loading stale", readonly),
        row("readwrite", 1, "fast loading stale", readwrite),
        container(
            "client",
            -2,
            row("client|id", 2, "loading stale", client_id),
            row("client|getname", 2, "loading stale", client_getname),
            row("client|setname", 3, "loading stale", client_setname),
            row("client|setinfo", 4, "loading stale", client_setinfo),
        ),
        row("hello", -1, "no_auth loading stale", hello),
        row("quit", -1, "no_auth loading stale at_once", quit_connection),
        row("leads", 4, "admin loading stale no_multi", leads),
        row("failover", -1, "admin noscript stale no_multi", failover),
        replace(older["select"], handler=partial(_select, older["select"].handler)),
        replace(older["copy"], handler=partial(_copy, older["copy"].handler)),
        *(replace(older[name], handler=partial(_forbidden, word)) for name, word in FORBIDDEN.items()),
    ]


# -- asking ----------------------------------------------------------------------------------------------------------


def role(server: MemoryDBServer, call: Call) -> Reply:
    """As Redis answers it; a replica's link is its way to the log."""
    if server.leadership.leads:
        others: list[Reply] = [[name.encode(), b"6379", b""] for name in server.shards.own.nodes if name != server.name]
        return [b"master", server.offset, others]
    state = b"connected" if server.logbook.is_caught_up else b"connecting"
    return [b"slave", server.leadership.leader.encode(), PORT, state, server.offset]


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
    """[first, last, the leader, the other nodes ...] of each shard, as far as this node has heard."""
    rows: list[Reply] = []
    for shard in server.shards.shards:
        leader = server.leadership.leader if shard == server.shards.own else server.shards.leader_of(shard)
        if leader:
            others = [_address(name) for name in shard.nodes if name != leader]
            rows.append([shard.first, shard.last, _address(leader), *others])
    return rows


def _address(name: str) -> list[Reply]:
    return [name.encode(), PORT, name.encode(), []]


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


# -- the session -----------------------------------------------------------------------------------------------------


def _client(call: Call) -> Client:
    return cast("Client", call.session)


def readonly(server: MemoryDBServer, call: Call) -> Reply:
    _client(call).reads_replica = True
    return OK


def readwrite(server: MemoryDBServer, call: Call) -> Reply:
    _client(call).reads_replica = False
    return OK


def client_id(server: MemoryDBServer, call: Call) -> Reply:
    return _client(call).number


def client_getname(server: MemoryDBServer, call: Call) -> Reply:
    return call.session.name.encode("latin-1") or None


def client_setname(server: MemoryDBServer, call: Call) -> Reply:
    if any(not 0x21 <= byte <= 0x7E for byte in call.argv[2]):
        return ErrorReply("ERR Client names cannot contain spaces, newlines or special characters.")
    call.session.name = call.argv[2].decode("latin-1")
    return OK


def client_setinfo(server: MemoryDBServer, call: Call) -> Reply:
    return OK


def hello(server: MemoryDBServer, call: Call) -> Reply:
    """HELLO [2|3]: choose the protocol."""
    if len(call.argv) > 1:
        wanted = strict_integer(call.argv[1])
        if wanted not in (2, 3):
            return ErrorReply("NOPROTO unsupported protocol version")
        call.session.protocol = wanted
    role_now = b"master" if server.leadership.leads else b"replica"
    return Map(
        [
            (b"server", b"redis"),
            (b"version", version_text(server.config.engine_version).encode()),
            (b"proto", call.session.protocol),
            (b"id", _client(call).number),
            (b"mode", b"cluster"),
            (b"role", role_now),
            (b"modules", []),
        ]
    )


def quit_connection(server: MemoryDBServer, call: Call) -> Reply:
    _client(call).closing = True
    return OK


# -- acting ----------------------------------------------------------------------------------------------------------


def leads(server: MemoryDBServer, call: Call) -> Reply:
    """LEADS shard node epoch: ours; the bus."""
    shard, node, epoch = call.argv[1].decode("latin-1"), call.argv[2].decode("latin-1"), integer(call.argv[3])
    server.shards.heard(shard, node, epoch)
    return OK


def failover(server: MemoryDBServer, call: Call) -> Reply:
    """FAILOVER [TO node]: the leader takes no more commands, and names its successor in the log."""
    words = [argument.decode("latin-1") for argument in call.argv[1:]]
    others = [name for name in server.shards.own.nodes if name != server.name]
    if not server.leadership.serves(server.now_us):
        return ErrorReply("ERR FAILOVER is for the primary, while its lease holds: ask it instead")
    if words and (len(words) != 2 or words[0].upper() != "TO"):
        return ErrorReply("ERR syntax error: FAILOVER [TO node]")
    successor = words[1] if words else (others[0] if others else "")
    if successor not in others:
        return ErrorReply(f"ERR FAILOVER needs another node of the shard: it has {', '.join(others) or 'none'}")
    server.leadership.hand_over(successor)
    return OK


def _select(older: Callable[[Call], Reply], call: Call) -> Reply:
    return older(call) if integer(call.argv[1]) == 0 else ErrorReply("ERR SELECT is not allowed in cluster mode")


def _copy(older: Callable[[Call], Reply], call: Call) -> Reply:
    if any(word.upper() == b"DB" for word in call.argv[3:]):
        return ErrorReply("ERR Copying to another database is not allowed in cluster mode")
    return older(call)


def _forbidden(word: str, call: Call) -> Reply:
    return ErrorReply(f"ERR {word} is not allowed in cluster mode")
