"""The command line, as a user and as a program meets it: what it prints, and the three exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import durable_redis as dr
from durable_redis.__main__ import main
from durable_redis.memorydb.server import MemoryDBServer


@pytest.fixture(scope="module")
def replay_string():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(150, every_ms=10)
    run.crash("n1", "power loss", at_ms=1_090)
    run.restart("n1")
    return run.replay_string()


def test_replay_tells_the_digest_and_the_receipt(replay_string, capsys):
    assert main(["replay", replay_string]) == 0
    out = capsys.readouterr().out
    assert "4 acknowledged writes are gone, of 107." in out
    assert dr.replay(replay_string).digest() in out


def test_replay_as_json(replay_string, capsys):
    assert main(["replay", replay_string, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["receipt"]["lost though acknowledged"] == 4
    assert len(answer["digest"]) == 64


def test_a_run_that_comes_out_differently_is_status_1_and_says_where(replay_string, capsys):
    place = replay_string.rindex("check=") + len("check=")
    checks = replay_string[place:].split("-")
    checks[5:] = ["0000"] * 11
    assert main(["replay", replay_string[:place] + "-".join(checks)]) == 1
    error = capsys.readouterr().err
    assert "the model has changed" in error
    assert "differs by step" in error


@pytest.mark.parametrize(
    ("string", "words"),
    [
        ("nonsense", "a replay string begins with 'dr1'"),
        ("dr1;Redis();seed=7", "at least four parts"),
        ("dr1;Redis();seed=x;end@s1", "part 3"),
        ("dr1;Redis();seed=7;write(3)@s1", "was cut off"),
        ("dr1;Redis();seed=7;explode('n1')@s1;end@s9", "no action 'explode'"),
        ("dr1;Redis();seed=7;crash(__import__('os'))@s1;end@s9", "not a literal"),
        ("dr1;Oracle();seed=7;end@s9", "no deployment 'Oracle'"),
        ("dr1;Redis(appendfsync='always');seed=7;end@s9", "add appendonly=True"),
    ],
)
def test_a_wrong_replay_string_is_status_2_and_one_sentence(string, words, capsys):
    assert main(["replay", string]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_what_is_neither_a_scenario_nor_a_replay_string_is_told_where_the_scenarios_are(capsys):
    assert main(["replay", "split-brains"]) == 2
    error = capsys.readouterr().err
    assert "there is no scenario 'split-brains'" in error
    assert "`durable-redis scenarios` lists them" in error


def test_the_scenarios_are_listed_with_what_happens_and_the_remedy(capsys):
    assert main(["scenarios"]) == 0
    out = capsys.readouterr().out
    assert "\ndirty-read-without-a-tracker\n    " in out
    assert "\n    with the mechanism: dirty-read-with-a-tracker\n" in out
    assert main(["scenarios", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed.keys() == dr.scenarios.SCENARIOS.keys()
    assert listed["split-brain"]["remedy"] == "split-brain-with-min-replicas"


def test_a_reader_who_has_seen_enough_gets_no_traceback(tmp_path):
    (tmp_path / "a.aof").write_bytes(
        b"".join(b"*3\r\n$3\r\nSET\r\n$5\r\n%05d\r\n$1\r\nx\r\n" % n for n in range(9_999))
    )
    command = [sys.executable, "-m", "durable_redis", "inspect", str(tmp_path / "a.aof")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_number_that_is_none_is_refused_in_plain_words(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["fuzz", "Redis()", "--seeds", "some"])
    assert "give a number of at least 1, not some" in capsys.readouterr().err
    for arguments in (["fuzz", "Redis()", "--first-seed", "-5"], ["sweep", "Redis()", "--seed", "x"]):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        assert f"a seed is a whole number, 0 or more, not {arguments[-1]}" in capsys.readouterr().err


def test_sweep_counts_the_losses_by_kind_of_crash(capsys):
    assert main(["sweep", "Redis(appendonly=True)", "--writes", "5", "--every", "10", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "a crash after every 10th step" in out
    assert [line.split()[0:2] for line in out.splitlines()[2:]] == [
        ["process", "kill"],
        ["power", "loss"],
        ["disk", "loss"],
    ]


def test_replay_plays_a_named_scenario_and_says_what_it_is_about_and_which_has_the_remedy(capsys):
    assert main(["replay", "empty-primary"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("empty-primary: ")
    assert "100 acknowledged writes are gone, of 100." in out
    assert "19 judges: no objection (every loss has its explanation" in out
    assert out.endswith("The same with the mechanism: durable-redis replay empty-primary-with-a-log\n")


def test_replay_says_what_the_judges_say_also_where_no_write_is_lost(capsys):
    assert main(["replay", "dirty-read-without-a-tracker"]) == 0
    out = capsys.readouterr().out
    assert "No acknowledged write is gone" in out
    assert "1 of 19 judges objects:\n  one copy: " in out
    assert main(["replay", "dirty-read-without-a-tracker", "--json"]) == 0
    (objection,) = json.loads(capsys.readouterr().out)["objections"]
    assert objection in " ".join(out.split())


def test_replay_of_a_run_that_ends_in_an_assertion_is_status_1_and_one_sentence(monkeypatch, capsys):
    def goes_wrong(server, now):
        raise AssertionError("entry 26 is committed, and 2-26 shall stand in its place")
        yield

    monkeypatch.setattr(MemoryDBServer, "_cron", goes_wrong)
    assert main(["replay", "no-answer"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "durable-redis: the run ends where a node finds a mistake of its own: entry 26 is committed"
    )
    assert error.count("\n") == 1


def test_replay_of_what_nobody_can_judge_still_gives_the_receipt(capsys):
    run = dr.Redis().start()
    run.command("HSET", "h", "f", "v")
    run.play(100)
    assert main(["replay", run.replay_string()]) == 0
    out = capsys.readouterr().out
    assert "No key was SET" in out
    assert "nobody can judge this run: the judges have no rule for HSET h f v" in out


def test_sweep_over_failovers(capsys):
    deployment = "ElastiCache(replicas=1, detection_ms=1000)"
    arguments = ["--writes", "3", "--every", "40", "--crash", "power loss", "--then", "failover", "--jobs", "1"]
    assert main(["sweep", deployment, *arguments]) == 0
    assert "power loss" in capsys.readouterr().out
    assert main(["sweep", "Redis()", *arguments]) == 2
    assert "nobody would take over in Redis()" in capsys.readouterr().err


def test_sweep_as_json_over_seeds(capsys):
    arguments = ["--writes", "3", "--every", "3", "--seeds", "2", "--crash", "disk loss", "--json"]
    assert main(["sweep", "Redis(appendonly=True, appendfsync='always')", *arguments]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["crash"] for row in answer["crashes"]] == ["disk loss"]
    assert answer["crashes"][0]["most_lost"] == 3


def test_a_deployment_is_read_and_never_evaluated(capsys):
    assert main(["sweep", "Redis(appendonly=open('x'))"]) == 2
    assert "not a literal" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["sweep"], ["sweep", "Redis()", "--writes", "0"], ["replay", "x", "--wrong"]]
)
def test_wrong_use_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["book", "inspect", "replay", "sweep", "fuzz", "bugs", "bench"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "usage: durable-redis" in capsys.readouterr().out


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "durable_redis", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"durable-redis {dr.__version__}"


def test_no_book_where_there_is_none(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("durable_redis.bookshelf.FIRST_CHAPTER", "no such chapter.ipynb")
    assert main(["book"]) == 2
    assert "run this in the folder of the project" in capsys.readouterr().err
