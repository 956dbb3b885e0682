"""Checks: every exercise of the book against its solution, stub, wrong answers and answers of no kind at all."""

from __future__ import annotations

import decimal
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.classroom import ClassroomError, Exercise, Wrong, chapters, check
from durable_redis.classroom.checking import NOT_ATTEMPTED, judge
from durable_redis.classroom.kinds import Choice, Function, Number, Settings

EXERCISES = {exercise.name: exercise for exercise in chapters.exercises()}
WRONG = [(name, place) for name, exercise in EXERCISES.items() for place in range(len(exercise.wrong))]


def test_names_are_unique_and_readable():
    names = [exercise.name for exercise in chapters.exercises()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_a_name_that_does_not_exist():
    with pytest.raises(ClassroomError, match=r"no exercise 'at-rsik': there is at-risk, one-word"):
        check("at-rsik", 9)


# -- every exercise of every chapter ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_is_not_attempted_yet(name):
    stubs = [..., EXERCISES[name].stub]
    if isinstance(EXERCISES[name].stub, dict):
        stubs.append(dict(EXERCISES[name].stub))
    if isinstance(EXERCISES[name].kind, Function):
        stubs.append(lambda *arguments: ...)
    for stub in stubs:
        assert repr(check(name, stub)) == "not attempted yet"


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_is_right(name):
    checked = check(name, EXERCISES[name].solution)
    assert checked.right is True
    assert repr(checked).startswith("Right. ")
    assert repr(checked) == repr(check(name, EXERCISES[name].solution))


@pytest.mark.parametrize(("name", "place"), WRONG)
def test_each_typical_wrong_answer_earns_its_own_sentence(name, place):
    exercise = EXERCISES[name]
    wrong = exercise.wrong[place]
    checked = check(name, wrong.answer)
    assert checked.right is False
    beginning = re.split(r"[{]", wrong.says)[0]
    assert checked.says.startswith(beginning)
    assert "{" not in checked.says
    others = [other.says for other in exercise.wrong if other is not wrong]
    assert not any(other.startswith(beginning) for other in others)


class Hostile:
    """An answer that fights back."""

    def __eq__(self, other):
        raise RuntimeError("no comparing")

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("no looking")

    def __float__(self):
        raise RuntimeError("no counting")


def stops(*arguments):
    raise KeyError("oh\nno")


def leaves(*arguments):
    raise SystemExit(1)


def recurses(*arguments):
    return recurses(*arguments)


JUNK = {
    "None": None,
    "text": "nine",
    "digits": "9",
    "yes": True,
    "nan": float("nan"),
    "infinite": float("inf"),
    "huge": 10**400,
    "negative": -1,
    "complex": 1j,
    "decimal": decimal.Decimal(9),
    "list": [9],
    "set": {9},
    "bytes": b"9",
    "type": int,
    "module": re,
    "hostile": Hostile(),
    "no arguments": lambda: 9,
    "divides": lambda *arguments: 1 / 0,
    "stops": stops,
    "leaves": leaves,
    "recurses": recurses,
    "returns nothing": lambda *arguments: None,
    "returns text": lambda *arguments: "9",
    "returns hostile": lambda *arguments: Hostile(),
    "yields": lambda *arguments: (x for x in arguments),
    "empty settings of no option": {"no_such_option": 1},
    "settings of numbers": {1: 2},
    "settings of hostile": {"appendonly": Hostile(), "appendfsync": Hostile(), "no_appendfsync_on_rewrite": Hostile()},
    "settings of a wrong word": {"appendonly": True, "appendfsync": "allways"},
    "no clients": {"clients": 0},
}


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("junk", JUNK)
def test_an_answer_of_no_kind_gets_a_sentence_and_no_traceback(name, junk):
    checked = check(name, JUNK[junk])
    assert not checked.right
    assert repr(checked) == NOT_ATTEMPTED or re.fullmatch(r"(?s)Not yet\. [A-Z`0-9-].*[.?]", repr(checked))
    assert "Traceback" not in repr(checked)


# -- the sentences ----------------------------------------------------------------------------------------------------

DOUBLE = Exercise(
    name="double",
    kind=Function(("x",), lambda: [(1,), (2,)], Number("things")),
    truth=lambda: (2, 4),
    solution=lambda x: 2 * x,
    right="Twice.",
    wrong=(Wrong(lambda x: x**2 + 1, "It squares."),),
)
SEVEN = Exercise(
    name="seven", kind=Number("days", 0, 31), truth=lambda: 7, solution=7, right="{given} it is.", wrong=(), stub=0
)
WORD = Exercise(
    name="word", kind=Choice(("yes", "no")), truth=lambda: "yes", solution="yes", right="So it is.", wrong=()
)
OPTIONS = Exercise(name="options", kind=Settings(), truth=dict, solution={}, right="The defaults.", wrong=(), stub=None)


@pytest.mark.parametrize(
    ("exercise", "given", "sentence"),
    [
        (DOUBLE, lambda x: 2 * x, "Right. Twice."),
        (DOUBLE, lambda x: 2.0 * x, "Right. Twice."),
        (DOUBLE, lambda x: [2, 5][x - 1], "Not yet. It squares."),
        (DOUBLE, lambda x: 2 if x == 1 else 5.5, "Not yet. For x=2 your function says 5.5; the run says 4."),
        (DOUBLE, lambda x: 1 / (x - 1), "Not yet. For x=1 your function stops: ZeroDivisionError: division by zero."),
        (DOUBLE, lambda x: print(end=""), "Not yet. For x=1 your function returns nothing: is there a `return`?"),
        (
            DOUBLE,
            lambda x: "2",
            "Not yet. For x=1 your function returns something else. A number of things is asked for, and this is the "
            "text '2'. Leave the quotes away.",
        ),
        (
            DOUBLE,
            4,
            "Not yet. A function is asked for, and this is the number 4. Hand in its name, without parentheses.",
        ),
        (SEVEN, 7, "Right. 7 it is."),
        (SEVEN, 7.0, "Right. 7 it is."),
        (SEVEN, 0, "not attempted yet"),
        (SEVEN, 0.0, "Not yet. The run says more."),
        (SEVEN, False, "Not yet. A number of days is asked for, and this is False, which is yes or no."),
        (SEVEN, 6.5, "Not yet. The run says more."),
        (SEVEN, 8, "Not yet. The run says less."),
        (SEVEN, 32, "Not yet. 32 is out of range: a number of days from 0 to 31 is asked for."),
        (SEVEN, None, "Not yet. A number of days is asked for, and this is None, which is nothing."),
        (
            SEVEN,
            "seven",
            "Not yet. A number of days is asked for, and this is the text 'seven'. Write it in digits.",
        ),
        (
            SEVEN,
            max,
            "Not yet. A number of days is asked for, and this is a function. Call it, with its arguments in "
            "parentheses.",
        ),
        (WORD, " Yes ", "Right. So it is."),
        (WORD, "no", "Not yet. The run says otherwise."),
        (WORD, "maybe", "Not yet. One of 'yes', 'no' is asked for, and this is the text 'maybe'."),
        (OPTIONS, {}, "Right. The defaults."),
        (OPTIONS, None, "not attempted yet"),
        (
            OPTIONS,
            {"appendfsync": "always"},
            "Not yet. These settings are refused: appendfsync says something about the append-only file, and there is "
            "none: add appendonly=True.",
        ),
        (OPTIONS, [], "Not yet. Settings are asked for, such as dict(appendonly=True), and this is a list."),
    ],
)
def test_the_sentence(exercise, given, sentence):
    assert repr(judge(exercise, given)).replace("\n", " ") == sentence


def test_the_truth_is_not_asked_before_the_answer_is_one():
    def truth():
        raise AssertionError("asked too early")

    exercise = Exercise(name="x", kind=Number(), truth=truth, solution=1, right="", wrong=())
    assert judge(exercise, ...).right is None
    assert judge(exercise, "1").right is False
    with pytest.raises(AssertionError, match="asked too early"):
        judge(exercise, 1)


def test_an_interrupt_by_hand_is_not_swallowed():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(DOUBLE, interrupted)


def test_numbers_of_numpy_are_numbers():
    numpy = pytest.importorskip("numpy")
    assert judge(SEVEN, numpy.int64(7)).right
    assert judge(SEVEN, numpy.float32(7)).right
    assert judge(SEVEN, numpy.array([7])).right is False


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@given(anything)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_whatever_is_handed_in_or_returned_earns_a_sentence(answer):
    for exercise in (DOUBLE, SEVEN, WORD, OPTIONS):
        for given_ in (answer, lambda *arguments: answer):
            assert repr(judge(exercise, given_)).startswith(("Right.", "Not yet.", NOT_ATTEMPTED))
