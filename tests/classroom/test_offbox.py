"""What chapter 10 reads off its runs: the comeback of a node, the making of a snapshot, a crash in the middle of it."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.classroom import offbox
from durable_redis.lab import scenarios

WORDS = slice(14, 23)


def words(text: str) -> list[str]:
    """The first word of each event."""
    return [line[WORDS].strip() for line in text.splitlines() if line[WORDS].strip()]


def test_all_nodes_die_and_the_classic_service_loses_everything() -> None:
    assert offbox.everybody_dies(dr.ElastiCache(replicas=2)).receipt().lost == 100
    assert offbox.everybody_dies(dr.MemoryDB(replicas=1), "disk loss").receipt().lost == 0


def test_a_comeback_is_told_until_the_node_serves_or_until_it_cannot() -> None:
    run = scenarios.play("released-snapshot-rots")
    told = offbox.comeback(run, "n1")
    assert words(told) == ["start", "list", "load", "refuse", "load", "ask", "replay", "stand", "lead"]
    assert max(map(len, told.splitlines())) <= 95
    assert offbox.in_log(scenarios.play("rotten-snapshot-unread"))[0] == "k87"
    unread = scenarios.play("rotten-snapshot-unread")
    assert words(offbox.comeback(unread, "n1")) == ["start", "list", "load", "refuse", "ask", "refuse", "wait"]
    assert words(offbox.making(unread, 6_000)) == ["begin", "dump", "release", "trim"]


def test_the_making_of_a_snapshot_loads_it_back_before_it_is_released() -> None:
    run = scenarios.play("rotten-snapshot")
    told = words(offbox.making(run, 6_000))
    assert told == ["begin", "dump", "load", "give up", "begin", "dump", "load", "release", "trim"]
    with pytest.raises(dr.LabError, match="log-a was never started again"):
        offbox.comeback(run, "log-a")


def test_a_crash_while_a_snapshot_is_made_costs_time_and_without_the_rule_the_data() -> None:
    at_ms = (offbox.BEGIN_MS, offbox.BEGIN_MS + 12, offbox.END_MS)
    good = [offbox.crashed("s3", at) for at in at_ms]
    assert [one.lost for one in good] == [0, 0, 0]
    assert [one.replayed for one in good] == [42, 42, 0]
    bad = offbox.crashed("snapshotter", at_ms[1], bug="trim ahead of the snapshot")
    assert (bad.back, bad.lost) == (False, 2 * offbox.WRITES)


def test_the_saw_has_its_corners_at_the_releases() -> None:
    found = offbox.behind(100, 120, 100, 1_000, 100)
    times, records = found.corners
    falls = [place for place in range(1, len(records)) if records[place] < records[place - 1]]
    assert len(falls) == found.snapshots
    assert max(records) == found.most
    assert times == sorted(times)
    assert len(times) <= 2 * found.snapshots + 2


def test_the_size_of_a_snapshot_is_that_of_the_data_and_not_of_their_history() -> None:
    few, many = offbox.behind(100, 20, 100, 1_000, 100), offbox.behind(100, 120, 100, 1_000, 100)
    assert many.snapshots > few.snapshots
    assert 0 <= many.snapshot_bytes - few.snapshot_bytes < 10
    assert offbox.behind(100, 20, 100, 1_000, 50).snapshot_bytes < few.snapshot_bytes / 1.5
