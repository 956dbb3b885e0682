"""Bytes to values and values to bytes, and nothing else: no file, no socket, no clock, no Redis.

Reading order:  `resp` (the wire: `resp_commands`, `resp_values`, `resp_replies`), for the rest is made of it; then
`aof` and `aof_manifest` (the log), `rdb` (the snapshot), `lzf` (its compression) and `crc64` (its checksum).  `damage`
is how each of them speaks of bytes that it cannot read.
"""
