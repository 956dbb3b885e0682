"""Fuzzing: let clients work, let a nemesis do its worst, mend everything, and ask every judge.

The law of this file: a trial is decided by the deployment and its seed, and by nothing else, wherever and in whatever
order it is played.  So a failure is one line, its replay string; and before it is printed, the schedule of faults is
made as small as it can be while the same judge still objects.

What a trial is, `trials` tells.  They do not depend on one another: any `concurrent.futures.Executor` can spread them.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.schedules import Nemesis, survivable
from durable_redis.verify.invariants import JUDGES
from durable_redis.verify.judging import EXPLAINED
from durable_redis.verify.trials import NEMESIS, Regime, Trial, attempt, drawn, smallest

MOST_TOLD = 5
"""So many failures are told in full."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a row of seeds gave, in their order."""

    deployment: str
    trials: tuple[Trial, ...]

    @property
    def failures(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.findings)

    def __str__(self) -> str:
        trials = self.trials
        first, last = trials[0].seed, trials[-1].seed
        lossy = sum(bool(trial.lost) for trial in trials)
        lines = [
            f"{self.deployment}: seeds {first} to {last}, {sum(trial.steps for trial in trials):,} steps",
            f"  {sum(trial.acknowledged for trial in trials):,} writes acknowledged, "
            f"{sum(trial.lost for trial in trials):,} of them lost, in {lossy:,} of {len(trials):,} runs",
            f"  {len(JUDGES)} judges: {'no objection' if not self.failures else f'{len(self.failures)} runs fail'}",
        ]
        if lossy and not self.failures:
            lines.append(f"  {EXPLAINED}")
        for trial in self.failures[:MOST_TOLD]:
            lines += ["", f"  seed {trial.seed}, {trial.troubles} actions of the schedule left:"]
            first_of_each = {finding.judge: finding for finding in reversed(trial.findings)}
            lines += [f"    {finding}" for finding in reversed(first_of_each.values())]
            lines.append(f"    {trial.replay}")
        if len(self.failures) > MOST_TOLD:
            lines += ["", f"  and {len(self.failures) - MOST_TOLD:,} more"]
        return "\n".join(lines)

    __repr__ = __str__

    def as_json(self) -> dict[str, Any]:
        """For a program: numbers, and one object a failure."""
        return {
            "deployment": self.deployment,
            "first_seed": self.trials[0].seed,
            "seeds": len(self.trials),
            "steps": sum(trial.steps for trial in self.trials),
            "acknowledged": sum(trial.acknowledged for trial in self.trials),
            "lost": sum(trial.lost for trial in self.trials),
            "judges": [judge.name for judge in JUDGES],
            "failures": [
                {
                    "seed": trial.seed,
                    "judge": trial.findings[0].judge,
                    "findings": [str(finding) for finding in trial.findings],
                    "actions": trial.troubles,
                    "replay": trial.replay,
                }
                for trial in self.failures
            ],
        }


def fuzz(
    deployment: str,
    seeds: Iterable[int],
    nemesis: Nemesis | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Report:
    """Try a deployment, written as in Python, under these seeds.  Raises LabError or ConfigError.

    Without a nemesis, it gets the one that does what this deployment is to get over."""
    parsed = parse_deployment(deployment)
    name = repr(parsed)
    nemesis = nemesis or replace(NEMESIS, faults=survivable(parsed))
    jobs = [(name, seed, Regime(nemesis)) for seed in seeds]
    trials: Iterable[Trial] = executor.map(_try, jobs) if executor else map(_try, jobs)
    if progress:
        from tqdm import tqdm

        trials = tqdm(trials, total=len(jobs), unit=" seeds", leave=False)
    return Report(name, tuple(trials))


def _try(job: tuple[str, int, Regime]) -> Trial:
    """One seed; if it fails, the smallest plan that fails alike."""
    deployment, seed, regime = job
    plan = drawn(deployment, seed, regime)
    trial = attempt(deployment, seed, plan, regime)
    return smallest(deployment, plan, regime, trial) if trial.findings else trial
