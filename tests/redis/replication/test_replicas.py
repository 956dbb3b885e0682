"""Life as a replica: what it answers, what it expires, whom it feeds, and what it makes of a strange primary."""

from __future__ import annotations

from typing import Any

import pytest
from redistools import Bench, command
from roomtools import Room

from durable_redis.contract import Close, Closed, Connect, Exit, Note, Opened, Received, Send, Write
from durable_redis.formats.rdb import Entry, encode
from durable_redis.redis.replication.phase import TRANSITIONS, Phase

REPLID = "d" * 40
READ_ONLY = b"-READONLY You can't write against a read only replica.\r\n"
MASTER_DOWN = b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"


class Alone:
    """A replica on the bench, and a primary whose part the test plays."""

    def __init__(self, phase: Phase = Phase.CONNECTED, entries: tuple[Entry, ...] = (), **options: Any) -> None:
        self.bench = Bench(**{"replicaof": "p", "save": (), **options})
        self.bench.cron()
        assert isinstance(self.bench.of(Connect)[-1], Connect)
        self.link = self.bench.server.replica
        content = encode(entries, {"repl-id": REPLID.encode(), "repl-offset": b"100", "repl-stream-db": b"0"})
        says = {
            Phase.PING: b"",
            Phase.INTRODUCE: b"+PONG\r\n",
            Phase.PSYNC: b"+OK\r\n+OK\r\n",
            Phase.TRANSFER: f"+FULLRESYNC {REPLID} 100\r\n".encode(),
            Phase.CONNECTED: b"$%d\r\n" % len(content) + content,
        }
        if phase is not Phase.CONNECTING:
            self.open()
            for reached, data in says.items():
                self.hear(data)
                assert self.link.phase is reached
                if reached is phase:
                    break

    def open(self) -> None:
        assert self.link.connection is not None
        self.bench.deliver(Opened(self.link.connection, "p", outgoing=True))

    def hear(self, data: bytes) -> bytes:
        """Bytes from the primary; what it is answered."""
        connection = self.link.connection
        assert connection is not None
        self.bench.sent[connection] = b""
        self.bench.deliver(Received(connection, data))
        return self.bench.sent[connection]

    @property
    def reasons(self) -> list[str]:
        notes = [effect.facts for effect in self.bench.effects if isinstance(effect, Note) and effect.kind == "link"]
        return [note["reason"] for note in notes if note["state"] == "down"]


# -- what it answers -------------------------------------------------------------------------------------------------


