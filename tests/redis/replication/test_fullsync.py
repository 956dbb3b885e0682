"""Full synchronisation: a snapshot as of one fork, and then every byte since, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from redistools import Bench, command
from roomtools import Room, keys

from durable_redis.contract import Closed, Fork, Kill, Note, Opened, Received, Send
from durable_redis.formats.rdb import decode
from durable_redis.redis.replication.follower import SyncState

CAPA = ("REPLCONF", "capa", "eof", "capa", "psync2")


def asks(bench: Bench, name: str, *capabilities: str) -> bytes:
    """A replica introduces itself and asks for everything; what is sent to it by the end of that turn."""
    bench.deliver(Opened(name, name))
    words = [word for capability in capabilities for word in ("capa", capability)]
    bench.send("REPLCONF", "listening-port", 6379, *words, connection=name)
    return bench.send("PSYNC", "?", -1, connection=name)


def primary(**options: Any) -> Bench:
    bench = Bench(**{"repl_diskless_sync_delay": 0, "save": (), **options})
    bench.send("SET", "k", "v")
    bench.effects.clear()
    return bench


def promise(bench: Bench) -> bytes:
    return f"+FULLRESYNC {bench.server.history.replid} {bench.server.offset}\r\n".encode()


# -- the fork --------------------------------------------------------------------------------------------------------


def test_the_promise_comes_before_the_fork_and_the_stream_after_the_snapshot() -> None:
    bench = primary()
    assert asks(bench, "r", "eof", "psync2") == promise(bench)
    kinds = [type(effect) for effect in bench.effects]
    assert kinds.index(Fork) > kinds.index(Send)
    bench.send("SET", "k", "changed")
    bench.send("SET", "new", "1")
    bench.sent["r"] = b""
    bench.finish("sync")
    sent = bench.sent["r"]
    header, _, rest = sent.partition(b"\r\n")
    mark = header.removeprefix(b"$EOF:")
    assert len(mark) == 40
    assert rest.endswith(mark)
    snapshot = decode(rest.removesuffix(mark))
    assert [(entry.key, entry.value) for entry in snapshot.entries] == [(b"k", b"v")], "as it was at the fork"
    stream = command("SELECT", 0) + command("SET", "k", "changed") + command("SET", "new", 1)
    assert bench.send("REPLCONF", "ACK", snapshot.aux["repl-offset"], connection="r") == stream
    assert bench.send("SET", "k", "later") == b"+OK\r\n"
    assert bench.sent["r"] == stream + command("SET", "k", "later")


def test_without_the_word_of_the_replica_the_stream_does_not_start() -> None:
    """Nobody knows where a snapshot of unknown length ends; bytes behind the mark would be taken for a part of it."""
    bench = primary()
    asks(bench, "r", "eof", "psync2")
    bench.finish("sync")
    bench.sent["r"] = b""
    bench.send("SET", "new", "1")
    assert bench.sent["r"] == b""
    assert bench.send("REPLCONF", "ACK", 0, connection="r").endswith(command("SET", "new", 1))


@pytest.mark.parametrize("options", [{"repl_diskless_sync": False}, {}])
def test_from_the_disk_the_length_comes_first_and_the_stream_follows_at_once(options: dict[str, Any]) -> None:
    bench = primary(**options)
    assert asks(bench, "r", *(["eof"] if options else []), "psync2") == promise(bench), (
        "who does not know EOF gets a file"
    )
    bench.send("SET", "new", "1")
    bench.sent["r"] = b""
    bench.finish("bgsave")
    content = bench.disk.read("dump.rdb")
    assert content is not None
    assert bench.sent["r"] == b"$%d\r\n" % len(content) + content + command("SELECT", 0) + command("SET", "new", 1)
    facts = decode(content).aux
    assert facts["repl-id"] == bench.server.history.replid.encode()
    assert int(facts["repl-offset"]) + len(command("SELECT", 0) + command("SET", "new", 1)) == bench.server.offset


def test_replicas_that_come_together_share_one_child() -> None:
    bench = primary(repl_diskless_sync_delay=5)
    assert asks(bench, "r1", "eof", "psync2") == b""
    for _ in range(30):
        bench.cron()
    assert asks(bench, "r2", "eof", "psync2") == b""
    assert not bench.of(Fork)
    for _ in range(30):
        bench.cron()
    assert len(bench.of(Fork)) == 1
    bench.finish("sync")
    assert bench.sent["r1"] == bench.sent["r2"].lstrip(b"\n") or bench.sent["r1"].lstrip(b"\n") == bench.sent[
        "r2"
    ].lstrip(b"\n")
    states = [follower.state for follower in bench.server.primary.followers.values()]
    assert states == [SyncState.ONLINE, SyncState.ONLINE]


def test_while_it_waits_a_replica_hears_that_the_primary_lives() -> None:
    bench = primary(repl_diskless_sync_delay=5)
    asks(bench, "r", "eof", "psync2")
    for _ in range(20):
        bench.cron()
    assert set(bench.sent["r"]) == {10}


def test_no_answer_may_stand_in_the_middle_of_a_snapshot() -> None:
    bench = primary()
    asks(bench, "r", "eof", "psync2")
    assert bench.send("PING", connection="r") == b""
    bench.finish("sync")
    assert bench.sent["r"].startswith(b"$EOF:")
    assert bench.send("PING", connection="r") == b""
    assert bench.send("REPLCONF", "ACK", 0, connection="r") == b"+PONG\r\n+PONG\r\n"


def test_one_that_comes_during_a_snapshot_to_the_disk_shares_it() -> None:
    bench = primary(repl_diskless_sync=False)
    asks(bench, "r1", "psync2")
    start = bench.server.offset
    bench.send("SET", "between", "1")
    assert asks(bench, "r2", "psync2") == f"+FULLRESYNC {bench.server.history.replid} {start}\r\n".encode()
    bench.send("SET", "after", "1")
    bench.finish("bgsave")
    tails = [bench.sent[name].partition(b"$")[2] for name in ("r1", "r2")]
    assert tails[0] == tails[1]
    assert tails[0].count(b"between") == tails[0].count(b"after") == 1
    assert len(bench.of(Fork)) == 1


def test_one_that_comes_during_somebody_elses_snapshot_waits_for_the_next() -> None:
    """Nobody has kept the stream since that fork."""
    bench = primary(repl_diskless_sync=False)
    bench.send("BGSAVE")
    assert asks(bench, "r", "psync2") == b""
    bench.finish("bgsave")
    bench.cron(1_000_000)
    assert len(bench.of(Fork)) == 2
    assert bench.sent["r"].endswith(promise(bench))


def test_one_that_comes_during_a_snapshot_without_a_disk_waits_for_the_next() -> None:
    bench = primary()
    asks(bench, "r1", "eof", "psync2")
    assert asks(bench, "r2", "eof", "psync2") == b""
    bench.finish("sync")
    for _ in range(11):
        bench.cron()
    assert bench.sent["r2"].endswith(promise(bench))
    assert list(bench.children) == ["sync"]


def test_it_waits_while_the_log_is_rewritten() -> None:
    bench = primary(appendonly=True)
    bench.send("BGREWRITEAOF")
    assert asks(bench, "r", "eof", "psync2") == b""
    bench.finish("rewrite")
    for _ in range(11):
        bench.cron()
    assert "sync" in bench.children


# -- what can go wrong on the primary --------------------------------------------------------------------------------


def test_a_child_that_sends_to_nobody_is_killed() -> None:
    bench = primary()
    asks(bench, "r", "eof", "psync2")
    bench.deliver(Closed("r", "reset by the peer"))
    assert bench.of(Kill) == [Kill("sync")]
    assert bench.server.child is None
    bench.send("BGSAVE")
    assert "bgsave" in bench.children


def test_a_snapshot_that_cannot_be_saved_ends_the_connection() -> None:
    bench = primary(repl_diskless_sync=False)
    asks(bench, "r", "psync2")
    bench.disk.failing["write"] = True
    bench.finish("bgsave")
    assert "r" not in bench.server.clients
    assert not bench.server.primary.followers
    gone = [effect.facts for effect in bench.of(Note) if effect.kind == "replica"][-1]  # type: ignore[attr-defined]
    assert (gone["state"], gone["why"][:34]) == ("gone", "its snapshot could not be made: EI")


def test_flushall_kills_the_snapshot_and_whoever_waits_for_it_must_ask_again() -> None:
    bench = primary(repl_diskless_sync=False)
    asks(bench, "r", "psync2")
    bench.send("FLUSHALL")
    assert not bench.server.primary.followers
    assert not bench.children


def test_the_backlog_outlives_a_flushall_that_sends_the_only_replica_away() -> None:
    """It is kept for repl-backlog-ttl from that moment on, for whoever was away just then and comes back."""
    bench = primary(repl_diskless_sync=False, repl_backlog_ttl=60)
    asks(bench, "r", "psync2")
    history = bench.server.history
    bench.send("FLUSHALL")
    bench.cron(59_000_000)
    assert bench.server.primary.backlog is not None
    assert bench.server.history == history
    bench.cron(3_000_000)
    for _ in range(10):
        bench.cron()
    assert bench.server.primary.backlog is None


def test_a_replica_that_asks_twice_or_too_early_or_nonsense() -> None:
    bench = primary()
    asks(bench, "r", "eof", "psync2")
    assert bench.send("PSYNC", "?", -1, connection="r") == b""
    assert bench.send("SYNC", connection="r") == b""
    assert len(bench.of(Fork)) == 1
    bench.open("x")
    for words in (("PSYNC", "?", "x"), ("PSYNC", "a" * 40, "1.5")):
        assert bench.send(*words, connection="x") == b"-ERR value is not an integer or out of range\r\n"
    both = command("PING") + command("PSYNC", "?", -1)
    bench.sent["x"] = b""
    bench.deliver(Received("x", both))
    assert bench.sent["x"] == b"+PONG\r\n-ERR SYNC and PSYNC are invalid with pending output\r\n"


def test_sync_of_before_2_8_is_served_too() -> None:
    """redis-cli --rdb asks so: no promise, only the file."""
    bench = primary(repl_diskless_sync=False)
    bench.open("old")
    assert bench.send("SYNC", connection="old") == b""
    bench.finish("bgsave")
    assert bench.sent["old"].startswith(b"$")


@pytest.mark.parametrize("how", ["SYNC", "PSYNC"])
def test_only_who_acknowledges_is_dropped_for_its_silence(how: str) -> None:
    bench = primary(repl_diskless_sync=False, repl_timeout=5)
    bench.open("r")
    bench.send(*((how,) if how == "SYNC" else (how, "?", -1)), connection="r")
    bench.finish("bgsave")
    bench.cron(60_000_000)
    bench.cron(1_000_000)
    assert bool(bench.server.primary.followers) is (how == "SYNC")


# -- in a room -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("diskless", [True, False])
def test_writes_during_the_synchronisation_arrive_once_each(diskless: bool) -> None:
    room = Room(n1={"repl_diskless_sync": diskless}, n2={})
    for number in range(40):
        room.command("n1", "SET", f"k{number}", "x" * 30_000)
    room.command("n1", "SET", "count", 0)
    room.command("n2", "REPLICAOF", "n1", 6379)
    room.run_until(lambda: room["n1"].child is not None)
    during = 0
    while not room.linked("n2"):
        room.command("n1", "INCR", "count")
        room.command("n1", "APPEND", f"k{during % 40}", "y")
        during += 1
    assert during > 3
    room.run(2)
    room.same("n1", "n2")
    assert keys(room["n2"])


def test_a_primary_killed_in_the_middle_leaves_the_replica_as_it_was() -> None:
    room = Room(n1={}, n2={})
    for number in range(60):
        room.command("n1", "SET", f"k{number}", "x" * 30_000)
    room.command("n2", "SET", "own", "1")
    room.command("n2", "REPLICAOF", "n1", 6379)
    room.run_until(lambda: room["n2"].replica.transfer.received > 0)
    room.crash("n1", "power loss")
    room.run(1)
    assert room.command("n2", "GET", "own") == b"$1\r\n1\r\n", "nothing is thrown away before the snapshot is whole"
    assert room.command("n2", "ROLE").endswith(b":-1\r\n")
    room.restart("n1")
    room.run(70)
    assert room.linked("n2")
    room.same("n1", "n2")
    assert room.command("n2", "DBSIZE") == b":0\r\n"


def test_a_replica_that_dies_in_the_middle_begins_again() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"})
    for number in range(40):
        room.command("n1", "SET", f"k{number}", "x" * 30_000)
    room.crash("n2")
    room.restart("n2")
    room.run_until(lambda: room["n2"].replica.transfer.received > 0)
    room.crash("n2", "power loss")
    room.restart("n2")
    room.run(3)
    room.same("n1", "n2")
