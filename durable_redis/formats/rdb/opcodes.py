"""The numbers of the RDB format, with the release that brought each (rdb.h).

The law of this file: constants only.  Every record of an RDB file begins with one byte.  From 243 up it is an *opcode*:
something about the file, the database or the next key.  Below, it is the *type byte* of a value: what kind of value, in
which of the encodings that Redis has used for that kind over the years.
"""

from __future__ import annotations

from typing import Final

# Versions.  Valkey left the numbering at 80 (its release 9.0), with a magic of its own, so that neither family takes
# the other's newer files for its own.
REDIS_MAGIC: Final = b"REDIS"  # then four digits: REDIS0010
VALKEY_MAGIC: Final = b"VALKEY"  # then three digits: VALKEY080
HEADER_LENGTH: Final = 9
NEWEST_REDIS_VERSION: Final = 12  # Redis 7.4 and 8.0
VALKEY_VERSION: Final = 80
FIRST_VERSION_WITH_CHECKSUM: Final = 5
WRITTEN_VERSION: Final = 10  # Redis 7.0, which refuses 11

# Opcodes
SLOT_IMPORT: Final = 243  # Valkey 9.0: an import of slots was going on
SLOT_INFO: Final = 244  # Redis 7.4 in cluster mode: size hints of one slot
FUNCTION2: Final = 245  # 7.0: the source of a function library
FUNCTION_PRE_GA: Final = 246  # 7.0 release candidates
MODULE_AUX: Final = 247  # what a module keeps outside of any key
IDLE: Final = 248  # of the next key: seconds since its last use
FREQ: Final = 249  # of the next key: its logarithmic counter of uses
AUX: Final = 250  # a named fact about the file
RESIZEDB: Final = 251  # how many keys, and keys with an expiry, follow
EXPIRETIME_MS: Final = 252  # of the next key, milliseconds since 1970
EXPIRETIME: Final = 253  # of the next key, seconds since 1970
SELECTDB: Final = 254  # the database of the keys that follow
END_OF_FILE: Final = 255

# Type bytes
STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3  # scores as text
HASH: Final = 4
ZSET_2: Final = 5  # scores as eight bytes
MODULE_PRE_GA: Final = 6
MODULE_2: Final = 7
HASH_ZIPMAP: Final = 9  # before 2.6
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14  # 3.2: a list of ziplists
STREAM_LISTPACKS: Final = 15
HASH_LISTPACK: Final = 16  # 7.0, as the next three
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18  # a list of listpacks and of single large elements
STREAM_LISTPACKS_2: Final = 19
SET_LISTPACK: Final = 20  # 7.2, as the next
STREAM_LISTPACKS_3: Final = 21
HASH_METADATA_PRE_GA: Final = 22  # 7.4: fields with an expiry of their own
HASH_LISTPACK_EX_PRE_GA: Final = 23
HASH_METADATA: Final = 24
HASH_LISTPACK_EX: Final = 25
VALKEY_HASH_2: Final = 22  # the same idea and the same number, in other bytes

# Strings that are not spelt out: a length byte of 11 and six bits, which say what follows instead of a length
INT8: Final = 0xC0
INT16: Final = 0xC1
INT32: Final = 0xC2
LZF: Final = 0xC3

# Nodes of a LIST_QUICKLIST_2
PLAIN_NODE: Final = 1
PACKED_NODE: Final = 2

# Pieces of a module's value
MODULE_END: Final = 0
MODULE_SIGNED: Final = 1
MODULE_UNSIGNED: Final = 2
MODULE_FLOAT: Final = 3
MODULE_DOUBLE: Final = 4
MODULE_STRING: Final = 5
