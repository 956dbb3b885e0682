"""Keys of any type: DEL, EXISTS, TYPE, RENAME, COPY, MOVE, and whole databases: FLUSHALL, SWAPDB, DBSIZE (db.c)."""

from __future__ import annotations

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer
from durable_redis.engine.errors import CommandError
from durable_redis.engine.glob import compile_glob
from durable_redis.engine.keyspace import Database
from durable_redis.engine.table import Call, Command
from durable_redis.engine.values import Container, OpaqueValue, Value
from durable_redis.formats.resp import OK, Reply, Status

_SAME_OBJECT = "ERR source and destination objects are the same"

# A replica may hold nothing but keys that its primary has not deleted yet: RANDOMKEY gives up looking after so many.
_RANDOMKEY_TRIES = 100


def delete(call: Call) -> Reply:
    """DEL and UNLINK: the difference is who frees the memory, which Python decides by itself."""
    count = sum(call.remove(key) for key in call.argv[1:])
    call.changed(count)
    return count


def exists(call: Call) -> Reply:
    """EXISTS and TOUCH; a key that is named twice counts twice."""
    return sum(call.read(key) is not None for key in call.argv[1:])


def type_(call: Call) -> Reply:
    return Status(type_name(call.read(call.argv[1])).encode("ascii"))


def type_name(value: Value | None) -> str:
    """What TYPE calls a value."""
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return "string"
    return value.opaque_kind if isinstance(value, OpaqueValue) else value.kind


# ---------------------------------------------------------------------------------------------------------------------
# Another name, another place
# ---------------------------------------------------------------------------------------------------------------------


def _rename(call: Call, only_if_free: bool) -> bool:
    old_key, new_key = call.argv[1:]
    if call.read(old_key) is None:
        raise CommandError(errors.NO_SUCH_KEY)
    if old_key == new_key:
        return not only_if_free
    if only_if_free and call.read(new_key) is not None:
        return False
    _move(call.database, old_key, call.database, new_key)
    call.changed()
    return True


def _move(source: Database, old_key: bytes, target: Database, new_key: bytes) -> None:
    """Take a key with its expiry time elsewhere."""
    value, at_ms = source.values[old_key], source.expires.get(old_key)
    target.remove(new_key)
    source.remove(old_key)
    target.put(new_key, value)
    if at_ms is not None:
        target.set_expiry(new_key, at_ms)


def rename(call: Call) -> Reply:
    _rename(call, only_if_free=False)
    return OK


def renamenx(call: Call) -> Reply:
    return int(_rename(call, only_if_free=True))


def move(call: Call) -> Reply:
    key = call.argv[1]
    source, target = call.database, call.engine.keyspace.databases[call.database_number(call.argv[2])]
    if source is target:
        raise CommandError(_SAME_OBJECT)
    if call.read(key) is None or _read_in(call, target, key) is not None:
        return 0
    _move(source, key, target, key)
    call.changed()
    return 1


def copy(call: Call) -> Reply:
    old_key, new_key = call.argv[1:3]
    source = target = call.database
    replace = False
    index = 3
    while index < len(call.argv):
        word = call.option(index)
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and index + 1 < len(call.argv):
            index += 1
            target = call.engine.keyspace.databases[call.database_number(call.argv[index])]
        else:
            raise CommandError(errors.SYNTAX)
        index += 1
    if source is target and old_key == new_key:
        raise CommandError(_SAME_OBJECT)
    value = call.read(old_key)
    if value is None or (_read_in(call, target, new_key) is not None and not replace):
        return 0
    at_ms = source.expires.get(old_key)
    target.remove(new_key)
    target.put(new_key, value.copy() if isinstance(value, Container) else value)
    if at_ms is not None:
        target.set_expiry(new_key, at_ms)
    call.changed()
    return 1


def _read_in(call: Call, database: Database, key: bytes) -> Value | None:
    """`call.read` in another database."""
    if call.engine.expire_if_due(database, key, call.now_ms):
        return None
    return database.values.get(key)


# ---------------------------------------------------------------------------------------------------------------------
# Whole databases
# ---------------------------------------------------------------------------------------------------------------------


def keys(call: Call) -> Reply:
    matches = compile_glob(call.argv[1]).fullmatch
    return [key for key in list(call.database.values) if matches(key) and call.read(key) is not None]


def randomkey(call: Call) -> Reply:
    key = None
    for _ in range(_RANDOMKEY_TRIES):
        names = list(call.database.values)
        if not names:
            return None
        key = call.engine.random.choice(names)
        if call.read(key) is not None:
            break
    return key


def dbsize(call: Call) -> Reply:
    return len(call.database.values)


def flushdb(call: Call) -> Reply:
    _check_flush_option(call)
    call.changed(call.database.clear())
    call.propagate(call.argv)  # also when there was nothing to remove, so that replicas which differ agree again
    return OK


def flushall(call: Call) -> Reply:
    _check_flush_option(call)
    call.changed(call.engine.flush_all())
    call.propagate(call.argv)
    return OK


def _check_flush_option(call: Call) -> None:
    if len(call.argv) > 2 or call.option(1) not in (b"", b"SYNC", b"ASYNC"):
        raise CommandError(errors.SYNTAX)


def swapdb(call: Call) -> Reply:
    integer(call.argv[1], "ERR invalid first DB index")
    integer(call.argv[2], "ERR invalid second DB index")
    first, second = call.database_number(call.argv[1]), call.database_number(call.argv[2])
    databases = call.engine.keyspace.databases
    if first != second:
        databases[first].swap(databases[second])
    call.changed()
    return OK


COMMANDS = (
    Command("del", -2, "write", delete, 1, -1, 1),
    Command("unlink", -2, "write fast", delete, 1, -1, 1),
    Command("exists", -2, "readonly fast", exists, 1, -1, 1),
    Command("touch", -2, "readonly fast", exists, 1, -1, 1),
    Command("type", 2, "readonly fast", type_, 1, 1, 1),
    Command("rename", 3, "write", rename, 1, 2, 1),
    Command("renamenx", 3, "write fast", renamenx, 1, 2, 1),
    Command("move", 3, "write fast", move, 1, 1, 1),
    Command("copy", -3, "write denyoom", copy, 1, 2, 1),
    Command("keys", 2, "readonly", keys),
    Command("randomkey", 1, "readonly", randomkey),
    Command("dbsize", 1, "readonly fast", dbsize),
    Command("flushdb", -1, "write", flushdb),
    Command("flushall", -1, "write", flushall),
    Command("swapdb", 3, "write fast", swapdb),
)
