"""WAIT and WAITAOF: a client that wants to know how many replicas have its writes.

The reply to WAIT is a number, not a promise: so many replicas have *executed* the stream up to the client's last write
(in memory; nobody asks for their disks), or the time was up.  The write is done already, others have read it, and
nothing is undone if the number is too small.  WAITAOF, which is of Redis 7.2 and a guest here, counts disks.

A client that waits is blocked: what it sends next is looked at after the answer.  The stream gets a REPLCONF GETACK, so
that the replicas answer at once and not at their next second; its 37 bytes count in the offset like all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, SetTimer
from durable_redis.formats.resp import ErrorReply, Reply
from durable_redis.redis.replication.follower import SyncState

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.replication.primary import Primary
    from durable_redis.redis.server import RedisServer

TIMER = "wait"

UNBLOCKED = ErrorReply("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")


@dataclass(slots=True)
class Waiter:
    """A client that waits until `replicas` of them (and for WAITAOF, `local` disks) have the stream up to `offset`."""

    client: Client
    offset: int
    replicas: int
    deadline_us: int | None
    local: int | None = None  # for WAITAOF only


class Waiters:
    """The clients that wait, in the order in which they came."""

    def __init__(self, server: RedisServer, primary: Primary) -> None:
        self.server = server
        self.primary = primary
        self.waiting: list[Waiter] = []
        self.wants_answers = False  # ask the replicas how far they are, in this turn

    def wait(self, waiter: Waiter) -> Reply:
        """The answer, if there is one already; a transaction cannot wait."""
        satisfied, reply = self._look(waiter)
        if satisfied or self.server.in_exec:
            return reply
        waiter.client.blocked = True
        self.waiting.append(waiter)
        self.wants_answers = True
        return None

    def _look(self, waiter: Waiter) -> tuple[bool, Reply]:
        """Whether it has waited long enough, and what its answer would be now."""
        online = self.primary.in_state(SyncState.ONLINE)
        if waiter.local is None:
            received = sum(follower.acknowledged >= waiter.offset for follower in online)
            return received >= waiter.replicas, received
        fsynced = sum(follower.fsynced >= waiter.offset for follower in online)
        local = int(self.server.aof.fsynced_offset >= waiter.offset)
        return local >= waiter.local and fsynced >= waiter.replicas, [local, fsynced]

    def answer(self, now: int) -> Effects:
        """Answer those who have waited long enough; let a timer say when to look again."""
        still: list[Waiter] = []
        for waiter in self.waiting:
            if waiter.client.connection not in self.server.clients:
                continue  # it hung up
            satisfied, reply = self._look(waiter)
            if satisfied or (waiter.deadline_us is not None and now >= waiter.deadline_us):
                self._release(waiter, reply)
            else:
                still.append(waiter)
        self.waiting = still
        deadlines = [waiter.deadline_us for waiter in still if waiter.deadline_us is not None]
        if deadlines:
            yield SetTimer(TIMER, min(deadlines))

    def look_again(self, now: int) -> Effects:
        """The log was written, and perhaps fsynced: have a turn soon for those who waited for just that.

        Not in this turn: what they send next would be answered without having been written."""
        if any(waiter.local is not None and self._look(waiter)[0] for waiter in self.waiting):
            yield SetTimer(TIMER, now)

    def give_up(self) -> None:
        """This server is to become a replica: nobody's wait makes sense any more, and they are told so."""
        for waiter in self.waiting:
            self._release(waiter, UNBLOCKED)
            waiter.client.closing = True
        self.waiting = []

    def _release(self, waiter: Waiter, reply: Reply) -> None:
        waiter.client.reply(reply)
        self.server.unblock(waiter.client)
