"""CONFIG, CLIENT, HELLO, AUTH, INFO, SHUTDOWN ...: the same words as a real Redis 7.0, reply by reply."""

from __future__ import annotations

import shlex

import pytest
from realserver import RealServer, ServerBinary, parse_reply, wait_until
from redistools import Bench, command
from requirements import need

from durable_redis.contract import Received
from durable_redis.redis.config import OPTION_NAMES, Config, ConfigError

SAME = r"""
CONFIG|CONFIG GET|CONFIG GET appendfsync|CONFIG GET nosuch|CONFIG GET [az]z|CONFIG GET [^a]epl-timeout
CONFIG GET save|CONFIG FOO
CONFIG SET|CONFIG SET hz|CONFIG SET hz 10 save|CONFIG SET nosuch 1|CONFIG SET hz 10 hz 20
CONFIG SET appendfsync sometimes|CONFIG SET appendfsync ALWAYS|CONFIG GET appendfsync|CONFIG SET appendfsync everysec
CONFIG SET appendonly maybe|CONFIG SET appendfilename x|CONFIG SET appenddirname x|CONFIG SET dbfilename x.rdb
CONFIG SET hz abc|CONFIG SET hz -1|CONFIG SET hz 0|CONFIG GET hz|CONFIG SET hz 501|CONFIG GET hz|CONFIG SET hz 1kb
CONFIG SET save abc|CONFIG SET save 60|CONFIG SET save '60 10 3'|CONFIG SET save '0 10'|CONFIG SET save '10 -1'
CONFIG SET save '60 1000 10 5'|CONFIG GET save|CONFIG SET save ''|CONFIG GET save
CONFIG SET auto-aof-rewrite-min-size abc|CONFIG SET auto-aof-rewrite-min-size -1
CONFIG SET auto-aof-rewrite-min-size 1kb|CONFIG GET auto-aof-rewrite-min-size
CONFIG SET auto-aof-rewrite-min-size 3M|CONFIG GET auto-aof-rewrite-min-size
CONFIG SET auto-aof-rewrite-percentage -1|CONFIG SET auto-aof-rewrite-percentage abc
CONFIG SET stop-writes-on-bgsave-error 1|CONFIG SET hz 11 nosuch 1|CONFIG GET hz|CONFIG RESETSTAT|CONFIG RESETSTAT x
CLIENT|CLIENT ID x|CLIENT FOO|CLIENT GETNAME|CLIENT SETNAME bob|CLIENT GETNAME|CLIENT SETNAME 'a b'
CLIENT SETNAME ''|CLIENT GETNAME|CLIENT SETNAME
HELLO 1|HELLO 4|HELLO -1|HELLO abc|HELLO 2 FOO|HELLO 2 SETNAME|HELLO 2 SETNAME 'a b'|HELLO 2 AUTH a|HELLO 2 AUTH a b
AUTH|AUTH x|AUTH default x|AUTH foo x|AUTH a b c
SAVE|SAVE x|BGSAVE x|BGSAVE SCHEDULE x|BGREWRITEAOF x|LASTSAVE x|ROLE|ROLE x
SHUTDOWN FOO|SHUTDOWN SAVE NOSAVE|SHUTDOWN ABORT|SHUTDOWN ABORT NOW|SHUTDOWN NOW ABORT|SHUTDOWN NOSAVE NOW SAVE
INFO nosuch|DEBUG|DEBUG FOO|DEBUG SLEEP|DEBUG SLEEP abc|DEBUG SLEEP 0
MULTI|CONFIG SET hz 12|SAVE|EXEC|MULTI|SHUTDOWN|EXEC|MULTI|CONFIG FOO|EXEC|MULTI|CONFIG SET hz 12|CONFIG GET hz|EXEC
MULTI|INFO nosuch|AUTH x|HELLO 2 FOO|EXEC|MULTI|QUIT|
BGSAVE|BGSAVE SCHEDULE|BGREWRITEAOF|MULTI|BGSAVE|EXEC|MULTI|BGSAVE SCHEDULE|EXEC|MULTI|BGREWRITEAOF|EXEC
FLUSHALL FOO|FLUSHALL|FLUSHALL ASYNC|MULTI|FLUSHALL|EXEC|PING|PING a b|SELECT 16|SELECT abc
"""


@pytest.fixture(scope="module")
def redis_7(real_servers: list[ServerBinary]) -> ServerBinary:
    found = [binary for binary in real_servers if binary.version[:2] == (7, 0)]
    need(bool(found), "no real Redis 7.0 is installed here")
    return found[0]


def quiet(server: RealServer) -> bool:
    text = server.exchange("INFO", "persistence")
    busy = (b"rdb_bgsave_in_progress:1", b"aof_rewrite_in_progress:1", b"aof_rewrite_scheduled:1")
    return not any(field in text for field in busy)


def test_the_same_replies_as_a_real_one(redis_7: ServerBinary) -> None:
    lines = [line for line in SAME.replace("\n", "|").split("|") if line and line != "QUIT"]
    assert len(lines) > 130
    bench, in_transaction, different = Bench(save=()), False, []
    with RealServer(redis_7, "--enable-debug-command", "yes") as real:
        for line in lines:
            words = shlex.split(line)
            theirs, ours = real.exchange(*words), bench.send(*words)
            if theirs != ours:
                different.append((line, theirs, ours))
            in_transaction = (in_transaction or words[0] == "MULTI") and words[0] != "EXEC"
            if not in_transaction:
                for _ in range(2):
                    bench.cron(6_000_000)
                    bench.finish()
                wait_until(lambda: quiet(real), "no child is running")
    assert not different


