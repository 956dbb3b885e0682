"""Ranges of sorted sets: by rank, by score, by the members' bytes (t_zset.c).

Every range, however it is written, becomes a slice of the sorted array first; then it is counted, shown, stored or
removed.  Bounds on scores: `1.5` is inclusive, `(1.5` exclusive, `-inf` and `+inf` are allowed.  Bounds on members:
`[a` inclusive, `(a` exclusive, `-` before and `+` behind everything; they make sense only where all scores are equal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer, lenient_float
from durable_redis.engine.commands.lists import span
from durable_redis.engine.commands.sortedsets import with_scores
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command, Handler
from durable_redis.engine.values import SortedSet
from durable_redis.formats.resp import Reply

Range: TypeAlias = Callable[[SortedSet], tuple[int, int]]
"""A range that has been read: asked for a sorted set, it answers the slice (start, end) of ranks."""

_score_of = itemgetter(0)
_member_of = itemgetter(1)


# ---------------------------------------------------------------------------------------------------------------------
# Reading the three kinds of bounds
# ---------------------------------------------------------------------------------------------------------------------


def by_rank(low: bytes, high: bytes, reverse: bool = False) -> Range:
    """The ranks from one to another, inclusive; counted from the highest member if `reverse`."""
    start, end = integer(low), integer(high)

    def select(found: SortedSet) -> tuple[int, int]:
        first, last = span(start, end, len(found))
        return (len(found) - last, len(found) - first) if reverse else (first, last)

    return select


def _score_bound(text: bytes) -> tuple[float, bool]:
    exclusive = text.startswith(b"(")
    value = lenient_float(text[exclusive:])
    if value is None:
        raise CommandError("ERR min or max is not a float")
    return value, exclusive


def by_score(low: bytes, high: bytes) -> Range:
    """The members whose scores lie between two."""
    (least, above), (most, below) = _score_bound(low), _score_bound(high)

    def select(found: SortedSet) -> tuple[int, int]:
        start = (bisect_right if above else bisect_left)(found.ordered, least, key=_score_of)
        end = (bisect_left if below else bisect_right)(found.ordered, most, key=_score_of)
        return start, max(start, end)

    return select


def _member_position(text: bytes, low: bool) -> Callable[[SortedSet], int]:
    if text in (b"-", b"+"):
        return lambda found: 0 if text == b"-" else len(found)
    if text[:1] not in (b"[", b"("):
        raise CommandError("ERR min or max not valid string range item")
    before = (text[:1] == b"[") == low
    bisect = bisect_left if before else bisect_right
    return lambda found: bisect(found.ordered, text[1:], key=_member_of)


def by_member(low: bytes, high: bytes) -> Range:
    """The members that lie between two, by their bytes."""
    first, last = _member_position(low, low=True), _member_position(high, low=False)

    def select(found: SortedSet) -> tuple[int, int]:
        start, end = first(found), last(found)
        return start, max(start, end)

    return select


# ---------------------------------------------------------------------------------------------------------------------
# ZRANGE and its relatives
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Query:
    """What a command of the ZRANGE family asks for.  `kind` and `reverse` are None until an option says them."""

    kind: bytes | None = None
    reverse: bool | None = None
    scores: bool = False
    offset: int = 0
    count: int = -1


def _parse(call: Call, query: _Query, first: int, storing: bool = False) -> Range:
    """Read bounds and options; `first` is the index of the lower bound."""
    index = first + 2
    while index < len(call.argv):
        word = call.option(index)
        if word == b"WITHSCORES" and not storing:
            query.scores = True
        elif word == b"LIMIT" and index + 2 < len(call.argv):
            query.offset, query.count = integer(call.argv[index + 1]), integer(call.argv[index + 2])
            index += 2
        elif word == b"REV" and query.reverse is None:
            query.reverse = True
        elif word in (b"BYSCORE", b"BYLEX") and query.kind is None:
            query.kind = word
        else:
            raise CommandError(errors.SYNTAX)
        index += 1
    kind, reverse = query.kind or b"BYRANK", bool(query.reverse)
    if query.count != -1 and kind == b"BYRANK":
        raise CommandError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if query.scores and kind == b"BYLEX":
        raise CommandError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    low, high = call.argv[first : first + 2]
    if kind == b"BYRANK":
        return by_rank(low, high, reverse)
    if reverse:
        low, high = high, low
    return by_score(low, high) if kind == b"BYSCORE" else by_member(low, high)


def _select(found: SortedSet | None, query: _Query, select: Range) -> list[tuple[bytes, float]]:
    if found is None:
        return []
    start, end = select(found)
    pairs = [(member, value) for value, member in found.ordered[start:end]]
    if query.reverse:
        pairs.reverse()
    if query.kind not in (b"BYSCORE", b"BYLEX"):
        return pairs
    if query.offset < 0:
        return []
    return pairs[query.offset :] if query.count < 0 else pairs[query.offset : query.offset + query.count]


def _range(kind: bytes | None = None, reverse: bool | None = None) -> Handler:
    """ZRANGE, and the older commands that have one of its options in their names."""

    def handler(call: Call) -> Reply:
        query = _Query(kind, reverse)
        select = _parse(call, query, 2)
        pairs = _select(call.find(call.argv[1], SortedSet), query, select)
        return with_scores(call, pairs) if query.scores else [member for member, _ in pairs]

    return handler


def zrangestore(call: Call) -> Reply:
    query = _Query()
    select = _parse(call, query, 3, storing=True)
    pairs = _select(call.find(call.argv[2], SortedSet), query, select)
    return call.replace(call.argv[1], SortedSet(pairs))


def _count(read: Callable[[bytes, bytes], Range]) -> Handler:
    """ZCOUNT, ZLEXCOUNT."""

    def handler(call: Call) -> Reply:
        select = read(call.argv[2], call.argv[3])
        found = call.find(call.argv[1], SortedSet)
        if found is None:
            return 0
        start, end = select(found)
        return end - start

    return handler


def _remove(read: Callable[[bytes, bytes], Range]) -> Handler:
    """ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX."""

    def handler(call: Call) -> Reply:
        key = call.argv[1]
        select = read(call.argv[2], call.argv[3])
        target = call.open(key, SortedSet)
        if target is None:
            return 0
        removed = target.discard_slice(*select(target))
        call.close(key, target, removed)
        return removed

    return handler


COMMANDS = (
    Command("zrange", -4, "readonly", _range(), 1, 1, 1),
    Command("zrevrange", -4, "readonly", _range(b"BYRANK", True), 1, 1, 1),
    Command("zrangebyscore", -4, "readonly", _range(b"BYSCORE", False), 1, 1, 1),
    Command("zrevrangebyscore", -4, "readonly", _range(b"BYSCORE", True), 1, 1, 1),
    Command("zrangebylex", -4, "readonly", _range(b"BYLEX", False), 1, 1, 1),
    Command("zrevrangebylex", -4, "readonly", _range(b"BYLEX", True), 1, 1, 1),
    Command("zrangestore", -5, "write denyoom", zrangestore, 1, 2, 1),
    Command("zcount", 4, "readonly fast", _count(by_score), 1, 1, 1),
    Command("zlexcount", 4, "readonly fast", _count(by_member), 1, 1, 1),
    Command("zremrangebyrank", 4, "write", _remove(by_rank), 1, 1, 1),
    Command("zremrangebyscore", 4, "write", _remove(by_score), 1, 1, 1),
    Command("zremrangebylex", 4, "write", _remove(by_member), 1, 1, 1),
)
