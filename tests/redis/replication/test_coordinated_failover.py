"""FAILOVER: a planned change of roles loses nothing, unless it was told not to mind."""

from __future__ import annotations

import pytest
from redistools import Bench
from roomtools import Room

from durable_redis.contract import Opened

READ_ONLY = b"-READONLY You can't write against a read only replica.\r\n"


def trio(**options: object) -> Room:
    room = Room(n1=dict(options), n2={"replicaof": "n1"}, n3={"replicaof": "n1"})
    room.command("n1", "SET", "k", "0")
    room.run_until(lambda: room.linked("n2", "n3"))
    room.run(2)
    return room


def test_a_named_replica_takes_over_and_the_old_primary_goes_on_as_its_replica() -> None:
    room = trio()
    room.command("n1", "INCR", "k")
    assert room.command("n1", "FAILOVER", "TO", "n3", 6379) == b"+OK\r\n"
    room.run(3)
    assert room.command("n3", "ROLE").startswith(b"*3\r\n$6\r\nmaster")
    assert [note["how"] for note in room.notes("synced", "n1")] == ["partial"]
    assert room.info("n1")["master_failover_state"] == "no-failover"
    assert room.command("n3", "INCR", "k") == b":2\r\n"
    room.command("n2", "REPLICAOF", "n3", 6379)
    room.run(2)
    room.same("n3", "n1", "n2")
    assert [note["how"] for note in room.notes("synced", "n2")] == ["full", "partial", "partial"]


def test_writes_are_held_back_and_then_sent_elsewhere() -> None:
    room = trio()
    held = [*room.freeze("n2", "n1"), *room.freeze("n3", "n1")]
    room.command("n1", "SET", "k", "1")
    room.command("n1", "FAILOVER")
    room.say("n1", "INCR", "k")
    room.run(1)
    assert "n1" not in room.caller.answers, "neither done nor refused"
    room.thaw(held)
    room.run(3)
    assert room.caller.answers["n1"] == READ_ONLY
    leader = next(name for name in ("n2", "n3") if not room[name].replica.primary)
    assert room.command(leader, "GET", "k") == b"$1\r\n1\r\n"


def test_a_write_that_would_be_refused_is_refused_at_once_and_not_held_back() -> None:
    room = trio()
    held = [*room.freeze("n2", "n1"), *room.freeze("n3", "n1")]
    room.command("n1", "SET", "k", "1")
    room.command("n1", "CONFIG", "SET", "min-replicas-to-write", "3")
    room.command("n1", "FAILOVER")
    assert room.command("n1", "INCR", "k").startswith(b"-NOREPLICAS")
    room.thaw(held)


def test_reads_are_served_meanwhile_and_keys_do_not_expire() -> None:
    room = trio()
    held = [*room.freeze("n2", "n1"), *room.freeze("n3", "n1")]
    room.command("n1", "SET", "brief", "1", "PX", 100)
    room.command("n1", "FAILOVER")
    offset = room["n1"].offset
    room.run(3)
    assert room["n1"].offset == offset, "no DEL, no PING"
    assert room.command("n1", "GET", "brief") == b"$-1\r\n"
    assert room.command("n1", "GET", "k") == b"$1\r\n0\r\n"
    assert room.info("n1")["master_failover_state"] == "waiting-for-sync"
    room.thaw(held)
    room.run(3)
    assert room["n1"].replica.primary in ("n2", "n3")


def behind(room: Room, name: str) -> list[int]:
    """From now on this replica gets nothing."""
    room.command("n1", "SET", "frozen", "1")
    return room.freeze("n1", name)


def test_it_waits_for_the_replica_that_is_behind() -> None:
    room = trio()
    held = behind(room, "n2")
    assert room.command("n1", "SET", "late", "1") == b"+OK\r\n"
    room.command("n1", "FAILOVER", "TO", "n2", 6379)
    room.run(3)
    assert room["n1"].view()["role"] == "primary"
    room.thaw(held)
    room.run(3)
    assert room.command("n2", "GET", "late") == b"$1\r\n1\r\n"
    assert room["n2"].view()["role"] == "primary"


def test_with_a_timeout_the_primary_goes_on_as_before() -> None:
    room = trio()
    behind(room, "n2")
    room.command("n1", "FAILOVER", "TO", "n2", 6379, "TIMEOUT", 500)
    room.say("n1", "SET", "held", "1")
    room.run(2)
    assert room.caller.answers["n1"] == b"+OK\r\n"
    assert room["n1"].view()["role"] == "primary"
    assert room.notes("failover")[-1]["state"] == "no replica caught up in time"


def test_with_force_it_loses_what_the_replica_has_not_got() -> None:
    room = trio()
    behind(room, "n2")
    assert room.command("n1", "SET", "late", "1") == b"+OK\r\n"
    room.command("n1", "FAILOVER", "TO", "n2", 6379, "TIMEOUT", 300, "FORCE")
    room.run(3)
    assert room["n2"].view()["role"] == "primary"
    assert [note["how"] for note in room.notes("synced", "n1")] == ["full"], "it was ahead"
    assert room.command("n1", "GET", "late") == b"$-1\r\n"
    room.same("n2", "n1")


