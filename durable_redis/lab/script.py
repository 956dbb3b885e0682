"""A branch of a run as a few lines of Python: whoever executes them has the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.lab.verbs import TIMED, WAITING

if TYPE_CHECKING:
    from durable_redis.lab.run import Run


def script(run: Run) -> str:
    """One line an action, and in between where to stand for it."""
    lines = [f"run = dr.{run.deployment!r}.start(seed={run.seed})"]
    step = run.first_step
    settled = True  # whether the script has not played further than the next action, waiting for an answer
    for done in run.playback.performed:
        action, call = done.action, done.action.call
        if action.at_us is not None and action.verb in TIMED:
            if not settled:
                lines.append(f"run.go({done.before})")
            call = f"{call[:-1]}{'' if call.endswith('()') else ', '}at_ms={action.at_us / 1000})"
        elif action.at_us is not None:
            lines.append(f"run.play({action.at_us / 1000})")
        elif done.before != step:
            lines.append(f"run.go({done.before})")
        lines.append(f"run.{call}")
        step, settled = done.after, action.verb not in WAITING
    if step != run.steps:
        lines.append(f"run.go({run.steps})")
    return "\n".join(lines)
