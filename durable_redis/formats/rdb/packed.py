"""The packed encodings: small collections written as one string, exactly as Redis keeps them in memory.

The law of this file: one string in, a list of byte strings out; PackedError, with the byte of the string, if it is not
what it should be.  Redis saves a small list, hash, set or sorted set by copying its memory, so the file contains four
data structures that were made to save RAM.  All numbers are little-endian unless it says otherwise.

    ziplist    bytes:4 tail:4 count:2  entries  ff          each entry: length of the one before, header, content
    listpack   bytes:4 count:2         entries  ff          each entry: header, content, its own length backwards
    intset     width:4 count:4         numbers              sorted, all of the same width of 2, 4 or 8 bytes
    zipmap     count:1                 pairs    ff          length, field, length, free bytes:1, value, free bytes

Why there are two lists: in a ziplist each entry holds the length of its predecessor, in one byte or in five; let one
entry grow past 253 bytes and every entry behind it may have to grow too.  The listpack (7.0) moved that number to the
end of the entry it describes.  Worked, the listpack of `a` and `5`:

    0b 00 00 00  02 00   81 61 02   05 01   ff
    11 bytes     2       1 letter   5       end             02 and 01: this entry took so many bytes

Numbers inside are kept as numbers and come out as the digits they stand for.  A count of 65535 means "count them".
"""

from __future__ import annotations

from typing import Final

END: Final = 0xFF
UNKNOWN_COUNT: Final = 0xFFFF

DIGITS: Final = tuple(b"%d" % number for number in range(128))
"""The small numbers, ready to hand out: most numbers are small."""


