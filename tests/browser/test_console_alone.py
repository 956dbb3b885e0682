"""The browser's side of the console alone: a page that holds the traits which Python ships, and no kernel.

Such is a static page of the book.  It is also where answers can be late on purpose: `say` is what a kernel would say.
"""

from __future__ import annotations

import json

import pytest

import durable_redis as dr
from durable_redis.console import model
from durable_redis.console.film import Film
from durable_redis.console.scene import Scene

STAND_IN = """async ([source, css, traits]) => {
    const listeners = {}, sent = [], panels = [];
    const model = {
        get: (name) => traits[name],
        set: (name, value) => { traits[name] = value; (listeners[name] ?? []).forEach((listener) => listener()); },
        save_changes: () => {},
        on: (event, listener) => (listeners[event.slice('change:'.length)] ??= []).push(listener),
        off: () => {},
        send: (message, callbacks) => {
            (message.verb === 'panels' ? panels : sent).push(message);
            if (callbacks) window.hear = (state) => callbacks.iopub.status({ content: { execution_state: state } });
        },
    };
    const style = document.createElement('style'), el = document.createElement('div');
    style.textContent = css;
    document.body.append(style, el);
    const module = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    module.default.render({ model, el });
    Object.assign(window, { sent, panels });
    window.say = async (changes) => {
        Object.entries(changes).forEach(([name, value]) => model.set(name, value));
        await Promise.resolve(); // the console paints in a microtask
        await Promise.resolve();
    };
}"""
SHIPPED = ("film", "stand", "panels", "tab", "menus", "branches", "verdict", "said", "news")


def shipped(console):
    """The traits of a console, as JSON brings them to a page."""
    return json.loads(json.dumps({name: getattr(console.scene, name) for name in SHIPPED}))


def written(played_ms):
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200, every_ms=10)
    run.play(played_ms)
    return run


def branched():
    """A run with two branches, and a task."""
    run = written(1250)
    run.crash("n1", "power loss")
    run.restart("n1")
    run.go(700)
    run.crash("n1", "process kill")
    run.restart("n1")
    task = dr.Task("Lose nothing.", lambda run: len(run.playbacks) > 2, hint="Kill the process.")
    return run, run.console(tasks=[task])


@pytest.fixture
def alone(browser):
    """A function that shows a console on a page without a kernel, whose clock stands still unless it is told to run."""
    contexts = []

    def show(console, motion="reduce"):
        contexts.append(browser.new_context(viewport={"width": 1000, "height": 1100}, reduced_motion=motion))
        page = contexts[-1].new_page()
        page.clock.install(time=0)
        page.clock.pause_at(1000)
        page.evaluate(STAND_IN, [Scene._esm, Scene._css, shipped(console)])
        return page

    yield show
    for context in contexts:
        context.close()


def step_of(page):
    return int(page.locator(".dr-scene").get_attribute("data-step"))


def told(page):
    return page.locator(".dr-say").text_content()


def say(page, console, **stand):
    """What the kernel says at last."""
    page.evaluate("(traits) => say(traits)", {**shipped(console), "stand": stand})


# -- the reader's last move counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["play", "event-back", "start"])
def test_a_late_answer_never_moves_the_reader(alone, leave):
    """Play asks for a beat beyond the record; the reader pauses, or steps back; only then comes the answer."""
    run = written(1250)
    console, end = run.console(), run.steps
    page = alone(console)
    page.locator("[data-step=play]").click()
    asked = page.evaluate("sent.at(-1)")
    assert (asked["verb"], asked["step"]) == ("beat", end)
    page.locator(f"[data-step={leave}]").click()
    stays = step_of(page)
    run.play(1270)
    say(page, console, step=run.steps, heard=asked["moves"])
    assert step_of(page) == stays < run.steps
    assert page.locator("[data-step=play]").text_content() == "▶ play"
    page.clock.run_for(100)
    last = page.evaluate("sent.at(-1)")
    assert (last["verb"], last["step"]) == ("stand", stays)
    assert last["moves"] > asked["moves"]


