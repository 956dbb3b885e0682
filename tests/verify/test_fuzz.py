"""Fuzzing: a trial is its seed's, nobody objects to what is right, and a failure is one line that can be replayed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import durable_redis as dr
from durable_redis.__main__ import main
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.schedules import Nemesis, draw
from durable_redis.redis.persistence import aof
from durable_redis.redis.server import RedisServer
from durable_redis.verify.fuzz import fuzz
from durable_redis.verify.invariants import JUDGES
from durable_redis.verify.trials import EXCEPTION, Regime, attempt, drawn

ALWAYS = "Redis(appendonly=True, appendfsync='always')"

HONEST = [
    ("Redis(save=((1, 5),))", 15),
    ("Redis(appendonly=True, save=((1, 5),), clients=2)", 15),
    ("Redis(appendonly=True, appendfsync='always', clients=3)", 15),
    ("ReplicatedRedis(down_after_ms=1000, failover_timeout_ms=3000, clients=2)", 24),
    ("ReplicatedRedis(down_after_ms=1000, failover_timeout_ms=3000, appendonly=True, sentinels=5)", 12),
    ("RedisCluster(node_timeout_ms=1000, clients=2)", 12),
    ("RedisCluster(shards=3, replicas=2, node_timeout_ms=1000, appendonly=True)", 6),
    ("ElastiCache(detection_ms=1000, clients=2)", 24),
]
"""With short timeouts, so that a fault of a few seconds is enough for a failover."""


@pytest.mark.parametrize(("deployment", "seeds"), HONEST)
def test_nobody_objects_to_what_is_right(deployment: str, seeds: int) -> None:
    report = fuzz(deployment, range(seeds))
    print(report)  # the seeds
    assert report.failures == (), str(report)
    assert sum(trial.acknowledged for trial in report.trials) > 100 * seeds
    lost = sum(trial.lost for trial in report.trials)
    assert lost == 0 if "always" in deployment else lost > 0


def test_a_trial_is_its_seeds_whoever_plays_it() -> None:
    here = fuzz(ALWAYS, range(3, 6))
    with ThreadPoolExecutor(2) as executor:
        assert fuzz(ALWAYS, range(3, 6), executor=executor) == here
    assert [trial.seed for trial in here.trials] == [3, 4, 5]
    assert len({trial.steps for trial in here.trials}) == 3


def without_an_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    def pretend(log: aof.AppendOnlyFile):  # type: ignore[no-untyped-def]
        log.synced_size = log.incr_size
        return True
        yield

    monkeypatch.setattr(aof.AppendOnlyFile, "_fsync_now", pretend)


def test_a_failure_is_shrunk_and_is_one_line_that_gives_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    without_an_fsync(monkeypatch)
    nemesis = Nemesis(begin_ms=5_000, end_ms=25_000, fewest=5, most=9)
    report = fuzz(ALWAYS, range(3), nemesis)
    assert len(report.failures) >= 2
    for trial in report.failures:
        schedule = draw(trial.seed, parse_deployment(ALWAYS), nemesis)
        assert trial.troubles == 1 < len(schedule.troubles), "a power loss is enough"
        assert trial.commands < 200 // 4, "and few commands"
        assert trial.findings[0].judge == "the log keeps"
        run = dr.replay(trial.replay)
        assert run.steps == trial.steps
        assert [crash.kind for crash in run.crashes()] == ["power loss"]
        assert trial.replay in str(report)
        assert str(trial.findings[0]) in str(report)


def test_an_exception_anywhere_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = RedisServer._cron

    def fails(server: RedisServer, now: int):  # type: ignore[no-untyped-def]
        assert server.stats["connections"] < 3, "three connections are too many"
        yield from honest(server, now)

    monkeypatch.setattr(RedisServer, "_cron", fails)
    plan = drawn("Redis(clients=3)", 0, Regime())
    trial = attempt("Redis(clients=3)", 0, replace(plan, schedule=replace(plan.schedule, troubles=())), Regime())
    (finding,) = trial.findings
    assert finding.judge == EXCEPTION
    assert finding.node == "n1"
    assert "AssertionError: three connections are too many" in finding.sentence
    assert trial.replay.startswith("dr1;Redis(clients=3);seed=0")


# -- the command line -------------------------------------------------------------------------------------------------


def test_fuzz_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", ALWAYS, "--seeds", "3", "--first-seed", "11", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{ALWAYS}: seeds 11 to 13, ")
    assert "0 of them lost, in 0 of 3 runs" in out
    assert f"{len(JUDGES)} judges: no objection" in out


def test_fuzz_as_json_and_a_failure_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_an_fsync(monkeypatch)
    arguments = ["--seeds", "2", "--fault", "power loss", "--json"]
    monkeypatch.setattr("durable_redis.__main__.ProcessPoolExecutor", ThreadPoolExecutor)
    assert main(["fuzz", ALWAYS, *arguments]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["seeds"], answer["first_seed"], len(answer["judges"])) == (2, 0, len(JUDGES))
    assert [failure["judge"] for failure in answer["failures"]] == ["the log keeps"] * 2
    assert all("power loss" in failure["replay"] for failure in answer["failures"])


def test_fuzz_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "Oracle()", "--seeds", "1"]) == 2
    assert "no deployment 'Oracle'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["fuzz", ALWAYS, "--fault", "flood"])
