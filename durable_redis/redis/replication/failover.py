"""A planned change of roles: FAILOVER, which loses nothing because it stops the writes first.

Step by step (replication.c `failoverCommand`, `updateFailoverStatus`):

1. the primary holds back every write: the offset stands still (and so do expired keys);
2. it waits until one replica, any or the one that was named, has acknowledged exactly this offset;
3. it becomes a replica of that one, and asks it with PSYNC ... FAILOVER;
4. the replica becomes a primary at these words, and lets the old one go on: nobody needs a snapshot;
5. the writes that were held back are answered READONLY: the clients must look for the new primary.

With a TIMEOUT step 2 ends: the primary goes on as before.  With FORCE it does not: it goes to step 3 all the same, and
what the replica has not got is lost, acknowledged or not.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.engine import CommandError
from durable_redis.engine.arguments import integer
from durable_redis.formats.resp import OK, ErrorReply, Reply
from durable_redis.redis.config import DEFAULT_PORT
from durable_redis.redis.replication.follower import Follower, SyncState

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

WHY = "failover"


class State(Enum):
    """Where a planned failover is; the values are INFO's words."""

    NONE = "no-failover"
    WAITING = "waiting-for-sync"
    IN_PROGRESS = "failover-in-progress"


TRANSITIONS = {
    State.NONE: (State.WAITING,),
    State.WAITING: (State.IN_PROGRESS, State.NONE),
    State.IN_PROGRESS: (State.NONE,),
}


class Failover:
    """The planned failover of one server, if there is one."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.state = State.NONE
        self.target = ""
        self.deadline_us = 0  # 0: it may take for ever
        self.force = False

    @property
    def active(self) -> bool:
        return self.state is not State.NONE

    @property
    def in_progress(self) -> bool:
        return self.state is State.IN_PROGRESS

    def enter(self, state: State) -> None:
        assert state in TRANSITIONS[self.state], f"a failover cannot go from {self.state.value} to {state.value}"
        self.state = state

    # -- the command -------------------------------------------------------------------------------------------------

    def command(self, words: list[bytes], now: int) -> Reply:
        """FAILOVER [TO host port [FORCE]] [TIMEOUT milliseconds] | ABORT."""
        if [word.upper() for word in words] == [b"ABORT"]:
            if not self.active:
                return ErrorReply("ERR No failover in progress.")
            self.server.todo.append(lambda now: self.abort("by hand", now))
            return OK
        target, timeout_ms, force = _parse(list(words))
        refusal = self._refusal(target, timeout_ms, force)
        if refusal is not None:
            return ErrorReply(refusal)
        # 1. Hold back every write.
        self.enter(State.WAITING)
        self.target, self.force = target, force
        self.deadline_us = now + timeout_ms * 1000 if timeout_ms else 0
        self.server.pause.begin(WHY)
        return OK

    def _refusal(self, target: str, timeout_ms: int, force: bool) -> str | None:
        server = self.server
        if self.active:
            return "ERR FAILOVER already in progress."
        if server.replica.primary:
            return "ERR FAILOVER is not valid when server is a replica."
        if not server.primary.followers:
            return "ERR FAILOVER requires connected replicas."
        if force and not (timeout_ms and target):
            return "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
        if target:
            named = self._named(target)
            if named is None:
                return "ERR FAILOVER target HOST and PORT is not a replica."
            if named.state is not SyncState.ONLINE:
                return "ERR FAILOVER target replica is not online."
        return None

    def _named(self, target: str) -> Follower | None:
        followers = self.server.primary.followers.values()
        return next((follower for follower in followers if follower.name == target), None)

    # -- the primary -------------------------------------------------------------------------------------------------

    def check(self, now: int) -> Effects:
        """2. Has a replica caught up?  Asked in every turn, since an acknowledgement may have come."""
        if self.state is not State.WAITING:
            return
        if self.deadline_us and now >= self.deadline_us:
            if self.force:
                yield from self._hand_over(self.target, now)
            else:
                yield from self.abort("no replica caught up in time", now)
            return
        candidates = self.server.primary.in_state(SyncState.ONLINE)
        for follower in candidates:
            if self.target in ("", follower.name) and follower.acknowledged == self.server.offset:
                yield from self._hand_over(follower.name, now)
                return

    def _hand_over(self, target: str, now: int) -> Effects:
        """3. Become a replica of it."""
        self.enter(State.IN_PROGRESS)
        self.target = target
        yield Note("failover", {"state": "handing over", "target": target})
        yield from self.server.replica.follow(target, DEFAULT_PORT, now)

    def answered(self, accepted: bool, now: int) -> Effects:
        """5. The new primary has answered our PSYNC: it lets us follow, or it does not want to lead."""
        if self.in_progress and accepted:
            yield from self._end("done")
        elif self.in_progress:
            yield from self.abort("the replica does not want to lead", now)

    def abort(self, reason: str, now: int) -> Effects:
        """Go on as before, as a primary."""
        if self.in_progress:
            yield from self.server.replica.lead(now)
        if self.active:
            yield from self._end(reason)

    def _end(self, how: str) -> Effects:
        yield Note("failover", {"state": how, "target": self.target})
        self.enter(State.NONE)
        self.server.pause.end(WHY)

    # -- the replica -------------------------------------------------------------------------------------------------

    def requested(self, replid: str) -> ErrorReply | None:
        """4. PSYNC replid offset FAILOVER: our primary asks us to lead."""
        server = self.server
        if not server.replica.primary:
            return ErrorReply("ERR PSYNC FAILOVER can't be sent to a master.")
        if replid.lower() != server.history.replid:
            return ErrorReply("ERR PSYNC FAILOVER replid must match my replid.")
        server.todo.append(server.replica.lead)
        return None


def _parse(words: list[bytes]) -> tuple[str, int, bool]:
    """The target ("" for any), the timeout (0 for none) and FORCE; each may be said once."""
    target, timeout_ms, force = "", 0, False
    while words:
        word = words.pop(0).upper()
        if word == b"TIMEOUT" and words and not timeout_ms:
            timeout_ms = integer(words.pop(0))
            if timeout_ms <= 0:
                raise CommandError("ERR FAILOVER timeout must be greater than 0")
        elif word == b"TO" and len(words) >= 2 and not target:
            target = words.pop(0).decode("latin-1")
            integer(words.pop(0))
        elif word == b"FORCE" and not force:
            force = True
        else:
            raise CommandError("ERR syntax error")
    return target, timeout_ms, force
