"""The console without a browser: its buttons pressed, and the messages sent that a browser would send."""

from __future__ import annotations

import subprocess
import sys

import pytest

import durable_redis as dr
from durable_redis.console import acts


def clicked(console, verb, *arguments, step=None):
    """What console.js sends."""
    moves = console.scene.stand["heard"] + 1
    message = {"verb": verb, "arguments": list(arguments), "step": step, "moves": moves}
    console.scene._handle_custom_msg(message, [])


def panel(console, name):
    return next(panel["blocks"] for panel in console.scene.panels if panel["name"] == name)


@pytest.fixture
def console():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.play(1250)
    return run.console()


def test_the_package_needs_no_widgets_until_a_console_is_made():
    program = "import sys, durable_redis; assert not {'ipywidgets', 'anywidget', 'IPython'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_crash_and_restart_with_the_button(console):
    controls, run = console.controls, console.run
    assert controls.go.description == "crash n1"
    controls.verb.value = "power loss"
    assert controls.code.value == "<code>run.crash(&#x27;n1&#x27;, &#x27;power loss&#x27;)</code>"
    controls.go.click()
    assert not run.frame().machines["n1"].up
    assert controls.go.description == "restart n1"
    assert panel(console, "Receipt")[0] == ["text", "n1 is down: restart it, then ask what survived."]
    assert console.scene.verdict == {}
    controls.go.click()
    lost = run.receipt().lost
    assert lost > 0
    assert console.scene.verdict["number"] == str(lost)
    assert panel(console, "Receipt")[0][1] == str(lost)
    assert "run.restart" in controls.said.value


def test_the_messages_of_the_browser_do_what_the_button_does(console):
    clicked(console, "crash", "n1", "power loss", step=console.run.step)
    clicked(console, "restart", "n1", step=console.run.step)
    by_hand = dr.Redis(appendonly=True).start(seed=7)
    by_hand.write(200)
    by_hand.play(1250)
    by_hand.crash("n1", "power loss")
    by_hand.restart("n1")
    assert console.run.digest() == by_hand.digest()


def test_the_script_in_the_code_tab_reproduces_the_run(console):
    clicked(console, "crash", "n1", "process kill", step=700)
    clicked(console, "restart", "n1", step=console.run.step)
    clicked(console, "forward", 5, step=console.run.step)
    clicked(console, "beat", step=console.run.step)
    clicked(console, "slow_disk", "n1", 500, step=console.run.step)
    clicked(console, "play", step=console.run.step)
    assert console.run.branch == "branch 1"
    heading, script, _, replay_string = (block[1] for block in panel(console, "Code"))
    assert heading == "this run, as Python"
    names = {"dr": dr}
    exec(script, names)
    assert names["run"].digest() == console.run.digest()
    assert dr.replay(replay_string).digest() == console.run.digest()


def test_acting_in_the_past_starts_a_branch_and_keeps_the_old_one(console):
    digest = console.run.digest()
    clicked(console, "stand", step=500)  # what scrubbing in the browser does
    assert console.run.step == 500
    console.controls.go.click()
    assert console.scene.branches == {"names": ["main", "branch 1"], "current": "branch 1"}
    clicked(console, "checkout", "main", step=None)
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


def test_the_button_proposes_what_the_menu_has_first(console):
    assert console.controls.verb.value == console.scene.menus["0"][0][0] == "power loss"
    assert [entry[0] for entry in console.scene.menus["2"]][:3] == ["restart", "power loss", "lose the disk"]


def test_the_receipt_tells_neighbours_of_one_fate_together(console):
    clicked(console, "crash", "n1", "power loss", step=console.run.step)
    clicked(console, "restart", "n1", step=console.run.step)
    fates = console.run.receipt().lost_in_words()
    told = [block[1] for block in panel(console, "Receipt") if block[0] == "text"]
    assert told == [f"{who}: {why}" for who, why in fates]
    assert len(told) < console.run.receipt().lost


def test_undo_steps_back_to_before_the_act(console):
    before = console.run.step
    console.controls.go.click()
    console.controls.undo.click()
    assert console.run.step == before
    assert console.run.frame().machines["n1"].up
    console.controls.go.click()
    assert console.run.branch == "branch 1"


def test_when_is_a_time_from_where_one_stands(console):
    console.controls.when.value = "in 100 ms"
    console.controls.go.click()
    assert console.run.now_ms == 1350
    assert "at_ms=1350" in console.controls.said.value


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("restart", ["n1"], "n1 is up: crash it before you restart it."),
        ("hold", [9999], "no message 9999 is in flight"),
        ("crash", ["n2", "power loss"], "there is no node"),
        ("play", [1], "go back with run.go(step)"),
        ("format_disk", ["n1"], "The console does not know how to"),
        ("__init__", [], "The console does not know how to"),
    ],
)
def test_a_mistake_is_one_friendly_sentence(console, verb, arguments, sentence):
    digest = console.run.digest()
    clicked(console, verb, *arguments)
    assert sentence in console.controls.said.value.replace("&#x27;", "'")
    assert 'data-tone="error"' in console.controls.said.value
    assert 'aria-live="polite"' in console.controls.said.value
    assert "Traceback" not in console.controls.said.value
    assert console.run.digest() == digest


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
    console.controls.go.click()
    assert panel(console, "Inspect")[1] == ["text", "Connection refused: nobody listens there."]


def test_the_menus_offer_what_the_dropdowns_offer(console):
    menus = console.scene.menus
    assert [entry[0] for entry in menus["0"]] == list(console.controls.verb.options)
    for state, entries in menus.items():
        assert len(entries) == len(acts.MENUS[int(state) if state.isdigit() else state])


def test_every_act_of_every_menu_can_be_done(console):
    for act in acts.MENUS["client"]:
        console.act(act.verb, *act.bound("client"))
        assert "error" not in console.controls.said.value
    for act in acts.MENUS[0]:
        if act.verb != "crash":
            console.act(act.verb, *act.bound("n1"))
            assert "error" not in console.controls.said.value


def test_a_change_of_the_run_in_a_cell_shows_in_the_console(console):
    console.run.crash("n1", "disk loss")
    assert console.scene.stand["step"] == console.run.step
    assert console.scene.film["nodes"]["n1"]["rows"][-1][0] == 3


def test_scrubbing_does_not_ship_the_film_again(console):
    film = console.scene.film
    console.run.go(100)
    assert console.scene.film is film


def test_the_display_holds_the_widget_its_picture_and_its_words(console):
    bundle = console._repr_mimebundle_()
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
    assert "✓ Task done: Crash it. That was easy." in console.controls.said.value
    assert "run.crash(" in console.controls.said.value
    run.restart("n1")  # in a cell
    assert "✓ Task done: Lose a write." in console.controls.said.value
    assert "Crash it." not in console.controls.said.value
    assert console.scene.panels[-1]["mark"] == "2 of 2"
    clicked(console, "stand", step=3)
    assert console.checklist.ticked == [True, True]


def test_without_tasks_there_is_no_tab_for_them(console):
    assert [panel["name"] for panel in console.scene.panels] == ["Inspect", "Receipt", "Code"]
