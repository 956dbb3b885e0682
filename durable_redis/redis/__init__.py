"""Redis as shipped: the server and its event loop, the append-only file and the snapshots, configuration and INFO;
Sentinel, a program of its own that watches such servers; and Redis Cluster, in which servers watch one another.

Reading order:  `server`, with `client` (a connection) and `admission` (who is refused what); `persistence`; `config`,
`conf_file`, `session`, `admin`, `info`, `shutdown`; then `replication`, `sentinel` and `cluster` (both have `epochs`),
and at last `managed`, a service's hand on such servers, with its `responder`.
"""
