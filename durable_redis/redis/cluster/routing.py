"""Where a command belongs: served here, or answered with the place that serves it.

    MOVED 12182 n3:6379     the slot's owner, as this node believes; the client asks there, and remembers
    CROSSSLOT               the keys lie in more than one slot
    CLUSTERDOWN             nobody serves the slot, or this node's cluster state is fail

A command without keys is for whoever gets it.  A transaction is judged as a whole when EXEC comes, and each of its
commands already when it is queued.  A replica serves its primary's slots to a client that has said READONLY, and only
for reading; what it reads may be old.

The rules and the texts: cluster.c `getNodeByQuery`, `clusterRedirectClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.formats.resp import ErrorReply
from durable_redis.redis.cluster.slots import key_slot
from durable_redis.redis.config import DEFAULT_PORT

if TYPE_CHECKING:
    from durable_redis.engine import Command
    from durable_redis.redis.client import Client
    from durable_redis.redis.cluster.cluster import Cluster

CROSS_SLOT = ErrorReply("CROSSSLOT Keys in request don't hash to the same slot")
UNBOUND = ErrorReply("CLUSTERDOWN Hash slot not served")
DOWN = ErrorReply("CLUSTERDOWN The cluster is down")
DOWN_FOR_WRITES = ErrorReply("CLUSTERDOWN The cluster is down and only accepts read commands")


def redirection(cluster: Cluster, client: Client, command: Command, argv: list[bytes]) -> ErrorReply | None:
    """The answer to a command that is not to be served here, or None."""
    is_exec = command.name == "exec"
    words = client.queue or [] if is_exec else [(command, argv)]
    slots = [key_slot(key) for queued, its_argv in words for key in queued.keys(its_argv)]
    if not slots:
        return None
    slot = slots[0]
    owner = cluster.membership.owner_of(slot)
    if owner is None:
        return UNBOUND
    if any(other != slot for other in slots):
        return CROSS_SLOT
    writes = command.writes or (is_exec and client.transaction_writes)
    if not cluster.state.ok:
        if not cluster.server.config.cluster_allow_reads_when_down:
            return DOWN
        if writes:
            return DOWN_FOR_WRITES
    me = cluster.membership.me
    if owner is me or (client.reads_replica and not writes and owner.name == me.primary):
        return None
    return ErrorReply(f"MOVED {slot} {owner.name}:{DEFAULT_PORT}")
