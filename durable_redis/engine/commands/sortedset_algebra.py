"""Union, intersection and difference of sorted sets; plain sets take part with a score of 1 (t_zset.c).

Scores are multiplied by WEIGHTS and joined by AGGREGATE (SUM, MIN or MAX).  The inputs are taken in the order of their
sizes, as in Redis, because the last digit of a floating-point sum depends on the order of its terms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan
from typing import TypeAlias

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer, positive, score
from durable_redis.engine.commands.sortedsets import with_scores
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command, Handler, counted_keys
from durable_redis.engine.values import RedisSet, SortedSet
from durable_redis.formats.resp import Reply

_Scores: TypeAlias = dict[bytes, float]


def _sum(left: float, right: float) -> float:
    total = left + right
    return 0.0 if isnan(total) else total  # inf - inf counts as 0


_AGGREGATES: dict[bytes, Callable[[float, float], float]] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


@dataclass(slots=True)
class _Query:
    """The inputs and options of one command."""

    inputs: list[_Scores]
    weights: list[float] = field(default_factory=list)
    aggregate: bytes = b"SUM"
    scores: bool = False
    limit: int = 0

    def weighted(self) -> list[_Scores]:
        """The inputs with their weights applied, the smallest first."""
        weighted = []
        for scores, weight in zip(self.inputs, self.weights, strict=True):
            products = {member: value * weight for member, value in scores.items()}
            weighted.append({member: 0.0 if isnan(value) else value for member, value in products.items()})
        return sorted(weighted, key=len)


def _scores(call: Call, key: bytes) -> _Scores:
    value = call.read(key)
    if value is None:
        return {}
    if isinstance(value, SortedSet):
        return value.scores
    if isinstance(value, RedisSet):
        return dict.fromkeys(value.members, 1.0)
    raise CommandError(errors.WRONG_TYPE)


def _parse(call: Call, name: str, at: int, options: tuple[bytes, ...]) -> _Query:
    """Read `numkeys key ...` from the index `at` on, and the options that this command allows."""
    count = integer(call.argv[at])
    if count < 1:
        raise CommandError(f"ERR at least 1 input key is needed for '{name}' command")
    if count > len(call.argv) - at - 1:
        raise CommandError(errors.SYNTAX)
    index = at + 1 + count
    query = _Query([_scores(call, key) for key in call.argv[at + 1 : index]], [1.0] * count)
    while index < len(call.argv):
        word, left = call.option(index), len(call.argv) - index - 1
        if word not in options:
            raise CommandError(errors.SYNTAX)
        if word == b"WEIGHTS" and left >= count:
            texts = call.argv[index + 1 : index + 1 + count]
            query.weights = [score(text, "ERR weight value is not a float") for text in texts]
            index += count
        elif word == b"AGGREGATE" and left >= 1 and call.option(index + 1) in _AGGREGATES:
            query.aggregate = call.option(index + 1)
            index += 1
        elif word == b"LIMIT" and left >= 1:
            query.limit = positive(call.argv[index + 1], "ERR LIMIT can't be negative")
            index += 1
        elif word == b"WITHSCORES":
            query.scores = True
        else:
            raise CommandError(errors.SYNTAX)
        index += 1
    return query


def _union(query: _Query) -> _Scores:
    aggregate = _AGGREGATES[query.aggregate]
    result: _Scores = {}
    for scores in query.weighted():
        for member, value in scores.items():
            result[member] = aggregate(result[member], value) if member in result else value
    return result


def _intersection(query: _Query) -> _Scores:
    aggregate = _AGGREGATES[query.aggregate]
    smallest, *others = query.weighted()
    result: _Scores = {}
    for member, value in smallest.items():
        if all(member in scores for scores in others):
            for scores in others:
                value = aggregate(value, scores[member])
            result[member] = value
    return result


def _difference(query: _Query) -> _Scores:
    first, *others = query.inputs
    return {member: value for member, value in first.items() if not any(member in scores for scores in others)}


_JOINING = (b"WEIGHTS", b"AGGREGATE")


def _combine(name: str, operation: Callable[[_Query], _Scores], options: tuple[bytes, ...]) -> Handler:
    """ZUNION, ZINTER, ZDIFF."""

    def handler(call: Call) -> Reply:
        query = _parse(call, name, 1, (*options, b"WITHSCORES"))
        ordered = sorted((value, member) for member, value in operation(query).items())
        if query.scores:
            return with_scores(call, [(member, value) for value, member in ordered])
        return [member for _, member in ordered]

    return handler


def _combine_and_store(name: str, operation: Callable[[_Query], _Scores], options: tuple[bytes, ...]) -> Handler:
    """ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE."""

    def handler(call: Call) -> Reply:
        return call.replace(call.argv[1], SortedSet(operation(_parse(call, name, 2, options)).items()))

    return handler


def zintercard(call: Call) -> Reply:
    query = _parse(call, "zintercard", 1, (b"LIMIT",))
    found = len(_intersection(query))
    return min(found, query.limit) if query.limit else found


_READ = "readonly movablekeys"
_WRITE = "write denyoom movablekeys"
_STORING = counted_keys(2, target=1)

COMMANDS = (
    Command("zunion", -3, _READ, _combine("zunion", _union, _JOINING), find_keys=counted_keys(1)),
    Command("zinter", -3, _READ, _combine("zinter", _intersection, _JOINING), find_keys=counted_keys(1)),
    Command("zdiff", -3, _READ, _combine("zdiff", _difference, ()), find_keys=counted_keys(1)),
    Command(
        "zunionstore", -4, _WRITE, _combine_and_store("zunionstore", _union, _JOINING), 1, 1, 1, find_keys=_STORING
    ),
    Command(
        "zinterstore",
        -4,
        _WRITE,
        _combine_and_store("zinterstore", _intersection, _JOINING),
        1,
        1,
        1,
        find_keys=_STORING,
    ),
    Command("zdiffstore", -4, _WRITE, _combine_and_store("zdiffstore", _difference, ()), 1, 1, 1, find_keys=_STORING),
    Command("zintercard", -3, _READ, zintercard, find_keys=counted_keys(1)),
)
