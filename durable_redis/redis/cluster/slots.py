"""Hash slots: which of 16,384 shares of the keyspace a key belongs to.

A slot is the CRC16 of the key, modulo 16,384.  If the key has a *hash tag*, a part in braces, then only that part is
hashed, so that keys which are used together can be kept together: `{user7}.name` and `{user7}.mail` share a slot.

    the first `{`, and the first `}` behind it, with at least one byte in between; otherwise the whole key

    b"{user7}.name" -> b"user7"     b"a{}b" -> b"a{}b"     b"a{{b}}c" -> b"{b"     b"a{b}{c}" -> b"b"

Sets of slots are Python integers: bit n is slot n.  So "which of them does nobody own" is `ALL & ~owned`, and taking
slots from one node for another is two lines.

The rules: redis.io, "Redis cluster specification", section "Key distribution model"; cluster.c `keyHashSlot`.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

SLOTS = 16_384
SlotSet: TypeAlias = int
ALL: SlotSet = (1 << SLOTS) - 1


class SlotError(ValueError):
    """A text that is no set of slots.  It says which part is not, and what would be one."""


SlotRange: TypeAlias = tuple[int, int]
"""First and last slot, both included, as Redis writes them: 0-5460."""


def crc16(data: bytes) -> int:
    """CRC16 with polynomial 0x1021, starting at 0 (CRC-16/XMODEM): crc16(b"123456789") == 0x31C3."""
    return crc_hqx(data, 0)


def hashed_part(key: bytes) -> bytes:
    """The hash tag of a key, or the whole key."""
    opening = key.find(b"{")
    if opening < 0:
        return key
    closing = key.find(b"}", opening + 1)
    return key[opening + 1 : closing] if closing > opening + 1 else key


def key_slot(key: bytes) -> int:
    """The slot of a key: key_slot(b"foo") == 12182, as `CLUSTER KEYSLOT foo` answers."""
    return crc16(hashed_part(key)) % SLOTS


# -- sets of slots ---------------------------------------------------------------------------------------------------


def slots_in(ranges: Iterable[SlotRange]) -> SlotSet:
    """The set of all slots in these ranges: slots_in([(0, 1), (3, 3)]) == 0b1011."""
    slots = 0
    for first, last in ranges:
        slots |= (1 << (last + 1)) - (1 << first)
    return slots


def ranges_of(slots: SlotSet) -> list[SlotRange]:
    """The set as ranges, in order, as few as possible: ranges_of(0b1011) == [(0, 1), (3, 3)]."""
    ranges = []
    first = 0
    while slots:
        zeros = (slots & -slots).bit_length() - 1
        slots >>= zeros
        ones = (~slots & (slots + 1)).bit_length() - 1
        slots >>= ones
        first += zeros
        ranges.append((first, first + ones - 1))
        first += ones
    return ranges


def slots_text(slots: SlotSet, separator: str = ",") -> str:
    """`0-5460,6000`; "-" for no slot at all."""
    return separator.join(str(a) if a == b else f"{a}-{b}" for a, b in ranges_of(slots)) or "-"


def parse_slots(text: str, separator: str = ",") -> SlotSet:
    """The set of slots written so, in ascending order: parse_slots("0-1,3") == 0b1011.  Raises SlotError."""
    if text == "-":
        return 0
    ranges = []
    least = 0
    for part in text.split(separator):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 11:
            raise SlotError(f"slots are written like 0-5460{separator}6000, not {part[:40]!r}")
        begin, end = int(first), int(last or first)
        if not least <= begin <= end < SLOTS:
            raise SlotError(f"slots are numbers from 0 to {SLOTS - 1} in ascending order, and {part!r} breaks it")
        least = end + 1
        ranges.append((begin, end))
    return slots_in(ranges)


def equal_shares(primaries: int) -> list[SlotRange]:
    """One range for each primary, as `redis-cli --cluster create` divides: three get 0-5460, 5461-10922, 10923-16383.

    The boundary behind the i-th of n is i * 16384 / n, rounded to the nearest."""
    boundaries = [(2 * i * SLOTS + primaries) // (2 * primaries) for i in range(primaries + 1)]
    return [(first, after - 1) for first, after in pairwise(boundaries)]
