"""The console without a browser: the messages that a browser would send, and what it is told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from consoletools import clicked, panel, said

import durable_redis as dr
from durable_redis.console import acts
from durable_redis.console.rows import KILLED, OFF


@pytest.fixture
def console():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.play(1250)
    return run.console()


def test_the_package_needs_no_widgets_until_a_console_is_made():
    program = "import sys, durable_redis; assert not {'ipywidgets', 'anywidget', 'IPython'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_crash_restart_and_read_the_receipt(console):
    run = console.run
    clicked(console, "crash", "n1", "power loss")
    assert not run.frame().machines["n1"].up
    assert panel(console, "Receipt")[0] == ["text", "n1 is down: restart it, then ask what survived."]
    assert console.scene.verdict == {}
    clicked(console, "restart", "n1")
    lost = run.receipt().lost
    assert lost > 0
    assert console.scene.verdict["number"] == str(lost)
    assert panel(console, "Receipt")[0][1] == str(lost)
    assert console.scene.said == {"text": "run.restart('n1')", "tone": "did"}


def test_a_click_is_answered_with_the_room_and_what_is_behind_the_tabs_comes_when_it_is_asked_for(console):
    panels = console.scene.panels
    message = {"verb": "crash", "arguments": ["n1", "power loss"], "step": console.run.step, "moves": 1}
    console.scene._handle_custom_msg(message, [])
    assert console.scene.said["text"] == "run.crash('n1', 'power loss')"
    assert console.scene.stand == {"step": console.run.step, "heard": 1}
    assert console.scene.panels == panels
    console.scene._handle_custom_msg({"verb": "panels"}, [])
    assert panel(console, "Receipt")[0] == ["text", "n1 is down: restart it, then ask what survived."]


def test_a_click_does_what_a_cell_does(console):
    clicked(console, "crash", "n1", "power loss")
    clicked(console, "restart", "n1")
    by_hand = dr.Redis(appendonly=True).start(seed=7)
    by_hand.write(200)
    by_hand.play(1250)
    by_hand.crash("n1", "power loss")
    by_hand.restart("n1")
    assert console.run.digest() == by_hand.digest()


def test_the_script_in_the_code_tab_reproduces_the_run(console):
    clicked(console, "crash", "n1", "process kill", step=700)
    clicked(console, "restart", "n1")
    clicked(console, "forward", 5)
    clicked(console, "beat")
    clicked(console, "slow_disk", "n1", 500)
    clicked(console, "play")
    assert console.run.branch == "branch 1"
    script, replay_string = (block[1] for block in panel(console, "Code") if block[0] in ("code", "share"))
    names = {"dr": dr}
    exec(script, names)
    assert names["run"].digest() == console.run.digest()
    assert dr.replay(replay_string).digest() == console.run.digest()


def test_acting_in_the_past_starts_a_branch_and_keeps_the_old_one(console):
    digest = console.run.digest()
    clicked(console, "stand", step=500)  # what scrubbing in the browser does
    assert console.run.step == 500
    clicked(console, "crash", "n1", "power loss")
    assert console.scene.branches == {"names": ["main", "branch 1"], "current": "branch 1"}
    clicked(console, "visit", "main")
    assert console.run.digest() == digest
    assert console.scene.branches["current"] == "main"


def test_the_kernel_follows_the_browser_without_pulling_it_back(console):
    heard = console.scene.stand["heard"]
    clicked(console, "stand", step=77)
    assert console.run.step == 77
    assert console.scene.stand == {"step": 77, "heard": heard + 1}
    clicked(console, "hold", 9999, step=78)  # a mistake is an answer too
    assert console.scene.stand == {"step": 78, "heard": heard + 2}
    console.run.go(79)
    assert console.scene.stand == {"step": 79, "heard": heard + 2}


def test_what_a_menu_proposes_first():
    menus = {state: [entry["words"] for entry in entries] for state, entries in acts.menus(many=False).items()}
    assert menus["0"][0] == "power loss"
    assert menus["2"][:3] == ["restart", "power loss", "lose the disk"]
    assert menus["3"][0] == "restart"


def test_the_receipt_tells_neighbours_of_one_fate_together(console):
    clicked(console, "crash", "n1", "power loss")
    clicked(console, "restart", "n1")
    fates = console.run.receipt().lost_in_words()
    told = [block[1] for block in panel(console, "Receipt") if block[0] == "text"]
    assert told == [f"{who}: {why}" for who, why in fates]
    assert len(told) < console.run.receipt().lost


def test_undo_steps_back_to_before_the_act(console):
    before = console.run.step
    clicked(console, "crash", "n1", "power loss")
    clicked(console, "undo")
    assert console.run.step == before
    assert console.run.frame().machines["n1"].up
    clicked(console, "crash", "n1", "power loss")
    assert console.run.branch == "branch 1"
    clicked(console, "undo", step=0)
    assert console.scene.said == {"text": "There is nothing to undo: this is the beginning.", "tone": "error"}


@pytest.mark.parametrize(("at_ms", "line"), [(1350, "at_ms=1350)"), (1350.0, "at_ms=1350)"), (1350.125, "1350.125)")])
def test_an_act_can_come_later(console, at_ms, line):
    clicked(console, "crash", "n1", "power loss", at_ms=at_ms)
    assert console.run.now_ms == at_ms
    assert said(console).endswith(line)


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("restart", ["n1"], "n1 is up: crash it before you restart it."),
        ("hold", [9999], "no message 9999 is in flight"),
        ("crash", ["n2", "power loss"], "there is no node"),
        ("play", [1], "go back with run.go(step)"),
        ("crash", ["n1", "flood"], "flood"),
        ("release", [9999], "no message 9999"),
        ("slow_disk", ["n1", -1], "slow"),
        ("slow_disk", ["n7", 5], "there is no node"),
        ("fail_disk", ["n1", "read"], "read"),
        ("heal_disk", ["n7"], "there is no node"),
        ("write", [0], "write(0, every_ms=10)"),
        ("go", [-1], "there is no step -1"),
        ("format_disk", ["n1"], "The console does not know how to"),
        ("__init__", [], "The console does not know how to"),
    ],
)
def test_a_mistake_is_one_friendly_sentence(console, verb, arguments, sentence):
    digest, state = console.run.digest(), console.scene.branches
    clicked(console, verb, *arguments)
    assert sentence in said(console)
    assert said(console).endswith(".")
    assert console.scene.said["tone"] == "error"
    assert console.run.digest() == digest
    assert console.scene.branches == state


def test_a_mistake_of_our_own_is_said_and_answered(console, monkeypatch, caplog):
    monkeypatch.setattr(type(console.run), "hold", lambda run, message: 1 / 0)
    heard = console.scene.stand["heard"]
    clicked(console, "hold", 1)
    assert said(console).startswith("The console has made a mistake (ZeroDivisionError: division by zero)")
    assert console.scene.stand["heard"] == heard + 1
    assert "ZeroDivisionError" in caplog.text
    clicked(console, "crash", "n1", "power loss")
    assert said(console) == "run.crash('n1', 'power loss')"


def test_a_second_click_acts_where_the_first_has_led(console):
    """console.js says no step when it knows that an answer is on its way."""
    for moves in (1, 2):
        message = {"verb": "crash", "arguments": ["n1", "power loss"], "moves": moves}
        console.scene._handle_custom_msg(message, [])
    assert said(console).startswith("n1 is already down")
    assert console.scene.branches["names"] == ["main"]


def test_looking_changes_nothing(console):
    digest = console.run.digest()
    for step in (0, 1, 20, 33, 500, console.run.steps):
        console.run.go(step)
        assert panel(console, "Inspect")
    assert console.run.digest() == digest


def test_inspect_lays_what_an_operator_sees_beside_the_truth(console):
    blocks = panel(console, "Inspect")
    assert "aof_buffer_length:0" in blocks[1][1]
    truth = dict(blocks[3][1])
    assert truth["OK was said"] == "123"
    assert truth["platter"] == "98"
    clicked(console, "crash", "n1", "power loss")
    assert panel(console, "Inspect")[1] == ["text", "Connection refused: nobody listens there."]


@pytest.mark.parametrize("state", acts.ALONE)
def test_every_act_of_every_menu_can_be_done(console, state):
    for crash in {str(KILLED): ["process kill"], str(OFF): ["power loss"]}.get(state, []):
        clicked(console, "crash", "n1", crash)
    here = console.run.step
    for act in console.scene.menus[state]:
        arguments = ["n1" if argument == acts.NAME else argument for argument in act["arguments"]]
        clicked(console, act["verb"], *arguments, step=here)
        assert console.scene.said["tone"] == "did", said(console)


def test_a_change_of_the_run_in_a_cell_shows_in_the_console(console):
    console.run.crash("n1", "disk loss")
    assert console.scene.stand["step"] == console.run.step
    assert json.loads(console.scene.film)["nodes"]["n1"]["rows"][-1][0] == OFF


def test_scrubbing_does_not_ship_the_film_again(console):
    film = console.scene.film
    console.run.go(100)
    assert console.scene.film is film


def test_the_display_holds_the_widget_its_picture_and_its_words(console):
    bundle, _ = console._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/plain", "image/svg+xml"}
    assert bundle["text/plain"].startswith("In words: 1.250 s")
    steps = f"step {console.run.steps:,} of {console.run.steps:,}"
    assert repr(console) == f"Console(a run of Redis(appendonly=True), seed 7: 1.250 s, {steps} on main)"


def test_a_task_ticks_in_the_console_and_says_so_once():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(120)
    run.play(1090)
    tasks = [
        dr.Task("Crash it.", lambda run: bool(run.crashes()), hint="Click on n1.", praise="That was easy."),
        dr.Task("Lose a write.", lambda run: run.receipt().lost > 0),
    ]
    console = run.console(tasks=tasks)
    assert console.scene.tab == "Tasks"
    assert console.scene.panels[-1]["mark"] == "0 of 2"
    assert panel(console, "Tasks")[0] == ["task", "Crash it.", False, "Click on n1.", ""]
    clicked(console, "crash", "n1", "power loss", step=run.step)
    assert console.scene.news == ["Task done: Crash it. That was easy."]
    assert said(console) == "run.crash('n1', 'power loss')"
    run.restart("n1")  # in a cell
    assert console.scene.news == ["Task done: Lose a write."]
    assert console.scene.panels[-1]["mark"] == "2 of 2"
    clicked(console, "stand", step=3)
    assert console.scene.news == ["Task done: Lose a write."]  # looking around does not take it away
    clicked(console, "write", 1)
    assert console.scene.news == []
    assert console.checklist.ticked == [True, True]


def test_without_tasks_there_is_no_tab_for_them(console):
    assert [panel["name"] for panel in console.scene.panels] == ["Inspect", "Receipt", "Code", "Compare"]
