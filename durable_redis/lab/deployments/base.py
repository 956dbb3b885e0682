"""What a deployment is: machines in zones, what runs on each, and where a client would be sent.

The law of this file: a deployment decides nothing while a run goes on.  It says how the room is furnished before it,
and, from what can be seen of the nodes at any moment (`view()`), which server is the *survivor*: the one to which the
deployment itself would send a client then.  A receipt asks that one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from math import isfinite
from numbers import Real
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from durable_redis.contract import Node
from durable_redis.lab.client import OPERATOR_TIMEOUT_US, TIMEOUT_US, Client
from durable_redis.lab.errors import LabError
from durable_redis.lab.routing import Routing
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.server import RedisServer
from durable_redis.sim import Hardware, World
from durable_redis.sim.machine import Program

if TYPE_CHECKING:
    from durable_redis.lab.run import Run

OPERATOR = "you"
"""The machine from which a person sends commands; the workload runs on machines of its own."""
ZONES = ("a", "b", "c")
MOST_CLIENTS = 1000

DataServer = RedisServer | MemoryDBServer
"""What runs on a node that holds data: it has an `engine`, and is `ready` or not."""
Views = Mapping[str, Mapping[str, Any]]
"""By machine: what its node shows of itself (`view()`); empty where no process runs."""

_NEEDS_AOF = (
    "appendfsync",
    "no_appendfsync_on_rewrite",
    "aof_use_rdb_preamble",
    "aof_load_truncated",
    "aof_timestamp_enabled",
    "auto_aof_rewrite_percentage",
    "auto_aof_rewrite_min_size",
)


class Share(NamedTuple):
    """A part of the data that one primary serves: a key of it, and the nodes that may hold it."""

    key: bytes
    nodes: tuple[str, ...]


class Deployment(ABC):
    """What a run needs to know.  `options` are as they were written, for the repr; `zones` is by machine.

    * `nodes`: the machines with data; `controls`: those that only watch and decide (sentinels, an endpoint);
      of these, `logs` keep a log for the nodes, one in each zone, and `stores` keep objects; `clients`: those of the
      workload.  The operator is always there beside them, in zone a.
    * `config`: what the servers have in common; `configuration` what is in the file of one of them.
    """

    nodes: tuple[str, ...]
    controls: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    clients: tuple[str, ...]
    zones: Mapping[str, str]
    config: Config
    fails_over: bool = False  # whether somebody replaces a primary that does not come back
    loses_nothing: bool = False  # whether it promises that no acknowledged write is ever lost, and one copy of the data
    loses_at_most_ms: int | None = None  # whether what is lost has been written within so long, and how long
    has_wait: bool = True  # whether its servers know WAIT
    clock_error_ms: int = 200  # by how much its clocks may be wrong for what it promises to hold (most need no clock)
    called: ClassVar[str] = ""  # its name in Python, if that is not the name of its class

    def __init__(self, options: Mapping[str, Any], clients: int, hardware: dict[str, int] | None) -> None:
        whole_number("clients", clients, 1, MOST_CLIENTS)
        self.clients = ("client",) if clients == 1 else tuple(f"client{number}" for number in range(1, clients + 1))
        self.hardware = _hardware(hardware or {})
        self._options = dict(options)
        if clients != 1:
            self._options["clients"] = clients
        if hardware:
            self._options["hardware"] = hardware

    @property
    def has_log(self) -> bool:
        """Whether its servers have their data from a log in three zones."""
        return bool(self.logs)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{self.called or type(self).__name__}({options})"

    def start(self, seed: int = 0) -> Run:
        """Start it: a run, with every node up, and the replicas in step.  Raises LabError for what is no seed."""
        if type(seed) is not int or seed < 0:
            raise LabError(f"a seed is a whole number, 0 or more, such as start(seed=7), not {seed!r}")
        from durable_redis.lab.run import Run

        return Run(self, seed)

    # -- the room ----------------------------------------------------------------------------------------------------

    def build(self, seed: int) -> World:
        """A room with these machines, all of them off."""
        world = World(seed, self.hardware)
        for name in self.nodes:
            world.add_machine(name, self.zones[name], self.program(name, self.configuration(name)))
        for name in self.controls:
            world.add_machine(name, self.zones[name], self.control(name))
        for name in (*self.clients, OPERATOR):
            world.add_machine(name, "a", partial(_client, self, name))
        return world

    def configuration(self, node: str) -> Config:
        """What is in the configuration file of a node at first."""
        return self.config

    def program(self, node: str, config: Config) -> Program:
        """What runs on a node with this configuration."""
        return partial(server, config)

    def control(self, name: str) -> Program:
        """What runs on a machine that watches and decides."""
        raise NotImplementedError(name)

    @abstractmethod
    def routing(self) -> Routing:
        """How one client finds its servers."""

    # -- where things stand ------------------------------------------------------------------------------------------

    @abstractmethod
    def survivor(self, views: Views, key: bytes = b"") -> str:
        """The server to which this deployment would send a client now that wants this key; "" if it knows none."""

    @property
    def shares(self) -> tuple[Share, ...]:
        """The parts of the data that fail over for themselves: one, unless there are several primaries."""
        return (Share(b"", self.nodes),)

    def share_of(self, key: bytes) -> int:
        """The number of the share to which a key belongs."""
        return 0

    def migration(self, views: Views, slots: str | int | tuple[int, int], to: str) -> tuple[tuple[str | int, ...], str]:
        """The command that asks for slots to move to another part of the data, and the node that is asked.

        Raises LabError where none can move."""
        raise LabError(f"no slots can move here: {self!r} is no MemoryDB(shards=2), or more of them")

    def settled(self, views: Views) -> bool:
        """Whether every machine that is up has started, and every replica that is up follows a primary."""
        up = [view for view in views.values() if view]
        return all(view.get("ready", True) and view.get("link", "") != "down" for view in up)

    def agrees_on(self, primary: str, views: Views) -> bool:
        """Whether this server is up and a primary, and every other that is up is a replica."""
        leaders = [name for name in self.nodes if views[name].get("role") == "primary"]
        return leaders == [primary]


def redis_config(options: Mapping[str, Any]) -> Config:
    """The options of redis.conf.  Raises ConfigError for one that does not exist, or would have no effect."""
    config = Config.of(**options)
    if not config.appendonly and (idle := [name for name in options if name in _NEEDS_AOF]):
        raise ConfigError(
            f"{idle[0]} says something about the append-only file, and there is none: add appendonly=True"
        )
    return config


def in_us(what: str, ms: object) -> int:
    """So many milliseconds in microseconds.  Refuses what is no length or point of time, by name."""
    if isinstance(ms, bool) or not isinstance(ms, Real) or not isfinite(ms):
        raise LabError(f"{what} is a number of milliseconds, such as 1250, not {ms!r}")
    return round(float(ms) * 1000)


def whole_number(name: str, value: object, least: int, most: int) -> None:
    """Refuse what is not a whole number from `least` to `most`, by name."""
    if type(value) is not int or not least <= value <= most:
        raise LabError(f"there can be {least} to {most} {name}, not {value!r}")


def server(config: Config, random: Random) -> Node:
    """A Redis server with this configuration."""
    return RedisServer(random, config)


def _client(deployment: Deployment, name: str, random: Random) -> Node:
    return Client(name, deployment.routing(), OPERATOR_TIMEOUT_US if name == OPERATOR else TIMEOUT_US)


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
