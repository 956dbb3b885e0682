"""The ledger and its picture: order, arithmetic, and nothing written unasked."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.classroom import ClassroomError, ledger, observe, predict
from durable_redis.classroom.calibration import CONFIDENCE, Bucket, at_most, calibrate
from durable_redis.classroom.picture import draw


@pytest.fixture(autouse=True)
def fresh():
    ledger().forget()
    yield
    ledger().forget()


@pytest.fixture(scope="module")
def svg_problems():
    """The rules for pictures, from the lint of the book."""
    path = Path(__file__).parents[1] / "book" / "book_lint.py"
    specification = importlib.util.spec_from_file_location("book_lint_for_the_classroom", path)
    lint = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(lint)
    return lambda svg: list(lint.svg_problems(svg))


def play():
    """Three predictions: one right, one wrong, one whose run is still to come."""
    predict("b", "How many of `b`?", options=[1, 2]).lock(1, "sure")
    predict("a", "How many of a?", options=[1, 2]).lock(2, "sure")
    predict("c", "How many of c?", unit="writes").lock(7)
    predict("d", "Never answered?", options=[1, 2])
    observe("a", 2)
    observe("b", 2)
    observe("d", 1)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def test_binomial_by_hand():
    sure = CONFIDENCE["sure"]
    assert at_most(1, 3, sure) == Fraction(1, 20) ** 3 + 3 * Fraction(19, 20) * Fraction(1, 20) ** 2
    assert float(at_most(2, 3, sure)) == pytest.approx(1 - 0.95**3)
    assert at_most(3, 3, sure) == 1
    assert at_most(0, 2, Fraction(1, 2)) == Fraction(1, 4)


@pytest.mark.parametrize(
    ("confidence", "right", "counted", "verdict"),
    [
        ("sure", 0, 0, ""),
        ("sure", 0, 2, ""),
        ("sure", 2, 3, "as good as your word"),
        ("sure", 1, 3, "surer than the runs allow"),
        ("sure", 20, 20, "as good as your word"),
        ("fairly sure", 3, 4, "as good as your word"),
        ("fairly sure", 2, 8, "surer than the runs allow"),
        ("fairly sure", 12, 12, "you know more than you say"),
        ("guess", 1, 3, "as good as your word"),
        ("guess", 3, 3, "you know more than you say"),
        ("guess", 0, 8, "surer than the runs allow"),
    ],
)
def test_verdicts(confidence, right, counted, verdict):
    assert Bucket(confidence, right, counted).verdict == verdict


@given(st.lists(st.tuples(st.sampled_from(list(CONFIDENCE)), st.booleans()), max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_prediction_is_in_one_bucket(judged):
    buckets = calibrate(judged)
    assert [bucket.confidence for bucket in buckets] == list(CONFIDENCE)
    assert sum(bucket.counted for bucket in buckets) == len(judged)
    assert sum(bucket.right for bucket in buckets) == sum(came_true for _, came_true in judged)
    for bucket in buckets:
        assert bucket.share is None or 0 <= bucket.share <= 1


# -- the ledger -------------------------------------------------------------------------------------------------------


def test_an_empty_ledger_is_friendly():
    assert repr(ledger()).startswith("no predictions yet")
    predict("a", "?", options=[1, 2])
    observe("a", 1)
    assert ledger()._repr_mimebundle_() == {"text/plain": repr(ledger())}
    assert repr(ledger()).startswith("no predictions yet")
    assert list(ledger().table().columns)[:3] == ["order", "name", "question"]
    assert len(ledger().table()) == 0


def test_the_ledger_in_words():
    play()
    assert repr(ledger()).splitlines() == [
        "3 predictions, in the order of locking in",
        "  1  b: 1 (sure); the run says 2: did not come true",
        "  2  a: 2 (sure); the run says 2: came true",
        "  3  c: 7 writes (guess): not run yet",
        "",
        "     guess       (promises 1 in 3  ): none yet",
        "     fairly sure (promises 3 in 4  ): none yet",
        "     sure        (promises 19 in 20): 1 of 2 came true",
    ]
    assert len(ledger()) == 3


def test_the_table():
    play()
    table = ledger().table()
    assert list(table["name"]) == ["b", "a", "c"]
    assert list(table["outcome"]) == ["did not come true", "came true", "not run yet"]
    assert list(table["the_run_said"]) == ["2", "2", ""]


def test_forgetting_one():
    play()
    ledger().forget("b")
    assert [row.name for row in ledger().rows()] == ["a", "c"]
    assert not predict("b", "How many of `b`?", options=[1, 2]).locked


def test_saving_is_explicit_and_never_writes_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    play()
    repr(ledger()), ledger().table(), ledger()._repr_mimebundle_()
    assert list(tmp_path.iterdir()) == []
    ledger().save("mine.csv")
    lines = Path("mine.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "order,name,question,predicted,confidence,the_run_said,outcome"
    assert lines[1] == "1,b,How many of `b`?,1,sure,2,did not come true"
    with pytest.raises(ClassroomError, match=r"a file 'mine.csv' already"):
        ledger().save("mine.csv")


# -- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rights", [(0, 0, 1), (1, 5, 20), (0, 0, 0)])
def test_the_picture_obeys_the_rules_of_the_book(svg_problems, rights):
    svg = draw([Bucket(confidence, right, right * 2) for confidence, right in zip(CONFIDENCE, rights, strict=True)])
    assert svg_problems(svg) == []
    assert len(svg) < 8_000


def test_a_long_ledger_is_listed_from_its_newest(svg_problems):
    for number in range(40):
        predict(f"<{number}>", "?", options=[1, 2]).lock(1, "sure")
        observe(f"<{number}>", 1 + number % 2)
    svg = ledger()._repr_mimebundle_()["image/svg+xml"]
    assert svg_problems(svg) == []
    assert "Your predictions, the newest 24 of 40" in svg
    assert "&lt;39&gt;: 1 (sure); the run says 2" in svg
    assert "&lt;15&gt;" not in svg


def test_the_picture_says_what_the_ledger_says():
    play()
    svg = ledger()._repr_mimebundle_()["image/svg+xml"]
    assert "sure: 1 of 2 came true" in svg
    assert svg.count("none yet") == 2
    assert svg.count("<circle") == 2, "the dot on the scale of 'sure', and a ring for the one whose run is to come"
    assert svg.count('width="8"') == 2, "a square in the list, and one beside the scale"
    assert svg.count("<path") == 2, "a cross in the list, and one beside the scale"
    assert "b: 1 (sure); the run says 2<" in svg
    assert "c: 7 writes (guess); not run yet<" in svg
