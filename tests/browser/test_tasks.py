"""Every task of every console lab in a real browser: by mouse alone, and by keyboard alone.

The moves are those of `tests/clicks.py`.  The same moves are made beside it in Python, and after each of them the
browser must stand at the same step.
"""

from __future__ import annotations

import clicks
import nbformat
import pytest

from durable_redis.classroom import tasks

PRESSES = {"beat": "PageUp", "beat-back": "PageDown", "event": "ArrowRight", "event-back": "ArrowLeft"}
IS_AHEAD = """target => {
    const here = document.activeElement;
    return here === target ? 0 : here.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING ? 1 : -1;
}"""
RUN_AGAIN = "async () => { await window.jupyterapp.commands.execute('runmenu:run-all'); }"


def drawn(target):
    """Where a target of the moves is drawn: "n1", "zone a"."""
    if " " in target:
        return f"[data-{target.replace(' ', '=')}]"
    return f"[data-node={target}], [data-control={target}]"


class Mouse:
    """Nothing but clicks."""

    def __init__(self, page):
        self.page = page

    def begin(self):
        pass

    def step(self, name, count):
        for _ in range(count):
            self.page.locator(f".dr-steps [data-step={name}]").click()

    def node(self, target, words):
        if target.startswith("zone "):
            self.page.locator(f"{drawn(target)} .dr-zone").click(position={"x": 8, "y": 8})  # beside what stands in it
        else:
            self.page.locator(drawn(target)).click()
        self.page.locator(f"[data-act='{words}']").click()

    def message(self, message):
        message.click()


class Keyboard:
    """Nothing but keys; the tab key goes from one thing to the next."""

    def __init__(self, page):
        self.page = page

    def begin(self):
        self.page.locator(".dr-slider").focus()

    def tab_to(self, target):
        for _ in range(60):
            way = target.evaluate(IS_AHEAD)
            if way == 0:
                return
            self.page.keyboard.press("Tab" if way > 0 else "Shift+Tab")
        pytest.fail(f"the tab key does not reach {target}")

    def step(self, name, count):
        if name == "end":
            self.tab_to(self.page.locator(".dr-steps [data-step=end]"))
            self.page.keyboard.press("Enter")
            return
        self.tab_to(self.page.locator(".dr-slider"))
        for _ in range(count):
            self.page.keyboard.press(PRESSES[name])

    def node(self, target, words):
        from playwright.sync_api import expect

        self.tab_to(self.page.locator(drawn(target)))
        self.page.keyboard.press("Enter")
        item = self.page.locator(f"[data-act='{words}']")
        expect(item).to_be_visible()
        for _ in range(12):
            if item.evaluate("item => item === document.activeElement"):
                break
            self.page.keyboard.press("ArrowDown")
        expect(item).to_be_focused()
        self.page.keyboard.press("Enter")

    def message(self, message):
        self.tab_to(message)
        self.page.keyboard.press("Enter")


def make(hand, page, move):
    match move:
        case ("act", target, words):
            hand.node(target, words)
        case ("message",):
            held = page.locator(".dr-message[data-held=true]")
            hand.message(held if held.count() else page.locator(".dr-message:not(.leaving)").first)
        case (name, *count):
            hand.step(name, *(count or [1]))


@pytest.mark.parametrize("chapter", clicks.SOLUTIONS)
def test_every_task_of_a_chapter_can_be_done_by_mouse_and_by_keyboard(notebook_page, chapter):
    from playwright.sync_api import expect

    page = notebook_page(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(clicks.console_cell(chapter))]))
    scene = page.locator(".dr-scene")
    attempts = [(hand, place) for hand in (Mouse, Keyboard) for place in range(len(clicks.SOLUTIONS[chapter]))]
    for hand, place in attempts:
        if (hand, place) != attempts[0]:  # a fresh console for each
            page.evaluate("document.querySelector('.dr-scene').dataset.old = 'yes'")
            page.evaluate(RUN_AGAIN)
            expect(page.locator(".dr-scene:not([data-old])")).to_have_count(1)
        console = clicks.fresh(chapter)
        expect(scene).to_have_attribute("data-step", str(console.run.step))
        task = page.locator(".dr-task").nth(place)
        expect(task).to_contain_text(tasks(chapter)[place].words)
        expect(task).to_have_attribute("data-done", "false")
        hands = hand(page)
        hands.begin()
        for move in clicks.SOLUTIONS[chapter][place]:
            make(hands, page, move)
            clicks.make(console, move)
            expect(scene).to_have_attribute("data-step", str(console.run.step))
        expect(task).to_have_attribute("data-done", "true")
