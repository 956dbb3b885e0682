"""Several primaries, each with a share of the keys and replicas of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from itertools import count
from random import Random
from typing import Any

from durable_redis.contract import Node
from durable_redis.lab.deployments.base import ZONES, Deployment, Share, Views, whole_number
from durable_redis.lab.deployments.replicated import replicated_config
from durable_redis.lab.routing import BySlots, Routing
from durable_redis.redis.cluster.slots import SLOTS, key_slot
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.server import RedisServer
from durable_redis.sim.machine import Program

MOST_SHARDS, MOST_REPLICAS = 6, 2


class RedisCluster(Deployment):
    """Primaries n1, n2, n3 with equal shares of the 16,384 slots, then their replicas: n4 follows n1, and so on.

    No two nodes of a shard stand in the same zone.  `node_timeout_ms` is cluster-node-timeout (redis.conf: 15 s).
    The other options are those of redis.conf, for every server."""

    def __init__(
        self,
        shards: int = 3,
        replicas: int = 1,
        node_timeout_ms: int = 15_000,
        clients: int = 1,
        hardware: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        whole_number("shards", shards, 1, MOST_SHARDS)
        whole_number("replicas", replicas, 0, MOST_REPLICAS)
        whole_number("ms in node_timeout_ms", node_timeout_ms, 100, 600_000)
        for name in ("cluster_enabled", "cluster_node_timeout"):
            if name in options:
                raise ConfigError(f"{name} is the deployment's own: write node_timeout_ms for the timeout")
        given = {"shards": shards, "replicas": replicas} | (
            {"node_timeout_ms": node_timeout_ms} if node_timeout_ms != 15_000 else {}
        )
        super().__init__(given | options, clients, hardware)
        self.nodes = tuple(f"n{number + 1}" for number in range(shards * (1 + replicas)))
        self.zones = {
            name: ZONES[(place % shards + place // shards) % len(ZONES)] for place, name in enumerate(self.nodes)
        }
        cluster = {"cluster_enabled": True, "cluster_node_timeout": node_timeout_ms}
        self.config = replicated_config(options | cluster, replicas)
        self.fails_over = replicas > 0
        self.topology = Topology.of(self.nodes, shards)

    def program(self, node: str, config: Config) -> Program:
        return partial(_cluster_server, node, config, self.topology)

    def routing(self) -> Routing:
        return BySlots(self.nodes, key_slot)

    def survivor(self, views: Views, key: bytes = b"") -> str:
        """The primary that claims the slot of the key; of several, the one with the highest epoch."""
        slot = key_slot(key)
        claims = [
            (view["epoch"], name)
            for name in self.nodes
            if (view := views[name]) and view.get("role") == "primary" and _has(view["slots"], slot)
        ]
        return max(claims)[1] if claims else ""

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        return tuple(Share(_key_in(shard.slots), (shard.primary, *shard.replicas)) for shard in self.topology.shards)

    def share_of(self, key: bytes) -> int:
        slot = key_slot(key)
        return next(number for number, shard in enumerate(self.topology.shards) if _has(shard.slots, slot))

    def settled(self, views: Views) -> bool:
        """And every slot is served by one node that is up, and every node that is up finds the cluster well."""
        up = [view for name in self.nodes if (view := views[name])]
        served = sorted(slots for view in up if view["role"] == "primary" for slots in view["slots"])
        return _are_all(served) and all(view["state"] == "ok" for view in up) and super().settled(views)


def _are_all(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether these ranges, in order, are all slots, each of them once."""
    beginnings = [0, *[high + 1 for _, high in ranges]]
    return [low for low, _ in ranges] + [SLOTS] == beginnings


def _key_in(ranges: tuple[tuple[int, int], ...]) -> bytes:
    """Some key in these slots."""
    return next(key for key in map(b"%d".__mod__, count()) if _has(ranges, key_slot(key)))


def _has(ranges: tuple[tuple[int, int], ...], slot: int) -> bool:
    return any(low <= slot <= high for low, high in ranges)


def _cluster_server(name: str, config: Config, topology: Topology, random: Random) -> Node:
    return RedisServer(random, config, name, topology)
