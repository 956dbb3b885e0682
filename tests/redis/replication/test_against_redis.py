"""The judge is a real Redis 7.0: its words, its stream byte by byte, its snapshots, its decisions."""

from __future__ import annotations

import re
import shlex
import socket
import time
from typing import Any

import pytest
from realserver import RealServer, ServerBinary
from redistools import Bench, command
from requirements import need

from durable_redis.contract import Opened, Received, TimerFired
from durable_redis.formats.rdb import decode
from durable_redis.formats.resp import NEED_MORE, CommandParser
from durable_redis.redis.replication.history import History, decide
from durable_redis.redis.replication.primary import PING

COMMANDS = r"""
SET a 1|SET a 2 EX 1000|SETEX b 1000 v|PSETEX b 100000 v|GETEX b PERSIST|GETSET a 5|APPEND a x|SETRANGE a 3 zz
INCR n|INCRBY n 5|DECR n|INCRBYFLOAT n 0.25|MSET x 1 y 2|MSETNX x 1 w 2|SETNX w 1|GETDEL w|GET a|GET nosuch
RPUSH l a b c d|LPUSH l z|LPOP l|LPOP l 2|LREM l 1 nosuch|LTRIM l 0 1|RPOPLPUSH l m|LMOVE m l LEFT RIGHT
LINSERT l BEFORE c q
SADD s a b c|SREM s nosuch|SADD s a|SMOVE s t a|SPOP t|SPOP nosuch|SINTERSTORE u s s|SUNIONSTORE nothing nosuch
ZADD z 1 a 2 b 3 c|ZADD z NX 5 a|ZINCRBY z 1.5 a|ZREM z b|ZPOPMIN z|ZRANGESTORE zz z 0 -1|ZREMRANGEBYRANK z 0 0
HSET h f v g w|HSET h f v|HINCRBY h n 3|HINCRBYFLOAT h p 1.5|HDEL h nosuch|HDEL h f g|HSETNX h n 1
EXPIREAT a 33177117420|PEXPIREAT x 33177117420000|EXPIREAT x 33177117420 NX|PERSIST a|PERSIST a|EXPIREAT a 1
SELECT 5|SET five 1|SELECT 0|COPY y yy|RENAME yy yyy|MOVE y 3|SWAPDB 0 1|SWAPDB 0 1|SELECT 3|INCR y|SELECT 0
MULTI|SET m1 1|INCR m2|SELECT 7|SET m3 1|EXEC|MULTI|SET only 1|EXEC|MULTI|GET a|EXEC|MULTI|SET m4 1|DISCARD
SETBIT bits 7 1|BITOP NOT bits2 bits|DEL a b nosuch|UNLINK x|DEL nosuch|FLUSHDB|SET last 1
"""
LINES = [line for line in COMMANDS.replace("\n", "|").split("|") if line]

