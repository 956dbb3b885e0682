"""Orders tried one by one, against the checker that takes short cuts; and histories that are written by hand."""

from __future__ import annotations

from itertools import product
from xml.etree import ElementTree

import pytest

from durable_redis.classroom import ClassroomError
from durable_redis.classroom.chapters.ch12 import FOUR, NO_ANSWER, SWAPPED
from durable_redis.classroom.orders import orders, picture, written
from durable_redis.formats.resp import OK
from durable_redis.verify.history import NEVER_US
from durable_redis.verify.linearizability import check


def test_a_history_is_read_from_its_lines():
    history = written(
        "ann 0-40 SET x 1 -> OK\nbob 10-? INCR c\ncat 20-30 LRANGE l 0 -1 -> [a b]\ndan 5-6 SADD s a -> 1"
    )
    assert [call.client for call in history] == ["ann", "dan", "bob", "cat"]
    ann, dan, bob, cat = history
    assert (ann.argv, ann.began_us, ann.ended_us, ann.reply) == ((b"SET", b"x", b"1"), 0, 40_000, OK)
    assert (dan.reply, bob.ended_us, cat.reply) == (1, NEVER_US, [b"a", b"b"])
    assert written("ann 0-1 GET x -> nothing").calls[0].reply is None


@pytest.mark.parametrize(
    "line", ["ann SET x 1", "ann 0-40 SET x 1", "ann 0-? GET x -> 1", "ann 0-40 FLUSHALL -> OK", "ann -3-4 GET x -> 1"]
)
def test_a_line_that_is_no_call_is_refused(line):
    with pytest.raises(ClassroomError):
        written(line)


def test_the_history_of_the_chapter_has_one_order():
    found = orders(written(FOUR))
    assert (found.all, found.allowed) == (24, 3)
    (order,) = found.right
    assert [(call.client, call.argv[0]) for call in order] == [
        ("ann", b"SET"), ("cat", b"GET"), ("bob", b"SET"), ("cat", b"GET")
    ]  # fmt: skip
    assert not orders(written(SWAPPED))


def test_an_unanswered_write_may_be_late_and_may_never_be():
    assert {name: len(orders(written(text)).right) for name, text in NO_ANSWER.items()} == {"A": 2, "B": 0, "C": 1}
    assert "(SET x 2: never)" in repr(orders(written(NO_ANSWER["A"])))


SPANS = ("0-10", "0-30", "5-25", "15-40", "20-?")


@pytest.mark.parametrize(("first", "second"), [*product(SPANS, SPANS)])
def test_every_order_and_the_checker_agree(first, second):
    """Two writes and two reads, with all answers: 225 histories for each pair of spans."""
    answers = {True: "", False: " -> OK"}
    for third, one, two in product(("8-12", "12-35", "26-50"), ("nothing", "1", "2"), ("nothing", "1", "2")):
        history = written(
            f"a {first} SET x 1{answers[first.endswith('?')]}\n"
            f"b {second} SET x 2{answers[second.endswith('?')]}\n"
            f"c {third} GET x -> {one}\nd 28-60 GET x -> {two}"
        )
        assert bool(orders(history)) == bool(check(history)), history


def test_what_ends_when_another_begins_comes_before_it():
    assert not orders(written("a 0-10 SET x 1 -> OK\nb 10-20 GET x -> nothing"))
    assert orders(written("a 0-11 SET x 1 -> OK\nb 10-20 GET x -> nothing"))


def test_too_many_orders_are_not_tried():
    with pytest.raises(ClassroomError, match="at most 7"):
        orders(written("\n".join(f"c{n} 0-10 SET x {n} -> OK" for n in range(8))))


def test_a_picture_shows_the_history_and_what_is_placed():
    four = written(FOUR)
    for placed in ((), (1, 3), (1, 3, 2, 4)):
        drawn = picture(four, *placed)._repr_mimebundle_()
        words = "".join(ElementTree.fromstring(drawn["image/svg+xml"]).itertext())
        assert ("has effect here" in words) == bool(placed)
        assert "fits no order" not in words
        assert drawn["text/plain"].count("  -  ") == 4 - len(placed)
    with pytest.raises(ClassroomError, match="an answer is wrong"):
        picture(four, 2, 3)
