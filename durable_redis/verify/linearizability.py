"""Linearizability: is there one order of all calls in which every answer is right?

A history is *linearizable* (Herlihy and Wing 1990) if each call can be given a moment between its beginning and its end
at which it takes effect, all at once, so that a single copy of the data, doing one call after the other, would have
given the same answers.  A stale read is what it forbids: after the OK to `SET x 2`, nobody may be told that x is 1.

**The search** is that of Wing and Gong (1993), with Lowe's cache (2017), one key at a time:

1. A call may come *next* if no other call that is still to be placed ended before it began.
2. Place one of these whose answer is right in the present state; if it was the last, an order is found.
3. If none is right, take back what was placed last and place another instead.
4. A place where the search has been (the same state, the same calls placed) is left at once.

Three remarks make it fast.  A read whose answer is right now may be placed without trying anything else: it changes
nothing, so whatever order works without it here works with it here.  A call that nobody answered is placed only if
nothing else goes on: it may also have had no effect, or have its effect later than all the rest.  And of two of those
with the same words, the one that began earlier is taken first, since nobody could tell.

The problem is NP-complete, so the search counts its steps, and answers "undecided" when they exceed a budget.

**Where it has been** is written small.  The answered calls are numbered in the order of their beginnings; all below
`base` are placed, and bit i of `window` says that number base + i is.  Placing number 5:

    base 3, window 0b010   (0 1 2 and 4 are placed)     -> base 3, window 0b110     (3 is still missing)
    placing 3 then:                                     -> base 6, window 0b000
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_redis.verify.history import NEVER_US, Call, History, HistoryError, partition
from durable_redis.verify.models import RULES, State, comparable

if TYPE_CHECKING:
    from durable_redis.lab.run import Run
    from durable_redis.verify.counterexample import Counterexample

BUDGET = 2_000_000
"""Steps of the search for one key: a few seconds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key whose calls fit no order.  `placed` of the answered ones fit one, which leaves the key in `state`; then
    none of `stuck` could be next.  `history` is all calls on the key."""

    key: bytes
    calls: int
    placed: int
    state: State
    stuck: tuple[Call, ...]
    history: tuple[Call, ...] = field(default=(), repr=False)

    @property
    def counterexample(self) -> Counterexample:
        """The few calls that show it: the smallest contradiction."""
        from durable_redis.verify.counterexample import counterexample

        return counterexample(self.key, self.history)

    def __str__(self) -> str:
        key = self.key.decode("utf-8", "backslashreplace")
        calls = "; ".join(map(str, self.stuck))
        return (
            f"key {key}: {self.placed} of {self.calls} answered calls can be put in order, and leave it at "
            f"{_shown(self.state)}; then no answer is right: {calls}"
        )


@dataclass(frozen=True)
class Verdict:
    """What the search found.  `steps` is how many calls it tried to place.

    A verdict that says no shows the smallest contradiction on the first key that it refuses: in a notebook drawn, and
    in words."""

    calls: int
    keys: int
    steps: int
    refused: tuple[Refusal, ...] = ()
    undecided: tuple[bytes, ...] = ()

    @cached_property
    def counterexample(self) -> Counterexample | None:
        """Of the first key that is refused; None if there is none."""
        return self.refused[0].counterexample if self.refused else None

    @property
    def linearizable(self) -> bool | None:
        """True, False, or None: the budget was spent before either was sure."""
        return False if self.refused else None if self.undecided else True

    def __bool__(self) -> bool:
        return self.linearizable is True

    def __str__(self) -> str:
        scope = f"{self.calls:,} calls on {self.keys:,} {'key' if self.keys == 1 else 'keys'}"
        if self.refused:
            names = ", ".join(refusal.key.decode("utf-8", "backslashreplace") for refusal in self.refused[1:])
            others = [f"And the calls on these keys fit no order: {names}."] if names else []
            return "\n".join([f"Not linearizable: {scope}.", repr(self.counterexample), *others])
        if self.undecided:
            names = ", ".join(key.decode("utf-8", "backslashreplace") for key in self.undecided[:5])
            return f"Undecided: {scope}; the budget was spent on {names}."
        return f"Linearizable: {scope}."

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        drawn = {"image/svg+xml": self.counterexample.svg} if self.counterexample else {}
        return {"text/plain": repr(self), **drawn}


def linearizable(run: Run | History, budget: int = BUDGET) -> Verdict:
    """Whether the answers that the clients of a run got, up to its end, fit one order.  As `check`."""
    if not isinstance(run, History) and not hasattr(run, "playback"):
        raise HistoryError(f"what is judged is a run, or a History, not {run!r}")
    return check(run if isinstance(run, History) else History.of(run.playback), budget)


def check(history: History, budget: int = BUDGET) -> Verdict:
    """Look for an order of each key's calls.  Raises HistoryError for what cannot be judged (see `History.by_key`)."""
    refused: list[Refusal] = []
    undecided: list[bytes] = []
    keys = partition(history)
    steps = 0
    for key, calls in keys.items():
        search = Search(calls, budget)
        found = search.run()
        steps += search.steps
        if found is None:
            undecided.append(key)
        elif not found:
            refused.append(search.refusal(key, calls))
    return Verdict(sum(map(len, keys.values())), len(keys), steps, tuple(refused), tuple(undecided))