class PackedError(Exception):
    """A packed string is damaged: at which of its bytes, and how."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(position, reason)
        self.position = position
        self.reason = reason


def _check(condition: bool, position: int, reason: str) -> None:
    if not condition:
        raise PackedError(position, reason)


def _check_total(data: bytes, smallest: int, encoding: str) -> None:
    """The header fits, and the first four bytes say how long the whole is; the last byte is the end mark."""
    size = len(data)
    if size < smallest:
        raise PackedError(0, f"{size} bytes are too few for a {encoding}")
    declared = int.from_bytes(data[:4], "little")
    if declared != size:
        raise PackedError(0, f"the {encoding} says it has {declared} bytes, but it has {size}")
    if data[-1] != END:
        raise PackedError(size - 1, f"the {encoding} does not end with 0xff")


def _check_count(items: list[bytes], declared: int, encoding: str) -> list[bytes]:
    if declared not in (len(items), UNKNOWN_COUNT):
        raise PackedError(4, f"the {encoding} says {declared} entries, but has {len(items)}")
    return items


# ---------------------------------------------------------------------------------------------------------------------
# Listpack
# ---------------------------------------------------------------------------------------------------------------------

LISTPACK_HEADER: Final = 6


def listpack_items(data: bytes) -> list[bytes]:
    """The entries of a listpack (listpack.c).  Each begins with a header:

    0nnnnnnn                    a number, 0 to 127
    10llllll                    a string of l bytes
    110nnnnn nnnnnnnn           a signed number of 13 bits, big-endian
    1110llll llllllll           a string of l bytes, 12 bits, big-endian
    11110000 and 4 bytes        a string of so many bytes
    11110001 to 11110100        a signed number of 2, 3, 4 or 8 bytes
    """
    _check_total(data, LISTPACK_HEADER + 1, "listpack")
    items: list[bytes] = []
    append = items.append
    position, limit = LISTPACK_HEADER, len(data) - 1
    while position < limit:
        first = data[position]
        if first < 0x80:
            append(DIGITS[first])
            end = position + 1
        elif first < 0xC0:
            end = position + 1 + (first & 0x3F)
            append(data[position + 1 : end])
        else:
            item, end = _long_listpack_entry(data, position, first, limit)
            append(item)
        # The entry's own length follows it, for walking backwards; forwards, only the room it takes matters.
        size = end - position
        position = end + (1 if size < 128 else size_of_backward_length(size))
    _check(position == limit, position, "a listpack entry runs past the end of the listpack")
    return _check_count(items, int.from_bytes(data[4:6], "little"), "listpack")


def size_of_backward_length(size: int) -> int:
    """How many bytes hold the length of an entry of `size` bytes, seven bits each.

    The largest number of each width is written one byte wider than it needs: listpack.c says `<`, not `<=`, and what is
    written so must be read so."""
    if size < 128:
        return 1
    return 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5


def _long_listpack_entry(data: bytes, position: int, first: int, limit: int) -> tuple[bytes, int]:
    """An entry whose header is not of the two short forms, and where it ends."""
    start = position + 1
    if first < 0xE0:
        number = (first & 0x1F) << 8 | _byte(data, start, limit)
        return b"%d" % (number - 0x2000 if number & 0x1000 else number), start + 1
    if first < 0xF0:
        length = (first & 0x0F) << 8 | _byte(data, start, limit)
        return _piece(data, start + 1, length, limit)
    if first == 0xF0:
        length = int.from_bytes(_piece(data, start, 4, limit)[0], "little")
        return _piece(data, start + 4, length, limit)
    sizes = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
    _check(first in sizes, position, f"0x{first:02x} does not begin a listpack entry")
    return _number(data, start, sizes[first], limit)


def _byte(data: bytes, position: int, limit: int) -> int:
    if position >= limit:
        raise PackedError(position, "the packed bytes end inside an entry")
    return data[position]


def _piece(data: bytes, start: int, length: int, limit: int) -> tuple[bytes, int]:
    if length > limit - start:
        raise PackedError(start, f"an entry of {length} bytes does not fit in the {limit - start} left")
    return data[start : start + length], start + length


def _number(data: bytes, start: int, size: int, limit: int) -> tuple[bytes, int]:
    content, end = _piece(data, start, size, limit)
    return b"%d" % int.from_bytes(content, "little", signed=True), end


# ---------------------------------------------------------------------------------------------------------------------
# Ziplist
# ---------------------------------------------------------------------------------------------------------------------

ZIPLIST_HEADER: Final = 10
LONG_PREDECESSOR: Final = 0xFE


def ziplist_items(data: bytes) -> list[bytes]:
    """The entries of a ziplist (ziplist.c).  Each begins with the length of the one before: a byte, or 0xfe and four
    bytes.  Then a header:

    00llllll                    a string of l bytes
    01llllll llllllll           a string of l bytes, 14 bits, big-endian
    10000000 and 4 bytes        a string of so many bytes, big-endian
    11000000 11010000 11100000  a signed number of 2, 4 or 8 bytes
    11110000 11111110           a signed number of 3 bytes, or of 1
    1111nnnn                    the number n-1, 0 to 12 (n from 1 to 13)
    """
    _check_total(data, ZIPLIST_HEADER + 1, "ziplist")
    items: list[bytes] = []
    append = items.append
    position, limit = ZIPLIST_HEADER, len(data) - 1
    previous_size = 0
    while position < limit:
        start = position
        header = data[position + 1]  # it may be the end mark, which is no header
        behind_a_short_one = data[position] == previous_size < LONG_PREDECESSOR
        # Short strings and small numbers, which most entries are, are read here, without a call.
        if header < 0x40 and behind_a_short_one:
            position += 2 + header
            append(data[start + 2 : position])
        elif 0xF1 <= header <= 0xFD and behind_a_short_one:
            position += 2
            append(DIGITS[header - 0xF1])
        else:
            position = _check_predecessor(data, start, previous_size, limit)
            item, position = _ziplist_entry(data, position, limit)
            append(item)
        previous_size = position - start
    if position != limit:
        raise PackedError(position, "a ziplist entry runs past the end of the ziplist")
    return _check_count(items, int.from_bytes(data[8:10], "little"), "ziplist")


def _check_predecessor(data: bytes, start: int, previous_size: int, limit: int) -> int:
    """Where the header of the entry at `start` begins: behind the length of its predecessor, which must be right."""
    previous, position = data[start], start + 1
    if previous == LONG_PREDECESSOR:
        content, position = _piece(data, position, 4, limit)
        previous = int.from_bytes(content, "little")
    if previous != previous_size:
        raise PackedError(start, f"an entry says {previous} bytes precede it, but {previous_size} do")
    return position


_ZIPLIST_NUMBER_SIZES: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}


def _ziplist_entry(data: bytes, position: int, limit: int) -> tuple[bytes, int]:
    """The content of the entry whose header is at `position`, and where it ends."""
    first = _byte(data, position, limit)
    start = position + 1
    if 0xF1 <= first <= 0xFD:
        return DIGITS[first - 0xF1], start
    if first < 0x40:
        return _piece(data, start, first, limit)
    if first < 0x80:
        return _piece(data, start + 1, (first & 0x3F) << 8 | _byte(data, start, limit), limit)
    if first == 0x80:
        length = int.from_bytes(_piece(data, start, 4, limit)[0], "big")
        return _piece(data, start + 4, length, limit)
    _check(first in _ZIPLIST_NUMBER_SIZES, position, f"0x{first:02x} does not begin a ziplist entry")
    return _number(data, start, _ZIPLIST_NUMBER_SIZES[first], limit)


# ---------------------------------------------------------------------------------------------------------------------
# Intset and zipmap
# ---------------------------------------------------------------------------------------------------------------------

INTSET_HEADER: Final = 8


def intset_items(data: bytes) -> list[bytes]:
    """The members of an intset (intset.c), as digits."""
    _check(len(data) >= INTSET_HEADER, 0, f"{len(data)} bytes are too few for an intset")
    width = int.from_bytes(data[:4], "little")
    count = int.from_bytes(data[4:8], "little")
    _check(width in (2, 4, 8), 0, f"an intset cannot have numbers of {width} bytes")
    _check(INTSET_HEADER + width * count == len(data), 4, f"{count} numbers of {width} bytes do not fill the intset")
    numbers = memoryview(data)[INTSET_HEADER:]
    starts = range(0, len(numbers), width)
    return [b"%d" % int.from_bytes(numbers[start : start + width], "little", signed=True) for start in starts]


LONG_ZIPMAP_STRING: Final = 0xFE


def zipmap_items(data: bytes) -> list[bytes]:
    """Field, value, field, value ... of a zipmap (zipmap.c, until 2.4).  Its count is a hint: 254 means "many"."""
    _check(len(data) >= 2, 0, f"{len(data)} bytes are too few for a zipmap")
    _check(data[-1] == END, len(data) - 1, "the zipmap does not end with 0xff")
    items: list[bytes] = []
    position, limit = 1, len(data) - 1
    while position < limit:
        for free_bytes_follow in (False, True):
            length = _byte(data, position, limit)
            position += 1
            if length >= LONG_ZIPMAP_STRING:
                _check(length == LONG_ZIPMAP_STRING, position - 1, "the zipmap ends between a field and its value")
                content, position = _piece(data, position, 4, limit)
                length = int.from_bytes(content, "little")
            free = 0
            if free_bytes_follow:
                free = _byte(data, position, limit)
                position += 1
            item, position = _piece(data, position, length, limit)
            items.append(item)
            position += free
    _check(position == limit, position, "a zipmap value runs past the end of the zipmap")
    return items
