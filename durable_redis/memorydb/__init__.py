"""MemoryDB: durability moved out of the node, into a log that three zones share.

Reading order:

    log         the shared log: three replicas with disks of their own, a leader, majorities
    record      what a data entry of the log carries, a chunk of the replication stream; `claims`: what the others carry
    dataset     a shard's data, made of a snapshot and the entries behind it; recovery is that and nothing else
    snapshot    the file, and its label: which shard, which entry, which checksum
    store       where snapshots are kept; `store_client`: how one asks for them; `catalog`: which there are
    server      one node of a shard: it executes, appends the effects, and holds the reply until they are committed
                (its parts: `config`, `caller`, `writebehind`, `tracker`, `logbook`, `recovery`, `leadership`,
                `admission`, `commands`, `shards`, `bus`, `status`)
    migration   slots go from one shard to another, by two logs
    shadow      makes snapshots of a shard, verifies them, and lets the log be trimmed, in phases (`shadow_phase`);
                `snapshotter`: the machine of all shadows
    bugs        one mechanism broken each, for whoever wants to see what it is for: `planted`, `sealed`
    errors      why a shard's data cannot be made of what is there

The law of this package: *an acknowledged write is in the log, and who may write is decided by the log.*  Nodes hear of
one another through it and through nothing else.

The design is that of Taleb et al., "Amazon MemoryDB: A Fast and Durable Memory-First Cloud Database", SIGMOD 2024.  The
paper does not publish the inside of the log service: ours is a choice of our own, and labelled so.
"""
