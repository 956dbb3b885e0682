"""Lists: pushing, popping, ranges (t_list.c).  The blocking ones (BLPOP, BLMOVE ...) are not here.

The left end is the head, index 0; negative indexes count from the tail, -1 is the last.
"""

from __future__ import annotations

from itertools import islice

from durable_redis.engine import errors
from durable_redis.engine.arguments import at_least_one, in_range, integer, positive
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command, Handler, counted_keys
from durable_redis.engine.values import RedisList
from durable_redis.formats.resp import NULL_ARRAY, OK, Reply


def _push(left: bool, only_if_exists: bool) -> Handler:
    """LPUSH, RPUSH, LPUSHX, RPUSHX."""

    def handler(call: Call) -> Reply:
        key = call.argv[1]
        target = call.open(key, RedisList) if only_if_exists else call.open_or_create(key, RedisList)
        if target is None:
            return 0
        for item in call.argv[2:]:
            target.push(item, left)
        call.close(key, target, len(call.argv) - 2)
        return len(target)

    return handler


def _pop(name: str, left: bool) -> Handler:
    """LPOP, RPOP."""

    def handler(call: Call) -> Reply:
        if len(call.argv) > 3:
            raise CommandError(errors.wrong_arity(name))
        key = call.argv[1]
        count = positive(call.argv[2]) if len(call.argv) == 3 else None
        source = call.open(key, RedisList)
        if source is None:
            return None if count is None else NULL_ARRAY
        if count is None:
            item = source.pop(left)
            call.close(key, source, 1)
            return item
        return list(_pop_many(call, key, source, left, count))

    return handler


def _pop_many(call: Call, key: bytes, source: RedisList, left: bool, count: int) -> list[bytes]:
    popped = [source.pop(left) for _ in range(min(count, len(source)))]
    call.close(key, source, len(popped))
    return popped


def lmpop(call: Call) -> Reply:
    count_of_keys = at_least_one(call.argv[1], "ERR numkeys should be greater than 0")
    keys, where = call.argv[2 : 2 + count_of_keys], 2 + count_of_keys
    if call.option(where) not in (b"LEFT", b"RIGHT"):
        raise CommandError(errors.SYNTAX)
    left = call.option(where) == b"LEFT"
    count = popped_count(call, where + 1)
    for key in keys:
        source = call.open(key, RedisList)
        if source is not None:
            popped = _pop_many(call, key, source, left, count)
            call.propagate([b"LPOP" if left else b"RPOP", key, b"%d" % len(popped)])
            return [key, list(popped)]
    return NULL_ARRAY


def popped_count(call: Call, index: int) -> int:
    """What stands at the end of LMPOP and ZMPOP: nothing, or COUNT and a number of 1 or more."""
    if index == len(call.argv):
        return 1
    if call.option(index) != b"COUNT" or len(call.argv) < index + 2:
        raise CommandError(errors.SYNTAX)
    count = at_least_one(call.argv[index + 1], "ERR count should be greater than 0")
    if len(call.argv) > index + 2:
        raise CommandError(errors.SYNTAX)
    return count


def _move(call: Call, source_left: bool, target_left: bool) -> Reply:
    source_key, target_key = call.argv[1:3]
    source = call.open(source_key, RedisList)
    if source is None:
        return None
    call.find(target_key, RedisList)  # WRONGTYPE must be found before anything is taken
    item = source.pop(source_left)
    if source_key == target_key:
        source.push(item, target_left)
        call.close(source_key, source, 1)
        return item
    call.close(source_key, source, 1)
    target = call.open_or_create(target_key, RedisList)
    target.push(item, target_left)
    call.database.close(target_key, target)  # Redis counts the whole move as one change
    return item


def lmove(call: Call) -> Reply:
    ends = [call.option(3), call.option(4)]
    if any(end not in (b"LEFT", b"RIGHT") for end in ends):
        raise CommandError(errors.SYNTAX)
    return _move(call, ends[0] == b"LEFT", ends[1] == b"LEFT")


def rpoplpush(call: Call) -> Reply:
    return _move(call, source_left=False, target_left=True)


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------


def llen(call: Call) -> Reply:
    found = call.find(call.argv[1], RedisList)
    return 0 if found is None else len(found)


def span(start: int, end: int, length: int) -> tuple[int, int]:
    """The Python slice that Redis's inclusive, perhaps negative, bounds mean.

    >>> span(-3, -1, 5)
    (2, 5)
    """
    first = max(start + length, 0) if start < 0 else start
    last = end + length if end < 0 else min(end, length - 1)
    return (first, last + 1) if first <= last and first < length else (0, 0)


def lrange(call: Call) -> Reply:
    start, end = integer(call.argv[2]), integer(call.argv[3])
    found = call.find(call.argv[1], RedisList)
    return [] if found is None else list(islice(found.items, *span(start, end, len(found))))


def lindex(call: Call) -> Reply:
    found = call.find(call.argv[1], RedisList)
    if found is None:
        return None
    index = integer(call.argv[2])
    return found.items[index] if -len(found) <= index < len(found) else None


