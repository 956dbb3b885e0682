"""Sentinels in a machine room, watching toy servers: who is found down, who is elected, what is promoted and mended."""

from __future__ import annotations

from itertools import pairwise

import pytest
import sentineltools as tools
from sentineltools import ask, at_ms, kill, node, restart, room, run, story

from durable_redis.contract import Fsync, Send
from durable_redis.formats.resp import ErrorReply, Status
from durable_redis.sim.faults import FailDisk, HealDisk, SlowDisk
from durable_redis.sim.hardware import Hardware

SETTLED_MS = 4_000


def settled(**options):
    return run(room(**options), SETTLED_MS)


def primaries(world):
    """Whom each sentinel that is up names."""
    return {name: node(world, name).announced_primary for name in sentinels(world)}


def sentinels(world):
    return [name for name, machine in world.machines.items() if name.startswith("s") and machine.up]


# -- calm ------------------------------------------------------------------------------------------------------------


def test_replicas_and_fellows_become_known_and_nothing_happens():
    world = run(room(), 40_000)
    for name in ("s1", "s2", "s3"):
        sentinel = node(world, name)
        assert list(sentinel.replicas) == ["n2", "n3"]
        assert all(peer.run_id == node(world, peer.name).run_id for peer in sentinel.peers.values())
    assert story(world, "sdown", "odown", "vote", "failover", "abort", "tilt", "refused") == []


@pytest.mark.parametrize("known_replicas", [(), ("n2",)])
def test_a_failover_before_the_first_info_needs_replicas_that_are_known(known_replicas):
    """The primary dies before it has told anybody of its replicas."""
    world = room(servers=2, known_replicas=known_replicas)
    kill(world, "n1")
    run(world, 10_000)
    expected = {"n2"} if known_replicas else {"n1"}
    assert set(primaries(world).values()) == expected
    assert bool(story(world, "abort")) == (not known_replicas)


def test_the_same_seed_tells_the_same_story():
    def play(seed):
        world = settled(seed=seed, hardware=Hardware())
        kill(world, "n1")
        return run(world, 15_000).journal.digest()

    assert play(3) == play(3)
    assert play(3) != play(4)


# -- the failover ----------------------------------------------------------------------------------------------------


def test_a_dead_primary_is_replaced_by_the_replica_with_the_most_data():
    world = settled()
    node(world, "n3").offset = 200
    kill(world, "n1")
    run(world, 15_000)

    # Down for one, then for enough of them; one leader; one promotion; the other replica follows; everybody knows.
    kinds = [kind for _, kind, _ in story(world, "sdown", "odown", "leader", "selected", "promoting", "promoted")]
    assert list(dict.fromkeys(kinds)) == ["sdown", "odown", "leader", "selected", "promoting", "promoted"]
    # The silence counts from the last valid answer, which was up to a PING period before the end.
    assert 900 <= at_ms(world, "sdown", instance="n1") - SETTLED_MS <= 2_200
    [(leader, _, facts)] = story(world, "leader")
    assert facts == {"leader": leader, "epoch": 1, "votes": facts["votes"], "needed": 2}
    [(_, _, chosen)] = story(world, "selected")
    assert chosen == {"replica": "n3", "epoch": 1, "others": {"n2": "its offset is 100, n3 has 200"}}
    assert node(world, "n3").orders == [""]
    assert node(world, "n2").orders == ["n3"]
    assert primaries(world) == {"s1": "n3", "s2": "n3", "s3": "n3"}
    assert {node(world, name).config_epoch for name in ("s1", "s2", "s3")} == {1}
    assert len(story(world, "switch")) == 3


def test_the_states_follow_the_table():
    world = settled()
    kill(world, "n1")
    run(world, 15_000)
    steps = [(facts["from"], facts["to"]) for _, _, facts in story(world, "failover")]
    assert steps == [
        ("none", "wait start"),
        ("wait start", "select replica"),
        ("select replica", "send REPLICAOF NO ONE"),
        ("send REPLICAOF NO ONE", "wait promotion"),
        ("wait promotion", "reconfigure replicas"),
        ("reconfigure replicas", "update config"),
        ("update config", "none"),
    ]


def test_a_power_loss_is_found_out_by_patience_alone():
    """A machine without power refuses nothing and closes nothing: it is silent."""
    world = settled()
    kill(world, "n1", kind="power loss")
    run(world, 15_000)
    assert set(primaries(world).values()) == {"n2"} or set(primaries(world).values()) == {"n3"}


@pytest.mark.parametrize("answer", [ErrorReply("LOADING Redis is loading"), ErrorReply("MASTERDOWN Link is down")])
def test_a_busy_server_is_not_down(answer):
    world = settled()
    node(world, "n1").answer = answer
    assert story(run(world, 15_000), "sdown") == []


