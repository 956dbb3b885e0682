"""Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH (multi.c).

Between MULTI and EXEC the engine queues commands instead of running them.  EXEC runs them one after the other with
nothing in between, at one instant; a command that fails leaves the others as they are: Redis does not roll back.  EXEC
runs nothing at all when a command could not be queued (EXECABORT) or when a watched key has changed (null).
"""

from __future__ import annotations

from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command
from durable_redis.formats.resp import NULL_ARRAY, OK, Reply


def multi(call: Call) -> Reply:
    if call.session.queue is not None:
        raise CommandError("ERR MULTI calls can not be nested")
    call.session.queue = []
    return OK


def exec_(call: Call) -> Reply:
    session, engine, now_ms = call.session, call.engine, call.now_ms
    queue = session.queue
    if queue is None:
        raise CommandError("ERR EXEC without MULTI")
    aborted = session.aborted
    changed = session.watch_failed or any(watched.expired_since(now_ms) for watched in session.watching)
    session.end_transaction()
    if aborted:
        raise CommandError("EXECABORT Transaction discarded because of previous errors.")
    if changed:
        return NULL_ARRAY
    return [engine.run(session, command, argv, now_ms) for command, argv in queue]


def discard(call: Call) -> Reply:
    if call.session.queue is None:
        raise CommandError("ERR DISCARD without MULTI")
    call.session.end_transaction()
    return OK


def watch(call: Call) -> Reply:
    if call.session.queue is not None:
        raise CommandError("ERR WATCH inside MULTI is not allowed")
    database = call.database
    for key in call.argv[1:]:
        at_ms = database.expires.get(key)
        call.session.watch(database, key, expired=at_ms is not None and call.now_ms > at_ms)
    return OK


def unwatch(call: Call) -> Reply:
    call.session.unwatch()
    return OK


COMMANDS = (
    Command("multi", 1, "noscript loading stale fast allow_busy at_once", multi),
    Command("exec", 1, "noscript loading stale skip_slowlog at_once", exec_),
    Command("discard", 1, "noscript loading stale fast allow_busy at_once", discard),
    Command("watch", -2, "noscript loading stale fast allow_busy at_once", watch, 1, -1, 1),
    Command("unwatch", 1, "noscript loading stale fast allow_busy", unwatch),
)