def test_it_refuses_writes_and_serves_reads() -> None:
    bench = Alone().bench
    assert bench.send("SET", "k", "v") == READ_ONLY
    assert bench.send("GET", "k") == b"$-1\r\n"
    bench.send("MULTI")
    assert bench.send("SET", "k", "v") == READ_ONLY
    assert bench.send("EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"
    assert bench.send("FLUSHALL") == READ_ONLY


def test_exec_counts_as_what_it_would_run() -> None:
    bench = Bench()
    bench.send("MULTI")
    bench.send("SET", "k", "v")
    bench.open("x")
    bench.send("REPLICAOF", "p", 6379, connection="x")
    assert bench.send("EXEC") == b"-EXECABORT Transaction discarded because of: " + READ_ONLY[1:]


def test_a_writable_replica_keeps_its_own_writes_to_itself() -> None:
    alone = Alone(replica_read_only=False, appendonly=True)
    bench = alone.bench
    bench.finish("rewrite")
    offset = bench.server.offset
    assert bench.send("SET", "own", "1") == b"+OK\r\n"
    assert bench.server.offset == offset, "the stream is the primary's"
    assert len(bench.server.primary.backlog or ()) == 0
    assert bench.restarted(appendonly=True).keys() == {b"own": b"1"}, "its own log has it"


def test_a_replica_follows_a_server_that_has_a_name() -> None:
    bench = Bench()
    for port in (6379, 6380):
        assert bench.send("REPLICAOF", "", port).startswith(b"-ERR Invalid master host")
    assert bench.server.replica.primary == ""


@pytest.mark.parametrize("phase", [Phase.CONNECTING, Phase.PSYNC, Phase.TRANSFER])
def test_with_the_link_down_it_serves_old_data_or_nearly_nothing(phase: Phase) -> None:
    assert Alone(phase).bench.send("GET", "k") == b"$-1\r\n"
    bench = Alone(phase, replica_serve_stale_data=False).bench
    assert bench.send("GET", "k") == MASTER_DOWN
    assert bench.send("PING") == MASTER_DOWN
    assert bench.send("SET", "k", "v") == READ_ONLY
    for words in (["INFO", "replication"], ["REPLICAOF", "NO", "ONE"]):
        assert not bench.send(*words).startswith(b"-")
    assert bench.send("PING") == b"+PONG\r\n", "it is a primary now"


def test_what_was_queued_while_the_link_was_up_is_not_answered_from_old_data() -> None:
    alone = Alone(replica_serve_stale_data=False)
    bench = alone.bench
    for connection, words in (("one", ["GET", "k"]), ("two", ["INFO", "replication"])):
        bench.open(connection)
        bench.send("MULTI", connection=connection)
        assert bench.send(*words, connection=connection) == b"+QUEUED\r\n"
    assert alone.link.connection is not None
    bench.deliver(Closed(alone.link.connection, "gone"))
    assert bench.send("EXEC") == b"-EXECABORT Transaction discarded because of: " + MASTER_DOWN[1:]
    assert bench.send("EXEC", connection="two").startswith(b"*1\r\n"), "that rests on no data"


def test_with_the_link_up_it_serves() -> None:
    bench = Alone(replica_serve_stale_data=False).bench
    assert bench.send("PING") == b"+PONG\r\n"


# -- expiry ----------------------------------------------------------------------------------------------------------


def test_a_key_whose_time_has_passed_is_hidden_and_stays_until_the_primary_deletes_it() -> None:
    alone = Alone()
    bench = alone.bench
    at_ms = bench.now_us // 1000 + 50
    alone.hear(command("SELECT", 0) + command("SET", "k", "v", "PXAT", at_ms))
    assert bench.send("GET", "k") == b"$1\r\nv\r\n"
    bench.cron(100_000)
    assert bench.send("GET", "k") == b"$-1\r\n"
    assert bench.send("EXISTS", "k") == b":0\r\n"
    assert bench.send("DBSIZE") == b":1\r\n"
    alone.hear(command("PEXPIREAT", "k", at_ms + 10_000))
    assert bench.send("GET", "k") == b"$1\r\nv\r\n", "the primary had given it more time"
    alone.hear(command("DEL", "k"))
    assert bench.send("DBSIZE") == b":0\r\n"


def test_keys_that_are_over_are_loaded_from_a_snapshot_all_the_same() -> None:
    old = Entry(0, b"old", "string", b"v", 1_000)
    bench = Alone(entries=(old,)).bench
    assert bench.send("DBSIZE") == b":1\r\n"
    assert bench.send("GET", "old") == b"$-1\r\n"
    again = bench.restarted(replicaof="p")
    assert again.send("DBSIZE") == b":1\r\n", "from its own file too"
    assert bench.restarted().send("DBSIZE") == b":0\r\n", "a primary leaves it out"


def test_who_becomes_a_replica_stops_to_expire_and_who_is_promoted_begins() -> None:
    bench = Bench(save=())
    bench.send("SET", "k", "v", "PX", 50)
    bench.send("REPLICAOF", "p", 6379)
    bench.cron(100_000)
    assert bench.send("GET", "k") == b"$-1\r\n"
    assert bench.send("DBSIZE") == b":1\r\n"
    bench.send("REPLICAOF", "NO", "ONE")
    offset = bench.server.offset
    bench.cron(100_000)
    assert bench.send("DBSIZE") == b":0\r\n"
    assert bench.server.offset == offset + len(command("SELECT", 0) + command("DEL", "k"))


def test_in_a_room_the_primarys_clock_decides() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"})
    room.run_until(lambda: room.linked("n2"))
    room.command("n1", "SET", "k", "v", "PX", 300)
    room.run(0.1)
    room.same("n1", "n2")
    room.run(1)
    assert room.command("n2", "DBSIZE") == b":0\r\n"
    room.same("n1", "n2")


# -- the stream ------------------------------------------------------------------------------------------------------


def test_every_byte_counts_also_those_that_change_nothing() -> None:
    alone = Alone()
    start = alone.bench.server.offset
    assert start == 100
    data = command("PING") + command("SELECT", 3) + command("SET", "k", "v") + b"PING\r\n\r\n"
    alone.hear(data)
    assert alone.bench.server.offset == start + len(data) - len(b"\r\n"), "the empty line is half of nothing yet"
    assert alone.bench.keys(3) == {b"k": b"v"}
    backlog = alone.bench.server.primary.backlog
    assert backlog is not None
    assert backlog.since(101) == data[:-2]


def test_getack_is_answered_with_the_offset_before_it_and_after_the_log_is_written() -> None:
    alone = Alone(appendonly=True, appendfsync="always")
    alone.bench.finish("rewrite")
    alone.bench.effects.clear()
    getack = command("REPLCONF", "GETACK", "*")
    alone.hear(command("SELECT", 0) + command("SET", "k", "v"))
    fsynced = alone.bench.server.offset
    answer = alone.hear(command("SET", "k", "w") + getack)
    offset = alone.bench.server.offset - len(getack)
    assert answer == command("REPLCONF", "ACK", offset, "FACK", fsynced), "it is asked before the fsync of this turn"
    kinds = [type(effect).__name__ for effect in alone.bench.effects]
    assert kinds.index("Fsync") < kinds.index("Send")


def test_it_says_once_a_second_how_far_it_is() -> None:
    alone = Alone()
    alone.bench.effects.clear()
    for _ in range(30):
        alone.bench.cron()
    acks = [effect.data for effect in alone.bench.of(Send)]
    assert acks == [command("REPLCONF", "ACK", 100)] * 3


def test_half_a_transaction_is_asked_for_again() -> None:
    alone = Alone()
    first = command("MULTI") + command("INCR", "k")
    alone.hear(first)
    assert (alone.bench.server.offset, alone.bench.keys()) == (100, {})
    connection = alone.link.connection
    assert connection is not None
    alone.bench.deliver(Closed(connection, "reset by the peer"))
    assert alone.link.phase is Phase.CONNECTING, "at once, before the backlog moves on"
    alone.open()
    alone.hear(b"+PONG\r\n")
    assert alone.hear(b"+OK\r\n+OK\r\n") == command("PSYNC", REPLID, 101)
    alone.hear(b"+CONTINUE\r\n" + first + command("INCR", "k") + command("EXEC"))
    assert alone.bench.keys() == {b"k": b"2"}


def test_what_it_executes_is_in_its_own_log_a_transaction_as_a_transaction() -> None:
    alone = Alone(appendonly=True)
    alone.bench.finish("rewrite")
    group = command("MULTI") + command("SET", "a", 1) + command("SELECT", 5) + command("SET", "b", 2) + command("EXEC")
    alone.hear(command("PING") + group + command("SET", "c", 3))
    log = alone.bench.disk.read(alone.bench.server.aof.incr_path)
    assert log == command("SELECT", 0) + group + command("SET", "c", 3), "and no PING"
    again = alone.bench.restarted(appendonly=True)
    assert (again.keys(0), again.keys(5)) == ({b"a": b"1"}, {b"b": b"2", b"c": b"3"})


def test_its_own_snapshot_knows_where_it_was_also_in_which_database() -> None:
    alone = Alone()
    alone.hear(command("SELECT", 7) + command("SET", "k", 1))
    alone.bench.send("SAVE")
    offset = alone.bench.server.offset
    again = Bench(alone.bench.disk, alone.bench.now_us, replicaof="p", save=())
    again.cron()
    link = again.server.replica
    assert (again.server.history.replid, again.server.offset, link.selected_db) == (REPLID, offset, 7)
    assert link.connection is not None
    again.deliver(Opened(link.connection, "p", outgoing=True))
    again.deliver(Received(link.connection, b"+PONG\r\n+OK\r\n+OK\r\n"))
    assert again.of(Send)[-1] == Send(link.connection, command("PSYNC", REPLID, offset + 1))
    again.deliver(Received(link.connection, b"+CONTINUE\r\n" + command("INCR", "k")))
    assert again.keys(7) == {b"k": b"2"}


def test_a_replica_whose_disk_fails_ends_rather_than_lag_behind_its_word() -> None:
    alone = Alone(appendonly=True)
    alone.bench.finish("rewrite")
    alone.bench.disk.failing["write"] = True
    alone.hear(command("SET", "a", 1))
    assert alone.bench.exit is None
    alone.hear(command("SET", "b", 1))
    assert isinstance(alone.bench.exit, Exit)
    assert "a replica that cannot write to its disk cannot follow" in alone.bench.exit.reason


# -- a strange primary -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "data", "reason"),
    [
        (Phase.PING, b"-ERR unknown command\r\n", "PING was answered with"),
        (Phase.PING, b"-LOADING\r\n", "PING was answered with -LOADING"),
        (Phase.PING, b"x" * 2_000, "a line of more than 1024 bytes"),
        (Phase.PSYNC, b"+FULLRESYNC\r\n", "PSYNC was answered with +FULLRESYNC"),
        (Phase.PSYNC, b"+FULLRESYNC abc 1\r\n", "PSYNC was answered with"),
        (Phase.PSYNC, b"+FULLRESYNC " + b"a" * 40 + b" x\r\n", "PSYNC was answered with"),
        (Phase.PSYNC, b"+CONTINUE\r\n", "PSYNC was answered with +CONTINUE"),
        (
            Phase.PSYNC,
            b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
            "answered with -NOMASTERLINK",
        ),
        (Phase.PSYNC, b"\xff\xfe\r\n", "PSYNC was answered with"),
        (Phase.TRANSFER, b"-ERR out of memory\r\n", "the primary gave up: ERR out of memory"),
        (Phase.TRANSFER, b"what?\r\n", "'what?' came instead of a snapshot"),
        (Phase.TRANSFER, b"$9\r\nREDIS0010", "the primary's snapshot"),
        (Phase.TRANSFER, b"$4\r\nabcd", "an RDB file begins with REDIS"),
        (Phase.TRANSFER, b"$0\r\n\r\n", "an RDB file begins with REDIS"),
        (Phase.CONNECTED, b"*1\r\n!x\r\n", "the stream of the primary broke: Protocol error"),
        (Phase.CONNECTED, b"*99999999999\r\n", "the stream of the primary broke: Protocol error"),
    ],
)
def test_nonsense_is_a_reason_to_hang_up_and_try_again(phase: Phase, data: bytes, reason: str) -> None:
    alone = Alone(phase)
    alone.hear(data)
    assert alone.link.phase is Phase.CONNECT
    assert isinstance(alone.bench.of(Close)[-1], Close)
    assert reason in alone.reasons[-1]
    for _ in range(10):
        alone.bench.cron()
    assert alone.link.phase is Phase.CONNECTING


