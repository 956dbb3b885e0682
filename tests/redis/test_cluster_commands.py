"""What a node of a cluster answers: the same words as a real Redis 7.0, and what only several nodes can show."""

from __future__ import annotations

import shlex
import socket

import pytest
from clustertools import Room
from realserver import RealServer, ServerBinary, wait_until
from redistools import Bench
from requirements import need

from durable_redis.contract import Close, Note, Opened, Received, TimerFired
from durable_redis.formats.resp import OK, ErrorReply
from durable_redis.redis.cluster.bus import GREETING
from durable_redis.redis.cluster.membership import node_id
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import ConfigError
from durable_redis.sim.faults import Crash, Restart

EMPTY = r"""
GET foo|SET foo v|PING|CLUSTER KEYSLOT foo|MGET foo bar|MULTI|GET foo|EXEC|CLUSTER SLOTS|CLUSTER COUNTKEYSINSLOT 5
CLUSTER FOO|CLUSTER|CLUSTER KEYSLOT|CLUSTER FAILOVER FORCE|CLUSTER FAILOVER FOO|CLUSTER REPLICATE abc|CLUSTER ADDSLOTS
CLUSTER ADDSLOTS 16384|CLUSTER ADDSLOTS x|CLUSTER ADDSLOTS 1 1|CLUSTER ADDSLOTSRANGE 5 3|CLUSTER ADDSLOTSRANGE 1 2 3
CLUSTER ADDSLOTSRANGE 0 8000|CLUSTER ADDSLOTS 8001|CLUSTER ADDSLOTS 8001|CLUSTER ADDSLOTSRANGE 7000 9000
GET hello|SET hello v|DBSIZE|CLUSTER MEET|CLUSTER MEET a|CLUSTER MEET a x|CLUSTER MEET - 6379
CLUSTER SET-CONFIG-EPOCH -1|CLUSTER SET-CONFIG-EPOCH x|CLUSTER SET-CONFIG-EPOCH 5|CLUSTER SET-CONFIG-EPOCH 6
"""
SERVING = r"""
GET foo|SET hello v|GET hello|MGET hello bar|MSET hello 1 {hello}.b 2|MGET hello {hello}.b|DEL hello foo|GET bar
CLUSTER COUNTKEYSINSLOT 866|CLUSTER GETKEYSINSLOT 866 0|CLUSTER GETKEYSINSLOT 866 -1
CLUSTER COUNTKEYSINSLOT 16384|CLUSTER COUNTKEYSINSLOT abc|CLUSTER KEYSLOT {a}b|READONLY|READWRITE|READONLY x
SELECT 0|SELECT 1|SELECT abc|SELECT 99|MOVE hello 1|SWAPDB 0 1|COPY hello {hello}.c|COPY hello {hello}.d DB 1
MULTI|SET hello 1|SET {hello}.b 2|EXEC|MULTI|SET hello 1|GET bar|EXEC|MULTI|GET foo|EXEC|MULTI|GET hello|DISCARD
MULTI|SELECT 1|EXEC|MULTI|PING|EXEC|EXEC|MULTI|MGET hello bar|EXEC|WATCH hello|WATCH hello bar|UNWATCH
ZUNIONSTORE bar 2 hello {hello}.b|ZUNION 1 bar|SORT bar STORE hello|RPUSH {hello}.l 2 1|SORT {hello}.l
SORT {hello}.l BY nosort|SORT {hello}.l BY w_*|SORT {hello}.l GET #|SORT_RO {hello}.l GET p_*
SORT {hello}.l STORE {hello}.m
REPLICAOF NO ONE|REPLICAOF a 1|SLAVEOF a 1|FAILOVER|FAILOVER ABORT
DBSIZE|OBJECT ENCODING bar|OBJECT ENCODING hello
EXISTS hello bar|FLUSHALL|RANDOMKEY|TYPE bar|CLUSTER ADDSLOTS 866
"""


@pytest.fixture(scope="module")
def redis_7(real_servers: list[ServerBinary]) -> ServerBinary:
    found = [binary for binary in real_servers if binary.version[:2] == (7, 0)]
    need(bool(found), "no real Redis 7.0 is installed here")
    return found[0]


