"""A Redis server: one thread that takes commands from connections, executes them, logs their effects, and answers.

The order of things is the whole argument of this book (server.c `beforeSleep`):

1. a batch of events: every command that arrived is *executed*, and its effects go to the AOF buffer;
2. `before_sleep`: the AOF buffer is *written* to the page cache, and with `appendfsync always` *fsynced*;
3. only then are the *replies* sent.

So a reply never overtakes the write of its own effects; whether it overtakes their fsync is a matter of policy.  And
one fsync serves all the commands of a batch: group commit, without a line of code for it.

What this file must not know: how a command works (`engine`), and what a log or a snapshot looks like on disk
(`persistence`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from durable_redis.contract import (
    ChildEnded,
    Close,
    Closed,
    Compute,
    Effects,
    Event,
    Note,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.engine import Engine, Session
from durable_redis.formats.resp import (
    NEED_MORE,
    CommandParser,
    ErrorReply,
    ProtocolError,
    Reply,
    encode,
    encode_command,
)
from durable_redis.redis import admin
from durable_redis.redis.cluster.cluster import Cluster
from durable_redis.redis.cluster.commands import commands
from durable_redis.redis.cluster.routing import redirection
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import REDIS_VERSION, Config, ConfigError
from durable_redis.redis.persistence import aof, loading, rewrite, snapshots

if TYPE_CHECKING:
    from random import Random

CRON = "cron"


class Client(Session):
    """One connection: a session of the engine, with its parser and the replies that wait for `before_sleep`."""

    __slots__ = ("closing", "commands", "connection", "number", "output", "parser", "peer", "reads_replica")

    def __init__(self, connection: str, peer: str, number: int, authenticated: bool) -> None:
        super().__init__("", authenticated=authenticated)
        self.connection = connection
        self.peer = peer
        self.number = number
        self.parser = CommandParser()
        self.output = bytearray()
        self.commands = 0  # received so far: a command's number on its connection
        self.closing = False
        self.reads_replica = False  # it has said READONLY: a cluster's replica may answer it

    def reply(self, reply: Reply) -> None:
        self.output += encode(reply, self.protocol)


class RedisServer:
    """A node of the contract.  `random` is its only source of luck (SPOP, RANDOMKEY, elections).

    `name` is its machine's, and `topology` the cluster that it is put into; both matter with `cluster_enabled` only."""

    def __init__(
        self, random: Random, config: Config | None = None, name: str = "", topology: Topology | None = None
    ) -> None:
        self.config = config or Config()
        self.engine = Engine(random)
        self.engine.add_commands(admin.commands(self))
        self.engine.admit = self._admit
        self.clients: dict[str, Client] = {}
        self.aof = aof.AppendOnlyFile(self)
        self.rewrite = rewrite.Rewrite(self)
        self.snapshots = snapshots.Snapshots(self)
        self.child: str | None = (
            None  # BGSAVE and BGREWRITEAOF take turns: two forks at once would cost too much memory
        )
        self.offset = 0  # bytes of the replication stream so far: what `master_repl_offset` counts
        self.selected_db: int | None = None  # the database that the stream's last SELECT named
        self.todo: list[Callable[[int], Effects]] = []  # what the command just executed asked for, before its reply
        self.in_exec = False  # the command being run belongs to a transaction
        self.started_us = 0
        self.ready = False
        self.stats = {"commands": 0, "connections": 0}
        self.cluster = self._join(name, topology or Topology()) if self.config.cluster_enabled else None
        self._waiting: dict[str, None] = {}  # connections with replies to send, in order

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        self.started_us = self.snapshots.last_save_us = self.aof.last_fsync_us = now
        yield Compute("start")
        loaded = yield from loading.load(self, now)
        if not loaded:
            return
        self.engine.dirty = 0
        if self.cluster is not None and not (yield from self.cluster.boot(now)):
            return
        incr, end = self.aof.position
        yield Note("ready", {"keys": len(self.engine.keyspace), "incr": incr, "end": end})
        self.ready = True
        yield SetTimer(CRON, now + 1_000_000 // self.config.hz)

    def handle(self, event: Event, now: int) -> Effects:
        if self.cluster is not None and self.cluster.owns(event):
            yield from self.cluster.handle(event, now)
            return
        match event:
            case Received(connection=connection, data=data):
                client = self.clients.get(connection)
                if client is not None:
                    yield from self._receive(client, data, now)
            case Opened(connection=connection, peer=peer):
                self.stats["connections"] += 1
                number = self.stats["connections"]
                self.clients[connection] = Client(connection, peer, number, not self.config.requirepass)
            case Closed(connection=connection):
                client = self.clients.pop(connection, None)
                if client is not None:
                    client.end_transaction()
            case TimerFired(name="cron"):
                yield from self._cron(now)
            case ChildEnded(name=name, result=result):
                yield from self._child_ended(name, result, now)

    def before_sleep(self, now: int) -> Effects:
        # The log first: write it, and with `always` fsync it.
        survived = yield from self.aof.flush(now)
        if not survived:
            return
        # Then what a cluster's node has promised, and its messages.
        if self.cluster is not None and not (yield from self.cluster.before_sleep(now)):
            return
        # Then the replies.
        for connection in self._waiting:
            client = self.clients.get(connection)
            if client is None:
                continue
            if client.output:
                yield Send(connection, bytes(client.output))
                client.output.clear()
            if client.closing:
                yield Close(connection)
                client.end_transaction()
                del self.clients[connection]
        self._waiting.clear()

    def view(self) -> Mapping[str, Any]:
        """Keys, bytes executed and written; `position` is (incr file's number, bytes in it) for each place."""
        return {
            "role": "primary",
            "ready": self.ready,
            "keys": len(self.engine.keyspace),
            "offset": self.offset,
            "aof": self.aof.state.value,
            "executed": self.aof.position,
            "written": self.aof.written_position,
            "child": self.child or "",
            "dirty": self.engine.dirty,
            **(self.cluster.view() if self.cluster is not None else {}),
        }

    # -- commands ----------------------------------------------------------------------------------------------------

    def _receive(self, client: Client, data: bytes, now: int) -> Effects:
        """Parse what there is, and execute every whole command in it."""
        client.parser.feed(data)
        while not client.closing:
            try:
                argv = client.parser.next()
            except ProtocolError as error:
                client.reply(ErrorReply(f"ERR {error.reason}"))
                client.closing = True
                break
            if argv is NEED_MORE:
                break
            if argv:
                yield from self._execute(client, argv, now)
        self._waiting[client.connection] = None

    def _execute(self, client: Client, argv: list[bytes], now: int) -> Effects:
        client.commands += 1
        self.stats["commands"] += 1
        yield Compute("command")
        self.in_exec = client.in_transaction
        reply = self.engine.execute(client, argv, now // 1000)
        if self.propagate(now):
            incr, end = self.aof.position
            facts = {"connection": client.connection, "command": client.commands, "incr": incr, "end": end}
            yield Note("executed", facts)
        while self.todo:
            yield from self.todo.pop(0)(now)
        if reply is not admin.LATER:
            client.reply(reply)

    def propagate(self, now: int) -> bool:
        """Put the effects of what was just executed into the stream, and so into the AOF buffer.  Were there any?"""
        effects = self.engine.take_effects()
        if not effects:
            return False
        stream = bytearray()
        for db, argv in effects:
            if db != self.selected_db:
                self.selected_db = db
                stream += encode_command([b"SELECT", b"%d" % db])
            stream += encode_command(argv)
        self.offset += len(stream)
        self.aof.feed(stream, now)
        return True

    def _join(self, name: str, topology: Topology) -> Cluster:
        if not name:
            raise ConfigError("cluster_enabled needs the machine's name: give it to RedisServer, or use RedisCluster")
        cluster = Cluster(self, name, topology)
        self.engine.add_commands(commands(cluster))
        return cluster

    def _admit(self, session: Session, command: Any, argv: list[bytes]) -> ErrorReply | None:
        """Refuse what may not run now (server.c `processCommand`)."""
        client = cast("Client", session)
        if not client.authenticated and not command.has_flag("no_auth"):
            return ErrorReply("NOAUTH Authentication required.")
        if self.cluster is not None and (elsewhere := redirection(self.cluster, client, command, argv)) is not None:
            return elsewhere
        # EXEC counts as what it would run: the disk may have failed since that was queued.
        if command.writes or command.name == "ping" or (command.name == "exec" and client.transaction_writes):
            return self._disk_refusal()
        return None

    def _disk_refusal(self) -> ErrorReply | None:
        """Redis would rather refuse writes than promise what its disk has just failed to keep."""
        if self.config.stop_writes_on_bgsave_error and self.config.save and not self.snapshots.last_ok:
            return ErrorReply(
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
                "Commands that may modify the data set are disabled, because this instance is configured to report "
                "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check "
                "the Redis logs for details about the RDB error."
            )
        if self.aof.error is not None:
            return ErrorReply(f"MISCONF Errors writing to the AOF file: {self.aof.error.description}")
        return None

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _cron(self, now: int) -> Effects:
        """Ten times a second: what nobody asks for (server.c `serverCron`)."""
        self.engine.expire_cycle(now // 1000)
        self.propagate(now)
        yield from self.rewrite.cron(now)
        yield from self.snapshots.cron(now)
        yield SetTimer(CRON, now + 1_000_000 // self.config.hz)

    def _child_ended(self, name: str, result: Any, now: int) -> Effects:
        match name:
            case snapshots.CHILD:
                self.snapshots.child_ended(result, now)
            case rewrite.CHILD:
                yield from self.rewrite.child_ended(result, now)
            case aof.FSYNC_THREAD:
                self.aof.fsync_ended(result)

    def rdb_facts(self) -> dict[str, bytes]:
        """The AUX fields of a snapshot."""
        return {"redis-ver": REDIS_VERSION.encode(), "repl-offset": b"%d" % self.offset}
