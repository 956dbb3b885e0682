"""The commands of a cluster node: CLUSTER ..., READONLY, READWRITE, and what a cluster forbids.

    ask      CLUSTER INFO, NODES, SLOTS, SHARDS, MYID, KEYSLOT, COUNTKEYSINSLOT, GETKEYSINSLOT
    make     CLUSTER MEET, ADDSLOTS, ADDSLOTSRANGE, REPLICATE, SET-CONFIG-EPOCH
    act      CLUSTER FAILOVER [FORCE | TAKEOVER]

`CLUSTERBUS` is ours: with it a connection becomes one of the bus (see `bus`).

The texts are Redis 7.0's (cluster.c `clusterCommand`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from durable_redis.contract import Effects
from durable_redis.engine import Call, Command, container
from durable_redis.engine.arguments import integer
from durable_redis.engine.errors import CommandError
from durable_redis.formats.resp import OK, ErrorReply, Map, Reply, Verbatim, strict_integer
from durable_redis.redis.client import LATER
from durable_redis.redis.cluster import bus, nodes_conf, restrictions
from durable_redis.redis.cluster.membership import ClusterNode
from durable_redis.redis.cluster.slots import SLOTS, key_slot, ranges_of
from durable_redis.redis.config import DEFAULT_PORT, HIGHEST_PORT
from durable_redis.redis.epochs import LARGEST_EPOCH

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.cluster.cluster import Cluster

Handler = Callable[["Cluster", Call], Reply]

FORBIDDEN = restrictions.FORBIDDEN | {
    "replicaof": "REPLICAOF not allowed in cluster mode.",
    "slaveof": "REPLICAOF not allowed in cluster mode.",
    "failover": "FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.",
}
"""The roles are the cluster's affair."""


def commands(cluster: Cluster) -> list[Command]:
    """The rows, bound to one node."""

    def row(name: str, arity: int, flags: str, handler: Handler) -> Command:
        return Command(name, arity, flags, partial(handler, cluster))

    return [
        container(
            "cluster",
            -2,
            row("cluster|info", 2, "stale", cluster_info),
            row("cluster|nodes", 2, "stale", cluster_nodes),
            row("cluster|slots", 2, "stale", cluster_slots),
            row("cluster|shards", 2, "stale", cluster_shards),
            row("cluster|myid", 2, "stale", cluster_myid),
            row("cluster|keyslot", 3, "stale", cluster_keyslot),
            row("cluster|countkeysinslot", 3, "stale", cluster_countkeysinslot),
            row("cluster|getkeysinslot", 4, "stale", cluster_getkeysinslot),
            row("cluster|meet", -4, "admin stale", cluster_meet),
            row("cluster|addslots", -3, "admin stale", cluster_addslots),
            row("cluster|addslotsrange", -4, "admin stale", cluster_addslotsrange),
            row("cluster|replicate", 3, "admin stale", cluster_replicate),
            row("cluster|set-config-epoch", 3, "admin stale", cluster_set_config_epoch),
            row("cluster|failover", -2, "admin stale", cluster_failover),
        ),
        row("clusterbus", 2, "no_auth no_multi", clusterbus),
        *restrictions.restricted(cluster.server.engine.commands, FORBIDDEN),
    ]


# -- asking ----------------------------------------------------------------------------------------------------------


def cluster_info(cluster: Cluster, call: Call) -> Reply:
    members = cluster.membership
    voters = members.voters
    assigned = SLOTS - members.unassigned.bit_count()
    doubtful = sum(node.slots.bit_count() for node in voters if node.health is bus.Health.PFAIL)
    failed = sum(node.slots.bit_count() for node in voters if node.failed)
    shard = members.primary_of(members.me) or members.me
    fields = {
        "cluster_state": "ok" if cluster.state.ok else "fail",
        "cluster_slots_assigned": assigned,
        "cluster_slots_ok": assigned - doubtful - failed,
        "cluster_slots_pfail": doubtful,
        "cluster_slots_fail": failed,
        "cluster_known_nodes": len(members.nodes),
        "cluster_size": len(voters),
        "cluster_current_epoch": members.current_epoch,
        "cluster_my_epoch": shard.config_epoch,
    }
    text = "".join(f"{name}:{value}\r\n" for name, value in fields.items())
    return Verbatim("txt", text.encode("ascii"))


