"""Asynchronous replication: one primary writes, the others repeat its stream, and nobody waits for them.

The stream is the bytes of the effects, as they stand in a log: a primary sends them, a replica executes them and passes
the very same bytes on.  A position in it is (replid, offset): whose history, and how many bytes of it.

Reading order:  `history` (ids and offsets; who may go on where it stopped), `backlog` (the last bytes of the stream),
`primary` (the replicas of this server), `fullsync` (a snapshot for those who cannot go on), `waiting` (WAIT, WAITAOF),
`replica` (this server's link to its primary), `transfer` and `stream` (what arrives on it), `failover` (a planned
change of roles), `admission` (who is refused what), `commands` (REPLICAOF, PSYNC, REPLCONF, ROLE ...).
"""