def test_a_replica_that_does_not_want_to_lead_gives_the_primary_its_role_back() -> None:
    """It has another primary by then."""
    room = trio()
    behind(room, "n2")
    room.command("n1", "FAILOVER", "TO", "n2", 6379, "TIMEOUT", 300, "FORCE")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.run(3)
    assert room["n1"].view()["role"] == "primary"
    assert room.notes("failover", "n1")[-1]["state"] == "the replica does not want to lead"
    assert room.command("n1", "SET", "k", "1") == b"+OK\r\n"


def test_by_hand_it_can_be_stopped() -> None:
    room = trio()
    behind(room, "n2")
    room.command("n1", "FAILOVER", "TO", "n2", 6379)
    room.run(1)
    assert room.command("n1", "FAILOVER", "ABORT") == b"+OK\r\n"
    assert room.command("n1", "SET", "k", "1") == b"+OK\r\n"


def test_meanwhile_nobody_else_may_change_roles_or_be_synchronised() -> None:
    bench = Bench()
    bench.server.primary.create_backlog()
    bench.deliver(Opened("r", "r"))
    bench.send("PSYNC", bench.server.history.replid, 1, connection="r")
    bench.send("SET", "k", "v")
    assert bench.send("FAILOVER") == b"+OK\r\n"
    assert bench.send("FAILOVER") == b"-ERR FAILOVER already in progress.\r\n"
    assert bench.send("REPLICAOF", "x", 1) == b"-ERR REPLICAOF not allowed while failing over.\r\n"
    bench.deliver(Opened("s", "s"))
    assert bench.send("PSYNC", "?", -1, connection="s") == b"-NOMASTERLINK Can't SYNC while failing over\r\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("TO", "r", 6379, "FORCE"), "FAILOVER with force option requires both a timeout and target HOST and IP."),
        (("TO", "x", 6379), "FAILOVER target HOST and PORT is not a replica."),
        (("TO", "r", 6379), "FAILOVER target replica is not online."),
    ],
)
def test_what_cannot_be(words: tuple[object, ...], error: str) -> None:
    bench = Bench()
    bench.deliver(Opened("r", "r"))
    bench.send("REPLCONF", "capa", "eof", connection="r")
    bench.send("PSYNC", "?", -1, connection="r")
    assert bench.send("FAILOVER", *words) == f"-ERR {error}\r\n".encode()  # type: ignore[arg-type]


def test_a_primary_cannot_be_told_to_lead_and_a_replica_only_by_its_own_history() -> None:
    bench = Bench()
    assert bench.send("PSYNC", "a" * 40, 1, "FAILOVER") == b"-ERR PSYNC FAILOVER can't be sent to a master.\r\n"
    bench.send("REPLICAOF", "x", 6379)
    assert bench.send("PSYNC", "a" * 40, 1, "FAILOVER") == b"-ERR PSYNC FAILOVER replid must match my replid.\r\n"
    assert bench.send("PSYNC", bench.server.history.replid, 1, "FAILOVER") == b"+CONTINUE\r\n"
    assert not bench.server.replica.primary


# -- the other planned end: SHUTDOWN ---------------------------------------------------------------------------------


def test_a_shutdown_waits_for_the_replicas_and_holds_writes_back() -> None:
    """7.0: whoever is promoted afterwards has everything that was answered."""
    room = trio()
    held = behind(room, "n2")
    assert room.command("n1", "SET", "late", "1") == b"+OK\r\n"
    room.say("n1", "SHUTDOWN", "NOSAVE")
    room.run(5)
    assert room.world.machines["n1"].up
    room.thaw(held)
    room.run(2)
    assert not room.world.machines["n1"].up
    assert room.command("n2", "GET", "late") == b"$1\r\n1\r\n"


@pytest.mark.parametrize(("words", "seconds"), [(["NOW"], 0.1), ([], 10.2)])
def test_but_not_for_ever_and_not_at_all_with_now(words: list[str], seconds: float) -> None:
    room = trio()
    behind(room, "n2")
    room.command("n1", "SET", "late", "1")
    room.say("n1", "SHUTDOWN", "NOSAVE", *words)
    if not words:
        room.run(9.5)
        assert room.world.machines["n1"].up
    room.run(seconds)
    assert not room.world.machines["n1"].up
    assert room.command("n2", "GET", "late") == b"$-1\r\n"


def test_a_shutdown_that_waits_can_be_aborted() -> None:
    bench = Bench(save=())
    bench.server.primary.create_backlog()
    bench.deliver(Opened("r", "r"))
    bench.send("PSYNC", bench.server.history.replid, 1, connection="r")
    bench.open("x")
    bench.send("SET", "k", "v", connection="x")
    assert bench.send("SHUTDOWN") == b""
    assert bench.send("SET", "k", "w", connection="x") == b"", "held back"
    bench.open("y")
    assert bench.send("SHUTDOWN", "ABORT", connection="y") == b"+OK\r\n"
    assert bench.sent["one"] == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
    assert bench.sent["x"] == b"+OK\r\n"
    assert bench.send("SHUTDOWN", "ABORT", connection="y") == b"-ERR No shutdown in progress.\r\n"
    bench.send("REPLCONF", "ACK", bench.server.offset, connection="r")
    bench.send("SHUTDOWN")
    assert bench.exit is not None
