"""The scenarios of a log in three zones, each with the mechanism and without it: FACTS 4, numbers 19 to 25, 28, 29."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import durable_redis as dr
from durable_redis.contract import Note
from durable_redis.formats.resp import OK
from durable_redis.lab import scenarios


@functools.cache
def played(name: str) -> dr.Run:
    return scenarios.play(name)


def lost(name: str) -> int:
    return played(name).receipt().lost


def notes(name: str, kind: str) -> list[tuple[str, int, Mapping[str, Any]]]:
    """(machine, when, facts) of each note of a kind."""
    return [
        (step.machine, step.at_us, step.what.facts)
        for step in played(name).playback.world.journal
        if isinstance(step.what, Note) and step.what.kind == kind
    ]


def replies(name: str, client: str) -> list[tuple[str, object]]:
    history = played(name).history()
    return [(one.outcome, one.reply) for one in history if one.connection.startswith(f"{client}>")]


def test_22_the_tracker() -> None:
    """A value is seen and then gone; with the tracker it was never seen."""
    without, with_it = "dirty-read-without-a-tracker", "dirty-read-with-a-tracker"
    assert replies(without, "client2") == [("ok", b"new"), ("unknown", None), ("ok", b"old")]
    verdict = dr.linearizable(played(without))
    assert verdict.linearizable is False
    assert "GET x" in str(verdict)
    assert replies(with_it, "client2") == [("unknown", None), ("ok", b"old"), ("ok", b"old")]
    assert dr.linearizable(played(with_it))
    assert lost(without) == lost(with_it) == 0, "no acknowledged write is involved"


def test_19_a_primary_that_does_not_reach_the_log_stops_at_the_end_of_its_lease() -> None:
    name = "log-out-of-reach"
    ((machine, over_us, _),) = notes(name, "lease over")
    assert machine == "n1"
    assert 3_400_000 <= over_us <= 4_000_000, "cut off at 2 s, and renewed at most half a second before"
    led = [(machine, at_us) for machine, at_us, _ in notes(name, "leads")]
    assert led[0][0] == "n1"
    assert led[1][1] > over_us, "the next one begins when the lease is over, and not before"
    assert lost(name) == 0
    assert dr.linearizable(played(name))
    verdict = dr.linearizable(played("log-out-of-reach-without-a-lease"))
    assert verdict.linearizable is False
    assert "answered old" in str(verdict)


def test_a_lease_is_as_good_as_the_clock_and_a_write_needs_none() -> None:
    name = "clock-set-back-during-a-lease"
    assert dr.linearizable(played(name)).linearizable is False
    assert lost(name) == 0, "appends name an entry, and no time"


def test_20_a_paused_primary_is_fenced_by_the_condition() -> None:
    assert dr.linearizable(played("paused-primary"))
    assert [machine for machine, *_ in notes("paused-primary", "conflict")] == ["n1"]
    assert lost("paused-primary") == 0
    run = played("paused-primary-appends-anyway")
    assert dr.linearizable(run).linearizable is False
    leaders = [name for name in run.deployment.nodes if run.playback.views()[name]["role"] == "primary"]
    assert leaders == ["n1", "n2"], "and two lead"


def test_21_unknown_is_neither_yes_nor_no() -> None:
    assert lost("no-answer-taken-for-yes") == 1
    assert lost("no-answer") == lost("no-answer-but-done") == 0
    verdicts = [played(name).receipt().rows[-1].verdict for name in ("no-answer", "no-answer-but-done")]
    assert verdicts == ["lost, never acknowledged", "kept, never acknowledged"], "the client was told the same"
    (why,) = [row.why for row in played("no-answer-taken-for-yes").receipt().lost_rows]
    assert "n2 took the lead at " in why
    assert "when the log held the stream up to w20; n1 had gone down at 2.700 s" in why


def test_a_retry_of_the_node_is_not_another_append() -> None:
    """The primary tells the same in both; its heir, who reads the log, does not."""
    for name, counted in (("answer-lost", b"2"), ("answer-lost-append-twice", b"3")):
        run = played(name)
        told = run.history()[-1]
        assert (told.outcome, told.reply) == ("ok", 2)
        assert told.sent_us is not None
        assert told.answered_us is not None
        assert told.answered_us - told.sent_us > 400_000, "it took a retry"
        assert run.deployment.survivor(run.playback.views()) == "n2"
        assert run.command("GET", "visits") == counted, name
    assert dr.linearizable(played("answer-lost"))


def test_23_of_two_candidates_one_wins() -> None:
    """They campaign within a millisecond.  Where the condition counts, the log knows one leader; without it two serve,
    and what the first one has answered is not with the second, whose claim is the newest."""
    for name in ("two-candidates", "two-candidates-append-anyway"):
        candidates = notes(name, "candidate")[1:]
        assert sorted(machine for machine, *_ in candidates) == ["n2", "n3"]
        assert abs(candidates[0][1] - candidates[1][1]) < 1_000
    assert [machine for machine, *_ in notes("two-candidates", "leads")] == ["n1", "n2"]
    assert [machine for machine, *_ in notes("two-candidates", "conflict")] == ["n3"]
    assert lost("two-candidates") == 0
    run = played("two-candidates-append-anyway")
    views = run.playback.views()
    assert [views[name]["phase"] for name in ("n2", "n3")] == ["leading", "leading"]
    answered = [row for row in run.receipt().rows if row.told == "ok"]
    assert lost("two-candidates-append-anyway") == sum(row.sent_us > 4_600_000 for row in answered) > 100
    assert {row.why.rpartition("; ")[2] for row in run.receipt().lost_rows if row.told == "ok"} == {
        "n2 appended it behind that, and n3, which leads, reads the log no more"
    }


def test_24_who_lags_catches_up_before_it_leads() -> None:
    run = played("lagging-heir")
    ((_, led_us, _),) = notes("lagging-heir", "leads")[1:]
    applied = [at_us for machine, at_us, _ in notes("lagging-heir", "applied") if machine == "n3"]
    assert max(applied) < led_us
    assert run.receipt().acknowledged == 50
    assert lost("lagging-heir") == 0
    assert lost("wait-and-the-wrong-heir") == 50, "the same faults where the heir is chosen first"


def test_24_who_leads_without_having_read_the_log_lacks_what_it_holds() -> None:
    name = "lagging-heir-leads-unread"
    heir, led_us, _ = notes(name, "leads")[-1]
    assert heir == "n3"
    assert not [machine for machine, *_ in notes(name, "applied") if machine == "n3"]
    assert played(name).receipt().acknowledged == lost(name) == 50
    (why,) = {row.why.partition("; ")[0] for row in played(name).receipt().lost_rows}
    assert why == f"n3 took the lead at {led_us / 1e6:.3f} s, and had read nothing of the stream"
    assert "; the log had it since 1." in played(name).receipt().lost_rows[0].why


def test_who_serves_without_asking_loses_what_the_other_one_appends() -> None:
    assert lost("check-apply-serve") == 40
    assert {
        row.why.rpartition("; ")[2] for row in played("check-apply-serve").receipt().lost_rows if row.told == "ok"
    } == {"n1 appended it behind that, and n2, which leads, reads the log no more"}
    assert lost("catch-up-first") == 0
    stages = ("checks the tail", "takes over", "role")
    trail = played("check-apply-serve").failover()
    assert [trail.first(stage).step for stage in stages] == sorted(trail[stage] for stage in stages)
    assert trail.old == "n1"


def test_25_an_older_engine_does_not_lead() -> None:
    assert [machine for machine, *_ in notes("newer-engine", "leads")] == ["n1", "n1"]
    assert [machine for machine, *_ in notes("newer-engine", "stopped")] == ["n2"]
    assert [machine for machine, *_ in notes("newer-engine-replicas-first", "leads")] == ["n1", "n2"]
    assert lost("newer-engine") == lost("newer-engine-replicas-first") == 0


def test_28_all_nodes_die_and_their_disks() -> None:
    assert played("every-disk-dies").receipt().acknowledged == lost("every-disk-dies") == 100
    assert played("every-disk-dies-but-those-of-the-log").receipt().acknowledged == 100
    assert lost("every-disk-dies-but-those-of-the-log") == 0


def test_two_zones_of_the_log_die() -> None:
    run = played("two-log-zones-die")
    answered = [row.answered_us for row in run.receipt().rows if row.told == "ok"]
    assert lost("two-log-zones-die") == 0
    assert max(answered) < 2_010_000, "no OK without a majority"
    assert run.command("SET", "again", "1", node=run.deployment.survivor(run.playback.views())) == OK


def test_29_the_durability_buffer() -> None:
    run = played("stalled-log-async")
    gone = run.receipt().lost_rows
    assert lost("stalled-log-sync") == 0
    assert len(gone) == 100
    assert 9_800_000 < (gone[-1].answered_us or 0) - (gone[0].answered_us or 0) <= 10_000_000
    refused = [one for one in run.history() if one.outcome == "failed"]
    assert refused
    assert "too far behind" in str(refused[0].reply)


def test_a_silence_of_the_log_costs_nothing_if_nobody_dies() -> None:
    assert [machine for machine, *_ in notes("silent-log-async", "leads")] == ["n1"]
    assert played("silent-log-async").receipt().acknowledged == 600
    assert lost("silent-log-async") == 0
    name = "silent-log-async-and-a-death"
    gone = played(name).receipt().lost_rows
    assert 380 <= len(gone) <= 400, "a write every 10 ms from 2 s until 5.9 s"
    assert all(1_990_000 < row.sent_us < 5_900_000 for row in gone)
    heir, led_us, _ = notes(name, "leads")[-1]
    assert heir != "n1"
    assert 9_000_000 <= led_us <= 9_900_000, "the log is back at 6 s, and a backoff later somebody else leads"
