"""What a Redis server writes to its disk, and what it makes of it when it starts.

Reading order:  `files` (the one safe way to replace a file), `snapshots` (RDB: save points, BGSAVE), `aof` (the
append-only file: buffer, write, fsync), `rewrite` (replacing a log that only grows), `loading` (recovery at the start).
"""
