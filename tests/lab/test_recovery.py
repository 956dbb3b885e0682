"""What it costs to come back: flat with snapshots off the box, growing with a log that is never rewritten."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.lab.recovery import recovery

WRITES = (200, 400, 800)


def test_a_log_that_is_never_rewritten_is_replayed_from_its_first_command() -> None:
    found = dr.recoveries("Redis(appendonly=True, appendfsync='always', auto_aof_rewrite_percentage=0)", WRITES, 50)
    assert [row.writes for row in found] == list(WRITES)
    # The log also has the SELECT in front of the first command.
    assert [row.replayed for row in found] == [count + 1 for count in WRITES]
    assert found[0].took_us < found[1].took_us < found[2].took_us


def test_behind_a_snapshot_that_moves_with_the_log_the_replay_is_flat() -> None:
    found = dr.recoveries("MemoryDB(replicas=0, least_bytes=8000)", WRITES, 50)
    assert [row.writes for row in found] == list(WRITES)
    # As much as may gather before a snapshot is due, and while one is made: 8000 bytes of entries of about 170 bytes,
    # and a second of writes between two looks.
    assert all(row.replayed < 8_000 // 170 + 1_000 // 5 + 50 for row in found)
    assert found[-1].replayed < WRITES[-1] // 2
    assert len({row.loaded_bytes // 1_000 for row in found}) == 1


def test_without_snapshots_the_same_node_replays_everything() -> None:
    found = dr.recoveries("MemoryDB(replicas=0, least_bytes=1000000000)", WRITES[:2], 50)
    assert [row.replayed for row in found] == list(WRITES[:2])
    assert [row.loaded_bytes for row in found] == [0, 0]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(dr.LabError, match="10 writes cannot write 50 keys"):
        dr.recoveries("Redis(appendonly=True)", (10,), 50)
    with pytest.raises(dr.LabError, match="who recovers is a deployment, such as Redis"):
        dr.recoveries(dr.Redis().start())  # type: ignore[arg-type]
    with pytest.raises(dr.LabError, match="n1 was not restarted"):
        recovery(dr.Redis().start(), "n1")
