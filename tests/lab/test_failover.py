"""The trail of a failover: every line is a note of the journal, once, in order, in a sentence."""

from __future__ import annotations

import pytest

import durable_redis as dr


def dead_primary() -> dr.Run:
    run = dr.ReplicatedRedis(down_after_ms=2_000).start(seed=7)
    run.write(100, every_ms=50)
    run.crash("n1", "power loss", at_ms=3_000)
    run.play(8_000)
    run.restart("n1")
    run.play(25_000)
    return run


@pytest.fixture(scope="module")
def run() -> dr.Run:
    return dead_primary()


def test_the_stages_come_in_their_order(run):
    trail = run.failover()
    stages = ("crash", "sdown", "odown", "failover", "leader", "selected", "promoting", "promoted", "switch", "demoted")
    steps = [trail[stage] for stage in stages]
    assert steps == sorted(steps)
    assert [moment.step for moment in trail.moments] == sorted({moment.step for moment in trail.moments})
    assert trail.old == "n1"
    assert str(trail.moments[-1]).endswith("copy     n1 follows n2, by a full sync")


def test_the_state_after_a_moment_is_what_its_sentence_says(run):
    trail = run.failover()
    before, after = run.frame(trail["promoting"]), run.frame(trail["role"])
    assert (before.machines["n2"].node["role"], after.machines["n2"].node["role"]) == ("replica", "primary")
    leader = trail.first("leader").words.split()[0]
    assert run.frame(trail["odown"]).machines[leader].node["odown"]
    assert sum(moment.kind == "vote" for moment in trail.moments) == 3


def test_nobody_tells_a_thing_twice(run):
    """A sentinel finds n1 down once more when it is a replica that does not answer: no part of this."""
    told = [moment.words.partition(":")[0] for moment in run.failover().moments]
    assert len(told) == len(set(told))


def test_a_cluster_has_a_trail_too():
    run = dr.scenarios.play("minority-primary")
    trail = run.failover()
    stages = ("partition", "pfail", "fail", "campaign", "asks for votes", "elected", "heal", "slots")
    steps = [trail[stage] for stage in stages]
    assert steps == sorted(steps)
    assert trail.first("cluster state").words == "n1 refuses commands: only 1 of 3 primaries can be reached"
    assert trail.first("elected").words.endswith("takes the slots of n1 (votes: n2 and n3)")
    assert trail.last("vote").step < trail["elected"]


def test_who_asks_too_early_is_told_so(run):
    quiet = dr.ReplicatedRedis().start(seed=7)
    with pytest.raises(dr.LabError, match="nobody has found a primary down yet"):
        quiet.failover()
    with pytest.raises(dr.LabError, match="this failover has no 'pfail': it has crash, sdown"):
        run.failover()["pfail"]