WORDS = r"""
REPLCONF|REPLCONF foo|REPLCONF foo 1|REPLCONF listening-port abc|REPLCONF listening-port 70000|REPLCONF capa foo
REPLCONF ip-address x|REPLCONF capa eof capa psync2 nosuch 1|REPLCONF capa eof listening-port
REPLICAOF|REPLICAOF a|REPLICAOF a b|REPLICAOF a -1|REPLICAOF a 70000|REPLICAOF NO TWO|REPLICAOF no One|SLAVEOF NO ONE
FAILOVER|FAILOVER ABORT|FAILOVER ABORT NOW|FAILOVER TO a 1|FAILOVER FORCE|FAILOVER foo|FAILOVER TIMEOUT 0
FAILOVER TIMEOUT abc|FAILOVER TO a|FAILOVER TO a x|FAILOVER TIMEOUT 1 TIMEOUT 2|FAILOVER FORCE FORCE
FAILOVER TO a 1 TO b 1
WAIT|WAIT a 1|WAIT 0 a|WAIT 0 -1|WAIT -1 0|WAIT 1 10|WAIT 1|ROLE|ROLE x|PSYNC|PSYNC a|PSYNC a b|SYNC x
MULTI|WAIT 5 0|ROLE|EXEC|MULTI|PSYNC ? -1|EXEC|MULTI|REPLICAOF a|EXEC|REPLCONF ACK 5 x
CONFIG SET repl-backlog-size 0|CONFIG SET repl-backlog-size 5|CONFIG GET repl-backlog-size
CONFIG SET repl-backlog-size 1mb
CONFIG SET repl-backlog-ttl -1|CONFIG SET repl-timeout 0|CONFIG SET repl-ping-replica-period 0|CONFIG SET replicaof x
CONFIG SET replica-priority -1|CONFIG SET repl-diskless-sync-delay -1|CONFIG SET min-replicas-to-write -1
CONFIG SET min-replicas-max-lag -1|CONFIG SET repl-timeout abc|CONFIG SET repl-timeout 2147483648
CONFIG GET replica-read-only|CONFIG GET replica-serve-stale-data|CONFIG GET repl-diskless-sync
CONFIG GET min-replicas-to-write
CONFIG GET repl-timeout|CONFIG GET repl-backlog-ttl|CONFIG GET replicaof|CONFIG GET masterauth
CONFIG GET replica-priority
CONFIG SET min-replicas-to-write 1|SET k v|MULTI|SET k v|EXEC|GET k|CONFIG SET min-replicas-to-write 0|SET k v
REPLICAOF 127.0.0.1 1|ROLE|SET k v|GET k|WAIT 0 0|PSYNC ? -1|CONFIG GET replicaof|REPLICAOF 127.0.0.1 1
MULTI|SET k v|GET k|EXEC|FAILOVER|CONFIG SET replica-serve-stale-data no|GET k|PING|SET k v|INFO nosuch|ECHO x|DBSIZE
MULTI|EXEC|SELECT 1|CLIENT GETNAME|CONFIG SET replica-read-only no|SET k v|GET k
CONFIG SET replica-serve-stale-data yes|SET k w|GET k|SET e 5 PXAT 1|GET e|INCR e|GET e|PTTL e|
REPLICAOF NO ONE|GET k|ROLE x
"""


@pytest.fixture(scope="module")
def redis_7(real_servers: list[ServerBinary]) -> ServerBinary:
    found = [binary for binary in real_servers if binary.version[:2] == (7, 0)]
    need(bool(found), "no real Redis 7.0 is installed here")
    return found[0]


class RawReplica:
    """A connection to a real primary that says what a replica says, and keeps what it hears."""

    def __init__(self, server: RealServer) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(str(server.socket_path))
        self.heard = b""

    def say(self, *argv: str | int) -> None:
        self.socket.sendall(command(*argv))

    def hear(self, until: bytes) -> bytes:
        """Everything up to and with these bytes."""
        while until not in self.heard:
            received = self.socket.recv(1 << 16)
            assert received, "the server hung up"
            self.heard += received
        end = self.heard.index(until) + len(until)
        said, self.heard = self.heard[:end], self.heard[end:]
        return said

    def take(self, count: int) -> bytes:
        while len(self.heard) < count:
            self.heard += self.socket.recv(1 << 16)
        said, self.heard = self.heard[:count], self.heard[count:]
        return said

    def full_sync(self) -> tuple[str, int, bytes]:
        """Ask for everything: the history, the offset, the snapshot."""
        self.say("REPLCONF", "capa", "psync2")
        self.hear(b"+OK\r\n")
        self.say("PSYNC", "?", -1)
        self.hear(b"+FULLRESYNC ")
        replid, offset = self.hear(b"\r\n").split()
        self.hear(b"$")
        size = int(self.hear(b"\r\n"))
        return replid.decode(), int(offset), self.take(size)

    def __enter__(self) -> RawReplica:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()


