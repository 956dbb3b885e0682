"""Branches and loaded runs side by side: to share, to load, to compare."""

from __future__ import annotations

import pytest
from consoletools import block, clicked, panel, said

import durable_redis as dr
from durable_redis.console import shelf
from durable_redis.lab.comparison import compare


def lossy(**options):
    run = dr.Redis(appendonly=True, **options).start(seed=7)
    run.write(120)
    run.crash("n1", "power loss", at_ms=1090)
    run.restart("n1")
    return run


@pytest.fixture(scope="module")
def line():
    """The replay string of another deployment."""
    return lossy(appendfsync="always").replay_string()


@pytest.fixture
def console():
    return lossy().console()


def test_the_shared_line_replays_the_branch(console):
    (shared,) = block(console, "Code", "share")
    assert dr.replay(shared).digest() == console.run.digest()


def test_a_loaded_run_stands_beside_the_readers_own(console, line):
    own, digest = console.run, console.run.digest()
    clicked(console, "load", f"  {line}\n")
    assert console.run is not own
    assert console.run.digest() == dr.replay(line).digest()
    assert console.scene.branches == {"names": ["main", "loaded 1"], "current": "loaded 1"}
    assert said(console).startswith("Loaded: Redis(appendonly=True, appendfsync='always'), seed 7, ")
    assert (console.run.receipt().lost, console.scene.verdict["number"]) == (0, "0")
    clicked(console, "visit", "main")
    assert console.run is own
    assert own.digest() == digest
    assert console.scene.verdict["number"] == str(own.receipt().lost) != "0"


def test_a_loaded_run_can_be_acted_on_and_branched(console, line):
    clicked(console, "load", line)
    clicked(console, "crash", "n1", "disk loss", step=400)
    assert console.scene.branches["names"] == ["main", "loaded 1", "loaded 1, branch 1"]
    assert console.scene.branches["current"] == "loaded 1, branch 1"
    clicked(console, "load", line)
    assert console.scene.branches["current"] == "loaded 2"


def test_a_cell_that_acts_on_the_readers_run_shows_it_again(console, line):
    own = console.run
    clicked(console, "load", line)
    own.write(3)
    assert console.run is own
    assert console.scene.branches["current"] == "main"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda line: "", "paste a replay string into the field first"),
        (lambda line: "run.crash('n1')", "a replay string begins with 'dr1' and a semicolon"),
        (lambda line: "dr0" + line[3:], "of model dr0, and this is dr1"),
        (lambda line: line[: line.index(";crash")], "it was cut off"),
        (lambda line: line[: line.index(";crash") + 1], "it was cut off"),
        (lambda line: line[: line.index(";check")], "it was cut off"),
        (lambda line: line[:-3], "it was cut off"),
        (lambda line: line.replace("seed=7", "seed=8"), "the model has changed"),
        (lambda line: line.replace("'always'", "'sometimes'"), "appendfsync can be everysec, always, no"),
        (lambda line: line.replace("Redis(", "Sider("), "there is no deployment 'Sider'"),
        (lambda line: line.replace("restart('n1')", "hold(9)"), "no message 9 is in flight"),
    ],
)
def test_a_bad_line_is_one_sentence_and_changes_nothing(console, line, spoil, sentence):
    before = (console.run, console.run.digest(), console.scene.film, console.scene.branches, console.scene.panels)
    clicked(console, "load", spoil(line))
    assert sentence in said(console)
    assert said(console).startswith("Nothing was loaded: ")
    assert said(console).count("\n") == 0
    assert console.scene.said["tone"] == "error"
    after = (console.run, console.run.digest(), console.scene.film, console.scene.branches, console.scene.panels)
    assert after == before


def test_the_line_of_a_long_branch_is_made_on_request(console, monkeypatch):
    monkeypatch.setattr(shelf, "LONG_RUN_STEPS", 100)
    clicked(console, "write", 1)
    assert block(console, "Code", "share") == [""]
    clicked(console, "share")
    (shared,) = block(console, "Code", "share")
    assert dr.replay(shared).digest() == console.run.digest()


