"""Full synchronisation: a snapshot as of one fork, and then the stream since that fork.

Step by step (replication.c `startBgsaveForReplication`):

1. a replica that cannot go on waits for a fork; with `repl-diskless-sync` for some seconds, so that others may come;
2. at the fork every waiting replica is told +FULLRESYNC with our id and offset: *this* is what the snapshot will be;
3. the child writes the keyspace as it was at the fork, to the disk as in BGSAVE, or straight to the replicas;
4. the parent goes on serving clients; the stream since the fork is kept for each of these replicas;
5. the snapshot is sent, then what was kept, then the stream as it comes.

All replicas of one fork share one child.  One that comes later may share it too, if it is a BGSAVE to the disk for
which another replica waits: the stream since the fork is copied from that one.  Otherwise it waits for the next fork.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Compute, DiskError, Effect, Effects, Fork, Kill, Note, Read, Send
from durable_redis.formats.rdb import encode_chunks
from durable_redis.redis.replication import facts
from durable_redis.redis.replication.follower import Follower, SyncState
from durable_redis.redis.replication.history import new_id

if TYPE_CHECKING:
    from durable_redis.engine.keyspace import Snapshot
    from durable_redis.redis.replication.primary import Primary
    from durable_redis.redis.server import RedisServer

CHILD = "sync"
SEND_BYTES = 64 * 1024


class FullSync:
    """The snapshots that a server makes for its replicas."""

    def __init__(self, server: RedisServer, primary: Primary) -> None:
        self.server = server
        self.primary = primary
        self._forked: Snapshot | None = None  # of a child that sends straight to the replicas

    @property
    def diskless_running(self) -> bool:
        return self._forked is not None

    def keeps_waiting(self, follower: Follower) -> bool:
        """Whether it is to be told with an empty line that we live: nothing else is sent to it meanwhile."""
        return follower.state is SyncState.WAITING or (
            follower.state is SyncState.SYNCING and not self.diskless_running
        )

    # -- steps 1 and 2 -----------------------------------------------------------------------------------------------

    def requested(self, follower: Follower, now: int) -> Effects:
        """A replica needs a snapshot."""
        server = self.server
        if server.snapshots.running:
            others = self.primary.in_state(SyncState.SYNCING)
            if others:
                follower.pending[:] = others[0].pending
                yield from self._promise(follower, others[0].start)
        elif server.child is None and not self._waits_for_more(follower):
            yield from self.start(now)

    def _waits_for_more(self, follower: Follower) -> bool:
        config = self.server.config
        return config.repl_diskless_sync and "eof" in follower.capabilities and config.repl_diskless_sync_delay > 0

    def start_if_due(self, now: int) -> Effects:
        """Fork for those who wait: at once, or (diskless) once the first of them has waited long enough."""
        waiting = self.primary.in_state(SyncState.WAITING)
        if not waiting or self.server.child is not None:
            return
        config = self.server.config
        longest_s = max(now - follower.asked_us for follower in waiting) // 1_000_000
        if not config.repl_diskless_sync or longest_s >= config.repl_diskless_sync_delay:
            yield from self.start(now)

    def start(self, now: int) -> Effects:
        """Fork for everybody who waits."""
        server, waiting = self.server, self.primary.in_state(SyncState.WAITING)
        diskless = server.config.repl_diskless_sync and all("eof" in follower.capabilities for follower in waiting)
        for follower in waiting:
            yield from self._promise(follower, server.offset)
        if diskless:
            yield from self._fork([follower.client.connection for follower in waiting])
        else:
            yield from server.snapshots.start(now)

    def _promise(self, follower: Follower, offset: int) -> Effects:
        """The replica hears at once of what history and offset its snapshot will be.

        The stream that follows begins with a SELECT, since the snapshot does not say where the stream was."""
        follower.start = offset
        follower.enter(SyncState.SYNCING)
        self.server.selected_db = None
        if "sync" not in follower.capabilities:
            line = f"+FULLRESYNC {self.server.history.replid} {offset}\r\n"
            yield Send(follower.client.connection, line.encode())

    # -- steps 3 to 5, from the disk ---------------------------------------------------------------------------------

    def saved(self, error: DiskError | str | None, now: int) -> Effects:
        """A BGSAVE is over: send its file to those who wait for it."""
        syncing = self.primary.in_state(SyncState.SYNCING)
        if not syncing or self.diskless_running:
            return
        content: bytes | None = None
        if error is None:
            content = yield Read(self.server.config.dbfilename)
        if content is None:
            for follower in syncing:
                yield from self.primary.drop(follower, f"its snapshot could not be made: {error}", now)
            return
        for follower in syncing:
            connection = follower.client.connection
            yield Send(connection, b"$%d\r\n" % len(content))
            for start in range(0, len(content), SEND_BYTES):
                yield Send(connection, content[start : start + SEND_BYTES])
            yield from self.primary.online(follower, now)
            follower.start_stream()

    # -- steps 3 to 5, without a disk --------------------------------------------------------------------------------

    def _fork(self, connections: list[str]) -> Effects:
        server = self.server
        server.child = CHILD
        yield Compute("fork", server.engine.keyspace.used_memory)
        self._forked = server.engine.keyspace.fork()
        yield Note("forked", {"child": CHILD})
        mark = new_id(server.random).encode()
        yield Fork(CHILD, self._child(self._forked, facts.of_snapshot(server), connections, mark))

    def _child(
        self, snapshot: Snapshot, aux: dict[str, bytes], connections: list[str], mark: bytes
    ) -> Generator[Effect, Any, None]:
        """Write the snapshot to every replica at once.  Nobody knows its length yet: it ends with a mark."""
        for connection in connections:
            yield Send(connection, b"$EOF:" + mark + b"\r\n")
        for chunk in encode_chunks(snapshot.entries(), aux):
            yield Compute("serialize", len(chunk))
            for connection in connections:
                yield Send(connection, chunk)
        for connection in connections:
            yield Send(connection, mark)

    def sent(self, now: int) -> Effects:
        """The child is done.  The stream waits for each replica's word that it found the mark."""
        self._release()
        for follower in self.primary.in_state(SyncState.SYNCING):
            follower.starts_on_ack = True
            yield from self.primary.online(follower, now)

    def left(self) -> Effects:
        """A replica has left: a child that sends to nobody is killed."""
        if self.diskless_running and not self.primary.in_state(SyncState.SYNCING):
            yield from self.kill_child()

    def kill_child(self) -> Effects:
        """Stop a snapshot that is being sent."""
        if self.diskless_running:
            yield Kill(CHILD)
            self._release()

    def _release(self) -> None:
        assert self._forked is not None
        self.server.engine.keyspace.release(self._forked)
        self._forked = None
        self.server.child = None
