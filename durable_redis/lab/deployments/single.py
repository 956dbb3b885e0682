"""One Redis server, `n1`, in zone a."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_redis.lab.deployments.base import Deployment, Views, redis_config
from durable_redis.lab.routing import Direct, Routing


class Redis(Deployment):
    """One Redis server, `n1`, in zone a, and beside it the clients of the workload (one, unless told otherwise).

    Options are those of redis.conf with underscores; `hardware` changes figures of the machine room.  Raises
    ConfigError for an option that does not exist, or that would have no effect."""

    nodes = ("n1",)
    zones: Mapping[str, str] = {"n1": "a"}

    def __init__(self, clients: int = 1, hardware: dict[str, int] | None = None, **options: Any) -> None:
        super().__init__(options, clients, hardware)
        self.config = redis_config(options)

    def routing(self) -> Routing:
        return Direct("n1")

    def survivor(self, views: Views, key: bytes = b"") -> str:
        return "n1"
