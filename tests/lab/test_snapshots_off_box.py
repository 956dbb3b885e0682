"""MemoryDB's snapshots in the room: a shard with no node alive, a log that was trimmed, a box that never forks."""

from __future__ import annotations

from typing import Any

import durable_redis as dr
from durable_redis.contract import Compute, Note
from durable_redis.memorydb.catalog import id_of

EAGER: dict[str, Any] = {"freshness_percent": 50, "least_bytes": 500}


def notes(run: dr.Run, kind: str, *machines: str) -> list[dict[str, Any]]:
    return [
        dict(step.what.facts)
        for step in run.playback.world.journal
        if isinstance(step.what, Note) and step.what.kind == kind and (not machines or step.machine in machines)
    ]


def view(run: dr.Run, name: str) -> Any:
    return run.playback.views()[name]


def filled(writes: int = 200, **options: Any) -> dr.Run:
    """A shard with a released snapshot, and a few entries behind it."""
    run = dr.MemoryDB(**{"replicas": 1, **EAGER, **options}).start(seed=3)
    run.write(writes, every_ms=5, key="k{n}", value="value of {n}")
    run.play(writes * 5 + 4_000)
    assert notes(run, "snapshot released")
    return run


def everybody_dies(run: dr.Run, kind: str = "disk loss") -> None:
    for name in run.deployment.nodes:
        run.crash(name, kind)
    for name in run.deployment.nodes:
        run.restart(name)


def test_with_every_node_gone_the_snapshot_and_the_log_behind_it_give_everything_back() -> None:
    run = filled()
    everybody_dies(run)
    run.play(run.now_ms + 8_000)
    receipt = run.receipt()
    assert (len(receipt.rows), receipt.lost) == (200, 0)
    ready = notes(run, "ready", "n1", "n2")[-2:]
    assert all(note["snapshot"] and note["keys"] == 200 for note in ready)
    assert view(run, "n1")["position"] == view(run, "n2")["position"]


def test_a_node_that_comes_while_the_store_is_away_waits_for_it() -> None:
    run = filled()
    run.crash("s3", "power loss")
    run.crash("n2", "disk loss")
    run.restart("n2")
    run.play(run.now_ms + 5_000)
    assert not view(run, "n2")["ready"]
    run.restart("s3")
    run.play(run.now_ms + 8_000)
    assert view(run, "n2")["ready"]
    assert view(run, "n2")["keys"] == 200


def test_a_replica_that_the_log_does_not_reach_back_to_begins_with_the_snapshot() -> None:
    run = dr.MemoryDB(replicas=1, **EAGER).start(seed=3)
    run.write(300, every_ms=10, key="k{n}", value="value of {n}")
    run.partition(["n2"], ["log-a", "log-b", "log-c"], at_ms=1_800)
    run.play(6_000)
    run.heal_network()
    run.play(12_000)
    (synced,) = notes(run, "synced", "n2")
    assert synced["snapshot"]
    assert view(run, "n2")["keys"] == 300
    assert run.receipt().lost == 0


def snapshots(run: dr.Run) -> list[str]:
    return sorted(name for name in run.playback.world.machines["s3"].disk.files if "snapshots" in name)


def test_a_released_snapshot_that_rots_in_the_store_is_refused_and_the_one_before_it_does() -> None:
    run = filled()
    older, newest = snapshots(run)
    run.bit_rot("s3", newest, 300)
    everybody_dies(run)
    run.play(run.now_ms + 8_000)
    for node in ("n1", "n2"):
        (refused,) = notes(run, "snapshot refused", node)
        assert "checksum" in refused["why"]
        ready = notes(run, "ready", node)[-1]
        assert (ready["keys"], stem_at(older)) == (200, ready["snapshot"])
    assert run.receipt().lost == 0


def stem_at(path: str) -> str:
    return str(id_of(path.rpartition("%2F")[2]))


def test_when_both_snapshots_have_rotted_the_log_behind_them_alone_is_not_the_data_and_serves_nobody() -> None:
    """The store's durability is part of the promise."""
    run = filled()
    for path in snapshots(run):
        run.bit_rot("s3", path, 300)
    run.crash("n2", "power loss")
    run.restart("n2")
    run.play(run.now_ms + 4_000)
    assert {note["at"] for note in notes(run, "snapshot refused", "n2")} == set(map(stem_at, snapshots(run)))
    whys = {note["why"] for note in notes(run, "cannot recover", "n2")}
    assert len(whys) == 1
    assert "the log begins behind" in whys.pop()
    assert not view(run, "n2")["ready"]
    assert view(run, "n1")["ready"]


def longest_wait(deployment: Any, node: str, command: str, at_ms: int) -> tuple[int, set[str]]:
    """The slowest write of a client, in microseconds, and the machines that forked."""
    run = deployment.start(seed=3)
    run.write(300, every_ms=5, key="k{n}")
    if command:
        run.play(at_ms)
        run.command(command, node=node)
    run.play(5_000)
    forked = {
        step.machine
        for step in run.playback.world.journal
        if isinstance(step.what, Compute) and step.what.work == "fork"
    }
    return run.latency().longest_us, forked


def test_a_fork_on_the_box_stops_everybody_and_a_snapshot_off_the_box_nobody() -> None:
    """The same writes with and without a snapshot.  The price of a fork is that of a million times as much memory."""
    hardware = {"fork_ns_per_mib": 12_000 * 500_000}
    redis = dr.Redis(hardware=hardware)
    memorydb = dr.MemoryDB(replicas=1, least_bytes=10**9, hardware=hardware)
    still, _ = longest_wait(redis, "n1", "", 0)
    spike, forked = longest_wait(redis, "n1", "BGSAVE", 1_000)
    assert forked == {"n1"}
    assert spike - still > 50_000
    still, _ = longest_wait(memorydb, "snapshotter", "", 0)
    flat, forked = longest_wait(memorydb, "snapshotter", "SNAPSHOT", 2_000)
    assert forked == set()
    assert abs(flat - still) < 1_000
