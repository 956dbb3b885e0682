"""One replica as its primary sees it: what it told of itself, its state, and how far it says it is.

WAITING   it needs a snapshot, and the fork has not come yet: it gets no byte of the stream
SYNCING   the snapshot is being made and sent; the stream since the fork is kept in `pending`
ONLINE    the stream goes out as it comes
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_redis.redis.client import Client


class SyncState(Enum):
    """How far a replica is with its synchronisation; the values are INFO's words."""

    WAITING = "wait_bgsave"
    SYNCING = "send_bulk"
    ONLINE = "online"


TRANSITIONS = {
    None: (SyncState.WAITING, SyncState.ONLINE),
    SyncState.WAITING: (SyncState.SYNCING,),
    SyncState.SYNCING: (SyncState.ONLINE,),
    SyncState.ONLINE: (),
}


class Follower:
    """One replica of ours: what REPLCONF told of it, its state, and how far it says it is."""

    __slots__ = (
        "acknowledged",
        "asked_us",
        "capabilities",
        "client",
        "fsynced",
        "heard_us",
        "pending",
        "port",
        "start",
        "starts_on_ack",
        "state",
    )

    def __init__(self, client: Client) -> None:
        self.client = client
        self.port = 0
        self.capabilities: tuple[str, ...] = ()
        self.state: SyncState | None = None  # it has introduced itself, and not asked yet
        self.start = 0  # the offset of the snapshot that it gets
        self.pending = bytearray()  # the stream since the fork
        self.starts_on_ack = False  # it has to say that it has the whole snapshot before the stream goes on
        self.acknowledged = 0
        self.fsynced = 0
        self.heard_us = 0  # when it last told how far it is
        self.asked_us = 0

    @property
    def name(self) -> str:
        return self.client.peer

    @property
    def is_busy(self) -> bool:
        """Whether a snapshot is on its way to it, so that nothing else may be put between."""
        return self.starts_on_ack or self.state in (SyncState.WAITING, SyncState.SYNCING)

    def enter(self, state: SyncState) -> None:
        assert state in TRANSITIONS[self.state], f"replica {self.name} cannot go from {self.state} to {state}"
        self.state = state

    def feed(self, stream: bytes | bytearray) -> None:
        """The next bytes of the stream."""
        if self.state is SyncState.ONLINE and not self.starts_on_ack:
            self.client.output += stream
        elif self.state is not SyncState.WAITING:
            self.pending += stream

    def start_stream(self) -> None:
        """It has the snapshot: what was written meanwhile comes next."""
        self.starts_on_ack = False
        self.client.output += self.pending
        self.pending.clear()

    def lag_s(self, now: int) -> int:
        """Seconds since it last told how far it is."""
        return (now - self.heard_us) // 1_000_000 if self.state is SyncState.ONLINE else 0
