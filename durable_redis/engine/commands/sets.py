"""Sets: members, random picks, and the algebra of several sets (t_set.c).

SPOP takes members by luck, so what is propagated is what was taken: `SREM key member`, one for each member, or a DEL
when a count takes all that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from durable_redis.engine import errors
from durable_redis.engine.arguments import at_least_one, in_range, positive
from durable_redis.engine.commands.random_picks import pick, pick_many
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command, Handler, counted_keys
from durable_redis.engine.values import RedisSet
from durable_redis.formats.resp import Members, Reply


def _members(call: Call, key: bytes) -> dict[bytes, None]:
    """The members at a key, to be read only; none if there is no key."""
    found = call.find(key, RedisSet)
    return {} if found is None else found.members


def sadd(call: Call) -> Reply:
    key = call.argv[1]
    target = call.open_or_create(key, RedisSet)
    added = sum(target.add(member) for member in call.argv[2:])
    call.close(key, target, added)
    return added


def srem(call: Call) -> Reply:
    key = call.argv[1]
    target = call.open(key, RedisSet)
    if target is None:
        return 0
    removed = sum(target.discard(member) for member in call.argv[2:])
    call.close(key, target, removed)
    return removed


def smove(call: Call) -> Reply:
    source_key, target_key, member = call.argv[1:]
    members = _members(call, source_key)
    if not members:
        return 0
    _members(call, target_key)  # WRONGTYPE must be found before anything is taken
    if source_key == target_key or member not in members:
        return int(member in members)
    source = call.open(source_key, RedisSet)
    assert source is not None
    source.discard(member)
    call.close(source_key, source, 1)
    target = call.open_or_create(target_key, RedisSet)
    call.close(target_key, target, int(target.add(member)))
    return 1


def spop(call: Call) -> Reply:
    key, random = call.argv[1], call.engine.random
    if len(call.argv) > 3:
        raise CommandError(errors.SYNTAX)
    count = positive(call.argv[2]) if len(call.argv) == 3 else None
    target = call.open(key, RedisSet)
    if target is None:
        return None if count is None else Members([])
    if count is not None and count >= len(target):
        popped = list(target.members)
        call.database.remove(key)
        call.changed(len(popped))
        call.propagate([b"DEL", key])
        return Members(list(popped))
    popped = [pick(random, target.members)] if count is None else pick_many(random, list(target.members), count)
    for member in popped:
        target.discard(member)
    call.close(key, target, len(popped))
    if popped:
        call.propagate(*([b"SREM", key, member] for member in popped))
    return popped[0] if count is None else Members(list(popped))


def srandmember(call: Call) -> Reply:
    if len(call.argv) > 3:
        raise CommandError(errors.SYNTAX)
    count = in_range(call.argv[2]) if len(call.argv) == 3 else None
    members = list(_members(call, call.argv[1]))
    if count is None:
        return pick(call.engine.random, members) if members else None
    return list(pick_many(call.engine.random, members, count)) if members else []


def smembers(call: Call) -> Reply:
    return Members(list(_members(call, call.argv[1])))


def scard(call: Call) -> Reply:
    return len(_members(call, call.argv[1]))


def sismember(call: Call) -> Reply:
    return int(call.argv[2] in _members(call, call.argv[1]))


def smismember(call: Call) -> Reply:
    members = _members(call, call.argv[1])
    return [int(member in members) for member in call.argv[2:]]


# ---------------------------------------------------------------------------------------------------------------------
# Algebra
# ---------------------------------------------------------------------------------------------------------------------

_Sets: TypeAlias = Sequence[dict[bytes, None]]


def _intersection(sets: _Sets) -> list[bytes]:
    smallest = min(sets, key=len)
    return [member for member in smallest if all(member in other for other in sets)]


def _union(sets: _Sets) -> list[bytes]:
    return list(dict.fromkeys(member for members in sets for member in members))


def _difference(sets: _Sets) -> list[bytes]:
    first, *others = sets
    return [member for member in first if not any(member in other for other in others)]


def _combine(operation: Callable[[_Sets], list[bytes]]) -> Handler:
    """SINTER, SUNION, SDIFF."""

    def handler(call: Call) -> Reply:
        return Members(list(operation([_members(call, key) for key in call.argv[1:]])))

    return handler


def _combine_and_store(operation: Callable[[_Sets], list[bytes]]) -> Handler:
    """SINTERSTORE, SUNIONSTORE, SDIFFSTORE."""

    def handler(call: Call) -> Reply:
        result = operation([_members(call, key) for key in call.argv[2:]])
        return call.replace(call.argv[1], RedisSet(result))

    return handler


def sintercard(call: Call) -> Reply:
    count = at_least_one(call.argv[1], "ERR numkeys should be greater than 0")
    if count > len(call.argv) - 2:
        raise CommandError("ERR Number of keys can't be greater than number of args")
    limit = 0
    for index in range(2 + count, len(call.argv), 2):
        if call.option(index) != b"LIMIT" or index + 1 == len(call.argv):
            raise CommandError(errors.SYNTAX)
        limit = positive(call.argv[index + 1], "ERR LIMIT can't be negative")
    found = len(_intersection([_members(call, key) for key in call.argv[2 : 2 + count]]))
    return min(found, limit) if limit else found


COMMANDS = (
    Command("sadd", -3, "write denyoom fast", sadd, 1, 1, 1),
    Command("srem", -3, "write fast", srem, 1, 1, 1),
    Command("smove", 4, "write fast", smove, 1, 2, 1),
    Command("spop", -2, "write fast", spop, 1, 1, 1),
    Command("srandmember", -2, "readonly", srandmember, 1, 1, 1),
    Command("smembers", 2, "readonly", smembers, 1, 1, 1),
    Command("scard", 2, "readonly fast", scard, 1, 1, 1),
    Command("sismember", 3, "readonly fast", sismember, 1, 1, 1),
    Command("smismember", -3, "readonly fast", smismember, 1, 1, 1),
    Command("sinter", -2, "readonly", _combine(_intersection), 1, -1, 1),
    Command("sunion", -2, "readonly", _combine(_union), 1, -1, 1),
    Command("sdiff", -2, "readonly", _combine(_difference), 1, -1, 1),
    Command("sinterstore", -3, "write denyoom", _combine_and_store(_intersection), 1, -1, 1),
    Command("sunionstore", -3, "write denyoom", _combine_and_store(_union), 1, -1, 1),
    Command("sdiffstore", -3, "write denyoom", _combine_and_store(_difference), 1, -1, 1),
    Command("sintercard", -3, "readonly movablekeys", sintercard, find_keys=counted_keys(1)),
)
