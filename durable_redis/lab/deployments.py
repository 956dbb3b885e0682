"""Deployments: which machines stand in which zones, and what runs on them.

A deployment is written as in Python, `Redis(appendonly=True)`, and read back as a literal: nothing in a replay string
or on a command line is ever evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from durable_redis.contract import Node
from durable_redis.lab.client import Client
from durable_redis.lab.errors import LabError
from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.server import RedisServer
from durable_redis.sim import Hardware, World
from durable_redis.sim.machine import Program
from durable_redis.sim.scenario import parse_call

if TYPE_CHECKING:
    from durable_redis.lab.run import Run

OPERATOR = "you"
"""The machine from which a person sends commands; the workload runs on machines of its own."""

_NEEDS_AOF = (
    "appendfsync",
    "no_appendfsync_on_rewrite",
    "aof_use_rdb_preamble",
    "aof_load_truncated",
    "aof_timestamp_enabled",
    "auto_aof_rewrite_percentage",
    "auto_aof_rewrite_min_size",
)


class Deployment(Protocol):
    """What a run needs to know of a deployment."""

    nodes: tuple[str, ...]
    clients: tuple[str, ...]
    config: Config

    def build(self, seed: int) -> World:
        """An empty room with these machines, all of them off."""
        ...

    def program(self, config: Config) -> Program:
        """What runs on a node with this configuration."""
        ...


class Redis:
    """One Redis server, `n1`, in zone a, and beside it the clients of the workload (one, unless told otherwise).

    Options are those of redis.conf with underscores; `hardware` changes figures of the machine room.  Raises
    ConfigError
    for an option that does not exist, or that would have no effect."""

    nodes: tuple[str, ...] = ("n1",)

    def __init__(self, clients: int = 1, hardware: dict[str, int] | None = None, **options: Any) -> None:
        if type(clients) is not int or not 1 <= clients <= 1000:
            raise LabError(f"there can be 1 to 1000 clients, not {clients!r}")
        self.clients = ("client",) if clients == 1 else tuple(f"client{number}" for number in range(1, clients + 1))
        self.config = Config.of(**options)
        if not self.config.appendonly and (idle := [name for name in options if name in _NEEDS_AOF]):
            raise ConfigError(
                f"{idle[0]} says something about the append-only file, and there is none: add appendonly=True"
            )
        self.hardware = _hardware(hardware or {})
        self._options = {**options}
        if clients != 1:
            self._options["clients"] = clients
        if hardware:
            self._options["hardware"] = hardware

    def __repr__(self) -> str:
        return f"Redis({', '.join(f'{name}={value!r}' for name, value in self._options.items())})"

    def build(self, seed: int) -> World:
        world = World(seed, self.hardware)
        world.add_machine("n1", "a", self.program(self.config))
        for name in (*self.clients, OPERATOR):
            world.add_machine(name, "a", partial(_client, name))
        return world

    def program(self, config: Config) -> Program:
        """What runs on a node with this configuration."""
        return partial(_server, config)

    def start(self, seed: int = 0) -> Run:
        """Start it: a run, with the server up and listening."""
        from durable_redis.lab.run import Run

        return Run(self, seed)


def _hardware(figures: dict[str, int]) -> Hardware:
    known = [field.name for field in fields(Hardware)]
    if not isinstance(figures, dict):
        raise ConfigError(f"hardware is written like {{'fsync_us': 10_000}}, not {figures!r}")
    for name, figure in figures.items():
        if name not in known:
            raise ConfigError(f"the hardware has no figure {name!r}: it has {', '.join(known)}")
        least = int(name.endswith("_per_s"))  # a rate of 0 would take for ever
        if type(figure) is not int or figure < least:
            raise ConfigError(f"the hardware's {name} is a whole number, {least} or more, not {figure!r}")
    return Hardware(**figures)


def _server(config: Config, random: Random) -> Node:
    return RedisServer(random, config)


def _client(name: str, random: Random) -> Node:
    return Client(name, "n1")


DEPLOYMENTS: dict[str, Callable[..., Deployment]] = {"Redis": Redis}


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