def cluster_nodes(cluster: Cluster, call: Call) -> Reply:
    members, links = cluster.membership, cluster.links
    lines = [
        nodes_conf.describe(members, node, node is members.me or links.is_up(node.name)) + "\n"
        for node in members.nodes.values()
    ]
    return Verbatim("txt", "".join(lines).encode("ascii"))


def cluster_slots(cluster: Cluster, call: Call) -> Reply:
    """[first, last, [host, port, id, []] of the primary, the same of each replica that has not failed], by slot."""
    members = cluster.membership
    rows: list[list[Reply]] = []
    for node in members.voters:
        replicas = [_address(replica) for replica in members.replicas_of(node.name) if not replica.failed]
        rows += [[first, last, _address(node), *replicas] for first, last in ranges_of(node.slots)]
    return sorted(rows, key=lambda row: cast("int", row[0]))


def _address(node: ClusterNode) -> list[Reply]:
    return [node.name.encode("ascii"), DEFAULT_PORT, node.id.encode("ascii"), []]


def cluster_shards(cluster: Cluster, call: Call) -> Reply:
    members = cluster.membership
    shards: list[Reply] = []
    for primary in members.nodes.values():
        if primary.is_primary:
            bounds = [bound for ends in ranges_of(primary.slots) for bound in ends]
            nodes = [primary, *members.replicas_of(primary.name)]
            shards.append(Map([(b"slots", bounds), (b"nodes", [_in_shard(cluster, node) for node in nodes])]))
    return shards


def _in_shard(cluster: Cluster, node: ClusterNode) -> Reply:
    name = node.name.encode("ascii")
    offset = cluster.server.offset if node is cluster.membership.me else node.offset
    return Map(
        [
            (b"id", node.id.encode("ascii")),
            (b"port", DEFAULT_PORT),
            (b"ip", name),
            (b"endpoint", name),
            (b"role", b"master" if node.is_primary else b"replica"),
            (b"replication-offset", offset),
            (b"health", b"fail" if node.failed else b"online"),
        ]
    )


def cluster_myid(cluster: Cluster, call: Call) -> Reply:
    return cluster.membership.me.id.encode("ascii")


def cluster_keyslot(cluster: Cluster, call: Call) -> Reply:
    return key_slot(call.argv[2])


def cluster_countkeysinslot(cluster: Cluster, call: Call) -> Reply:
    slot = integer(call.argv[2])
    return len(_keys_in(call, slot)) if 0 <= slot < SLOTS else ErrorReply("ERR Invalid slot")


def cluster_getkeysinslot(cluster: Cluster, call: Call) -> Reply:
    slot, count = integer(call.argv[2]), integer(call.argv[3])
    if not 0 <= slot < SLOTS or count < 0:
        return ErrorReply("ERR Invalid slot or number of keys")
    return list(_keys_in(call, slot)[:count])


def _keys_in(call: Call, slot: int) -> list[bytes]:
    """By looking at every key; Redis keeps a list of each slot's keys."""
    return [key for key in call.engine.keyspace.databases[0].values if key_slot(key) == slot]


_BAD_SLOT = "ERR Invalid or out of range slot"


def _slot(text: bytes) -> int:
    slot = integer(text, _BAD_SLOT)
    if not 0 <= slot < SLOTS:
        raise CommandError(_BAD_SLOT)
    return slot


# -- making ----------------------------------------------------------------------------------------------------------


def cluster_meet(cluster: Cluster, call: Call) -> Reply:
    """CLUSTER MEET host port: the host is a machine's name.  The greeting goes out with the next cron."""
    name, port = call.argv[2].decode("latin-1"), strict_integer(call.argv[3])
    if port is None:
        return ErrorReply(f"ERR Invalid TCP base port specified: {call.argv[3].decode('latin-1')}")
    if not bus.is_name(name) or not 0 < port <= HIGHEST_PORT:
        return ErrorReply(f"ERR Invalid node address specified: {name}:{port}")
    if name not in cluster.membership.nodes:
        cluster.membership.add(name).to_be_met = True
    return OK


def cluster_addslots(cluster: Cluster, call: Call) -> Reply:
    return _add_slots(cluster, [(slot, slot) for slot in map(_slot, call.argv[2:])])


