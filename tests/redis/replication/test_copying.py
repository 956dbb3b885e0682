"""A replica becomes a copy, and stays one: full synchronisation, then the stream."""

from __future__ import annotations

from roomtools import Room


def test_a_replica_gets_a_snapshot_and_then_the_stream() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"})
    room.command("n1", "SET", "before", "1")
    room.run_until(lambda: room.linked("n2"))
    room.command("n1", "SET", "after", "2")
    room.command("n1", "SELECT", 3)
    room.command("n1", "RPUSH", "list", "a", "b")
    room.run(0.01)
    room.same("n1", "n2")
    assert room.command("n2", "GET", "after") == b"$1\r\n2\r\n"
    assert [note["how"] for note in room.notes("synced", "n2")] == ["full"]
    assert room.notes("applied", "n2")[-1]["offset"] == room["n1"].offset


def test_replicaof_no_one_promotes_and_the_siblings_go_on_without_a_snapshot() -> None:
    room = Room(n1={}, n2={"replicaof": "n1"}, n3={"replicaof": "n1"})
    room.command("n1", "SET", "k", "1")
    room.run_until(lambda: room.linked("n2", "n3"))
    room.run(1.5)
    replid, offset = room.place("n2")
    room.crash("n1", "power loss")
    assert room.command("n2", "SET", "k", "2") == b"-READONLY You can't write against a read only replica.\r\n"
    assert room.command("n2", "REPLICAOF", "NO", "ONE") == b"+OK\r\n"
    assert room.command("n2", "SET", "k", "2") == b"+OK\r\n"
    history = room["n2"].history
    assert (history.replid2, history.second_offset) == (replid, offset + 1)
    room.command("n3", "REPLICAOF", "n2", 6379)
    room.run(1)
    room.same("n2", "n3")
    assert [note["how"] for note in room.notes("synced", "n3")] == ["full", "partial"]
