"""The verdict on a run that a reader has made: the judges see what a receipt does not."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.verify.reference import UnknownCommand


@pytest.mark.parametrize(
    ("name", "laws"),
    [
        ("dirty-read-without-a-tracker", ("one copy",)),
        ("dirty-read-with-a-tracker", ()),
        ("paused-primary-appends-anyway", ("one lease a shard", "one copy")),
        ("paused-primary", ()),
        ("no-answer-taken-for-yes", ("nothing is lost",)),
        ("no-answer", ()),
        ("answer-lost-append-twice", ("no invented state",)),
        ("answer-lost", ()),
    ],
)
def test_with_the_mechanism_nobody_objects_and_without_it_somebody_does(name: str, laws: tuple[str, ...]) -> None:
    verdict = dr.judge(dr.scenarios.play(name))
    assert verdict.laws == laws
    assert bool(verdict) is not bool(laws)
    assert verdict.lost == (name == "no-answer-taken-for-yes")


def test_a_loss_that_nobody_has_promised_to_prevent_is_no_objection() -> None:
    run = dr.scenarios.play("async-replication")
    verdict = dr.judge(run)
    assert verdict
    assert verdict.lost == run.receipt().lost == 6
    assert "every loss has its explanation" in repr(verdict)
    assert repr(dr.judge(dr.Redis().start())) == "19 judges: no objection"


def test_it_says_who_objects_and_how_often() -> None:
    first, *rest = repr(dr.judge(dr.scenarios.play("paused-primary-appends-anyway"))).splitlines()
    assert first == "2 of 19 judges object:"
    assert rest[0].startswith("  one lease a shard: step ")
    assert rest[1] == "    and 15 more of this kind"
    assert [line[:16] for line in rest if line[2] != " "][1:] == ["  one copy: step"]


def test_the_branch_is_judged_to_its_end_wherever_the_reader_stands() -> None:
    run = dr.scenarios.play("dirty-read-without-a-tracker")
    run.go(100)
    assert dr.judge(run).laws == ("one copy",)


def test_a_run_is_judged_as_it_was_made_step_by_step_or_by_the_clock() -> None:
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(150, every_ms=10)
    run.crash("n1", "power loss", at_ms=1_090)
    run.restart("n1")
    assert dr.judge(run).lost == dr.judge(dr.replay(run.replay_string())).lost == run.receipt().lost == 4


def test_what_the_judges_have_no_rule_for_they_say() -> None:
    run = dr.Redis().start()
    run.command("HSET", "h", "f", "v")
    with pytest.raises(UnknownCommand, match="no rule for HSET h f v: they know"):
        dr.judge(run)
