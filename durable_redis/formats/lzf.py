"""LZF: the compression inside RDB files, for strings of more than twenty bytes.

The law of this file: bytes to bytes; it knows nothing of RDB.  LZF is made to be undone at the speed of memory: no
bit is shifted, there are only two kinds of chunk, told apart by the top three bits of the first byte (lzf_d.c):

    000LLLLL                      then L+1 bytes to copy as they are           (1 to 32 bytes)
    LLLooooo oooooooo             L+2 bytes that already stand o+1 back        (3 to 8 bytes, up to 8192 back)
    111ooooo LLLLLLLL oooooooo    the same, L+9 bytes                          (9 to 264 bytes)

Worked: `04 61 62 63 64 61  c0 04` is first five literal bytes, `abcda`; then c0 = 110 00000 says 6+2 = 8 bytes from
4+1 = 5 back.  A copy may overlap what it writes: it repeats the five, and then three of them again: `abcdaabcdaabc`.

Three bytes can stand for 264, so whoever declares a length above 88 times the size of the compressed bytes is lying,
and is refused before anything is allocated.  The optional package `lzf` does both directions in C.
"""

from __future__ import annotations

from typing import Final

try:
    import lzf as _accelerator
except ImportError:
    _accelerator = None

LARGEST_RATIO: Final = 88
"""264 bytes out of 3."""

LONGEST_LITERAL: Final = 32
LONGEST_COPY: Final = 264
FARTHEST_BACK: Final = 8192


class LzfError(ValueError):
    """These bytes are not an LZF stream of the length that was declared for them."""


def decompress(data: bytes, expected_length: int) -> bytes:
    """Undo `compress`, never allocating more than `expected_length`; LzfError if the stream holds more or less."""
    _check_length(data, expected_length)
    if _accelerator is None:
        return decompress_in_python(data, expected_length)
    if expected_length == 0:
        return b""
    try:
        output: bytes | None = _accelerator.decompress(data, expected_length)
    except ValueError as error:
        raise LzfError("the compressed bytes are damaged") from error
    if output is None or len(output) != expected_length:
        raise LzfError(f"the compressed bytes do not hold the {expected_length} bytes declared for them")
    return output


def decompress_in_python(data: bytes, expected_length: int) -> bytes:
    """`decompress` without the accelerator."""
    _check_length(data, expected_length)
    output = bytearray()
    position, limit = 0, len(data)
    while position < limit:
        control = data[position]
        position += 1
        if control < LONGEST_LITERAL:
            length = control + 1
            if position + length > limit:
                raise LzfError("the compressed bytes end inside a literal run")
            output += data[position : position + length]
            position += length
        else:
            length = (control >> 5) + 2
            if position + (length == 9) >= limit:  # the long form has one byte more
                raise LzfError("the compressed bytes end inside a back reference")
            if length == 9:
                length += data[position]
                position += 1
            distance = ((control & 0x1F) << 8 | data[position]) + 1
            position += 1
            _copy_from_back(output, distance, length)
        if len(output) > expected_length:
            raise LzfError(f"the compressed bytes hold more than the {expected_length} bytes declared for them")
    if len(output) != expected_length:
        raise LzfError(f"the compressed bytes hold {len(output)} bytes, not the {expected_length} declared for them")
    return bytes(output)


def _check_length(data: bytes, expected_length: int) -> None:
    if expected_length > LARGEST_RATIO * len(data):
        raise LzfError(f"{len(data)} compressed bytes cannot hold the {expected_length} bytes declared for them")
    if data and expected_length == 0:
        raise LzfError(f"{len(data)} compressed bytes cannot hold nothing")


def _copy_from_back(output: bytearray, distance: int, length: int) -> None:
    start = len(output) - distance
    if start < 0:
        raise LzfError(f"a back reference points {-start} bytes before the beginning")
    piece = output[start : start + length]
    # An overlapping copy repeats the last `distance` bytes for as long as it needs.
    output += (piece * (length // distance + 1))[:length] if distance < length else piece


def compress(data: bytes) -> bytes | None:
    """The LZF form of `data`, or None if it is not shorter.  Any decompressor reads it back."""
    if len(data) < 4:
        return None
    if _accelerator is None:
        return compress_in_python(data)
    output: bytes | None = _accelerator.compress(data)
    return output if output is not None and len(output) < len(data) else None


def compress_in_python(data: bytes) -> bytes | None:
    """`compress` without the accelerator: remember where each three bytes were last seen, and point back there."""
    last_seen: dict[bytes, int] = {}
    output = bytearray()
    literal_start = position = 0
    while position + 3 <= len(data):
        three = data[position : position + 3]
        earlier = last_seen.get(three, -1)
        last_seen[three] = position
        if earlier < 0 or position - earlier > FARTHEST_BACK:
            position += 1
            continue
        _append_literals(output, data[literal_start:position])
        length = _matching_length(data, earlier, position)
        _append_copy(output, position - earlier, length)
        position += length
        literal_start = position
    _append_literals(output, data[literal_start:])
    return bytes(output) if len(output) < len(data) else None


def _matching_length(data: bytes, earlier: int, position: int) -> int:
    """How many bytes at `position` repeat those at `earlier`; three are known to."""
    length, longest = 3, min(LONGEST_COPY, len(data) - position)
    while length < longest and data[earlier + length] == data[position + length]:
        length += 1
    return length


def _append_literals(output: bytearray, literals: bytes) -> None:
    for start in range(0, len(literals), LONGEST_LITERAL):
        run = literals[start : start + LONGEST_LITERAL]
        output.append(len(run) - 1)
        output += run


def _append_copy(output: bytearray, distance: int, length: int) -> None:
    high, low = divmod(distance - 1, 256)
    if length < 9:
        output += bytes((length - 2 << 5 | high, low))
    else:
        output += bytes((7 << 5 | high, length - 9, low))
