"""Who goes on and who starts anew, and what that costs: the cases of real life, each with its counterpart."""

from __future__ import annotations

import pytest
from roomtools import Room

from durable_redis.redis.replication.history import NO_ID

BIG = "x" * 20_000
"""One write of it is more than the smallest backlog holds."""


def pair(**options: object) -> Room:
    """A primary with a replica, both at rest."""
    room = Room(n1=dict(options), n2={"replicaof": "n1", **options})
    room.command("n1", "SET", "first", "1")
    room.run_until(lambda: room.linked("n2"))
    room.run(1.5)
    return room


def trio(**options: object) -> Room:
    """A primary with two replicas, all at rest."""
    room = Room(n1=dict(options), n2={"replicaof": "n1", **options}, n3={"replicaof": "n1", **options})
    room.command("n1", "SET", "first", "1")
    room.run_until(lambda: room.linked("n2", "n3"))
    room.run(1.5)
    return room


def how(room: Room, name: str) -> list[str]:
    return [note["how"] for note in room.notes("synced", name)]


def why(room: Room, primary: str) -> str:
    decisions = [note["why"] for note in room.notes("replica", primary) if note["state"] != "gone"]
    return decisions[-2] if "it has the snapshot" in decisions[-1] else decisions[-1]


def broken_link(room: Room, *writes: tuple[str, str]) -> None:
    """The replica n2 is away while these are written."""
    room.crash("n2")
    for key, value in writes:
        room.command("n1", "SET", key, value)
    room.restart("n2")
    room.run(2)


# -- the link breaks -------------------------------------------------------------------------------------------------


def test_a_replica_that_was_away_goes_on_if_it_kept_its_place() -> None:
    """Its RDB file (of the full synchronisation) says whose copy it is: it asks for what came after that."""
    room = pair()
    broken_link(room, ("a", "1"), ("b", "2"))
    assert how(room, "n2") == ["full", "partial"]
    room.same("n1", "n2")


def test_and_starts_anew_if_it_was_away_for_longer_than_the_backlog_remembers() -> None:
    room = pair(repl_backlog_size=16_384)
    broken_link(room, ("a", BIG), ("b", "2"))
    assert how(room, "n2") == ["full", "full"]
    assert "the backlog begins with byte" in why(room, "n1")
    room.same("n1", "n2")


def test_a_larger_backlog_would_have_helped() -> None:
    room = pair(repl_backlog_size=65_536)
    broken_link(room, ("a", BIG), ("b", "2"))
    assert how(room, "n2") == ["full", "partial"]
    room.same("n1", "n2")


def test_a_replica_that_lost_its_disk_starts_anew() -> None:
    room = pair()
    room.crash("n2", "disk loss")
    room.restart("n2")
    room.run(2)
    assert how(room, "n2") == ["full", "full"]
    assert "nothing to go on from" in why(room, "n1")
    room.same("n1", "n2")


def test_a_replica_that_starts_from_its_log_starts_anew() -> None:
    """The log has everything, and no offsets."""
    room = pair(appendonly=True)
    broken_link(room, ("a", "1"))
    assert how(room, "n2") == ["full", "full"]
    assert "nothing to go on from" in why(room, "n1")
    room.same("n1", "n2")


@pytest.mark.parametrize("appendonly", [False, True])
def test_a_link_that_breaks_while_both_live_costs_nothing(appendonly: bool) -> None:
    """The position is in memory then: a log does no harm."""
    room = pair(appendonly=appendonly)
    room.command("n2", "REPLICAOF", "nobody", 6379)
    room.command("n1", "SET", "meanwhile", "1")
    room.run(1)
    room.command("n2", "REPLICAOF", "n1", 6379)
    room.run(1)
    assert how(room, "n2") == ["full", "partial"]
    room.same("n1", "n2")


# -- a replica is promoted -------------------------------------------------------------------------------------------


def test_the_siblings_of_a_promoted_replica_go_on() -> None:
    room = trio()
    room.crash("n1", "power loss")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.command("n2", "SET", "new", "1")
    room.command("n3", "REPLICAOF", "n2", 6379)
    room.run(1)
    assert how(room, "n3") == ["full", "partial"]
    room.same("n2", "n3")
    assert room["n3"].history == room["n2"].history, "it can be promoted itself, and knows both names"


def test_a_sibling_that_is_ahead_of_the_promoted_one_is_wiped() -> None:
    """n3 got a write that n2 never got.  Whoever is promoted decides: that write is gone from n3 too."""
    room = trio()
    held = freeze_stream(room, "n1", "n2")
    assert room.command("n1", "SET", "ahead", "1") == b"+OK\r\n"
    room.run(0.01)
    assert room.command("n3", "GET", "ahead") == b"$1\r\n1\r\n"
    assert room.command("n2", "GET", "ahead") == b"$-1\r\n"
    room.crash("n1", "power loss")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.command("n3", "REPLICAOF", "n2", 6379)
    room.run(2)
    assert how(room, "n3") == ["full", "full"]
    assert "it is ahead" in why(room, "n2")
    assert room.command("n3", "GET", "ahead") == b"$-1\r\n", "acknowledged, replicated once, and gone"
    room.same("n2", "n3")
    assert held


