"""Up to where Redis 7.0 keeps a collection in one packed string, by its default settings.

The law of this file: figures only.  A collection goes into a file as it is kept in memory, so the writer of files and
OBJECT ENCODING need the same ones.  The names are those of redis.conf.
"""

from __future__ import annotations

from typing import Final

HASH_MAX_LISTPACK_ENTRIES: Final = 512
ZSET_MAX_LISTPACK_ENTRIES: Final = 128
MAX_LISTPACK_VALUE: Final = 64
"""Bytes of each field, value or member: hash-max-listpack-value, zset-max-listpack-value."""
SET_MAX_INTSET_ENTRIES: Final = 512
LIST_NODE_BYTES: Final = 8 * 1024
"""list-max-listpack-size -2: a list is a chain of packed strings of up to so many bytes."""
