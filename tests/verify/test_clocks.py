"""Clocks that are wrong, within the bound that MemoryDB's leases allow and beyond it; and what the judges say then."""

from __future__ import annotations

import pytest
from stories import Story, Trio

from durable_redis.contract import Note
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.playback import Playback
from durable_redis.memorydb.config import MemoryDBConfig
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import Skew
from durable_redis.sim.scenario import Action
from durable_redis.verify.clocks import right_enough
from durable_redis.verify.evidence import Evidence, Witness
from durable_redis.verify.judging import Case
from durable_redis.verify.leases import one_lease


def test_the_bound_leaves_room_between_the_longest_lease_and_the_shortest_backoff() -> None:
    for lease_ms, backoff_ms, most_ms in ((2_000, 3_000, 249), (2_000, 2_001, 0), (2_000, 2_005, 1)):
        config = MemoryDBConfig(lease_ms=lease_ms, backoff_ms=backoff_ms)
        assert config.clock_error_ms == most_ms
        assert lease_ms + 2 * most_ms < backoff_ms - 2 * most_ms
        assert lease_ms + 2 * (most_ms + 1) >= backoff_ms - 2 * (most_ms + 1)


def wrong_by(error_ms: int) -> Evidence:
    """The worst that can be done with clocks which are wrong by so much.  The leader's is fast while it renews its
    lease for the last time, and slow from then on; the replica's the other way round."""
    deployment = parse_deployment("MemoryDB(replicas=1, backoff_jitter_ms=1)")
    playback = Playback(deployment, seed=3, record=False)
    witness = Witness(playback)

    def at(at_ms: int, verb: str, *arguments: object) -> None:
        playback.perform(Action(verb, arguments, at_us=at_ms * 1_000))

    at(5_000, "skew", "n1", error_ms)
    at(5_000, "skew", "n2", -error_ms)
    for log in ("log-a", "log-b", "log-c"):
        at(7_000, "cut", "n1", log)
    at(7_010, "skew", "n1", -error_ms)
    at(7_010, "skew", "n2", error_ms)
    playback.play_to(12_000_000)
    return witness.evidence()


@pytest.mark.parametrize(("error_ms", "overlap"), [(0, False), (249, False), (300, True)])
def test_clocks_within_the_bound_are_survived_and_beyond_it_two_nodes_hold_a_lease(
    error_ms: int, overlap: bool
) -> None:
    evidence = wrong_by(error_ms)
    led = [step.machine for _, step, _ in evidence.notes("leads")]
    assert led == ["n1", "n2"], "the replica takes over, or this shows nothing"
    assert right_enough(evidence) != overlap
    evidence.deployment.clock_error_ms = 10_000  # so that the judge says what it sees
    assert bool(list(one_lease(Case(evidence)))) == overlap


# -- the judge, on runs made by hand ----------------------------------------------------------------------------------


def leases(*told: tuple[int, object]) -> list[tuple[str, int]]:
    """n1 takes a lease of 2 s at 1 s, n2 one of 2 s at 3.1 s, and at these times (in ms) something else happens: who is
    found to hold one too many, and when."""
    story = Story(Trio())
    taken = [(1_000, "n1"), (3_100, "n2")]
    for at_ms, what in sorted([*taken, *told], key=lambda one: one[0]):
        story.now_us = at_ms * 1_000 - 1_000  # a step takes 1 ms
        if isinstance(what, str):
            story.step(what, Note("leads", {"shard": "s1"}))
            story.now_us -= 1_000
            until_us = EPOCH_US + story.now_us + 2_001_000 + 1_000 * story_skew(story, what)
            story.step(what, Note("lease", {"until_us": until_us}))
        else:
            story.step("", what)
    return [(node, at_us // 1_000) for _, at_us, node, _ in one_lease(Case(story.evidence()))]


def story_skew(story: Story, node: str) -> int:
    """By how many ms the clock of a node is fast."""
    skews = [
        one.what.skew_us // 1_000 for one in story.steps if isinstance(one.what, Skew) and one.what.machine == node
    ]
    return skews[-1] if skews else 0


def test_a_clock_that_is_set_back_makes_a_lease_longer_or_brings_it_back() -> None:
    assert leases() == []
    assert leases((500, Skew("n1", 150_000))) == [], "a lease is as long on a clock that is wrong"
    assert leases((2_000, Skew("n1", -90_000))) == []
    assert leases((2_000, Skew("n1", -150_000))) == [("n2", 3_100)]
    assert leases((3_200, Skew("n1", -150_000))) == []
    assert leases((500, Skew("n1", 150_000)), (3_200, Skew("n1", -150_000))) == [("n1", 3_200)]


def test_a_clock_that_is_too_wrong_ends_all_judging_of_leases() -> None:
    assert leases((2_000, Skew("n1", -200_000))) != []
    assert leases((2_000, Skew("n1", -201_000))) == []