def test_a_damaged_snapshot_replaces_nothing() -> None:
    """Every single byte of it is guarded: by the parser, or by the checksum at its end."""
    content = encode([Entry(0, b"k", "string", b"v", None)], {"repl-id": REPLID.encode(), "repl-offset": b"100"})
    for place in range(0, len(content), 5):
        alone = Alone(Phase.TRANSFER)
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        alone.hear(b"$%d\r\n" % len(damaged) + bytes(damaged))
        assert alone.link.phase is Phase.CONNECT, place
        assert alone.bench.keys() == {}
        assert not alone.bench.of(Write)


@pytest.mark.parametrize("child", ["BGSAVE", "BGREWRITEAOF"])
def test_no_child_outlives_the_data_that_it_writes(child: str) -> None:
    content = encode([Entry(0, b"k", "string", b"new", None)], {})
    alone = Alone(Phase.TRANSFER)
    alone.bench.send(child)
    assert alone.bench.children
    alone.hear(b"$%d\r\n" % len(content) + content)
    assert alone.link.phase is Phase.CONNECTED
    assert not alone.bench.children
    assert alone.bench.server.child is None


def test_a_snapshot_with_a_database_that_is_not_here_replaces_nothing() -> None:
    content = encode([Entry(16, b"k", "string", b"v", None)], {})
    alone = Alone(Phase.TRANSFER)
    alone.hear(b"$%d\r\n" % len(content) + content)
    assert "database 16 is not among the 16 that are here" in alone.reasons[-1]
    assert not alone.bench.of(Write)


