"""The scenarios of snapshots, each with the mechanism and without it: FACTS 4, numbers 18 and 26, and their kin."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import pytest

import durable_redis as dr
from durable_redis.contract import Compute, Note
from durable_redis.lab import scenarios
from durable_redis.lab.snapshot_scenarios import OFF_BOX


@functools.cache
def played(name: str) -> dr.Run:
    return scenarios.play(name)


def notes(name: str, kind: str, machine: str = "") -> list[Mapping[str, Any]]:
    return [
        step.what.facts
        for step in played(name).playback.world.journal
        if isinstance(step.what, Note) and step.what.kind == kind and machine in ("", step.machine)
    ]


def nobody_serves(name: str) -> bool:
    """No node has data that it can vouch for, long after all of them have come back."""
    run = played(name)
    with pytest.raises(dr.LabError, match="nobody knows a primary"):
        run.receipt()
    views = run.playback.views()
    return not any(views[node]["ready"] or views[node]["keys"] for node in run.deployment.nodes)


def everything_is_back(name: str) -> bool:
    run = played(name)
    receipt = run.receipt()
    return receipt.lost == 0 and receipt.acknowledged == len(receipt.rows) >= 100


# -- 18: a fork --------------------------------------------------------------------------------------------------------


def test_18_a_fork_stops_the_clients_and_a_snapshot_off_the_box_does_not() -> None:
    on, off = played("fork-where-clients-are-served"), played("snapshot-off-the-box")
    assert on.latency().longest_us > 60_000 > 100 * on.latency().median_us
    assert off.latency().longest_us < 2 * off.latency().median_us
    assert notes("snapshot-off-the-box", "snapshot released")
    assert everything_is_back("fork-where-clients-are-served")


def fork_us(keys: int, fork_ns_per_mib: int) -> int:
    """How long the slowest of the writes waited that were going on when the server forked."""
    run = dr.Redis(save=(), hardware={"fork_ns_per_mib": fork_ns_per_mib}).start(seed=7)
    run.write(keys, every_ms=1, key="k{n}", value="value of {n}")
    run.play(1_000)
    run.write(100, every_ms=10, key="k1", value="{n}")
    run.play(1_500)
    run.command("BGSAVE", node="n1")
    run.play(3_000)
    forks = [step for step in run.playback.world.journal if isinstance(step.what, Compute) and step.what.work == "fork"]
    assert len(forks) == 1
    return run.latency().longest_us


def test_the_pause_grows_with_the_memory_and_with_the_price_of_a_gigabyte() -> None:
    price = 12_000 * 250_000
    one, two, four = (fork_us(keys, price) for keys in (200, 400, 800))
    assert (four - two) == pytest.approx(2 * (two - one), rel=0.2)
    assert fork_us(400, 2 * price) == pytest.approx(2 * two, rel=0.2)


# -- 26: a snapshot that nobody has read -------------------------------------------------------------------------------


def test_26_a_flipped_bit_is_found_before_the_release_or_by_the_nodes_that_need_the_snapshot() -> None:
    assert everything_is_back("rotten-snapshot")
    (given_up,) = notes("rotten-snapshot", "snapshot given up")
    assert given_up["in"] == "rehearsing"
    assert "the checksum says" in given_up["why"]
    unread = "rotten-snapshot-unread"
    assert notes(unread, "snapshot given up", "snapshotter") == []
    assert nobody_serves(unread)
    assert "the checksum says" in notes(unread, "snapshot refused", "n1")[0]["why"]


def test_26_a_snapshot_of_a_wrong_prefix_is_found_by_the_logs_checksum() -> None:
    name = "snapshot-of-a-wrong-prefix"
    assert notes(name, "snapshot released") == []
    assert {note["in"] for note in notes(name, "snapshot given up")} == {"rehearsing"}
    assert all("the log's running checksum is" in note["why"] for note in notes(name, "snapshot given up"))
    assert everything_is_back(name), "from the log, of which nothing was trimmed"
    assert notes(name, "ready", "n1")[-1]["snapshot"] == ""


def test_what_rots_after_its_release_costs_a_longer_replay_and_no_data() -> None:
    name = "released-snapshot-rots"
    assert everything_is_back(name)
    (refused,) = notes(name, "snapshot refused", "n1")
    ready = notes(name, "ready", "n1")[-1]
    assert ready["snapshot"] != refused["at"]
    behind = int(refused["at"].partition("-")[2]) - int(ready["snapshot"].partition("-")[2])
    assert ready["entries"] >= behind > 0


# -- trimming ----------------------------------------------------------------------------------------------------------


def test_a_log_is_trimmed_behind_what_is_released_and_not_behind_what_is_made() -> None:
    without, with_it = "log-trimmed-ahead-of-the-snapshot", "log-trimmed-behind-the-snapshot"
    assert notes(without, "snapshot released") == notes(with_it, "snapshot released") == []
    assert notes(without, "dumped") == notes(with_it, "dumped")
    assert nobody_serves(without)
    assert "the log begins behind" in notes(without, "cannot recover", "n1")[0]["why"]
    assert everything_is_back(with_it)


# -- all of them -------------------------------------------------------------------------------------------------------


def test_each_without_a_mechanism_names_the_one_with_it() -> None:
    bugs = [scenario for scenario in OFF_BOX if "bug=" in scenario.deployment and scenario.remedy]
    assert len(bugs) == 2
    for scenario in bugs:
        (remedy,) = [other for other in OFF_BOX if other.name == scenario.remedy]
        assert remedy.acts == scenario.acts
        assert remedy.deployment == scenario.deployment.partition(", bug=")[0] + ")"
