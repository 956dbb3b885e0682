"""SCAN, SSCAN, HSCAN, ZSCAN: iteration in pieces, with nothing remembered between two calls.

Redis's guarantee: an element that is there from the first call to the last is returned; one that comes or goes
meanwhile may or may not be.  Redis reads buckets of its hash table in an order that survives resizing.  Here the
elements are taken in the order of a fixed hash (CRC-32) of their names, and the cursor is the hash to go on from:

    hashes          3  8  8  20  31         COUNT 2
    SCAN 0      ->  3  8  8 (both, they share the hash)    cursor 9
    SCAN 9      ->           20  31                        cursor 0: the end

A name's hash never changes, so an element that stays is met exactly once.  As in Redis, a small collection is returned
whole, whatever COUNT says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer
from durable_redis.engine.commands.introspection import is_compact
from durable_redis.engine.commands.keys import type_name
from durable_redis.engine.errors import CommandError
from durable_redis.engine.glob import compile_glob
from durable_redis.engine.table import Call, Command
from durable_redis.engine.values import Container, RedisHash, RedisSet, SortedSet
from durable_redis.formats.resp import Reply, format_double

DEFAULT_COUNT = 10


@dataclass(slots=True)
class _Options:
    count: int = DEFAULT_COUNT
    pattern: bytes = b"*"
    type_name: str | None = None

    def select(self, names: Iterable[bytes]) -> list[bytes]:
        """The names that MATCH lets through."""
        matches = compile_glob(self.pattern).fullmatch
        return [name for name in names if self.pattern == b"*" or matches(name)]


def _cursor(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20 or int(text) >= 2**64:
        raise CommandError("ERR invalid cursor")
    return int(text)


def _options(call: Call, start: int, with_type: bool = False) -> _Options:
    options = _Options()
    for index in range(start, len(call.argv), 2):
        word = call.option(index)
        if index + 1 == len(call.argv):
            raise CommandError(errors.SYNTAX)
        argument = call.argv[index + 1]
        if word == b"COUNT":
            options.count = integer(argument)
            if options.count < 1:
                raise CommandError(errors.SYNTAX)
        elif word == b"MATCH":
            options.pattern = argument
        elif word == b"TYPE" and with_type:
            options.type_name = argument.decode("latin-1").lower()
        else:
            raise CommandError(errors.SYNTAX)
    return options


def _page(ordered: list[tuple[int, bytes]], cursor: int, count: int) -> tuple[int, list[bytes]]:
    """The names from the cursor on, at least `count` if there are so many, and the next cursor (0 at the end)."""
    start = bisect_left(ordered, (cursor, b""))
    end = min(start + count, len(ordered))
    while start < end < len(ordered) and ordered[end][0] == ordered[end - 1][0]:
        end += 1
    following = ordered[end][0] if end < len(ordered) else 0
    return following, [name for _, name in ordered[start:end]]


def scan(call: Call) -> Reply:
    cursor = _cursor(call.argv[1])
    options = _options(call, 2, with_type=True)
    following, names = _page(call.database.in_scan_order(), cursor, options.count)
    found: list[Reply] = []
    for name in options.select(names):
        value = call.read(name)
        if value is not None and options.type_name in (None, type_name(value)):
            found.append(name)
    return [b"%d" % following, found]


def _scan_container(call: Call, container: Container | None, names: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    if container is None:
        return b"0", []
    options = _options(call, 3)
    if is_compact(container):
        return b"0", options.select(names)
    ordered = sorted((crc32(name), name) for name in names)
    following, page = _page(ordered, _cursor(call.argv[2]), options.count)
    return b"%d" % following, options.select(page)


def sscan(call: Call) -> Reply:
    _cursor(call.argv[2])
    members = call.find(call.argv[1], RedisSet)
    following, page = _scan_container(call, members, members.members if members else ())
    return [following, list(page)]


def hscan(call: Call) -> Reply:
    _cursor(call.argv[2])
    fields = call.find(call.argv[1], RedisHash)
    following, page = _scan_container(call, fields, fields.fields if fields else ())
    return [following, [part for field in page if fields for part in (field, fields.fields[field])]]


def zscan(call: Call) -> Reply:
    _cursor(call.argv[2])
    found = call.find(call.argv[1], SortedSet)
    names = [member for _, member in found.ordered] if found else []
    following, page = _scan_container(call, found, names)
    return [following, [part for member in page if found for part in (member, format_double(found.scores[member]))]]


COMMANDS = (
    Command("scan", -2, "readonly", scan),
    Command("sscan", -3, "readonly", sscan, 1, 1, 1),
    Command("hscan", -3, "readonly", hscan, 1, 1, 1),
    Command("zscan", -3, "readonly", zscan, 1, 1, 1),
)