class Place(NamedTuple):
    """Where the search is: the state of the key, and which calls are placed (see the top for `base` and `window`).
    `unheard` has a bit for each unanswered call that took effect."""

    state: State
    base: int
    window: int
    unheard: int

    @property
    def placed(self) -> int:
        """How many answered calls are placed."""
        return self.base + self.window.bit_count()


class Search:
    """The search for an order of the calls on one key, which does not exist when they begin."""

    def __init__(self, calls: Sequence[Call], budget: int = BUDGET) -> None:
        in_order = sorted(calls, key=lambda call: (call.began_us, call.ended_us))
        self.answered = [call for call in in_order if call.answered]
        # A read that nobody answered has told nobody anything.
        self.unheard = [call for call in in_order if not call.answered and not RULES[call.argv[0].upper()].only_reads]
        last: dict[tuple[bytes, ...], int] = {}
        self.twins = []  # for each of them, the one before it with the same words, or -1
        for bit, call in enumerate(self.unheard):
            self.twins.append(last.get(call.argv, -1))
            last[call.argv] = bit
        self.rules = [RULES[call.argv[0].upper()] for call in self.answered]
        self.ended = [call.ended_us for call in self.answered]
        self.began = [*(call.began_us for call in self.answered), NEVER_US]  # and then nothing begins any more
        self.replies = [comparable(call.argv, call.reply) for call in self.answered]
        self.budget = budget
        self.steps = 0
        self.farthest = Place(None, 0, 0, 0)

    def run(self) -> bool | None:
        """Whether there is an order; None if the budget is spent."""
        if not self.answered:
            return True
        seen = set()
        trail = [iter((self.farthest,))]
        while trail:
            for place in trail[-1]:
                place = self._settled(place)
                if place.base == len(self.answered):
                    return True
                if place not in seen:
                    seen.add(place)
                    trail.append(self._next(place))
                    if place.placed > self.farthest.placed:
                        self.farthest = place
                    break
            else:
                trail.pop()
            if self.steps > self.budget:
                return None
        return False

    def refusal(self, key: bytes, calls: Sequence[Call]) -> Refusal:
        """Where the search got farthest, and what it could not place there."""
        place = self.farthest
        stuck = tuple(self.answered[number] for number in self._candidates(place)[0])
        return Refusal(key, len(self.answered), place.placed, place.state, stuck, tuple(calls))

    def _candidates(self, place: Place) -> tuple[list[int], int]:
        """The answered calls that may come next, and when the first of them ends."""
        began, ended = self.began, self.ended
        numbers = []
        number, window, earliest_end_us = place.base, place.window, NEVER_US
        while began[number] < earliest_end_us:
            if not window & 1:
                numbers.append(number)
                if ended[number] < earliest_end_us:
                    earliest_end_us = ended[number]
            number += 1
            window >>= 1
        return numbers, earliest_end_us

    def _settled(self, place: Place) -> Place:
        """The place after all calls about which there is nothing to choose: one call after the other, each of which has
        ended before the next begins."""
        state, base, window, unheard = place
        if window or self.unheard:
            return place
        ended, began, rules, replies = self.ended, self.began, self.rules, self.replies
        first = base
        while base < len(rules) and ended[base] <= began[base + 1]:
            after, reply = rules[base].apply(state, self.answered[base].argv)
            if reply != replies[base]:
                break
            state = after
            base += 1
        self.steps += base - first
        return Place(state, base, 0, unheard) if base > first else place

    def _next(self, place: Place) -> Iterator[Place]:
        """The places that one more call leads to: a read alone, else the answered calls, else those unheard of."""
        state = place.state
        numbers, earliest_end_us = self._candidates(place)
        fitting: list[tuple[int, int, State]] = []
        for number in numbers:
            self.steps += 1
            rule = self.rules[number]
            after, reply = rule.apply(state, self.answered[number].argv)
            if reply == self.replies[number]:
                if rule.only_reads:
                    yield _placing(place, number, state)
                    return
                fitting.append((self.ended[number], number, after))
        if len(fitting) > 1:
            fitting.sort(key=_by_end)  # first the one whose time runs out first
        for _, number, after in fitting:
            yield _placing(place, number, after)
        for bit, call in enumerate(self.unheard):
            if call.began_us >= earliest_end_us:
                return
            twin = self.twins[bit]
            if not place.unheard >> bit & 1 and (twin < 0 or place.unheard >> twin & 1):
                self.steps += 1
                after, _ = RULES[call.argv[0].upper()].apply(state, call.argv)
                if after != state:
                    yield Place(after, place.base, place.window, place.unheard | 1 << bit)


def _by_end(fitting: tuple[int, int, State]) -> tuple[int, int]:
    return fitting[:2]


def _placing(place: Place, number: int, state: State) -> Place:
    """The place after this answered call, which leaves the key in this state."""
    base, window = place.base, place.window | 1 << number - place.base
    while window & 1:
        window >>= 1
        base += 1
    return Place(state, base, window, place.unheard)


def _shown(state: State) -> str:
    match state:
        case None:
            return "nothing"
        case tuple():
            return f"the list {list(state)}"
        case frozenset():
            return f"the set {sorted(state)}"
    return repr(state)
