"""Who is refused what, and with what words (server.c `processCommand`), in the order in which Redis looks.

* a client that has not said the password;
* a key that another node of the cluster serves;
* writes, on a server whose disk has just failed to keep what it promised;
* writes, on a primary with too few replicas that answer (`min-replicas-to-write`);
* the writes of clients on a replica (`replica-read-only`), and nearly everything while its link is down, if
  `replica-serve-stale-data` is no: then only what carries the flag `stale` is answered;
* the keyspace, to a connection that belongs to a replica of ours.

EXEC counts as what it would run: the world may have changed since that was queued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from durable_redis.engine import Command, Session
from durable_redis.formats.resp import ErrorReply
from durable_redis.redis.cluster.routing import redirection

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer

NO_AUTH = ErrorReply("NOAUTH Authentication required.")
SNAPSHOT_FAILED = ErrorReply(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
    "Commands that may modify the data set are disabled, because this instance is configured to report "
    "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check "
    "the Redis logs for details about the RDB error."
)
NO_REPLICAS = ErrorReply("NOREPLICAS Not enough good replicas to write.")
READ_ONLY = ErrorReply("READONLY You can't write against a read only replica.")
MASTER_DOWN = ErrorReply("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
NOT_FOR_REPLICAS = ErrorReply("ERR Replica can't interact with the keyspace")


def refusal(server: RedisServer, session: Session, command: Command, argv: list[bytes]) -> ErrorReply | None:
    """Why this command of a client may not run now, or None."""
    if not session.authenticated and not command.has_flag("no_auth"):
        return NO_AUTH
    if server.cluster is not None:
        elsewhere = redirection(server.cluster, cast("Client", session), command, argv)
        if elsewhere is not None:
            return elsewhere
    writes = command.writes or (command.name == "exec" and session.transaction_writes)
    if writes or command.name == "ping":
        disk = of_disk(server)
        if disk is not None:
            return disk
    if server.replica.primary:
        return _on_replica(server, session, command, writes)
    if writes and server.config.min_replicas_to_write and _too_few_replicas(server):
        return NO_REPLICAS
    if server.primary.followers:
        return _to_replica(session, command)
    return None


def of_disk(server: RedisServer) -> ErrorReply | None:
    """Redis would rather refuse writes than promise what its disk has just failed to keep."""
    if server.config.stop_writes_on_bgsave_error and server.config.save and not server.snapshots.last_ok:
        return SNAPSHOT_FAILED
    if server.aof.error is not None:
        return ErrorReply(f"MISCONF Errors writing to the AOF file: {server.aof.error.description}")
    return None


def _too_few_replicas(server: RedisServer) -> bool:
    return server.config.min_replicas_max_lag > 0 and server.primary.good < server.config.min_replicas_to_write


def _on_replica(server: RedisServer, session: Session, command: Command, writes: bool) -> ErrorReply | None:
    if writes and server.config.replica_read_only:
        return READ_ONLY
    if server.replica.link != "up" and not server.config.replica_serve_stale_data:
        would_run = [queued for queued, _ in session.queue or ()] if command.name == "exec" else [command]
        if not all(one.has_flag("stale") for one in would_run):
            return MASTER_DOWN
    return _to_replica(session, command)


def _to_replica(session: Session, command: Command) -> ErrorReply | None:
    follower = cast("Client", session).follower
    if follower is not None and follower.state is not None and (command.writes or command.has_flag("readonly")):
        return NOT_FOR_REPLICAS
    return None
