"""What a replica does with what arrives: a snapshot replaces everything, a unit of the stream is executed.

A replica decides nothing.  It executes what the primary says even if it would have refused it to a client, and it
deletes no key on its own because its time has passed: the primary's DEL will come.  What it executes goes to its own
log, so that its disk tells the same story.

A full synchronisation, step by step (replication.c `readSyncBulkPayload`):

1. the snapshot becomes this server's own RDB file, durably: it is as good as one that it saved itself;
2. the log stops, and so does every child: nothing may mix the old data with the new;
3. everything that was here is thrown away, the same bytes or not, and our own replicas are told to start anew;
4. the snapshot is loaded, and the server takes up the history and the offset that it was promised to be;
5. a new log begins, with this data as its base (`restartAOFAfterSYNC`): the old one tells another history.  Until that
   base is written, the disk has the old log still.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Compute, DiskError, Effects, Exit, Fsync, Note, Write
from durable_redis.engine.keyspace import database_number
from durable_redis.formats.rdb import Rdb
from durable_redis.formats.resp import ErrorReply
from durable_redis.redis import admission
from durable_redis.redis.persistence.aof import State
from durable_redis.redis.persistence.files import FileEffects, put_in_place
from durable_redis.redis.replication import facts
from durable_redis.redis.replication.history import History
from durable_redis.redis.replication.stream import Unit

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

TEMPORARY = "temp-sync.rdb"


def store(server: RedisServer, content: bytes) -> FileEffects:
    """The snapshot becomes this server's own RDB file, durably: it is as good as one that it saved itself."""
    error: DiskError | None = yield Write(TEMPORARY, content)
    error = error or (yield Fsync(TEMPORARY))
    return error or (yield from put_in_place(TEMPORARY, server.config.dbfilename))


def replace_all(server: RedisServer, rdb: Rdb, promised: tuple[str, int], size: int, now: int) -> Effects:
    """Throw away what we have, and be what the snapshot says (replication.c `readSyncBulkPayload`)."""
    # 2. No log and no child may mix the old data with the new.
    if server.aof.state is not State.OFF:
        yield from server.aof.switch_off(now)
    yield from server.rewrite.kill_child()  # of a log that is off, too: its base would tell of the old data
    yield from server.snapshots.kill_child(now)
    # 3. The old history ends here, for us and for our own replicas.
    yield from server.primary.drop_all("this server starts anew with a snapshot of its primary: so must you", now)
    server.primary.free_backlog()
    server.engine.flush_all()
    # 4. The new data, expired or not: to delete a key is the primary's business.
    yield Compute("load", size)
    for entry in rdb.entries:
        server.engine.load(entry)
    replid, server.offset = promised
    server.history = History(replid)
    server.replica.selected_db = facts.stream_db(rdb.aux)
    server.primary.create_backlog()
    # 5. A new log begins with this data.
    if server.config.appendonly:
        yield from server.rewrite.switch_on(now)
    yield server.role_note()


def execute(server: RedisServer, unit: Unit, now: int) -> Effects:
    """One unit.  What it changes goes to this server's own log, a transaction as a transaction."""
    link, now_ms = server.replica, now // 1000
    effects: list[tuple[int, list[bytes]]] = []
    for argv in unit.commands:
        command = server.engine.lookup(argv)
        if isinstance(command, ErrorReply):
            yield Note("cannot apply", {"error": command.text})
        elif command.name == "select":
            number = database_number(argv[1])
            link.selected_db = link.selected_db if number is None else number
        elif command.name == "replconf" and len(argv) > 1 and argv[1].upper() == b"GETACK":
            link.acknowledge()
        elif command.writes:
            if (refusal := admission.of_disk(server)) is not None:
                yield Exit(1, f"a replica that cannot write to its disk cannot follow: {refusal.text}")
                return
            reply = server.engine.apply(link.selected_db, argv, now_ms)
            if isinstance(reply, ErrorReply):
                yield Note("cannot apply", {"error": reply.text})
            effects.append((link.selected_db, argv))
            yield from server.work(now)
    if effects:
        if unit.transaction:
            effects = [(effects[0][0], [b"MULTI"]), *effects, (effects[-1][0], [b"EXEC"])]
        server.log(effects, now)
