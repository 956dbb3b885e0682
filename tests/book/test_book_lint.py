"""The chapters obey the rules of `book_lint`, and every rule catches what it is there for."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import book_lint
import pytest

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_a_chapter_obeys_the_rules(path):
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem), "a chapter is called NN_slug.ipynb"
    assert book_lint.problems(json.loads(path.read_text(encoding="utf-8"))) == []


def test_the_book_is_small():
    assert sum(path.stat().st_size for path in CHAPTERS) <= book_lint.BOOK_BYTES


SVG = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="3" fill="#0072B2"/></svg>'


def good():
    """A notebook with nothing wrong: two code cells, one with a picture and its text."""
    picture = {"text/plain": ["one node"], "image/svg+xml": [SVG]}
    shown = {"output_type": "execute_result", "execution_count": 2, "metadata": {}, "data": picture}
    printed = {"output_type": "stream", "name": "stdout", "text": ["17 acknowledged\n"]}
    cells = [
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": ["On 2024-01-01, in /home/me, clear_output was seen.\n"] * 20,
        },
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["x = 1"] * 1, "outputs": [printed]},
        {"cell_type": "code", "execution_count": 2, "metadata": {}, "source": ["x\n"] * 8, "outputs": [shown]},
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def test_a_good_notebook_has_no_problems():
    assert book_lint.problems(good()) == []


def set_at(*path_and_value):
    """A change of the good notebook: `set_at("cells", 1, "execution_count", None)`."""
    *path, last, value = path_and_value

    def change(notebook):
        place = notebook
        for key in path:
            place = place[key]
        place[last] = value

    return change


def printed(text, name="stdout"):
    return set_at("cells", 1, "outputs", [{"output_type": "stream", "name": name, "text": text}])


def drawn(svg):
    return set_at("cells", 2, "outputs", 0, "data", "image/svg+xml", svg)


SECOND_DATA = ("cells", 2, "outputs", 0, "data")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_at("cells", 1, "execution_count", None), "code cell 1 carries the number None"),
        (set_at("cells", 2, "execution_count", 3), "code cell 2 carries the number 3"),
        (set_at("metadata", "widgets", {}), "stores the state of widgets"),
        (set_at(*SECOND_DATA, book_lint.WIDGET_KEYS[0], {}), "code cell 2 stores application/vnd.jupyter.widget-view"),
        (printed("DeprecationWarning", "stderr"), "code cell 1 writes to stderr: 'DeprecationWarning'"),
        (set_at("cells", 1, "outputs", [{"output_type": "error"}]), "code cell 1 ends in an error"),
        (printed("<Node object at 0x7f30aa10>"), "code cell 1 shows a memory address: '0x7f30aa10'"),
        (printed(["wrote ", "/tmp/x.rdb"]), "code cell 1 shows a path of one machine: '/tmp/x'"),
        (printed("C:\\Users"), "code cell 1 shows a path of one machine"),
        (printed("at 2026-11-23 10:00"), "code cell 1 shows a date: '2026-11-23'"),
        (printed("123e4567-e89b-12d3-a456-426614174000"), "code cell 1 shows a uuid"),
        (set_at(*SECOND_DATA, "text/plain", "d" * 32), "code cell 2 shows a uuid"),
        (set_at("cells", 1, "source", ["x\n"] * 9), "code cell 1 has 9 lines, more than 8"),
        (set_at("cells", 1, "source", "out = w.Output()"), "code cell 1 uses 'Output('"),
        (set_at("cells", 1, "source", "@interact\ndef f(): ..."), "code cell 1 uses 'interact'"),
        (set_at("cells", 1, "source", "clear_output()"), "code cell 1 uses 'clear_output'"),
        (drawn(SVG.replace("<circle", "<style/><circle")), "code cell 2: the SVG has a <style>"),
        (drawn(SVG.replace("<circle", "<style>svg{color:red}</style><circle")), "code cell 2: the SVG has a <style>"),
        (drawn(SVG.replace("<circle", "<script/><circle")), "code cell 2: the SVG has a <script>"),
        (drawn(SVG.replace("<circle", "<defs/><circle")), "code cell 2: the SVG has a <defs>"),
        (drawn(SVG.replace('r="3"', 'id="a"')), "the SVG has the attribute id on <circle>"),
        (drawn(SVG.replace('r="3"', 'style="r:3"')), "the SVG has the attribute style on <circle>"),
        (drawn(SVG.replace('r="3"', 'onclick="x()"')), "the SVG has the attribute onclick on <circle>"),
        (drawn(SVG.replace("</svg>", "<g/>" * 4000 + "</svg>")), "the SVG has 16076 bytes, more than 15360"),
        (drawn("<svg>"), "the SVG is not well-formed"),
        (set_at(*SECOND_DATA, "text/plain", " "), "code cell 2: a picture without a text beside it"),
        (printed("x" * 310_000), "bytes, more than 307200"),
    ],
)
def test_every_rule_catches_what_it_is_there_for(change, sentence):
    notebook = copy.deepcopy(good())
    change(notebook)
    found = book_lint.problems(notebook)
    assert len(found) == 1, found
    assert sentence in found[0]


def test_a_notebook_without_output_needs_an_assert():
    notebook = good()
    for cell in notebook["cells"][1:]:
        cell["outputs"] = []
    assert book_lint.problems(notebook) == ["no cell has an output or an assert: a run of this notebook proves nothing"]
    notebook["cells"][1]["source"] = ["assert x == 1"]
    assert book_lint.problems(notebook) == []


def test_an_error_that_is_meant_is_tagged():
    notebook = good()
    notebook["cells"][1]["outputs"] = [{"output_type": "error"}]
    notebook["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    assert book_lint.problems(notebook) == []
