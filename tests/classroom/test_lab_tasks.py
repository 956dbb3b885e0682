"""The tasks of the console labs: each is done by its recorded clicks, and not before the last of them.

Here they are the messages that a browser sends; in a real one they are made by mouse, and by keyboard:
`tests/browser/test_tasks.py`.
"""

from __future__ import annotations

import json
import re

import clicks
import pytest

from durable_redis.classroom import ClassroomError, tasks
from durable_redis.classroom.labs import labs


def test_every_chapter_with_tasks_has_three_or_four_and_a_solution_to_each():
    assert sorted(labs()) == sorted(clicks.SOLUTIONS)
    for chapter, solutions in clicks.SOLUTIONS.items():
        assert 3 <= len(tasks(chapter)) == len(solutions) <= 4
        assert all(task.hint and task.praise for task in tasks(chapter))
    with pytest.raises(ClassroomError, match="no tasks for chapter '99'"):
        tasks("99")


@pytest.mark.parametrize("chapter", clicks.SOLUTIONS)
def test_the_prose_of_a_chapter_tells_its_tasks_word_for_word(chapter):
    """So that a page without a kernel has them, too."""
    [path] = clicks.BOOK.glob(f"{chapter}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    [lab] = [source for cell in cells if (source := "".join(cell["source"])).startswith("## 5 ")]
    told = [" ".join(item.split()) for item in re.findall(r"(?ms)^\d\. (.+?)(?=^\d\. |\n\n|\Z)", lab)]
    assert told == [task.words for task in tasks(chapter)]


@pytest.mark.parametrize(("chapter", "place"), clicks.CASES)
def test_a_task_is_ticked_by_its_last_press_and_not_before(chapter, place):
    console = clicks.fresh(chapter)
    for press in clicks.presses(clicks.SOLUTIONS[chapter][place]):
        assert not console.checklist.ticked[place], press
        clicks.make(console, press)
    assert console.checklist.ticked[place]
    assert console.checklist.troubles == [""] * len(tasks(chapter))


@pytest.mark.parametrize("chapter", clicks.SOLUTIONS)
def test_nothing_is_ticked_for_whoever_does_nothing(chapter):
    console = clicks.fresh(chapter)
    assert not any(console.checklist.ticked)
    clicks.sent(console, "go", 0)
    assert not any(console.checklist.ticked)
