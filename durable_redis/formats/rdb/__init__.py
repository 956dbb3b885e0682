"""RDB files: a whole Redis at one instant, in bytes.

The law of this package: bytes in, values out (`decode`), values in, bytes out (`encode`, `encode_chunks`).  It opens
no file, knows no clock and no server, and expires nothing.  It reads what Redis from 1.0 to 8.0 and Valkey to 9.1
write, and writes what Redis 7.0 and everything later read.  Any bytes may be given to `decode`: it answers or raises
RdbError.

An RDB file is a header, records, an end mark and a checksum.  The smallest with something in it, 52 bytes:

    52 45 44 49 53 30 30 31 30                   REDIS0010           the magic and the version
    fa 09 72 65 64 69 73 2d 76 65 72             AUX, redis-ver      a fact about the file:
       05 37 2e 30 2e 30                         7.0.0               who wrote it
    fe 00                                        SELECTDB 0          keys of database 0 follow
    fc 01 00 00 00 00 00 00 00                   EXPIRETIME_MS 1     of the next key, in ms since 1970
    00 01 6b c0 2a                               STRING k 42         type, key, value (c0: a number in one byte)
    ff                                           end
    .. .. .. .. .. .. .. ..                      CRC-64 of all the bytes before it; 0 says that none was made

Reading order: `values` (what comes out), `opcodes` (the numbers), `source` (lengths and strings), `reader` (records),
`objects` (values by type byte), `packed` (small collections in one string), `opaque` (streams and modules); then
`thresholds`, `packing` and `writer`, the way back, and `payload` (one value without a file).
"""

from __future__ import annotations

from durable_redis.formats.rdb.reader import decode
from durable_redis.formats.rdb.values import Entry, Opaque, Rdb, RdbError
from durable_redis.formats.rdb.writer import encode, encode_chunks

__all__ = ["Entry", "Opaque", "Rdb", "RdbError", "decode", "encode", "encode_chunks"]
