"""WAIT, WAITAOF and min-replicas: what a client may learn about copies, and what it may not."""

from __future__ import annotations

import pytest
from redistools import Bench, command
from roomtools import Room

from durable_redis.contract import Closed, Opened, Received, Send, SetTimer, TimerFired

GETACK = command("REPLCONF", "GETACK", "*")


def primary(replicas: int = 1, **options: object) -> Bench:
    """A primary whose replicas r1, r2 ... are online; they say nothing unless a test lets them."""
    bench = Bench(repl_diskless_sync_delay=0, save=(), **options)
    bench.server.primary.create_backlog()
    for number in range(1, replicas + 1):
        bench.deliver(Opened(f"r{number}", f"r{number}"))
        bench.send("REPLCONF", "capa", "psync2", connection=f"r{number}")
        history, offset = bench.server.history, bench.server.offset
        assert b"+CONTINUE" in bench.send("PSYNC", history.replid, offset + 1, connection=f"r{number}")
        bench.send("REPLCONF", "ACK", offset, connection=f"r{number}")
    return bench


def test_wait_counts_replicas_that_have_executed_the_clients_writes() -> None:
    bench = primary(3)
    bench.send("SET", "k", "v")
    offset = bench.server.offset
    assert bench.send("WAIT", 2, 0) == b"", "nobody has answered: the client waits"
    assert bench.send("REPLCONF", "ACK", offset, connection="r1") == b""
    assert bench.sent["one"] == b""
    bench.send("REPLCONF", "ACK", offset - 1, connection="r2")
    assert bench.sent["one"] == b"", "one byte too few"
    bench.send("REPLCONF", "ACK", offset, connection="r2")
    assert bench.sent["one"] == b":2\r\n"


def test_wait_asks_the_replicas_at_once_and_the_question_counts_in_the_offset() -> None:
    bench = primary()
    bench.send("SET", "k", "v")
    before = bench.server.offset
    bench.sent["r1"] = b""
    bench.send("WAIT", 1, 100)
    assert bench.sent["r1"] == GETACK
    assert bench.server.offset == before + len(GETACK) == before + 37
    assert bench.send("REPLCONF", "ACK", before, connection="r1") == b""
    assert bench.sent["one"] == b":1\r\n", "what counts is the client's write, not the question behind it"


def test_wait_does_not_ask_if_it_knows_already() -> None:
    bench = primary()
    bench.send("SET", "k", "v")
    bench.send("REPLCONF", "ACK", bench.server.offset, connection="r1")
    before = bench.server.offset
    assert bench.send("WAIT", 1, 0) == b":1\r\n"
    assert bench.send("WAIT", 0, 0) == b":1\r\n", "it tells how many there are, not how many were asked for"
    assert bench.server.offset == before


def test_wait_gives_up_when_its_time_is_up_and_says_how_many_there_are() -> None:
    bench = primary(2)
    bench.send("SET", "k", "v")
    bench.send("REPLCONF", "ACK", bench.server.offset, connection="r1")
    bench.send("WAIT", 2, 100)
    timer = bench.of(SetTimer)[-1]
    assert timer == SetTimer("wait", bench.now_us + 100_000)
    bench.now_us += 99_999
    bench.deliver(TimerFired("wait"))
    assert bench.sent["one"] == b""
    bench.now_us += 1
    bench.deliver(TimerFired("wait"))
    assert bench.sent["one"] == b":1\r\n"
    assert bench.send("GET", "k") == b"$1\r\nv\r\n", "nothing is undone"


def test_what_a_blocked_client_sends_is_looked_at_after_the_answer() -> None:
    bench = primary()
    offset = bench.server.offset + len(command("SELECT", 0) + command("SET", "k", 1))
    bench.sent["one"] = b""
    bench.open("x")
    pipeline = command("SET", "k", 1) + command("WAIT", 1, 0) + command("INCR", "k") + command("WAIT", 1, 0)
    bench.deliver(Received("one", pipeline))
    assert bench.sent["one"] == b"+OK\r\n"
    assert bench.send("GET", "k", connection="x") == b"$1\r\n1\r\n"
    bench.send("REPLCONF", "ACK", offset, connection="r1")
    assert bench.sent["one"] == b"+OK\r\n:1\r\n:2\r\n", "the INCR is done, and its WAIT waits again"
    bench.send("REPLCONF", "ACK", bench.server.offset, connection="r1")
    assert bench.sent["one"] == b"+OK\r\n:1\r\n:2\r\n:1\r\n"


