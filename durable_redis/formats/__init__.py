"""Bytes to values and values to bytes, and nothing else: no file, no socket, no clock, no Redis.

Read `resp` (the wire) first, for the rest is made of it: then `aof` and `aof_manifest` (the log), `rdb` (the snapshot),
`lzf` (its compression) and `crc64` (its checksum).
"""
