"""Deployments: which machines stand in which zones, and what runs on them.

A deployment is written as in Python, `Redis(appendonly=True)`, and read back as a literal: nothing in a replay string
or on a command line is ever evaluated.

    base        what a run needs to know of any deployment
    single      Redis: one server
    replicated  ReplicatedRedis: a primary, replicas, sentinels
    cluster     RedisCluster: several primaries, each with replicas
    managed     ElastiCache: replicas, and a service that promotes them
    memorydb    MemoryDB: nodes that have their data from a log which three zones keep
"""

from __future__ import annotations

from collections.abc import Callable

from durable_redis.lab.deployments.base import OPERATOR, ZONES, DataServer, Deployment, Views
from durable_redis.lab.deployments.cluster import RedisCluster
from durable_redis.lab.deployments.managed import ElastiCache
from durable_redis.lab.deployments.memorydb import MemoryDB
from durable_redis.lab.deployments.replicated import ReplicatedRedis
from durable_redis.lab.deployments.single import Redis
from durable_redis.lab.errors import LabError
from durable_redis.sim.scenario import parse_call

__all__ = [
    "DEPLOYMENTS",
    "OPERATOR",
    "ZONES",
    "DataServer",
    "Deployment",
    "ElastiCache",
    "MemoryDB",
    "Redis",
    "RedisCluster",
    "ReplicatedRedis",
    "Views",
    "parse_deployment",
]

DEPLOYMENTS: dict[str, Callable[..., Deployment]] = {
    "Redis": Redis,
    "ReplicatedRedis": ReplicatedRedis,
    "RedisCluster": RedisCluster,
    "ElastiCache": ElastiCache,
    "MemoryDB": MemoryDB,
}


def parse_deployment(text: str) -> Deployment:
    """`"Redis(appendonly=True)"` as an object.  Raises LabError or ConfigError."""
    try:
        name, arguments, options = parse_call(text)
    except ValueError as error:
        raise LabError(f"a deployment is written like Redis(appendonly=True): {error}") from None
    if name not in DEPLOYMENTS:
        raise LabError(f"there is no deployment {name!r}: there is {', '.join(DEPLOYMENTS)}")
    if arguments:
        raise LabError(f"the options of {name} are given by name, such as appendonly=True")
    return DEPLOYMENTS[name](**dict(options))
