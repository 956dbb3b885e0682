"""A contest: several databases under the same random schedules, and how many acknowledged writes each loses.

The law of this file: the same seeds, the same work, and the same cuts for all, to the microsecond.  Every contestant
has two servers and two clients of the same names, and only these are drawn: whom a cut leaves alone, and when.  What
else a database has (the zones of a log, sentinels, a service that watches) is always on the other side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from durable_redis.classroom.hunts import GROUNDS
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.schedules import draw
from durable_redis.verify.trials import attempt, drawn

_LEASES = GROUNDS["island"].options
CONTESTANTS = {
    "MemoryDB": f"MemoryDB(replicas=1, clients=2, {_LEASES})",
    "ElastiCache, sync": f"ElastiCache(durability='sync', replicas=1, clients=2, {_LEASES})",
    "ElastiCache, async": f"ElastiCache(durability='async', replicas=1, clients=2, {_LEASES})",
    "Redis and Sentinel": "ReplicatedRedis(replicas=1, clients=2, down_after_ms=500, failover_timeout_ms=1000)",
    "ElastiCache, no log": "ElastiCache(replicas=1, clients=2, detection_ms=1000)",
}
"""Each has one primary and one replica, and misses a dead primary after a second at the most."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one contestant: acknowledged writes, and how many of them are gone, a number a seed."""

    name: str
    acknowledged: int
    lost: tuple[int, ...]

    def __str__(self) -> str:
        seeds = "".join(f"{lost:4}" for lost in self.lost)
        return f"{self.name:20}{seeds}   {sum(self.lost):3} of {self.acknowledged}"


@dataclass(frozen=True, slots=True, repr=False)
class Contest:
    """The scores, and under which seeds they were made."""

    seeds: tuple[int, ...]
    scores: tuple[Score, ...]

    def lost(self, name: str) -> int:
        """How many acknowledged writes this contestant has lost."""
        return sum(next(score.lost for score in self.scores if score.name == name))

    def __repr__(self) -> str:
        head = "lost under seed".ljust(20) + "".join(f"{seed:4}" for seed in self.seeds) + "   altogether"
        return "\n".join([head, *map(str, self.scores)])


def contest(seeds: Iterable[int]) -> Contest:
    """Let all of them run under these seeds."""
    numbers = tuple(seeds)
    return Contest(numbers, tuple(_score(name, deployment, numbers) for name, deployment in CONTESTANTS.items()))


def cuts(name: str, seed: int) -> list[str]:
    """What befalls the network of this contestant under this seed: when, and who is left alone."""
    schedule = draw(seed, parse_deployment(CONTESTANTS[name]), GROUNDS["island"].regime.nemesis)
    return [
        f"{(trouble.at_us or 0) / 1e6:.3f} s  "
        + (f"cut off: {', '.join(trouble.arguments[0])}" if trouble.arguments else "all cuts are mended")
        for trouble in schedule.troubles
    ]


def _score(name: str, deployment: str, seeds: tuple[int, ...]) -> Score:
    regime = GROUNDS["island"].regime
    trials = [attempt(deployment, seed, drawn(deployment, seed, regime), regime) for seed in seeds]
    return Score(name, sum(trial.acknowledged for trial in trials), tuple(trial.lost for trial in trials))