def lpos(call: Call) -> Reply:
    item = call.argv[2]
    rank, count, limit = _lpos_options(call)
    found = call.find(call.argv[1], RedisList)
    if found is None:
        return None if count is None else []
    indexed = list(enumerate(found.items))
    if rank < 0:
        indexed.reverse()
    examined = indexed if limit == 0 else indexed[:limit]
    matches = [index for index, other in examined if other == item][abs(rank) - 1 :]
    if count is None:
        return matches[0] if matches else None
    return list(matches if count == 0 else matches[:count])


def _lpos_options(call: Call) -> tuple[int, int | None, int]:
    """RANK, COUNT (None if it is not given; 0 means all) and MAXLEN (0 means no limit)."""
    rank, count, limit = 1, None, 0
    for index in range(3, len(call.argv), 2):
        word = call.option(index)
        if word not in (b"RANK", b"COUNT", b"MAXLEN") or index + 1 == len(call.argv):
            raise CommandError(errors.SYNTAX)
        argument = call.argv[index + 1]
        if word == b"RANK":
            rank = in_range(argument)
            if rank == 0:
                raise CommandError(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
                    "or use negative to start from the end of the list"
                )
        elif word == b"COUNT":
            count = positive(argument, "ERR COUNT can't be negative")
        else:
            limit = positive(argument, "ERR MAXLEN can't be negative")
    return rank, count, limit


# ---------------------------------------------------------------------------------------------------------------------
# Writing in the middle
# ---------------------------------------------------------------------------------------------------------------------


def lset(call: Call) -> Reply:
    key = call.argv[1]
    target = call.open(key, RedisList)
    if target is None:
        raise CommandError(errors.NO_SUCH_KEY)
    index = integer(call.argv[2])
    if not -len(target) <= index < len(target):
        raise CommandError(errors.INDEX_OUT_OF_RANGE)
    target.replace(index, call.argv[3])
    call.close(key, target, 1)
    return OK


def linsert(call: Call) -> Reply:
    key, pivot, item = call.argv[1], call.argv[3], call.argv[4]
    where = call.option(2)
    if where not in (b"BEFORE", b"AFTER"):
        raise CommandError(errors.SYNTAX)
    target = call.open(key, RedisList)
    if target is None:
        return 0
    if pivot not in target.items:
        return -1
    target.insert(target.items.index(pivot) + (where == b"AFTER"), item)
    call.close(key, target, 1)
    return len(target)


def lrem(call: Call) -> Reply:
    key, item = call.argv[1], call.argv[3]
    count = integer(call.argv[2])
    target = call.open(key, RedisList)
    if target is None:
        return 0
    left = abs(count) if count else len(target)
    removed = 0
    kept: list[bytes] = []
    for other in reversed(target.items) if count < 0 else target.items:
        if other == item and removed < left:
            removed += 1
        else:
            kept.append(other)
    if removed:
        target.refill(reversed(kept) if count < 0 else kept)
    call.close(key, target, removed)
    return removed


def ltrim(call: Call) -> Reply:
    key = call.argv[1]
    start, end = integer(call.argv[2]), integer(call.argv[3])
    target = call.open(key, RedisList)
    if target is not None:
        length = len(target)
        first, last = span(start, end, length)
        target.refill(islice(target.items, first, last))
        call.close(key, target, length - len(target))
    return OK


COMMANDS = (
    Command("lpush", -3, "write denyoom fast", _push(left=True, only_if_exists=False), 1, 1, 1),
    Command("rpush", -3, "write denyoom fast", _push(left=False, only_if_exists=False), 1, 1, 1),
    Command("lpushx", -3, "write denyoom fast", _push(left=True, only_if_exists=True), 1, 1, 1),
    Command("rpushx", -3, "write denyoom fast", _push(left=False, only_if_exists=True), 1, 1, 1),
    Command("lpop", -2, "write fast", _pop("lpop", left=True), 1, 1, 1),
    Command("rpop", -2, "write fast", _pop("rpop", left=False), 1, 1, 1),
    Command("lmpop", -4, "write movablekeys", lmpop, find_keys=counted_keys(1)),
    Command("lmove", 5, "write denyoom", lmove, 1, 2, 1),
    Command("rpoplpush", 3, "write denyoom", rpoplpush, 1, 2, 1),
    Command("llen", 2, "readonly fast", llen, 1, 1, 1),
    Command("lrange", 4, "readonly", lrange, 1, 1, 1),
    Command("lindex", 3, "readonly", lindex, 1, 1, 1),
    Command("lpos", -3, "readonly", lpos, 1, 1, 1),
    Command("lset", 4, "write denyoom", lset, 1, 1, 1),
    Command("linsert", 5, "write denyoom", linsert, 1, 1, 1),
    Command("lrem", 4, "write", lrem, 1, 1, 1),
    Command("ltrim", 4, "write", ltrim, 1, 1, 1),
)
