"""What must be true of every chapter, apart from its outputs being right (which nbval checks by running it).

Each rule is a function from a notebook to sentences about what is wrong with it, and each is tested on a bad toy
notebook in `test_book_lint.py`.  The rules close the blind spots of nbval: it compares nothing in a cell that was never
executed, and knows no Output widget, no interact and no clear_output.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any

from durable_redis.lab.figures import NIGHT

Notebook = dict[str, Any]

NOTEBOOK_BYTES = 300 * 1024
BOOK_BYTES = 4 * 1024 * 1024
CELL_LINES = 8
SVG_BYTES = 15 * 1024
WIDGET_KEYS = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")

CHANGING = {
    "a memory address": re.compile(r"\b0x[0-9a-fA-F]{6,}\b"),
    "a path of one machine": re.compile(
        r"(?<![\w./])/(?:home|root|tmp|usr|var|opt|Users|work|mnt|private)/\w|\b[A-Z]:\\\w"
    ),
    "a date": re.compile(r"\b(?:19|20)\d\d-\d\d-\d\d\b"),
    "a uuid": re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"),
}
FALSE_FRIENDS = re.compile(r"\bOutput\(|\binteract\b|\binteractive\(|\bclear_output\b")
SVG_FORBIDDEN_TAGS = ("style", "script", "defs", "foreignObject", "image", "use", "animate")
SVG_FORBIDDEN_ATTRIBUTES = ("style", "id", "class", "href")


def text_of(value: Any) -> str:
    """A multi-line string of the notebook format, which is a string or a list of lines."""
    return value if isinstance(value, str) else "".join(value)


def code_cells(notebook: Notebook) -> Iterator[tuple[int, Notebook]]:
    """(rank from 1, cell) of every code cell."""
    return enumerate((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), start=1)


def outputs(notebook: Notebook) -> Iterator[tuple[int, Notebook]]:
    for rank, cell in code_cells(notebook):
        for output in cell["outputs"]:
            yield rank, output


def executed_in_order(notebook: Notebook) -> Iterator[str]:
    for rank, cell in code_cells(notebook):
        if cell["execution_count"] != rank:
            yield f"code cell {rank} carries the number {cell['execution_count']}: run book/build.py"


def no_widget_state(notebook: Notebook) -> Iterator[str]:
    if "widgets" in notebook["metadata"]:
        yield "the notebook stores the state of widgets: run book/build.py"
    for rank, output in outputs(notebook):
        for key in WIDGET_KEYS:
            if key in output.get("data", {}):
                yield f"code cell {rank} stores {key}: run book/build.py"


def nothing_on_stderr(notebook: Notebook) -> Iterator[str]:
    for rank, output in outputs(notebook):
        if output.get("name") == "stderr":
            yield f"code cell {rank} writes to stderr: {text_of(output['text'])[:80]!r}"


def no_unexpected_errors(notebook: Notebook) -> Iterator[str]:
    for rank, cell in code_cells(notebook):
        expected = "raises-exception" in cell["metadata"].get("tags", [])
        if not expected and any(output["output_type"] == "error" for output in cell["outputs"]):
            yield f"code cell {rank} ends in an error and is not tagged raises-exception"


def nothing_that_changes(notebook: Notebook) -> Iterator[str]:
    for rank, output in outputs(notebook):
        texts = [text_of(output.get("text", ""))]
        texts += [
            text_of(value) for key, value in output.get("data", {}).items() if key.startswith(("text/", "image/svg"))
        ]
        for what, pattern in CHANGING.items():
            if found := next(filter(None, map(pattern.search, texts)), None):
                yield f"code cell {rank} shows {what}: {found[0]!r}"


def short_cells(notebook: Notebook) -> Iterator[str]:
    for rank, cell in code_cells(notebook):
        lines = len(text_of(cell["source"]).splitlines())
        if lines > CELL_LINES:
            yield f"code cell {rank} has {lines} lines, more than {CELL_LINES}: move the rest into the package"


def no_false_friends(notebook: Notebook) -> Iterator[str]:
    for rank, cell in code_cells(notebook):
        if found := FALSE_FRIENDS.search(text_of(cell["source"])):
            yield f"code cell {rank} uses {found[0]!r}, which the tools that run the book do not understand"


def nothing_is_left_unchecked(notebook: Notebook) -> Iterator[str]:
    cells = [cell for _, cell in code_cells(notebook)]
    if cells and not any(
        cell["outputs"] or re.search(r"^\s*assert\b", text_of(cell["source"]), re.M) for cell in cells
    ):
        yield "no cell has an output or an assert: a run of this notebook proves nothing"


def plain_svgs(notebook: Notebook) -> Iterator[str]:
    for rank, output in outputs(notebook):
        if "image/svg+xml" in output.get("data", {}):
            if not text_of(output["data"].get("text/plain", "")).strip():
                yield f"code cell {rank}: a picture without a text beside it"
            for problem in svg_problems(text_of(output["data"]["image/svg+xml"])):
                yield f"code cell {rank}: {problem}"


def svg_problems(svg: str) -> Iterator[str]:
    """Static sites sanitise SVG: only presentation attributes are sure to survive."""
    size = len(svg.encode())
    if size > SVG_BYTES:
        yield f"the SVG has {size} bytes, more than {SVG_BYTES}"
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        yield f"the SVG is not well-formed: {error}"
        return
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag in SVG_FORBIDDEN_TAGS and not (tag == "style" and f"<style>{element.text}</style>" == NIGHT):
            yield f"the SVG has a <{tag}>"
        for attribute in element.attrib:
            name = attribute.rpartition("}")[2]
            if name in SVG_FORBIDDEN_ATTRIBUTES or name.startswith("on"):
                yield f"the SVG has the attribute {name} on <{tag}>"


def small(notebook: Notebook) -> Iterator[str]:
    size = len(json.dumps(notebook, ensure_ascii=False, indent=1).encode())
    if size > NOTEBOOK_BYTES:
        yield f"the notebook has {size} bytes, more than {NOTEBOOK_BYTES}"


RULES: tuple[Callable[[Notebook], Iterator[str]], ...] = (
    executed_in_order,
    no_widget_state,
    nothing_on_stderr,
    no_unexpected_errors,
    nothing_that_changes,
    short_cells,
    no_false_friends,
    nothing_is_left_unchecked,
    plain_svgs,
    small,
)


def problems(notebook: Notebook) -> list[str]:
    """Everything that is wrong with a notebook."""
    return [problem for rule in RULES for problem in rule(notebook)]
