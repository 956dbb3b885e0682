"""The configuration of a Sentinel: what sentinel.conf says, for the one primary that is monitored here.

One `SentinelConfig` serves all the sentinels of a deployment: each leaves its own name out of `sentinels`.  What a
sentinel learns later (who the primary is now, the epochs) is not here but in its file, see `memory`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from durable_redis.redis.config import ConfigError

SENTINEL_PORT = 26379
"""One program a machine: a machine's name is its address, and the ports are for show."""

_LEAST = {"quorum": 1, "down_after_ms": 1, "failover_timeout_ms": 1, "parallel_syncs": 1}


@dataclass(frozen=True, slots=True)
class SentinelConfig:
    """The options, with the defaults of sentinel.c.  Times are in milliseconds.

    * `quorum`: how many sentinels must find the primary down before a failover may start.  To *authorise* it always
      takes a majority of all sentinels as well, so a small quorum makes hasty, not unsafe.
    * `down_after_ms`: without a valid reply for so long, an instance is subjectively down.
    * `failover_timeout_ms`: how long one step of a failover may take; twice as long passes between two attempts.
    * `parallel_syncs`: how many replicas may be pointed to the new primary at the same time.
    * `known_replicas`: those that it knows from the start, as a sentinel.conf that has been in use names them.  The
      others it learns from the primary's INFO, which it reads every 10 s: until then a failover has nothing to choose.
    """

    primary: str = "n1"
    sentinels: tuple[str, ...] = ("s1", "s2", "s3")
    master_name: str = "mymaster"
    quorum: int = 2
    down_after_ms: int = 30_000
    failover_timeout_ms: int = 180_000
    parallel_syncs: int = 1
    known_replicas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if type(value) is not type(option.default):
                wanted = type(option.default).__name__
                raise ConfigError(f"{option.name} is of type {wanted}, such as {option.default!r}, not {value!r}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} can be {least} or more, not {getattr(self, name)}")
        for name in (self.primary, self.master_name, *self.sentinels, *self.known_replicas):
            if not isinstance(name, str) or not name or any(c in ", :" or not c.isprintable() for c in name):
                raise ConfigError(f"{name!r} will not do as a name: give a word without blanks, commas and colons")
        if len(dict.fromkeys(self.sentinels)) < len(self.sentinels):
            raise ConfigError(f"sentinels names one of them twice: {', '.join(self.sentinels)}")
        if self.quorum > len(self.sentinels):
            raise ConfigError(
                f"quorum is {self.quorum}, but there are {len(self.sentinels)} sentinels: no failover could ever "
                f"start; choose 1 to {len(self.sentinels)}"
            )

    @classmethod
    def of(cls, **options: Any) -> SentinelConfig:
        """A configuration with these options changed.  Raises ConfigError naming an option that does not exist."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise ConfigError(f"there is no option {name!r}: a sentinel knows {', '.join(known)}")
        return cls(**options)

    @property
    def down_after_us(self) -> int:
        return self.down_after_ms * 1000

    @property
    def failover_timeout_us(self) -> int:
        return self.failover_timeout_ms * 1000
