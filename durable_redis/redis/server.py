"""A Redis server: one thread that takes commands from connections, executes them, logs their effects, and answers.

The order of things is the whole argument of this book (server.c `beforeSleep`):

1. a batch of events: every command that arrived is *executed*, and its effects go to the AOF buffer;
2. `before_sleep`: the AOF buffer is *written* to the page cache, and with `appendfsync always` *fsynced*;
3. only then are the *replies* sent.

So a reply never overtakes the write of its own effects; whether it overtakes their fsync is a matter of policy.  And
one fsync serves all the commands of a batch: group commit, without a line of code for it.

The effects go to the replicas' outputs at step 1 as well, and leave at step 3, beside the replies (Redis writes to the
connection that got output last first, which after a write are the replicas).  No reply waits for a replica to answer:
an OK says nothing about any copy on another machine.

What this file must not know: how a command works (`engine`), what a log or a snapshot looks like on disk
(`persistence`), and how a replica comes to have what it has (`replication`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

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
from durable_redis.engine import Engine
from durable_redis.formats.resp import NEED_MORE, ErrorReply, ProtocolError
from durable_redis.redis import admin, admission, conf_file
from durable_redis.redis.client import LATER, Client
from durable_redis.redis.cluster.cluster import Cluster
from durable_redis.redis.cluster.commands import commands as cluster_commands
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.persistence import aof, loading, rewrite, snapshots
from durable_redis.redis.replication import commands as replication_commands
from durable_redis.redis.replication import fullsync, waiting
from durable_redis.redis.replication.failover import Failover
from durable_redis.redis.replication.history import NO_ID, History, new_id
from durable_redis.redis.replication.pause import Pause
from durable_redis.redis.replication.primary import Primary
from durable_redis.redis.replication.replica import Replica
from durable_redis.redis.replication.stream import encode_effects
from durable_redis.redis.shutdown import Shutdown

if TYPE_CHECKING:
    from random import Random

    from durable_redis.engine import Effect


class RedisServer:
    """A node of the contract.  `random` is its only source of luck (SPOP, RANDOMKEY, elections).

    `name` is its machine's, and `topology` the cluster that it is put into; both matter with `cluster_enabled` only."""

    def __init__(
        self, random: Random, config: Config | None = None, name: str = "", topology: Topology | None = None
    ) -> None:
        self.config = self.given = config or Config()  # what it obeys, and what it was started with
        self.random = random
        self.run_id = new_id(random)
        self.engine = Engine(random)
        self.engine.add_commands(admin.commands(self))
        self.engine.add_commands(replication_commands.commands(self))
        self.engine.admit = partial(admission.refusal, self)
        self.clients: dict[str, Client] = {}
        self.aof = aof.AppendOnlyFile(self)
        self.rewrite = rewrite.Rewrite(self)
        self.snapshots = snapshots.Snapshots(self)
        self.child: str | None = None  # BGSAVE and BGREWRITEAOF take turns: two forks would cost too much memory
        self.history = History(new_id(random))
        # Bytes of the replication stream so far: what `master_repl_offset` counts.  A Redis that never had a replica
        # counts nothing; here every write has a place in the stream, from the first on, so that one can speak of it.
        self.offset = 0
        self.selected_db: int | None = None  # the database that the stream's last SELECT named
        self.pause = Pause(self)
        self.primary = Primary(self)
        self.replica = Replica(self)
        self.failover = Failover(self)
        self.shutdown = Shutdown(self)
        self.todo: list[Callable[[int], Effects]] = []  # what the command just executed asked for, before its reply
        self.in_exec = False  # the command being run belongs to a transaction
        self.started_us = 0
        self.ready = False
        self.stats = {"commands": 0, "connections": 0}
        self.cluster = self._join(name, topology or Topology()) if self.config.cluster_enabled else None
        self._waiting: dict[str, None] = {}  # connections with replies to send, in order
        self._unblocked: list[Client] = []  # whose next commands are to be looked at
        self._ticks = 0  # of the cron

    def _join(self, name: str, topology: Topology) -> Cluster:
        if not name:
            raise ConfigError("cluster_enabled needs the machine's name: give it to RedisServer, or use RedisCluster")
        if self.config.replicaof:
            raise ConfigError("replicaof cannot be set with cluster_enabled: who follows whom is the cluster's affair")
        cluster = Cluster(self, name, topology)
        self.engine.add_commands(cluster_commands(cluster))
        return cluster

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        self.started_us = self.snapshots.last_save_us = self.aof.last_fsync_us = self.primary.alone_since_us = now
        if self.config.config_file and not (yield from conf_file.load(self)):
            return
        if self.config.replicaof:
            self.replica.begin(*self.config.replicaof.split())
        yield Compute("start")
        if self.cluster is not None and not (yield from self.cluster.boot(now)):
            return
        loaded = yield from loading.load(self, now)
        if not loaded:
            return
        self.engine.dirty = 0
        if self.replica.primary or self.history.replid2 != NO_ID:  # and not a primary that begins with nothing
            yield self.role_note()
        yield Note("ready", {"keys": len(self.engine.keyspace), **self.place()})
        self.ready = True
        yield SetTimer("cron", now + 1_000_000 // self.config.hz)

    def handle(self, event: Event, now: int) -> Effects:
        if self.cluster is not None and self.cluster.owns(event):
            yield from self.cluster.handle(event, now)
            return
        match event:
            case Received(connection=connection, data=data):
                client = self.clients.get(connection)
                if client is not None:
                    yield from self._receive(client, data, now)
                else:
                    yield from self.replica.received(connection, data, now)
            case Opened(connection=connection, outgoing=True):
                yield from self.replica.opened(connection, now)
            case Opened(connection=connection, peer=peer):
                self.stats["connections"] += 1
                number = self.stats["connections"]
                self.clients[connection] = Client(connection, peer, number, not self.config.requirepass)
            case Closed(connection=connection, reason=reason):
                client = self.clients.pop(connection, None)
                if client is not None:
                    client.end_transaction()
                    yield from self.primary.left(client, reason, now)
                else:
                    yield from self.replica.closed(connection, reason, now)
            case TimerFired(name="cron"):
                yield from self._cron(now)
            case TimerFired(name=waiting.TIMER):
                pass  # `before_sleep` looks
            case ChildEnded(name=name, result=result):
                yield from self._child_ended(name, result, now)

    def before_sleep(self, now: int) -> Effects:
        # Whoever waited for what this batch brought goes on.
        if self._unblocked or self.primary.waiters.waiting or self.failover.active:
            yield from self._let_go_on(now)
        # The log first: write it, and with `always` fsync it.
        survived = yield from self.aof.flush(now)
        if not survived:
            return
        # Then what a cluster's node has promised, and its messages.
        if self.cluster is not None and not (yield from self.cluster.before_sleep(now)):
            return
        # Then the stream, to the replicas; and our own word to our primary.  No reply waits for what they answer.
        if self.primary.is_listened_to:
            yield from self.primary.send(now)
        if self.replica.output:
            yield from self.replica.send()
        # Then the replies.
        for connection in self._waiting:
            client = self.clients.get(connection)
            if client is not None:
                yield from self.send(client, now)
        self._waiting.clear()

    def _let_go_on(self, now: int) -> Effects:
        """Clients whose WAIT is over, or whose writes are held back no longer; a failover whose replica caught up."""
        waiters = self.primary.waiters
        if waiters.waiting:
            yield from waiters.answer(now)
        if self.failover.active:
            yield from self.failover.check(now)
        while self._unblocked:
            client = self._unblocked.pop(0)
            if client.connection in self.clients:
                yield from self._receive(client, b"", now)
        if waiters.wants_answers and not self.pause.active:
            waiters.wants_answers = False
            self.primary.ask_how_far()

    def send(self, client: Client, now: int) -> Effects:
        """Hand over to the kernel what waits for this connection."""
        if client.output and not (client.follower is not None and client.follower.is_busy):
            yield Send(client.connection, bytes(client.output))
            client.output.clear()
        if client.closing:
            yield Close(client.connection)
            client.end_transaction()
            del self.clients[client.connection]
            yield from self.primary.left(client, "it said goodbye, or nonsense", now)

    def view(self) -> Mapping[str, Any]:
        """Keys, bytes executed and written; `position` is (incr file's number, bytes in it) for each place."""
        return {
            "role": "replica" if self.replica.primary else "primary",
            "primary": self.replica.primary,
            "link": self.replica.link,
            "ready": self.ready,
            "keys": len(self.engine.keyspace),
            "replid": self.history.replid[:8],
            "offset": self.offset,
            "replicas": {follower.name: follower.acknowledged for follower in self.primary.followers.values()},
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
        if client.held_back is not None and not client.blocked:
            held_back, client.held_back = client.held_back, None
            yield from self._execute(client, held_back, now)
        while not (client.closing or client.blocked):
            try:
                argv = client.parser.next()
            except ProtocolError as error:
                client.reply(ErrorReply(f"ERR {error.reason}"))
                client.closing = True
                break
            if argv is NEED_MORE:
                break
            yield from self._execute(client, argv, now)
        self._waiting[client.connection] = None

    def _execute(self, client: Client, argv: list[bytes], now: int) -> Effects:
        if self.pause.active and self.pause.holds_back(client, argv):
            return
        client.commands += 1
        self.stats["commands"] += 1
        yield Compute("command")
        self.in_exec = client.queue is not None
        reply = self.engine.execute(client, argv, now // 1000)
        if self.propagate(now) and not self.replica.primary:
            yield Note("executed", {"connection": client.connection, "command": client.commands, **self.place()})
        if self.todo:
            yield from self.work(now)
        if client.queue is None and not client.blocked:
            client.written = self.offset
        if reply is not LATER:
            client.reply(reply)

    def work(self, now: int) -> Effects:
        """Do what the command just executed has left to do."""
        while self.todo:
            yield from self.todo.pop(0)(now)

    def unblock(self, client: Client) -> None:
        """Let a client go on: what it has sent meanwhile is looked at in this turn."""
        client.blocked = False
        self._waiting[client.connection] = None
        self._unblocked.append(client)

    def propagate(self, now: int) -> bool:
        """Put the effects of what was just executed into the stream, and into the AOF buffer.  Were there any?

        On a replica the stream is the primary's: what a client wrote here (`replica-read-only no`), or what a key's
        expiry did, stays here."""
        effects = self.engine.take_effects()
        if not effects:
            return False
        if self.replica.primary:
            self.log(effects, now)
            return True
        before = self.selected_db
        stream, self.selected_db = encode_effects(effects, before)
        self.offset += len(stream)
        if self.primary.backlog is not None:
            self.primary.feed(stream)
        if self.aof.selected_db == before:
            self.aof.selected_db = self.selected_db
            self.aof.feed(stream, now)
        else:
            self.log(effects, now)
        return True

    def log(self, effects: list[Effect], now: int) -> None:
        """Put effects into the AOF buffer."""
        record, self.aof.selected_db = encode_effects(effects, self.aof.selected_db)
        self.aof.feed(record, now)

    # -- roles -------------------------------------------------------------------------------------------------------

    def place(self) -> dict[str, Any]:
        """Where this server is: in the history, and in its own log."""
        incr, end = self.aof.position
        return {"incr": incr, "end": end, "replid": self.history.replid, "offset": self.offset}

    def role_note(self) -> Note:
        """What this server is now, and under what names it may be asked for its stream."""
        history, primary = self.history, self.replica.primary
        names = {"replid": history.replid, "replid2": history.replid2, "second_offset": history.second_offset}
        role = "replica" if primary else "primary"
        return Note("role", {"role": role, "primary": primary, **names, "offset": self.offset})

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _cron(self, now: int) -> Effects:
        """Ten times a second: what nobody asks for (server.c `serverCron`)."""
        self.engine.expire_cycle(now // 1000)
        self.propagate(now)
        yield from self.rewrite.cron(now)
        yield from self.snapshots.cron(now)
        yield from self.shutdown.cron(now)
        period = 10 if self.failover.active else 1  # times a second
        if self._ticks % max(1, self.config.hz // period) == 0:
            yield from self.replica.cron(now)
            yield from self.primary.cron(now)
        self._ticks += 1
        yield SetTimer("cron", now + 1_000_000 // self.config.hz)

    def _child_ended(self, name: str, result: Any, now: int) -> Effects:
        match name:
            case snapshots.CHILD:
                self.snapshots.child_ended(result, now)
                yield from self.primary.sync.saved(result, now)
            case fullsync.CHILD:
                yield from self.primary.sync.sent(now)
            case rewrite.CHILD:
                yield from self.rewrite.child_ended(result, now)
            case aof.FSYNC_THREAD:
                self.aof.fsync_ended(result)
