"""The engine by literal replies: dispatch, transactions, expiry, scanning, luck, extension."""

from __future__ import annotations

import random

import pytest
from enginetools import NOW_MS, Driver, words

from durable_redis.engine import Call, Command, CommandError, Engine, Session
from durable_redis.engine.arguments import add_floats, parse_float
from durable_redis.engine.glob import compile_glob
from durable_redis.formats.resp import NULL_ARRAY, OK, Double, ErrorReply, Map, Members, Reply, Status

QUEUED = Status(b"QUEUED")


def test_errors_of_dispatch() -> None:
    drive = Driver()
    assert drive("nosuch a b") == ErrorReply("ERR unknown command 'nosuch', with args beginning with: 'a' 'b' ")
    assert drive("gEt") == ErrorReply("ERR wrong number of arguments for 'get' command")
    assert drive("OBJECT nosuch k") == ErrorReply("ERR unknown subcommand 'nosuch'. Try OBJECT HELP.")
    assert drive("OBJECT encoding") == ErrorReply("ERR wrong number of arguments for 'object|encoding' command")
    assert drive("sEt k v") == OK


def test_shapes_of_replies() -> None:
    drive = Driver()
    drive("ZADD z 1.5 a 2 b")
    drive("HSET h f v")
    assert drive("ZSCORE z a") == Double(1.5)
    assert drive("ZRANGE z 0 -1 WITHSCORES") == [b"a", Double(1.5), b"b", Double(2.0)]
    drive.session.protocol = 3
    assert drive("ZRANGE z 0 -1 WITHSCORES") == [[b"a", Double(1.5)], [b"b", Double(2.0)]]
    assert drive("HGETALL h") == Map([(b"f", b"v")])
    assert drive("SMEMBERS none") == Members([])
    assert drive("LPOP none 1") == NULL_ARRAY


def test_a_replaced_command_table_row_and_a_bound_method() -> None:
    class Server:
        calls = 0

        def info(self, call: Call) -> Reply:
            self.calls += 1
            if len(call.argv) > 1 and call.argv[1] == b"bad":
                raise CommandError("ERR bad section")
            return b"calls:%d" % self.calls

    server = Server()
    drive = Driver()
    drive.engine.add_commands([Command("info", -1, "loading stale", server.info)])
    assert drive("INFO") == b"calls:1"
    assert drive("info bad") == ErrorReply("ERR bad section")
    drive("MULTI")
    assert drive("INFO") == QUEUED
    assert drive("EXEC") == [b"calls:3"]
    found = drive.engine.lookup(words("set k v"))
    assert isinstance(found, Command)
    assert (found.name, found.writes, found.keys(words("set k v"))) == ("set", True, [b"k"])


def test_admission_refuses_and_aborts() -> None:
    drive = Driver()
    readonly = ErrorReply("READONLY You can't write against a read only replica.")
    drive.engine.admit = lambda session, command, argv: readonly if command.writes else None
    assert drive("SET k v") == readonly
    drive("MULTI")
    assert drive("SET k v") == readonly
    assert drive("EXEC") == ErrorReply("EXECABORT Transaction discarded because of previous errors.")
    assert drive("GET k") is None


@pytest.mark.parametrize(
    ("make", "write", "read"),
    [
        ("RPUSH a x", "RPUSH a y", "LRANGE b 0 -1"),
        ("HSET a x 1", "HSET a y 1", "HKEYS b"),
        ("SADD a x", "SADD a y", "SUNION b"),
        ("ZADD a 1 x", "ZADD a 1 y", "ZRANGE b 0 -1"),
    ],
)
def test_a_copy_shares_nothing_with_its_original(make: str, write: str, read: str) -> None:
    drive = Driver()
    drive(make)
    drive("COPY a b")
    drive(write)
    assert drive(read) in ([b"x"], Members([b"x"]))


# ---------------------------------------------------------------------------------------------------------------------
# Transactions
# ---------------------------------------------------------------------------------------------------------------------


def test_a_transaction_does_not_roll_back() -> None:
    drive = Driver()
    drive("MULTI")
    assert [drive(line) for line in ("SET k v", "LPUSH k x", "APPEND k w")] == [QUEUED] * 3
    wrong_type = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert drive("EXEC") == [OK, wrong_type, 2]
    assert drive("EXEC") == ErrorReply("ERR EXEC without MULTI")


def test_a_command_that_cannot_be_queued_aborts_the_transaction() -> None:
    drive = Driver()
    drive("MULTI")
    drive("SET k v")
    assert isinstance(drive("GET"), ErrorReply)
    assert drive("EXEC") == ErrorReply("EXECABORT Transaction discarded because of previous errors.")
    assert drive("EXISTS k") == 0


