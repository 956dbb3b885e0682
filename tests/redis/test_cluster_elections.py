"""Elections under faults: one winner an epoch, votes that survive a power cut, partitions, forced failovers."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from random import Random

import pytest
from clustertools import TIMEOUT_S, Room
from redistools import Bench

from durable_redis.contract import Fsync, Opened, Received, Rename, Send, SyncDirectory, TimerFired
from durable_redis.formats.resp import OK, ErrorReply
from durable_redis.redis.cluster.bus import GREETING, Kind, Message, encode
from durable_redis.redis.cluster.slots import slots_in
from durable_redis.redis.cluster.topology import Topology
from durable_redis.sim.disk import Disk
from durable_redis.sim.faults import FaultError, HealNetwork, Partition, Pause

MINORITY, MAJORITY = ("n1", "n4"), ("n2", "n3", "n5", "n6")


def partition(room: Room, *groups: tuple[str, ...]) -> None:
    room.world.act(Partition(groups))


def heal(room: Room) -> None:
    with suppress(FaultError):  # nothing was cut
        room.world.act(HealNetwork())


def winners(room: Room) -> dict[int, list[str]]:
    """Who won in which epoch, by votes."""
    won = defaultdict(list)
    for note in room.notes("elected"):
        won[note["epoch"]].append(note.node)
    return won


def test_a_replica_whose_primary_has_become_one_follows_the_new_primary_whatever_it_hears_first() -> None:
    """n7 has taken over from n1.  n4, back from a pause, hears it from n7 first, or that n1 is a replica first."""
    slots = slots_in(NINE.shards[0].slots)
    from_old = encode(Message(Kind.PONG, "n1", 10, 10, primary="n7", slots=slots))
    from_new = encode(Message(Kind.PONG, "n7", 10, 10, slots=slots))
    for messages in ((from_new, from_old), (from_old, from_new)):
        bench = Bench(Disk(Random(1)), name="n4", topology=NINE, cluster_enabled=True, save=())
        bench.deliver(Received("one", GREETING + messages[0]), Received("one", messages[1]))
        assert bench.server.view()["primary"] == "n7"


# -- one vote an epoch -----------------------------------------------------------------------------------------------


NINE = Topology.of([f"n{number}" for number in range(1, 10)], 3)
"""n4 and n7 are the replicas of n1."""


def voter(disk: Disk, syncs: bool) -> Bench:
    """n2, with connections to everybody, and told that n1 has failed."""
    bench = Bench(disk, name="n2", topology=NINE, cluster_enabled=True, save=())
    assert bench.server.cluster is not None
    bench.server.cluster.syncs_promises = syncs
    bench.deliver(TimerFired("cluster cron"))
    bench.deliver(*(Opened(f"to {name}", name, outgoing=True) for name in NINE.nodes if name != "n2"))
    bench.deliver(Received("one", GREETING + encode(Message(Kind.FAIL, "n3", 9, 3, about="n1"))))
    bench.effects.clear()
    return bench


def request(candidate: str, epoch: int) -> Received:
    slots = slots_in(NINE.shards[0].slots)
    return Received("one", encode(Message(Kind.AUTH_REQUEST, candidate, epoch, 1, primary="n1", slots=slots)))


def votes_sent(bench: Bench) -> list[str]:
    return [effect.connection for effect in bench.of(Send) if b"AUTH-ACK" in effect.data]


def test_the_vote_leaves_after_it_is_on_the_platter() -> None:
    bench = voter(Disk(Random(1)), syncs=True)
    bench.deliver(request("n4", 10))
    assert [type(effect) for effect in bench.effects[-4:]] == [Fsync, Rename, SyncDirectory, Send]
    assert votes_sent(bench) == ["to n4"]


@pytest.mark.parametrize("syncs", [True, False])
def test_a_voter_whose_power_fails_at_any_instant_votes_once_if_it_writes_the_vote_down_first(syncs: bool) -> None:
    """n4 asks for a vote in epoch 10; the power fails after any number of effects; n7 asks in the same epoch."""
    twice = 0
    for limit in range(40):
        bench = voter(Disk(Random(1)), syncs)
        bench.perform(bench.server.handle(request("n4", 10), bench.now_us))
        bench.perform(bench.server.before_sleep(bench.now_us), limit)
        first = votes_sent(bench)
        bench.disk.power_loss("lost")
        again = voter(bench.disk, syncs)
        again.deliver(request("n7", 10))
        if first and votes_sent(again):
            twice += 1
    assert (twice > 0) is not syncs


@pytest.mark.parametrize("seed", [2, 9, 13])
def test_an_epoch_has_one_winner_at_most_whatever_happens(seed: int) -> None:
    """Three primaries with two replicas each, and faults drawn by the seed; under these there are several elections."""
    room = Room(seed=seed, nodes=9).run(3)
    luck = Random(seed)
    down: list[str] = []
    for _ in range(12):
        what = luck.choice(("crash", "restart", "partition", "heal", "pause", "wait"))
        up = [name for name in room.names if name not in down]
        if what == "crash" and len(down) < 4:
            down.append(luck.choice(up))
            room.crash(down[-1], luck.choice(("process kill", "power loss")))
        elif what == "restart" and down:
            room.restart(down.pop(0))
        elif what == "partition":
            shuffled = luck.sample(room.names, len(room.names))
            cut = luck.randrange(1, len(shuffled))
            partition(room, tuple(shuffled[:cut]), tuple(shuffled[cut:]))
        elif what == "heal":
            heal(room)
        elif what == "pause" and up:
            with suppress(FaultError):  # it stands still already
                room.world.act(Pause(luck.choice(up), luck.randrange(100_000, 4_000_000)))
        room.run(luck.uniform(0.5, 8))
    assert len(winners(room)) >= 3
    assert all(len(names) == 1 for names in winners(room).values()), winners(room)
    votes = [(note.node, note["epoch"]) for note in room.notes("vote") if note["granted"]]
    assert len(votes) == len(set(votes)), "nobody votes twice in an epoch"
    heal(room)
    for name in down:
        room.restart(name)
    room.run(8 * TIMEOUT_S)
    tables = [tuple(sorted((n.name, n.slots) for n in room.cluster(name).membership.voters)) for name in room.names]
    assert len(set(tables)) == 1, "in the end all believe the same"
    epochs = [node.config_epoch for node in room.cluster("n1").membership.voters]
    assert len(set(epochs)) == len(epochs)
    assert all(room.cluster(name).state.ok for name in room.names)


def test_two_replicas_with_one_vote_each_and_neither_wins_before_they_can_be_compared() -> None:
    """n1 has failed, and all know it; then the voters are divided: n4 can ask n2 alone, n7 can ask n3 alone."""
    room = Room(nodes=9).run(4)
    room.crash("n1")
    room.run_until("fail", "n3")
    room.run(0.1)
    partition(room, ("n4", "n2", "n5", "n8"), ("n7", "n3", "n6", "n9"))
    room.run(3 * TIMEOUT_S)
    asked = room.notes("asks for votes")
    assert [note["epoch"] for note in asked[:2]] == [10, 10]
    assert sorted(note.node for note in asked[:2]) == ["n4", "n7"]
    granted = [(note.node, note["candidate"]) for note in room.notes("vote") if note["granted"]]
    assert sorted(granted[:2]) == [("n2", "n4"), ("n3", "n7")]
    assert winners(room) == {}
    heal(room)
    won = room.run_until("elected")
    assert won["epoch"] > 10
    room.run(5 * TIMEOUT_S)
    assert len(winners(room)) == 1


# -- partitions ------------------------------------------------------------------------------------------------------


def test_the_minority_stops_when_the_timeout_is_over_and_the_majority_elects() -> None:
    room = Room().run(4)
    cut_s = room.now_s
    partition(room, MINORITY, MAJORITY)
    stopped = room.run_until("cluster state", "n1")
    assert stopped["state"] == "fail"
    assert stopped["why"] == "only 1 of 3 primaries can be reached"
    assert TIMEOUT_S - 0.2 <= stopped.at_s - cut_s <= 1.5 * TIMEOUT_S + 0.3
    assert room.ask("n1", "SET", "bar", "v") == ErrorReply("CLUSTERDOWN The cluster is down")
    room.run(10)
    assert room.notes("elected") == [], "n4, the only replica of n1, is in the minority, too"
    heal(room)
    room.run(10)
    assert all(room.cluster(name).state.ok for name in room.names)
    assert room.ask("n1", "SET", "bar", "v") == OK


def test_a_primary_cut_off_from_its_replica_is_replaced_and_gives_in_when_the_partition_heals() -> None:
    room = Room().run(4)
    partition(room, ("n1",), ("n2", "n3", "n4", "n5", "n6"))
    stopped = room.run_until("cluster state", "n1").at_s
    elected = room.run_until("elected")
    assert (elected.node, elected["epoch"]) == ("n4", 7)
    assert stopped < elected.at_s, "the old one had stopped before the new one began"
    room.run(2)
    assert room.server("n1").view()["slots"] == ((0, 5460),), "it does not know yet"
    heal(room)
    told = room.run_until("slots", "n1")
    assert (told["owner"], told["from"]) == ("n4", "n1")
    assert room.server("n1").view()["state"] == "fail"


def test_a_short_partition_changes_nothing() -> None:
    room = Room().run(4)
    partition(room, ("n1",), ("n2", "n3", "n4", "n5", "n6"))
    room.run(0.9 * TIMEOUT_S)
    heal(room)
    room.run(4 * TIMEOUT_S)
    assert room.notes("fail", "elected") == []
    assert [note["state"] for note in room.notes("cluster state", since_s=4)] == []


def test_a_replica_alone_with_its_failed_primary_does_not_elect_itself() -> None:
    room = Room().run(4)
    partition(room, MINORITY, MAJORITY)
    room.crash("n1")
    room.run(10 * TIMEOUT_S)
    assert room.notes("elected") == []
    assert room.notes("fail", node="n4") == [], "of three primaries it reaches none"


# -- a person asks for it --------------------------------------------------------------------------------------------


def test_failover_force_needs_votes_and_no_failure() -> None:
    room = Room().run(4)
    assert room.ask("n1", "CLUSTER", "FAILOVER", "FORCE").text.startswith("ERR You should send")  # type: ignore[union-attr]
    assert room.ask("n4", "CLUSTER", "FAILOVER", "FORCE") == OK
    won = room.run_until("elected", limit_s=1)
    assert (won.node, won["epoch"], len(won["votes"])) == ("n4", 7, 2)
    told = room.run_until("slots", "n1", limit_s=1)
    assert told["owner"] == "n4"
    room.run(3)
    assert room.cluster("n2").membership.replicas_of("n4")[0].name == "n1"


def test_failover_force_in_a_minority_is_in_vain_and_takeover_is_not() -> None:
    room = Room().run(4)
    partition(room, MINORITY, MAJORITY)
    assert room.ask("n4", "CLUSTER", "FAILOVER", "FORCE") == OK
    room.run(3 * TIMEOUT_S)
    assert room.notes("elected") == []
    assert room.ask("n4", "CLUSTER", "FAILOVER", "TAKEOVER") == OK
    (took,) = room.notes("elected")
    assert (took.node, took["votes"]) == ("n4", ())
    heal(room)
    room.run(5 * TIMEOUT_S)
    assert room.cluster("n3").membership.owner_of(0).name == "n4"  # type: ignore[union-attr]


def test_two_takeovers_in_one_epoch_on_two_sides_of_a_partition_end_with_two_epochs() -> None:
    room = Room().run(4)
    partition(room, ("n1", "n2", "n4"), ("n3", "n5", "n6"))
    assert room.ask("n4", "CLUSTER", "FAILOVER", "TAKEOVER") == OK
    assert room.ask("n5", "CLUSTER", "FAILOVER", "TAKEOVER") == OK
    assert [note["epoch"] for note in room.notes("elected")] == [7, 7]
    heal(room)
    room.run(5 * TIMEOUT_S)
    (moved,) = room.notes("epoch collision")
    epochs = {node.name: node.config_epoch for node in room.cluster("n3").membership.voters}
    assert sorted(epochs) == ["n3", "n4", "n5"]
    assert sorted(epochs.values()) == [3, 7, 8]
    assert epochs[moved.node] == 8
