"""Histories written by hand, and every order that could explain one: the definition of linearizability, word for word.

The law of this file: it tries everything, and so it is for histories of a few calls.  The search that the judges use
(`verify.linearizability`) takes short cuts; a test lets both look at thousands of small histories.

A history is written a call a line: who, from when to when (in ms; `?`: nobody answered), what, and the answer.

    ann   0-40    SET x 1  -> OK
    bob  10-60    SET x 2  -> OK
    cat  50-?     INCR c

All orders of all calls are counted; then those in which nobody comes before a call that had ended before it began (*the
clock*); then, of these, those in which a single copy, doing one call after the other, would have given these answers.
A call that nobody answered is tried at every place, and left away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

from durable_redis.classroom.errors import ClassroomError
from durable_redis.formats.resp import OK, Reply
from durable_redis.verify.chart import draw
from durable_redis.verify.counterexample import Point, plain, said
from durable_redis.verify.history import Call, History
from durable_redis.verify.models import RULES, State, comparable

LINE = re.compile(r"(\w+)\s+(\d+)\s*-\s*(\d+|\?)\s+(.+?)(?:\s*->\s*(.*?))?\s*$")
NUMBERS = (b"INCR", b"DECR", b"INCRBY", b"DECRBY", b"RPUSH", b"LPUSH", b"SADD", b"SREM", b"DEL", b"LLEN", b"SCARD")
"""What answers with a number; the others answer with OK, a value, a list in brackets, or nothing."""
MOST_CALLS = 7
Order = tuple[Call, ...]


def written(text: str) -> History:
    """The history that is written here (see the top).  Raises ClassroomError for a line that is none."""
    calls = [_call(line) for line in text.strip().splitlines() if line.strip()]
    return History(tuple(sorted(calls, key=lambda call: call.began_us)))


def _call(line: str) -> Call:
    found = LINE.match(line.strip())
    if found is None:
        raise ClassroomError(f"a call is written like `ann 0-40 SET x 1 -> OK`, and this is not: {line.strip()}")
    client, began, ended, words, answer = found.groups()
    argv = tuple(words.encode().split())
    if argv[0].upper() not in RULES:
        raise ClassroomError(f"the checker has no rule for {words.split()[0]}")
    if (ended == "?") != (answer is None):
        raise ClassroomError(f"who was answered has an end, and who was not has a question mark: {line.strip()}")
    if ended == "?":
        return Call(client, argv, int(began) * 1000)
    return Call(client, argv, int(began) * 1000, int(ended) * 1000, _reply(argv, answer))


def _reply(argv: Sequence[bytes], answer: str) -> Reply:
    if answer == "nothing":
        return None
    if argv[0].upper() in NUMBERS:
        return int(answer)
    if answer.startswith("["):
        return [word.encode() for word in answer.strip("[]").split()]
    return OK if answer == "OK" else answer.encode()


# -- every order ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Orders:
    """All orders of a history's calls: how many there are, how many of these the clock allows, and `right`: those of
    them that give the answers that were given."""

    history: History
    all: int
    allowed: int
    right: tuple[Order, ...]

    def __bool__(self) -> bool:
        return bool(self.right)

    def __repr__(self) -> str:
        lines = [
            f"{self.all:,} orders; {self.allowed:,} of them {_fit(self.allowed)} the clock, "
            f"{len(self.right):,} of these {_fit(len(self.right))} the answers:"
        ]
        for order in self.right:
            missing = [call for call in self.history if call not in order]
            never = f"   ({', '.join(said(call.argv) for call in missing)}: never)" if missing else ""
            lines.append("  " + "  then  ".join(f"{call.client}: {said(call.argv)}" for call in order) + never)
        return "\n".join(lines if self.right else [f"{lines[0][:-1]}."])


def _fit(count: int) -> str:
    return "fits" if count == 1 else "fit"


def orders(history: History) -> Orders:
    """Try them all.  Raises ClassroomError for a history that is too long for that."""
    calls = history.calls
    if len(calls) > MOST_CALLS:
        raise ClassroomError(f"{len(calls)} calls have too many orders to try each: take at most {MOST_CALLS}")
    every = list(_every(calls))
    allowed = [order for order in every if _fits_the_clock(order)]
    return Orders(history, len(every), len(allowed), tuple(order for order in allowed if states(order) is not None))


def _every(calls: Sequence[Call]) -> Iterator[Order]:
    """Each order of the answered calls and of some of the others."""
    unheard = [call for call in calls if not call.answered]
    for count in range(len(unheard), -1, -1):
        for some in combinations(unheard, count):
            yield from permutations([call for call in calls if call.answered or call in some])


def _fits_the_clock(order: Order) -> bool:
    return not any(later.ended_us <= earlier.began_us for earlier, later in combinations(order, 2))


def states(order: Sequence[Call]) -> list[State] | None:
    """What the key is worth after each call, if one copy does them in this order; None if an answer is wrong then."""
    state: State = None
    after = []
    for call in order:
        state, reply = RULES[call.argv[0].upper()].apply(state, call.argv)
        if call.answered and reply != comparable(call.argv, call.reply):
            return None
        after.append(state)
    return after


# -- pictures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Picture:
    """A history on one key, drawn, with a disc on each call that is placed so far: what `verify.chart` asks for."""

    kept: tuple[Call, ...]
    points: tuple[Point, ...]
    title: str
    key: bytes = b"x"
    puzzle: Call | None = None
    expected: object = None

    def __repr__(self) -> str:
        placed = {id(point.call): str(number) for number, point in enumerate(self.points, start=1)}
        lines = [f"{self.title}:"]
        for call in self.kept:
            until = f"{call.ended_us // 1000}" if call.answered else "?"
            answer = f" -> {plain(call.reply)}" if call.answered else ""
            times = f"{call.began_us // 1000}-{until}"
            lines.append(f"  {placed.get(id(call), '-')}  {call.client:5} {times:>8} ms  {said(call.argv)}{answer}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": draw(self)}


def picture(history: History, *placed: int, title: str = "A history") -> Picture:
    """The history, and the calls that are placed, by their numbers in it (counted from 1), in the order of placing."""
    order = [history.calls[number - 1] for number in placed]
    after = states(order)
    if after is None:
        raise ClassroomError("in this order an answer is wrong, so it cannot be drawn")
    points = tuple(Point(call, call.argv, state) for call, state in zip(order, after, strict=True))
    return Picture(history.calls, points, title, history.calls[0].argv[1])
