"""A smallest contradiction: of a history that fits no order, the few calls that show it.

The law of this file: what is left out is not thought away.  Were a write simply dropped, a read of its value would look
wrong for a silly reason: nobody seems to have written it.  So a call that is *left out* is taken for one that nobody
answered: it may take effect at any moment after its beginning, or never.  (A read that is left out says nothing.)  The
calls that are *kept* contradict one another even so, and none of them can be left out: that is what smallest means.

    SET x 1 -> OK,  SET x 2 -> OK,  SET x 3 -> OK,  GET x -> 1       one after the other

    leave out SET x 2     it may never have happened: the others still contradict one another
    leave out SET x 1     it may have happened just before the GET: all is well, so it is kept

To leave a call out makes a history easier to explain, never harder.  So the order in which one tries does not decide
whether the result is smallest, only which of several smallest ones it is:

1. As few calls as possible from the beginning on: what began later is left out, so that the first mistake is shown.
2. Of these, leave out what can be left out, from the oldest call on, large pieces before small ones.

Then the search is asked how far it gets, and the first answer that it cannot explain there is the *puzzle*.

A search that leaves many writes free has many ways to go.  It takes those first that use few of them, and where one way
has used less than another and come to the same place, only the first is followed.  Values that no kept answer shows are
all alike, unless a command computes with them.  When its budget is spent, the call is kept, to be on the safe side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from textwrap import wrap
from typing import Any

from durable_redis.verify.history import Call
from durable_redis.verify.linearizability import Place, Search
from durable_redis.verify.models import RULES, State

BUDGET = 30_000
"""Steps of the search for one set of kept calls."""
LINE_LENGTH = 110
MEASURES = (b"APPEND", b"STRLEN")
SETTERS = (b"SET", b"SETNX", b"GETSET", b"RPUSH", b"LPUSH", b"APPEND")
BLIND = (*SETTERS, b"GET", b"GETDEL", b"DEL", b"UNLINK", b"EXISTS", b"LPOP", b"RPOP", b"LLEN", b"LRANGE", b"STRLEN")
"""What does not look into the values that it moves, except that MEASURES ask for the length of a string; SETTERS say
which values there are, from their third word on."""


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the order that goes farthest: what has effect, and the state of the key then.  A call that is left
    out is there as one that nobody answered."""

    call: Call
    words: tuple[bytes, ...]
    after: State


