"""The order of things in a server: execute, log, and only then answer; and who is refused what."""

from __future__ import annotations

import pytest
from redistools import NOW_US, Bench, command

import durable_redis as dr
from durable_redis.contract import Append, Close, Closed, Compute, Fork, Fsync, Note, Opened, Received, Send
from durable_redis.sim.journal import Synced

SET = command("SET", "k", "v")


def kinds(effects: list[object]) -> list[type]:
    return [type(effect) for effect in effects]


def test_with_always_the_reply_follows_the_fsync_and_nothing_needs_a_world() -> None:
    server = Bench(appendonly=True, appendfsync="always").server
    assert kinds(list(server.handle(Received("one", SET), NOW_US))) == [Compute, Note]
    assert kinds(list(server.before_sleep(NOW_US))) == [Append, Fsync, Send]


def test_with_everysec_the_reply_follows_the_write_and_the_fsync_is_somebody_elses() -> None:
    server = Bench(appendonly=True, appendfsync="everysec").server
    list(server.handle(Received("one", SET), NOW_US + 1_000_000))
    assert kinds(list(server.before_sleep(NOW_US + 1_000_000))) == [Append, Fork, Send]


@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_within_the_second_there_is_no_fsync_at_all(policy: str) -> None:
    server = Bench(appendonly=True, appendfsync=policy).server
    list(server.handle(Received("one", SET), NOW_US))
    assert kinds(list(server.before_sleep(NOW_US))) == [Append, Send]


def test_a_read_waits_for_the_log_only_if_there_is_something_in_it() -> None:
    server = Bench(appendonly=True, appendfsync="always").server
    list(server.handle(Received("one", command("GET", "k")), NOW_US))
    assert kinds(list(server.before_sleep(NOW_US))) == [Send]


def test_one_fsync_serves_a_whole_batch() -> None:
    bench = Bench(appendonly=True, appendfsync="always")
    bench.open("two")
    bench.open("three")
    bench.effects.clear()
    bench.deliver(*(Received(connection, SET) for connection in ("one", "two", "three")))
    after = bench.effects[6:]
    assert kinds(after) == [Append, Fsync, Send, Send, Send]
    assert [effect.connection for effect in after[2:]] == ["one", "two", "three"]


def test_group_commit_comes_out_of_the_event_loop_by_itself() -> None:
    run = dr.Redis(appendonly=True, appendfsync="always", clients=8).start(seed=3)
    run.write(200, every_ms=0.2)
    run.play()
    journal = run.playback.world.journal.steps
    fsyncs = sum(isinstance(step.what, Synced) and step.what.path.endswith(".incr.aof") for step in journal)
    assert fsyncs < 80, "200 writes, each answered after an fsync, and far fewer fsyncs"


@pytest.mark.parametrize("clients", [1, 5])
def test_no_reply_is_sent_before_its_bytes_are_on_the_platter(clients: int) -> None:
    """Read off the journal: the position at which each command was executed, and the fsyncs that ended before."""
    run = dr.Redis(appendonly=True, appendfsync="always", clients=clients).start(seed=3)
    run.write(100, every_ms=1)
    run.play()
    synced, owed, answered = 0, {}, 0
    for step in run.playback.world.journal.steps:
        match step.what:
            case Synced(path=path, size=size) if path.endswith(".incr.aof"):
                synced = size
            case Note(kind="executed", facts=facts):
                owed[facts["connection"]] = facts["end"]
            case Send(connection=connection) if step.machine == "n1" and connection in owed:
                assert owed.pop(connection) <= synced
                answered += 1
    assert answered == 100


def test_with_everysec_replies_overtake_the_fsync() -> None:
    run = dr.Redis(appendonly=True, appendfsync="everysec").start(seed=3)
    run.write(50, every_ms=1)
    run.play()
    steps = run.playback.world.journal.steps
    assert sum(isinstance(step.what, Send) and step.machine == "n1" for step in steps) == 50
    assert not [step for step in steps if isinstance(step.what, Synced) and step.what.path.endswith(".incr.aof")]


