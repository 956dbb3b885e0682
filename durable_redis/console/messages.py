"""What a message says, and whether it is worth showing.

The law of this file: the picture stays calm.  A message is shown if it carries a write or the answer to one, if it asks
for data, or if it decides who is the primary: a vote, a promotion.  Machines also ask one another all the time whether
they are there, and how far they are; that is *chatter*, and only whoever goes event by event reads of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from durable_redis.console.words import commands, label, ranged, replies, spoken
from durable_redis.redis.cluster.bus import Kind

CARRIED_ALONG = (b"SELECT", b"PING", b"REPLCONF", b"MULTI", b"EXEC")
"""What stands in a replication stream beside the writes."""
DECISIONS = {b"PSYNC": "PSYNC", Kind.AUTH_REQUEST.value.encode(): "vote?", Kind.AUTH_ACK.value.encode(): "vote"}
LOG_VERBS = {
    b"APPEND": (7, "append"),
    b"APPENDED": (5, "appended"),
    b"CONFLICT": (4, "conflict"),
    b"REPLICATE": (10, "replicate"),
    b"STORED": (7, "stored"),
    b"CAMPAIGN": (5, "vote?"),
    b"VOTE": (7, "vote"),
}
"""Of the words that go to a shared log and between its replicas: how many make a message worth showing, and its name.
A REPLICATE without entries is a heartbeat."""
SHARD = re.compile(rb"s\d+")
CHATTER = (b"PING", b"PONG", b"MEET", b"INFO", b"ROLE", b"PUBLISH", b"CONFIG", b"REPLCONF", b"CLUSTERBUS", b"UPDATE")
SNAPSHOT = b"REDIS0"
ANYBODY = b"*"
"""The run id in a sentinel's question that asks for an opinion, and in an answer that holds no vote."""


def shown(source: str, target: str, people: Collection[str], kind: str, data: bytes) -> str:
    """The words on a message; "" for chatter.  `people` are the clients and the operator."""
    if source in people or target in people:
        return label(data, reply=target in people) if kind == "data" else kind
    return between_machines(data) if kind == "data" else ""


def between_machines(data: bytes) -> str:
    """Likewise, between servers, sentinels and an endpoint."""
    if data.partition(b"\n")[2].startswith(SNAPSHOT) or data.startswith(SNAPSHOT):
        return "snapshot"
    if data.startswith((b"+FULLRESYNC", b"+CONTINUE")):
        return data[1:].split()[0].decode()
    if not data.startswith((b"*", b":")):
        return ""
    found = commands(data) if data.startswith(b"*") else None
    return _asked(found) if found else _vote_in(data)


def chatter(data: bytes) -> str:
    """What chatter says, in a word: `PING`, `PONG`, `REPLCONF`."""
    found = commands(data) if data.startswith(b"*") else None
    if found:
        return spoken(found[0][:1])
    return label(data, reply=True) if data.startswith((b"+", b"-", b":")) else "an answer"


def _asked(found: list[list[bytes]]) -> str:
    verb, *rest = found[0]
    verb = verb.upper()
    if rest and SHARD.fullmatch(rest[0]) and (verb in LOG_VERBS or len(rest) > 2):
        words, name = LOG_VERBS.get(verb, (0, ""))
        return name if len(found[0]) >= words else ""
    if verb in DECISIONS:
        return DECISIONS[verb]
    if verb == Kind.FAIL.value.encode():
        return f"FAIL {rest[-1].decode()}"
    if verb == b"SENTINEL":
        return "vote?" if rest[-1] != ANYBODY else ""
    if verb in (b"REPLICAOF", b"FAILOVER"):
        return "REPLICAOF NO ONE" if rest[:1] == [b"NO"] else spoken(found[0])
    if verb in CHATTER and len(found) == 1:
        return ""
    return ranged([spoken(argv).partition(" ")[2] or spoken(argv) for argv in found if argv[0] not in CARRIED_ALONG])


def _vote_in(data: bytes) -> str:
    """An answer to `SENTINEL IS-MASTER-DOWN-BY-ADDR` is [down, run id voted for, epoch]."""
    for reply in replies(data) or ():
        match reply:
            case [int(), bytes() as run_id, int(epoch)] if run_id != ANYBODY and epoch:
                return "vote"
    return ""
