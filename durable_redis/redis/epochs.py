"""Epochs as others write them: a number that only grows, of a sentinel's or a cluster's elections.

Who hears of a later epoch takes it for the latest, writes it down, and counts on from there.  So one that is heard must
leave room for that: else what this node then writes down, it could not read again.  Redis has 64 bits without a sign,
and no such limit; nobody holds 10**17 elections.
"""

from __future__ import annotations

from durable_redis.formats.resp import strict_integer

LARGEST_EPOCH = 10**17
"""Of those that are heard.  A file may hold one that was counted on from there (up to 18 digits)."""


def read_epoch(digits: bytes, largest: int = LARGEST_EPOCH) -> int | None:
    """The epoch that is written so; None if it is none, or larger."""
    number = strict_integer(digits)
    return number if number is not None and 0 <= number <= largest else None
