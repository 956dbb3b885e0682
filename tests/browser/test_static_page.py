"""A chapter as a static page, by the real tools: nbconvert, Jupyter's html-manager and anywidget, and no kernel.

The chapter is run, and its page written with the state of its widgets, in a temporary folder: the notebooks of the book
store no such state.  The page asks three networks of delivery for its scripts; here each is answered with the same
file from an installed package, so nothing leaves this machine.  The packages of npm are looked for in NODE_PATH:

    npm install --ignore-scripts --prefix FOLDER @jupyter-widgets/html-manager@1.0.15 requirejs@2.3.6
    NODE_PATH=FOLDER/node_modules python -m pytest tests/browser/test_static_page.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from requirements import need

import durable_redis as dr
from durable_redis.console import model
from durable_redis.console.film import Film

CHAPTER = Path(__file__).parents[2] / "book" / "00_crash_your_first_node.ipynb"
SCRIPTS = {  # what a page asks for, by a part of its address -> the file of a package of npm
    "/require.js/": "requirejs/require.js",
    "/@jupyter-widgets/html-manager@": "@jupyter-widgets/html-manager/dist/embed-amd.js",
}
NOT_NEEDED = ("/mathjax/", "/mermaid")  # formulas and diagrams, of which a page could do without


def script_of(address):
    """The file behind an address, from the packages that are installed; None if it is not needed."""
    if any(part in address for part in NOT_NEEDED):
        return None
    if "/anywidget@" in address:
        return Path(str(files("anywidget"))) / "nbextension" / "index.js"
    (name,) = (name for part, name in SCRIPTS.items() if part in address)
    return next(Path(folder) / name for folder in node_path() if (Path(folder) / name).is_file())


def node_path():
    return os.environ.get("NODE_PATH", "").split(os.pathsep)


@pytest.fixture
def page(browser, tmp_path):
    for name in SCRIPTS.values():
        found = any((Path(folder) / name).is_file() for folder in node_path() if folder)
        need(found, f"{name} is in no folder of NODE_PATH: see the top of {Path(__file__).name}")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "--output-dir", str(tmp_path)]
    subprocess.run([*command, str(CHAPTER)], check=True, capture_output=True)
    context = browser.new_context(viewport={"width": 1200, "height": 1400})

    def answer(route):
        script = script_of(route.request.url)
        route.abort() if script is None else route.fulfill(path=script, content_type="text/javascript")

    context.route("http*://**/*", answer)
    opened = context.new_page()
    opened.goto((tmp_path / CHAPTER.with_suffix(".html").name).as_uri())
    yield opened
    context.close()


def test_a_chapter_can_be_scrubbed_without_a_kernel(page):
    from playwright.sync_api import expect

    run = dr.Redis(appendonly=True).start(seed=7)  # the first console of the chapter
    run.write(150, every_ms=10)
    run.play(until_ms=1_090)
    film = Film(run.playback)

    console = page.locator(".dr-console").first
    scene, sentence, slider = (
        console.locator(".dr-scene"),
        console.locator(".dr-sentence"),
        console.locator(".dr-slider"),
    )
    expect(sentence).to_have_text(model.status(film, film.steps))
    slider.press("Home")
    expect(sentence).to_have_text(model.status(film, 0))
    for beat in film.beats[:3]:
        slider.press("PageUp")
        expect(scene).to_have_attribute("data-step", str(beat))
        expect(sentence).to_have_text(model.status(film, beat))
    box = console.locator(".dr-track-picture").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.25)  # half of the track, about
    step = int(scene.get_attribute("data-step"))
    assert film.beats[2] < step < film.steps
    expect(sentence).to_have_text(model.status(film, step))
    console.locator("[data-step=play]").click()
    expect(scene).not_to_have_attribute("data-step", str(step))
    console.locator("[data-step=play]").click()
    console.get_by_role("tab", name="Inspect").click()
    expect(console.locator(".dr-panel")).to_contain_text("what an operator of n1 sees")
    console.locator(".dr-go").click()
    expect(console.locator(".dr-say")).to_contain_text("No answer: this page has no kernel")
