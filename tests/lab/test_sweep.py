"""The marks against the crash: whatever the run does, what the ledger says is at risk is what a crash takes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import durable_redis as dr
from durable_redis.lab.sweep import Point, Sweep, sweep
from durable_redis.sim.faults import CRASHES
from durable_redis.sim.scenario import Scenario


def started(writes: int = 30, every_ms: float = 3, **options: object) -> dr.Run:
    run = dr.Redis(**options).start(seed=1)
    run.write(writes, every_ms=every_ms)
    return run


def with_save_points() -> dr.Run:
    run = started(30, 80, save=((1, 5),))
    run.play()
    return run


def with_both() -> dr.Run:
    run = started(appendonly=True, save=((1, 1),))
    run.play()
    return run


def with_a_snapshot() -> dr.Run:
    run = started(save=())
    run.play(50)
    run.command("BGSAVE")
    run.play()
    run.command("BGSAVE")
    run.play(run.now_ms + 10)
    return run


def with_two_rewrites(**options: object) -> dr.Run:
    run = started(appendonly=True, **options)
    run.play(50)
    run.command("BGREWRITEAOF")
    run.play(70)
    run.command("BGREWRITEAOF")
    run.play()
    return run


def with_rewrites_of_commands() -> dr.Run:
    return with_two_rewrites(appendfsync="always", aof_use_rdb_preamble=False)


def with_a_snapshot_and_a_log_off_and_on() -> dr.Run:
    run = started(appendonly=True)
    run.play(50)
    run.command("CONFIG", "SET", "appendonly", "no")
    run.play(80)
    run.command("CONFIG", "SET", "appendonly", "yes")
    run.play()
    return run


def with_crashes(kind: str, **options: object) -> Callable[[], dr.Run]:
    def run_with_crashes() -> dr.Run:
        run = started(20, 60, **options)
        run.play(1_100)
        run.crash("n1", kind)
        run.restart("n1")
        run.write(10, every_ms=5)
        run.play()
        run.crash("n1", kind, at_ms=run.now_ms + 5)
        run.restart("n1")
        run.write(10, every_ms=5)
        run.play()
        return run

    return run_with_crashes


def with_a_slow_disk() -> dr.Run:
    run = started(30, 110, appendonly=True)
    run.slow_disk("n1", 1_500)
    run.play()
    return run


def with_a_timed_fault() -> dr.Run:
    run = started(20, 60, appendonly=True)
    run.slow_disk("n1", 700, at_ms=200)
    run.crash("n1", "process kill", at_ms=900)
    run.restart("n1", at_ms=950)
    run.play()
    return run


SITUATIONS = {
    "save points": with_save_points,
    "both": with_both,
    "BGSAVE": with_a_snapshot,
    "two BGREWRITEAOF": with_two_rewrites,
    "two BGREWRITEAOF, always, RESP base": with_rewrites_of_commands,
    "log off and on": with_a_snapshot_and_a_log_off_and_on,
    "killed twice, log": with_crashes("process kill", appendonly=True),
    "power lost twice, log": with_crashes("power loss", appendonly=True),
    "power lost twice, always": with_crashes("power loss", appendonly=True, appendfsync="always"),
    "power lost twice, snapshots": with_crashes("power loss", save=((1, 3),)),
    "disk lost twice": with_crashes("disk loss", appendonly=True),
    "slow disk": with_a_slow_disk,
    "actions at times": with_a_timed_fault,
}


def disagreeing(points: Sweep) -> list[Point]:
    return [point for point in points if point.lost != point.at_risk or not point.starts or not point.is_prefix]


def moments(run: dr.Run) -> list[int]:
    """The steps after which the server is not as it was before, one in three: at the others a crash finds what it found
    one step earlier.  (`test_sweep_exhaustive` crashes there, too.)"""
    recorded = run.playback.recording
    assert recorded is not None
    steps, _ = recorded.pictures("n1")
    return [step for step in steps if step]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_marks_are_what_a_crash_takes_at_every_moment(situation: str) -> None:
    run = SITUATIONS[situation]()
    points = sweep(run, crashes=CRASHES[:2], steps=moments(run), tail="lost")
    assert disagreeing(points) == []
    assert max(point.lost for point in points) > 0 or "always" in situation


@pytest.mark.parametrize(
    "situation", ["BGSAVE", "two BGREWRITEAOF", "power lost twice, log", "power lost twice, snapshots"]
)
def test_luck_only_ever_helps(situation: str) -> None:
    """With a seeded tail a prefix of what was unsynced survives; torn records do not."""
    run = SITUATIONS[situation]()
    points = sweep(run, crashes=["power loss"], steps=moments(run))
    assert all(point.lost <= point.at_risk and point.starts and point.is_prefix for point in points)
    logged = "BGREWRITEAOF" in situation or "log" in situation
    assert not logged or any(point.lost < point.at_risk for point in points)


def test_with_always_nothing_durable_is_lost_in_a_rewrite() -> None:
    run = with_rewrites_of_commands()
    assert all(point.lost == 0 for point in sweep(run, crashes=CRASHES[:2], steps=moments(run)))


def test_survivors_are_the_platter_and_the_whole_records_of_what_was_kept() -> None:
    """The journal's Crashed tells how much of the tail the seed kept: count the records in it."""
    lucky = 0
    for step in range(400, 1_500, 45):
        run = dr.Redis(appendonly=True, appendfsync="everysec").start(seed=step)
        run.write(120, every_ms=10)
        run.go(step)
        frame = run.frame().machines["n1"]
        ends = [write.position[1] for write in run.playback.ledger("n1").writes]
        run.crash("n1", "power loss")
        tail = next((tail for tail in run.crashes()[0].tails if tail.path and tail.path.endswith(".incr.aof")), None)
        (safe,) = [file.platter for file in frame.files if file.path.endswith(".incr.aof")]
        survivors = sum(end <= safe + (tail.kept if tail else 0) for end in ends)
        run.restart("n1")
        assert run.command("DBSIZE") == survivors
        assert survivors >= frame.marks.platter
        lucky += survivors - frame.marks.platter
    assert lucky > 50