def test_in_a_transaction_nobody_waits() -> None:
    bench = primary()
    bench.send("MULTI")
    bench.send("SET", "k", "v")
    bench.send("WAIT", 1, 0)
    assert bench.send("EXEC") == b"*2\r\n+OK\r\n:1\r\n"


def test_a_client_that_hangs_up_while_it_waits_is_forgotten() -> None:
    bench = primary()
    bench.send("SET", "k", "v")
    bench.send("WAIT", 1, 0)
    bench.deliver(Closed("one", "closed by the peer"))
    bench.send("REPLCONF", "ACK", bench.server.offset, connection="r1")
    assert not bench.server.primary.waiters.waiting


def test_a_replica_that_is_not_online_yet_does_not_count() -> None:
    bench = primary()
    bench.open("x")
    bench.send("REPLCONF", "capa", "eof", connection="x")
    bench.send("PSYNC", "?", -1, connection="x")
    bench.send("REPLCONF", "ACK", 10**9, connection="x")
    bench.send("SET", "k", "v")
    bench.send("WAIT", 1, 0)
    assert bench.sent["one"] == b""


def test_who_becomes_a_replica_lets_nobody_wait_any_longer() -> None:
    bench = primary()
    bench.send("SET", "k", "v")
    bench.send("WAIT", 1, 0)
    bench.open("x")
    bench.send("REPLICAOF", "elsewhere", 6379, connection="x")
    assert bench.sent["one"].startswith(b"-UNBLOCKED force unblock from blocking operation, instance state changed")
    assert "one" not in bench.server.clients
    assert bench.send("WAIT", 0, 0, connection="x").startswith(b"-ERR WAIT cannot be used with replica instances.")


# -- WAITAOF ---------------------------------------------------------------------------------------------------------


def test_waitaof_counts_the_own_disk() -> None:
    bench = primary(0, appendonly=True, appendfsync="everysec")
    bench.now_us += 2_000_000
    bench.send("SET", "k", "v")
    assert "fsync" in bench.children
    assert bench.send("WAITAOF", 1, 0, 0) == b""
    bench.finish("fsync")
    assert bench.sent["one"] == b"*2\r\n:1\r\n:0\r\n"


def test_with_always_it_is_there_already() -> None:
    bench = primary(0, appendonly=True, appendfsync="always")
    bench.send("SET", "k", "v")
    assert bench.send("WAITAOF", 1, 0, 0) == b"*2\r\n:1\r\n:0\r\n"


def test_in_one_batch_the_answer_comes_right_after_the_fsync() -> None:
    bench = primary(0, appendonly=True, appendfsync="always")
    bench.sent["one"] = b""
    bench.deliver(Received("one", command("SET", "k", "v") + command("WAITAOF", 1, 0, 0)))
    assert bench.sent["one"] == b"+OK\r\n"
    assert bench.of(SetTimer)[-1] == SetTimer("wait", bench.now_us)
    bench.deliver(TimerFired("wait"))
    assert bench.sent["one"] == b"+OK\r\n*2\r\n:1\r\n:0\r\n"


def test_and_the_disks_of_replicas_that_say_so() -> None:
    bench = primary(2, appendonly=True, appendfsync="always")
    bench.send("SET", "k", "v")
    offset = bench.server.offset
    assert bench.send("WAITAOF", 1, 1, 0) == b""
    bench.send("REPLCONF", "ACK", offset, connection="r1")
    assert bench.sent["one"] == b"", "executed is not fsynced"
    bench.send("REPLCONF", "ACK", offset, "FACK", offset, connection="r2")
    assert bench.sent["one"] == b"*2\r\n:1\r\n:1\r\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((2, 0, 0), "ERR value is out of range, value must between 0 and 1"),
        ((-1, 0, 0), "ERR value is out of range, value must between 0 and 1"),
        ((0, -1, 0), "ERR value is out of range, must be positive"),
        ((0, 0, -1), "ERR timeout is negative"),
        ((1, 0, 0), "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."),
    ],
)
def test_waitaof_refuses(words: tuple[int, ...], error: str) -> None:
    assert primary().send("WAITAOF", *words) == f"-{error}\r\n".encode()


