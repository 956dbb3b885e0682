"""Whatever a peer says, nothing of it is an exception out of the node: a reply, or a reason to hang up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redistools import Bench, command, disk_of

from durable_redis.contract import Closed, Connect, Opened, Received
from durable_redis.formats.rdb import Entry, encode
from durable_redis.redis.replication.phase import Phase

REPLID = "d" * 40
FACTS = {"repl-id": REPLID.encode(), "repl-offset": b"100", "repl-stream-db": b"0"}
SNAPSHOT = encode([Entry(0, b"k", "string", b"v", None), Entry(3, b"l", "list", [b"a"], 1)], FACTS)
TALK = (
    b"+PONG\r\n+OK\r\n+OK\r\n"
    + f"+FULLRESYNC {REPLID} 100\r\n".encode()
    + b"\n$%d\r\n" % len(SNAPSHOT)
    + SNAPSHOT
    + command("SELECT", 2)
    + command("MULTI")
    + command("SET", "a", 1)
    + command("EXEC")
    + command("REPLCONF", "GETACK", "*")
    + command("FLUSHALL")
)

WORDS = st.sampled_from(
    [
        *(
            b"REPLCONF",
            b"PSYNC",
            b"SYNC",
            b"ACK",
            b"FACK",
            b"GETACK",
            b"*",
            b"capa",
            b"eof",
            b"psync2",
            b"listening-port",
        ),
        *(
            b"REPLICAOF",
            b"SLAVEOF",
            b"NO",
            b"ONE",
            b"n1",
            b"a b",
            b"",
            b"FAILOVER",
            b"ABORT",
            b"TO",
            b"TIMEOUT",
            b"FORCE",
        ),
        *(
            b"WAIT",
            b"WAITAOF",
            b"ROLE",
            b"INFO",
            b"MULTI",
            b"EXEC",
            b"SET",
            b"k",
            b"?",
            b"-1",
            b"0",
            b"1",
            b"6379",
            b"x",
        ),
        *(
            REPLID.encode(),
            b"9" * 30,
            b"\xff\x00\r\n",
            b"ip-address",
            b"CONFIG",
            b"REWRITE",
            b"QUIT",
            b"PING",
            b"DEBUG",
        ),
        *(b"SHUTDOWN", b"NOSAVE"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["one", "r", "s"]), st.lists(WORDS, min_size=1, max_size=6)), max_size=25))
def test_nothing_that_a_client_or_a_replica_says_breaks_a_server(said: list[tuple[str, list[bytes]]]) -> None:
    bench = Bench(repl_diskless_sync_delay=0, appendonly=True)
    bench.open("r")
    bench.open("s")
    for connection, words in said:
        bench.send(*words, connection=connection)
        if connection == "s":
            bench.cron(1_000_000)
            bench.finish()
        if bench.exit is not None:
            return
    for event in (Closed("r", "reset"), Closed("one", "reset")):
        bench.deliver(event)
    bench.cron(61_000_000)


@pytest.mark.parametrize("offset", [b"9" * 5000, b"%d" % 2**64, b"-1", b"+1", b" 1", b"", b"x"])
def test_a_snapshot_whose_offset_is_no_offset_is_a_beginning(offset: bytes) -> None:
    bench = Bench(disk_of({"dump.rdb": encode([], {**FACTS, "repl-offset": offset})}))
    assert (bench.exit, bench.server.offset) == (None, 0)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nothing_that_a_primary_says_breaks_a_replica(data: st.DataObject) -> None:
    bench = Bench(replicaof="p", save=())
    bench.cron()
    said = bytearray(TALK)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(said) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
            case "flip":
                said[place] ^= data.draw(st.integers(1, 255))
            case "cut":
                del said[place : place + data.draw(st.integers(1, 40))]
            case "insert":
                said[place:place] = data.draw(st.binary(max_size=9))
            case "double":
                said[place:place] = said[place : place + 50]
    connection = bench.server.replica.connection
    assert connection is not None
    bench.deliver(Opened(connection, "p", outgoing=True))
    while said:
        count = data.draw(st.integers(1, 200))
        bench.deliver(Received(connection, bytes(said[:count])))
        del said[:count]
    if bench.server.replica.phase is not Phase.CONNECTED:
        for _ in range(620):
            bench.cron()
            if bench.server.replica.phase is Phase.CONNECT:
                break
        bench.cron(1_000_000)
        assert bench.of(Connect)
    assert bench.exit is None