def lines(text: str) -> list[str]:
    return [line for line in text.replace("\n", "|").split("|") if line]


def test_the_same_replies_as_a_real_one(redis_7: ServerBinary) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    arguments = ("--cluster-enabled", "yes", "--cluster-port", port, "--bind", "127.0.0.1")
    bench = Bench(name="n1", save=(), cluster_enabled=True, cluster_require_full_coverage=False)
    with RealServer(redis_7, *arguments, "--cluster-require-full-coverage", "no") as real:
        different = []
        for text in (EMPTY, SERVING):
            for line in lines(text):
                theirs, ours = real.exchange(*shlex.split(line)), bench.send(*shlex.split(line))
                if theirs != ours:
                    different.append((line, theirs, ours))
            # It waits for two seconds before it serves: in its own time, not in ours.
            wait_until(lambda: b"cluster_state:ok" in real.exchange("CLUSTER", "INFO"), "the real one serves")
            for _ in range(25):
                bench.now_us += 100_000
                bench.deliver(TimerFired("cluster cron"))
        fields = [word.split(b":")[0] for word in real.exchange("CLUSTER", "INFO").split() if b"cluster_" in word]
        assert real.exchange("INFO", "cluster") == bench.send("INFO", "cluster")
    assert not different
    ours = [word.split(b":")[0] for word in bench.send("CLUSTER", "INFO").split() if b"cluster_" in word]
    assert [name for name in ours if name not in fields] == []


def test_a_replica_answers_reads_to_whoever_said_readonly() -> None:
    bench = Room().run(3)
    replica = bench.server("n4")
    assert bench.ask("n4", "GET", "bar") == ErrorReply("MOVED 5061 n1:6379")
    for said, argv, expected in (
        ("READONLY", "GET bar", b"$-1"),
        ("READONLY", "SET bar v", b"-MOVED 5061 n1:6379"),
        ("READONLY", "GET foo", b"-MOVED 12182 n3:6379"),
        ("READWRITE", "GET bar", b"-MOVED 5061 n1:6379"),
    ):
        list(replica.handle(Opened("x", "you"), 0))
        commands = f"READONLY\r\n{said}\r\n{argv}\r\nMULTI\r\n{argv}\r\nEXEC\r\n"
        list(replica.handle(Received("x", commands.encode()), 0))
        words = bytes(replica.clients["x"].output).split(b"\r\n")
        assert words[2] == expected
        if argv == "GET bar" and said == "READONLY":
            assert words[3:] == [b"+OK", b"+QUEUED", b"*1", b"$-1", b""]
        else:
            assert words[4] == expected
            assert words[5].startswith(b"-EXECABORT")


def test_exec_is_answered_with_the_redirection_itself() -> None:
    """The slot went elsewhere between the queueing and EXEC: the client must learn where."""
    room = Room().run(3)
    server = room.server("n1")
    list(server.handle(Opened("x", "you"), 0))
    list(server.handle(Received("x", b"MULTI\r\nSET bar v\r\n"), 0))
    members = server.cluster.membership
    members.claim(members.nodes["n4"], 9, members.me.slots)
    list(server.handle(Received("x", b"EXEC\r\nEXEC\r\n"), 0))
    assert bytes(server.clients["x"].output).endswith(b"-MOVED 5061 n4:6379\r\n-ERR EXEC without MULTI\r\n")


def test_what_the_nodes_tell_of_one_another() -> None:
    room = Room().run(3)
    shards = room.ask("n5", "CLUSTER", "SLOTS")
    assert isinstance(shards, list)
    assert [[row[0], row[1], row[2][0], row[3][0]] for row in shards] == [
        [0, 5460, b"n1", b"n4"],
        [5461, 10922, b"n2", b"n5"],
        [10923, 16383, b"n3", b"n6"],
    ]
    assert shards[0][2][2] == node_id("n1").encode()
    assert room.ask("n3", "CLUSTER", "MYID") == node_id("n3").encode()
    nodes = room.ask("n3", "CLUSTER", "NODES")
    assert isinstance(nodes, bytes)
    assert f"{node_id('n3')} n3:6379@16379 myself,master - 0 0 3 connected 10923-16383" in nodes.decode().splitlines()
    assert len(nodes.splitlines()) == 6
    info = room.ask("n3", "CLUSTER", "INFO")
    assert isinstance(info, bytes)
    for field in (b"cluster_state:ok", b"cluster_size:3", b"cluster_known_nodes:6", b"cluster_my_epoch:3"):
        assert field in info
    parts = room.ask("n3", "CLUSTER", "SHARDS")
    assert isinstance(parts, list)
    assert len(parts) == 3
    hello = room.ask("n3", "HELLO")
    assert isinstance(hello, list)
    assert hello[hello.index(b"mode") + 1] == b"cluster"