@pytest.mark.parametrize(
    ("line", "fails"),
    [
        ("SET k other", True),
        ("SET unrelated other", False),
        ("DEL k", True),
        ("EXPIRE k 10", True),
        ("GET k", False),
        ("FLUSHALL", True),
        ("SWAPDB 0 1", True),
        ("RENAME k l", True),
    ],
)
def test_watch(line: str, fails: bool) -> None:
    drive, other = Driver(), Session("other")
    drive("SET k v")
    drive("WATCH k")
    drive(line, other)
    drive("MULTI")
    drive("PING")
    assert drive("EXEC") == (NULL_ARRAY if fails else [Status(b"PONG")])
    assert drive.engine.keyspace.databases[0].watched == {}


def test_a_list_that_an_element_is_moved_to_counts_as_written() -> None:
    drive, other = Driver(), Session("other")
    drive("RPUSH source a")
    drive("RPUSH target b")
    drive("WATCH target")
    drive("RPOPLPUSH source target", other)
    drive("MULTI")
    assert drive("EXEC") == NULL_ARRAY


def test_a_watched_key_that_expires_fails_the_transaction_but_not_if_it_had_expired_before() -> None:
    drive = Driver()
    drive("SET k v PX 5")
    drive("WATCH k")
    drive("MULTI")
    drive.now_ms += 6
    assert drive("EXEC") == NULL_ARRAY
    drive("SET k v PX 5")
    drive.now_ms += 6
    drive("WATCH k")  # still in memory, but expired
    drive("GET k")  # deletes it: no change for this client
    drive("MULTI")
    assert drive("EXEC") == []


# ---------------------------------------------------------------------------------------------------------------------
# Expiry
# ---------------------------------------------------------------------------------------------------------------------


def test_a_key_lives_up_to_and_including_its_last_millisecond() -> None:
    drive = Driver()
    drive("SET k v PX 5")
    drive.now_ms += 5
    assert (drive("GET k"), drive("PTTL k")) == (b"v", 0)
    drive.now_ms += 1
    assert (drive("GET k"), drive("PTTL k"), drive("DBSIZE")) == (None, -2, 0)


def test_the_active_cycle_deletes_the_earliest_first_up_to_its_limit() -> None:
    drive = Driver()
    for name, ttl in (("c", 3), ("a", 3), ("b", 1), ("late", 100)):
        drive(f"SET {name} v PX {ttl}")
    drive("SET b v PX 2")
    drive("PERSIST c")
    drive.effects()
    drive.now_ms += 50
    assert drive.engine.expire_cycle(drive.now_ms, limit=1) == 1
    assert drive.effects() == ["DEL b"]
    assert drive.engine.expire_cycle(drive.now_ms) == 1
    assert drive.effects() == ["DEL a"]
    assert drive.engine.keyspace.databases[0].next_deadline() == (NOW_MS + 100, b"late")
    assert drive.engine.expired_keys == 2


def test_rewriting_one_expiry_time_for_ever_does_not_fill_the_heap() -> None:
    drive = Driver()
    for ttl in range(1, 1000):
        drive(f"SET k v PX {ttl}")
    assert len(drive.engine.keyspace.databases[0].deadlines) < 100


def test_a_replica_hides_expired_keys_and_waits_for_the_deletion() -> None:
    drive = Driver()
    drive.engine.apply(0, words("SET k v PXAT 1"), NOW_MS)
    drive.engine.is_replica = True
    assert drive("GET k") is None
    assert drive("DBSIZE") == 1
    assert drive.engine.expire_cycle(NOW_MS) == 0
    assert drive.engine.take_effects() == []
    drive.engine.apply(0, words("DEL k"), NOW_MS)
    assert drive("DBSIZE") == 0


def test_while_an_effect_is_applied_an_expired_key_is_still_there() -> None:
    drive = Driver()
    drive.engine.apply(0, words("SET k 5 PXAT 1"), NOW_MS)
    assert drive.engine.apply(0, words("INCR k"), NOW_MS) == 6
    assert drive.engine.apply(0, words("PEXPIREAT k 2"), NOW_MS) == 1
    assert drive.engine.apply(0, words("PERSIST k"), NOW_MS) == 1
    assert drive("GET k") == b"6"


# ---------------------------------------------------------------------------------------------------------------------
# SCAN, luck, small languages
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "fill"), [("SCAN", "SET {} v"), ("SSCAN c", "SADD c {}"), ("HSCAN c", "HSET c {} v")]
)
def test_scan_returns_what_is_there_all_the_time_exactly_once(command: str, fill: str) -> None:
    drive, chance = Driver(), random.Random(3)
    steady = [f"steady-{number}" for number in range(300)]
    passing = [f"passing-{number}" for number in range(600)]
    everyone = steady + passing
    chance.shuffle(everyone)
    for name in everyone:
        drive(fill.format(name))
    seen: list[str] = []
    cursor = "0"
    while True:
        reply = drive(f"{command} {cursor} COUNT 7")
        assert isinstance(reply, list)
        cursor = reply[0].decode()
        seen += [name.decode() for name in reply[1] if name.startswith(b"steady")]
        if cursor == "0":
            break
        name = passing[chance.randrange(len(passing))]
        removal = {"SCAN": f"DEL {name}", "SSCAN c": f"SREM c {name}", "HSCAN c": f"HDEL c {name}"}[command]
        drive(removal if chance.random() < 0.5 else fill.format(name))
    assert sorted(seen) == sorted(steady)


