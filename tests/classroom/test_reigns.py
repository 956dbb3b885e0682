"""Leases and backoffs as bars, and the log as lines: what they show is in the journal and in the log."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import pytest

import durable_redis as dr
from durable_redis.classroom.failovers import asleep, out_of_reach
from durable_redis.classroom.loglines import in_the_log
from durable_redis.classroom.reigns import Reign, reigns
from durable_redis.memorydb.log import DATA, LEADERSHIP


def cut_off(**options: object) -> dr.Run:
    """n1 cannot reach the log."""
    run = dr.MemoryDB(**options).start(seed=7)  # type: ignore[arg-type]
    run.partition(["n1"], ["log-a", "log-b", "log-c"], at_ms=2_000)
    run.play(until_ms=8_000)
    return run


@cache
def dead() -> dr.Run:
    run = dr.MemoryDB(least_bytes=1_000_000).start(seed=7)
    run.write(60, every_ms=50)
    run.crash("n1", "power loss", at_ms=2_000)
    run.play(until_ms=7_000)
    return run


def overlaps(found: tuple[Reign, ...]) -> bool:
    """Whether two nodes hold leases at one time."""
    return any(
        ours.begin_us < theirs.end_us and theirs.begin_us < ours.end_us
        for one, other in combinations(found, 2)
        for ours in one.leases
        for theirs in other.leases
    )


def test_bars_of_two_leases_overlap_if_the_backoff_is_too_short_and_only_then() -> None:
    assert overlaps(reigns(cut_off(bug="backoff shorter than the lease")).reigns)
    assert not overlaps(reigns(cut_off()).reigns)


def test_a_dead_leader_has_an_unused_lease_and_its_heir_a_backoff_that_outlasts_it() -> None:
    one, heir, other = reigns(dead(), until_ms=7_000).reigns
    (unused,) = one.hollow
    assert unused.begin_us == 2_000_000 < unused.end_us < heir.waits[-1].end_us <= heir.leases[0].begin_us
    assert heir.waits[-1].end_us - heir.waits[-1].begin_us >= 3_000_000
    assert [kind for kind, _ in heir.marks if kind != "renewal"] == ["candidate", "leads"]
    assert not other.leases


def test_a_leader_that_stands_still_has_its_lease_and_serves_nobody() -> None:
    one, _ = reigns(asleep()).reigns
    (lease,), (unused,) = one.leases, one.hollow
    assert lease.end_us == unused.begin_us == 2_000_000 < unused.end_us < 4_000_000


def test_a_lease_goes_on_after_a_short_sleep() -> None:
    run = dr.MemoryDB().start(seed=7)
    run.pause("n1", 200, at_ms=2_000)
    run.play(until_ms=3_000)
    one = reigns(run).reigns[0]
    assert [(span.begin_us, span.end_us) for span in one.hollow] == [(2_000_000, 2_200_000)]
    assert [span.begin_us for span in one.leases][1:] == [2_200_000]


def test_a_clock_that_is_set_back_makes_a_lease_longer_by_so_much() -> None:
    right, wrong = reigns(out_of_reach()), reigns(out_of_reach(clock_ms=-5_000))
    assert wrong.reigns[0].leases[0].end_us == right.reigns[0].leases[0].end_us + 5_000_000
    assert overlaps(wrong.reigns)
    assert not overlaps(right.reigns)
    assert "n1 has its clock set at 1.990 s" in str(wrong)
    forward = reigns(out_of_reach(clock_ms=5_000)).reigns[0]
    assert forward.leases[0].end_us == 1_990_000, "it is over at once"


def test_who_has_no_lease_and_waits_for_nothing_is_in_the_legend() -> None:
    assert "neither" in reigns(dr.scenarios.play("lagging-heir")).svg
    assert "neither" not in reigns(dead()).svg


def test_who_asks_nobody_has_no_lease() -> None:
    one, other = reigns(dr.scenarios.play("check-apply-serve")).reigns
    assert not one.leases + other.leases
    assert len(one.hollow) == len(other.hollow) == 1


@pytest.mark.parametrize("name", ["catch-up-first", "check-apply-serve", "two-candidates"])
def test_the_picture_is_small_and_says_in_words_what_it_shows(name: str) -> None:
    shown = reigns(dr.scenarios.play(name), until_ms=9_000)
    assert len(ElementTree.fromstring(shown.svg)) > 10
    assert len(shown.svg) < 15_000
    assert str(shown).startswith("In words: leases and backoffs from 0 s to 9 s.")
    for reign in shown.reigns:
        assert f"  {reign.node} " in str(shown)


def test_the_lines_of_the_log_are_all_of_it_in_order() -> None:
    found = in_the_log(dead())
    places = [place for line in found.lines for place in range(line.first, line.last + 1)]
    assert places == list(range(2, places[-1] + 1)), "the first is the log's own"
    assert [line.node for line in found.lines if line.kind == LEADERSHIP] == ["n1", "n2"]
    written = [word for line in found.lines if line.kind == DATA for word in line.words]
    assert written == [f"w{number}" for number in range(1, 61) if number != 29], "one was under way at the crash"
    times = [line.at_us for line in found.lines]
    assert times == sorted(times)


def test_the_lines_of_the_log_between_two_moments() -> None:
    run = dead()
    found = in_the_log(run, after_ms=2_000, until_ms=4_700).lines
    assert [str(line).split(maxsplit=1)[1] for line in found] == ['4.685 s  leadership  n2  "I lead from here on"']


def test_a_room_without_a_log_has_no_lines() -> None:
    with pytest.raises(dr.LabError, match="no replica of a log is up"):
        in_the_log(dr.Redis().start())