def test_the_other_choice_would_have_kept_it() -> None:
    room = trio()
    freeze_stream(room, "n1", "n2")
    room.command("n1", "SET", "ahead", "1")
    room.run(0.01)
    room.crash("n1", "power loss")
    room.command("n3", "REPLICAOF", "NO", "ONE")
    room.command("n2", "REPLICAOF", "n3", 6379)
    room.run(2)
    assert how(room, "n2") == ["full", "partial"]
    assert room.command("n2", "GET", "ahead") == b"$1\r\n1\r\n"
    room.same("n2", "n3")


def freeze_stream(room: Room, source: str, target: str) -> list[int]:
    """From here on nothing of the stream arrives at `target`."""
    room.command(source, "SET", "frozen", "0")
    return room.freeze(source, target)


def test_a_frozen_link_loses_exactly_what_was_written_behind_it() -> None:
    room = pair()
    for number in range(5):
        room.command("n1", "SET", f"before{number}", "1")
    room.run(0.01)
    freeze_stream(room, "n1", "n2")
    for number in range(7):
        assert room.command("n1", "SET", f"behind{number}", "1") == b"+OK\r\n"
    room.crash("n1", "power loss")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    keys = {key.decode() for key in room["n2"].engine.keyspace.databases[0].values}
    assert keys == {"first", *(f"before{number}" for number in range(5))}


# -- an old primary comes back ---------------------------------------------------------------------------------------


def fail_over(room: Room, write: bool = False) -> None:
    """n1 is gone, n2 leads; with `write` n1 had one more write than n2 ever got."""
    if write:
        freeze_stream(room, "n1", "n2")
        assert room.command("n1", "SET", "diverged", "1") == b"+OK\r\n"
    room.crash("n1")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.command("n2", "SET", "new", "1")
    room.restart("n1")


def test_an_old_primary_without_a_file_starts_anew() -> None:
    room = pair()
    fail_over(room)
    room.command("n1", "REPLICAOF", "n2", 6379)
    room.run(2)
    assert how(room, "n1") == ["full"]
    room.same("n2", "n1")


def test_an_old_primary_goes_on_from_its_snapshot() -> None:
    room = pair()
    room.command("n1", "SAVE")
    fail_over(room)
    room.command("n1", "REPLICAOF", "n2", 6379)
    room.run(2)
    assert how(room, "n1") == ["full"], "it began a history of its own when it started as a primary"
    room.same("n2", "n1")


def test_an_old_primary_that_is_told_before_it_starts_goes_on_from_its_snapshot() -> None:
    room = pair()
    room.command("n1", "SAVE")
    room.crash("n1")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.command("n2", "SET", "new", "1")
    restart_as(room, "n1", replicaof="n2")
    assert how(room, "n1") == ["partial"]
    room.same("n2", "n1")


def test_unless_its_snapshot_is_ahead_of_what_was_promoted() -> None:
    room = pair()
    freeze_stream(room, "n1", "n2")
    room.command("n1", "SET", "diverged", "1")
    room.command("n1", "SAVE")
    room.crash("n1")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    restart_as(room, "n1", replicaof="n2")
    assert how(room, "n1") == ["full"]
    assert "it is ahead" in why(room, "n2")
    assert room.command("n1", "GET", "diverged") == b"$-1\r\n"
    room.same("n2", "n1")


def test_an_old_primary_that_comes_back_from_its_log_starts_anew() -> None:
    room = pair(appendonly=True)
    room.crash("n1")
    room.command("n2", "REPLICAOF", "NO", "ONE")
    restart_as(room, "n1", replicaof="n2")
    assert how(room, "n1") == ["full"]
    room.same("n2", "n1")


def test_a_demoted_primary_that_never_went_down_goes_on_if_it_has_not_diverged() -> None:
    room = pair()
    room.command("n2", "REPLICAOF", "NO", "ONE")
    room.command("n1", "REPLICAOF", "n2", 6379)
    room.run(1)
    assert how(room, "n1") == ["partial"]
    room.same("n2", "n1")


def test_and_is_wiped_if_it_has_written_meanwhile() -> None:
    """Split brain: both took writes.  The one that is demoted loses its own, acknowledged or not."""
    room = pair()
    room.command("n2", "REPLICAOF", "NO", "ONE")
    assert room.command("n1", "SET", "mine", "1") == b"+OK\r\n"
    room.command("n2", "SET", "yours", "1")
    room.command("n1", "REPLICAOF", "n2", 6379)
    room.run(2)
    assert how(room, "n1") == ["full"]
    assert room.command("n1", "GET", "mine") == b"$-1\r\n"
    room.same("n2", "n1")