def test_an_answer_in_time_moves_the_reader_on(alone):
    run = written(1250)
    console = run.console()
    page = alone(console)
    page.locator("[data-step=beat]").click()
    run.play(1270)
    say(page, console, step=run.steps, heard=page.evaluate("sent.at(-1).moves"))
    assert step_of(page) == run.steps


def test_who_clicks_twice_does_not_act_in_the_past(alone):
    """The second click comes before the answer to the first: it acts where the first has led."""
    run = written(1250)
    page = alone(run.console())
    page.locator(".dr-go").dblclick()
    steps = page.evaluate(
        "sent.filter((message) => message.verb === 'crash').map((message) => message.step ?? 'there')"
    )
    assert steps == [run.steps, "there"]
    page.locator("[data-step=event-back]").click()  # whoever moves says where to
    page.locator(".dr-go").click()
    assert page.evaluate("sent.at(-1).step") == run.steps - 1


@pytest.mark.parametrize(("button", "verb"), [("event", "forward"), ("beat", "beat")])
def test_of_quick_clicks_at_the_end_of_the_record_none_is_lost(alone, button, verb):
    """The answer to the first comes between the second and the third: the film has grown, and the place is still that
    to which the second leads."""
    run = written(1250)
    console = run.console()
    page = alone(console)
    page.locator(f"[data-step={button}]").click()
    first = page.evaluate("sent.at(-1).moves")
    page.locator(f"[data-step={button}]").click()
    run.play(1270)
    say(page, console, step=run.steps, heard=first)
    page.locator(f"[data-step={button}]").click()
    assert page.evaluate(f"sent.filter((message) => message.verb === '{verb}').length") == 3
    say(page, console, step=run.steps, heard=page.evaluate("sent.at(-1).moves"))
    assert step_of(page) == run.steps


def test_play_asks_for_one_beat_at_a_time(alone):
    page = alone(written(1250).console())
    page.get_by_label("speed of play").select_option("fast")
    page.locator("[data-step=play]").click()
    page.clock.run_for(1500)
    assert page.evaluate("sent.filter((message) => message.verb === 'beat').length") == 1


@pytest.mark.parametrize("says_so", [True, False], ids=["it says so", "it says nothing"])
def test_a_kernel_at_work_is_asked_once_what_is_behind_the_tabs(alone, says_so):
    page = alone(written(1250).console())
    page.clock.run_for(500)  # the greeting, and its panels
    before = page.evaluate("panels.length")
    page.locator(".dr-go").click()
    assert page.evaluate("panels.length") == before
    if says_so:
        page.evaluate("hear('busy')")
        assert page.evaluate("panels.length") == before + 1
        page.evaluate("hear('idle')")
    page.clock.run_for(500)
    assert page.evaluate("panels.length") == before + 1


# -- a page without a kernel ------------------------------------------------------------------------------------------


def test_without_a_kernel_what_is_recorded_can_be_looked_at(alone):
    run, console = branched()
    film = Film(run.playback)
    page = alone(console)
    page.clock.run_for(5000)
    slider, sentence = page.locator(".dr-slider"), page.locator(".dr-sentence")
    slider.press("Home")
    for beat in film.beats[:3]:  # by beat, on and back
        slider.press("PageUp")
        assert (step_of(page), sentence.text_content()) == (beat, model.status(film, beat))
    slider.press("PageDown")
    assert step_of(page) == film.beats[1]
    slider.press("ArrowRight")
    assert step_of(page) == film.beats[1] + 1
    box = page.locator(".dr-track-picture").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 150 / 912, box["y"] + 40)  # scrub: to one of the first writes
    assert 0 < film.at_us[step_of(page)] < 200_000
    page.locator("[data-step=play]").click()
    page.clock.run_for(60_000)  # it plays to the end, asks for more, and pauses
    assert step_of(page) == run.steps
    assert page.locator("[data-step=play]").text_content() == "▶ play"
    for tab, words in {
        "Inspect": "what an operator of n1 sees",
        "Receipt": "acknowledged writes are gone",
        "Code": "run.crash('n1', 'process kill')",
        "Compare": "One and the same up to step 700",
        "Tasks": "Lose nothing.",
        "Story": "n1 is up",
    }.items():
        page.locator(f".dr-tabs [data-tab={tab}]").click()
        assert words in page.locator(".dr-panel").inner_text()