def test_scan_returns_names_of_the_same_hash_together() -> None:
    drive = Driver()
    drive("MSET plumless v buckeroo v other v")  # the first two have the same CRC-32
    first = drive("SCAN 0 COUNT 1")
    assert isinstance(first, list)
    second = drive(f"SCAN {first[0].decode()} COUNT 1")
    assert isinstance(second, list)
    assert sorted(first[1] + second[1]) == [b"buckeroo", b"other", b"plumless"]


def test_luck_comes_from_the_seed_alone() -> None:
    def outcome(seed: int) -> list[Reply]:
        drive = Driver(seed)
        drive("SADD s " + " ".join(f"m{number}" for number in range(50)))
        drive("SET k v")
        return [drive(line) for line in ("SPOP s", "SRANDMEMBER s -5", "SPOP s 3", "RANDOMKEY", "SRANDMEMBER s")]

    assert outcome(1) == outcome(1)
    assert outcome(1) != outcome(2)


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("SET k 12", b"int"),
        ("SET k x", b"embstr"),
        (f"SET k {'x' * 45}", b"raw"),
        ("RPUSH k a", b"quicklist"),
        ("HSET k f v", b"listpack"),
        (f"HSET k f {'x' * 65}", b"hashtable"),
        ("SADD k 1 2", b"intset"),
        ("SADD k 1 a", b"hashtable"),
        ("ZADD k 1 a", b"listpack"),
        ("ZADD k " + " ".join(f"1 m{number}" for number in range(129)), b"skiplist"),
    ],
)
def test_object_encoding(line: str, encoding: bytes) -> None:
    drive = Driver()
    drive(line)
    assert drive("OBJECT ENCODING k") == encoding


def test_command_info() -> None:
    drive = Driver()
    assert drive("COMMAND COUNT") == len(drive.engine.commands)
    (row, nothing) = drive("COMMAND INFO set nosuch")  # type: ignore[misc]
    assert row[:6] == [b"set", -3, Members([Status(b"write"), Status(b"denyoom")]), 1, 1, 1]
    assert nothing is None
    assert drive("COMMAND DOCS") == Map([])


def test_sort_by_and_get() -> None:
    drive = Driver()
    for line in (
        "RPUSH l a b c",
        "MSET weight_a 3 weight_b 1 weight_c 2",
        "HSET user_a name Ann",
        "HSET user_b name Bob",
    ):
        drive(line)
    assert drive("SORT l BY weight_* GET # GET user_*->name") == [b"b", b"Bob", b"c", None, b"a", b"Ann"]
    assert drive("SORT l BY nosort") == [b"a", b"b", b"c"]
    assert drive("SORT l BY weight_* STORE out") == 3
    assert drive("LRANGE out 0 -1") == [b"b", b"c", b"a"]


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (b"h?llo", b"hello", True),
        (b"h[^e]llo", b"hello", False),
        (b"h[a-e]llo", b"hello", True),
        (b"a*c*e", b"abcde", True),
        (b"a*c*e", b"abcd", False),
        (b"*ab", b"aab", True),
        (b"a\\*", b"a*", True),
        (b"a\\*", b"ab", False),
        (b"*" + b"a*" * 40 + b"b", b"a" * 500, False),
        (b"*", b"\n", True),
    ],
)
def test_glob(pattern: bytes, text: bytes, matches: bool) -> None:
    assert bool(compile_glob(pattern).fullmatch(text)) == matches


def test_floats() -> None:
    assert add_floats(b"0.1", b"0.2") == b"0.3"
    assert add_floats(b"3", b"-3.5") == b"-0.5"
    assert [parse_float(text) for text in (b"1_0", b" 1", b"nan", b"1e400", b"", b"1e-400")] == [None] * 6
    assert [parse_float(text) for text in (b"-inf", b".5", b"5.", b"0x10")] == [float("-inf"), 0.5, 5.0, 16.0]
    with pytest.raises(CommandError, match="not a valid float"):
        add_floats(b"1e999999999999", b"1")


def test_nothing_a_client_can_send_raises() -> None:
    engine, session, chance = Engine(random.Random(1)), Session("client"), random.Random(5)
    names = list(engine.commands)
    pool = [b"", b"0", b"1", b"-1", b"k", b"\xff\x00", b"GET", b"COUNT", b"LIMIT", b"9" * 30, b"*", b"["]
    for _ in range(5000):
        argv = [chance.choice(names).encode(), *chance.choices(pool, k=chance.randrange(6))]
        engine.execute(session, argv, NOW_MS)
    engine.execute(session, [b""], NOW_MS)
