"""One node and its log: what is executed, what is appended, what is told, and when."""

from __future__ import annotations

import pytest

from durable_redis.contract import Received
from durable_redis.formats.resp import ErrorReply, Status
from durable_redis.memorydb.claims import Claim, ClaimError
from durable_redis.memorydb.config import MemoryDBConfig
from durable_redis.memorydb.leadership import Phase
from durable_redis.memorydb.log import DATA, HANDOVER, LEADERSHIP, RENEWAL
from durable_redis.memorydb.log.local import LocalLog
from durable_redis.memorydb.record import Record
from durable_redis.memorydb.writebehind import WriteBehind
from durable_redis.redis.config import ConfigError
from tests.memorydb.shardtools import Room

OK = Status(b"OK")


def entries(room: Room) -> list[tuple[str, object]]:
    """What is in the log: (kind, commands of a record, or who claims)."""
    found = room.log.read(room.log.sequence.cut).entries  # type: ignore[union-attr]
    return [(e.kind, Record.decode(e.body).commands() if e.kind == DATA else Claim.decode(e.body).node) for e in found]


def error(reply: object) -> str:
    assert isinstance(reply, ErrorReply), reply
    return reply.text


# -- the order of things ----------------------------------------------------------------------------------------------


def test_a_write_is_told_when_its_record_is_committed_and_not_before() -> None:
    room = Room("n1")
    room.send("n1", "SET", "k", "v")
    assert room.data("n1") == {b"k": b"v"}, "it is executed at once"
    assert room.told("n1") == [], "and told to nobody"
    room.advance(1)
    assert room.told("n1") == []
    room.advance(2)
    assert room.told("n1") == [OK]
    assert entries(room) == [(LEADERSHIP, "n1"), (DATA, [[b"SET", b"k", b"v"]])]


def test_all_that_comes_while_a_record_travels_is_the_next_record() -> None:
    room = Room("n1")
    for number in range(5):
        room.send("n1", "SET", f"k{number}", number, connection=f"c{number}")
    room.advance(10)
    assert [len(what) for kind, what in entries(room) if kind == DATA] == [1, 4]  # type: ignore[arg-type]
    assert all(room.told("n1", f"c{number}") == [OK] for number in range(5))


def test_a_record_ends_where_it_is_full_and_cuts_no_command() -> None:
    room = Room("n1", record_bytes=100)
    for number in range(6):
        room.send("n1", "SET", f"k{number}", "x" * 30)
    room.advance(50)
    sizes = [len(what) for kind, what in entries(room) if kind == DATA]  # type: ignore[arg-type]
    assert sizes == [1, 1, 1, 1, 1, 1]
    assert room.told("n1") == [OK] * 6


def test_a_transaction_is_one_record_and_a_read_is_none() -> None:
    room = Room("n1", record_bytes=1)
    for words in (("MULTI",), ("SET", "a", 1), ("INCR", "a"), ("EXEC",), ("GET", "a")):
        room.send("n1", *words)
    room.advance(10)
    assert room.told("n1")[-2:] == [[OK, 2], b"2"]
    data = [what for kind, what in entries(room) if kind == DATA]
    assert data == [[[b"MULTI"], [b"SET", b"a", b"1"], [b"INCR", b"a"], [b"EXEC"]]]


def test_effects_are_logged_and_not_commands() -> None:
    room = Room("n1")
    room.ask("n1", "SADD", "s", "a", "b", "c")
    popped = room.ask("n1", "SPOP", "s")
    (*_, (_, last)) = entries(room)
    assert last == [[b"SREM", b"s", popped]]


# -- the tracker at work ----------------------------------------------------------------------------------------------


