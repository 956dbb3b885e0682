"""The console in a real JupyterLab: by mouse, by keyboard alone, and step by step against the Python beside it."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from manyrooms import ROOMS

import durable_redis as dr
from durable_redis.console import model, shipment, timeline
from durable_redis.console.film import Film
from durable_redis.console.scene import Scene

START = """import durable_redis as dr
run = dr.Redis(appendonly=True).start(seed=7)
run.write(200, every_ms=10)
run.play(1250)
run.console()"""


@pytest.fixture
def page(notebook_page):
    opened = notebook_page(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(START)]))
    opened.locator(".dr-sentence").click()  # JupyterLab gives this cell the focus now, and not in the midst of the keys
    return opened


def lost_in_python():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200, every_ms=10)
    run.play(1250)
    run.crash("n1", "power loss")
    run.restart("n1")
    return run.receipt().lost


def test_by_mouse_play_hold_crash_restart_and_read_the_receipt(page):
    from playwright.sync_api import expect

    scene, status = page.locator(".dr-scene"), page.locator(".dr-sentence")
    for name in ("target", "what happens", "when", "speed of play"):
        expect(page.get_by_role("combobox", name=name, exact=True)).to_have_count(1)
    expect(status).to_have_text("n1 primary, up · 123 acknowledged · 98 durable · 25 at risk from a power loss")
    # Play goes on where the record ends, until it is told to pause.
    page.get_by_label("speed of play").select_option("fast")
    before = int(scene.get_attribute("data-step"))
    page.get_by_role("button", name="play, beat by beat").click()
    page.wait_for_function("(step) => Number(document.querySelector('.dr-scene').dataset.step) > step", arg=before + 20)
    page.locator("[data-step=play]").click()
    expect(page.locator("[data-step=play]")).to_have_text("▶ play")
    page.get_by_role("button", name="undo").click()  # back to where write() was asked for; then to the old end again
    page.locator(".dr-slider").focus()
    page.keyboard.press("End")
    # A message is held and let go.
    message = page.locator(".dr-message:not(.leaving)")
    while not message.count():
        step = scene.get_attribute("data-step")
        page.get_by_role("button", name="one event on").click()
        expect(scene).not_to_have_attribute("data-step", step)
    message.click()
    expect(message).to_have_attribute("data-held", "true")
    message.press("Enter")
    expect(page.get_by_text("did run.release(")).to_be_visible()
    # A crash, a restart, and what they cost.
    page.locator("[data-node=n1]").click()
    page.locator("[data-act='power loss']").click()
    expect(page.locator("[data-node=n1]")).to_have_attribute("data-state", "3")
    expect(page.get_by_text("did run.crash('n1', 'power loss')")).to_be_visible()
    page.locator("[data-node=n1]").click()
    page.locator("[data-act='restart']").click()
    expect(page.locator(".dr-verdict")).to_contain_text("acknowledged writes are gone")
    page.get_by_role("tab", name="Receipt").click()
    expect(page.locator(".dr-panel")).to_contain_text(page.locator(".dr-verdict b").text_content())


def test_by_keyboard_alone(page):
    from playwright.sync_api import expect

    scene, slider, node = page.locator(".dr-scene"), page.locator(".dr-slider"), page.locator("[data-node=n1]")
    # Scrub: by event, by beat, to the ends.
    slider.focus()
    page.keyboard.press("Home")
    expect(scene).to_have_attribute("data-step", "0")
    page.keyboard.press("ArrowRight")
    expect(scene).to_have_attribute("data-step", "1")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageUp")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"step \d+, 0\.02\d s, n1 is up, with 0 keys"))
    page.keyboard.press("End")
    # The menu: Escape leaves it and gives the focus back.
    node.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(node).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="power loss")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="kill the process")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(node).to_have_attribute("data-state", "3")
    for key in ("x", "d", "d", "b"):  # JupyterLab's own keys: cut, delete, insert a cell
        page.keyboard.press(key)
    page.get_by_role("button", name="restart n1").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".dr-verdict b")).to_have_text(str(lost_in_python()))
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1
    # Acting in the past starts a branch, and the old one can be had again.
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(20):
        page.keyboard.press("PageUp")
    page.get_by_role("button", name="crash n1").press("Enter")
    expect(page.locator(".dr-branch")).to_have_value("branch 1")
    page.locator(".dr-branch").select_option("main")
    expect(page.locator(".dr-verdict b")).to_have_text(str(lost_in_python()))


REPLICATED = """import durable_redis as dr
run = dr.ReplicatedRedis(appendonly=True, down_after_ms=1000).start(seed=7)
run.write(100, every_ms=10)
run.play(run.now_ms + 300)
run.console()"""
ON_THE_WIRE = """(wire) => {
    const path = wire.querySelector('.dr-finger');
    const { x, y } = path.getPointAtLength(12), { a, d, e, f } = path.getScreenCTM();
    return [x * a + e, y * d + f];
}"""


@pytest.fixture
def replicated(notebook_page):
    opened = notebook_page(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(REPLICATED)]))
    opened.locator(".dr-sentence").click()
    return opened


def failed_over_in_python():
    run = dr.ReplicatedRedis(appendonly=True, down_after_ms=1000).start(seed=7)
    run.write(100, every_ms=10)
    run.play(run.now_ms + 300)
    run.cut("n1", "n2", both=False)
    run.forward(60)
    run.crash("n1", "power loss")
    run.play()
    return run


def test_many_machines_by_mouse_cut_a_wire_crash_the_primary_and_see_who_leads(replicated):
    from playwright.sync_api import expect

    page, status = replicated, replicated.locator(".dr-sentence")
    wire = page.locator("[data-wire='n1 n2']")
    expect(wire).to_have_attribute("data-state", "up")
    page.mouse.click(*wire.evaluate(ON_THE_WIRE))
    page.locator("[data-act='cut only n1 → n2']").click()
    expect(page.get_by_text("did run.cut('n1', 'n2', both=False)")).to_be_visible()
    expect(wire).to_have_attribute("data-state", "cut")
    expect(wire).to_contain_text("✂ one way")
    for _ in range(60):
        step = page.locator(".dr-scene").get_attribute("data-step")
        page.get_by_role("button", name="one event on").click()
        expect(page.locator(".dr-scene")).not_to_have_attribute("data-step", step)
    expect(page.locator("[data-node=n2]")).to_contain_text("behind")
    page.locator("[data-node=n1]").click()
    page.locator("[data-act='power loss']").click()
    expect(status).to_contain_text("no primary · n1 down")
    page.locator("[data-step=end]").click()
    expect(status).to_contain_text("n3 primary · n1 down")  # n2 would have been the first choice, but it is behind
    expect(page.locator("[data-node=n3] .dr-role")).to_have_text("● primary")
    expect(page.locator(".dr-scene")).to_have_attribute("data-step", str(failed_over_in_python().steps))
    # Inspect follows the click, also to a sentinel.
    page.locator("[data-tab=Inspect]").click()
    page.locator("[data-node=n3]").click()
    expect(page.locator(".dr-panel h4").first).to_have_text("what an operator of n3 sees")
    page.keyboard.press("Escape")
    page.locator("[data-control=s2]").click()
    expect(page.locator(".dr-panel h4").first).to_have_text("what s2 believes")
    page.keyboard.press("Escape")
    # A whole zone, from its name.
    page.locator("[data-zone=c] .dr-zone-name").click()
    page.locator("[data-act='power loss everywhere in it']").click()
    expect(page.get_by_text("did run.outage('c', 'power loss')")).to_be_visible()
    expect(status).to_contain_text("n1 and n3 down")


def test_many_machines_by_keyboard_alone(replicated):
    from playwright.sync_api import expect

    page, status = replicated, replicated.locator(".dr-sentence")
    wire = page.locator("[data-wire='n1 n3']")
    wire.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="cut it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(wire).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_text("did run.cut('n1', 'n3')")).to_be_visible()
    expect(wire).to_have_attribute("data-state", "cut")
    # The same acts stand beside the scene.
    page.get_by_label("target", exact=True).select_option("n1 ↔ n2")
    page.get_by_label("what happens", exact=True).select_option("n1 → n2 200 ms slower")
    expect(page.locator(".dr-do .dr-code")).to_have_text("run.delay('n1', 'n2', 200)")
    page.get_by_role("button", name="slow it down").press("Enter")
    expect(page.locator(".dr-hint, .dr-words.wrong").filter(has_text="n1 → n2: +200 ms")).to_have_count(1)
    page.get_by_label("target", exact=True).select_option("zone a")
    page.get_by_label("what happens", exact=True).select_option("cut it off, the clients with it")
    expect(page.locator(".dr-do .dr-code")).to_have_text("run.partition(['n1', 's1', 'client'])")
    page.get_by_role("button", name="cut zone a off").press("Enter")
    expect(page.locator("[data-zone=a]")).to_contain_text("✂ cut off")
    page.locator(".dr-slider").focus()
    page.locator("[data-step=end]").press("Enter")
    expect(status).to_have_text("n1 primary · 100 acknowledged · 70 at risk from the death of n1")


def test_share_load_compare_and_tick_a_task(notebook_page):
    """By keyboard where there is something to type: the notebook around must not take the keys for itself."""
    from playwright.sync_api import expect

    task = "run.console(tasks=[dr.Task('Load a run.', lambda run: run.seed == 8, praise='Well done.')])"
    cell = nbformat.v4.new_code_cell(START.replace("run.console()", task))
    page = notebook_page(nbformat.v4.new_notebook(cells=[cell]))
    page.locator(".dr-sentence").click()
    expect(page.get_by_role("tab", name="Tasks, 0 of 1 done")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Code").click()
    line = page.get_by_label("replay string", exact=True)
    assert dr.replay(line.input_value()).seed == 7
    page.get_by_role("button", name="copy", exact=True).press("Enter")
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    # A bad line is one sentence; a good one stands beside the reader's own run.
    field = page.get_by_label("replay string to load")
    field.press_sequentially("dd;xab")
    field.press("Enter")
    expect(page.locator(".dr-say")).to_contain_text("Nothing was loaded: a replay string begins with 'dr1'")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1
    other = dr.Redis(appendonly=True, appendfsync="always").start(seed=8)
    other.write(20)
    other.play()
    field.fill(other.replay_string())
    field.press("Enter")
    expect(page.locator(".dr-branch")).to_have_value("loaded 1")
    expect(page.locator(".dr-news")).to_have_text("✓ Task done: Load a run. Well done.")
    page.get_by_role("tab", name="Code").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Compare")).to_be_focused()
    expect(page.locator(".dr-table th")).to_have_text(["", "loaded 1", "main"])
    page.locator(".dr-goto").last.press("Enter")
    expect(page.locator(".dr-branch")).to_have_value("main")


CLICK_AND_PAINT = """async (selector) => {
    const begin = performance.now(), scene = document.querySelector('.dr-scene'), step = scene.dataset.step;
    const changed = new Promise((done) => {
        const observer = new MutationObserver(() => {
            if (scene.dataset.step === step) return; // painted again, and nothing has happened yet
            observer.disconnect();
            done();
        });
        observer.observe(scene, { attributes: true, attributeFilter: ['data-step'] });
    });
    document.querySelector(selector).click();
    await changed;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - begin;
}"""


CLICKS = {
    "an event back, without the kernel": "[data-step='event-back']",
    "an event on": "[data-step=event]",
    "a beat on": "[data-step=beat]",
    "crash and restart": ".dr-go",
    "undo": ".dr-undo",
}
TIMES = 20
AT_REST = "() => new Promise((done) => setTimeout(done, 300))"


@pytest.mark.parametrize("deployment", ["Redis(appendonly=True)", "ReplicatedRedis()"])
def test_how_long_a_click_takes_to_be_painted(notebook_page, deployment):
    """Prints it, and asks for nothing: a machine may be busy.  See it with `pytest -s`."""
    cell = nbformat.v4.new_code_cell(START.replace("Redis(appendonly=True)", deployment))
    page = notebook_page(nbformat.v4.new_notebook(cells=[cell]))
    for what, selector in CLICKS.items():
        page.locator(".dr-slider").press("End")
        times = []
        for _ in range(TIMES):
            page.evaluate(AT_REST)  # a reader looks at what he has done
            times.append(page.evaluate(CLICK_AND_PAINT, selector))
        median, p95 = sorted(times)[TIMES // 2], sorted(times)[TIMES * 19 // 20 - 1]
        print(f"\nclick to paint, {deployment}, {what}, {TIMES} clicks: median {median:.0f} ms, p95 {p95:.0f} ms")


# -- the browser's stills and Python's --------------------------------------------------------------------------------

STILLS = """async ([source, data, steps]) => {
    const url = URL.createObjectURL(new Blob([source + '\\nexport { Film, Still };'], { type: 'text/javascript' }));
    const { Film, Still } = await import(url);
    const film = new Film(data);
    return steps.map((step) => {
        const still = new Still(film, step), risks = film.crashes.map((crash) => still.atRisk(crash));
        const { status, nodes, controls, clients, wires, messages, trouble, board, now } = still;
        return { status, nodes, controls, clients, wires, messages, trouble, board, risks,
            said: film.told(step), time: (now / 1e6).toFixed(3) + ' s' };
    });
}"""


def still_of(film, step):
    """What Python makes of a step, as JSON brings it to a page."""
    still = model.still(film, step)
    for node in still["nodes"].values():
        del node["marks"]
    board = still["board"] | {"groups": [vars_of(group) for group in still["board"]["groups"]]}
    risks = [timeline.at_risk_now(film, step, crash) for crash in timeline.crashes(film)]
    parts = ("status", "nodes", "controls", "clients", "wires", "messages", "trouble", "said", "time")
    return json.loads(json.dumps({name: still[name] for name in parts} | {"board": board, "risks": risks}))


def vars_of(group):
    return {"runs": group.runs, "text": group.text, "tone": group.tone}


def alone(**options):
    run = dr.Redis(**options).start(seed=7)
    run.slow_disk("n1", 60)
    run.write(120)
    run.crash("n1", "power loss", at_ms=1090)
    run.restart("n1")
    run.crash("n1", "process kill")
    run.forward(20)
    return run


STILL_ROOMS = {
    "log": lambda: alone(appendonly=True),
    "snapshots": lambda: alone(save="1 10"),
    **ROOMS,
}


@pytest.mark.parametrize("room", STILL_ROOMS.values(), ids=STILL_ROOMS)
def test_the_browser_computes_the_stills_that_python_computes(browser, room):
    run = room()
    film = Film(run.playback)
    shipped = json.loads(json.dumps(shipment.shipped(film, 0)))
    steps = (shipped["shown"] or range(run.steps + 1))[:: max(3, run.steps // 400)]
    page = browser.new_page()
    in_browser = page.evaluate(STILLS, [Scene._esm, shipped, list(steps)])
    page.close()
    for step, still in zip(steps, in_browser, strict=True):
        assert still == still_of(film, step), f"step {step}"