# -- compare ----------------------------------------------------------------------------------------------------------


def test_with_one_branch_the_tab_says_how_to_get_a_second(console):
    assert [kind for kind, *_ in panel(console, "Compare")] == ["text"] * 3


def branched(console):
    """On main n1 lost power at 1.090 s; on the branch its process was killed at this step."""
    step = next(done.before for done in console.run.playback.performed if done.action.verb == "crash")
    clicked(console, "crash", "n1", "process kill", step=step)
    clicked(console, "restart", "n1")
    return step


def test_two_branches_side_by_side(console):
    step = branched(console)
    assert block(console, "Compare", "choose")[2:] == [["main"], "main"]
    assert block(console, "Compare", "text") == [f"One and the same up to step {step:,}, at 1.083 s. Then they differ:"]
    (here, there) = block(console, "Compare", "goto")[0]
    assert here[:2] == ["branch 1", step + 1]
    assert here[2].startswith("1.083 the process of n1 is killed")
    assert there[:2] == ["main", step + 1]
    assert there[2].startswith("1.090 n1 loses power")
    head, rows = block(console, "Compare", "table")
    sides = compare(console.run.playback, console.run.playbacks["main"]).sides
    assert head == ["", "branch 1", "main"]
    assert rows[0] == ["OK was said", *(str(side.acknowledged) for side in sides)]
    assert rows[1] == ["of these, gone", *(str(side.lost) for side in sides)]
    assert rows[1][1] == "0" != rows[1][2]
    assert rows[2] == ["median wait", *(f"{side.latency.median_us / 1000:.2f} ms" for side in sides)]


def test_a_row_leads_to_the_step_of_the_branch(console):
    branched(console)
    branch, step, _ = block(console, "Compare", "goto")[0][1]
    clicked(console, "visit", branch, step)
    assert (console.run.branch, console.run.step) == ("main", step)
    assert said(console) == f"run.checkout('main', {step})"


def test_the_other_branch_is_chosen_from_a_list(console, line):
    """Loss beside latency: `everysec` beside `always`."""
    branched(console)
    clicked(console, "load", line)
    clicked(console, "visit", "main")
    assert block(console, "Compare", "choose")[2:] == [["branch 1", "loaded 1"], "branch 1"]
    clicked(console, "versus", "loaded 1")
    assert block(console, "Compare", "choose")[3] == "loaded 1"
    rows = {words: cells for words, *cells in block(console, "Compare", "table")[1]}
    assert rows["of these, gone"] == [str(console.run.receipt().lost), "0"]
    waits = [float(wait.removesuffix(" ms")) for wait in rows["median wait"]]
    assert waits[0] < waits[1]
    clicked(console, "visit", "loaded 1")  # what is shown is not compared with itself
    assert block(console, "Compare", "choose")[2:] == [["main", "branch 1"], "main"]


def test_a_branch_that_is_down_and_one_that_ended_early(console):
    step = branched(console)
    clicked(console, "crash", "n1", "disk loss", step=step)
    rows = {words: cells for words, *cells in block(console, "Compare", "table")[1]}
    assert rows["of these, gone"][0] == "nobody knows"
    early = dr.replay(console.run.replay_string())
    clicked(console, "load", early.replay_string())
    clicked(console, "versus", "branch 2")
    assert block(console, "Compare", "text") == ["They are one and the same, from the first step to the last."]
    clicked(console, "restart", "n1")
    assert block(console, "Compare", "goto")[0][1] == ["branch 2", early.steps, "ends there"]


def test_a_branch_that_is_not_there_is_one_sentence(console):
    clicked(console, "visit", "branch 9")
    assert said(console) == "There is no branch 'branch 9' here: there is main."
    branched(console)
    clicked(console, "visit", "main", 99_999)
    assert "there is no step 99999" in said(console)
