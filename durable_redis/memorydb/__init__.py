"""MemoryDB: durability moved out of the database, into a log that three zones keep.

Reading order: `record` (what an entry of the log carries), `log`, `dataset` (a shard's data, made of a snapshot and the
entries behind it), `store` (where snapshots are kept), `snapshot` (what they are), `snapshotter` (who makes, rehearses
and releases them), `server`.
"""
