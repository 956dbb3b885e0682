"""The snapshotter: a machine of the service, outside the zones, which nobody's client ever talks to.

It holds one shadow for each shard; what a shadow does is in `shadow`.  It keeps nothing on a disk of its own: when it
starts again, the store says which snapshots are released, and the log says what lies behind them.

    SNAPSHOT           make one of every shard now, however fresh the last ones are: +OK, begun
    SNAPSHOT shard     of this one
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Effects, Event
from durable_redis.formats.resp import OK, ErrorReply
from durable_redis.memorydb.shadow import Shadow, SnapshotterConfig
from durable_redis.memorydb.store_client import STORE, StoreClient
from durable_redis.redis.responder import Answering, Responder

if TYPE_CHECKING:
    from random import Random

    from durable_redis.memorydb.log import LogUser


class Snapshotter:
    """A node of the contract.  `logs` are its ways to the logs, one a shard."""

    shadow_type = Shadow

    def __init__(
        self,
        random: Random,
        logs: Mapping[str, LogUser],
        config: SnapshotterConfig | None = None,
        store: str = STORE,
    ) -> None:
        config = config or SnapshotterConfig()
        self.shadows = {
            shard: self.shadow_type(random, shard, log, StoreClient(store, f"store {shard}"), config)
            for shard, log in logs.items()
        }
        self._responder = Responder(self._obey)  # to operators

    def boot(self, now: int) -> Effects:
        for shadow in self.shadows.values():
            yield from shadow.boot(now)

    def handle(self, event: Event, now: int) -> Effects:
        for shadow in self.shadows.values():
            if shadow.owns(event):
                yield from shadow.handle(event, now)
                return
        yield from self._responder.handle(event)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {"role": "snapshotter", "shards": {name: shadow.view() for name, shadow in self.shadows.items()}}

    def _obey(self, argv: list[bytes]) -> Answering:
        yield from ()
        names = [word.decode("utf-8", "replace") for word in argv[1:]] or list(self.shadows)
        unknown = [name for name in names if name not in self.shadows]
        if argv[0].upper() != b"SNAPSHOT" or len(argv) > 2:
            return ErrorReply("ERR the snapshotter knows one command: SNAPSHOT, or SNAPSHOT shard")
        if unknown:
            return ErrorReply(f"ERR there is no shard {unknown[0]}: there is {', '.join(self.shadows)}")
        for name in names:
            self.shadows[name].wanted = True
        return OK
