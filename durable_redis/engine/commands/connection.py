"""Commands about the connection itself: PING, ECHO, SELECT, TIME, RESET.  A server adds AUTH, HELLO, CLIENT, QUIT."""

from __future__ import annotations

from durable_redis.engine import errors
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command
from durable_redis.formats.resp import OK, Reply, Status


def ping(call: Call) -> Reply:
    if len(call.argv) > 2:
        raise CommandError(errors.wrong_arity("ping"))
    return call.argv[1] if len(call.argv) == 2 else Status(b"PONG")


def echo(call: Call) -> Reply:
    return call.argv[1]


def select(call: Call) -> Reply:
    call.session.db = call.database_number(call.argv[1])
    return OK


def time(call: Call) -> Reply:
    seconds, milliseconds = divmod(call.now_ms, 1000)
    return [b"%d" % seconds, b"%d" % (milliseconds * 1000)]


def reset(call: Call) -> Reply:
    """Back to what a session is at the start; whether a password is asked for again is the server's affair."""
    session = call.session
    session.end_transaction()
    session.db = 0
    session.protocol = 2
    return Status(b"RESET")


COMMANDS = (
    Command("ping", -1, "fast", ping),
    Command("echo", 2, "loading stale fast", echo),
    Command("select", 2, "loading stale fast", select),
    Command("time", 1, "loading stale fast", time),
    Command("reset", 1, "noscript loading stale fast no_auth allow_busy at_once", reset),
)
