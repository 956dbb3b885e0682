"""Which acknowledged writes a cluster loses, in pairs: lost so, and kept so (specification, "Write safety")."""

from __future__ import annotations

import pytest
from clustertools import TIMEOUT_S, Room

from durable_redis.formats.resp import OK, ErrorReply
from durable_redis.sim.faults import Crash, Cut, Delay, HealNetwork, Partition, Pause

OTHERS = ("n2", "n3", "n4", "n5", "n6")
TAG = b"bar"  # slot 5061, of n1


# -- a client in the minority ----------------------------------------------------------------------------------------


def test_a_partition_shorter_than_the_timeout_loses_nothing() -> None:
    room = Room().run(4)
    writer = room.add_writer("n1", TAG)
    room.run(1)
    room.world.act(Partition((("n1", "writer"), OTHERS)))
    room.run(0.9 * TIMEOUT_S)
    room.world.act(HealNetwork())
    room.run(4 * TIMEOUT_S)
    kept = writer.acknowledged(until_s=room.now_s - 0.1)
    assert len(kept) > 1000
    assert room.lost(kept, "n1") == room.lost(kept, "n4") == []
    assert room.notes("elected") == []


def test_a_longer_one_loses_all_that_the_minority_acknowledged_until_it_stopped() -> None:
    room = Room().run(4)
    writer = room.add_writer("n1", TAG)
    room.run(1)
    cut_s = room.now_s
    room.world.act(Partition((("n1", "writer"), OTHERS)))
    stopped_s = room.run_until("cluster state", "n1").at_s
    room.run_until("elected", "n4")
    room.run(5)
    assert writer.said[-1] == ErrorReply("CLUSTERDOWN The cluster is down")
    assert len(writer.acknowledged(since_s=stopped_s + 0.01)) == 0
    room.world.act(HealNetwork())
    room.run_until("synced", "n1")
    before, during = writer.acknowledged(until_s=cut_s - 0.01), writer.acknowledged(since_s=cut_s + 0.01)
    assert TIMEOUT_S - 0.2 <= stopped_s - cut_s <= 1.5 * TIMEOUT_S + 0.3
    assert len(during) > 300
    for survivor in ("n4", "n1"):
        assert room.lost(before, survivor) == []
        assert room.lost(during, survivor) == during, "every single one"


# -- a primary that was replaced, and its successor dies ---------------------------------------------------------------


@pytest.mark.parametrize("reaches", [True, False])
def test_a_replaced_primary_is_a_candidate_only_once_it_has_reached_its_successor(reaches: bool) -> None:
    room = Room().run(4)
    woken_s = room.now_s + 12
    room.world.act(Pause("n1", 12_000_000))
    room.run_until("elected", "n4")
    writer = room.add_writer("n4", TAG)
    room.run(3)
    if reaches:
        room.run_until("synced", "n1")
    assert (room.now_s > woken_s) is reaches
    kept = writer.acknowledged(until_s=room.now_s - 0.1)
    assert len(kept) > 100
    room.world.act(Crash("n4", "power loss"))
    room.run(25)
    if reaches:
        assert [fact.node for fact in room.notes("elected")] == ["n4", "n1"]
        assert room.lost(kept, "n1") == []
    else:  # it has none of them: the shard stays down, and they are on no machine that is up
        assert [fact.node for fact in room.notes("elected")] == ["n4"]
        (why,) = {fact["why"] for fact in room.notes("cannot fail over") if fact.node == "n1"}
        assert why == "its data are of unknown age: it has reached no primary since it started, or was one itself"


# -- a client that knows no better -----------------------------------------------------------------------------------


def test_an_old_primary_that_stood_still_acknowledges_what_it_will_lose() -> None:
    """The write waits at n1, which stands still and is replaced; it wakes, and does not know yet (scenario 16)."""
    room = Room().run(4)
    room.world.act(Pause("n1", 12_000_000))
    writer = room.add_writer("n1", TAG)
    room.run_until("elected", "n4")
    assert writer.said == []
    room.run_until("synced", "n1")
    lost = writer.acknowledged()
    assert len(lost) >= 1
    assert room.lost(lost, "n4") == lost
    room.run(1)
    assert writer.said[-1] == ErrorReply("MOVED 5061 n4:6379")


def test_an_old_primary_that_was_restarted_waits_and_acknowledges_nothing() -> None:
    """Though the news that it has been replaced needs most of a second to reach it."""
    room = Room().run(4)
    room.crash("n1", "process kill")
    room.run_until("elected", "n4")
    for name in OTHERS:
        room.world.act(Delay(name, "n1", 300_000))
    writer = room.add_writer("n1", TAG)
    room.run(1)
    room.restart("n1")
    room.run(5)
    assert writer.acknowledged() == []
    assert ErrorReply("CLUSTERDOWN The cluster is down") in writer.said
    assert writer.said[-1] == ErrorReply("MOVED 5061 n4:6379")


