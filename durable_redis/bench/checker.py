"""The linearizability checker beside the search that everybody writes.

No package for Python does this, so the peer is the published search in its plainest form, written here for the purpose:
Wing and Gong's (1993) with Lowe's cache (2017), the calls and their ends in one linked list, as Knossos and Porcupine
keep them.  Both are given the calls on each key for themselves, the same rules (`verify.models`), and the same history,
and both must find that it is linearizable.

How they scale shows in two rows: many short histories, and a long one.  In the
peer's cache each place is the set of all calls placed, as long as the history; in ours it is a number, and what is open
at the moment (`verify.linearizability`, the window).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from random import Random
from typing import cast

from durable_redis.bench.measure import Peer, Row, compare, seconds
from durable_redis.formats.resp import Reply
from durable_redis.verify.history import Call, History, partition
from durable_redis.verify.linearizability import check
from durable_redis.verify.models import RULES, State, comparable

CALLS, KEYS = 100_000, 1_000
LONG = 20_000
CLIENTS = 8
Checker = Callable[[Sequence[Call]], bool | None]
AIM = 1.0
"""No slower than the plain search where both are fast: what we add must not cost more than it saves."""


def measure_checker(scale: float, rounds: int) -> list[Row]:
    """Calls judged a second."""
    many = made_history(1, max(20, round(CALLS * scale)), max(1, round(KEYS * scale)))
    one = made_history(2, max(20, round(LONG * scale)), 1)
    return [
        compare(
            f"checker: {len(calls):,} calls on {keys:,} {'key' if keys == 1 else 'keys'}",
            "calls/s",
            partial(_rate, _ours, calls),
            Peer("Wing, Gong, Lowe", (), partial(_rate, plain_search, calls)),
            AIM,
            rounds,
        )
        for calls, keys in ((many, max(1, round(KEYS * scale))), (one, 1))
    ]


def made_history(seed: int, calls: int, keys: int) -> list[Call]:
    """A linearizable history of registers: a call every 10 µs, and about eight of them at a time.  Each takes effect
    in the middle of its time, on one copy of the data."""
    random = Random(f"{seed}/checker")
    states: dict[bytes, State] = {}
    made = []
    for number in range(calls):
        key = b"k%d" % random.randrange(keys)
        words = (b"GET", key) if random.random() < 0.5 else (b"SET", key, b"%d" % number)
        states[key], reply = RULES[words[0]].apply(states.get(key), words)
        began_us = 10 * number - random.randrange(10 * CLIENTS)
        made.append(
            Call(f"c{number}", words, began_us, 10 * number + random.randrange(1, 10 * CLIENTS), cast(Reply, reply))
        )
    return made


def _rate(checker: Checker, calls: Sequence[Call]) -> float:
    found: list[bool | None] = []
    took = seconds(lambda: found.append(checker(calls)))
    assert found == [True], "the history was made to be linearizable"
    return len(calls) / took


def _ours(calls: Sequence[Call]) -> bool | None:
    return check(History(tuple(calls))).linearizable


def plain_search(calls: Sequence[Call]) -> bool:
    """The peer: whether the calls on every key fit an order."""
    return all(map(_one_key, partition(calls).values()))


def _one_key(calls: Sequence[Call]) -> bool:
    """Beginnings and ends in a list, in the order of time; a call that is placed is taken out, with its end.

    Of `count` calls, entry n is the beginning of the nth and entry count + n is its end; entry 0 is before the first
    and after the last."""
    count = len(calls)
    times = [(call.began_us, 1, n) for n, call in enumerate(calls, start=1)]
    times += [(call.ended_us, 0, count + n) for n, call in enumerate(calls, start=1)]
    order = [0, *(entry for _, _, entry in sorted(times)), 0]
    after, before = [0] * (2 * count + 1), [0] * (2 * count + 1)
    for left, right in pairwise(order):
        after[left], before[right] = right, left
    rules = [RULES[call.argv[0].upper()] for call in calls]
    state: State = None
    placed = 0
    seen: set[tuple[int, State]] = set()
    trail: list[tuple[int, State]] = []
    entry = after[0]
    while after[0]:
        call = calls[entry - 1] if entry <= count else None
        if call is None:  # it has ended, and could not be placed before: the last one was placed wrongly
            if not trail:
                return False
            entry, state = trail.pop()
            placed ^= 1 << entry
            for back in (entry + count, entry):
                after[before[back]] = before[after[back]] = back
            entry = after[entry]
            continue
        then, reply = rules[entry - 1].apply(state, call.argv)
        right = not call.answered or reply == comparable(call.argv, call.reply)
        if right and (place := (placed | 1 << entry, then)) not in seen:
            seen.add(place)
            trail.append((entry, state))
            placed, state = place
            for gone in (entry, entry + count):
                after[before[gone]], before[after[gone]] = after[gone], before[gone]
            entry = after[0]
        else:
            entry = after[entry]
    return True
