"""The chapters obey the rules of `chapter_lint`, and every rule catches what it is there for."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import chapter_lint
import pytest

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9]*.ipynb"))
FIRST = json.loads(CHAPTERS[0].read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_a_chapter_obeys_the_rules(path):
    assert chapter_lint.problems(json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_each_claim_of_a_chapter_has_a_cell_that_proves_it(path):
    """The same once more, from the other side: nothing passes because nothing was found."""
    chapter = json.loads(path.read_text(encoding="utf-8"))
    numbers = {number for number, _, _ in chapter_lint.claims(chapter)}
    assert numbers == {number for number, _ in chapter_lint.proofs(chapter)}
    assert len(numbers) >= 3


def altered(old, new, everywhere=False):
    """Chapter 00 with some words of its cells changed."""
    chapter = copy.deepcopy(FIRST)
    changed = 0
    for cell in chapter["cells"]:
        source = chapter_lint.text_of(cell["source"])
        if old in source and (everywhere or not changed):
            cell["source"] = source.replace(old, new)
            changed += 1
    assert changed, f"chapter 00 does not say {old!r}"
    return chapter


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("## 5 · In the console", "## 5 · Now you", "no section is called 'In the console'"),
        ("## 2 · Before you read on", "## 3 · Before you read on", "the sections are numbered [1, 3, 3"),
        ("> **The claim.**", "> ", "the chapter lacks the claim, in the card"),
        ("**Where this model is honest", "**Where this is honest", "the chapter lacks what is honest"),
        ("<summary>A model answer</summary>", "", "the chapter lacks a model answer"),
        ("**Next**:", "", "the chapter lacks what comes next"),
        ('observe("a kill"', 'observe("akill"', "what was predicted as 'a kill' is not observed afterwards"),
        ("**8.4 · ", "**Explore", "only 3 exercises, fewer than 4"),
        ("<summary>Hint 2</summary>", "", "only 2 times 'Hint 2'"),
        ('check("one-word", settings)', "", "only 2 exercises are checked"),
        ("# claim 2", "", "claim 2 (name the three places of a write: proces) has no assert"),
        ("assert [(m.executed", "[(m.executed", "claim 2 (name the three places of a write: proces) has no assert"),
        ("| 3 | predict", "| predict", "the claims of the summary are numbered [1, 2, 4]"),
        ("# claim 3", "# claim 3, # claim 5", "a cell proves claim 5, which the summary does not make"),
        ("; *tell apart*", ", *tell apart*", "3 objectives in the card, 4 claims in the summary"),
        ("(#s1)", "(#s11)", "no heading has the anchor #s11"),
        ("107 were told *OK*, and 98", "107 were told *OK*, and 97", "97 are on the pla' is shown by no cell"),
        (
            "Four writes were answered",
            "Seventeen writes were answered",
            "Seventeen writes were an' is shown by no cell",
        ),
    ],
)
def test_every_rule_catches_what_it_is_there_for(old, new, sentence):
    found = chapter_lint.problems(altered(old, new))
    assert any(sentence in problem for problem in found), found


def test_without_in_words_or_explanations_a_picture_is_dumb():
    found = chapter_lint.problems(altered("**In words:**", "", everywhere=True))
    assert any("only 0 pictures are followed by 'In words:'" in problem for problem in found)
    found = chapter_lint.problems(altered("**Explain.**", "", everywhere=True))
    assert any("predicts and does not explain" in problem for problem in found)


@pytest.mark.parametrize(
    ("prose", "left"),
    [
        ("`a 12` and <code>13</code> and [14 · x](15_y.ipynb)", ""),
        ("in section 4.2 and chapters 05 to 10, since 7.0", ""),
        ("4.1 asks, exercise 8.2 answers, Redis 7.0.15", ""),
        ("1. first\n2. second", ""),
        ("at 1.5 s, 1,236 of 20 million", "1.5 1,236 20"),
    ],
)
def test_what_counts_as_a_number_of_the_prose(prose, left):
    assert " ".join(chapter_lint.DIGITS.findall(chapter_lint.prose_of(prose))) == left


def test_a_number_may_be_shown_in_another_unit_but_only_before():
    values = chapter_lint.values_in("at 1_090 ms, 1,236 steps, 0.22")
    assert {1.09, 1090, 1236, 0.22, 220} <= values
    chapter = altered("## 2 · Before you read on", "## 2 · Before you read on: 4,469\n\n4,469 writes a second")
    assert any("4,469 writes" in problem for problem in chapter_lint.problems(chapter))
