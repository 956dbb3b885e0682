"""A smallest contradiction: it is one, and without any of its calls it would be none; in words, and drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from random import Random

import pytest
from smallhistories import MIXES, brute_force, call, history, random_history

import durable_redis as dr
from durable_redis.formats.resp import OK
from durable_redis.lab.figures import NIGHT
from durable_redis.verify import counterexample as counterexamples
from durable_redis.verify.counterexample import Counterexample, counterexample
from durable_redis.verify.history import Call
from durable_redis.verify.models import RULES


def explainable(calls: Sequence[Call], kept: Sequence[Call]) -> bool:
    """By the definition: is there an order of the kept calls, if nobody had answered the others?"""
    left = [one for one in calls if not any(one is other for other in kept)]
    free = [Call("", one.argv, one.began_us) for one in left if not RULES[one.argv[0]].only_reads]
    return brute_force([*kept, *free])


def is_smallest(calls: Sequence[Call], found: Counterexample) -> bool:
    without_one = [[*found.kept[:place], *found.kept[place + 1 :]] for place in range(len(found.kept))]
    return not explainable(calls, found.kept) and all(explainable(calls, kept) for kept in without_one)


def refused_histories(mix: str, seeds: int) -> list[list[Call]]:
    histories = [random_history(Random(f"{mix}/{seed}"), MIXES[mix], most=6) for seed in range(seeds)]
    return [calls for calls in histories if not brute_force(calls)]


@pytest.mark.parametrize("mix", MIXES)
def test_it_is_a_contradiction_and_without_any_of_its_calls_it_is_none(mix: str) -> None:
    sizes = set()
    for calls in refused_histories(mix, 250):
        found = counterexample(b"x", calls)
        assert is_smallest(calls, found), f"{list(map(str, calls))}: {found}"
        assert found.smallest
        sizes.add(len(found.kept))
    assert sizes >= {2, 3}


def test_one_that_keeps_too_much_or_too_little_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the search for it, and the test above sees it."""
    histories = refused_histories("register", 250)
    for name, broken in (
        ("_shrunk", lambda kept, fails: kept),
        ("_shrunk", lambda kept, fails: kept[1:]),
        ("_anonymous", lambda free, calls, kept: []),
        ("_values", lambda reply: []),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(counterexamples, name, broken)
            assert not all(is_smallest(calls, counterexample(b"x", calls)) for calls in histories), name


# -- what it shows ----------------------------------------------------------------------------------------------------

STALE = [
    call("a", "SET x 1", 0, 10_000, OK),
    call("a", "SET x 2", 20_000, 30_000, OK),
    call("a", "SET x 3", 40_000, 50_000, OK),
    call("b", "GET x", 60_000, 70_000, b"1"),
    call("b", "GET x", 80_000, 90_000, b"1"),
]


def test_it_shows_the_first_read_that_is_wrong_and_what_was_written_last_before_it() -> None:
    assert (
        repr(counterexample(b"x", STALE))
        == """\
The smallest contradiction on the key x: 3 of 5 calls.
  1  a  SET x 1  0.000000 s to 0.010000 s  answered OK
  2  a  SET x 3  0.040000 s to 0.050000 s  answered OK
  ✕  b  GET x    0.060000 s to 0.070000 s  answered 1
In words: after SET x 1, SET x 3, x is 3. Then GET x (b) must be answered 3, and was answered 1. No other
order goes farther. The 2 calls that are left out may have had effect at any moment after they began, or
never."""
    )


def test_of_two_counts_that_are_alike_only_these_two_are_needed() -> None:
    """The first one may have happened or not: no second one can have given the same number."""
    calls = [call("a", "INCR x", at, at + 5, count) for at, count in ((0, 1), (10, 2), (20, 2), (30, 3))]
    found = counterexample(b"x", calls)
    assert found.kept == (calls[1], calls[2])
    assert [(point.call.answered, point.after) for point in found.points] == [(False, b"1"), (True, b"2")]
    assert found.left_out == (call("a", "INCR x", 0),)
    assert (found.puzzle, found.expected) == (calls[2], 3)
    assert "  1  a  INCR x  0.000000 s to ?           left out" in repr(found)


def test_a_write_that_nobody_answered_is_shown_where_it_has_effect() -> None:
    lost = call("b", "SET x 5", 20)
    reads = [call("a", "GET x", at, at + 10, value) for at, value in ((40, b"5"), (60, None))]
    found = counterexample(b"x", [lost, *reads])
    assert found.kept == tuple(reads)
    assert found.shown == (lost, *reads)
    assert found.left_out == ()
    assert "  1  b  SET x 5  0.000020 s to ?           no answer" in repr(found)


def test_a_value_that_is_read_before_anybody_has_begun_to_write_it_needs_no_writer() -> None:
    early, late = call("a", "GET x", 0, 10, b"5"), call("b", "SET x 5", 20, 30, OK)
    assert counterexample(b"x", [early, late]).kept == (early,)


def test_lists_and_strings_that_grow_come_down_to_a_few_calls_too() -> None:
    """Thirty pushes, of which nobody saw the values: all of them would have to be tried in every order."""
    pushes = [call(f"c{n}", f"RPUSH x v{n}", 10 * n, 10 * n + 5, n + 1) for n in range(30)]
    gone = call("r", "LLEN x", 400, 410, 7)
    assert len(counterexample(b"x", [*pushes, gone]).kept) == 2
    strings = [call(f"c{n}", f"APPEND x +{n:02}", 10 * n, 10 * n + 5, 3 * n + 3) for n in range(30)]
    gone = call("r", "GET x", 400, 410, b"+00+01")
    found = counterexample(b"x", [*strings, gone])
    assert found.smallest
    assert len(found.kept) == 2


def test_a_hundred_lost_writes_come_down_to_three_calls() -> None:
    run = dr.Redis(appendonly=True, appendfsync="everysec").start(seed=7)
    run.write(150, every_ms=10, key="x")
    run.crash("n1", "power loss", tail="lost", at_ms=1_090)
    run.restart("n1")
    run.command("GET", "x")
    verdict = dr.linearizable(run)
    assert verdict.counterexample is not None
    assert [one.client for one in verdict.counterexample.kept] == ["client", "client", "you"]
    assert verdict.calls > 100
    assert repr(verdict.counterexample) in repr(verdict)


def test_where_the_budget_is_spent_a_call_is_kept_and_that_is_said() -> None:
    pushes = [call(f"c{n}", f"RPUSH x {n}", 0) for n in range(6)]
    wrong = call("r", "LRANGE x 0 -1", 200, 210, [b"%d" % n for n in (0, 1, 2, 3, 4, 4)])
    assert repr(counterexample(b"x", [*pushes, wrong])).startswith("The smallest contradiction on the key x: 1 of 7")
    ended = [call(f"c{n}", f"RPUSH x {n}", 0, 90, n + 1) for n in range(6)]
    assert len(counterexample(b"x", [*ended, wrong]).kept) == 1
    spent = counterexample(b"x", [*ended, wrong], budget=300)
    assert not spent.smallest
    assert len(spent.kept) > 1
    assert repr(spent).startswith("A contradiction on the key x: ")


# -- drawn ------------------------------------------------------------------------------------------------------------

SHAPES = {"svg", "g", "rect", "path", "circle", "text"}
PRESENTATION = {
    *("x", "y", "width", "height", "rx", "cx", "cy", "r", "d", "transform", "viewBox", "role", "aria-label"),
    *("fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity"),
    *("font-family", "font-size", "font-weight", "text-anchor"),
}


def drawn(found: Counterexample) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(found.svg.replace(NIGHT, "")).iter())