def test_a_snapshot_that_cannot_be_stored_replaces_nothing() -> None:
    alone = Alone(Phase.TRANSFER)
    alone.bench.disk.failing["fsync"] = True
    content = encode([Entry(0, b"k", "string", b"v", None)])
    alone.hear(b"$%d\r\n" % len(content) + content)
    assert alone.reasons[-1].startswith("the snapshot cannot be stored: EIO")
    assert alone.bench.keys() == {}


def test_after_nonsense_in_the_stream_only_a_snapshot_will_do() -> None:
    alone = Alone()
    alone.hear(command("SET", "k", "v") + b"*1\r\n!x\r\n")
    assert alone.bench.keys() == {b"k": b"v"}, "what came before it counts"
    for _ in range(10):
        alone.bench.cron()
    alone.open()
    alone.hear(b"+PONG\r\n")
    assert alone.hear(b"+OK\r\n+OK\r\n") == command("PSYNC", "?", -1)


def test_a_command_that_it_does_not_know_is_noted_and_counted() -> None:
    alone = Alone()
    data = command("NOSUCH", "x") + command("INCR") + command("SELECT", 99) + command("SET", "k", "v")
    alone.hear(data)
    assert alone.bench.server.offset == 100 + len(data)
    assert alone.bench.keys() == {b"k": b"v"}
    notes = [effect.facts["error"] for effect in alone.bench.of(Note) if effect.kind == "cannot apply"]  # type: ignore[attr-defined]
    assert [note[:24] for note in notes] == ["ERR unknown command 'NOS", "ERR wrong number of argu"]