def test_a_read_of_what_is_not_in_the_log_waits_and_other_reads_do_not() -> None:
    room = Room("n1")
    room.ask("n1", "SET", "old", "1")
    room.send("n1", "SET", "new", "2", connection="writer")
    room.send("n1", "GET", "new", connection="curious")
    room.send("n1", "GET", "old", connection="other")
    room.send("n1", "DBSIZE", connection="counter")
    assert room.told("n1", "other") == [b"1"]
    assert room.told("n1", "curious") == room.told("n1", "counter") == room.told("n1", "writer") == []
    room.advance(5)
    assert room.told("n1", "curious") == [b"2"]
    assert room.told("n1", "counter") == [2]
    assert room["n1"].kinds().count("held") == room["n1"].kinds().count("released") == 4


@pytest.mark.parametrize(
    "words",
    [("SETNX", "new", "3"), ("EXISTS", "new"), ("LPUSH", "new", "x"), ("MGET", "old", "new"), ("KEYS", "*")],
)
def test_whatever_shows_an_uncommitted_change_waits(words: tuple[str, ...]) -> None:
    room = Room("n1")
    room.ask("n1", "SET", "old", "1")
    room.send("n1", "SET", "new", "2", connection="writer")
    room.send("n1", *words, connection="curious")
    assert room.told("n1", "curious") == []
    room.advance(5)
    assert len(room.told("n1", "curious")) == 1


def test_a_transaction_that_failed_because_of_an_uncommitted_change_waits() -> None:
    room = Room("n1")
    for words in (("WATCH", "k"), ("MULTI",), ("GET", "other")):
        room.ask("n1", *words)
    room.send("n1", "SET", "k", "2", connection="writer")
    room.send("n1", "EXEC")
    assert len(room.told("n1")) == 3, "that it failed says that somebody has written k"
    room.advance(5)
    assert room.told("n1")[-1] is not OK
    assert len(room.told("n1")) == 4


def test_answers_keep_their_order_on_a_connection() -> None:
    room = Room("n1")
    room.ask("n1", "SET", "old", "1")
    for words in (("SET", "new", "2"), ("GET", "old"), ("PING",)):
        room.send("n1", *words)
    assert room.told("n1") == [OK]
    room.advance(5)
    assert room.told("n1") == [OK, OK, b"1", Status(b"PONG")]


def test_unknown_is_no_answer_and_the_record_goes_in_once() -> None:
    room = Room("n1", "n2", log=LocalLog(patience_us=100_000))
    room.log.down = True
    room.send("n1", "SET", "k", "v")
    room.advance(300)
    assert room.told("n1") == []
    assert "unknown" in room["n1"].kinds()
    room.log.down = False
    room.advance(50)
    assert room.told("n1") == [OK]
    assert [what for kind, what in entries(room) if kind == DATA] == [[[b"SET", b"k", b"v"]]]


# -- who may be asked what --------------------------------------------------------------------------------------------


def test_a_replica_redirects_and_may_be_read_by_who_says_so() -> None:
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "v")
    assert error(room.ask("n2", "SET", "k", "w")) == "MOVED 7629 n1:6379"
    assert error(room.ask("n2", "GET", "k")) == "MOVED 7629 n1:6379"
    assert room.ask("n2", "READONLY") == OK
    assert room.ask("n2", "GET", "k") == b"v"
    assert error(room.ask("n2", "FLUSHALL")).startswith("READONLY")
    assert room.ask("n2", "CLUSTER", "SLOTS") == [[0, 16383, [b"n1", 6379, b"n1", []], [b"n2", 6379, b"n2", []]]]


def test_a_replica_holds_only_what_is_committed() -> None:
    room = Room("n1", "n2")
    room.log.down = True
    room.send("n1", "SET", "k", "v")
    room.advance(100)
    assert (room.data("n1"), room.data("n2")) == ({b"k": b"v"}, {})
    room.log.down = False
    room.advance(10)
    assert room.data("n2") == {b"k": b"v"}


