"""What a MemoryDB node is told at its start.

Neither the lease nor the backoff of the real service is published: the figures here are the model's own.  One relation
between them is law, and is checked: *the backoff is strictly longer than the lease* (paper, section 4.1.3).  A replica
counts its backoff from the moment at which it sees a renewal; the leader counts its lease from before it sent it.  So

    leader     sends a renewal at 0        stops serving at    0 + lease                      = 2000 ms
    replica    sees it at 0 or later       campaigns not before 0 + backoff                   = 3000 ms or later

and at no moment do two of them serve, as long as their clocks run equally fast.  A clock may be wrong, too, and be set,
if it is never wrong by more than some e: between two readings of it, the time is wrong by 2 e at most.  So a lease may
last 2 e longer, and a backoff be over 2 e sooner, and there is room for both if 4 e is less than what the backoff is
longer: here, up to 249 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.memorydb.record import ENGINE_VERSION, Version
from durable_redis.memorydb.shards import Shard
from durable_redis.redis.config import ConfigError

DURABILITIES = ("sync", "async")


@dataclass(frozen=True, slots=True)
class MemoryDBConfig:
    """Times in milliseconds.  Raises ConfigError for what cannot be.

    * `shards`: all shards of the cluster; `shard` is the name of this node's.
    * `begins`: this node need not wait when the log is empty, since nobody leads yet.
    * `durability`: "sync", a reply waits for the log; "async", it does not, and writes are refused while the oldest one
      that the log has not got is older than `buffer_ms` (ElastiCache, "Durability options": 10 s).
    * `record_bytes`: where a record ends that many small effects go into; one large effect is never cut."""

    shard: str = "s1"
    shards: tuple[Shard, ...] = (Shard("s1", ("n1",)),)
    begins: bool = False
    lease_ms: int = 2_000
    renew_ms: int = 500
    backoff_ms: int = 3_000
    backoff_jitter_ms: int = 500
    durability: str = "sync"
    buffer_ms: int = 10_000
    record_bytes: int = 65_536
    engine_version: Version = ENGINE_VERSION

    def __post_init__(self) -> None:
        if self.durability not in DURABILITIES:
            raise ConfigError(f'durability can be "sync" or "async", not {self.durability!r}')
        if not 0 < self.renew_ms < self.lease_ms:
            raise ConfigError(
                f"a lease of {self.lease_ms} ms that is renewed every {self.renew_ms} ms would end in between: give a "
                "shorter renew_ms"
            )
        if self.backoff_ms <= self.lease_ms:
            raise ConfigError(
                f"a backoff of {self.backoff_ms} ms with a lease of {self.lease_ms} ms would let two nodes lead at one "
                "time: the backoff must be strictly longer than the lease"
            )

    @property
    def clock_error_ms(self) -> int:
        """By how much any clock may be wrong, at any time, without two nodes serving at once."""
        return (self.backoff_ms - self.lease_ms - 1) // 4
