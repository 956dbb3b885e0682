"""The primary's side: who repeats our stream, and how far they are.

The law: *the primary waits for nobody.*  The bytes of an effect go to the backlog and to the output of every replica at
the moment of execution; what was put there leaves in the same turn of the event loop as the client's reply, and no
reply ever waits for a replica's answer.  A replica says once a second how far it is; the primary only takes note.

A primary that nobody ever asked keeps no backlog, and its history is nobody's: when the first replica comes it begins a
new one, under a new id (replication.c `syncCommand`).  `min-replicas-to-write` refuses writes while too few replicas
have answered of late; it looks back, not ahead, and so is a limit to what can be lost, not a promise.

Every server has this side.  On a replica that has replicas of its own (a chain) it passes on the primary's bytes as
they came, and creates none: no PING, no GETACK, no SELECT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Close, Effects, Note, Send
from durable_redis.formats.resp import encode_command
from durable_redis.redis.replication import fullsync, waiting
from durable_redis.redis.replication.backlog import Backlog
from durable_redis.redis.replication.follower import Follower, SyncState
from durable_redis.redis.replication.history import ANY, History, decide, new_id

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer

PING = encode_command([b"ping"])
GETACK = encode_command([b"REPLCONF", b"GETACK", b"*"])


class Primary:
    """The replicas of one server, the backlog, and what is counted of both."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.followers: dict[str, Follower] = {}  # by connection, in the order in which they asked
        self.backlog: Backlog | None = None
        self.sync = fullsync.FullSync(server, self)
        self.waiters = waiting.Waiters(server, self)
        self.good = 0  # followers that answered within min-replicas-max-lag, when last counted
        self.alone_since_us = 0
        self.syncs = {"full": 0, "partial": 0, "refused": 0}
        self._ticks = 0

    # -- the stream --------------------------------------------------------------------------------------------------

    def feed(self, stream: bytes | bytearray) -> None:
        """The next bytes of the stream.  Their offset has been counted already, and there is a backlog."""
        assert self.backlog is not None, "nobody has ever asked for the stream"
        self.backlog.append(stream)
        for follower in self.followers.values():
            follower.feed(stream)

    def add(self, command: bytes) -> None:
        """Put a command of our own into the stream: it changes no data, and counts all the same."""
        self.server.offset += len(command)
        self.feed(command)

    @property
    def is_listened_to(self) -> bool:
        """Whether anybody listens to the stream, or waits for those who do."""
        return bool(self.followers or self.waiters.waiting)

    def send(self, now: int) -> Effects:
        """Hand over to the kernel what is there for each replica; the log is written."""
        yield from self.waiters.look_again(now)
        for follower in list(self.followers.values()):
            yield from self.server.send(follower.client, now)

    def ask_how_far(self) -> None:
        """REPLCONF GETACK: let the replicas answer at once, and not at their next second."""
        if self.followers:
            self.add(GETACK)

    def create_backlog(self) -> None:
        if self.backlog is None:
            self.backlog = Backlog(self.server.config.repl_backlog_size, self.server.offset + 1)

    def resize_backlog(self) -> None:
        """CONFIG SET repl-backlog-size."""
        if self.backlog is not None and self.backlog.size != self.server.config.repl_backlog_size:
            self.backlog = self.backlog.resized(self.server.config.repl_backlog_size)

    def free_backlog(self) -> None:
        assert not self.followers, "the backlog is needed by the replicas that are here"
        self.backlog = None

    # -- replicas come and go ----------------------------------------------------------------------------------------

    def synchronize(self, client: Client, replid: str, offset: int, now: int) -> Effects:
        """PSYNC: go on where the replica stopped, or begin with a snapshot."""
        server, backlog = self.server, self.backlog
        follower = client.follower = client.follower or Follower(client)
        verdict = decide(server.history, None if backlog is None else backlog.window, replid, offset)
        self.followers[client.connection] = follower
        follower.heard_us = follower.asked_us = now
        if verdict.partial:
            assert backlog is not None
            self.syncs["partial"] += 1
            follower.enter(SyncState.ONLINE)
            # A replica that was told so learns the name of our history: it may have asked by the second one.
            name = f" {server.history.replid}" if "psync2" in follower.capabilities else ""
            client.output += f"+CONTINUE{name}\r\n".encode() + backlog.since(offset)
            yield self._note(follower, "online", verdict.why)
            self.count_good(now)
            return
        self.syncs["refused"] += replid != ANY
        self.syncs["full"] += 1
        follower.enter(SyncState.WAITING)
        yield self._note(follower, "full sync", verdict.why)
        if self.backlog is None:
            # What was before has no name that anybody knows.
            server.history = History(new_id(server.random))
            self.create_backlog()
            yield server.role_note()
        yield from self.sync.requested(follower, now)

    def online(self, follower: Follower, now: int) -> Effects:
        """Its snapshot is sent."""
        follower.enter(SyncState.ONLINE)
        follower.heard_us = now
        yield self._note(follower, "online", f"it has the snapshot of offset {follower.start}")
        self.count_good(now)

    def left(self, client: Client, reason: str, now: int) -> Effects:
        """A connection is gone: was it a replica's?"""
        follower = self.followers.pop(client.connection, None)
        if follower is None:
            return
        yield self._note(follower, "gone", reason)
        if not self.followers:
            self.alone_since_us = now
        self.count_good(now)
        yield from self.sync.left()

    def drop(self, follower: Follower, reason: str, now: int) -> Effects:
        """Hang up on a replica."""
        connection = follower.client.connection
        yield Close(connection)
        self.server.clients.pop(connection, None)
        yield from self.left(follower.client, reason, now)

    def drop_all(self, reason: str, now: int) -> Effects:
        """Hang up on every replica: they must hear that the history has another name, or start anew with us."""
        for follower in list(self.followers.values()):
            yield from self.drop(follower, reason, now)

    def acknowledge(self, follower: Follower, offset: int, fsynced: int | None, now: int) -> None:
        """REPLCONF ACK: it has executed the stream up to here (and has this much of it on its disk)."""
        follower.acknowledged = max(follower.acknowledged, offset)
        follower.fsynced = max(follower.fsynced, fsynced or 0)
        follower.heard_us = now
        if follower.starts_on_ack and follower.state is SyncState.ONLINE:
            follower.start_stream()

    def count_good(self, now: int) -> None:
        """How many replicas have answered of late (replication.c `refreshGoodSlavesCount`)."""
        max_lag = self.server.config.min_replicas_max_lag
        self.good = sum(follower.lag_s(now) <= max_lag for follower in self.in_state(SyncState.ONLINE))

    # -- once a second -----------------------------------------------------------------------------------------------

    def cron(self, now: int) -> Effects:
        """What nobody asks for (replication.c `replicationCron`)."""
        config, leads = self.server.config, not self.server.replica.primary
        its_turn = self._ticks % config.repl_ping_replica_period == 0
        if self.followers and leads and its_turn and not self.server.pause.active:
            self.add(PING)
        self._ticks += 1
        for follower in list(self.followers.values()):
            if self.sync.keeps_waiting(follower):
                yield Send(follower.client.connection, b"\n")
            acknowledges = "sync" not in follower.capabilities  # who came by SYNC never says how far it is
            silent = acknowledges and now - follower.heard_us > config.repl_timeout * 1_000_000
            if follower.state is SyncState.ONLINE and silent:
                reason = f"it was silent for more than repl-timeout, {config.repl_timeout} s"
                yield from self.drop(follower, reason, now)
        alone_s = (now - self.alone_since_us) // 1_000_000
        if self.backlog is not None and not self.followers and leads and 0 < config.repl_backlog_ttl < alone_s:
            # Nobody will be able to go on any more, so the history needs another name.
            self.free_backlog()
            self.server.history = History(new_id(self.server.random))
            yield self.server.role_note()
        yield from self.sync.start_if_due(now)
        self.count_good(now)

    def in_state(self, state: SyncState) -> list[Follower]:
        return [follower for follower in self.followers.values() if follower.state is state]

    def _note(self, follower: Follower, state: str, why: str) -> Note:
        facts = {"name": follower.name, "state": state, "offset": self.server.offset, "why": why}
        return Note("replica", facts)
