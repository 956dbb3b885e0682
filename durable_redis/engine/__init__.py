"""One Redis in memory: keyspace, expiry, transactions and about 150 commands; no sockets, no files, no clock.

    engine = Engine(random.Random(7))
    engine.execute(Session("me"), [b"SET", b"k", b"v", b"EX", b"10"], now_ms=1_000)     # OK
    engine.take_effects()                                       # [(0, [b"SET", b"k", b"v", b"PXAT", b"11000"])]

Reading order: `values`, `keyspace`, `session`, `table`, `engine`, then `commands` by type; `arguments`, `glob` and
`errors` when they are met.
"""

from durable_redis.engine.engine import Effect, Engine
from durable_redis.engine.errors import CommandError
from durable_redis.engine.keyspace import Database, Keyspace, Snapshot
from durable_redis.engine.session import Session
from durable_redis.engine.table import Call, Command, Handler, container

__all__ = [
    "Call",
    "Command",
    "CommandError",
    "Database",
    "Effect",
    "Engine",
    "Handler",
    "Keyspace",
    "Session",
    "Snapshot",
    "container",
]
