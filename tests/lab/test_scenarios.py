"""Every named scenario does what it says, and its remedy differs in what it says, too."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

import durable_redis as dr
from durable_redis.contract import Note
from durable_redis.lab import scenarios
from durable_redis.lab.scenarios import SCENARIOS


@functools.cache
def played(name: str) -> dr.Run:
    return scenarios.play(name)


def lost(name: str) -> int:
    return played(name).receipt().lost


class Fact(NamedTuple):
    at_us: int
    facts: Mapping[str, Any]


def notes(run: dr.Run, node: str, kind: str) -> list[Fact]:
    steps = [step for step in run.playback.world.journal if step.machine == node]
    return [Fact(s.at_us, s.what.facts) for s in steps if isinstance(s.what, Note) and s.what.kind == kind]


def syncs_of(name: str, node: str) -> list[str]:
    """How this node was synchronised with its primary, time after time."""
    return [note.facts["how"] for note in notes(played(name), node, "synced")]


def test_the_link_that_stalls_before_the_primary_dies() -> None:
    run = played("async-replication")
    window = [row for row in run.receipt().lost_rows if 940_000 <= row.sent_us < 1_000_000]
    assert lost("async-replication") == len(window) == 6
    assert lost("async-replication-with-wait") == 0
    with_wait = played("async-replication-with-wait")
    assert with_wait.receipt().acknowledged > 80
    assert with_wait.availability().total_us > run.availability().total_us, "nobody is left to be waited for"


def test_the_empty_primary() -> None:
    assert played("empty-primary").receipt().acknowledged == lost("empty-primary") == 100
    assert [machine.marks.executed for machine in played("empty-primary").frame().machines.values()][:3] == [0, 0, 0]
    assert lost("empty-primary-with-a-log") == 0


def test_split_brain_and_its_bound() -> None:
    receipt = played("split-brain").receipt()
    answered = sum(row.told == "ok" for row in receipt.rows)
    assert answered > 990, "the clients notice nothing"
    assert 0.4 < receipt.lost / answered < 0.6
    bounded = played("split-brain-with-min-replicas").receipt()
    assert 0 < bounded.lost < receipt.lost / 2
    last = max(row.answered_us or 0 for row in bounded.lost_rows)
    assert last <= 2_000_000 + 2_000_000 + 1_100_000, "lag of 2 s since the last ACK, which comes once a second"
    refused = [row for row in bounded.rows if row.told == "failed"]
    assert len(refused) > 100, "that is the price"


def test_wait_for_one_and_for_both() -> None:
    assert played("wait-and-the-wrong-heir").receipt().acknowledged == lost("wait-and-the-wrong-heir") == 50
    assert played("wait-for-both").receipt().acknowledged == 0, "no write had two copies, and none was promised"


def test_the_dirty_read() -> None:
    run = played("dirty-read")
    write, read = run.history()
    assert (write.outcome, write.copies) == ("unknown", 0)
    assert (read.outcome, read.reply) == ("ok", b"new")
    assert read.sent_us is not None
    assert write.answered_us is not None
    assert read.sent_us < write.answered_us
    assert run.receipt().rows[0].found is None, "somebody has seen what never was"
    assert run.command("GET", "x") is None


def test_forced_and_coordinated_failover() -> None:
    run = played("forced-failover")
    (row, *_) = run.receipt().lost_rows
    assert lost("forced-failover") > 100
    assert run.history()[row.number - 1].node == "n1"
    led = [note for note in notes(run, "n2", "role") if note.facts["role"] == "primary"]
    assert f"n2 had been promoted by s1 at {led[0].at_us / 1e6:.3f} s" in run.receipt().lost_rows[-1].why
    assert all((row.answered_us or 0) > led[0].at_us - 10_000 for row in run.receipt().lost_rows)
    assert lost("coordinated-failover") == 0
    assert 100_000 < played("coordinated-failover").availability().longest_us < 2_000_000


def test_the_blip_and_the_backlog() -> None:
    assert lost("blip-longer-than-the-backlog") == lost("blip-within-the-backlog") == 0
    assert syncs_of("blip-longer-than-the-backlog", "n2")[:2] == ["full", "full"]
    assert syncs_of("blip-within-the-backlog", "n2")[:2] == ["full", "partial"]


def test_the_primary_in_the_minority() -> None:
    run = played("minority-primary")
    (why,) = {row.why for row in run.receipt().lost_rows}
    last = max(row.answered_us or 0 for row in run.receipt().lost_rows)
    assert 6_000_000 <= last <= 7_500_000, "cut off at 4 s; it needs NODE_TIMEOUT, and a little, to notice"
    assert "n4, promoted by election at " in why
    assert lost("minority-primary") > 150
    assert lost("minority-primary-for-a-moment") == 0
    assert played("minority-primary-for-a-moment").receipt().acknowledged == 1_000


def test_the_old_map() -> None:
    run = played("old-map-after-a-pause")
    assert 1 <= lost("old-map-after-a-pause") <= 5
    assert [operation.node for operation in run.history()] == ["n1", "n1", "n4", "n4", "n4"]
    assert run.history()[2].redirections == 1
    assert lost("old-map-after-a-restart") == 0


def test_every_node_dies() -> None:
    assert played("every-node-dies").receipt().acknowledged == lost("every-node-dies") == 100
    assert lost("every-node-dies-with-logs") == 0


# -- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_replays_and_has_its_sentences(name: str) -> None:
    scenario = SCENARIOS[name]
    assert dr.replay(played(name).replay_string()).digest() == played(name).digest()
    assert scenario.expect.endswith(".")
    assert scenario.source
    assert not scenario.remedy or scenario.remedy in SCENARIOS


def test_a_scenario_that_does_not_exist_is_refused() -> None:
    with pytest.raises(dr.LabError, match="there is no scenario 'fire': there is async-replication"):
        scenarios.play("fire")


def test_every_scenario_has_a_remedy_or_is_one_but_those_in_which_nothing_goes_wrong() -> None:
    remedies = {scenario.remedy for scenario in SCENARIOS.values()}
    alone = [name for name, scenario in SCENARIOS.items() if not scenario.remedy and name not in remedies]
    assert alone == [
        *("no-answer-but-done", "two-log-zones-die"),
        *("snapshot-of-a-wrong-prefix", "released-snapshot-rots"),
    ]
    assert all(lost(name) == 0 for name in alone)
    assert lost("dirty-read") == 0, "what was never believed cannot be lost"
