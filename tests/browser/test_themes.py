"""Pictures on dark pages: an SVG of the book is turned over where the page around it is dark, and only there."""

from __future__ import annotations

import io
from urllib.parse import quote

import pytest
from PIL import Image

import durable_redis as dr
from durable_redis.console.scene import Scene

PAGE = """<style>{css}</style><body {theme} style="margin: 0; background: #888">
<div class="jp-RenderedSVG"><img width="912" src="data:image/svg+xml,{svg}"></div></body>"""
LAB_IS_LIGHT, LAB_IS_DARK, NO_LAB = 'data-jp-theme-light="true"', 'data-jp-theme-light="false"', ""


@pytest.fixture(scope="module")
def svg():
    return quote(dr.Redis(appendonly=True).start(seed=7).picture().svg)


@pytest.mark.parametrize(
    ("theme", "system", "dark"),
    [
        (LAB_IS_LIGHT, "light", False),
        (LAB_IS_LIGHT, "dark", False),
        (LAB_IS_DARK, "light", True),
        (LAB_IS_DARK, "dark", True),
        (NO_LAB, "light", False),
        (NO_LAB, "dark", True),
    ],
)
def test_the_paper_of_a_picture_is_that_of_the_page(browser, svg, theme, system, dark):
    page = browser.new_page(color_scheme=system)
    page.set_content(PAGE.format(css=Scene._css, theme=theme, svg=svg))
    page.wait_for_function("document.images[0].complete")
    shown = Image.open(io.BytesIO(page.screenshot(clip={"x": 0, "y": 0, "width": 912, "height": 300}))).convert("L")
    page.close()
    paper = shown.getpixel((300, 12))
    darkest, lightest = shown.crop((10, 10, 900, 40)).getextrema()  # the letters of the status
    assert (paper < 40) == dark
    assert lightest - darkest > 130
