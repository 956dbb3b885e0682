"""Random faults on deployments with a log in three zones: what they promise holds, and broken nodes are caught.

What single mechanisms are for is shown one by one in `tests/lab/test_logged_scenarios`; here luck looks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from durable_redis.verify.fuzz import fuzz
from durable_redis.verify.trials import NEMESIS, Regime, attempt, drawn


@pytest.mark.parametrize(
    ("deployment", "seeds"),
    [
        ("MemoryDB(replicas=2, clients=2)", 5),
        ("MemoryDB(replicas=0, clients=2)", 3),
        ("MemoryDB(replicas=1, shards=2, clients=2)", 3),
        ("ElastiCache(durability='sync', replicas=1, clients=2)", 3),
    ],
)
def test_nothing_acknowledged_is_ever_lost(deployment: str, seeds: int) -> None:
    report = fuzz(deployment, range(seeds))
    assert report.failures == (), str(report)
    assert sum(trial.lost for trial in report.trials) == 0
    assert sum(trial.acknowledged for trial in report.trials) > 80 * seeds


@pytest.mark.parametrize(
    ("bug", "faults", "seed", "judges"),
    [
        ("answers before the commit", ("process kill", "partition"), 12, {"nothing is lost", "one copy"}),
        ("no tracker", ("partition",), 6, {"one copy"}),
        ("backoff shorter than the lease", ("pause",), 0, {"one lease a shard"}),
        ("unknown is taken for done", ("partition", "power loss"), 22, {"nothing is lost"}),
        (
            "check, apply, serve",
            ("pause",),
            5,
            {"nothing is lost", "one copy", "one past", "no invented state", "convergence"},
        ),
    ],
)
def test_a_broken_node_is_caught(bug: str, faults: tuple[str, ...], seed: int, judges: set[str]) -> None:
    regime = Regime(replace(NEMESIS, faults=faults, fewest=3, most=6))
    for options, expected in ((f", bug={bug!r}", judges), ("", set())):
        deployment = f"MemoryDB(replicas=2, clients=2{options})"
        findings = attempt(deployment, seed, drawn(deployment, seed, regime), regime).findings
        assert {finding.judge for finding in findings} == expected