@pytest.mark.parametrize(("appendonly", "disks"), [(True, 1), (False, 0)])
def test_in_a_room_only_a_replica_with_a_log_has_a_disk_that_counts(appendonly: bool, disks: int) -> None:
    room = Room(n1={}, n2={"replicaof": "n1", "appendonly": appendonly})
    room.run_until(lambda: room.linked("n2"))
    room.run(3)
    room.command("n1", "SET", "k", "v")
    assert room.command("n1", "WAIT", 1, 3_000) == b":1\r\n"
    assert room.command("n1", "WAITAOF", 0, 1, 3_000) == f"*2\r\n:0\r\n:{disks}\r\n".encode()


# -- min-replicas ----------------------------------------------------------------------------------------------------

NO_REPLICAS = b"-NOREPLICAS Not enough good replicas to write.\r\n"


def test_with_too_few_replicas_writes_are_refused_and_reads_are_not() -> None:
    bench = primary(1, min_replicas_to_write=1)
    assert bench.send("SET", "k", "v") == b"+OK\r\n"
    bench.deliver(Closed("r1", "reset by the peer"))
    assert bench.send("SET", "k", "w") == NO_REPLICAS
    assert bench.send("GET", "k") == b"$1\r\nv\r\n"
    assert bench.send("PING") == b"+PONG\r\n"
    bench.send("MULTI")
    assert bench.send("SET", "k", "w") == NO_REPLICAS
    assert bench.send("EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"


def test_exec_counts_as_what_it_would_run() -> None:
    bench = primary(1, min_replicas_to_write=1)
    bench.send("MULTI")
    bench.send("SET", "k", "w")
    bench.deliver(Closed("r1", "reset by the peer"))
    assert bench.send("EXEC") == b"-EXECABORT Transaction discarded because of: " + NO_REPLICAS[1:]


def test_a_replica_that_is_silent_for_longer_than_max_lag_does_not_count() -> None:
    bench = primary(1, min_replicas_to_write=1, min_replicas_max_lag=10)
    for _ in range(109):
        bench.cron()
    assert bench.send("SET", "k", "v") == b"+OK\r\n"
    for _ in range(11):
        bench.cron()
    assert bench.send("SET", "k", "v") == NO_REPLICAS
    bench.send("REPLCONF", "ACK", 0, connection="r1")
    for _ in range(10):
        bench.cron()
    assert bench.send("SET", "k", "v") == b"+OK\r\n", "counted once a second"


def test_switched_on_and_off_at_run_time() -> None:
    bench = primary(0)
    bench.send("CONFIG", "SET", "min-replicas-to-write", 1)
    assert bench.send("SET", "k", "v") == NO_REPLICAS
    bench.send("CONFIG", "SET", "min-replicas-max-lag", 0)
    assert bench.send("SET", "k", "v") == b"+OK\r\n", "a lag of 0 switches it off too"


@pytest.mark.parametrize(("options", "lost"), [({}, 20), ({"min_replicas_to_write": 1, "min_replicas_max_lag": 3}, 4)])
def test_it_bounds_what_an_isolated_primary_can_promise(options: dict[str, int], lost: int) -> None:
    """The link is frozen for twenty seconds with one write in each; then the replica is promoted."""
    room = Room(n1=options, n2={"replicaof": "n1"})
    room.run_until(lambda: room.linked("n2"))
    room.run(2)
    room.freeze("n2", "n1")
    room.command("n1", "SET", "frozen", "1")
    room.freeze("n1", "n2")
    acknowledged = 0
    for number in range(20):
        acknowledged += room.command("n1", "SET", f"k{number}", "1") == b"+OK\r\n"
        room.run(1)
    assert abs(acknowledged - lost) <= 1
    room.crash("n1", "power loss")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    assert room.command("n2", "DBSIZE") == b":0\r\n"


def test_no_reply_waits_for_a_replica() -> None:
    """The stream and the reply leave in one turn, after the log: nothing of the replica comes between."""
    bench = primary(1, appendonly=True, appendfsync="always")
    bench.effects.clear()
    bench.send("SET", "k", "v")
    kinds = [type(effect).__name__ for effect in bench.effects]
    assert kinds == ["Compute", "Note", "Append", "Fsync", "Send", "Send"]
    assert [send.connection for send in bench.of(Send)] == ["r1", "one"]
