"""Trials: the runs that judge the exercises.

The law of this file: only verbs of the lab, as a chapter would use them.  To find the worst instant for a crash one
need not crash everywhere: the marks say at every step how many acknowledged writes are at risk (`lab.ledger`, and a
test there proves it equal to crashing).  Having found it, the crash is done for real, and the receipt counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_redis.lab.deployments import Redis
from durable_redis.lab.run import Run

SEED = 7
NODE = "n1"


def written(settings: Mapping[str, Any], count: int, every_ms: float, slow_disk_ms: float = 0) -> Run:
    """A server with these settings, to which one client has written so much."""
    run = Redis(**settings).start(seed=SEED)
    run.write(count, every_ms=every_ms)
    if slow_disk_ms:
        run.slow_disk(NODE, slow_disk_ms)
    run.play()
    return run


def at_risk(run: Run, step: int, crash: str) -> int:
    """How many acknowledged writes this kind of crash would erase after this step, at the most."""
    risks = run.frame(step).machines[NODE].at_risk
    return risks[crash] if risks else 0


def worst_loss(run: Run, crash: str = "power loss") -> int:
    """How many acknowledged writes a crash erases at its worst instant: found by the marks, then done."""
    run.go(max(range(run.steps + 1), key=lambda step: at_risk(run, step, crash)))
    return lost_now(run, crash)


def lost_now(run: Run, crash: str = "power loss") -> int:
    """Crash here, with nothing left of what was not synced; restart, and count."""
    run.crash(NODE, crash, tail="lost")
    run.restart(NODE)
    return run.receipt().lost


def lost_at(instant_ms: float, settings: Mapping[str, Any], count: int, every_ms: float) -> int:
    """Cut the power at this instant, leave nothing of what was not synced, restart, and count."""
    run = Redis(**settings).start(seed=SEED)
    if instant_ms <= run.now_ms:
        return 0  # the server is not up yet: nobody was promised anything
    run.write(count, every_ms=every_ms)
    run.play(until_ms=instant_ms)
    return lost_now(run)
