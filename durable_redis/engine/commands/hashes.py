"""Hashes: fields and values under one key (t_hash.c).

HINCRBYFLOAT is propagated as the HSET of its result, for the reason given in `strings`.
"""

from __future__ import annotations

from durable_redis.engine import errors
from durable_redis.engine.arguments import INT64_MAX, INT64_MIN, add_floats, in_range, integer, long_double
from durable_redis.engine.commands.random_picks import pick, pick_many
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command
from durable_redis.engine.values import RedisHash
from durable_redis.formats.resp import OK, Map, Reply, strict_integer


def _fields(call: Call) -> dict[bytes, bytes]:
    """The fields at the first key, to be read only; none if there is no key."""
    found = call.find(call.argv[1], RedisHash)
    return {} if found is None else found.fields


def _set_pairs(call: Call, name: str) -> int:
    argv = call.argv
    if len(argv) % 2:
        raise CommandError(errors.wrong_arity(name))
    target = call.open_or_create(argv[1], RedisHash)
    created = sum(target.put(argv[index], argv[index + 1]) for index in range(2, len(argv), 2))
    call.close(argv[1], target, (len(argv) - 2) // 2)
    return created


def hset(call: Call) -> Reply:
    return _set_pairs(call, "hset")


def hmset(call: Call) -> Reply:
    _set_pairs(call, "hmset")
    return OK


def hsetnx(call: Call) -> Reply:
    key, name, value = call.argv[1:]
    if name in _fields(call):
        return 0
    target = call.open_or_create(key, RedisHash)
    target.put(name, value)
    call.close(key, target, 1)
    return 1


def hdel(call: Call) -> Reply:
    key = call.argv[1]
    target = call.open(key, RedisHash)
    if target is None:
        return 0
    removed = sum(target.discard(name) for name in call.argv[2:])
    call.close(key, target, removed)
    return removed


def hincrby(call: Call) -> Reply:
    key, name = call.argv[1:3]
    by = integer(call.argv[3])
    old_text = _fields(call).get(name, b"0")
    old = strict_integer(old_text)
    if old is None:
        raise CommandError("ERR hash value is not an integer")
    value = old + by
    if not INT64_MIN <= value <= INT64_MAX:
        raise CommandError(errors.OVERFLOW)
    target = call.open_or_create(key, RedisHash)
    target.put(name, b"%d" % value)
    call.close(key, target, 1)
    return value


def hincrbyfloat(call: Call) -> Reply:
    key, name, by = call.argv[1:]
    if long_double(by, errors.NOT_FLOAT) is None:
        raise CommandError("ERR value is NaN or Infinity")
    value = add_floats(_fields(call).get(name, b"0"), by, not_float="ERR hash value is not a float")
    target = call.open_or_create(key, RedisHash)
    target.put(name, value)
    call.close(key, target, 1)
    call.propagate([b"HSET", key, name, value])
    return value


def hget(call: Call) -> Reply:
    return _fields(call).get(call.argv[2])


def hmget(call: Call) -> Reply:
    fields = _fields(call)
    return [fields.get(name) for name in call.argv[2:]]


def hgetall(call: Call) -> Reply:
    return Map(list(_fields(call).items()))


def hkeys(call: Call) -> Reply:
    return list(_fields(call))


def hvals(call: Call) -> Reply:
    return list(_fields(call).values())


def hlen(call: Call) -> Reply:
    return len(_fields(call))


def hexists(call: Call) -> Reply:
    return int(call.argv[2] in _fields(call))


def hstrlen(call: Call) -> Reply:
    return len(_fields(call).get(call.argv[2], b""))


def hrandfield(call: Call) -> Reply:
    random = call.engine.random
    if len(call.argv) == 2:
        fields = _fields(call)
        return pick(random, fields) if fields else None
    count = in_range(call.argv[2])
    with_values = call.option(3) == b"WITHVALUES"
    if len(call.argv) > 4 or (len(call.argv) == 4 and not with_values):
        raise CommandError(errors.SYNTAX)
    if with_values and abs(count) > INT64_MAX // 2:
        raise CommandError(errors.OUT_OF_RANGE)
    pairs = list(_fields(call).items())
    picked = pick_many(random, pairs, count) if pairs else []
    if not with_values:
        return [name for name, _ in picked]
    if call.resp3:
        return [[name, value] for name, value in picked]
    return [part for pair in picked for part in pair]


COMMANDS = (
    Command("hset", -4, "write denyoom fast", hset, 1, 1, 1),
    Command("hmset", -4, "write denyoom fast", hmset, 1, 1, 1),
    Command("hsetnx", 4, "write denyoom fast", hsetnx, 1, 1, 1),
    Command("hdel", -3, "write fast", hdel, 1, 1, 1),
    Command("hincrby", 4, "write denyoom fast", hincrby, 1, 1, 1),
    Command("hincrbyfloat", 4, "write denyoom fast", hincrbyfloat, 1, 1, 1),
    Command("hget", 3, "readonly fast", hget, 1, 1, 1),
    Command("hmget", -3, "readonly fast", hmget, 1, 1, 1),
    Command("hgetall", 2, "readonly", hgetall, 1, 1, 1),
    Command("hkeys", 2, "readonly", hkeys, 1, 1, 1),
    Command("hvals", 2, "readonly", hvals, 1, 1, 1),
    Command("hlen", 2, "readonly fast", hlen, 1, 1, 1),
    Command("hexists", 3, "readonly fast", hexists, 1, 1, 1),
    Command("hstrlen", 3, "readonly fast", hstrlen, 1, 1, 1),
    Command("hrandfield", -2, "readonly", hrandfield, 1, 1, 1),
)