def test_a_cluster_is_made_by_commands() -> None:
    """As redis-cli --cluster create does it; nodes hear of one another by gossip, as nobody introduced n2 to n3."""
    room = made_by_commands()
    for name in room.names:
        assert room.server(name).view()["state"] == "ok", name
        assert len(room.cluster(name).membership.nodes) == 4, name
    assert room.cluster("n3").membership.me.config_epoch == 3
    assert room.ask("n2", "SET", "bar", "v") == ErrorReply("MOVED 5061 n1:6379")
    assert room.ask("n1", "SET", "bar", "v") == OK
    assert room.cluster("n3").membership.nodes["n4"].primary == "n1"


def test_an_epoch_that_could_not_be_read_again_is_refused() -> None:
    room = Room(nodes=1, primaries=0).run(0.5)
    refusal = room.ask("n1", "CLUSTER", "SET-CONFIG-EPOCH", 10**18)
    assert refusal == ErrorReply(f"ERR Invalid config epoch specified: {10**18}")
    assert room.ask("n1", "CLUSTER", "SET-CONFIG-EPOCH", 10**17) == OK
    room.world.act(Crash("n1", "power loss"))
    room.world.act(Restart("n1"))
    room.run(1)
    assert room.cluster("n1").membership.current_epoch == 10**17


def made_by_commands() -> Room:
    room = Room(nodes=4, primaries=0).run(0.5)
    for number, (name, ends) in enumerate({"n1": (0, 5460), "n2": (5461, 10922), "n3": (10923, 16383)}.items(), 1):
        assert room.ask(name, "CLUSTER", "SET-CONFIG-EPOCH", number) == OK
        assert room.ask(name, "CLUSTER", "ADDSLOTSRANGE", *ends) == OK
    for name in room.names[1:]:
        assert room.ask("n1", "CLUSTER", "MEET", name, 6379) == OK
    room.run(5)
    assert room.ask("n4", "CLUSTER", "REPLICATE", node_id("n1")) == OK
    return room.run(4)


def test_a_connection_of_the_bus_is_no_client_and_garbage_on_it_closes_it() -> None:
    bench = Bench(name="n1", cluster_enabled=True)
    bench.effects.clear()
    bench.deliver(Received("one", GREETING[:7]))
    bench.deliver(Received("one", GREETING[7:] + b"*1\r\n"))
    assert bench.server.clients == {}
    assert not bench.of(Close)
    bench.deliver(Received("one", b"$4\r\nPING\r\n"))
    assert [effect.connection for effect in bench.of(Close)] == ["one"]
    assert "one" not in bench.sent


def test_a_server_without_cluster_and_a_configuration_that_wants_two_things() -> None:
    with pytest.raises(ConfigError, match="replicaof cannot be set with cluster_enabled"):
        Bench(name="n1", cluster_enabled=True, replicaof="n2")
    with pytest.raises(ConfigError, match="needs the machine's name"):
        Bench(cluster_enabled=True)
    assert b"cluster_enabled:0" in Bench().send("INFO", "cluster")
    assert Bench().send("CLUSTER", "INFO").startswith(b"-ERR")


def test_a_takeover_that_a_transaction_says_twice_is_one() -> None:
    bench = Bench(name="n2", topology=Topology.of(["n1", "n2"], 1), cluster_enabled=True)
    bench.send("MULTI")
    for _ in range(2):
        bench.send("CLUSTER", "FAILOVER", "TAKEOVER")
    assert bench.send("EXEC") == b"*2\r\n+OK\r\n+OK\r\n"
    assert [note.facts["old"] for note in bench.of(Note) if note.kind == "elected"] == ["n1"]
