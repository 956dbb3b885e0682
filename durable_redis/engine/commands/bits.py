"""Strings as arrays of bits: bit 0 is the most significant bit of the first byte (bitops.c)."""

from __future__ import annotations

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer
from durable_redis.engine.commands.strings import MAX_STRING_BYTES
from durable_redis.engine.errors import CommandError
from durable_redis.engine.table import Call, Command
from durable_redis.formats.resp import Reply

_BAD_OFFSET = "ERR bit offset is not an integer or out of range"
_BAD_BIT = "ERR bit is not an integer or out of range"


def _offset(text: bytes) -> int:
    offset = integer(text, _BAD_OFFSET)
    if not 0 <= offset < MAX_STRING_BYTES * 8:
        raise CommandError(_BAD_OFFSET)
    return offset


def setbit(call: Call) -> Reply:
    key = call.argv[1]
    offset = _offset(call.argv[2])
    bit = integer(call.argv[3], _BAD_BIT)
    if bit not in (0, 1):
        raise CommandError(_BAD_BIT)
    old_text = call.string(key)
    text = bytearray((old_text or b"").ljust(offset // 8 + 1, b"\0"))
    mask = 0x80 >> offset % 8
    old = int(bool(text[offset // 8] & mask))
    text[offset // 8] = text[offset // 8] & ~mask | mask * bit
    if old_text is None or old_text != bytes(text):
        call.update(key, bytes(text))
    return old


def getbit(call: Call) -> Reply:
    offset = _offset(call.argv[2])
    text = call.string(call.argv[1]) or b""
    return text[offset // 8] >> 7 - offset % 8 & 1 if offset // 8 < len(text) else 0


def _start_and_end(call: Call, first: int) -> tuple[int, int]:
    return integer(call.argv[first]), integer(call.argv[first + 1]) if len(call.argv) > first + 1 else -1


def _bit_range(call: Call, first: int, length: int) -> tuple[int, int]:
    """The arguments from `first` on, start [end [BYTE|BIT]], as a first and a last bit (last < first: none)."""
    start, end = _start_and_end(call, first)
    unit = call.option(first + 2) or b"BYTE"
    if unit not in (b"BYTE", b"BIT"):
        raise CommandError(errors.SYNTAX)
    total = length if unit == b"BYTE" else length * 8
    start = max(start + total, 0) if start < 0 else start
    end = min(max(end + total, 0) if end < 0 else end, total - 1)
    return (start * 8, end * 8 + 7) if unit == b"BYTE" else (start, end)


def _bits(text: bytes, first: int, last: int) -> str:
    """The bits from `first` to `last` as a string of 0 and 1."""
    if last < first:
        return ""
    piece = text[first // 8 : last // 8 + 1]
    digits = f"{int.from_bytes(piece):0{len(piece) * 8}b}"
    return digits[first % 8 : first % 8 + last - first + 1]


def bitcount(call: Call) -> Reply:
    text = call.string(call.argv[1])
    if text is None:
        return 0
    if len(call.argv) == 3 or len(call.argv) > 5:
        raise CommandError(errors.SYNTAX)
    if len(call.argv) == 2:
        return _bits(text, 0, len(text) * 8 - 1).count("1")
    start, end = _start_and_end(call, 2)
    if start < 0 and end < 0 and start > end:  # BITPOS, below, has no such rule: both bounds may be cut to 0
        return 0
    return _bits(text, *_bit_range(call, 2, len(text))).count("1")


def bitpos(call: Call) -> Reply:
    wanted = integer(call.argv[2])
    if wanted not in (0, 1):
        raise CommandError("ERR The bit argument must be 1 or 0.")
    text = call.string(call.argv[1])
    if text is None:
        return -1 if wanted else 0
    if len(call.argv) > 6:
        raise CommandError(errors.SYNTAX)
    first, last = _bit_range(call, 3, len(text)) if len(call.argv) > 3 else (0, len(text) * 8 - 1)
    position = _bits(text, first, last).find(str(wanted))
    if position >= 0:
        return first + position
    # Without an end, a string of ones is thought to be followed by zeros.
    return len(text) * 8 if not wanted and last >= first and len(call.argv) <= 4 else -1


def bitop(call: Call) -> Reply:
    operation, target = call.option(1), call.argv[2]
    if operation not in (b"AND", b"OR", b"XOR", b"NOT"):
        raise CommandError(errors.SYNTAX)
    if operation == b"NOT" and len(call.argv) != 4:
        raise CommandError("ERR BITOP NOT must be called with a single source key.")
    texts = [call.string(key) or b"" for key in call.argv[3:]]
    length = max(map(len, texts))
    result, *others = [int.from_bytes(text.ljust(length, b"\0")) for text in texts]
    for other in others:
        if operation == b"AND":
            result &= other
        elif operation == b"OR":
            result |= other
        else:
            result ^= other
    if operation == b"NOT":
        result ^= (1 << length * 8) - 1
    if length:
        call.store(target, result.to_bytes(length))
    elif call.remove(target):
        call.changed()
    return length


COMMANDS = (
    Command("setbit", 4, "write denyoom", setbit, 1, 1, 1),
    Command("getbit", 3, "readonly fast", getbit, 1, 1, 1),
    Command("bitcount", -2, "readonly", bitcount, 1, 1, 1),
    Command("bitpos", -3, "readonly", bitpos, 1, 1, 1),
    Command("bitop", -4, "write denyoom", bitop, 2, -1, 1),
)
