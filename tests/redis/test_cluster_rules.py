"""The rules of a cluster with no world at all: claims, epochs, failure detection, state, elections, nodes.conf."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.redis.cluster import detector, election, nodes_conf
from durable_redis.redis.cluster.bus import FORCE, Health, Kind, Message
from durable_redis.redis.cluster.election import Campaign, Phase
from durable_redis.redis.cluster.membership import Membership, node_id
from durable_redis.redis.cluster.slots import ALL, slots_in
from durable_redis.redis.cluster.state import ClusterState, rejoin_delay_us
from durable_redis.redis.cluster.topology import Topology

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
TIMEOUT = 2 * SECOND
SIX = Topology.of([f"n{number}" for number in range(1, 7)], 3)


def beliefs(name: str = "n2") -> Membership:
    """Three primaries n1..n3 with config epochs 1..3, and their replicas n4..n6."""
    return SIX.beliefs_of(name)


# -- who serves what -------------------------------------------------------------------------------------------------


def test_the_topology_of_redis_cli() -> None:
    members = beliefs()
    assert [(node.name, node.config_epoch) for node in members.voters] == [("n2", 2), ("n1", 1), ("n3", 3)]
    assert [node.name for node in members.replicas_of("n1")] == ["n4"]
    assert (members.quorum, members.current_epoch, members.unassigned) == (2, 6, 0)
    assert members.owner_of(0) is members.nodes["n1"]
    assert members.owner_of(16383) is members.nodes["n3"]


def test_the_greater_config_epoch_wins_slot_by_slot() -> None:
    members = beliefs("n3")
    members.nodes["n2"].config_epoch = 9
    winner = members.nodes["n4"]
    taken = members.claim(winner, 8, slots_in([(0, 8000)]))
    assert taken == {"n1": slots_in([(0, 5460)])}, "what was n2's, as of 9, stays n2's"
    assert members.owner_of(0) is winner
    assert members.owner_of(5461) is members.nodes["n2"]


def test_an_older_or_equal_claim_takes_nothing() -> None:
    members = beliefs("n3")
    assert members.claim(members.nodes["n4"], 1, ALL) == {}
    assert members.newer_owner(members.nodes["n4"], 0, slots_in([(7, 7)])) is members.nodes["n1"]


def test_what_nobody_serves_is_taken_by_whoever_claims_it() -> None:
    members = Topology().beliefs_of("n1")
    assert members.claim(members.add("n2"), 0, 0b11) == {"": 0b11}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2**20)), max_size=6), st.randoms(use_true_random=False))
def test_everybody_ends_with_the_same_slots_in_whatever_order_claims_come(claims: list, luck: object) -> None:
    """Each claimant speaks under one epoch of its own, as elections give them out."""
    named = {f"p{epoch}": (epoch, slots) for epoch, slots in claims}
    tables = []
    for _ in range(2):
        members = Membership("me")
        for name in sorted(named):
            members.add(name)
        order = list(named) * 2
        luck.shuffle(order)  # type: ignore[attr-defined]
        for name in order:
            epoch, slots = named[name]
            members.nodes[name].config_epoch = epoch
            members.claim(members.nodes[name], epoch, slots)
        tables.append({name: members.nodes[name].slots for name in named})
    assert tables[0] == tables[1]
    assert sum(tables[0].values()).bit_count() == sum(slots.bit_count() for slots in tables[0].values()), (
        "no slot twice"
    )


def test_of_two_primaries_with_one_epoch_the_smaller_id_moves_on() -> None:
    first, second = sorted(["n1", "n2"], key=node_id)
    for me, other, moves in ((first, second, True), (second, first, False)):
        members = beliefs(me)
        members.nodes["n1"].config_epoch = members.nodes["n2"].config_epoch = 6
        assert members.resolve_collision(members.nodes[other]) is moves
        assert members.me.config_epoch == (7 if moves else 6)
        assert members.resolve_collision(members.nodes["n4"]) is False, "a replica collides with nobody"


# -- who has failed --------------------------------------------------------------------------------------------------


def test_silence_is_the_shorter_of_two_times() -> None:
    node = beliefs().nodes["n1"]
    assert detector.silence_us(node, NOW) == 0, "it owes no answer"
    node.pinged_us, node.heard_us = NOW - 15 * SECOND, NOW - 13 * SECOND
    assert detector.silence_us(node, NOW) == 13 * SECOND
    assert detector.must_suspect(node, NOW, 13 * SECOND) is False
    assert detector.must_suspect(node, NOW, 13 * SECOND - 1) is True


def test_fail_needs_a_majority_of_primaries_with_fresh_reports_and_my_own_suspicion() -> None:
    members = beliefs("n2")
    failing = members.nodes["n1"]
    detector.hear_report(failing, members.nodes["n3"], True, NOW)
    assert not detector.majority_agrees(members, failing, NOW, TIMEOUT), "n2 itself can reach it"
    failing.health = Health.PFAIL
    assert detector.majority_agrees(members, failing, NOW + 2 * TIMEOUT, TIMEOUT)
    assert not detector.majority_agrees(members, failing, NOW + 2 * TIMEOUT + 1, TIMEOUT), "the report is too old"
    detector.hear_report(failing, members.nodes["n3"], False, NOW)
    assert not detector.majority_agrees(members, failing, NOW, TIMEOUT), "the report was taken back"
    for replica in ("n5", "n6"):
        detector.hear_report(failing, members.nodes[replica], True, NOW)
    assert not detector.majority_agrees(members, failing, NOW, TIMEOUT), "replicas have no say"


def test_a_replica_needs_two_primaries_besides_itself() -> None:
    members = beliefs("n4")
    failing = members.nodes["n1"]
    failing.health = Health.PFAIL
    detector.hear_report(failing, members.nodes["n2"], True, NOW)
    assert not detector.majority_agrees(members, failing, NOW, TIMEOUT)
    detector.hear_report(failing, members.nodes["n3"], True, NOW)
    assert detector.majority_agrees(members, failing, NOW, TIMEOUT)


def test_a_failed_primary_is_taken_back_late_and_a_replica_at_once() -> None:
    members = beliefs()
    primary, replica = members.nodes["n1"], members.nodes["n4"]
    for node in (primary, replica):
        detector.mark_failed(node, NOW)
    assert detector.may_recover(replica, NOW, TIMEOUT)
    assert not detector.may_recover(primary, NOW + 2 * TIMEOUT, TIMEOUT)
    assert detector.may_recover(primary, NOW + 2 * TIMEOUT + 1, TIMEOUT)
    primary.slots = 0
    assert detector.may_recover(primary, NOW, TIMEOUT), "it has been replaced"


# -- the state -------------------------------------------------------------------------------------------------------


def at(state: ClusterState, members: Membership, seconds: float, full_coverage: bool = True) -> bool:
    state.look(members, NOW + int(seconds * SECOND), TIMEOUT, full_coverage)
    return state.ok


def test_a_restarted_primary_waits_two_seconds_and_a_replica_does_not() -> None:
    primary, replica = ClusterState(), ClusterState()
    assert [at(primary, beliefs("n1"), seconds) for seconds in (0, 1.9, 2)] == [False, False, True]
    assert at(replica, beliefs("n4"), 0)


def test_the_minority_stops_and_rejoins_after_a_delay() -> None:
    members, state = beliefs("n1"), ClusterState()
    assert [at(state, members, seconds) for seconds in (0, 2)] == [False, True]
    members.nodes["n2"].health = Health.PFAIL
    assert at(state, members, 3), "two of three are a majority"
    members.nodes["n3"].health = Health.PFAIL
    assert not at(state, members, 4)
    assert state.why_not == "only 1 of 3 primaries can be reached"
    members.nodes["n2"].health = members.nodes["n3"].health = Health.OK
    assert [at(state, members, seconds) for seconds in (5, 5.9, 6)] == [False, False, True]
    assert [rejoin_delay_us(t * SECOND) / 1e6 for t in (15, 2)] == [5, 2]
    assert rejoin_delay_us(100_000) == 500_000


def test_a_failed_primary_takes_the_whole_cluster_down_if_full_coverage_is_required() -> None:
    members = beliefs("n4")
    detector.mark_failed(members.nodes["n1"], NOW)
    assert not at(ClusterState(), members, 0)
    assert at(ClusterState(), members, 0, full_coverage=False)
    assert not at(ClusterState(), Topology().beliefs_of("n1"), 9), "a slot is served by nobody"


# -- elections -------------------------------------------------------------------------------------------------------


def test_the_worked_values_of_the_rules() -> None:
    assert election.rank(100, [90, 100, 120, 130]) == 2
    assert election.delay_us(200_000, 1) == 1_700_000
    assert [election.vote_wait_us(t * SECOND) / 1e6 for t in (15, 0)] == [30, 2]
    assert election.retry_us(15 * SECOND) == 60 * SECOND
    limit = 175 * SECOND
    for age, too_old in ((limit, False), (limit + 1, True)):
        assert election.data_too_old(age, 15 * SECOND, 10, 10 * SECOND) is too_old
    assert election.data_too_old(10**12, 15 * SECOND, 0, 10 * SECOND) is False


def request(members: Membership, candidate: str = "n4", **changes: object) -> Message:
    primary = members.nodes[members.nodes[candidate].primary or candidate]
    facts: dict = {"current_epoch": members.current_epoch, "config_epoch": primary.config_epoch, "slots": primary.slots}
    return Message(Kind.AUTH_REQUEST, candidate, primary=primary.name, **(facts | changes))


def voter(name: str = "n2") -> Membership:
    """n1 has failed, n4 has begun epoch 7."""
    members = beliefs(name)
    detector.mark_failed(members.nodes["n1"], NOW)
    members.current_epoch = 7
    return members


def why_no_vote(members: Membership, message: Message, now: int = NOW) -> str:
    return election.why_no_vote(members, message, now, TIMEOUT)


def test_a_vote_is_given_once_in_an_epoch_and_once_for_a_primary_in_a_while() -> None:
    members = voter()
    assert why_no_vote(members, request(members)) == ""
    members.last_vote_epoch = 7
    assert why_no_vote(members, request(members)) == "I have voted in epoch 7"
    members.nodes["n1"].voted_us = NOW
    members.current_epoch = 8
    for later, refused in ((0, True), (2 * TIMEOUT - 1, True), (2 * TIMEOUT, False)):
        assert bool(why_no_vote(members, request(members), NOW + later)) is refused


def test_who_gets_no_vote_and_why() -> None:
    members = voter()
    assert why_no_vote(voter("n5"), request(members)) == "only primaries that serve slots vote"
    assert why_no_vote(members, request(members, current_epoch=6)) == "epoch 6 is over: it is 7 now"
    assert why_no_vote(members, request(members, "n6")) == "its primary n3 has not failed"
    assert why_no_vote(members, request(members, "n6", marks=(FORCE,))) == "", "a person has asked for it"
    assert why_no_vote(members, request(members, "n3")) == "n3 is not the replica of anybody I know"
    stale = request(members, config_epoch=0)
    assert why_no_vote(members, stale) == "n1 serves its slots since epoch 1, and it speaks of 0"


def test_a_campaign_goes_its_way_and_no_other() -> None:
    campaign = Campaign()
    assert campaign.attempt_is_due(NOW, TIMEOUT)
    campaign.schedule(NOW + SECOND, 0)
    campaign.count("n2")
    assert campaign.votes == [], "nobody has been asked yet"
    with pytest.raises(AssertionError, match="cannot go from waiting to won"):
        campaign.enter(Phase.WON)
    campaign.enter(Phase.ASKING)
    for name in ("n2", "n2", "n3"):
        campaign.count(name)
    assert campaign.votes == ["n2", "n3"]
    assert not campaign.attempt_is_due(NOW + SECOND + 4 * TIMEOUT, TIMEOUT)
    assert campaign.attempt_is_due(NOW + SECOND + 4 * TIMEOUT + 1, TIMEOUT)


# -- nodes.conf ------------------------------------------------------------------------------------------------------


def written() -> bytes:
    members = voter("n4")
    members.last_vote_epoch = 5
    members.nodes["n6"].takes_over = False
    return nodes_conf.render(members)


def test_what_a_node_writes_down_it_reads_back() -> None:
    members = nodes_conf.parse(written(), "nodes.conf", "n4")
    assert (members.current_epoch, members.last_vote_epoch, members.changed) == (7, 5, False)
    expected = voter("n4").nodes.values()
    found = [members.nodes[node.name] for node in expected]
    assert [(n.name, n.primary, n.slots, n.health) for n in found] == [
        (n.name, n.primary, n.slots, n.health) for n in expected
    ]
    assert [node.takes_over for node in found] == [node.name != "n6" for node in expected]
    assert nodes_conf.render(members) == written()


def test_a_line_of_it_is_a_line_of_cluster_nodes() -> None:
    members = voter("n1")
    assert nodes_conf.describe(members, members.me) == (
        f"{node_id('n1')} n1:6379@16379 myself,master,fail - 0 0 1 connected 0-5460"
    )
    assert nodes_conf.describe(members, members.nodes["n4"], connected=False) == (
        f"{node_id('n4')} n4:6379@16379 slave {node_id('n1')} 0 0 1 disconnected"
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"\nvars", b"\nwars", "the last line is not 'vars currentEpoch N lastVoteEpoch N'"),
        (b"Epoch 5\n", b"Epoch 5", "the last line has no end"),
        (b"Epoch 5", b"Epoch five", "the epoch of the last vote is a whole number, not 'five'"),
        (b" 0-5460", b" 0-6000", "serves slots that another line gives to another node"),
        (b" 0-5460", b" 0-99999", "breaks it"),
        (b"n1:6379", b"n9:6379", "is not the id of 'n9'"),
        (b"myself,", b"", "n4 is marked 'slave', and I am n4"),
        (b":6379@16379", b":7000", "an address is written like n1:6379@16379"),
        (b" connected", b"", "a node has 8 words or more"),
    ],
)
def test_a_damaged_one_is_refused_by_name(old: bytes, new: bytes, sentence: str) -> None:
    text = written()
    assert old in text
    with pytest.raises(nodes_conf.NodesConfError) as caught:
        nodes_conf.parse(text.replace(old, new), "nodes.conf", "n4")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("nodes.conf, line ")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_ends_in_anything_but_the_named_error(data: st.DataObject) -> None:
    text = bytearray(written())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(text)))
    with suppress(nodes_conf.NodesConfError):
        nodes_conf.parse(bytes(text[:cut]), "nodes.conf", "n4")


def test_every_shorter_file_is_refused() -> None:
    text = written()
    for size in [*range(0, len(text), 11), *range(len(text) - 30, len(text))]:
        with pytest.raises(nodes_conf.NodesConfError):
            nodes_conf.parse(text[:size], "nodes.conf", "n4")
