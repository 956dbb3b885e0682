"""The packed encodings, written: the inverse of `packed`, for the two that Redis 7.0 still makes.

The law of this file: a list of byte strings in, one string out, in the layouts that `packed` explains.  What reads
like a number is stored as one, in the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from durable_redis.formats.rdb.packed import END, size_of_backward_length
from durable_redis.formats.resp_commands import strict_integer


def fits(number: int, size: int) -> bool:
    """Whether a signed integer of `size` bytes can hold the number."""
    return -1 << 8 * size - 1 <= number < 1 << 8 * size - 1


def encode_intset(numbers: Iterable[int]) -> bytes:
    """Different numbers, sorted, all in the width that the widest needs."""
    ordered = sorted(numbers)
    width = next(size for size in (2, 4, 8) if fits(ordered[0], size) and fits(ordered[-1], size))
    content = b"".join(number.to_bytes(width, "little", signed=True) for number in ordered)
    return width.to_bytes(4, "little") + len(ordered).to_bytes(4, "little") + content


def encode_listpack(items: list[bytes]) -> bytes:
    """The items, in this order."""
    content = b"".join(map(_listpack_entry, items))
    total = 4 + 2 + len(content) + 1
    count = min(len(items), 0xFFFF)  # 65535 means: count them
    return total.to_bytes(4, "little") + count.to_bytes(2, "little") + content + bytes((END,))


def _listpack_entry(item: bytes) -> bytes:
    number = strict_integer(item)
    body = _listpack_string(item) if number is None else _listpack_number(number)
    return body + _backward_length(len(body))


def _listpack_string(item: bytes) -> bytes:
    length = len(item)
    if length < 0x40:
        return bytes((0x80 | length,)) + item
    if length < 0x1000:
        return (0xE000 | length).to_bytes(2, "big") + item
    return b"\xf0" + length.to_bytes(4, "little") + item


def _listpack_number(number: int) -> bytes:
    if 0 <= number < 0x80:
        return bytes((number,))
    if -0x1000 <= number < 0x1000:  # 13 bits, in two's complement
        return (0xC000 | number & 0x1FFF).to_bytes(2, "big")
    for first, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4)):
        if fits(number, size):
            return bytes((first,)) + number.to_bytes(size, "little", signed=True)
    return b"\xf4" + number.to_bytes(8, "little", signed=True)


def _backward_length(size: int) -> bytes:
    """Seven bits a byte, highest first; every byte but the first has its top bit set: read from the right, the byte
    without it is the last.  300 = 2 x 128 + 44 is `02 ac`."""
    width = size_of_backward_length(size)
    digits = [size >> 7 * shift & 0x7F for shift in range(width - 1, -1, -1)]
    return bytes(digits[:1]) + bytes(0x80 | digit for digit in digits[1:])