def our_primary(**options: Any) -> Bench:
    """A primary of ours with a replica r, whose snapshot is sent: `sent["r"]` is the stream from here on."""
    bench = Bench(now_us=time.time_ns() // 1000, save=(), repl_diskless_sync=False, **options)
    bench.deliver(Opened("r", "r"))
    bench.send("REPLCONF", "capa", "psync2", connection="r")
    bench.send("PSYNC", "?", -1, connection="r")
    bench.finish()
    bench.sent["r"] = b""
    return bench


def test_the_stream_is_the_same_byte_by_byte(redis_7: ServerBinary) -> None:
    bench = our_primary()
    lines = [line for line in LINES if "SPOP" not in line]  # two servers, two lucks
    with RealServer(redis_7, "--repl-ping-replica-period", "3600") as real, RawReplica(real) as replica:
        _, start, _ = replica.full_sync()
        for line in lines:
            words = shlex.split(line)
            assert bench.send(*words) == real.exchange(*words), line
        theirs = replica.hear(command("SET", "last", 1))
        info = real.exchange("INFO", "replication").decode()
    assert f"master_repl_offset:{start + len(theirs)}\r\n" in info
    ours, theirs = bench.sent["r"], theirs.replace(PING, b"")  # it pings when its cron happens to come by
    assert commands_of(without_times(ours)) == commands_of(without_times(theirs))
    assert without_times(ours) == without_times(theirs)


def without_times(stream: bytes) -> bytes:
    """Times that depend on when the command came, such as EX 1000 makes: they differ by some milliseconds."""
    return re.sub(rb"1[78]\d{11}", b"<milliseconds", stream)


def commands_of(stream: bytes) -> list[list[bytes]]:
    parser, found = CommandParser(), []
    parser.feed(stream)
    while (argv := parser.next()) is not NEED_MORE:
        found.append(argv)
    return found


def test_a_real_server_that_executes_our_stream_has_our_data(redis_7: ServerBinary) -> None:
    bench = our_primary()
    for line in LINES:
        bench.send(*shlex.split(line))
    bench.send("SADD", "set", *range(20))
    bench.send("SPOP", "set", 7)
    with RealServer(redis_7, "--databases", "16") as real, RawReplica(real) as client:
        client.socket.sendall(bench.sent["r"] + command("ECHO", "the end"))
        client.hear(b"the end\r\n")
        real.exchange("SAVE")
        theirs = decode((real.directory / "dump.rdb").read_bytes())
    bench.send("SAVE")
    ours = decode(bench.disk.read("dump.rdb") or b"")
    assert _plain(ours.entries) == _plain(theirs.entries)


def _plain(entries: Any) -> list[Any]:
    return sorted(
        (e.db, e.key, e.kind, sorted(e.value) if e.kind in ("set", "hash") else e.value, e.expires_at_ms)
        for e in entries
    )


def test_our_replica_of_a_real_primary_has_its_data_and_its_offset(redis_7: ServerBinary) -> None:
    """Its promise, its snapshot and its stream, fed to a replica of ours by hand."""
    with RealServer(redis_7, "--repl-diskless-sync", "no") as real, RawReplica(real) as wire:
        for line in LINES[:60]:
            real.exchange(*shlex.split(line))
        replid, offset, snapshot = wire.full_sync()
        for line in LINES:
            real.exchange(*shlex.split(line))
        real.exchange("SET", "the", "end")
        stream = wire.hear(command("SET", "the", "end"))
        bench = Bench(replicaof="p", save=())
        bench.cron()
        connection = bench.server.replica.connection
        assert connection is not None
        bench.deliver(Opened(connection, "p", outgoing=True))
        bench.deliver(Received(connection, b"+PONG\r\n+OK\r\n+OK\r\n"))
        bench.deliver(Received(connection, f"+FULLRESYNC {replid} {offset}\r\n".encode()))
        bench.deliver(Received(connection, b"\n$%d\r\n" % len(snapshot) + snapshot + stream))
        info = real.exchange("INFO", "replication").decode()
        real.exchange("SAVE")
        theirs = decode((real.directory / "dump.rdb").read_bytes())
    assert bench.server.replica.link == "up"
    assert f"master_repl_offset:{bench.server.offset}\r\n" in info
    bench.send("SAVE")
    ours = decode(bench.disk.read("dump.rdb") or b"")
    assert _plain(ours.entries) == _plain(theirs.entries)
    assert ours.aux["repl-id"] == theirs.aux["repl-id"] == replid.encode()
    assert ours.aux["repl-offset"] == theirs.aux["repl-offset"]
    assert ours.aux["repl-stream-db"] == theirs.aux["repl-stream-db"]


def test_it_decides_psync_as_we_do(redis_7: ServerBinary) -> None:
    """A promoted server with a second history; every offset around both ends of both."""
    with RealServer(redis_7, "--repl-diskless-sync", "no", "--repl-backlog-size", "16384") as real:
        with RawReplica(real) as first:
            first.full_sync()
            real.exchange("SET", "k", "x" * 9_000)
            real.exchange("REPLICAOF", "127.0.0.1", "1")
            real.exchange("REPLICAOF", "NO", "ONE")
        with RawReplica(real) as second:
            second.full_sync()
            real.exchange("SET", "k", "y" * 9_000)
        fields = dict(f.split(":") for f in real.exchange("INFO", "replication").decode().split() if ":" in f)
        history = History(fields["master_replid"], fields["master_replid2"], int(fields["second_repl_offset"]))
        backlog = int(fields["repl_backlog_first_byte_offset"]), int(fields["repl_backlog_histlen"])
        edges = [backlog[0], sum(backlog), history.second_offset]
        cases = [(id_, edge + d) for id_ in (history.replid, history.replid2) for edge in edges for d in (-1, 0, 1)]
        for replid, offset in [*cases, ("?", -1), ("c" * 40, backlog[0]), ("0" * 40, backlog[0])]:
            with RawReplica(real) as asking:
                asking.say("REPLCONF", "capa", "psync2")
                asking.hear(b"+OK\r\n")
                asking.say("PSYNC", replid, offset)
                answer = asking.hear(b"\r\n")
            assert decide(history, backlog, replid, offset).partial is answer.startswith(b"+CONTINUE"), (replid, offset)


def test_the_same_words(redis_7: ServerBinary) -> None:
    bench, different = Bench(save=()), []
    with RealServer(redis_7) as real:
        for line in [line for line in WORDS.replace("\n", "|").split("|") if line]:
            if line == "PSYNC a b" or (line == "PSYNC ? -1" and bench.server.replica.primary):
                with real.connect() as other:
                    theirs = other.exchange(*line.split())
                bench.open("other")
                ours = bench.send(*line.split(), connection="other")
            else:
                theirs, ours = real.exchange(*shlex.split(line)), bench.send(*shlex.split(line))
            if not ours:  # it waits
                bench.now_us += 20_000
                bench.deliver(TimerFired("wait"))
                ours = bench.sent["one"]
            if b"connect" in theirs[:60]:
                theirs = theirs.replace(b"$10\r\nconnecting", b"$7\r\nconnect")
                ours = ours.replace(b"$10\r\nconnecting", b"$7\r\nconnect")
            if theirs != ours:
                different.append((line, theirs, ours))
    assert different == []


def test_the_fields_of_info_are_those_of_a_real_one_in_its_order(redis_7: ServerBinary) -> None:
    def names(text: bytes) -> list[str]:
        return [line.split(":")[0] for line in text.decode().splitlines() if ":" in line]

    with RealServer(redis_7, "--repl-diskless-sync", "no") as real, RawReplica(real) as replica:
        bench = our_primary()
        replica.full_sync()
        for server in (real.exchange, bench.send):
            server("CONFIG", "SET", "min-replicas-to-write", "1")
        assert names(bench.send("INFO", "replication")) == names(real.exchange("INFO", "replication"))
        for server in (real.exchange, bench.send):
            server("REPLICAOF", "127.0.0.1", "1")
        assert names(bench.send("INFO", "replication")) == names(real.exchange("INFO", "replication"))
        assert set(names(bench.send("INFO", "stats"))) <= set(names(real.exchange("INFO", "stats")))
