"""The engine against a real server: the same random commands to both, reply for reply.

Compared after every command: the reply's bytes, in RESP2 and in RESP3, errors included (only the order of unordered
collections is ignored).  Compared at the end of every sequence: the whole keyspace, the count of changes, and what was
propagated, which for the real server is its append-only file.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from enginetools import FURNITURE, commands, normal, words
from hypothesis import example, given, settings
from hypothesis import strategies as st
from realserver import Client, RealServer, ServerBinary
from requirements import need

from durable_redis.engine import Engine, Session
from durable_redis.formats.resp import NEED_MORE, CommandParser, ReplyParser, encode

UNORDERED = {b"KEYS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"HKEYS", b"HVALS", b"SPOP", b"SRANDMEMBER"}
UNORDERED |= {b"HGETALL", b"HRANDFIELD", b"ZRANDMEMBER", b"SCAN", b"SSCAN", b"HSCAN", b"ZSCAN"}

SESSIONS = 2


def parsed(data: bytes) -> Any:
    parser = ReplyParser()
    parser.feed(data)
    reply = parser.next()
    assert reply is not NEED_MORE, f"not a whole reply: {data!r}"
    return reply


class Peer:
    """A real server that keeps an append-only file, with a few connections, used for all sequences of a test."""

    def __init__(self, server: RealServer, folder: Path) -> None:
        self.server = server
        self.clients: list[Client] = []
        self.folder = folder
        self.log_read = self.log_db = 0

    def begin(self, protocol: int) -> None:
        """An empty keyspace, new connections, and the log read up to here."""
        self.end()
        self.server.execute("FLUSHALL")
        self.clients = [self.server.connect() for _ in range(SESSIONS)]
        for client in self.clients:
            client.exchange("HELLO", protocol)
        self.log()

    def end(self) -> None:
        for client in self.clients:
            client.close()
        self.clients = []

    def dirty(self) -> int:
        text = self.server.execute("INFO", "persistence")
        return int(text.split(b"rdb_changes_since_last_save:")[1].split()[0])

    def log(self) -> list[tuple[int, list[bytes]]]:
        """What was appended to the file since the last call, as effects; -1 is the database of MULTI and EXEC."""
        (path,) = self.folder.glob("appendonlydir/*.incr.aof")
        with path.open("rb") as file:
            file.seek(self.log_read)
            data = file.read()
        self.log_read += len(data)
        parser = CommandParser()
        parser.feed(data)
        effects: list[tuple[int, list[bytes]]] = []
        while isinstance(argv := parser.next(), list):
            if argv[0].upper() == b"SELECT":
                self.log_db = int(argv[1])
            else:
                effects.append((-1 if argv[0] in (b"MULTI", b"EXEC") else self.log_db, argv))
        return effects


@pytest.fixture(scope="module")
def redis_7_0(real_servers: list[ServerBinary], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Redis 7.0, the version whose words the engine speaks."""
    binaries = [binary for binary in real_servers if binary.name == "debian" and binary.version[:2] == (7, 0)]
    need(bool(binaries), "no real server: Redis 7.0 is not installed here")
    folder = tmp_path_factory.mktemp("redis70")
    options = ["--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"]
    with RealServer(binaries[0], *options, directory=folder) as server:
        peer = Peer(server, folder)
        yield peer
        peer.end()


