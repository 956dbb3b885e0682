"""The rule of exercise 8.3 of chapter 09: what it lets through, no run contradicts."""

from __future__ import annotations

import pytest

from durable_redis.classroom.chapters.ch09 import SILENCE_MS, judged, renewals, timing
from durable_redis.classroom.checking import check
from durable_redis.classroom.failovers import ELECTIONS, log_stalled, out_of_reach, reads


@pytest.mark.parametrize("renew_ms", [50, 150, 400, 690])
def test_a_lease_with_room_for_an_election_of_the_log_is_not_lost_in_one(renew_ms: int) -> None:
    times = {"lease_ms": renew_ms + SILENCE_MS, "renew_ms": renew_ms, "backoff_ms": 1_495, "backoff_jitter_ms": 0}
    assert [log_stalled(seed, **times).lapses for seed in ELECTIONS] == [0] * len(ELECTIONS)
    assert check("timing", times).right


def test_a_renewal_waits_for_less_than_the_rule_says_and_for_more_than_half_of_it() -> None:
    waits = [log_stalled(seed).waited_ms for seed in ELECTIONS]
    assert SILENCE_MS / 2 < max(waits) < SILENCE_MS


def test_settings_that_are_lucky_are_refused_by_the_rule() -> None:
    lucky = {"lease_ms": 900, "renew_ms": 300, "backoff_ms": 1_200, "backoff_jitter_ms": 100}
    assert timing(lucky).lapses == 0
    assert check("timing", lucky).right is False


def test_a_lease_may_end_anywhere_between_the_next_renewal_and_a_backoff() -> None:
    sent_ms, answered_ms = renewals()[0]
    for lease_ms in (510, 1_999, 2_000, 2_999):
        assert check("lease-end", lambda sent, answered, lasts=lease_ms: sent + lasts).right
    assert check("lease-end", lambda sent, answered: min(answered + 2_000, sent + 2_500)).right
    assert judged((answered_ms + 100,) * 4).short
    assert judged((sent_ms + 3_000,) * 4).unsafe


def test_who_has_no_lease_reads_on_until_the_wires_are_mended() -> None:
    """And not only until its client has asked all that it was to ask."""
    run = out_of_reach(bug="no lease")
    last = max(one.sent_us or 0 for one in run.history() if one.argv[0] == b"GET")
    assert 6_900 < reads(run).for_ms < 7_010
    assert {one.node for one in run.history() if one.sent_us == last} == {"n2"}
