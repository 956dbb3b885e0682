"""Redis Sentinel: a few small processes that watch a primary and, when enough of them find it dead, replace it.

What it promises, and what it does not.  It promises that the sentinels end with *one* opinion of who is the primary,
and that no two of them are elected in the same epoch.  It does not promise that the promoted replica has what was
acknowledged, and it cannot stop the old primary: that one goes on answering OK to whoever still reaches it, until it is
demoted, and what only it has is then gone.

    the primary is silent        every sentinel for itself: subjectively down      `detection`
    is it only me?               quorum of them: objectively down                  `detection`
    may I?                       an epoch, one vote each, a majority               `election`
    which replica?               priority, offset, run id                          `selection`
    REPLICAOF NO ONE, and the others after it                                      `failover`
    everybody hears of it        the higher config epoch is right                  `hello`
    the old primary comes back   about 10 s later it is told to be a replica       `repair`

Reading order: `config`, `links`, `instances`, `detection`, `election`, `selection`, `failover`, `hello`, `repair`,
`memory`, then `sentinel`, which holds all of it, and at last `clients`, `commands`, `tables`.

Where it differs from Redis, honestly: it monitors one primary, not many.  A real sentinel finds the others by way of
Pub/Sub channels on the servers; here they stand in the configuration, and the hello messages, which are Redis's own, go
straight from sentinel to sentinel, as Redis sends them too.  So nothing is learnt here through a server that two
sentinels both reach while they do not reach each other.  A real sentinel promotes in one transaction: REPLICAOF, CONFIG
REWRITE, and CLIENT KILL, so that clients ask again where the primary is.  Here they find out by the errors they get,
and REPLICAOF and CONFIG REWRITE are two commands: a server may crash in between, and forget that it was promoted.
Votes are asked for and counted in the epoch of the failover; a real sentinel takes the latest epoch that it has heard
of, which is another one only if somebody has begun a failover meanwhile.  Names stand for addresses.  Scripts,
passwords, SENTINEL SET and MONITOR are left out.
"""

from __future__ import annotations

from durable_redis.redis.sentinel.config import SentinelConfig
from durable_redis.redis.sentinel.sentinel import Sentinel

__all__ = ["Sentinel", "SentinelConfig"]