def restart_as(room: Room, name: str, **options: object) -> None:
    """Start it again after its configuration file was edited so."""
    room.edit(name, **options)
    room.restart(name)
    room.run(3)


# -- the primary starts again ----------------------------------------------------------------------------------------


def test_a_primary_that_starts_again_empty_wipes_its_replicas() -> None:
    """Redis's own warning: no persistence, and somebody who restarts what has fallen."""
    room = trio()
    room.crash("n1")
    room.restart("n1")
    room.run(3)
    assert [room.command(name, "DBSIZE") for name in ("n1", "n2", "n3")] == [b":0\r\n"] * 3
    room.same("n1", "n2", "n3")


def test_with_a_log_it_does_not_and_they_start_anew() -> None:
    room = trio(appendonly=True, appendfsync="always")
    room.crash("n1")
    room.restart("n1")
    room.run(3)
    assert [room.command(name, "DBSIZE") for name in ("n1", "n2", "n3")] == [b":1\r\n"] * 3
    assert how(room, "n2") == ["full", "full"]
    room.same("n1", "n2", "n3")


def test_after_a_clean_shutdown_with_a_snapshot_the_replicas_go_on() -> None:
    """7.0: the snapshot has the history, and becomes the second id of the primary that starts from it."""
    room = pair()
    replid, offset = room.place("n1")
    room.say("n1", "SHUTDOWN", "SAVE")
    room.run_until(lambda: not room.world.machines["n1"].up)
    room.restart("n1")
    room.run(3)
    history = room["n1"].history
    assert history.replid2 == replid
    assert history.second_offset >= offset + 1
    assert how(room, "n2") == ["full", "partial"]
    room.same("n1", "n2")


def test_after_a_kill_the_replicas_are_ahead_of_the_snapshot() -> None:
    """What was written after the snapshot is gone, on the replicas too: the primary's word is the truth."""
    room = pair()
    room.command("n1", "SAVE")
    room.command("n1", "SET", "after", "1")
    room.run(0.1)
    assert room.command("n2", "GET", "after") == b"$1\r\n1\r\n"
    room.crash("n1")
    room.restart("n1")
    room.run(3)
    assert how(room, "n2") == ["full", "full"]
    assert "it is ahead" in why(room, "n1")
    assert room.command("n2", "GET", "after") == b"$-1\r\n"
    room.same("n1", "n2")


def test_what_expired_while_it_was_down_is_deleted_in_the_stream() -> None:
    room = pair()
    room.command("n1", "SET", "brief", "1", "PX", 500)
    room.say("n1", "SHUTDOWN", "SAVE")
    room.run_until(lambda: not room.world.machines["n1"].up)
    room.run(1)
    room.restart("n1")
    room.run(3)
    assert how(room, "n2") == ["full", "partial"]
    assert room.command("n2", "DBSIZE") == b":1\r\n"
    room.same("n1", "n2")


def test_a_server_that_nobody_replicates_starts_with_no_history() -> None:
    room = Room(n1={})
    room.command("n1", "SET", "k", "v")
    room.command("n1", "SAVE")
    before = room["n1"].history.replid
    room.crash("n1")
    room.restart("n1")
    assert room["n1"].history.replid != before
    assert room["n1"].history.replid2 == NO_ID
    assert room["n1"].primary.backlog is None


# -- the backlog's life ----------------------------------------------------------------------------------------------


def test_the_backlog_is_freed_when_nobody_came_back_in_time_and_the_history_gets_another_name() -> None:
    room = pair(repl_backlog_ttl=3)
    replid = room["n1"].history.replid
    room.crash("n2")
    room.run(2.5)
    assert room["n1"].primary.backlog is not None
    room.run(3)
    assert room["n1"].primary.backlog is None
    assert room["n1"].history.replid != replid
    room.restart("n2")
    room.run(3)
    assert how(room, "n2") == ["full", "full"]
    assert "another history" in why(room, "n1")
    room.same("n1", "n2")


def test_never_with_a_ttl_of_zero_and_never_on_a_replica() -> None:
    room = pair(repl_backlog_ttl=0)
    room.crash("n2")
    room.run(30)
    assert room["n1"].primary.backlog is not None
    room = pair(repl_backlog_ttl=1)
    room.run(10)
    assert room["n2"].primary.backlog is not None, "it may be promoted one day"


def test_the_size_of_the_backlog_can_be_changed_at_run_time() -> None:
    room = pair(repl_backlog_size=65_536)
    room.command("n1", "SET", "a", BIG)
    held = len(room["n1"].primary.backlog or ())
    assert held > 16_384
    room.command("n1", "CONFIG", "SET", "repl-backlog-size", "1kb")
    info = room.info("n1")
    assert (info["repl_backlog_size"], info["repl_backlog_histlen"]) == ("16384", "16384")
    assert int(info["repl_backlog_first_byte_offset"]) + 16_384 == int(info["master_repl_offset"]) + 1
