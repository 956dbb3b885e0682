"""Strings: SET and GET with all their options, counters, ranges.

What is propagated (t_string.c): a relative time to live becomes an absolute one, `SET k v EX 10` -> `SET k v PXAT ms`;
the arithmetic on floats becomes its result, `INCRBYFLOAT k 0.1` -> `SET k 10.6 KEEPTTL`, since the last digit of a sum
depends on the machine; options that only concern the reply or the condition are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.engine import errors
from durable_redis.engine.arguments import INT64_MAX, INT64_MIN, add_floats, integer
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command
from durable_redis.formats.resp import OK, Reply

MAX_STRING_BYTES = 512 * 1024 * 1024

# Option -> milliseconds in its unit, and whether it counts from now.
_EXPIRE_OPTIONS = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}


def get(call: Call) -> Reply:
    value = call.read(call.argv[1])
    if value is None or type(value) is bytes:
        return value
    raise CommandError(errors.WRONG_TYPE)


# ---------------------------------------------------------------------------------------------------------------------
# SET and its relatives
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Options:
    """The options of SET or GETEX."""

    condition: bytes = b""
    get: bool = False
    keep_ttl: bool = False
    persist: bool = False
    expire_unit: bytes = b""
    expire_text: bytes = b""

    def may_expire(self, unit: bytes) -> bool:
        """Whether no other option about the time to live was given yet; the same one may come again."""
        return not (self.keep_ttl or self.persist) and self.expire_unit in (b"", unit)


def _options(call: Call, start: int, allowed: tuple[bytes, ...]) -> _Options:
    options = _Options()
    index = start
    while index < len(call.argv):
        word = call.option(index)
        if word in _EXPIRE_OPTIONS and options.may_expire(word) and index + 1 < len(call.argv):
            options.expire_unit, options.expire_text = word, call.argv[index + 1]
            index += 1
        elif word not in allowed:
            raise CommandError(errors.SYNTAX)
        elif word in (b"NX", b"XX") and options.condition in (b"", word):
            options.condition = word
        elif word == b"GET":
            options.get = True
        elif word == b"KEEPTTL" and not (options.persist or options.expire_unit):
            options.keep_ttl = True
        elif word == b"PERSIST" and not (options.keep_ttl or options.expire_unit):
            options.persist = True
        else:
            raise CommandError(errors.SYNTAX)
        index += 1
    return options


def expire_at(name: str, text: bytes, unit_ms: int, relative: bool, now_ms: int) -> int:
    """The absolute time in ms that a time to live argument means; it must be positive, and fit into 64 bits."""
    amount = integer(text)
    latest = INT64_MAX - now_ms if relative else INT64_MAX
    if amount <= 0 or amount * unit_ms > latest:
        raise CommandError(errors.invalid_expire(name))
    return amount * unit_ms + (now_ms if relative else 0)


def set_(call: Call) -> Reply:
    argv = call.argv
    if len(argv) == 3:
        call.store(argv[1], argv[2])
        return OK
    options = _options(call, 3, (b"NX", b"XX", b"GET", b"KEEPTTL"))
    at_ms = None
    if options.expire_unit:
        unit_ms, relative = _EXPIRE_OPTIONS[options.expire_unit]
        at_ms = expire_at("set", options.expire_text, unit_ms, relative, call.now_ms)
    key = argv[1]
    old = call.string(key) if options.get else None
    exists = call.read(key) is not None
    if options.condition and exists != (options.condition == b"XX"):
        return old
    _store(call, key, argv[2], at_ms, options.keep_ttl)
    if options.get and at_ms is None:
        call.propagate([word for index, word in enumerate(argv) if index < 3 or word.upper() != b"GET"])
    return old if options.get else OK


def _store(call: Call, key: bytes, value: bytes, at_ms: int | None, keep_ttl: bool = False) -> None:
    """Set a key, perhaps with an expiry time, and propagate it with that time."""
    if keep_ttl:
        call.update(key, value)
        return
    call.store(key, value)
    if at_ms is not None:
        call.database.set_expiry(key, at_ms)
        call.propagate([b"SET", key, value, b"PXAT", b"%d" % at_ms])


def setex(call: Call) -> Reply:
    _store(call, call.argv[1], call.argv[3], expire_at("setex", call.argv[2], 1000, True, call.now_ms))
    return OK


def psetex(call: Call) -> Reply:
    _store(call, call.argv[1], call.argv[3], expire_at("psetex", call.argv[2], 1, True, call.now_ms))
    return OK


def setnx(call: Call) -> Reply:
    if call.read(call.argv[1]) is not None:
        return 0
    call.store(call.argv[1], call.argv[2])
    return 1


def getset(call: Call) -> Reply:
    key, value = call.argv[1:]
    old = call.string(key)
    call.store(key, value)
    call.propagate([b"SET", key, value])
    return old


def getdel(call: Call) -> Reply:
    key = call.argv[1]
    old = call.string(key)
    if old is not None:
        call.database.remove(key)
        call.changed()
        call.propagate([b"DEL", key])
    return old


def getex(call: Call) -> Reply:
    key = call.argv[1]
    options = _options(call, 2, (b"PERSIST",))
    value = call.string(key)
    if value is None:
        return None
    if options.expire_unit:
        unit_ms, relative = _EXPIRE_OPTIONS[options.expire_unit]
        at_ms = expire_at("getex", options.expire_text, unit_ms, relative, call.now_ms)
        call.expire(key, at_ms)
    elif options.persist and call.persist(key):
        call.propagate([b"PERSIST", key])
    return value


def mget(call: Call) -> Reply:
    values = [call.read(key) for key in call.argv[1:]]
    return [value if isinstance(value, bytes) else None for value in values]


def mset(call: Call) -> Reply:
    _set_pairs(call)
    return OK


def msetnx(call: Call) -> Reply:
    if len(call.argv) % 2 == 0:
        raise CommandError(errors.wrong_arity("msetnx"))
    if any(call.read(key) is not None for key in call.argv[1::2]):
        return 0
    _set_pairs(call)
    return 1


def _set_pairs(call: Call) -> None:
    argv = call.argv
    if len(argv) % 2 == 0:
        raise CommandError(errors.wrong_arity("mset"))
    for index in range(1, len(argv), 2):
        call.store(argv[index], argv[index + 1])


# ---------------------------------------------------------------------------------------------------------------------
# Counters
# ---------------------------------------------------------------------------------------------------------------------


def _increment(call: Call, by: int) -> int:
    key = call.argv[1]
    old = call.string(key)
    value = by if old is None else integer(old) + by
    if not INT64_MIN <= value <= INT64_MAX:
        raise CommandError(errors.OVERFLOW)
    call.update(key, b"%d" % value)
    return value


def incr(call: Call) -> Reply:
    return _increment(call, 1)


def decr(call: Call) -> Reply:
    return _increment(call, -1)


def incrby(call: Call) -> Reply:
    return _increment(call, integer(call.argv[2]))


def decrby(call: Call) -> Reply:
    by = integer(call.argv[2])
    if by == INT64_MIN:  # its negative does not fit into 64 bits
        raise CommandError("ERR decrement would overflow")
    return _increment(call, -by)


def incrbyfloat(call: Call) -> Reply:
    key = call.argv[1]
    old = call.string(key)
    value = add_floats(b"0" if old is None else old, call.argv[2])
    call.update(key, value)
    call.propagate([b"SET", key, value, b"KEEPTTL"])
    return value


# ---------------------------------------------------------------------------------------------------------------------
# Parts of strings
# ---------------------------------------------------------------------------------------------------------------------


def append(call: Call) -> Reply:
    key = call.argv[1]
    value = (call.string(key) or b"") + call.argv[2]
    if len(value) > MAX_STRING_BYTES:
        raise CommandError(errors.STRING_TOO_LONG)
    call.update(key, value)
    return len(value)


def strlen(call: Call) -> Reply:
    return len(call.string(call.argv[1]) or b"")


def getrange(call: Call) -> Reply:
    start, end = integer(call.argv[2]), integer(call.argv[3])
    value = call.string(call.argv[1]) or b""
    if start < 0 and end < 0 and start > end:
        return b""
    first = max(start + len(value), 0) if start < 0 else start
    last = max(end + len(value), 0) if end < 0 else end
    return value[first : last + 1]


def setrange(call: Call) -> Reply:
    key, patch = call.argv[1], call.argv[3]
    offset = integer(call.argv[2])
    if offset < 0:
        raise CommandError("ERR offset is out of range")
    old = call.string(key) or b""
    if not patch:
        return len(old)
    if offset + len(patch) > MAX_STRING_BYTES:
        raise CommandError(errors.STRING_TOO_LONG)
    value = old[:offset].ljust(offset, b"\0") + patch + old[offset + len(patch) :]
    call.update(key, value)
    return len(value)


COMMANDS = (
    Command("get", 2, "readonly fast", get, 1, 1, 1),
    Command("set", -3, "write denyoom", set_, 1, 1, 1),
    Command("setex", 4, "write denyoom", setex, 1, 1, 1),
    Command("psetex", 4, "write denyoom", psetex, 1, 1, 1),
    Command("setnx", 3, "write denyoom fast", setnx, 1, 1, 1),
    Command("getset", 3, "write denyoom fast", getset, 1, 1, 1),
    Command("getdel", 2, "write fast", getdel, 1, 1, 1),
    Command("getex", -2, "write fast", getex, 1, 1, 1),
    Command("mget", -2, "readonly fast", mget, 1, -1, 1),
    Command("mset", -3, "write denyoom", mset, 1, -1, 2),
    Command("msetnx", -3, "write denyoom", msetnx, 1, -1, 2),
    Command("incr", 2, "write denyoom fast", incr, 1, 1, 1),
    Command("decr", 2, "write denyoom fast", decr, 1, 1, 1),
    Command("incrby", 3, "write denyoom fast", incrby, 1, 1, 1),
    Command("decrby", 3, "write denyoom fast", decrby, 1, 1, 1),
    Command("incrbyfloat", 3, "write denyoom fast", incrbyfloat, 1, 1, 1),
    Command("append", 3, "write denyoom fast", append, 1, 1, 1),
    Command("strlen", 2, "readonly fast", strlen, 1, 1, 1),
    Command("getrange", 4, "readonly", getrange, 1, 1, 1),
    Command("substr", 4, "readonly", getrange, 1, 1, 1),
    Command("setrange", 4, "write denyoom", setrange, 1, 1, 1),
)