def test_every_change_of_database_is_in_the_log() -> None:
    bench = Bench(appendonly=True)
    for argv in (["SET", "a", "1"], ["SELECT", 3], ["SET", "b", "2"], ["SET", "c", "3"], ["SELECT", 0], ["DEL", "a"]):
        bench.send(*argv)
    log = bench.disk.read("appendonlydir/appendonly.aof.1.incr.aof")
    expected = [["SELECT", 0], ["SET", "a", 1], ["SELECT", 3], ["SET", "b", 2], ["SET", "c", 3], ["SELECT", 0]]
    assert log == b"".join(command(*argv) for argv in [*expected, ["DEL", "a"]])
    again = bench.restarted(appendonly=True)
    assert again.keys(0) == {}
    assert again.keys(3) == {b"b": b"2", b"c": b"3"}


def test_what_expires_is_deleted_in_the_log_too() -> None:
    bench = Bench(appendonly=True)
    bench.send("SET", "k", "v", "PX", 50)
    bench.cron()
    log = bench.disk.read("appendonlydir/appendonly.aof.1.incr.aof")
    assert log is not None
    assert log.endswith(command("SET", "k", "v", "PXAT", NOW_US // 1000 + 50) + command("DEL", "k"))


def test_pipelined_commands_are_answered_in_one_send() -> None:
    bench = Bench(appendonly=True)
    bench.effects.clear()
    bench.deliver(Received("one", command("SET", "a", 1) + command("INCR", "a") + command("GET", "a")[:9]))
    bench.deliver(Received("one", command("GET", "a")[9:]))
    assert [effect.data for effect in bench.of(Send)] == [b"+OK\r\n:2\r\n", b"$1\r\n2\r\n"]


def test_quit_is_answered_and_then_the_connection_is_closed() -> None:
    bench = Bench()
    bench.send("WATCH", "k")
    bench.effects.clear()
    assert bench.send("QUIT") == b"+OK\r\n"
    assert kinds(bench.effects)[-2:] == [Send, Close]
    assert bench.server.engine.keyspace.databases[0].watched == {}
    assert bench.send("PING") == b"", "what comes after it is for nobody"


def test_nonsense_is_answered_with_an_error_and_the_connection_closed() -> None:
    bench = Bench()
    bench.deliver(Received("one", b"*1\r\n!3\r\n"))
    assert bench.sent["one"].startswith(b"-ERR Protocol error: expected '$', got '!'")
    assert bench.of(Close)


def test_a_client_that_hangs_up_leaves_nothing_behind() -> None:
    bench = Bench()
    bench.send("WATCH", "k")
    bench.send("MULTI")
    bench.deliver(Closed("one", "closed by the peer"))
    assert not bench.server.clients
    assert bench.server.engine.keyspace.databases[0].watched == {}


def test_nobody_is_served_without_the_password() -> None:
    bench = Bench(requirepass="open sesame")
    assert bench.send("GET", "k") == b"-NOAUTH Authentication required.\r\n"
    assert bench.send("AUTH", "wrong") == b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    assert bench.send("AUTH", "open sesame") == b"+OK\r\n"
    assert bench.send("GET", "k") == b"$-1\r\n"
    bench.deliver(Opened("two", "else"))
    assert bench.send("HELLO", 3, "AUTH", "default", "open sesame", connection="two").startswith(b"%7\r\n")


def test_exec_is_refused_as_what_it_would_run() -> None:
    """The disk failed after the SET had been queued (server.c `processCommand`)."""
    bench = Bench(appendonly=True)
    bench.send("MULTI")
    bench.send("SET", "k", "v")
    bench.open("two")
    bench.disk.failing["write"] = True
    bench.send("SET", "other", "v", connection="two")
    refusal = b"-EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF file"
    assert bench.send("EXEC").startswith(refusal)
    assert bench.send("EXISTS", "k") == b":0\r\n"


def test_what_a_server_says_of_itself() -> None:
    view = Bench(appendonly=True).server.view()
    assert view["ready"] is True
    assert (view["aof"], view["executed"], view["written"]) == ("on", (1, 0), (1, 0))
    assert (view["keys"], view["child"]) == (0, "")