def test_keys_of_two_slots_and_a_second_database_are_refused() -> None:
    room = Room("n1")
    assert error(room.ask("n1", "MSET", "a", 1, "b", 2)).startswith("CROSSSLOT")
    assert room.ask("n1", "MSET", "{x}a", 1, "{x}b", 2) == OK
    assert "SELECT is not allowed" in error(room.ask("n1", "SELECT", 1))
    assert room.ask("n1", "SELECT", 0) == OK


def test_a_node_that_starts_has_everything_from_the_log() -> None:
    room = Room("n1", "n2")
    for number in range(20):
        room.ask("n1", "RPUSH", "list", number)
    everything = room.data("n1")
    room.start("n2")
    room.advance(1)
    assert error(room.ask("n2", "GET", "k")) != ""
    room.advance(20)
    assert room["n2"].node.ready
    assert {key: value.items for key, value in room.data("n2").items()} == {
        key: value.items for key, value in everything.items()
    }


def test_a_leader_deletes_what_expires_and_the_replica_hears_of_it() -> None:
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "v", "PX", 300)
    room.advance(250)
    assert b"k" in room.data("n2")
    room.advance(300)
    assert room.data("n1") == room.data("n2") == {}
    assert entries(room)[-1] in ((DATA, [[b"DEL", b"k"]]), (RENEWAL, "n1"))


# -- what it says of itself -------------------------------------------------------------------------------------------


def test_a_node_says_who_it_is() -> None:
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "v")
    room.ask("n2", "PING")
    assert room.ask("n1", "ROLE") == [b"master", 27, [[b"n2", b"6379", b""]]]
    assert room.ask("n2", "ROLE") == [b"slave", b"n1", 6379, b"connected", 27]
    info = room.ask("n2", "INFO")
    assert isinstance(info, bytes)
    fields = dict(line.split(":") for line in info.decode().splitlines())
    assert (fields["role"], fields["phase"], fields["master_host"]) == ("slave", "following", "n1")
    assert fields["log_position"] == fields["log_tail"]
    assert (fields["log_offset"], fields["durability"]) == ("27", "sync")
    assert b"cluster_state:ok" in room.ask("n2", "CLUSTER", "INFO")  # type: ignore[operator]
    assert room.ask("n1", "CLUSTER", "MYID") == b"n1"
    assert room.ask("n1", "CLUSTER", "KEYSLOT", "foo") == 12182


def test_a_session() -> None:
    room = Room("n1")
    assert room.ask("n1", "CLIENT", "SETNAME", "me") == OK
    assert room.ask("n1", "CLIENT", "GETNAME") == b"me"
    assert error(room.ask("n1", "CLIENT", "SETNAME", "two words")).startswith("ERR Client names cannot")
    assert room.ask("n1", "CLIENT", "ID") == 1
    assert error(room.ask("n1", "HELLO", "4")).startswith("NOPROTO")
    hello = room.ask("n1", "HELLO")
    assert isinstance(hello, list)
    assert hello[:2] == [b"server", b"redis"]
    assert error(room.ask("n1", "CONFIG", "GET", "*")).startswith("ERR unknown command 'CONFIG'")
    assert room.ask("n1", "QUIT") == OK
    assert room["n1"].closed == ["one"]


@pytest.mark.parametrize("words", [("SORT", "l", "GET", "w_*"), ("SORT_RO", "l", "BY", "w_*")])
def test_nobody_reads_a_key_that_is_not_named(words: tuple[str, ...]) -> None:
    """The tracker knows the keys that a command names: through a pattern, an uncommitted value could be told."""
    room = Room("n1")
    room.ask("n1", "RPUSH", "l", "a", "b")
    assert "denied in Cluster mode" in error(room.ask("n1", *words))
    assert room.ask("n1", "SORT", "l", "ALPHA") == [b"a", b"b"]


def test_a_client_says_what_redis_would_take() -> None:
    room = Room("n1")
    assert "Syntax error in HELLO" in error(room.ask("n1", "HELLO", "3", "AUTH", "default", "x"))
    assert "Unrecognized option" in error(room.ask("n1", "CLIENT", "SETINFO", "colour", "red"))


