"""Times to live: EXPIRE and its family, TTL and its family, PERSIST (expire.c).

Whatever way the client says it, what is stored and propagated is an absolute time in milliseconds: a command that is
replayed an hour later, from a log, must not grant another hour.  A time that has already come is a deletion.
"""

from __future__ import annotations

from durable_redis.engine.arguments import INT64_MAX, INT64_MIN, integer
from durable_redis.engine.errors import CommandError, invalid_expire
from durable_redis.engine.table import Call, Command, Handler
from durable_redis.formats.resp import Reply


def _expire(name: str, unit_ms: int, relative: bool) -> Handler:
    """EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT: they differ in the unit, and in where the time counts from."""

    def handler(call: Call) -> Reply:
        key = call.argv[1]
        conditions = _conditions(call)
        at_ms = integer(call.argv[2]) * unit_ms
        base_ms = call.now_ms if relative else 0
        if not INT64_MIN <= at_ms <= INT64_MAX - base_ms:
            raise CommandError(invalid_expire(name))
        at_ms += base_ms
        if call.read(key) is None or not _allowed(conditions, at_ms, call.database.expires.get(key)):
            return 0
        call.expire(key, at_ms, *call.argv[3:])
        return 1

    return handler


def _conditions(call: Call) -> list[bytes]:
    conditions = []
    for argument in call.argv[3:]:
        word = argument.upper()
        if word not in (b"NX", b"XX", b"GT", b"LT"):
            raise CommandError(f"ERR Unsupported option {argument.decode('latin-1')}")
        conditions.append(word)
    if b"NX" in conditions and any(word != b"NX" for word in conditions):
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if b"GT" in conditions and b"LT" in conditions:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    return conditions


def _allowed(conditions: list[bytes], at_ms: int, current_ms: int | None) -> bool:
    """Whether the conditions let the expiry time become `at_ms`; a key without one counts as living for ever."""
    return not (
        (b"NX" in conditions and current_ms is not None)
        or (b"XX" in conditions and current_ms is None)
        or (b"GT" in conditions and (current_ms is None or at_ms <= current_ms))
        or (b"LT" in conditions and current_ms is not None and at_ms >= current_ms)
    )


def _ttl(unit_ms: int, absolute: bool) -> Handler:
    """TTL, PTTL, EXPIRETIME, PEXPIRETIME: -2 without the key, -1 without an expiry time; seconds are rounded."""

    def handler(call: Call) -> Reply:
        key = call.argv[1]
        if call.read(key) is None:
            return -2
        at_ms = call.database.expires.get(key)
        if at_ms is None:
            return -1
        value_ms = at_ms if absolute else max(at_ms - call.now_ms, 0)
        return (value_ms + unit_ms // 2) // unit_ms

    return handler


def persist(call: Call) -> Reply:
    return int(call.read(call.argv[1]) is not None and call.persist(call.argv[1]))


COMMANDS = (
    Command("expire", -3, "write fast", _expire("expire", 1000, relative=True), 1, 1, 1),
    Command("pexpire", -3, "write fast", _expire("pexpire", 1, relative=True), 1, 1, 1),
    Command("expireat", -3, "write fast", _expire("expireat", 1000, relative=False), 1, 1, 1),
    Command("pexpireat", -3, "write fast", _expire("pexpireat", 1, relative=False), 1, 1, 1),
    Command("ttl", 2, "readonly fast", _ttl(1000, absolute=False), 1, 1, 1),
    Command("pttl", 2, "readonly fast", _ttl(1, absolute=False), 1, 1, 1),
    Command("expiretime", 2, "readonly fast", _ttl(1000, absolute=True), 1, 1, 1),
    Command("pexpiretime", 2, "readonly fast", _ttl(1, absolute=True), 1, 1, 1),
    Command("persist", 2, "write fast", persist, 1, 1, 1),
)
