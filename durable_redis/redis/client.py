"""A client of a server: one connection, what it has sent, and what it is waiting for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.engine import Session
from durable_redis.formats.resp import CommandParser, Reply, Status, encode

if TYPE_CHECKING:
    from durable_redis.redis.replication.follower import Follower

LATER: Reply = Status(b"")
"""Stands for a reply that comes later, or never: from work in `server.todo`, or from the end of a wait."""


class Client(Session):
    """One connection: a session of the engine, with its parser and the replies that wait for `before_sleep`."""

    __slots__ = (
        "blocked",
        "closing",
        "commands",
        "connection",
        "follower",
        "held_back",
        "number",
        "output",
        "parser",
        "peer",
        "reads_replica",
        "written",
    )

    def __init__(self, connection: str, peer: str, number: int, authenticated: bool) -> None:
        super().__init__("", authenticated=authenticated)
        self.connection = connection
        self.peer = peer
        self.number = number
        self.parser = CommandParser()
        self.output = bytearray()
        self.commands = 0  # received so far: a command's number on its connection
        self.closing = False
        self.reads_replica = False  # it has said READONLY: a cluster's replica may answer it
        self.written = 0  # the stream's offset after its last command: what WAIT waits for
        self.blocked = False  # its next command has to wait: it said WAIT, or a write of its is held back
        self.held_back: list[bytes] | None = None
        self.follower: Follower | None = None  # if it is a replica of ours

    def reply(self, reply: Reply) -> None:
        self.output += encode(reply, self.protocol)
