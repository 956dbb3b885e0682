"""MemoryDB: durability moved out of the node, into a log that three zones share.

    log         the shared log: three replicas with disks of their own, a leader, majorities
    record      what an entry of the log carries: a chunk of the replication stream
    dataset     a shard's data, made of a snapshot and the entries behind it; recovery is that and nothing else
    snapshot    the file, and its label: which shard, which entry, which checksum
    store       where snapshots are kept, and how one asks for them
    server      one node of a shard: it executes, appends the effects, and holds the reply until they are committed
                (its parts: writebehind, tracker, logbook, leadership, admission, shards, bus)
    migration   slots go from one shard to another, by two logs
    snapshotter the shadow that makes snapshots, verifies them, and lets the log be trimmed

The law of this package: *an acknowledged write is in the log, and who may write is decided by the log.*  Nodes hear of
one another through it and through nothing else.

The design is that of Taleb et al., "Amazon MemoryDB: A Fast and Durable Memory-First Cloud Database", SIGMOD 2024.  The
paper does not publish the inside of the log service: ours is a choice of our own, and labelled so.
"""
