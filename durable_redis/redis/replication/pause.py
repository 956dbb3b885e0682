"""A pause: the server goes on, but every write is held back, so that the offset stands still.

A client whose write is held back is blocked until the pause ends; then the write is looked at anew, by a server that
may have another role by then.  Meanwhile no key is deleted because its time has passed, which would be a write too: it
is only hidden, as on a replica (server.c, `PAUSE_DURING_FAILOVER` and `PAUSE_DURING_SHUTDOWN`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.engine import Command
from durable_redis.redis.admission import refusal

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer


class Pause:
    """Whether writes are held back, for what reasons, and whose."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.active = False
        self._reasons: list[str] = []
        self._held: list[Client] = []

    def begin(self, reason: str) -> None:
        self._reasons.append(reason)
        self.active = True
        self.server.engine.is_replica = True

    def end(self, reason: str) -> None:
        self._reasons.remove(reason)
        self.active = bool(self._reasons)
        if not self.active:
            self.server.engine.is_replica = bool(self.server.replica.primary)
            for client in self._held:
                self.server.unblock(client)
            self._held.clear()

    def holds_back(self, client: Client, argv: list[bytes]) -> bool:
        """Hold this command back if it is a write that would run now."""
        command = self.server.engine.lookup(argv)
        if not isinstance(command, Command) or (client.in_transaction and not command.at_once):
            return False
        if not (command.writes or (command.name == "exec" and client.transaction_writes)):
            return False
        if refusal(self.server, client, command, argv) is not None:
            return False  # it would not run: let it hear why (server.c `processCommand` asks for the pause last)
        client.blocked = True
        client.held_back = argv
        self._held.append(client)
        return True