class Ours:
    """The engine under test, behind the same interface as a connection."""

    def __init__(self, protocol: int) -> None:
        self.engine = Engine(random.Random(7))
        self.sessions = [Session(str(index), protocol=protocol) for index in range(SESSIONS)]
        self.protocol = protocol

    def exchange(self, index: int, argv: list[bytes]) -> bytes:
        reply = self.engine.execute(self.sessions[index], argv, time.time_ns() // 1_000_000)
        return encode(reply, self.protocol)


def agree(argv: list[bytes], queued: list[list[bytes]], ours: bytes, theirs: bytes) -> bool:
    """Whether two replies to a command are the same, but for the order of what has none."""
    if ours == theirs:
        return True
    mine, other = parsed(ours), parsed(theirs)
    if argv[0].upper() == b"EXEC" and isinstance(mine, list) and isinstance(other, list):
        triples = zip(queued, mine, other, strict=True)
        return all(a == b or (_free(argv) and normal(argv, a) == normal(argv, b)) for argv, a, b in triples)
    return _free(argv) and normal(argv, mine) == normal(argv, other)


def _free(argv: list[bytes]) -> bool:
    return argv[0].upper() in UNORDERED


def everything(execute: Any) -> dict[tuple[int, bytes], Any]:
    """The whole keyspace, read by commands."""
    readers = {b"list": "LRANGE {} 0 -1", b"hash": "HGETALL {}", b"set": "SMEMBERS {}"}
    readers[b"zset"] = "ZRANGE {} 0 -1 WITHSCORES"
    found = {}
    for db in range(3):
        execute(words(f"SELECT {db}"))
        for key in sorted(parsed(execute([b"KEYS", b"*"]))):
            kind = parsed(execute([b"TYPE", key])).text
            argv = [word if word != b"{}" else key for word in words(readers.get(kind, "GET {}"))]
            expires = parsed(execute([b"PEXPIRETIME", key]))
            found[db, key] = (kind, normal(argv, parsed(execute(argv))), expires)
    return found


def compare(peer: Peer, protocol: int, steps: list[tuple[int, list[bytes]]]) -> None:
    """Run the steps, (number of the session, command), on both, and compare all there is."""
    peer.begin(protocol)
    ours = Ours(protocol)
    dirty_before = peer.dirty()
    queued: list[list[list[bytes]]] = [[] for _ in range(SESSIONS)]
    for index, argv in steps:
        mine, theirs = ours.exchange(index, argv), peer.clients[index].exchange(*argv)
        assert agree(argv, queued[index], mine, theirs), f"{argv}\n   ours: {mine!r}\n  redis: {theirs!r}"
        if mine == b"+QUEUED\r\n":
            queued[index].append(argv)
        elif not ours.sessions[index].in_transaction:
            queued[index] = []
    effects = [(-1 if argv[0] in (b"MULTI", b"EXEC") else db, argv) for db, argv in ours.engine.take_effects()]
    logged = peer.log()
    assert effects == logged, f"effects\n   ours: {effects}\n  redis: {logged}"
    dirty = peer.dirty() - dirty_before
    assert ours.engine.dirty == dirty, f"changes: ours {ours.engine.dirty}, redis {dirty}"
    ours.sessions[0].end_transaction()
    peer.clients[0].exchange("DISCARD")
    mine_all = everything(lambda argv: ours.exchange(0, argv))
    theirs_all = everything(lambda argv: peer.clients[0].exchange(*argv))
    assert mine_all == theirs_all, f"keyspace\n   ours: {mine_all}\n  redis: {theirs_all}"


def lines(text: str) -> list[tuple[int, list[bytes]]]:
    return [(0, words(line)) for line in text.split("/")]


def furnished(steps: list[tuple[int, list[bytes]]]) -> list[tuple[int, list[bytes]]]:
    return [*((0, argv) for argv in FURNITURE), *steps]


STEPS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1]), commands()), min_size=5, max_size=50)


@given(st.sampled_from([2, 3]), st.one_of(STEPS, STEPS.map(furnished)))
@settings(max_examples=200, derandomize=True, deadline=None)
@example(2, lines("SET a 1 / SADD m1 x / MULTI / INCR a / SPOP m1 1 / EXEC / MULTI / GET a / EXEC"))
def test_the_same_answers_as_redis(redis_7_0: Peer, protocol: int, steps: list[tuple[int, list[bytes]]]) -> None:
    compare(redis_7_0, protocol, steps)
