"""Asynchronous replication: one primary writes, the others repeat its stream, and nobody waits for them.

The stream is the bytes of the effects, as they stand in a log: a primary sends them, a replica executes them and passes
the very same bytes on.  A position in it is (replid, offset): whose history, and how many bytes of it.

Reading order:  `history` (ids and offsets; who may go on where it stopped), `backlog` (the last bytes of the stream),
`follower` (one replica, as its primary sees it), `primary` (all of them), `facts` (what a snapshot tells of itself),
`fullsync` (a snapshot for those who cannot go on), `waiting` (WAIT, WAITAOF); `phase` and `replica` (this server's link
to its primary), `transfer` and `stream` (what arrives on it), `replay` (what is done with it); `pause`, `failover` (a
planned change of roles), `report` (INFO), `commands` (REPLICAOF, PSYNC, REPLCONF, ROLE ...).
"""
