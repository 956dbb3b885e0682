"""Every planted bug is found by luck, within its budget of seeds, and made small; without it, nothing is."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import durable_redis as dr
from durable_redis.__main__ import main
from durable_redis.memorydb.bugs import BUGS
from durable_redis.verify.bughunt import HuntReport, bugs, with_bug
from durable_redis.verify.hunts import BAD_STORE, HUNTS, NOT_HUNTED
from durable_redis.verify.trials import attempt, drawn

CAUGHT = {
    "answers before the commit": ("nothing is lost", 1),
    "no tracker": ("one copy", 2),
    "unknown is taken for done": ("nothing is lost", 1),
    "buffer without bound": ("the buffer is bounded", 1),
    "reads while recovering": ("one past", 2),
    "no lease": ("one copy", 1),
    "lease from the answer": ("one lease a shard", 1),
    "backoff shorter than the lease": ("one lease a shard", 1),
    "append behind anything": ("one lease a shard", 1),
    "append twice": ("no invented state", 3),
    "no rollback": ("no invented state", 1),
    "election without catching up": ("nothing is lost", 3),
    "check, apply, serve": ("nothing is lost", 1),
    "slots decided in memory": ("slots move whole", 2),
    "writes to slots that go": ("slots move whole", 2),
    "promise taken for the commit": ("one owner a slot", 2),
    "promise without the source": ("convergence", 4),
    "snapshot without verification": ("convergence", 2),
    "trim ahead of the snapshot": ("convergence", 2),
    "the log answers alone": ("nothing is lost", 1),
    "the log forgets tokens": ("no invented state", 2),
    "the log votes for anybody": ("no exception", 2),
    "the log does not sync": ("nothing is lost", 2),
    "write past a torn tail": ("nothing is lost", 7),
}
"""Who must be among those that object, and how many actions may be left."""


def test_every_bug_has_its_ground_and_every_ground_a_budget_of_seeds() -> None:
    assert list(HUNTS) == [name for name in BUGS if name not in NOT_HUNTED] == list(CAUGHT)
    assert all(1 <= hunt.seeds <= 15 for hunt in HUNTS.values())


@pytest.mark.parametrize("bug", NOT_HUNTED)
def test_what_is_not_hunted_would_not_be_seen(bug: str) -> None:
    deployment = with_bug(BAD_STORE.deployment, bug)
    plan = drawn(deployment, 0, BAD_STORE.regime)
    assert attempt(deployment, 0, plan, BAD_STORE.regime).findings == ()
    with pytest.raises(dr.LabError, match="is not hunted: "):
        bugs(bug)


@pytest.mark.parametrize("bug", CAUGHT)
def test_a_bug_is_caught_within_its_budget_and_made_small_and_without_it_nobody_objects(bug: str) -> None:
    report = bugs(bug)
    print(report)
    (catch,) = report.catches
    judge, most_actions = CAUGHT[bug]
    assert report
    assert judge in catch.judges
    assert report.trials_without == catch.seeds <= HUNTS[bug].seeds
    assert catch.trial is not None
    assert catch.trial.troubles <= most_actions


# -- the report -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report() -> HuntReport:
    return bugs("no rollback", "lease from the answer", seeds=1, executor=ThreadPoolExecutor(1))


def test_the_report_has_a_row_a_bug_and_says_which_was_not_caught(report: HuntReport) -> None:
    lines = str(report).splitlines()
    assert lines[0].split() == ["bug", "part", "seeds", "of", "actions", "commands", "judges"]
    assert lines[1].startswith("no rollback            append         1    1        1 ")
    assert lines[2].split() == ["lease", "from", "the", "answer", "lease", "1", "1", "nobody", "objects"]
    assert "1 of 2 bugs are caught." in lines
    assert "The same seeds without a bug: 2 trials, no objection." in lines
    assert not report
    table = report.table()
    assert list(table.index) == ["no rollback", "lease from the answer"]
    assert table.loc["no rollback", "seeds"] == 1


def test_a_replay_string_of_the_report_gives_the_same_run(report: HuntReport) -> None:
    trial = report.catches[0].trial
    assert trial.replay in str(report)
    run = dr.replay(trial.replay)
    assert (run.steps, run.seed) == (trial.steps, trial.seed)
    assert trial.replay.startswith("dr1;MemoryDB(replicas=1, bug='no rollback', lease_ms=1000,")


def test_an_objection_where_no_bug_is_makes_the_report_bad(report: HuntReport) -> None:
    bad = HuntReport(report.catches[:1], 1, (("MemoryDB()", report.catches[0].trial),))
    assert bad.all_caught
    assert not bad
    assert "The same seeds without a bug: 1 trial, 1 fail." in str(bad)
    assert bad.as_json()["without"]["objections"][0]["deployment"] == "MemoryDB()"


# -- the command line -------------------------------------------------------------------------------------------------


def test_bugs_on_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("durable_redis.__main__.ProcessPoolExecutor", ThreadPoolExecutor)
    assert main(["bugs", "no rollback", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["caught"], answer["without"]) == (1, {"trials": 1, "objections": []})
    (bug,) = answer["bugs"]
    assert (bug["bug"], bug["part"], bug["seeds"], bug["actions"]) == ("no rollback", "append", 1, 1)
    assert "no invented state" in bug["judges"]
    assert bug["replay"].startswith("dr1;MemoryDB(")
    assert main(["bugs", "lease from the answer", "--seeds", "1"]) == 1
    assert "0 of 1 bugs are caught." in capsys.readouterr().out


def test_bugs_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bugs", "no coffee"]) == 2
    assert "no bug is called 'no coffee': there is answers before the commit, " in capsys.readouterr().err
