"""OBJECT, which tells how a value is encoded, and COMMAND, which tells the command table (object.c, server.c).

The engine stores every type in one way only.  OBJECT ENCODING answers what Redis 7.0 would use for the value as it is
now, by its default thresholds; Redis itself also remembers that a value was larger once, or was appended to.  Access
times are not kept: IDLETIME is always 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from durable_redis.engine import errors
from durable_redis.engine.errors import CommandError
from durable_redis.engine.glob import compile_glob
from durable_redis.engine.table import Call, Command, container
from durable_redis.engine.values import Container, OpaqueValue, RedisHash, RedisList, RedisSet, SortedSet, Value
from durable_redis.formats.rdb.thresholds import (
    HASH_MAX_LISTPACK_ENTRIES,
    MAX_LISTPACK_VALUE,
    SET_MAX_INTSET_ENTRIES,
    ZSET_MAX_LISTPACK_ENTRIES,
)
from durable_redis.formats.resp import Map, Members, Reply, Status, strict_integer

EMBEDDED_STRING_BYTES = 44
"""object.c, OBJ_ENCODING_EMBSTR_SIZE_LIMIT."""


def is_compact(value: Container) -> bool:
    """Whether Redis would keep this container in one contiguous piece of memory."""
    match value:
        case RedisHash():
            elements = [*value.fields, *value.fields.values()]
            return len(value) <= HASH_MAX_LISTPACK_ENTRIES and _are_short(elements)
        case SortedSet():
            return len(value) <= ZSET_MAX_LISTPACK_ENTRIES and _are_short(value.scores)
        case RedisSet():
            return len(value) <= SET_MAX_INTSET_ENTRIES and None not in map(strict_integer, value.members)
    return False


def _are_short(elements: Iterable[bytes]) -> bool:
    return all(len(element) <= MAX_LISTPACK_VALUE for element in elements)


def encoding_of(value: Value) -> bytes:
    """The name of the encoding that Redis 7.0 would choose."""
    match value:
        case bytes():
            if len(value) <= 20 and strict_integer(value) is not None:
                return b"int"
            return b"embstr" if len(value) <= EMBEDDED_STRING_BYTES else b"raw"
        case RedisList():
            return b"quicklist"
        case RedisHash():
            return b"listpack" if is_compact(value) else b"hashtable"
        case RedisSet():
            return b"intset" if is_compact(value) else b"hashtable"
        case SortedSet():
            return b"listpack" if is_compact(value) else b"skiplist"
        case OpaqueValue():
            return value.opaque_kind.encode("ascii")
    raise AssertionError(f"{value!r} is no value")


_Question: TypeAlias = Callable[[Value], bytes | int]


def _about(question: _Question) -> Callable[[Call], Reply]:
    def handler(call: Call) -> Reply:
        value = call.read(call.argv[2])
        return None if value is None else question(value)

    return handler


def object_freq(call: Call) -> Reply:
    if call.read(call.argv[2]) is None:
        return None
    raise CommandError(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust."
    )


# ---------------------------------------------------------------------------------------------------------------------
# COMMAND
# ---------------------------------------------------------------------------------------------------------------------


def _describe(command: Command) -> Reply:
    flags: list[Reply] = [Status(flag.encode("ascii")) for flag in command.flags.split() if flag != "at_once"]
    subcommands: list[Reply] = [_describe(subcommand) for subcommand in command.subcommands]
    places: list[Reply] = [command.first_key, command.last_key, command.step]
    categories, tips, key_specifications = Members([]), Members([]), Members([])
    name = command.name.encode("ascii")
    return [name, command.arity, Members(flags), *places, categories, tips, key_specifications, subcommands]


def command_count(call: Call) -> Reply:
    return len(call.engine.commands)


def command_info(call: Call) -> Reply:
    table = call.engine.commands
    if len(call.argv) <= 2:
        return [_describe(command) for command in table.values()]
    found = [table.get(name.decode("latin-1").lower()) for name in call.argv[2:]]
    return [None if command is None else _describe(command) for command in found]


def command_docs(call: Call) -> Reply:
    """No documentation: redis-cli then shows no hints, and is content."""
    return Map([])


def command_list(call: Call) -> Reply:
    names = [name.encode("ascii") for name in call.engine.commands]
    if len(call.argv) == 2:
        return list(names)
    if len(call.argv) != 5 or call.option(2) != b"FILTERBY" or call.option(3) != b"PATTERN":
        raise CommandError(errors.SYNTAX)
    matches = compile_glob(call.argv[4].lower()).fullmatch
    return [name for name in names if matches(name)]


def command_getkeys(call: Call) -> Reply:
    words = call.argv[2:]
    command = call.engine.lookup(words)
    if not isinstance(command, Command):
        raise CommandError("ERR Invalid command specified")
    keys = command.keys(words)
    if not keys:
        raise CommandError("ERR The command has no key arguments")
    return list(keys)


_STALE = "loading stale"

COMMANDS = (
    container(
        "object",
        -2,
        Command("object|encoding", 3, "readonly", _about(encoding_of), 2, 2, 1),
        Command("object|refcount", 3, "readonly", _about(lambda value: 1), 2, 2, 1),
        Command("object|idletime", 3, "readonly", _about(lambda value: 0), 2, 2, 1),
        Command("object|freq", 3, "readonly", object_freq, 2, 2, 1),
    ),
    container(
        "command",
        -1,
        Command("command|count", 2, _STALE, command_count),
        Command("command|info", -2, _STALE, command_info),
        Command("command|docs", -2, _STALE, command_docs),
        Command("command|list", -2, _STALE, command_list),
        Command("command|getkeys", -3, _STALE, command_getkeys),
        flags=_STALE,
        alone=command_info,
    ),
)
