"""The commands of replication: REPLICAOF, PSYNC, REPLCONF, ROLE, WAIT ..., their words and their errors.

Rows for the command table, like those of `admin`: a handler answers at once, and leaves in `server.todo` what takes
time or effects.  The words are those of Redis 7.0; WAITAOF alone is a guest from 7.2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from durable_redis.contract import Effects
from durable_redis.engine import Call, Command, CommandError
from durable_redis.engine.arguments import integer
from durable_redis.formats.resp import OK, ErrorReply, Reply, Status
from durable_redis.formats.resp_commands import strict_integer
from durable_redis.redis.client import LATER
from durable_redis.redis.config import HIGHEST_PORT
from durable_redis.redis.replication.follower import Follower, SyncState
from durable_redis.redis.replication.history import ANY
from durable_redis.redis.replication.phase import Phase
from durable_redis.redis.replication.waiting import Waiter

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer


Handler = Callable[["RedisServer", Call], Reply]


def commands(server: RedisServer) -> list[Command]:
    """The rows, bound to one server."""

    def row(name: str, arity: int, flags: str, handler: Handler) -> Command:
        return Command(name, arity, flags, partial(handler, server))

    return [
        row("replicaof", 3, "admin noscript stale no_async_loading", replicaof),
        row("slaveof", 3, "admin noscript stale no_async_loading", replicaof),
        row("psync", -3, "admin noscript no_async_loading no_multi", psync),
        row("sync", 1, "admin noscript no_async_loading no_multi", sync),
        row("replconf", -1, "admin noscript loading stale allow_busy", replconf),
        row("role", 1, "noscript loading stale fast", role),
        row("wait", 3, "noscript", wait),
        row("waitaof", 4, "noscript", waitaof),
        row("failover", -1, "admin noscript stale", failover),
    ]


def _client(call: Call) -> Client:
    return cast("Client", call.session)


# -- roles -----------------------------------------------------------------------------------------------------------


def replicaof(server: RedisServer, call: Call) -> Reply:
    """REPLICAOF name port | NO ONE.  In this room a machine has one server, so the port is for show."""
    if server.failover.active:
        return ErrorReply("ERR REPLICAOF not allowed while failing over.")
    host, port = call.argv[1].decode("latin-1"), strict_integer(call.argv[2])
    if host.lower() == "no" and call.argv[2].lower() == b"one":
        server.todo.append(server.replica.lead)
        return OK
    client = _client(call)
    if client.follower is not None and client.follower.state is not None:
        return ErrorReply("ERR Command is not valid when client is a replica.")
    if port is None or not 0 <= port <= HIGHEST_PORT:
        return ErrorReply("ERR Invalid master port")
    if not host:
        return ErrorReply("ERR Invalid master host: a replica follows a server that has a name")
    if (server.replica.primary.lower(), server.replica.port) == (host.lower(), port):
        return Status(b"OK Already connected to specified master")
    server.todo.append(partial(server.replica.follow, host, port))
    return OK


def role(server: RedisServer, call: Call) -> Reply:
    """What this server is, how far, and with whom."""
    link = server.replica
    if not link.primary:
        online = server.primary.in_state(SyncState.ONLINE)
        replicas: list[Reply] = [
            [follower.name.encode(), b"%d" % follower.port, b"%d" % follower.acknowledged] for follower in online
        ]
        return [b"master", server.offset, replicas]
    word = link.phase.value.partition(":")[0]
    offset = server.offset if link.phase is Phase.CONNECTED else -1
    return [b"slave", link.primary.encode("latin-1"), link.port, word.encode(), offset]


def failover(server: RedisServer, call: Call) -> Reply:
    return server.failover.command(call.argv[1:], call.now_ms * 1000)


# -- what replicas say -----------------------------------------------------------------------------------------------


def psync(server: RedisServer, call: Call) -> Reply:
    """PSYNC replid offset [FAILOVER]: the offset is the number of the first byte that the replica lacks."""
    client = _client(call)
    if client.follower is not None and client.follower.state is not None:
        return LATER  # it is a replica already
    shall_lead = len(call.argv) > 3 and call.argv[3].upper() == b"FAILOVER"
    refusal = server.failover.requested(call.argv[1].decode("latin-1")) if shall_lead else None
    refusal = refusal or _cannot_serve(server, client, shall_lead)
    if refusal is not None:
        return refusal
    offset = integer(call.argv[2])
    replid = call.argv[1].decode("latin-1")
    server.todo.append(partial(server.primary.synchronize, client, replid, offset))
    return LATER


def sync(server: RedisServer, call: Call) -> Reply:
    """SYNC: a snapshot and then the stream, in the words of before 2.8; redis-cli --rdb asks so."""
    client = _client(call)
    follower = client.follower = client.follower or Follower(client)
    if follower.state is not None:
        return LATER
    refusal = _cannot_serve(server, client)
    if refusal is not None:
        return refusal
    follower.capabilities = (*follower.capabilities, "sync")
    server.todo.append(partial(server.primary.synchronize, client, ANY, -1))
    return LATER


def _cannot_serve(server: RedisServer, client: Client, shall_lead: bool = False) -> ErrorReply | None:
    if server.failover.active:
        return ErrorReply("NOMASTERLINK Can't SYNC while failing over")
    if server.replica.primary and server.replica.phase is not Phase.CONNECTED and not shall_lead:
        return ErrorReply("NOMASTERLINK Can't SYNC while not connected with my master")
    if client.output:
        return ErrorReply("ERR SYNC and PSYNC are invalid with pending output")
    return None


def replconf(server: RedisServer, call: Call) -> Reply:
    """REPLCONF option value ...: a replica introduces itself, or (ACK) says how far it is, which nobody answers."""
    words = call.argv[1:]
    if len(words) % 2:
        return ErrorReply("ERR syntax error")
    client = _client(call)
    follower = client.follower = client.follower or Follower(client)
    options = [(words[i].lower(), words[i + 1]) for i in range(0, len(words), 2)]
    for option, value in options:
        match option:
            case b"listening-port":
                follower.port = integer(value)
            case b"capa":
                follower.capabilities = (*follower.capabilities, value.decode("latin-1").lower())
            case b"ip-address":
                pass  # the room knows its machines by name
            case b"ack":
                fsynced = dict(options).get(b"fack")
                server.todo.append(partial(_acknowledged, server, follower, value, fsynced))
                return LATER
            case b"getack":
                return LATER  # for a primary's own stream, where the replica answers
            case _:
                return ErrorReply(f"ERR Unrecognized REPLCONF option: {option.decode('latin-1')}")
    return OK


def _acknowledged(server: RedisServer, follower: Follower, ack: bytes, fsynced: bytes | None, now: int) -> Effects:
    offset = strict_integer(ack)
    if follower.state is not None and offset is not None:
        server.primary.acknowledge(follower, offset, strict_integer(fsynced or b"0"), now)
    yield from ()


# -- waiting for replicas --------------------------------------------------------------------------------------------


def wait(server: RedisServer, call: Call) -> Reply:
    """WAIT replicas milliseconds: how many replicas have executed this client's writes."""
    if server.replica.primary:
        return ErrorReply(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is "
            "configured to be writable (which is not the default) writes to replicas are just local and are not "
            "propagated."
        )
    replicas = integer(call.argv[1])
    client = _client(call)
    waiter = Waiter(client, client.written, replicas, _deadline_us(call, call.argv[2]))
    reply = server.primary.waiters.wait(waiter)
    return LATER if client.blocked else reply


def waitaof(server: RedisServer, call: Call) -> Reply:
    """WAITAOF local replicas milliseconds (Redis 7.2): on how many disks this client's writes are."""
    local, replicas = integer(call.argv[1]), integer(call.argv[2])
    if not 0 <= local <= 1:
        return ErrorReply("ERR value is out of range, value must between 0 and 1")
    if replicas < 0:
        return ErrorReply("ERR value is out of range, must be positive")
    client = _client(call)
    deadline_us = _deadline_us(call, call.argv[3])
    if server.replica.primary:
        return ErrorReply(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just "
            "local and are not propagated."
        )
    if local and not server.config.appendonly:
        return ErrorReply("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    reply = server.primary.waiters.wait(Waiter(client, client.written, replicas, deadline_us, local))
    return LATER if client.blocked else reply


def _deadline_us(call: Call, text: bytes) -> int | None:
    """When the time is up, None for never: a timeout of 0."""
    timeout_ms = strict_integer(text)
    if timeout_ms is None:
        raise CommandError("ERR timeout is not an integer or out of range")
    if timeout_ms < 0:
        raise CommandError("ERR timeout is negative")
    return (call.now_ms + timeout_ms) * 1000 if timeout_ms else None
