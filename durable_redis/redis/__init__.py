"""Redis as shipped: the server and its event loop, the append-only file and the snapshots, configuration and INFO;
Sentinel, a program of its own that watches such servers; and Redis Cluster, in which servers watch one another.

Reading order:  `server`, then `persistence` (files, snapshots, aof, rewrite, loading), `config`, `conf_file`,
`admin`, `info`, `shutdown`, then `sentinel` and `cluster`.
"""
