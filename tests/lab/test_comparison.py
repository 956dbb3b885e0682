"""Two branches side by side, beside what each says alone."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.lab.comparison import compare, same_steps


def branched():
    """main loses power at 1.090 s; on the branch the process is killed at the same step."""
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(150)
    run.play(1090)
    parted = run.step
    run.crash("n1", "power loss")
    run.restart("n1")
    run.go(parted)
    run.crash("n1", "process kill")
    run.restart("n1")
    return run, parted


def test_they_part_where_the_reader_acted_differently():
    run, parted = branched()
    one, other = run.playbacks["main"], run.playbacks["branch 1"]
    assert compare(one, other).same_steps == parted
    steps = [playback.world.journal.steps[parted].what for playback in (one, other)]
    assert [step.kind for step in steps] == ["power loss", "process kill"]


def test_each_side_is_what_the_branch_says_alone():
    run, _ = branched()
    found = compare(*run.playbacks.values())
    for name, side in zip(run.playbacks, found.sides, strict=True):
        run.checkout(name)
        receipt = run.receipt()
        assert (side.acknowledged, side.lost) == (receipt.acknowledged, receipt.lost)
        assert (side.steps, side.end_us / 1000) == (run.steps, run.now_ms)
        assert side.latency == run.latency()
    assert [side.lost > 0 for side in found.sides] == [True, False]


def test_while_the_server_is_down_nobody_knows_what_is_lost():
    run, parted = branched()
    run.go(parted)
    run.crash("n1", "disk loss")
    found = compare(run.playback, run.playbacks["main"])
    assert found.sides[0].lost is None
    assert found.sides[0].acknowledged == 107
    untouched = dr.Redis().start().playback
    assert compare(untouched, untouched).sides[0].latency is None


def test_a_branch_that_goes_on_has_the_other_in_common_as_a_whole():
    short, long = (dr.Redis(appendonly=True).start(seed=7) for _ in range(2))
    for run, until_ms in ((short, 400), (long, 900)):
        run.write(150)
        run.play(until_ms)
    assert same_steps(short.playback, long.playback) == short.steps < long.steps


def test_a_snapshot_that_both_make_is_no_difference():
    """Its child is an object of its own in each."""
    runs = [dr.Redis(save="1 10").start(seed=7) for _ in range(2)]
    for run in runs:
        run.write(150)
        run.play()
    assert "Fork" in {type(step.what).__name__ for step in runs[0].playback.world.journal}
    assert same_steps(runs[0].playback, runs[1].playback) == runs[0].steps


@pytest.mark.parametrize("step", [-1, 100_000])
def test_there_is_no_such_step_on_the_branch(step):
    run, parted = branched()
    with pytest.raises(dr.LabError, match=f"there is no step {step} on 'main'"):
        run.checkout("main", step)
    assert run.branch == "branch 1"
    run.checkout("main", parted)
    assert (run.branch, run.step) == ("main", parted)
