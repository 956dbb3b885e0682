"""DUMP and RESTORE: a value as bytes that another Redis takes (cluster.c)."""

from __future__ import annotations

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer
from durable_redis.engine.errors import CommandError
from durable_redis.engine.keyspace import entry_of_value, value_of_entry
from durable_redis.engine.table import Call, Command
from durable_redis.formats.rdb import Entry, RdbError
from durable_redis.formats.rdb.payload import dump_value, has_good_footer, load_value
from durable_redis.formats.resp import OK, ErrorReply, Reply

_BAD_FOOTER = "ERR DUMP payload version or checksum are wrong"
_BAD_DATA = "ERR Bad data format"
_BUSY = "BUSYKEY Target key name already exists."


def dump(call: Call) -> Reply:
    """The value of a key; its expiry time is not in it."""
    value = call.read(call.argv[1])
    if value is None:
        return None
    entry = entry_of_value(0, b"", value, None)
    return dump_value(entry.kind, entry.value)


def restore(call: Call) -> Reply:
    """RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]; a ttl of 0 is none.

    Propagated with an absolute time, as everything is that expires.  How idle a key is, nobody asks here."""
    key, ttl, payload = call.argv[1:4]
    options = _options(call)
    if b"REPLACE" not in options and call.read(key) is not None:
        raise CommandError(_BUSY)
    at_ms = integer(ttl)
    if at_ms < 0:
        return ErrorReply("ERR Invalid TTL value, must be >= 0")
    if at_ms and b"ABSTTL" not in options:
        at_ms = _sum_of_64_bits(at_ms, call.now_ms)
    if not has_good_footer(payload):
        raise CommandError(_BAD_FOOTER)
    try:
        kind, value = load_value(payload)
    except RdbError as error:
        raise CommandError(_BAD_DATA) from error
    if at_ms and at_ms <= call.now_ms and call.engine.deletes_expired:
        if call.remove(key):
            call.propagate([b"DEL", key])
            call.changed()
        return OK
    call.store(key, value_of_entry(Entry(0, key, kind, value, None)))
    if at_ms:
        call.database.set_expiry(key, at_ms)
    if at_ms and b"ABSTTL" not in options:
        call.propagate([*call.argv[:2], b"%d" % at_ms, *call.argv[3:], b"ABSTTL"])
    return OK


def _sum_of_64_bits(first: int, second: int) -> int:
    """As C adds: what is too far in the future lies in the past, and the key is expired before it is there."""
    return (first + second + 2**63) % 2**64 - 2**63


def _options(call: Call) -> list[bytes]:
    """REPLACE and ABSTTL, as far as they were given; the others are checked and dropped."""
    found = []
    index = 4
    while index < len(call.argv):
        word = call.option(index)
        if word in (b"REPLACE", b"ABSTTL"):
            found.append(word)
        elif word in (b"IDLETIME", b"FREQ") and index + 1 < len(call.argv):
            index += 1
            number = integer(call.argv[index])
            if word == b"IDLETIME" and number < 0:
                raise CommandError("ERR Invalid IDLETIME value, must be >= 0")
            if word == b"FREQ" and not 0 <= number <= 255:
                raise CommandError("ERR Invalid FREQ value, must be >= 0 and <= 255")
        else:
            raise CommandError(errors.SYNTAX)
        index += 1
    return found


COMMANDS = (
    Command("dump", 2, "readonly", dump, 1, 1, 1),
    Command("restore", -4, "write denyoom", restore, 1, 1, 1),
)
