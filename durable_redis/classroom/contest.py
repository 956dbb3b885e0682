"""A contest: several deployments under random schedules of the same kind, and how many acknowledged writes each loses.

The law of this file: the same seeds, the same faults, the same work for all.  Where machines have the same names, as in
MemoryDB and in ElastiCache with a log, the schedules are the same, action for action; elsewhere they are drawn in the
same way for other machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from durable_redis.classroom.hunts import GROUNDS
from durable_redis.verify.trials import attempt, drawn

_LEASES = GROUNDS["island"].options
CONTESTANTS = {
    "MemoryDB": f"MemoryDB(replicas=1, clients=2, {_LEASES})",
    "ElastiCache, sync": f"ElastiCache(durability='sync', replicas=1, clients=2, {_LEASES})",
    "ElastiCache, async": f"ElastiCache(durability='async', replicas=1, clients=2, {_LEASES})",
    "Redis and Sentinel": "ReplicatedRedis(replicas=1, clients=2, down_after_ms=500, failover_timeout_ms=1000)",
    "ElastiCache, no log": "ElastiCache(replicas=1, clients=2, detection_ms=1000)",
}
"""Each has one primary and one replica, and misses a dead primary after about a second."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one contestant: acknowledged writes, how many of them are gone, in how many runs of how many."""

    name: str
    acknowledged: int
    lost: int
    lossy: int
    runs: int

    def __str__(self) -> str:
        runs = f"in {self.lossy} of {self.runs} runs"
        return f"{self.name:20} {self.acknowledged:5} acknowledged, {self.lost:4} lost, {runs}"


def contest(seeds: Iterable[int]) -> list[Score]:
    """Let all of them run under these seeds."""
    seeds = list(seeds)
    return [_score(name, deployment, seeds) for name, deployment in CONTESTANTS.items()]


def _score(name: str, deployment: str, seeds: list[int]) -> Score:
    regime = GROUNDS["island"].regime
    trials = [attempt(deployment, seed, drawn(deployment, seed, regime), regime) for seed in seeds]
    lost = [trial.lost for trial in trials]
    return Score(name, sum(trial.acknowledged for trial in trials), sum(lost), sum(map(bool, lost)), len(trials))