def test_a_sweep_is_the_same_whoever_does_it() -> None:
    run = with_both()
    steps = range(40, run.steps, 29)
    here = sweep(run, steps=steps, tail="lost")
    with ThreadPoolExecutor(2) as executor:
        assert sweep(Scenario.parse(run.replay_string()), steps=steps, tail="lost", executor=executor) == here


def test_a_sweep_over_seeds_and_what_it_says() -> None:
    run = started(20, 2, appendonly=True)
    run.play()
    points = sweep(run, crashes=["power loss"], steps=[run.steps // 2], seeds=range(8))
    assert [point.seed for point in points] == list(range(8))
    assert len({point.lost for point in points}) > 2, "the tail is luck"
    worst = points.worst("power loss")
    assert str(points).splitlines()[1].split() == [
        "power", "loss", "8", str(sum(point.lost > 0 for point in points)),
        f"{sum(point.lost for point in points) / 8:.1f}", str(worst.lost),
    ]  # fmt: skip
    table = points.table()
    assert list(table["lost"]) == [point.lost for point in points]


def test_without_steps_it_crashes_at_every_step_since_the_first_action() -> None:
    run = started(2, 1, appendonly=True)
    run.play()
    points = sweep(run, crashes=["process kill"])
    assert [point.step for point in points] == list(range(run.playback.performed[0].before, run.steps + 1))


def test_a_wrong_sweep_is_refused() -> None:
    with pytest.raises(dr.LabError, match="no crash is called 'fire': choose from process kill, power loss, disk loss"):
        sweep(started(2, 1), crashes=["fire"])
    with pytest.raises(dr.LabError, match=r"what is swept is a run or its scenario, such as sweep\(run\), not 7"):
        sweep(7)  # type: ignore[arg-type]
    for strange in ("x", [1.5], [-1]):
        with pytest.raises(dr.LabError, match="one crashes after steps of a run, such as steps="):
            sweep(started(2, 1), steps=strange)  # type: ignore[arg-type]
    with pytest.raises(dr.LabError, match="there is nothing to crash"):
        sweep(dr.Redis().start())


def test_a_server_that_does_not_start_is_told_apart_from_one_that_lost_something() -> None:
    run = started(10, 1, appendonly=True)
    run.play()
    run.bit_rot("n1", "appendonlydir/appendonly.aof.1.incr.aof", 0)
    (point,) = sweep(run, crashes=["process kill"], steps=[run.steps])
    assert not point.starts
    assert point.lost == point.acknowledged == 10