def test_nonsense_is_answered_and_hung_up_on() -> None:
    room = Room("n1")
    room.send("n1", "SET", "k", "v")
    machine = room["n1"]
    machine.deliver(Received("one", b"*1\r\n$x\r\n"), room.now)
    assert room.told("n1") == [], "the answer before it still waits"
    room.advance(10)
    assert room.told("n1")[0] == OK
    assert "Protocol error" in error(room.told("n1")[1])
    assert machine.closed == ["one"]


@pytest.mark.parametrize("words", [("FAILOVER", "n2"), ("FAILOVER", "TO"), ("FAILOVER", "TO", "n1")])
def test_a_handover_to_nobody_is_refused(words: tuple[str, ...]) -> None:
    room = Room("n1", "n2")
    assert error(room.ask("n1", *words)).startswith("ERR")
    assert error(room.ask("n2", "FAILOVER")).startswith("ERR FAILOVER is for the primary")
    assert room.leader() == "n1"


def test_a_leader_whose_lease_is_over_hands_nothing_over_also_where_it_goes_on_serving() -> None:
    """With durability "async" it serves without a lease, and cannot know whether it is still its to give away."""
    room = Room("n1", "n2", durability="async")
    room.advance(500)
    room.log.down = True
    room.advance(2_500)
    assert room["n1"].node.leadership.phase is Phase.EXPIRED
    assert room.ask("n1", "SET", "k", "v") == OK
    assert error(room.ask("n1", "FAILOVER")).startswith("ERR FAILOVER is for the primary, while its lease holds")


# -- its parts --------------------------------------------------------------------------------------------------------


def test_offsets_count_the_bytes_of_the_units() -> None:
    behind = WriteBehind(100)
    assert behind.feed([[b"DEL", b"k"]], now=5) == 120
    assert behind.feed([[b"DEL", b"k"]], now=6) == 140
    assert behind.oldest_us() == 5
    assert behind.cut(20) == (120, b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n")
    assert (behind.committed, behind.oldest_us()) == (100, 5)
    assert behind.commit() == behind.committed == 120
    assert not behind.is_clean
    assert (behind.cut(1)[0], behind.commit(), behind.is_clean, behind.oldest_us()) == (140, 140, True, None)


def test_a_claim_goes_through_bytes_and_damage_has_a_name() -> None:
    claim = Claim("n1", "ab" * 20, "n2")
    assert Claim.decode(claim.encode()) == claim
    for body in (b"", b"*1\r\n$1\r\na\r\n", claim.encode()[:-1], claim.encode() + b"x", b"*x\r\n", b"\xff" * 20):
        with pytest.raises(ClaimError):
            Claim.decode(body)


@pytest.mark.parametrize("kind", [LEADERSHIP, RENEWAL, HANDOVER])
def test_an_entry_that_should_say_who_leads_and_does_not_is_refused_by_name(kind: str) -> None:
    """The log vouches for its bytes, and not for what they mean: nobody goes on behind it, and nobody falls over it."""
    room = Room("n1", "n2")
    room.log.append(room.log.tail().id, b"n1 leads", kind=kind)
    room.advance(2_000)
    for name in room.names:
        refused = [note.facts["why"] for note in room[name].notes if note.kind == "entry refused"]
        assert refused, name
        assert refused[0].startswith("a claim is cut")
        assert room[name].node.logbook.position < room.log.tail().id
        room.send(name, "GET", "k")
        assert error(room.told(name)[-1]).startswith("LOADING")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"backoff_ms": 2_000}, "the backoff must be strictly longer than the lease"),
        ({"renew_ms": 2_000}, "would end in between"),
        ({"durability": "maybe"}, 'durability can be "sync" or "async"'),
    ],
)
def test_what_cannot_be_configured(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        MemoryDBConfig(**options)  # type: ignore[arg-type]
