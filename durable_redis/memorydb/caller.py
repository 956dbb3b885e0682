"""A client of a MemoryDB node: a connection, and the answers that it has not been told yet.

Answers leave in the order of the commands.  So one that has to wait for the log holds up those behind it, on its own
connection and on no other.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from durable_redis.redis.client import Client


class Answer(NamedTuple):
    """What is to be said, and when: `needs` is the offset that must be in the log before.

    `rests_on_lease`: it rests on committed data alone, and is true only as long as nobody else leads.  (One that waits
    for the log needs no lease: that its record was appended shows that nobody else led by then.)"""

    needs: int
    data: bytes
    command: int
    rests_on_lease: bool


class Caller(Client):
    """One connection.  `held` is the number of the command whose answer was last seen to wait; `postponed` is a command
    that is not executed yet, because its slot is on its way to another shard (`migration`)."""

    __slots__ = ("answers", "held", "postponed")

    def __init__(self, connection: str, peer: str, number: int) -> None:
        super().__init__(connection, peer, number, authenticated=True)
        self.answers: deque[Answer] = deque()
        self.held = 0
        self.postponed: list[bytes] = []
