"""The phases of a replica's link to its primary, and the legal ways between them (replication.c, `repl_state`).

    NONE         this server is a primary
    CONNECT      it must connect: at once, or at the next tick of the cron
    CONNECTING   it has asked for a connection
    PING         it has said PING: does anybody answer?
    INTRODUCE    it has told its password, its port and what it can do
    PSYNC        it has asked to go on at (replid, offset + 1), or for a snapshot
    TRANSFER     a snapshot is arriving
    CONNECTED    the stream is arriving

From each of them the way back is CONNECT, or NONE when the server is promoted.
"""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """Where the link is; the values are ROLE's words where it has one of its own."""

    NONE = "none"
    CONNECT = "connect"
    CONNECTING = "connecting"
    PING = "handshake: ping"
    INTRODUCE = "handshake: introduction"
    PSYNC = "handshake: psync"
    TRANSFER = "sync"
    CONNECTED = "connected"


TRANSITIONS = {
    Phase.NONE: (Phase.CONNECT,),
    Phase.CONNECT: (Phase.CONNECTING, Phase.NONE),
    Phase.CONNECTING: (Phase.PING, Phase.CONNECT, Phase.NONE),
    Phase.PING: (Phase.INTRODUCE, Phase.CONNECT, Phase.NONE),
    Phase.INTRODUCE: (Phase.PSYNC, Phase.CONNECT, Phase.NONE),
    Phase.PSYNC: (Phase.TRANSFER, Phase.CONNECTED, Phase.CONNECT, Phase.NONE),
    Phase.TRANSFER: (Phase.CONNECTED, Phase.CONNECT, Phase.NONE),
    Phase.CONNECTED: (Phase.CONNECT, Phase.NONE),
}
