"""Redis Cluster: the keyspace in 16,384 slots, each served by one primary, and replicas that take over by election.

A node of a cluster is a `RedisServer` with `cluster_enabled`, its machine's name, and the cluster it is put into:

    RedisServer(random, Config.of(cluster_enabled=True), "n1", Topology.of(["n1", "n2", ..., "n6"], primaries=3))

Reading order:  `slots` (where a key belongs), `membership` (what a node believes, and the rule of epochs), `detector`
(PFAIL, FAIL), `state` (may it serve), `election` (the rules), `candidate` (a replica that runs), `bus` (messages),
`gossip` (saying and hearing), `links`, `handover` (a failover that loses nothing), `routing` (MOVED), `restrictions`
(what is otherwise with commands), `nodes_conf` (the promises on the disk), `topology`, `commands`, `cluster` (all of it
together).

Ours and not Redis's: the bytes of the bus and its place (see `bus`); ids that follow from names (see `membership`).
Left out: moving slots between primaries (ASK, MIGRATE), forgetting nodes, replica migration, sharded Pub/Sub.
"""