@pytest.mark.parametrize(
    "use",
    [
        lambda page: page.locator(".dr-go").click(),
        lambda page: page.locator(".dr-undo").click(),
        lambda page: page.locator("[data-step=end]").click(),
        lambda page: page.locator("[data-step=play]").click(),
        lambda page: page.locator("[data-step=beat]").click(),
        lambda page: (page.locator("[data-node=n1]").click(), page.locator("[data-act='power loss']").click()),
        lambda page: page.locator(".dr-branch").select_option("main"),
        lambda page: (page.locator(".dr-tabs [data-tab=Compare]").click(), page.locator(".dr-goto").first.click()),
        lambda page: (
            page.locator(".dr-tabs [data-tab=Code]").click(),
            page.get_by_role("button", name="load").click(),
        ),
    ],
    ids=["do", "undo", "to the end", "play", "beat", "menu", "branch", "compare", "load"],
)
def test_without_a_kernel_what_needs_one_says_so(alone, use):
    _, console = branched()
    page = alone(console)
    page.clock.run_for(500)
    use(page)
    assert told(page) == ""  # a kernel may still answer the greeting
    page.clock.run_for(2000)
    assert told(page).startswith("No answer: this page has no kernel, or the kernel is busy.")
    assert page.locator(".dr-say").get_attribute("data-tone") == "error"
    assert page.locator("[data-step=play]").text_content() == "▶ play"


def test_once_the_page_is_known_to_have_no_kernel_that_is_said_at_once(alone):
    _, console = branched()
    page = alone(console)
    page.clock.run_for(5000)
    assert told(page) == ""  # nobody has asked for anything
    page.locator(".dr-go").click()
    page.clock.run_for(10)
    assert told(page).startswith("No answer")


def test_a_kernel_that_answers_is_not_called_silent(alone):
    run, console = branched()
    page = alone(console)
    say(page, console, step=run.step, heard=page.evaluate("sent[0].moves"))  # the greeting is answered
    page.clock.run_for(5000)
    page.locator(".dr-go").click()
    page.clock.run_for(5000)
    assert told(page) == ""  # busy, it seems
    page.clock.run_for(6000)
    assert told(page).startswith("No answer")
    console.act("crash", "n1", "power loss")
    say(page, console, step=run.step, heard=page.evaluate("sent.at(-1).moves"))
    assert told(page) == "did run.crash('n1', 'power loss')"


# -- for everybody ----------------------------------------------------------------------------------------------------

CONTROLS = """() => [...document.querySelectorAll('.dr-console :is(button, select, input, summary, [tabindex])')]
    .filter((element) => !element.disabled && element.tabIndex >= 0 && element.checkVisibility())
    .map((element) => { element.dataset.control = element.getAttribute('aria-label') || element.textContent;
                        return element.dataset.control; })"""
FOCUSED = """() => {
    const focused = document.activeElement, mark = focused.querySelector('.dr-card, .dr-pill, .dr-dot, .dr-knob');
    const style = getComputedStyle(mark ?? focused);
    const seen = mark ? parseFloat(style.strokeWidth) >= 3 : style.outlineStyle !== 'none';
    return [focused.dataset.control ?? focused.tagName, seen];
}"""


@pytest.mark.parametrize("tab", ["Story", "Code", "Compare", "Tasks"])
def test_every_control_has_a_name_and_can_be_reached_and_seen_by_keyboard(alone, tab):
    _, console = branched()
    page = alone(console)
    page.locator(f".dr-tabs [data-tab={tab}]").click()
    page.locator(".dr-slider").press("Home")
    while not page.locator(".dr-message").count():
        page.locator(".dr-slider").press("ArrowRight")
    names = page.evaluate(CONTROLS)
    assert all(name.strip() for name in names)
    page.evaluate("document.activeElement.blur()")
    reached = {}
    for _ in range(len(names) + 3):
        page.keyboard.press("Tab")
        name, seen = page.evaluate(FOCUSED)
        reached[name] = seen
    assert set(names) <= set(reached)
    assert [name for name in names if not reached[name]] == []