def cluster_addslotsrange(cluster: Cluster, call: Call) -> Reply:
    bounds = [_slot(word) for word in call.argv[2:]]
    if len(bounds) % 2:
        return ErrorReply("ERR wrong number of arguments for 'cluster|addslotsrange' command")
    return _add_slots(cluster, list(zip(bounds[::2], bounds[1::2], strict=True)))


def _add_slots(cluster: Cluster, ranges: list[tuple[int, int]]) -> Reply:
    members = cluster.membership
    wanted = 0
    for first, last in ranges:
        if first > last:
            return ErrorReply(f"ERR start slot number {first} is greater than end slot number {last}")
        for slot in range(first, last + 1):
            if members.owner_of(slot) is not None:
                return ErrorReply(f"ERR Slot {slot} is already busy")
            if wanted >> slot & 1:
                return ErrorReply(f"ERR Slot {slot} specified multiple times")
            wanted |= 1 << slot
    members.me.slots |= wanted
    members.promise()
    return OK


def cluster_replicate(cluster: Cluster, call: Call) -> Reply:
    """CLUSTER REPLICATE id: be a replica of that primary; a primary must be empty, and serve nothing."""
    members = cluster.membership
    wanted = call.argv[2].decode("latin-1")
    primary = next((node for node in members.nodes.values() if node.id == wanted), None)
    if primary is None:
        return ErrorReply(f"ERR Unknown node {wanted}")
    if primary is members.me:
        return ErrorReply("ERR Can't replicate myself")
    if not primary.is_primary:
        return ErrorReply("ERR I can only replicate a master, not a replica.")
    if members.me.is_primary and (members.me.slots or len(call.engine.keyspace)):
        return ErrorReply("ERR To set a master the node must be empty and without assigned slots.")
    cluster.server.todo.append(partial(cluster.follow, primary.name))
    return OK


def cluster_set_config_epoch(cluster: Cluster, call: Call) -> Reply:
    """For whoever makes a cluster: each primary gets an epoch of its own before they meet."""
    members, epoch = cluster.membership, integer(call.argv[2])
    if not 0 <= epoch <= LARGEST_EPOCH:
        return ErrorReply(f"ERR Invalid config epoch specified: {epoch}")
    if members.others:
        return ErrorReply("ERR The user can assign a config epoch only when the node does not know any other node.")
    if members.me.config_epoch:
        return ErrorReply("ERR Node config epoch is already non-zero")
    members.me.config_epoch = epoch
    members.current_epoch = max(members.current_epoch, epoch)
    members.promise()
    return OK


# -- acting ----------------------------------------------------------------------------------------------------------


def cluster_failover(cluster: Cluster, call: Call) -> Reply:
    """CLUSTER FAILOVER [FORCE | TAKEOVER], to a replica: with the primary's help, without it, without an election."""
    members = cluster.membership
    option = call.option(2)
    if len(call.argv) > 3 or option not in (b"", b"FORCE", b"TAKEOVER"):
        return ErrorReply("ERR syntax error")
    if members.me.is_primary:
        return ErrorReply("ERR You should send CLUSTER FAILOVER to a replica")
    primary = members.primary_of(members.me)
    if primary is None:
        return ErrorReply("ERR I'm a replica but my master is unknown to me")
    if not option and (primary.failed or not cluster.links.is_up(primary.name)):
        return ErrorReply("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")

    def take_over(now: int) -> Effects:
        if members.me.is_primary:
            return  # a transaction has said it twice
        members.take_new_epoch()
        yield from cluster.candidate.take_over(members.current_epoch, (), now)

    if option == b"TAKEOVER":
        cluster.server.todo.append(take_over)
    else:
        cluster.candidate.wanted(politely=not option, now=call.now_ms * 1000)
        cluster.server.todo.append(cluster.candidate.cron)
    return OK


# -- the rest --------------------------------------------------------------------------------------------------------


def clusterbus(cluster: Cluster, call: Call) -> Reply:
    if call.argv[1] != bus.VERSION:
        return ErrorReply(f"ERR this node speaks version {bus.VERSION.decode()} of the cluster bus")
    cluster.server.todo.append(partial(cluster.adopt, cast("Client", call.session)))
    return LATER  # never: from now on messages are exchanged, not replies
