"""Reading arguments: bytes into integers, scores and ranges, exactly as strictly as Redis.

An integer is what Redis's `string2ll` (util.c) accepts (`strict_integer`): `b"007"` and `b" 7"` are text.  A float is
what the C function `strtod` accepts over the whole argument (object.c `getDoubleFromObject`), except NaN, leading
blanks, and what does not fit into a double.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isinf

from durable_redis.engine import errors
from durable_redis.engine.errors import CommandError
from durable_redis.formats.resp import strict_integer

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

_DECIMAL = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITE = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)
_SIGNIFICANT = re.compile(rb"[+-]?(?:0[xX][0.]*[1-9a-fA-F]|[0.]*[1-9])")
_HEXADECIMAL = re.compile(rb"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?")


def integer(text: bytes, error: str = errors.NOT_INTEGER) -> int:
    """The 64-bit integer that these bytes write, or a command error."""
    value = strict_integer(text)
    if value is None:
        raise CommandError(error)
    return value


def positive(text: bytes, error: str = errors.NOT_POSITIVE) -> int:
    """An integer of 0 or more (t_list.c `getPositiveLongFromObjectOrReply`)."""
    value = integer(text, error)
    if value < 0:
        raise CommandError(error)
    return value


def at_least_one(text: bytes, error: str) -> int:
    """An integer of 1 or more."""
    value = integer(text, error)
    if value < 1:
        raise CommandError(error)
    return value


def parse_float(text: bytes) -> float | None:
    """The double that these bytes write, infinities included.

    None if they write none: also for NaN, and for what is too large, or too small but not zero (`ERANGE` in C)."""
    if _INFINITE.fullmatch(text):
        return float(text)
    value = strtod(text)
    if value is None or isinf(value):
        return None
    return None if value == 0 and _SIGNIFICANT.match(text) else value


def strtod(text: bytes) -> float | None:
    """The same without the checks, as C's `strtod` has it: what is too large is infinite, what is too small is 0."""
    if _DECIMAL.fullmatch(text) or _INFINITE.fullmatch(text):
        return float(text)
    if _HEXADECIMAL.fullmatch(text) is None:
        return None
    try:
        return float.fromhex(text.decode("ascii"))
    except OverflowError:
        return float("-inf") if text.startswith(b"-") else float("inf")


def lenient_float(text: bytes) -> float | None:
    """The same as it is where Redis calls `strtod` on a C string: leading blanks are skipped, a zero byte ends it all,
    and nothing at all is 0."""
    text = text.partition(b"\0")[0]
    return strtod(text.lstrip(b" \t\n\v\f\r")) if text else 0.0


def in_range(text: bytes, low: int = -INT64_MAX, high: int = INT64_MAX) -> int:
    """An integer within limits (object.c `getRangeLongFromObjectOrReply`)."""
    value = integer(text)
    if not low <= value <= high:
        raise CommandError(f"ERR value is out of range, value must between {low} and {high}")
    return value


def score(text: bytes, error: str = errors.NOT_FLOAT) -> float:
    """A double, or a command error."""
    value = parse_float(text)
    if value is None:
        raise CommandError(error)
    return value


# ---------------------------------------------------------------------------------------------------------------------
# INCRBYFLOAT computes in C's `long double`, of 64 bits of mantissa on x86, and prints 17 decimals
# ---------------------------------------------------------------------------------------------------------------------


_LONG_DOUBLE_LIMIT = 2**16384
_HUGE_EXPONENT = re.compile(rb"[eE][+-]?0*(?:[5-9][0-9]{3}|[1-9][0-9]{4,})$")
"""An exponent of 5000 or more, whose power must not even be computed."""


def _round_to_long_double(value: Fraction | int) -> Fraction:
    """The nearest number that has 64 bits of mantissa, ties to even.

    >>> _round_to_long_double(Fraction(1, 10)) == Fraction(1, 10)
    False
    """
    value = Fraction(value)
    if value == 0:
        return value
    # Scale so that the integer part has 64 bits, round it to an integer, scale back.
    shift = 64 - (abs(value.numerator).bit_length() - value.denominator.bit_length())
    for candidate in (shift, shift - 1):
        scaled = round(value * Fraction(2) ** candidate)
        if abs(scaled).bit_length() <= 64:
            return Fraction(scaled) / Fraction(2) ** candidate
    return Fraction(round(value * Fraction(2) ** (shift - 2))) / Fraction(2) ** (shift - 2)


def add_floats(old: bytes, increment: bytes, not_float: str = errors.NOT_FLOAT) -> bytes:
    """The sum of two written numbers, as INCRBYFLOAT and HINCRBYFLOAT store it.

    `not_float` is the error for an `old` that is no number.

    >>> add_floats(b"10.5", b"0.1")
    b'10.6'
    >>> add_floats(b"5.0e3", b"200")
    b'5200'
    """
    exact = [long_double(old, not_float), long_double(increment, errors.NOT_FLOAT)]
    total = None if None in exact else _round_to_long_double(sum(term for term in exact if term is not None))
    if total is None or abs(total) >= _LONG_DOUBLE_LIMIT:
        raise CommandError("ERR increment would produce NaN or Infinity")
    return format_long_double(total)


def long_double(text: bytes, error: str) -> Fraction | None:
    """The exact value of the `long double` that is nearest to what is written; None for an infinite one."""
    if _INFINITE.fullmatch(text):
        return None
    written = text.decode("latin-1")
    if _HEXADECIMAL.fullmatch(text):
        return Fraction(float.fromhex(written))
    if not _DECIMAL.fullmatch(text) or _HUGE_EXPONENT.search(text):
        raise CommandError(error)
    value = Fraction(written)
    if abs(value) >= _LONG_DOUBLE_LIMIT:
        raise CommandError(error)
    return _round_to_long_double(value)


def format_long_double(value: Fraction) -> bytes:
    """17 decimals with the trailing zeros cut (util.c `ld2string`, LD_STR_HUMAN)."""
    scaled = round(abs(value) * 10**17)
    whole, decimals = divmod(scaled, 10**17)
    text = f"{whole}.{decimals:017d}".rstrip("0").rstrip(".")
    sign = "-" if value < 0 and text != "0" else ""
    return f"{sign}{text}".encode("ascii")