def test_who_wants_no_motion_sees_none(alone):
    for motion, moves in (("reduce", False), ("no-preference", True)):
        page = alone(written(1250).console(), motion)
        page.locator(".dr-slider").press("Home")
        while not page.locator(".dr-message").count():
            page.locator(".dr-slider").press("ArrowRight")
        duration = page.locator(".dr-message").first.evaluate(
            "(message) => getComputedStyle(message).transitionDuration"
        )
        assert (duration.split(",")[0] != "0s") == moves
        while page.locator(".dr-message:not(.leaving)").count():
            page.locator(".dr-slider").press("ArrowRight")
        assert bool(page.locator(".dr-message.leaving").count()) == moves


@pytest.mark.parametrize("width", [1000, 620])
def test_the_menu_of_a_node_covers_nothing_of_it(alone, width):
    page = alone(written(1250).console())
    page.set_viewport_size({"width": width, "height": 1100})
    page.locator("[data-node=n1]").click()
    menu, card = page.locator(".dr-menu").bounding_box(), page.locator(".dr-card").bounding_box()
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= card["x"]


# -- many machines ----------------------------------------------------------------------------------------------------


SCRUB = """async (frames) => {
    const slider = document.querySelector('.dr-slider'), times = [];
    const box = document.querySelector('.dr-track-picture').getBoundingClientRect();
    slider.hasPointerCapture = () => true;
    for (let frame = 0; frame < frames; frame++) {
        const x = box.left + (box.width * (92 + (720 * frame) / frames)) / 912, begin = performance.now();
        slider.dispatchEvent(new PointerEvent('pointermove', { clientX: x, clientY: box.top + 40, bubbles: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - begin);
    }
    return times.sort((one, other) => one - other);
}"""


def test_how_long_a_frame_takes_while_one_scrubs_over_5000_steps_of_six_nodes(browser):
    """Prints it, and asks for nothing: a machine may be busy.  See it with `pytest -s`."""
    run = dr.RedisCluster(shards=3, replicas=1, appendonly=True).start(seed=7)
    run.write(300, every_ms=2)
    run.crash("n1", at_ms=run.now_ms + 450)
    while run.steps < 5000:
        run.forward(100)
    page = browser.new_page(viewport={"width": 1200, "height": 1200})
    page.evaluate(STAND_IN, [Scene._esm, Scene._css, shipped(run.console())])
    times = page.evaluate(SCRUB, 400)
    page.close()
    told = f"median {times[200]:.0f} ms, p95 {times[380]:.0f} ms a frame"
    print(f"\nscrubbing over {run.steps:,} steps of six nodes: {told}")
    assert len(times) == 400


def replicated():
    run = dr.ReplicatedRedis(appendonly=True).start(seed=7)
    run.write(100, every_ms=10)
    run.play(run.now_ms + 300)
    return run


@pytest.mark.parametrize("width", [1000, 620])
@pytest.mark.parametrize("name", ["n1", "n2", "n3"])
def test_the_menu_of_one_of_many_nodes_covers_nothing_of_it(alone, width, name):
    page = alone(replicated().console())
    page.set_viewport_size({"width": width, "height": 1100})
    page.locator(f"[data-node={name}]").click()
    menu = page.locator(".dr-menu").bounding_box()
    card = page.locator(f"[data-node={name}] .dr-card").bounding_box()
    assert 0 <= menu["x"] <= width - menu["width"]
    assert menu["x"] + menu["width"] <= card["x"] or card["x"] + card["width"] <= menu["x"]


def test_everything_in_the_scene_that_can_be_clicked_can_be_reached_and_says_what_it_is(alone):
    run = replicated()
    page = alone(run.console())
    things = page.locator(".dr-stage [role=button]")
    labels = things.evaluate_all(
        "(things) => things.map((thing) => [thing.tabIndex, thing.getAttribute('aria-label')])"
    )
    assert all(tab_index == 0 and "Press Enter to " in label for tab_index, label in labels)
    told = " ".join(label for _, label in labels)
    for name in (*run.deployment.nodes, *run.deployment.controls, "zone a", "zone b", "zone c", "client"):
        assert name in told
    assert "the wire between n1 and n2, up" in told
