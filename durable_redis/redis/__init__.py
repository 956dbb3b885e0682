"""Redis as shipped: the server and its event loop, the append-only file and the snapshots, configuration and INFO.

Reading order:  `server`, then `persistence` (files, snapshots, aof, rewrite, loading), `config`, `admin`, `info`,
`shutdown`.
"""
