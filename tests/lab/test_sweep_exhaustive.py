"""The exhaustive sweep: 40 writes in 1.8 seconds, a crash after every step, each kind of crash, each policy.

The marks are the lab's theory of where the bytes are (`ledger.at_risk`); the sweep is the experiment: it crashes there,
restarts, and asks the survivor.  With `tail="lost"` nothing unsynced reaches the platter by luck, and theory and
experiment must agree at every single step.  A sweep costs the square of its steps, so the run is as short as `everysec`
allows: with writes before and after an fsync.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

import durable_redis as dr
from durable_redis.lab.sweep import Sweep, sweep

POLICIES = ("always", "everysec", "no")


def run_of(policy: str) -> dr.Run:
    run = dr.Redis(appendonly=True, appendfsync=policy).start(seed=11)
    run.write(40, every_ms=45)
    run.play()
    return run


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize("policy", POLICIES)
def test_every_step_every_crash(policy: str, executor: ProcessPoolExecutor) -> None:
    run = run_of(policy)
    swept: Sweep = sweep(run, steps=range(1, run.steps + 1), tail="lost", executor=executor)
    assert len(swept) == 3 * run.steps > 1_200
    assert all(point.starts and point.is_prefix for point in swept)
    assert [point for point in swept if point.lost != point.at_risk] == []
    assert all(point.lost == 0 for point in swept.of("process kill")), "what is in the page cache outlives the process"
    assert all(point.lost == point.acknowledged for point in swept.of("disk loss"))
    worst = swept.worst("power loss").lost
    if policy == "always":
        assert worst == 0
    elif policy == "everysec":
        assert 18 <= worst <= 24, "a second of writes"
    else:
        assert worst == 40, "30 s have not passed: all of them"
    lucky = sum(point.lucky for point in swept.of("process kill"))
    assert lucky > 30, "a write that nobody was told of may survive"
    assert all(point.resurrected == 0 for point in swept)
