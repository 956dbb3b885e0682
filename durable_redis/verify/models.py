"""What one key may answer: Redis's register, counter, list and set as pure functions.

The law of this file: a rule takes the state of a key and a command, and gives the next state and the reply, changing
nothing.  States can be compared and hashed, for a search has to recognise where it has been:

    None                no such key
    b"7"                a string, and a counter is one
    (b"a", b"b")        a list
    frozenset({b"a"})   a set

This is written a second time on purpose, apart from the engine: a judge that shares the code of the accused shares its
mistakes.  A test runs thousands of random commands through both.  Times to live are not modelled, so no command that
sets one has a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from durable_redis.formats.resp import OK, Reply, strict_integer

State: TypeAlias = bytes | tuple[bytes, ...] | frozenset[bytes] | None
Words: TypeAlias = tuple[bytes, ...]
Outcome: TypeAlias = tuple[State, object]
"""The state afterwards, and the reply; that of SMEMBERS is a frozenset, since its order says nothing."""

REFUSED: Final = object()
"""The reply of a command that changed nothing because it does not fit the state: some error, whatever its words."""

LARGEST = 2**63 - 1
MANY = 2**31


@dataclass(frozen=True, slots=True)
class Rule:
    """One command.  `step` is only asked about keys of type `kind`, or that do not exist; `least` and `most` count its
    words, the name among them; `only_reads` says that no state is ever changed by it."""

    step: Callable[[Any, Words], Outcome]
    kind: type
    least: int
    most: int
    only_reads: bool = False

    def apply(self, state: State, words: Words) -> Outcome:
        """What this command makes of a key in this state, and what it answers."""
        if state is not None and not isinstance(state, self.kind):
            return state, REFUSED
        return self.step(state, words)


def comparable(words: Words, reply: Reply) -> object:
    """A reply from the wire, in the shape in which a rule gives it."""
    return frozenset(reply) if words[0].upper() == b"SMEMBERS" and isinstance(reply, list) else reply


# -- any key ----------------------------------------------------------------------------------------------------------


def _set(state: State, words: Words) -> Outcome:
    return words[2], OK


def _setnx(state: State, words: Words) -> Outcome:
    return (words[2], 1) if state is None else (state, 0)


def _del(state: State, words: Words) -> Outcome:
    return None, int(state is not None)


def _exists(state: State, words: Words) -> Outcome:
    return state, int(state is not None)


# -- strings and counters ---------------------------------------------------------------------------------------------


def _get(state: bytes | None, words: Words) -> Outcome:
    return state, state


def _getset(state: bytes | None, words: Words) -> Outcome:
    return words[2], state


def _getdel(state: bytes | None, words: Words) -> Outcome:
    return None, state


def _append(state: bytes | None, words: Words) -> Outcome:
    text = (state or b"") + words[2]
    return text, len(text)


def _strlen(state: bytes | None, words: Words) -> Outcome:
    return state, len(state or b"")


def _count(state: bytes | None, words: Words) -> Outcome:
    """INCR, DECR, INCRBY, DECRBY."""
    before = 0 if state is None else strict_integer(state)
    by = strict_integer(words[2]) if len(words) == 3 else 1
    if before is None or by is None:
        return state, REFUSED
    if words[0][:1] in b"Dd":
        by = -by  # which is too large for the smallest number: Redis refuses that
    after = before + by
    return (b"%d" % after, after) if by <= LARGEST and -LARGEST - 1 <= after <= LARGEST else (state, REFUSED)


# -- lists ------------------------------------------------------------------------------------------------------------


def _rpush(state: tuple[bytes, ...] | None, words: Words) -> Outcome:
    items = (state or ()) + words[2:]
    return items, len(items)


def _lpush(state: tuple[bytes, ...] | None, words: Words) -> Outcome:
    items = words[:1:-1] + (state or ())
    return items, len(items)


def _lpop(state: tuple[bytes, ...] | None, words: Words) -> Outcome:
    return (state[1:] or None, state[0]) if state else (None, None)


def _rpop(state: tuple[bytes, ...] | None, words: Words) -> Outcome:
    return (state[:-1] or None, state[-1]) if state else (None, None)


def _llen(state: tuple[bytes, ...] | None, words: Words) -> Outcome:
    return state, len(state or ())


def _lrange(state: tuple[bytes, ...] | None, words: Words) -> Outcome:
    first, last = strict_integer(words[2]), strict_integer(words[3])
    if first is None or last is None:
        return state, REFUSED
    items = state or ()
    first = max(0, first + len(items)) if first < 0 else first
    last = max(-1, last + len(items)) if last < 0 else last
    return state, list(items[first : last + 1])


# -- sets -------------------------------------------------------------------------------------------------------------


def _sadd(state: frozenset[bytes] | None, words: Words) -> Outcome:
    before = state or frozenset()
    after = before.union(words[2:])
    return after, len(after) - len(before)


def _srem(state: frozenset[bytes] | None, words: Words) -> Outcome:
    before = state or frozenset()
    after = before.difference(words[2:])
    return after or None, len(before) - len(after)


def _sismember(state: frozenset[bytes] | None, words: Words) -> Outcome:
    return state, int(words[2] in (state or ()))


def _scard(state: frozenset[bytes] | None, words: Words) -> Outcome:
    return state, len(state or ())


def _smembers(state: frozenset[bytes] | None, words: Words) -> Outcome:
    return state, state or frozenset()


RULES: dict[bytes, Rule] = {
    b"SET": Rule(_set, object, 3, 3),
    b"SETNX": Rule(_setnx, object, 3, 3),
    b"DEL": Rule(_del, object, 2, 2),
    b"UNLINK": Rule(_del, object, 2, 2),
    b"EXISTS": Rule(_exists, object, 2, 2, only_reads=True),
    b"GET": Rule(_get, bytes, 2, 2, only_reads=True),
    b"GETSET": Rule(_getset, bytes, 3, 3),
    b"GETDEL": Rule(_getdel, bytes, 2, 2),
    b"APPEND": Rule(_append, bytes, 3, 3),
    b"STRLEN": Rule(_strlen, bytes, 2, 2, only_reads=True),
    b"INCR": Rule(_count, bytes, 2, 2),
    b"DECR": Rule(_count, bytes, 2, 2),
    b"INCRBY": Rule(_count, bytes, 3, 3),
    b"DECRBY": Rule(_count, bytes, 3, 3),
    b"RPUSH": Rule(_rpush, tuple, 3, MANY),
    b"LPUSH": Rule(_lpush, tuple, 3, MANY),
    b"LPOP": Rule(_lpop, tuple, 2, 2),
    b"RPOP": Rule(_rpop, tuple, 2, 2),
    b"LLEN": Rule(_llen, tuple, 2, 2, only_reads=True),
    b"LRANGE": Rule(_lrange, tuple, 4, 4, only_reads=True),
    b"SADD": Rule(_sadd, frozenset, 3, MANY),
    b"SREM": Rule(_srem, frozenset, 3, MANY),
    b"SISMEMBER": Rule(_sismember, frozenset, 3, 3, only_reads=True),
    b"SCARD": Rule(_scard, frozenset, 2, 2, only_reads=True),
    b"SMEMBERS": Rule(_smembers, frozenset, 2, 2, only_reads=True),
}
