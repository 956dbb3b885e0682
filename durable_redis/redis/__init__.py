"""Redis as shipped: the server and its event loop, the append-only file and the snapshots, configuration and INFO;
and Sentinel, a program of its own that watches such servers.

Reading order:  `server`, then `persistence` (files, snapshots, aof, rewrite, loading), `config`, `admin`, `info`,
`shutdown`, then `sentinel`.
"""
