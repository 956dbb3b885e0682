"""ElastiCache as it was before 2026, and is without `durability`: replication in several zones, and nothing else."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

from durable_redis.contract import Node
from durable_redis.lab.deployments.base import Deployment, Views, whole_number
from durable_redis.lab.deployments.memorydb import DurableElastiCache
from durable_redis.lab.deployments.replicated import MOST_REPLICAS, replicated_config, spread
from durable_redis.lab.routing import Routing, by_endpoint
from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.managed import ColdServer, Endpoint, ManagedConfig
from durable_redis.sim.machine import Program

ENDPOINT = "endpoint"


class ElastiCache(Deployment):
    """A primary n1 and replicas n2, n3 ... in zones a, b, c, and the service's endpoint, which stands outside of them.

    A node keeps nothing on its disk: the append-only file is disabled on Multi-AZ groups (AWS, "Best practices: AOF"),
    backups go elsewhere, and a node that has failed is replaced by one that starts cold.  `detection_ms`: how long the
    primary must be silent before a replica takes its place; the service's own figure is not published."""

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        """`ElastiCache(durability="sync")` is another deployment, with a log (see `memorydb`)."""
        if "durability" not in options:
            return super().__new__(cls)
        return DurableElastiCache(options.pop("durability"), *arguments, **options)

    def __init__(
        self,
        replicas: int = 2,
        detection_ms: int = 10_000,
        clients: int = 1,
        hardware: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        whole_number("replicas", replicas, 1, MOST_REPLICAS)
        whole_number("ms of silence (detection_ms)", detection_ms, 1_000, 600_000)
        if options.get("appendonly"):
            raise ConfigError(
                "appendonly cannot be here: ElastiCache disables the append-only file on Multi-AZ groups, because a "
                "failed node is replaced, and its disk with it; take Redis(appendonly=True) to see a log"
            )
        if options.get("save"):
            raise ConfigError("save cannot be here: backups are kept elsewhere, and a new node starts cold")
        self.zones = spread("n", replicas + 1) | {ENDPOINT: "region"}
        self.nodes = tuple(name for name in self.zones if name != ENDPOINT)
        self.controls = (ENDPOINT,)
        given = {"replicas": replicas} | ({"detection_ms": detection_ms} if detection_ms != 10_000 else {})
        super().__init__(given | options, clients, hardware)
        self.fails_over = True
        self.config = replicated_config({"save": (), **options}, replicas)
        self._watching = ManagedConfig(self.nodes, detection_ms)

    def configuration(self, node: str) -> Config:
        return self.config if node == "n1" else self.config.edited(replicaof="n1")

    def program(self, node: str, config: Config) -> Program:
        return partial(_cold_server, config)

    def control(self, name: str) -> Program:
        return partial(_endpoint, self._watching)

    def routing(self) -> Routing:
        return by_endpoint(ENDPOINT)

    def survivor(self, views: Views, key: bytes = b"") -> str:
        """Whom the endpoint points at."""
        return str(views[ENDPOINT]["primary"]) if views[ENDPOINT] else ""

    def settled(self, views: Views) -> bool:
        """And the endpoint points at the only primary."""
        return self.agrees_on(self.survivor(views), views) and super().settled(views)


def _cold_server(config: Config, random: Random) -> Node:
    return ColdServer(random, config)


def _endpoint(config: ManagedConfig, random: Random) -> Node:
    return Endpoint(random, config)