def test_the_fields_of_info_are_real_ones(redis_7: ServerBinary) -> None:
    def names(text: bytes) -> set[str]:
        lines = text.decode().splitlines()
        return {line.partition(":")[0] for line in lines if ":" in line and not line.startswith("#")}

    bench = Bench(appendonly=True)
    with RealServer(redis_7, "--appendonly", "yes") as real:
        for server in (real.exchange, bench.send):
            server("SET", "k", "v")
        theirs, ours = real.exchange("INFO", "everything"), bench.send("INFO", "everything")
        assert names(ours) <= names(theirs)
        assert len(names(ours)) > 35
        keyspace = b"db0:keys=1,expires=0,avg_ttl=0\r\n"
        assert keyspace in theirs
        assert keyspace in ours
        order = [line for line in ours.split(b"\r\n") if line.startswith(b"# ")]
        assert order == [line for line in theirs.split(b"\r\n") if line in order], "the same sections in the same order"


def test_hello_tells_the_same_things(redis_7: ServerBinary) -> None:
    bench = Bench()
    with RealServer(redis_7) as real:
        theirs = real.execute("HELLO", "3")
        bench.deliver(Received("one", command("HELLO", 3)))
        ours = parse_reply(bench.sent["one"])
        assert [key for key, _ in ours.pairs] == [key for key, _ in theirs.pairs]
        assert {k: v for k, v in ours.pairs if k != b"id"} == {k: v for k, v in theirs.pairs if k != b"id"}


def test_with_a_password(redis_7: ServerBinary) -> None:
    bench = Bench(requirepass="secret")
    lines = "PING|HELLO 3|HELLO 3 AUTH default wrong|AUTH wrong|AUTH x secret|NOSUCH|GET|GET k|MULTI|EXEC|AUTH secret"
    with RealServer(redis_7) as starter:
        starter.execute("CONFIG", "SET", "requirepass", "secret")
        with starter.connect() as real:
            for line in lines.split("|"):
                assert bench.send(*line.split()) == real.exchange(*line.split()), line


# -- without a real one ----------------------------------------------------------------------------------------------


def test_config_get_knows_every_option_in_the_words_of_redis_conf() -> None:
    bench = Bench(save=((60, 1000), (1, 1)), appendonly=True)
    for name in OPTION_NAMES:
        assert bench.send("CONFIG", "GET", name.upper()).startswith(b"*2\r\n"), name
    both = bench.send("CONFIG", "GET", "save", "appendonly")
    assert both.endswith(b"60 1000 1 1\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n")


def test_config_set_is_all_or_nothing() -> None:
    bench = Bench()
    assert bench.send("CONFIG", "SET", "hz", 20, "appendfsync", "never").startswith(b"-ERR CONFIG SET failed")
    assert bench.server.config == Config()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"appendfsync": "sometimes"}, "appendfsync can be everysec, always, no, not 'sometimes'"),
        ({"hz": 0}, "hz can be 1 to 500"),
        ({"hz": "10"}, "hz is of type int, such as 10, not '10'"),
        ({"appendonly": 1}, "appendonly is of type bool, such as False, not 1"),
        ({"save": (60, 1000)}, "save is ((seconds, changes), ...), such as ((60, 1000),), not (60, 1000)"),
        ({"save": ((60,),)}, "save is ((seconds, changes), ...)"),
        ({"save": ((0, 1),)}, "save is ((seconds, changes), ...)"),
        ({"save": 60}, "save is of type tuple"),
        ({"save": "60"}, "Invalid save parameters"),
        ({"dbfilename": "../dump.rdb"}, "dbfilename is the name of a file, not a path: '../dump.rdb' will not do"),
        ({"appendfilename": ""}, "appendfilename is the name of a file"),
        ({"auto_aof_rewrite_min_size": -1}, "auto_aof_rewrite_min_size can be 0 or more, not -1"),
        ({"appendfsnyc": "always"}, "there is no option 'appendfsnyc': the model knows save, dbfilename"),
    ],
)
def test_an_impossible_configuration_is_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.of(**options)
    assert said in str(caught.value)


def test_save_points_may_be_written_in_three_ways() -> None:
    assert Config.of(save="60 1000 1 1") == Config.of(save=[[60, 1000], (1, 1)]) == Config.of(save=((60, 1000), (1, 1)))


def test_info_of_one_section() -> None:
    text = Bench(appendonly=True).send("INFO", "replication")
    assert b"# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n" in text
    assert b"# Server" not in text


def test_the_list_of_clients() -> None:
    bench = Bench()
    bench.open("two")
    bench.send("CLIENT", "SETNAME", "bob")
    assert bench.send("CLIENT", "LIST").splitlines()[1:] == [
        b"id=1 addr=one name=bob db=0 multi=-1 resp=2 tot-cmds=2",
        b"id=2 addr=two name= db=0 multi=-1 resp=2 tot-cmds=0",
        b"",
    ]
    assert bench.send("CLIENT", "ID", connection="two") == b":2\r\n"


def test_statistics_start_again() -> None:
    bench = Bench()
    bench.send("PING")
    bench.send("CONFIG", "RESETSTAT")
    assert b"total_commands_processed:1\r\n" in bench.send("INFO", "stats")


def test_lastsave_is_in_seconds() -> None:
    bench = Bench()
    assert bench.send("LASTSAVE") == b":1700000000\r\n"
    bench.now_us += 5_500_000
    bench.send("SAVE")
    assert bench.send("LASTSAVE") == b":1700000005\r\n"
