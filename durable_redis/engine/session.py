"""A session: what the engine remembers of one client between two commands.

Its database, its protocol, whether it has said its password, and its transaction: the commands queued since MULTI, and
the keys watched for somebody else's changes.  A server may subclass it to remember more (a connection, a name).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_redis.engine.keyspace import Database
    from durable_redis.engine.table import Command


class Session:
    """One client.

    * `queue` is None outside a transaction, and after MULTI the list of (command, argv) to be run by EXEC.
    * `aborted`: a command could not even be queued, so EXEC will answer EXECABORT.
    * `watch_failed`: a watched key has changed, so EXEC will answer null and run nothing.
    """

    __slots__ = ("aborted", "authenticated", "db", "name", "protocol", "queue", "watch_failed", "watching")

    def __init__(self, name: str = "", db: int = 0, protocol: int = 2, authenticated: bool = True) -> None:
        self.name = name
        self.db = db
        self.protocol = protocol
        self.authenticated = authenticated
        self.queue: list[tuple[Command, list[bytes]]] | None = None
        self.aborted = False
        self.watch_failed = False
        self.watching: list[WatchedKey] = []

    @property
    def in_transaction(self) -> bool:
        """Between MULTI and EXEC."""
        return self.queue is not None

    @property
    def transaction_writes(self) -> bool:
        """Whether any queued command may write: what a read-only replica must ask before EXEC."""
        return any(command.writes for command, _ in self.queue or ())

    def end_transaction(self) -> None:
        """Forget the queue and every watched key: the end of EXEC, DISCARD, RESET and of the connection."""
        self.queue = None
        self.aborted = False
        self.unwatch()

    def watch(self, database: Database, key: bytes, expired: bool) -> None:
        """Fail the next transaction if this key changes before it."""
        if any(watched.key == key and watched.database is database for watched in self.watching):
            return
        watched = WatchedKey(self, database, key, expired)
        self.watching.append(watched)
        database.watched.setdefault(key, []).append(watched)

    def unwatch(self) -> None:
        """Forget every watched key, and that one has changed."""
        for watched in self.watching:
            others = [other for other in watched.database.watched[watched.key] if other is not watched]
            if others:
                watched.database.watched[watched.key] = others
            else:
                del watched.database.watched[watched.key]
        self.watching = []
        self.watch_failed = False


@dataclass(slots=True, eq=False)
class WatchedKey:
    """One key watched by one session.

    `expired` says that the key had already expired, but was still in memory, when WATCH was called.  Its removal is
    then no change, since for the client it was absent before and is absent after (multi.c `touchWatchedKey`).
    """

    session: Session
    database: Database
    key: bytes
    expired: bool

    def touched(self) -> None:
        """The key was written or removed."""
        if self.expired and self.key not in self.database.values:
            self.expired = False
        else:
            self.session.watch_failed = True

    def expired_since(self, now_ms: int) -> bool:
        """Whether the key has expired after it was watched: a change, though nobody wrote."""
        at_ms = self.database.expires.get(self.key)
        return not self.expired and at_ms is not None and now_ms > at_ms
