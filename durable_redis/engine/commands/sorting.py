"""SORT and SORT_RO: the elements of a list, set or sorted set in order, or the values that they point to (sort.c).

`BY weight_*` sorts by the strings at the keys that the elements name, `GET` answers such strings instead of the
elements; `->field` in a pattern means a field of a hash.  A BY pattern without `*` means: do not sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer, lenient_float
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command
from durable_redis.engine.values import RedisHash, RedisList, RedisSet, SortedSet, Value
from durable_redis.formats.resp import Reply


@dataclass(slots=True)
class _Options:
    descending: bool = False
    alpha: bool = False
    start: int = 0
    count: int = -1
    by: bytes | None = None
    get: list[bytes] = field(default_factory=list)
    store: bytes | None = None

    @property
    def sorts(self) -> bool:
        return self.by is None or b"*" in self.by


def _options(call: Call, read_only: bool) -> _Options:
    options = _Options()
    index, left = 2, len(call.argv) - 3
    while left >= 0:
        word = call.option(index)
        taken = 1
        if word in (b"ASC", b"DESC"):
            options.descending = word == b"DESC"
        elif word == b"ALPHA":
            options.alpha = True
        elif word == b"LIMIT" and left >= 2:
            options.start, options.count = integer(call.argv[index + 1]), integer(call.argv[index + 2])
            taken = 3
        elif word == b"STORE" and left >= 1 and not read_only:
            options.store = call.argv[index + 1]
            taken = 2
        elif word == b"BY" and left >= 1:
            options.by = call.argv[index + 1]
            taken = 2
        elif word == b"GET" and left >= 1:
            options.get.append(call.argv[index + 1])
            taken = 2
        else:
            raise CommandError(errors.SYNTAX)
        index, left = index + taken, left - taken
    return options


def _elements(value: Value | None) -> list[bytes]:
    match value:
        case None:
            return []
        case RedisList():
            return list(value.items)
        case RedisSet():
            return list(value.members)
        case SortedSet():
            return [member for _, member in value.ordered]
    raise CommandError(errors.WRONG_TYPE)


def _look_up(call: Call, pattern: bytes, element: bytes) -> bytes | None:
    """The string that a pattern such as `weight_*` or `user_*->name` leads to, None if it leads nowhere."""
    if pattern == b"#":
        return element
    before, star, after = pattern.partition(b"*")
    if not star:
        return None
    after, arrow, hash_field = after.partition(b"->")
    if arrow and not hash_field:
        after, arrow = after + b"->", b""
    value = call.read(before + element + after)
    if arrow:
        return value.fields.get(hash_field) if isinstance(value, RedisHash) else None
    return value if isinstance(value, bytes) else None


def _weight(text: bytes | None) -> float:
    value = 0.0 if text is None else lenient_float(text)
    if value is None:
        raise CommandError("ERR One or more scores can't be converted into double")
    return value


def _in_order(call: Call, options: _Options, elements: list[bytes]) -> list[bytes]:
    weights = {element: _look_up(call, options.by, element) if options.by else element for element in elements}
    if options.alpha:
        # An element whose BY key is missing comes before all others.
        texts = {element: (text is not None, text or b"") for element, text in weights.items()}
        return sorted(elements, key=lambda element: texts[element], reverse=options.descending)
    numbers = {element: (_weight(text), element) for element, text in weights.items()}
    return sorted(elements, key=lambda element: numbers[element], reverse=options.descending)


def _sort(call: Call, read_only: bool) -> Reply:
    options = _options(call, read_only)
    value = call.read(call.argv[1])
    elements = _elements(value)
    if not options.sorts and isinstance(value, RedisSet) and options.store is not None:
        # The order of a set is nobody's promise, and must not get into a stored list by chance: sort it after all.
        options.by, options.alpha = None, True
    if options.sorts:
        elements = _in_order(call, options, elements)
    elif options.descending and isinstance(value, RedisList | SortedSet):
        elements.reverse()
    start = max(options.start, 0)
    elements = elements[start:] if options.count < 0 else elements[start : start + options.count]
    output = [_look_up(call, pattern, element) for element in elements for pattern in options.get or [b"#"]]
    if options.store is None:
        return list(output)
    result = RedisList(text or b"" for text in output)
    if len(result):
        call.store(options.store, result)
        call.changed(len(result) - 1)
    elif call.remove(options.store):
        call.changed()
    return len(result)


def sort(call: Call) -> Reply:
    return _sort(call, read_only=False)


def sort_ro(call: Call) -> Reply:
    return _sort(call, read_only=True)


def _keys(argv: Sequence[bytes]) -> list[bytes]:
    """The list that is sorted, and the one that is written to.  What BY and GET lead to is anybody's guess."""
    stored = [argv[i + 1] for i in range(2, len(argv) - 1) if argv[i].upper() == b"STORE"]
    return [argv[1], *stored[-1:]]


COMMANDS = (
    Command("sort", -2, "write denyoom movablekeys", sort, 1, 1, 1, find_keys=_keys),
    Command("sort_ro", -2, "readonly movablekeys", sort_ro, 1, 1, 1),
)
