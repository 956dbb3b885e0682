"""Who may do what on a MemoryDB node now, and with what words it is refused.

    nobody, on a node that recovers          LOADING
    nothing but reading, on a replica        MOVED to the leader; who has said READONLY may read what the log has got
    nothing, on a leader without a lease     CLUSTERDOWN: it does not know any more whether it leads
    no writes, with durability "async", while the log is too far behind (ElastiCache, "Durability options")

Every refusal is definite: the command was not executed.  A command that touches no keys (PING, INFO, CLUSTER) is
answered by everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from durable_redis.engine import Command, Session
from durable_redis.formats.resp import ErrorReply
from durable_redis.redis.cluster.routing import CROSS_SLOT
from durable_redis.redis.cluster.slots import key_slot
from durable_redis.redis.config import DEFAULT_PORT

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer
    from durable_redis.redis.client import Client

LOADING = ErrorReply("LOADING MemoryDB is restoring the data set from the log")
NO_LEADER = ErrorReply("CLUSTERDOWN The log names no leader of this shard yet")
LEASE_OVER = ErrorReply("CLUSTERDOWN The lease of this primary is over: it may have been replaced")
LOG_BEHIND = ErrorReply("CLUSTERDOWN The log is too far behind: writes are refused until it has caught up")
READ_ONLY = ErrorReply("READONLY You can't write against a read only replica.")


def refusal(server: MemoryDBServer, session: Session, command: Command, argv: list[bytes]) -> ErrorReply | None:
    """Why this command of a client may not run now, or None."""
    client = cast("Client", session)
    keys = touched(client, command, argv)
    if keys == []:
        return None
    if not server.ready:
        return LOADING
    slots = [key_slot(key) for key in keys or ()]
    if any(slot != slots[0] for slot in slots):
        return CROSS_SLOT
    if slots and (elsewhere := server.shards.elsewhere(slots[0])):
        return ErrorReply(f"MOVED {slots[0]} {elsewhere}:{DEFAULT_PORT}")
    if server.leadership.leads:
        return _on_leader(server, writes(client, command))
    if not writes(client, command) and (client.reads_replica or not slots):
        return None
    return _to_leader(server, slots)


def writes(client: Client, command: Command) -> bool:
    """Whether this command may write, or EXEC one that does."""
    return command.writes or (command.name == "exec" and client.transaction_writes)


def _on_leader(server: MemoryDBServer, is_write: bool) -> ErrorReply | None:
    if not server.leadership.serves(server.now_us):
        return LEASE_OVER
    return LOG_BEHIND if is_write and server.is_behind() else None


def _to_leader(server: MemoryDBServer, slots: list[int]) -> ErrorReply:
    leader = server.leadership.leader
    if not leader or leader == server.name:  # it has led itself, and nobody has followed it yet
        return NO_LEADER
    return ErrorReply(f"MOVED {slots[0]} {leader}:{DEFAULT_PORT}") if slots else READ_ONLY


def touched(client: Client, command: Command, argv: list[bytes]) -> list[bytes] | None:
    """The keys on which the answer to a command rests: those that it names; for EXEC those of all its commands, and the
    watched ones.  None: on all keys, as for DBSIZE; []: on none."""
    if command.name != "exec":
        keys = command.keys(argv)
        return keys if keys or not (command.writes or command.has_flag("readonly")) else None
    found = [watched.key for watched in client.watching]
    for queued, its_argv in client.queue or ():
        keys_of_one = touched(client, queued, its_argv)
        if keys_of_one is None:
            return None
        found += keys_of_one
    return found