@pytest.mark.parametrize("phase", [Phase.CONNECTING, Phase.PING, Phase.PSYNC, Phase.TRANSFER, Phase.CONNECTED])
def test_silence_for_longer_than_repl_timeout_ends_the_link(phase: Phase) -> None:
    alone = Alone(phase, repl_timeout=5)
    for _ in range(50):
        alone.bench.cron()
    assert not alone.reasons
    for _ in range(11):
        alone.bench.cron()
    assert alone.reasons[-1] == "silence for more than repl-timeout, 5 s"


def test_pings_keep_an_idle_link_up_and_are_counted() -> None:
    room = Room(n1={"repl_ping_replica_period": 2}, n2={"replicaof": "n1", "repl_timeout": 5})
    room.run_until(lambda: room.linked("n2"))
    offset = room["n1"].offset
    room.run(20)
    assert room.linked("n2")
    assert room["n1"].offset - offset in (9 * 14, 10 * 14, 11 * 14)
    room.same("n1", "n2")
    room = Room(n1={"repl_ping_replica_period": 60}, n2={"replicaof": "n1", "repl_timeout": 5})
    room.run(20)
    assert any("silence" in note["reason"] for note in room.notes("link", "n2"))


def test_a_replica_that_falls_silent_is_dropped_by_its_primary() -> None:
    room = Room(n1={"repl_timeout": 5}, n2={"replicaof": "n1"})
    room.run_until(lambda: room.linked("n2"))
    room.run(1)
    room.crash("n2", "power loss")
    room.run(3)
    assert room.info("n1")["connected_slaves"] == "1"
    room.run(5)
    assert room.info("n1")["connected_slaves"] == "0"
    assert room.notes("replica", "n1")[-1]["why"] == "it was silent for more than repl-timeout, 5 s"


def test_every_phase_can_fall_back_and_none_can_be_skipped() -> None:
    assert set(TRANSITIONS) == set(Phase)
    for phase in Phase:
        if phase not in (Phase.NONE, Phase.CONNECT):
            assert {Phase.CONNECT, Phase.NONE} <= set(TRANSITIONS[phase])
    with pytest.raises(AssertionError, match="the link cannot go from none to connected"):
        Bench().server.replica.enter(Phase.CONNECTED)


