"""What chapter 05 measures: who may go on and who starts anew, in pairs that differ in one thing; and what it costs."""

from __future__ import annotations

import pytest

from durable_redis.classroom.chapters.ch05 import blackout
from durable_redis.classroom.comebacks import comebacks
from durable_redis.classroom.conditions import resynced
from durable_redis.classroom.moments import decisions
from durable_redis.classroom.resyncs import full_sync, resync
from durable_redis.lab.deployments import ReplicatedRedis
from durable_redis.lab.errors import LabError


@pytest.fixture(scope="module")
def found():
    return list(comebacks())


@pytest.mark.parametrize(
    ("goes_on", "starts_anew"),
    [
        ("killed; it has a snapshot", "killed; it has a log"),
        ("killed; it has a snapshot", "started as a primary"),
        ("stopped by SHUTDOWN", "it had written on"),
        ("from before the cut", "from after the cut"),
        ("cut off earlier than the promoted one", "backlogs of 16,384"),
    ],
)
def test_one_difference_decides(found, goes_on, starts_anew):
    [one] = [each for each in found if goes_on in each.who]
    [other] = [each for each in found if starts_anew in each.who]
    assert (one.resync, other.resync) == ("partial", "full")


def test_replicas_of_replicas_go_on(found):
    assert [each.resync for each in found if "a replica of" in each.who] == ["partial", "partial"]


def test_a_reason_is_told_in_the_words_of_the_primary(found):
    [ahead] = [each for each in found if each.who.endswith("it had written on")]
    assert ahead.why.startswith("it is ahead: it asks for byte 2796 of ")
    assert str(ahead).splitlines()[0].startswith("full ")


def test_the_backlog_decides_once_the_cut_was_noticed():
    assert resync(16_384, 3).how == "goes on"
    assert (resync(16_384, 6).how, resync(65_536, 6).how) == ("full", "partial")
    small, large = resync(16_384, 6), resync(65_536, 6)
    assert large.sent > large.lacked > 16_384  # and some words of the protocol
    assert small.sent > 2_000_000 > 10 * large.sent


def test_patience_makes_one_snapshot_of_two():
    at_once, patient = full_sync(1, replicas=2), full_sync(1, replicas=2, delay_s=5)
    assert (at_once.snapshots, patient.snapshots) == (2, 1)
    assert patient.seconds > 5 > at_once.seconds


def test_a_snapshot_by_way_of_the_disk_takes_longer():
    assert full_sync(4, diskless=False).seconds > full_sync(4).seconds


def test_wait_counts_memories_and_waitaof_disks():
    assert blackout("WAIT", 2, 900) == ([2], None)
    assert blackout("WAITAOF", 1, 2, 900) == ([[1, 0], [1, 0], [1, 2]], b"paid")


def test_decisions_are_listed_once_and_only_those():
    run = ReplicatedRedis(replicas=1, sentinels=0).start(seed=7)
    assert decisions(run).splitlines() == [decisions(run)]  # the first synchronisation: a snapshot that was asked for
    assert "n1 to n2: full, it has nothing to go on from" in decisions(run)
    assert decisions(run, after_ms=run.now_ms) == "nobody has asked"


@pytest.mark.parametrize(("crash", "how"), [("process kill", "partial"), ("disk loss", "full")])
def test_a_task_tells_a_full_resync_from_a_partial_one(crash, how):
    run = ReplicatedRedis(replicas=1, sentinels=0).start(seed=7)
    run.crash("n2", crash)
    assert not resynced(run, "n2", how)
    run.restart("n2")
    run.play(until_ms=run.now_ms + 1_000)
    assert [resynced(run, "n2", each) for each in ("full", "partial")] == [how == "full", how == "partial"]


def test_info_is_read_by_field():
    run = ReplicatedRedis(replicas=1, sentinels=0).start(seed=7)
    assert run.info("n2", "replication")["master_host"] == "n1"
    assert "used_memory" in run.info("n1")
    run.crash("n2", "power loss")
    with pytest.raises(LabError, match="'INFO' was not answered"):
        run.info("n2")
