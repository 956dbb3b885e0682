"""What a snapshot says of itself: whose history it is a copy of, and up to which offset.

These are three AUX fields of an RDB file, `repl-id`, `repl-offset` and `repl-stream-db` (the database that the stream
had selected there).  With them a snapshot is as good as a replica that stopped at that moment: whoever starts from it
may go on instead of starting anew.  The base of a log names no history, since what comes behind it has no
offsets: a server that starts from its log cannot go on.

An offset without the name of a history says nothing, and nobody heeds it.  Redis leaves it out then; ours does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from durable_redis.engine.keyspace import database_number
from durable_redis.formats.resp import strict_integer
from durable_redis.redis.config import REDIS_VERSION
from durable_redis.redis.replication.history import History
from durable_redis.redis.replication.stream import encode_effects

if TYPE_CHECKING:
    from durable_redis.engine import Effect
    from durable_redis.redis.server import RedisServer


def of_log(server: RedisServer) -> dict[str, bytes]:
    """The AUX fields of a log's base."""
    return {"redis-ver": REDIS_VERSION.encode(), "repl-offset": b"%d" % server.offset, "aof-base": b"1"}


def of_snapshot(server: RedisServer) -> dict[str, bytes]:
    """The AUX fields of a snapshot taken now (rdb.c `rdbPopulateSaveInfo`)."""
    facts = {"redis-ver": REDIS_VERSION.encode(), "repl-offset": b"%d" % server.offset}
    link = server.replica
    if link.can_continue if link.primary else server.primary.backlog is not None:
        facts["repl-stream-db"] = b"%d" % (link.selected_db if link.primary else server.selected_db or 0)
        facts["repl-id"] = server.history.replid.encode()
    return facts


def stream_db(facts: Mapping[str, bytes]) -> int:
    """The database that the stream had selected; the first one, if the snapshot says nothing that makes sense."""
    return database_number(facts.get("repl-stream-db", b"")) or 0


def go_on_from(server: RedisServer, facts: Mapping[str, bytes], expired: list[Effect]) -> None:
    """Take up the history that a snapshot tells of, at the start (server.c `loadDataFromDisk`).

    A replica is where the snapshot was, and may go on from there.  A primary begins a history of its own, which has the
    deletion of what has `expired` meanwhile; its replicas may go on if they are no further than the snapshot."""
    replid, db = facts.get("repl-id", b"").decode("ascii", "replace"), facts.get("repl-stream-db", b"")
    offset = strict_integer(facts.get("repl-offset", b""))
    if len(replid) != 40 or offset is None or offset < 0 or not db:
        return
    server.offset = offset
    if server.replica.primary:
        server.history = History(replid)
        server.replica.can_continue = True
        server.replica.selected_db = stream_db(facts)
        return
    server.history = History(replid).continued_as(server.history.replid, server.offset)
    server.primary.create_backlog()
    stream, server.selected_db = encode_effects(expired, None)
    server.offset += len(stream)
    server.primary.feed(stream)