@dataclass(frozen=True)
class Counterexample:
    """The calls that are `kept`, of `calls` on a key.  After `points`, `puzzle` is next, and would be answered
    `expected`.  `smallest` is False where the budget was spent before it was sure that a call cannot be left out.
    `left_out` are those that were answered, and have effect in this order."""

    key: bytes
    calls: int
    kept: tuple[Call, ...]
    points: tuple[Point, ...]
    puzzle: Call
    expected: object
    smallest: bool
    left_out: tuple[Call, ...] = ()

    @cached_property
    def svg(self) -> str:
        """Drawn: see `chart`."""
        from durable_redis.verify.chart import draw

        return draw(replace(self, kept=self.shown), self.left_out)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.svg}

    @property
    def shown(self) -> tuple[Call, ...]:
        """The calls that are kept, and those of the others that have effect in the order that goes farthest."""
        kept = {id(call) for call in self.kept}
        used = [point.call for point in self.points if id(point.call) not in kept]
        return tuple(sorted([*self.kept, *used], key=lambda call: (call.began_us, call.ended_us)))

    def __repr__(self) -> str:
        placed = {id(point.call): str(number) for number, point in enumerate(self.points, start=1)}
        rows = [
            (
                "✕" if call is self.puzzle else placed.get(id(call), "-"),
                call.client,
                said(call.argv),
                f"{call.began_us / 1e6:.6f} s to " + (f"{call.ended_us / 1e6:.6f} s" if call.answered else "?"),
                self._outcome(call),
            )
            for call in self.shown
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{self.title}: {len(self.kept)} of {self.calls:,} calls."]
        for row in rows:
            lines.append("  " + "  ".join(word.ljust(wide) for word, wide in zip(row, widths, strict=True)).rstrip())
        lines += wrap(f"In words: {self.explanation}", LINE_LENGTH)
        return "\n".join(lines)

    def _outcome(self, call: Call) -> str:
        if any(call is one for one in self.left_out):
            return "left out"
        return f"answered {plain(call.reply)}" if call.answered else "no answer"

    @property
    def title(self) -> str:
        return f"{'The smallest' if self.smallest else 'A'} contradiction on the key {plain(self.key)}"

    @property
    def explanation(self) -> str:
        """How far the order goes that goes farthest, and what is wrong then."""
        steps = [said(point.words) for point in self.points]
        state = plain(self.points[-1].after if self.points else None)
        then = f"after {', '.join(steps)}, {plain(self.key)}" if steps else f"at first {plain(self.key)}"
        left = self.calls - len(self.kept)
        which = "The call that is left out" if left == 1 else f"The {left:,} calls that are left out"
        return (
            f"{then} is {state}. Then {said(self.puzzle.argv)} ({self.puzzle.client}) must be answered "
            f"{plain(self.expected)}, and was answered {plain(self.puzzle.reply)}. No other order goes farther."
            + (f" {which} may have had effect at any moment after they began, or never." if left > 1 else "")
            + (f" {which} may have had effect at any moment after it began, or never." if left == 1 else "")
        )


def counterexample(key: bytes, calls: Sequence[Call], budget: int = BUDGET) -> Counterexample:
    """The smallest contradiction among the calls on a key, of which it is known that they fit no order."""
    in_order = sorted(calls, key=lambda call: (call.began_us, call.ended_us))

    def fits(kept: Sequence[Call]) -> bool | None:
        return Farthest(in_order, kept, budget).run()

    answered = [call for call in in_order if call.answered]
    kept = _shrunk(_beginning(answered, fits), fits)
    smallest = all(fits([*kept[:place], *kept[place + 1 :]]) for place in range(len(kept)))
    search = Farthest(in_order, kept, budget)
    search.run()
    points, (puzzle, expected) = search.points(), search.puzzle()
    unanswered = {id(call) for call in in_order if not call.answered}
    left_out = tuple(point.call for point in points if not (point.call.answered or id(point.call) in unanswered))
    return Counterexample(key, len(in_order), tuple(kept), points, puzzle, expected, smallest, left_out)


class Farthest(Search):
    """The search where some calls are kept, and all others are taken for unanswered.

    It remembers how it came to each place, and the one that is farthest: with as many kept calls placed as can be,
    after as few of the others as can be."""

    def __init__(self, calls: Sequence[Call], kept: Sequence[Call], budget: int = BUDGET) -> None:
        known = {id(call) for call in kept}
        left = [call for call in calls if id(call) not in known and not RULES[call.argv[0].upper()].only_reads]
        # In the order in which `Search` numbers them, with the words that were really said.
        self.left = [Call(call.client, call.argv, call.began_us) if call.answered else call for call in left]
        super().__init__([*kept, *_anonymous(self.left, calls, kept)], budget)
        self.came_from: dict[Place, Place] = {}

    def run(self) -> bool | None:
        """As in `Search`: an order exists; or None."""
        queue = deque([self.farthest])
        been: dict[tuple[State, int, int], list[int]] = {}
        while queue:
            place = queue.popleft()
            used = been.setdefault(place[:3], [])
            if any(fewer & place.unheard == fewer for fewer in used):
                continue
            used.append(place.unheard)
            if place.placed > self.farthest.placed:
                self.farthest = place
            if place.base == len(self.answered):
                return True
            for after in self._next(place):
                self.came_from.setdefault(after, place)
                if after.unheard == place.unheard:
                    queue.appendleft(after)
                else:
                    queue.append(after)
            if self.steps > self.budget:
                return None
        return False

    def points(self) -> tuple[Point, ...]:
        """The way to the farthest place, with the words that were really said."""
        way = [self.farthest]
        while way[-1] in self.came_from:
            way.append(self.came_from[way[-1]])
        way.reverse()
        points: list[Point] = []
        for before, after in pairwise(way):
            call = self._placed(before, after)
            state = points[-1].after if points else None
            points.append(Point(call, call.argv, RULES[call.argv[0].upper()].apply(state, call.argv)[0]))
        return tuple(points)

    def puzzle(self) -> tuple[Call, object]:
        """What cannot come next there, if possible a read; and what it would be answered."""
        calls = [self.answered[number] for number in self._candidates(self.farthest)[0]]
        puzzle = min(calls, key=lambda call: (not RULES[call.argv[0].upper()].only_reads, call.ended_us))
        points = self.points()
        state = points[-1].after if points else None
        return puzzle, RULES[puzzle.argv[0].upper()].apply(state, puzzle.argv)[1]

    def _placed(self, before: Place, after: Place) -> Call:
        """What came between two places."""
        if unheard := (before.unheard ^ after.unheard).bit_length():
            return self.left[unheard - 1]
        return next(call for number, call in enumerate(self.answered) if _has(after, number) > _has(before, number))


def _has(place: Place, number: int) -> bool:
    return number < place.base or bool(place.window >> (number - place.base) & 1)


def _anonymous(left: Sequence[Call], calls: Sequence[Call], kept: Sequence[Call]) -> list[Call]:
    """The calls that are left out, without the values by which nobody could tell them apart: those that are in no
    answer, and of which at most the length was asked."""
    names = {call.argv[0].upper() for call in calls}
    if not names <= set(BLIND):
        return list(left)
    seen = b"\0".join(value for call in kept for value in _values(call.reply) if isinstance(value, bytes))
    measured = not names.isdisjoint(MEASURES)

    def hidden(value: bytes) -> bytes:
        return value if value in seen else b"*" * len(value) if measured else b"*"

    return [
        Call(call.client, (*call.argv[:2], *map(hidden, call.argv[2:])), call.began_us)
        if call.argv[0].upper() in SETTERS
        else call
        for call in left
    ]


def _values(reply: object) -> list[object]:
    return reply if isinstance(reply, list) else [reply]


def _beginning(calls: list[Call], fits: Callable[[Sequence[Call]], bool | None]) -> list[Call]:
    """The fewest of the first calls that contradict one another, whatever the later ones did."""
    few, enough = 0, len(calls)
    while few + 1 < enough:
        middle = (few + enough) // 2
        if fits(calls[:middle]) is False:
            enough = middle
        else:
            few = middle
    return calls[:enough]


def _shrunk(kept: list[Call], fits: Callable[[Sequence[Call]], bool | None]) -> list[Call]:
    """Without what can be left out, from the oldest on."""
    size = len(kept)
    while size:
        begin = 0
        while begin < len(kept):
            fewer = kept[:begin] + kept[begin + size :]
            if fits(fewer) is False:
                kept = fewer
            else:
                begin += size
        size //= 2
    return kept


# -- in words ---------------------------------------------------------------------------------------------------------


def said(words: Sequence[bytes]) -> str:
    """A command as one would type it."""
    return b" ".join(words).decode("utf-8", "backslashreplace")


def plain(value: object) -> str:
    """A state or a reply, without the marks of Python."""
    match value:
        case None:
            return "nothing"
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case tuple() | list():
            return f"[{' '.join(map(plain, value))}]"
        case frozenset():
            return f"{{{' '.join(sorted(map(plain, value)))}}}"
        case int():
            return str(value)
    return getattr(value, "text", b"an error").decode()
