"""A clean end: SHUTDOWN, step by step (server.c `prepareForShutdown`, `finishShutdown`).

1. with replicas that lag: hold back every write, and wait until they have it all, for up to `shutdown-timeout` (7.0;
   not with NOW): whoever of them is promoted next shall lack nothing that this server has answered;
2. kill the child that is saving or rewriting: its file would come too late (but not the one that makes the first base
   of a log just switched on: without it there is no log);
3. write and fsync what is in the AOF buffer; Redis only logs an error here, and so do we;
4. with save points, save a snapshot;
5. exit.

This is why a clean restart of a server without any log loses nothing, and a crash of the same server does.
A snapshot that cannot be written stops the shutdown (unless FORCE): better a server that runs than data that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Exit, Fsync, Note
from durable_redis.formats.resp import OK, ErrorReply, Reply
from durable_redis.redis.persistence.aof import State

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer

WHY = "shutdown"
FAILED = ErrorReply("ERR Errors trying to SHUTDOWN. Check logs.")


@dataclass(slots=True)
class Request:
    """What somebody asked for, and who waits for it."""

    save: bool
    force: bool
    client: Client
    deadline_us: int = 0


class Shutdown:
    """The clean end of one server, if somebody wants it."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.waiting: list[Request] = []  # the first decides, the others only wait for the end

    @property
    def replicas_lag(self) -> bool:
        followers = self.server.primary.followers.values()
        return any(follower.acknowledged != self.server.offset for follower in followers)

    def ask(self, client: Client, save: bool, force: bool, at_once: bool, now: int) -> Effects:
        """SHUTDOWN."""
        timeout_us = self.server.config.shutdown_timeout * 1_000_000
        request = Request(save, force, client, now + timeout_us)
        if self.waiting or (not at_once and timeout_us and self.replicas_lag):
            # 1. Wait for the replicas.
            if not self.waiting:
                self.server.pause.begin(WHY)
            client.blocked = True
            self.waiting.append(request)
        else:
            yield from self._finish(request, now)

    def cron(self, now: int) -> Effects:
        """Have the replicas got it all, or is the time up?"""
        if self.waiting and (now >= self.waiting[0].deadline_us or not self.replicas_lag):
            yield from self._finish(self.waiting[0], now)

    def abort(self) -> Reply:
        """SHUTDOWN ABORT."""
        if not self.waiting:
            return ErrorReply("ERR No shutdown in progress.")
        self._give_up()
        return OK

    def _give_up(self) -> None:
        for request in self.waiting:
            request.client.reply(FAILED)
            self.server.unblock(request.client)
        self.waiting.clear()
        self.server.pause.end(WHY)

    def _finish(self, request: Request, now: int) -> Effects:
        """Steps 2 to 5.  Whoever is still here afterwards is told that it failed."""
        server = self.server
        # 2. Kill the child.
        yield from server.snapshots.kill_child(now)
        if server.rewrite.running and server.aof.state is State.WAITING and not request.force:
            self._failed(request)
            return
        yield from server.rewrite.kill_child()
        # 3. The log.
        if server.aof.logging:
            if not (yield from server.aof.flush(now, force=True)):
                return
            error = yield Fsync(server.aof.incr_path)
            if error is not None:
                yield Note("cannot fsync the log", {"error": str(error)})
        # 4. The snapshot.
        if request.save:
            error = yield from server.snapshots.save(now)
            if error is not None and not request.force:
                self._failed(request)
                return
        # 5. The end.
        yield Exit(0, "SHUTDOWN")

    def _failed(self, request: Request) -> None:
        if self.waiting:
            self._give_up()
        else:
            request.client.reply(FAILED)