def test_after_a_partition_an_old_primary_learns_before_it_serves() -> None:
    room = Room().run(4)
    room.world.act(Partition((("n1",), OTHERS)))
    room.run_until("elected", "n4")
    writer = room.add_writer("n1", TAG)
    room.run(1)
    room.world.act(HealNetwork())
    room.run(5)
    assert writer.acknowledged() == []
    assert writer.said[-1] == ErrorReply("MOVED 5061 n4:6379")


# -- which replica ---------------------------------------------------------------------------------------------------


def two_replicas(seed: int, siblings_talk: bool) -> tuple[Room, list[bytes]]:
    """n4 and n7 follow n1; for the last second of n1's life n7 has heard nothing from it."""
    room = Room(seed, nodes=9).run(4)
    writer = room.add_writer("n1", TAG)
    room.run(1)
    room.world.act(Cut("n1", "n7", both=True))
    if not siblings_talk:
        room.world.act(Cut("n4", "n7", both=True))
    room.run(1)
    room.crash("n1")
    return room, writer.acknowledged(until_s=room.now_s - 0.01)


@pytest.mark.parametrize("seed", range(4))
def test_the_replica_with_more_data_goes_first(seed: int) -> None:
    room, acknowledged = two_replicas(seed, siblings_talk=True)
    won = room.run_until("elected")
    assert won.node == "n4"
    ranks = {note.node: note["rank"] for note in room.notes("campaign")}
    assert ranks["n4"] == 0
    assert ranks.get("n7", 1) == 1
    assert room.lost(acknowledged, "n4") == []


def test_rank_is_best_effort_a_replica_that_hears_nothing_of_the_other_may_win_with_less() -> None:
    losses = {}
    for seed in range(6):
        room, acknowledged = two_replicas(seed, siblings_talk=False)
        won = room.run_until("elected")
        losses.setdefault(won.node, []).append(len(room.lost(acknowledged, won.node)))
    assert set(losses) == {"n4", "n7"}, "it is a matter of luck"
    assert max(losses["n4"]) == 0
    assert min(losses["n7"]) > 100, "a second of acknowledged writes"


@pytest.mark.parametrize(("factor", "elected"), [(1, False), (0, True), (10, True)])
def test_a_replica_whose_data_are_too_old_does_not_run_unless_it_may(factor: int, elected: bool) -> None:
    """n4 has been without its primary for 8 s; the limit is 2 + 1 + factor x 2 s."""
    room = Room(cluster_replica_validity_factor=factor, repl_ping_replica_period=1, repl_timeout=2).run(4)
    room.world.act(Cut("n1", "n4", both=True))
    room.run(8)
    room.crash("n1")
    room.run(10 * TIMEOUT_S)
    assert bool(room.notes("elected")) is elected
    reasons = {note["why"].partition(" s old")[2] for note in room.notes("cannot fail over", node="n4")}
    assert reasons == (set() if elected else {", and that is too old"})


# -- a person's failover ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "loses"), [((), False), (("TAKEOVER",), True)])
def test_a_polite_failover_loses_nothing_and_a_takeover_does(option: tuple[str, ...], loses: bool) -> None:
    """The wire from n1 to n4 is slow, so that n4 lags by 0.3 s."""
    room = Room().run(4)
    writer = room.add_writer("n1", TAG)
    room.world.act(Delay("n1", "n4", 300_000))
    room.run(2)
    assert room.ask("n4", "CLUSTER", "FAILOVER", *option) == OK
    room.run(5)
    assert len(room.notes("slots", node="n1")) == 1
    assert bool(room.lost(writer.acknowledged(), "n4")) is loses
    assert writer.said[-1] == ErrorReply("MOVED 5061 n4:6379")


@pytest.mark.parametrize(("option", "loses"), [((), False), (("FORCE",), True)])
def test_a_polite_failover_waits_even_for_a_first_copy(option: tuple[str, ...], loses: bool) -> None:
    """n4 gets its first snapshot after three seconds; it is asked to take over half a second before."""
    room = Room(repl_diskless_sync_delay=3).run(2.2)
    writer = room.add_writer("n1", TAG)
    room.run(0.3)
    assert room.ask("n4", "CLUSTER", "FAILOVER", *option) == OK
    room.run_until("elected", "n4")
    assert bool(room.notes("synced", node="n4")) is not loses
    room.run(5)
    assert bool(room.lost(writer.acknowledged(), "n4")) is loses


def test_a_polite_failover_is_given_up_if_the_replica_cannot_catch_up() -> None:
    room = Room().run(4)
    writer = room.add_writer("n1", TAG)
    room.run(1)
    room.world.act(Cut("n1", "n4"))
    assert room.ask("n4", "CLUSTER", "FAILOVER") == OK
    room.run(7)
    room.world.act(HealNetwork())
    room.run(5)
    assert room.notes("elected") == []
    assert [note["to"] for note in room.notes("handover")] == ["n4", ""]
    assert writer.said[-1] == OK
    assert room.lost(writer.acknowledged(), "n1") == []


def test_a_polite_failover_needs_its_primary() -> None:
    room = Room().run(4)
    room.crash("n1")
    room.run_until("fail", "n4")
    refused = ErrorReply("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")
    assert room.ask("n4", "CLUSTER", "FAILOVER") == refused
