"""Sorted sets, one member at a time: adding, scores, ranks, popping (t_zset.c).

Members stand in the order of (score, member).  Ranges are in `sortedset_ranges`, unions and the like in
`sortedset_algebra`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from durable_redis.engine import errors
from durable_redis.engine.arguments import INT64_MAX, at_least_one, in_range, positive, score
from durable_redis.engine.commands.lists import popped_count
from durable_redis.engine.commands.random_picks import pick, pick_many
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command, Handler, counted_keys
from durable_redis.engine.values import SortedSet
from durable_redis.formats.resp import NULL_ARRAY, Double, Reply


def with_scores(call: Call, pairs: list[tuple[bytes, float]]) -> list[Reply]:
    """Members with their scores: a flat array in RESP2, an array of pairs in RESP3."""
    if call.resp3:
        return [[member, Double(value)] for member, value in pairs]
    return [part for member, value in pairs for part in (member, Double(value))]


# ---------------------------------------------------------------------------------------------------------------------
# ZADD
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Options:
    """The words between key and scores: only new members, only old ones, only upwards, only downwards ..."""

    nx: bool = False
    xx: bool = False
    gt: bool = False
    lt: bool = False
    ch: bool = False
    incr: bool = False

    def allow(self, old: float | None, new: float) -> bool:
        """Whether a member may get a new score."""
        if old is None:
            return not self.xx
        return not (self.nx or (self.gt and new <= old) or (self.lt and new >= old))


_OPTION_WORDS = {b"NX": "nx", b"XX": "xx", b"GT": "gt", b"LT": "lt", b"CH": "ch", b"INCR": "incr"}


def _parse(call: Call, options: _Options) -> list[tuple[bytes, float]]:
    """Fill in the options, and return the members with the scores that are asked for."""
    index = 2
    while (word := _OPTION_WORDS.get(call.option(index))) is not None:
        setattr(options, word, True)
        index += 1
    words = call.argv[index:]
    if not words or len(words) % 2:
        raise CommandError(errors.SYNTAX)
    if options.nx and options.xx:
        raise CommandError("ERR XX and NX options at the same time are not compatible")
    if options.gt + options.lt + options.nx > 1:
        raise CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if options.incr and len(words) > 2:
        raise CommandError("ERR INCR option supports a single increment-element pair")
    return [(member, score(text)) for text, member in zip(words[::2], words[1::2], strict=True)]


def _add(call: Call, options: _Options) -> Reply:
    key = call.argv[1]
    pairs = _parse(call, options)
    target = call.open(key, SortedSet)
    if target is None:
        if options.xx:
            return None if options.incr else 0
        target = call.open_or_create(key, SortedSet)
    added = updated = 0
    answer: Reply = None
    for member, value in pairs:
        old = target.scores.get(member)
        new = value + old if options.incr and old is not None else value
        if isnan(new):
            raise CommandError("ERR resulting score is not a number (NaN)")
        if not options.allow(old, new):
            continue
        if old is None:
            added += 1
        elif old != new:
            updated += 1
        if old is None or old != new:
            target.put(member, new)
        answer = Double(new)
    call.close(key, target, added + updated)
    if options.incr:
        return answer
    return added + updated if options.ch else added


def zadd(call: Call) -> Reply:
    return _add(call, _Options())


def zincrby(call: Call) -> Reply:
    return _add(call, _Options(incr=True))


def zrem(call: Call) -> Reply:
    key = call.argv[1]
    target = call.open(key, SortedSet)
    if target is None:
        return 0
    removed = sum(target.discard(member) for member in call.argv[2:])
    call.close(key, target, removed)
    return removed


# ---------------------------------------------------------------------------------------------------------------------
# Scores and ranks
# ---------------------------------------------------------------------------------------------------------------------


def _score_reply(found: SortedSet | None, member: bytes) -> Reply:
    value = None if found is None else found.scores.get(member)
    return None if value is None else Double(value)


def zscore(call: Call) -> Reply:
    return _score_reply(call.find(call.argv[1], SortedSet), call.argv[2])


def zmscore(call: Call) -> Reply:
    found = call.find(call.argv[1], SortedSet)
    return [_score_reply(found, member) for member in call.argv[2:]]


def zcard(call: Call) -> Reply:
    found = call.find(call.argv[1], SortedSet)
    return 0 if found is None else len(found)


def zrank(call: Call) -> Reply:
    found = call.find(call.argv[1], SortedSet)
    return found.rank(call.argv[2]) if found is not None and call.argv[2] in found.scores else None


def zrevrank(call: Call) -> Reply:
    found = call.find(call.argv[1], SortedSet)
    if found is None or call.argv[2] not in found.scores:
        return None
    return len(found) - 1 - found.rank(call.argv[2])


# ---------------------------------------------------------------------------------------------------------------------
# Popping and picking
# ---------------------------------------------------------------------------------------------------------------------


def _pop_members(call: Call, key: bytes, source: SortedSet, highest: bool, count: int) -> list[tuple[bytes, float]]:
    ordered = source.ordered
    popped = ordered[: -count - 1 : -1] if highest else ordered[:count]
    for _, member in popped:
        source.discard(member)
    call.close(key, source, len(popped))
    return [(member, value) for value, member in popped]


def _pop(highest: bool) -> Handler:
    """ZPOPMIN, ZPOPMAX."""

    def handler(call: Call) -> Reply:
        if len(call.argv) > 3:
            raise CommandError(errors.SYNTAX)
        key = call.argv[1]
        count = positive(call.argv[2]) if len(call.argv) == 3 else None
        source = call.open(key, SortedSet)
        if source is None or count == 0:
            return []
        popped = _pop_members(call, key, source, highest, 1 if count is None else count)
        if count is None:
            return [popped[0][0], Double(popped[0][1])]
        return with_scores(call, popped)

    return handler


def zmpop(call: Call) -> Reply:
    count_of_keys = at_least_one(call.argv[1], "ERR numkeys should be greater than 0")
    keys, where = call.argv[2 : 2 + count_of_keys], 2 + count_of_keys
    if call.option(where) not in (b"MIN", b"MAX"):
        raise CommandError(errors.SYNTAX)
    highest = call.option(where) == b"MAX"
    count = popped_count(call, where + 1)
    for key in keys:
        source = call.open(key, SortedSet)
        if source is not None:
            popped = _pop_members(call, key, source, highest, count)
            call.propagate([b"ZPOPMAX" if highest else b"ZPOPMIN", key, b"%d" % len(popped)])
            return [key, [[member, Double(value)] for member, value in popped]]
    return NULL_ARRAY


def zrandmember(call: Call) -> Reply:
    random = call.engine.random
    if len(call.argv) == 2:
        found = call.find(call.argv[1], SortedSet)
        return pick(random, found.scores) if found else None
    count = in_range(call.argv[2])
    scores_wanted = call.option(3) == b"WITHSCORES"
    if len(call.argv) > 4 or (len(call.argv) == 4 and not scores_wanted):
        raise CommandError(errors.SYNTAX)
    if scores_wanted and abs(count) > INT64_MAX // 2:
        raise CommandError(errors.OUT_OF_RANGE)
    found = call.find(call.argv[1], SortedSet)
    picked = pick_many(random, list(found.scores.items()), count) if found else []
    return with_scores(call, picked) if scores_wanted else [member for member, _ in picked]


COMMANDS = (
    Command("zadd", -4, "write denyoom fast", zadd, 1, 1, 1),
    Command("zincrby", 4, "write denyoom fast", zincrby, 1, 1, 1),
    Command("zrem", -3, "write fast", zrem, 1, 1, 1),
    Command("zscore", 3, "readonly fast", zscore, 1, 1, 1),
    Command("zmscore", -3, "readonly fast", zmscore, 1, 1, 1),
    Command("zcard", 2, "readonly fast", zcard, 1, 1, 1),
    Command("zrank", 3, "readonly fast", zrank, 1, 1, 1),
    Command("zrevrank", 3, "readonly fast", zrevrank, 1, 1, 1),
    Command("zpopmin", -2, "write fast", _pop(highest=False), 1, 1, 1),
    Command("zpopmax", -2, "write fast", _pop(highest=True), 1, 1, 1),
    Command("zmpop", -4, "write movablekeys", zmpop, find_keys=counted_keys(1)),
    Command("zrandmember", -2, "readonly", zrandmember, 1, 1, 1),
)
