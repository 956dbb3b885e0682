"""One primary, its replicas, and the sentinels that watch them."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from durable_redis.contract import Node
from durable_redis.lab.deployments.base import ZONES, Deployment, Views, redis_config, whole_number
from durable_redis.lab.errors import LabError
from durable_redis.lab.routing import ByRole, Direct, Routing, by_sentinel
from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.sentinel import Sentinel, SentinelConfig
from durable_redis.sim.machine import Program

MOST_REPLICAS, MOST_SENTINELS = 5, 7
OURS = {"repl_diskless_sync_delay": 0, "config_file": "redis.conf"}
"""What differs from redis.conf: the first full syncs do not wait 5 s for one another, so that a run begins earlier; and
the servers have a file in which the sentinels let them remember their role."""


def spread(prefix: str, count: int) -> dict[str, str]:
    """`spread("n", 4)`: n1 in zone a, n2 in b, n3 in c, n4 in a."""
    return {f"{prefix}{number + 1}": ZONES[number % len(ZONES)] for number in range(count)}


def replicated_config(options: dict[str, Any], replicas: int) -> Config:
    """The options of redis.conf for servers of which one follows another.  Raises ConfigError."""
    if "replicaof" in options:
        raise ConfigError("replicaof is the deployment's own: n1 is the primary at first, and the others follow it")
    config = redis_config(OURS | options)
    if config.min_replicas_to_write > replicas:
        raise ConfigError(
            f"min_replicas_to_write={config.min_replicas_to_write} with {replicas} replicas would refuse every write: "
            f"give at most {replicas}, or more replicas"
        )
    return config


class ReplicatedRedis(Deployment):
    """A primary n1, replicas n2, n3 ... and sentinels s1, s2 ..., spread over the zones a, b, c in turn.

    `quorum`: sentinels that must find the primary down before one of them starts a failover (default: a majority; to
    be elected it needs a majority all the same).  `down_after_ms` and `failover_timeout_ms` as in sentinel.conf.
    Without sentinels nobody fails over, unless a person says REPLICAOF NO ONE; clients then look for a primary by ROLE.
    The other options are those of redis.conf, for every server."""

    def __init__(
        self,
        replicas: int = 2,
        sentinels: int = 3,
        quorum: int | None = None,
        down_after_ms: int | None = None,
        failover_timeout_ms: int | None = None,
        clients: int = 1,
        hardware: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        whole_number("replicas", replicas, 0, MOST_REPLICAS)
        whole_number("sentinels", sentinels, 0, MOST_SENTINELS)
        watching = {"quorum": quorum, "down_after_ms": down_after_ms, "failover_timeout_ms": failover_timeout_ms}
        given = {name: value for name, value in watching.items() if value is not None}
        super().__init__({"replicas": replicas, "sentinels": sentinels, **given, **options}, clients, hardware)
        self.zones = spread("n", replicas + 1) | spread("s", sentinels)
        self.nodes = tuple(name for name in self.zones if name.startswith("n"))
        self.controls = tuple(name for name in self.zones if name.startswith("s"))
        self.config = replicated_config(options, replicas)
        self.fails_over = bool(replicas and sentinels)
        self._watching = self._watched(given)

    def _watched(self, given: dict[str, Any]) -> SentinelConfig:
        """What the sentinels are told; they have watched before, and know the replicas from the start."""
        count = len(self.controls)
        if not count:
            if given:
                raise LabError(f"{next(iter(given))} is an option of sentinels, and there is none: add sentinels=3")
            return SentinelConfig()
        options = {"quorum": count // 2 + 1, "known_replicas": self.nodes[1:], **given}
        return SentinelConfig.of(primary="n1", sentinels=self.controls, **options)

    def configuration(self, node: str) -> Config:
        return self.config if node == "n1" else self.config.edited(replicaof="n1")

    def control(self, name: str) -> Program:
        return partial(_sentinel, name, self._watching)

    def routing(self) -> Routing:
        if self.controls:
            return by_sentinel(self.controls)
        return ByRole(self.nodes) if len(self.nodes) > 1 else Direct("n1")

    def survivor(self, views: Views, key: bytes = b"") -> str:
        """Whom the sentinel with the newest configuration names; without sentinels, the first primary that is up."""
        opinions = [(views[name]["config_epoch"], views[name]["primary"]) for name in self.controls if views[name]]
        if opinions:
            newest = max(epoch for epoch, _ in opinions)
            return next(str(primary) for epoch, primary in opinions if epoch == newest)
        primaries = [name for name in self.nodes if views[name].get("role") == "primary"]
        return primaries[0] if primaries else self.nodes[0]

    def settled(self, views: Views) -> bool:
        """And every sentinel that is up names the only primary."""
        named = [views[name]["primary"] for name in self.controls if views[name]]
        return all(self.agrees_on(primary, views) for primary in named) and super().settled(views)


def _sentinel(name: str, config: SentinelConfig, random: Random) -> Node:
    return Sentinel(random, name, config)
