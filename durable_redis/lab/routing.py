"""Routing: how a client finds the server for its next command, and what makes it look for another one.

The law of this file: a routing knows no connection and no time.  It is asked for the next *hop* (to whom, and what to
ask there first), told what was answered, and told when a peer is lost.  So each of the ways below is a few lines:

    Direct      one address, for ever
    ByRole      a list of addresses: the first that says it is a primary (ROLE)
    BySentinel  the sentinels, in order, say where the primary is; then ROLE, because they may be behind
                (redis.io, "Guidelines for Redis clients with support for Redis Sentinel", steps 1 to 3)
    ByEndpoint  a name that the operator of a managed service points at the primary
    BySlots     a map from slots to servers, mended by every MOVED (redis.io, "Redis cluster specification")

No routing ever makes a client repeat a command whose outcome it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from durable_redis.formats.resp import ErrorReply, Reply

PRIMARY_NAME = b"mymaster"
"""What the sentinels call the primary that they watch (sentinel.conf's own example)."""
ASK_ENDPOINT = (b"ENDPOINT",)
ASK_ROLE = (b"ROLE",)
ASK_SLOTS = (b"CLUSTER", b"SLOTS")
ASK_SENTINEL = (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME)


class Hop(NamedTuple):
    """Whom to talk to next; with a question, that is asked first, and the answer decides how to go on."""

    peer: str
    question: tuple[bytes, ...] = ()


class Advice(Enum):
    """What to do about an error reply: the command was not executed."""

    FINAL = "it is the answer"
    LEAVE = "it is the answer, and this is the wrong server: look for another"
    AGAIN = "the right server was named: send it there, as the same operation"


class Routing(Protocol):
    """The way of one client to its servers."""

    stays: bool
    """Whether it keeps a connection also while it has nothing to say; otherwise it looks when it has."""

    def next(self, argv: Sequence[bytes]) -> Hop:
        """The next hop on the way to the server for this command (an empty one: for any)."""
        ...

    def told(self, peer: str, reply: Reply) -> bool:
        """The answer to its question.  False: it leads nowhere, wait a moment and look again."""
        ...

    def lost(self, peer: str) -> None:
        """The connection to a peer broke, or could not be made, or an answer did not come in time."""
        ...

    def refused(self, peer: str, error: ErrorReply) -> Advice:
        """A server answered a command with an error."""
        ...


class Direct:
    """One address."""

    stays = True

    def __init__(self, server: str) -> None:
        self.server = server

    def next(self, argv: Sequence[bytes]) -> Hop:
        return Hop(self.server)

    def told(self, peer: str, reply: Reply) -> bool:
        return True

    def lost(self, peer: str) -> None:
        pass

    def refused(self, peer: str, error: ErrorReply) -> Advice:
        return Advice.FINAL


class ByRole:
    """A list of addresses: it asks one after the other for its role, and takes the first primary."""

    stays = False

    def __init__(self, servers: Sequence[str]) -> None:
        self.servers = list(servers)
        self.confirmed = False

    def next(self, argv: Sequence[bytes]) -> Hop:
        return Hop(self.servers[0], () if self.confirmed else ASK_ROLE)

    def told(self, peer: str, reply: Reply) -> bool:
        self.confirmed = _is_primary(reply)
        if not self.confirmed:
            self._next_one()
        return self.confirmed

    def lost(self, peer: str) -> None:
        if peer == self.servers[0]:
            self._next_one()

    def refused(self, peer: str, error: ErrorReply) -> Advice:
        if not is_misdirected(error):
            return Advice.FINAL
        self.lost(peer)
        return Advice.LEAVE

    def _next_one(self) -> None:
        self.confirmed = False
        self.servers.append(self.servers.pop(0))


class ByGuide:
    """Somebody who knows is asked for the primary; this is what `BySentinel` and `ByEndpoint` have in common."""

    stays = False

    def __init__(self, guides: Sequence[str], question: tuple[bytes, ...], confirms: bool) -> None:
        self.guides = list(guides)
        self.question = question
        self.confirms = confirms  # whether the primary is asked for its role, too
        self.server = ""  # whom the last answer named
        self.confirmed = False

    def next(self, argv: Sequence[bytes]) -> Hop:
        if not self.server:
            return Hop(self.guides[0], self.question)
        return Hop(self.server, () if self.confirmed else ASK_ROLE)

    def told(self, peer: str, reply: Reply) -> bool:
        if self.server:
            self.confirmed = _is_primary(reply)
            if not self.confirmed:
                self._misled()
            return self.confirmed
        self.server = _address(reply)
        self.confirmed = not self.confirms
        if not self.server:
            self._misled()
        return bool(self.server)

    def lost(self, peer: str) -> None:
        if peer == self.server and self.confirmed:
            self.server = ""
        elif peer == (self.server or self.guides[0]):
            self._misled()

    def refused(self, peer: str, error: ErrorReply) -> Advice:
        if not is_misdirected(error):
            return Advice.FINAL
        self.lost(peer)
        return Advice.LEAVE

    def _misled(self) -> None:
        """This guide is silent, or behind: ask the next one."""
        self.server = ""
        self.guides.append(self.guides.pop(0))


def by_sentinel(sentinels: Sequence[str]) -> ByGuide:
    """The sentinels are asked in order, one that answered first; then the primary itself, for its role."""
    return ByGuide(sentinels, ASK_SENTINEL, confirms=True)


def by_endpoint(endpoint: str) -> ByGuide:
    """The endpoint is asked: a name that a managed service points at the primary.  Nothing confirms it, as with DNS."""
    return ByGuide([endpoint], ASK_ENDPOINT, confirms=False)


class BySlots:
    """A map from slots to servers, asked of any of them, and mended by every MOVED."""

    stays = False

    def __init__(self, servers: Sequence[str], slot_of: Callable[[bytes], int]) -> None:
        self.servers = list(servers)  # whom to ask for a map, the first one first
        self.slot_of = slot_of
        self.map: list[tuple[int, int, str]] = []  # (first slot, last slot, server)
        self.moved: dict[int, str] = {}  # what MOVED said since the map was made

    def next(self, argv: Sequence[bytes]) -> Hop:
        if not self.map:
            return Hop(self.servers[0], ASK_SLOTS)
        if len(argv) < 2:
            return Hop(self.servers[0])
        slot = self.slot_of(argv[1])
        owner = self.moved.get(slot) or next((name for low, high, name in self.map if low <= slot <= high), "")
        return Hop(owner) if owner else Hop(self.servers[0], ASK_SLOTS)

    def told(self, peer: str, reply: Reply) -> bool:
        self.map = _slot_map(reply)
        self.moved.clear()
        if not self.map:
            self.lost(peer)
        return bool(self.map)

    def lost(self, peer: str) -> None:
        """Whoever fell silent may have lost its slots: ask somebody else for a new map."""
        self.map.clear()
        if peer == self.servers[0]:
            self.servers.append(self.servers.pop(0))

    def refused(self, peer: str, error: ErrorReply) -> Advice:
        words = error.text.split()
        if error.code == "MOVED" and len(words) == 3 and words[1].isdigit():
            self.moved[int(words[1])] = words[2].rpartition(":")[0]
            return Advice.AGAIN
        if error.code == "CLUSTERDOWN":
            self.map.clear()
        return Advice.FINAL


def is_misdirected(error: ErrorReply) -> bool:
    """Whether an error says that this is not the primary, or no server that takes writes now."""
    return error.code in ("READONLY", "MASTERDOWN", "LOADING")


def _is_primary(reply: Reply) -> bool:
    return isinstance(reply, list) and bool(reply) and reply[0] == b"master"


def _address(reply: Reply) -> str:
    """`["n2", "6379"]`, as a sentinel answers, or `"n2"`: the machine's name; "" when there is none."""
    first = reply[0] if isinstance(reply, list) and reply else reply
    return first.decode() if isinstance(first, bytes) else ""


def _slot_map(reply: Reply) -> list[tuple[int, int, str]]:
    """CLUSTER SLOTS answers, for each range: [first slot, last slot, [primary, port, id ...], [replica ...] ...]."""
    if not isinstance(reply, list):
        return []
    return [(low, high, primary[0].decode()) for low, high, primary, *_ in reply]