@pytest.mark.parametrize(
    "answer", [ErrorReply("NOAUTH Authentication required."), Status(b"HELLO"), 1, None, [b"PONG"]]
)
def test_any_other_answer_to_ping_is_none(answer):
    world = settled()
    node(world, "n1").answer = answer
    run(world, 15_000)
    assert at_ms(world, "promoted")


def test_below_the_quorum_there_is_an_opinion_and_no_failover():
    world = settled(sentinels=3, quorum=3)
    kill(world, "s3")
    kill(world, "n1")
    run(world, 30_000)
    assert at_ms(world, "sdown", instance="n1")
    assert story(world, "odown", "failover") == []


def test_with_a_quorum_and_without_a_majority_there_is_no_leader():
    """Quorum 1: each sentinel alone may try.  Two of three are dead: the third never gets the votes."""
    world = settled(quorum=1)
    kill(world, "s2", "s3")
    kill(world, "n1")
    run(world, 60_000)
    aborts = [facts for _, _, facts in story(world, "abort")]
    assert len(aborts) >= 3
    assert aborts[0]["why"] == "not elected: 1 of 2 votes at best"
    assert story(world, "leader", "promoting") == []
    assert primaries(world) == {"s1": "n1"}


def test_between_two_attempts_lies_twice_the_failover_timeout():
    world = settled(quorum=1)
    kill(world, "s2", "s3")
    kill(world, "n1")
    run(world, 60_000)
    starts = [s.at_us // 1000 for s in world.journal if is_note(s, "failover") and s.what.facts["to"] == "wait start"]
    assert all(12_000 <= later - earlier <= 13_300 for earlier, later in pairwise(starts))
    assert len(starts) >= 4


def is_note(step, kind):
    return getattr(step.what, "kind", "") == kind


# -- what can go wrong on the way ------------------------------------------------------------------------------------


def test_no_good_replica():
    world = settled(servers=2)
    node(world, "n2").priority = 0
    run(world, 11_000)
    kill(world, "n1")
    run(world, 6_000)
    [(_, _, facts), *_] = story(world, "abort")
    assert (facts["why"], facts["others"]) == ("no good replica", {"n2": "its priority is 0"})


def test_a_replica_that_does_not_obey_is_given_up_after_the_failover_timeout():
    world = settled()
    node(world, "n2").offset = 500
    node(world, "n2").obeys = False
    kill(world, "n1")
    run(world, 10_000)
    [(_, _, facts)] = story(world, "abort")
    assert (facts["why"], facts["state"]) == ("n2 did not become a primary", "wait promotion")
    node(world, "n2").obeys = True
    run(world, 20_000)
    assert set(primaries(world).values()) == {"n2"}
    assert {node(world, name).config_epoch for name in sentinels(world)} == {2}


def test_a_replica_that_does_not_follow_does_not_hold_the_switch_up_for_ever():
    world = settled(servers=4)
    node(world, "n2").offset = 500
    node(world, "n3").obeys = False
    kill(world, "n1")
    run(world, 25_000)
    assert set(primaries(world).values()) == {"n2"}
    assert node(world, "n4").primary == "n2"
    assert node(world, "n3").orders.count("n2") >= 2


def test_parallel_syncs_is_how_many_are_under_way_together():
    def under_way(parallel_syncs):
        world = settled(servers=5, parallel_syncs=parallel_syncs)
        kill(world, "n1")
        run(world, 15_000)
        most = now = 0
        for _, kind, _ in story(world, "reconfiguring", "reconfigured"):
            now += 1 if kind == "reconfiguring" else -1
            most = max(most, now)
        assert [kind for _, kind, _ in story(world, "reconfiguring", "reconfigured")].count("reconfigured") == 3
        return most

    assert under_way(1) == 1
    assert under_way(3) == 3


def test_a_leader_that_dies_after_the_promotion_is_followed_by_another():
    world = settled()
    kill(world, "n1")
    while not story(world, "promoting"):
        world.step()
    leader = story(world, "promoting")[0][0]
    kill(world, leader)
    run(world, 40_000)
    leaders = [(facts["epoch"], facts["leader"]) for _, _, facts in story(world, "leader")]
    assert len(leaders) == 2
    assert leaders[1][0] > leaders[0][0]
    assert leaders[1][1] != leader
    assert len(set(primaries(world).values())) == 1


@pytest.mark.parametrize("delay_ms", [5, 300, 600])
def test_a_leader_that_dies_right_after_the_promotion_knows_it_again(delay_ms):
    """Address and config epoch are written together.  The old address under the new epoch would be a lie for ever: no
    hello would have a higher epoch."""
    world = settled()
    kill(world, "n1")
    while not story(world, "promoted"):
        world.step()
    [(leader, _, facts)] = story(world, "promoted")
    run(world, delay_ms)
    assert node(world, leader).failover.state.value == "reconfigure replicas"
    kill(world, leader, kind="power loss")
    restart(world, leader)
    run(world, 50)
    assert (node(world, leader).primary.name, node(world, leader).config_epoch) == (facts["replica"], 1)
    run(world, 60_000)
    assert len(set(primaries(world).values())) == 1
    assert primaries(world)[leader] != "n1"


# -- mending ---------------------------------------------------------------------------------------------------------


def test_the_old_primary_comes_back_and_is_demoted_not_at_once():
    world = settled()
    kill(world, "n1")
    run(world, 15_000)
    restart(world, "n1")
    back_ms = world.now_us // 1000
    run(world, 30_000)
    assert 8_000 <= at_ms(world, "demoted", server="n1") - back_ms <= 22_000
    assert node(world, "n1").primary == node(world, "s1").announced_primary


def test_a_replica_of_the_wrong_primary_is_pointed_to_the_right_one():
    world = settled()
    node(world, "n2").primary = "n3"
    run(world, 30_000)
    assert at_ms(world, "fixed", server="n2") - SETTLED_MS >= 6_000
    assert node(world, "n2").primary == "n1"


def test_a_primary_that_calls_itself_a_replica_for_long_is_down():
    world = settled()
    node(world, "n1").primary = "n2"
    run(world, 60_000)
    reason = next(facts["why"] for _, _, facts in story(world, "sdown") if facts["instance"] == "n1")
    assert reason.startswith("it has called itself a replica for 2")
    assert set(primaries(world).values()) & {"n2", "n3"}


def test_a_primary_that_restarts_within_down_after_is_seen_and_nothing_is_done():
    world = settled()
    kill(world, "n1")
    run(world, 1_000)
    restart(world, "n1")
    run(world, 15_000)
    assert len(story(world, "restarted")) == 3
    assert story(world, "odown", "failover") == []


# -- memory ----------------------------------------------------------------------------------------------------------


def vote_request(world, epoch, candidate):
    return f"SENTINEL IS-MASTER-DOWN-BY-ADDR n1 6379 {epoch} {candidate}"


@pytest.mark.parametrize("kind", ["process kill", "power loss"])
def test_a_restarted_sentinel_does_not_vote_twice_in_an_epoch(kind):
    world = settled()
    assert ask(world, "s1", vote_request(world, 7, "aa")) == [[0, b"aa", 7]]
    kill(world, "s1", kind=kind)
    restart(world, "s1")
    run(world, 1_000)
    assert ask(world, "s1", vote_request(world, 7, "bb")) == [[0, b"*", 7]]
    assert ask(world, "s1", vote_request(world, 8, "bb")) == [[0, b"bb", 8]]


def test_without_its_file_it_votes_twice():
    """The counterpart: what the file is good for."""
    world = settled()
    assert ask(world, "s1", vote_request(world, 7, "aa")) == [[0, b"aa", 7]]
    kill(world, "s1", kind="disk loss")
    for other in ("s2", "s3"):  # they would tell it of the epoch, though not of its vote
        kill(world, other)
    restart(world, "s1")
    run(world, 1_000)
    assert ask(world, "s1", vote_request(world, 7, "bb")) == [[0, b"bb", 7]]


def test_the_vote_is_on_the_platter_before_it_is_answered():
    world = settled()
    before = len(world.journal.steps)
    ask(world, "s1", vote_request(world, 7, "aa"))
    mine = [s.what for s in world.journal.steps[before:] if s.machine == "s1"]
    fsync = next(i for i, what in enumerate(mine) if isinstance(what, Fsync))
    answer = next(i for i, what in enumerate(mine) if isinstance(what, Send) and b"aa" in what.data)
    assert fsync < answer


def test_a_restarted_sentinel_remembers_the_configuration_and_its_name():
    world = settled()
    kill(world, "n1")
    run(world, 15_000)
    primary, run_id = node(world, "s2").announced_primary, node(world, "s2").run_id
    kill(world, "s2", kind="power loss")
    restart(world, "s2")
    run(world, 100)
    sentinel = node(world, "s2")
    assert (sentinel.primary.name, sentinel.config_epoch, sentinel.run_id) == (primary, 1, run_id)


def test_a_damaged_file_stops_the_sentinel_with_a_sentence():
    world = settled()
    kill(world, "s1")
    world.machines["s1"].disk.write("sentinel.conf", b"sentinel myid\n")
    restart(world, "s1")
    run(world, 100)
    assert not world.machines["s1"].up
    assert "sentinel.conf, line 1" in world.machines["s1"].last_crash


def test_a_disk_that_fails_is_reported_and_the_sentinel_goes_on():
    world = settled()
    world.act(FailDisk("s1", "fsync"))
    assert ask(world, "s1", vote_request(world, 7, "aa")) == [[0, b"aa", 7]]
    assert story(world, "not saved", machine="s1")


# -- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_one_leader_and_one_promotion_an_epoch(seed):
    """Five sentinels find out at about the same time, over wires with luck; some crash and come back meanwhile."""
    world = settled(seed=seed, sentinels=5, quorum=2, hardware=Hardware())
    luck = tools.Random(seed)
    kill(world, "n1")
    for _ in range(12):
        run(world, luck.randrange(200, 3_000))
        victim = luck.choice(["s1", "s2", "s3", "s4", "s5"])
        if world.machines[victim].up:
            kill(world, victim, kind=luck.choice(["process kill", "power loss"]))
        else:
            restart(world, victim)
    for name in ("s1", "s2", "s3", "s4", "s5"):
        if not world.machines[name].up:
            restart(world, name)
    run(world, 60_000)
    for kind in ("leader", "promoting"):
        epochs = [facts["epoch"] for _, _, facts in story(world, kind)]
        assert len(epochs) == len(set(epochs)), f"seed {seed}: two of {kind} in one epoch: {story(world, kind)}"
    assert len(set(primaries(world).values())) == 1, f"seed {seed}: {primaries(world)}"
    assert set(primaries(world).values()) != {"n1"}


def test_the_higher_config_epoch_wins_whoever_says_it():
    world = settled()
    assert ask(world, "s1", "PUBLISH __sentinel__:hello s2,26379,ab,9,mymaster,n3,6379,9") == [1]
    run(world, 5_000)
    assert primaries(world) == {"s1": "n3", "s2": "n3", "s3": "n3"}
    assert ask(world, "s1", "PUBLISH __sentinel__:hello s2,26379,ab,9,mymaster,n1,6379,8") == [1]
    run(world, 5_000)
    assert primaries(world) == {"s1": "n3", "s2": "n3", "s3": "n3"}


@pytest.mark.parametrize("primary", ["n1", "n2", "n3"])
def test_a_leader_that_is_overtaken_gives_in_in_any_state(primary):
    """While it still points the replicas to its own choice, it hears of a later epoch, which may even name the old
    primary again."""
    world = settled()
    kill(world, "n1")
    while not story(world, "promoted"):
        world.step()
    leader = story(world, "promoted")[0][0]
    peer = next(iter(node(world, leader).peers))
    restart(world, "n1")
    node(world, primary).primary = ""  # the later leader has promoted it
    assert ask(world, leader, f"PUBLISH __sentinel__:hello {peer},26379,ab,9,mymaster,{primary},6379,9") == [1]
    run(world, 40_000)
    assert set(primaries(world).values()) == {primary}
    assert {node(world, name).config_epoch for name in sentinels(world)} == {9}
    roles = {name: node(world, name).primary for name in ("n1", "n2", "n3")}
    assert roles == {name: "" if name == primary else primary for name in roles}


# -- TILT ------------------------------------------------------------------------------------------------------------


def test_a_sentinel_that_slept_trusts_nothing_for_a_while():
    """Its own fsync takes 5 s: the thread stands still, and all that it did not hear meanwhile means nothing."""
    world = settled()
    world.act(SlowDisk("s1", 5_000_000))
    world.add_machine(
        "asker", "a", lambda random: tools.Asker(random, "s1", [vote_request(world, 7, "aa").encode().split()])
    )
    world.start("asker")
    run(world, 20_000)
    world.act(HealDisk("s1"))
    assert story(world, "tilt", machine="s1")[0][2]["on"]
    assert node(world, "s1").tilt
    assert story(world, "sdown", machine="s1") == []
    kill(world, "n1")
    run(world, 15_000)
    assert story(world, "sdown", machine="s1") == []
    run(world, 30_000)
    assert not node(world, "s1").tilt


# -- malformed peers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01",
        b"*2\r\n:1\r\n",
        b"$-7\r\n",
        b":7\r\n",
        b"*0\r\n",
        b"*3\r\n:1\r\n+x\r\n$-1\r\n",
    ],
)
def test_a_server_that_talks_nonsense_is_found_down_and_raises_nothing(garbage):
    world = settled()
    node(world, "n1").garbage = garbage
    run(world, 20_000)
    assert at_ms(world, "promoted")


@pytest.mark.parametrize(
    "data", [b"*1\r\n$x\r\n", b"\xff\xfe\r\n", b"SENTINEL\r\n", b"*9999999\r\n", b"*1\r\n$0\r\n\r\n"]
)
def test_a_client_that_talks_nonsense_raises_nothing(data):
    world = settled()
    world.add_machine("x", "a", lambda random: tools.Nuisance("s1", data))
    world.start("x")
    run(world, 2_000)
    assert ask(world, "s1", "PING") == [Status(b"PONG")]