def test_the_picture_stands_by_itself_on_every_page() -> None:
    for mix in MIXES:
        for calls in refused_histories(mix, 60):
            found = counterexample(b"x", calls)
            elements = drawn(found)
            assert {element.tag.rpartition("}")[2] for element in elements} <= {
                "svg",
                "g",
                "rect",
                "path",
                "circle",
                "text",
            }
            assert {name for element in elements for name in element.attrib} <= PRESENTATION
            assert len(found.svg) < 15 * 1024
            assert found.svg == counterexample(b"x", calls).svg


def test_answered_unanswered_and_impossible_differ_in_shape_and_letter() -> None:
    lost = call("b", "SET x 5", 20)
    found = counterexample(b"x", [lost, call("a", "GET x", 40, 50, b"5"), call("a", "GET x", 60, 70, b"7")])
    letters = [element.text for element in drawn(found) if element.tag.endswith("text")]
    assert {"GET x", "→ 7, not nothing", "✕", "a", "nothing"} <= set(letters)
    found = counterexample(b"x", [lost, call("a", "GET x", 40, 50, b"5"), call("a", "GET x", 60, 70, None)])
    letters = [element.text for element in drawn(found) if element.tag.endswith("text")]
    assert {"GET x", "→ 5", "→ nothing, not 5", "✕", "SET x 5", "→ no answer", "?", "1", "2", "a", "b"} <= set(letters)
    dashes = [element.get("stroke-dasharray") for element in drawn(found) if element.get("stroke-dasharray")]
    assert dashes == ["2 3", "2 3", "2 3", "5 3", "2 4", "5 3"], "threads, an open bar, hatching; an open bar explained"


def test_every_call_that_is_kept_has_a_bar_and_every_point_a_disc() -> None:
    found = counterexample(b"x", STALE)
    circles = [element for element in drawn(found) if element.tag.endswith("circle")]
    assert len(circles) == len(found.points) + 1 + 2, "two points, the puzzle, and both in the legend"
    across = [float(element.attrib["cx"]) for element in circles[:3]]
    assert across == sorted(across)


def test_names_and_values_that_are_long_or_strange_do_no_harm() -> None:
    value = b"<&\"'\xff" * 40
    calls = [
        Call("a<b", (b"SET", b"x&y", value), 0, 10, OK),
        Call("c", (b"GET", b"x&y"), 20, 30, None),
    ]
    found = counterexample(b"x&y", calls)
    assert len(drawn(found)) > 10
    assert len(found.svg) < 6_000


def test_a_verdict_shows_the_picture_and_the_words_and_without_a_contradiction_only_words() -> None:
    wrong = dr.linearizable(history(*STALE))
    assert wrong.counterexample is not None
    assert wrong._repr_mimebundle_() == {"text/plain": repr(wrong), "image/svg+xml": wrong.counterexample.svg}
    assert list(dr.linearizable(history(*STALE[:3]))._repr_mimebundle_()) == ["text/plain"]