# -- passwords -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("password", "up"), [("secret", True), ("wrong", False), ("", False)])
def test_a_password_between_servers(password: str, up: bool) -> None:
    room = Room(n1={"requirepass": "secret"}, n2={"replicaof": "n1", "masterauth": password})
    room.run(3)
    assert room.linked("n2") is up
    if password == "wrong":
        assert "refuses our password: WRONGPASS" in room.notes("link", "n2")[-1]["reason"]


# -- chains and loops ------------------------------------------------------------------------------------------------


def test_a_replica_of_a_replica_gets_the_very_same_bytes() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"}, n3={"replicaof": "n2"})
    room.run_until(lambda: room.linked("n2", "n3"))
    room.command("n1", "SET", "k", "v")
    room.command("n1", "SELECT", 4)
    room.command("n1", "INCR", "k")
    room.command("n1", "WAIT", 1, 100)
    room.run(12)
    room.same("n1", "n2", "n3")
    backlogs = [room[name].primary.backlog for name in ("n1", "n2", "n3")]
    first = max(backlog.first for backlog in backlogs if backlog is not None)
    assert len({backlog.since(first) for backlog in backlogs if backlog is not None}) == 1
    assert list(room["n1"].view()["replicas"]) == ["n2"]
    assert list(room["n2"].view()["replicas"]) == ["n3"]


def test_when_the_middle_of_a_chain_is_promoted_the_end_goes_on() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"}, n3={"replicaof": "n2"})
    room.run_until(lambda: room.linked("n2", "n3"))
    room.command("n1", "SET", "k", "v")
    room.run(0.1)
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.command("n2", "SET", "k", "w")
    room.run(2)
    assert [note["how"] for note in room.notes("synced", "n3")] == ["full", "partial"]
    room.same("n2", "n3")


def test_when_the_middle_starts_anew_so_does_the_end() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"}, n3={"replicaof": "n2"}, n4={})
    room.run_until(lambda: room.linked("n2", "n3"))
    room.command("n4", "SET", "other", "1")
    room.command("n2", "REPLICAOF", "n4", 6379)
    room.run(4)
    assert [note["how"] for note in room.notes("synced", "n3")] == ["full", "full"]
    room.same("n4", "n2", "n3")


def test_a_replica_of_itself_and_of_nobody() -> None:
    room = Room(n1={})
    room.command("n1", "SET", "k", "v")
    for host, reason in (("n1", "a machine cannot connect to itself"), ("nobody", "no machine is called nobody")):
        assert room.command("n1", "REPLICAOF", host, 6379) == b"+OK\r\n"
        room.run(5)
        assert room["n1"].view()["link"] == "down"
        assert [note["reason"] for note in room.notes("link", "n1")][-1] == reason
    assert room.command("n1", "GET", "k") == b"$1\r\nv\r\n"


def test_two_that_want_to_be_each_others_replica_wait_for_each_other() -> None:
    room = Room(n1={}, n2={})
    room.command("n1", "REPLICAOF", "n2", 6379)
    room.run(0.0001)
    room.command("n2", "REPLICAOF", "n1", 6379)
    room.run(5)
    assert not room.linked("n1") or not room.linked("n2")
    room.run(5)
    assert "NOMASTERLINK" in room.notes("link")[-1]["reason"]
    room.command("n1", "REPLICAOF", "NO", "ONE")
    room.run(3)
    assert room.linked("n2")
    room.same("n1", "n2")


def test_a_connection_of_a_replica_may_not_touch_the_data() -> None:
    bench = Bench()
    bench.server.primary.create_backlog()
    bench.open("r")
    bench.send("PSYNC", bench.server.history.replid, 1, connection="r")
    for words in (("GET", "k"), ("SET", "k", "v")):
        assert bench.send(*words, connection="r") == b"-ERR Replica can't interact with the keyspace\r\n"
    assert bench.send("PING", connection="r") == b"+PONG\r\n"
    assert bench.send("REPLICAOF", "x", 1, connection="r") == b"-ERR Command is not valid when client is a replica.\r\n"
