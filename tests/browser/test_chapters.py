"""The chapters in a real JupyterLab: every cell runs, nothing is asked of another host, and the first minute works."""

from __future__ import annotations

from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "book"
FIRST, *CHAPTERS = sorted(BOOK.glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_a_chapter_runs_from_top_to_bottom(notebook_page, path):
    """Errors and requests to other hosts fail in the fixture."""
    page = notebook_page(path)
    assert page.locator(".dr-scene").count() >= 1


def test_the_first_chapter_runs_too_and_is_used(notebook_page):
    """One page for both: it takes a while to come up."""
    page = notebook_page(FIRST)
    the_first_minute(page)
    a_claim_leads_to_its_proof_and_a_hunt_is_clicked(page)


def the_first_minute(page):
    """As its first paragraph asks: crash the node, choose how, restart it, and read what is gone."""
    from playwright.sync_api import expect

    page.evaluate("document.querySelector('.dr-scene').scrollIntoView()")
    console = page.locator(".jp-Cell", has=page.locator(".dr-scene")).first
    expect(console.locator(".dr-sentence")).to_contain_text("107 acknowledged · 98 durable · 9 at risk")
    console.locator("[data-node=n1]").click()
    page.locator("[data-act='power loss']").click()
    expect(console.locator("[data-node=n1]")).to_have_attribute("data-state", "3")
    console.locator("[data-node=n1]").click()
    page.locator("[data-act='restart']").click()
    expect(console.locator(".dr-verdict")).to_contain_text("acknowledged writes are gone, of 107")
    expect(console.locator(".dr-verdict b")).to_have_text("4")
    console.get_by_role("tab", name="Receipt").click()
    expect(console.locator(".dr-panel")).to_contain_text("w104 to w107")


def a_claim_leads_to_its_proof_and_a_hunt_is_clicked(page):
    """From the summary to the section that proves a claim; and a crash of the adversary's, by its form."""
    from playwright.sync_api import expect

    page.get_by_role("link", name="4.2", exact=True).click()
    expect(page.get_by_role("heading", name="4.2 · How many are at risk?")).to_be_in_viewport()
    page.get_by_label("crash at (ms)").fill("noon")
    page.get_by_role("button", name="crash", exact=True).click()
    expect(page.get_by_text("Not a try. A number of milliseconds is asked for")).to_be_visible()
    page.get_by_label("crash at (ms)").fill("1,000")
    page.get_by_role("button", name="crash", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text="98 of 98 acknowledged writes are gone")).to_be_visible()
