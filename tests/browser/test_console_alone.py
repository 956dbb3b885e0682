"""The browser's side of the console alone: a page that holds the traits which Python ships, and no kernel.

Such is a static page of the book.  It is also where answers can be late on purpose: `say` is what a kernel would say.
"""

from __future__ import annotations

import json

import pytest

import durable_redis as dr
from durable_redis.console.scene import Scene

STAND_IN = """async ([source, css, traits]) => {
    const listeners = {}, sent = [];
    const model = {
        get: (name) => traits[name],
        set: (name, value) => { traits[name] = value; (listeners[name] ?? []).forEach((listener) => listener()); },
        save_changes: () => {},
        on: (event, listener) => (listeners[event.slice('change:'.length)] ??= []).push(listener),
        off: () => {},
        send: (message) => sent.push(message),
    };
    const style = document.createElement('style'), el = document.createElement('div');
    style.textContent = css;
    el.className = 'dr-console';
    document.body.append(style, el);
    const module = await import(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    module.default.render({ model, el });
    window.sent = sent;
    window.say = async (changes) => {
        Object.entries(changes).forEach(([name, value]) => model.set(name, value));
        await new Promise((done) => setTimeout(done));
    };
}"""
SHIPPED = ("film", "stand", "panels", "tab", "menus", "branches", "verdict")


def shipped(run):
    """The traits of a run's console, as JSON brings them to a page."""
    scene = run.console().scene
    return json.loads(json.dumps({name: getattr(scene, name) for name in SHIPPED}))


def written(played_ms):
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200, every_ms=10)
    run.play(played_ms)
    return run


@pytest.fixture
def alone(browser):
    """A function that shows a run on a page without a kernel."""
    context = browser.new_context(viewport={"width": 1000, "height": 1100}, reduced_motion="reduce")

    def show(run):
        page = context.new_page()
        page.evaluate(STAND_IN, [Scene._esm, Scene._css, shipped(run)])
        return page

    yield show
    context.close()


def step_of(page):
    return int(page.locator(".dr-scene").get_attribute("data-step"))


@pytest.mark.parametrize("leave", ["play", "event-back", "start"])
def test_a_late_answer_never_moves_the_reader(alone, leave):
    """Play asks for a beat beyond the record; the reader pauses, or steps back; only then comes the answer."""
    run = written(1250)
    end, page = run.steps, alone(run)
    page.locator(".dr-slider").press("End")
    page.locator("[data-step=play]").click()
    asked = page.evaluate("sent.at(-1)")
    assert (asked["verb"], asked["step"]) == ("beat", end)
    page.locator(f"[data-step={leave}]").click()
    stays = step_of(page)
    run.play(1270)
    page.evaluate("(traits) => say(traits)", {**shipped(run), "stand": {"step": run.steps, "heard": asked["moves"]}})
    assert step_of(page) == stays < run.steps
    assert page.locator("[data-step=play]").text_content() == "▶ play"
    page.wait_for_function("() => sent.at(-1).verb === 'stand'")
    assert page.evaluate("sent.at(-1)")["step"] == stays


def test_an_answer_in_time_moves_the_reader_on(alone):
    run = written(1250)
    page = alone(run)
    page.locator(".dr-slider").press("End")
    page.locator("[data-step=beat]").click()
    asked = page.evaluate("sent.at(-1)")
    run.play(1270)
    page.evaluate("(traits) => say(traits)", {**shipped(run), "stand": {"step": run.steps, "heard": asked["moves"]}})
    assert step_of(page) == run.steps


def test_play_asks_for_one_beat_at_a_time(alone):
    page = alone(written(1250))
    page.get_by_label("speed of play").select_option("fast")
    page.clock.install()
    page.locator("[data-step=play]").click()
    page.clock.run_for(2000)
    assert page.evaluate("sent.filter((message) => message.verb === 'beat').length") == 1
