"""Recovery: where a node's data begins, and what is done when it cannot.

1. the store is asked for the newest released snapshot (`catalog`); until it has answered, nothing is heard of the log
2. the snapshot is loaded: it may be damaged, of another shard, of a newer engine
3. the log behind it is applied (`logbook`): it may have been trimmed further meanwhile, and it may tell of another past
4. what does not fit is refused, and the snapshot before it is begun with, behind which the log is kept as well

No other node is asked, so all of a shard may recover at once, and none of them need be alive (paper, section 4.2.1).

Every refusal is said; and when nothing fits, a newer snapshot may mend it, so the node tries again in a while.  It
serves nothing until then.  Only a newer engine's data stop it for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Event, Note, SetTimer, TimerFired
from durable_redis.memorydb.catalog import Found, Newest
from durable_redis.memorydb.errors import NewerEngine, RecoveryError

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer
    from durable_redis.memorydb.store_client import StoreClient

RETRY = "recovery"
"""The timer: to try again."""
RETRY_US = 1_000_000


class Recovery:
    """`waits`: the store has not answered yet, or what there is does not fit; `snapshot` is what the data began with.

    Without a store there are no snapshots, and the log is all there is."""

    def __init__(self, server: MemoryDBServer, store: StoreClient | None) -> None:
        self.server = server
        self.newest = Newest(server.config.shard, store) if store is not None else None
        self.waits = False
        self.snapshot = ""

    def begin(self, now: int) -> Effects:
        """Forget everything, and begin."""
        self.server.logbook.forget()
        if self.newest is None:
            yield from self.server.logbook.start_over(None, "", now)
        else:
            self.waits = True
            yield from self.newest.ask(now)

    def owns(self, event: Event) -> bool:
        """This event is for `handle`."""
        if isinstance(event, TimerFired) and event.name == RETRY:
            return True
        return self.newest is not None and self.newest.store.owns(event)

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, TimerFired) and event.name == RETRY:
            yield from self.begin(now)
            return
        newest = self.newest
        assert newest is not None, "an event of the store, and there is none"
        yield from newest.store.handle(event, now)
        for answer in newest.store.take_answers():
            yield from newest.answered(answer, now)
        yield from self._load_what_was_found(now)

    def _load_what_was_found(self, now: int) -> Effects:
        assert self.newest is not None, "something was found, and there is no store"
        if (found := self.newest.take()) is not None:
            yield from self._load(found, now)

    def _load(self, found: Found, now: int) -> Effects:
        self.waits, self.snapshot = False, str(found.at) if found.stem else ""
        try:
            yield from self.server.logbook.start_over(found.content, found.stem, now)
        except NewerEngine as error:
            yield from self.server.stop(str(error))
        except RecoveryError as error:
            yield from self.refuse(str(error), now)

    def refuse(self, why: str, now: int) -> Effects:
        """What was begun with does not fit: begin with what there was before it, and if that was nothing, fail."""
        if self.newest is None or not self.snapshot:
            yield from self.failed(why, now)
            return
        self.waits = True
        self.server.logbook.forget()
        yield Note("snapshot refused", {"at": self.snapshot, "why": why})
        yield from self.newest.ask_older(now)
        yield from self._load_what_was_found(now)

    def missing(self) -> str:
        """Why data that the log has no more for cannot be whole; "" if they can."""
        newest, position = self.newest, self.server.logbook.position
        if newest is None or position >= newest.newest:
            return ""
        return f"the log ends at {position}, and there was a snapshot at {newest.newest}"

    def failed(self, why: str, now: int) -> Effects:
        """What there is cannot be made into the shard's data."""
        self.waits = True
        self.server.logbook.forget()
        yield Note("cannot recover", {"why": why})
        yield SetTimer(RETRY, now + RETRY_US)
