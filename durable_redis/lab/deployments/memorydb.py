"""MemoryDB: nodes with nothing but memory, and a log that three zones keep; and ElastiCache with such a log."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from itertools import count
from random import Random
from typing import Any

from durable_redis.contract import Node
from durable_redis.lab.deployments.base import ZONES, Deployment, Share, Views, redis_config, whole_number
from durable_redis.lab.errors import LabError, NotNow
from durable_redis.lab.routing import BySlots, Routing
from durable_redis.memorydb.bugs import BUGS, NO_BUG
from durable_redis.memorydb.config import MemoryDBConfig
from durable_redis.memorydb.leadership import Phase
from durable_redis.memorydb.log import LogUser
from durable_redis.memorydb.log.client import Patience
from durable_redis.memorydb.log.config import LogConfig
from durable_redis.memorydb.record import ENGINE_VERSION, RecordError, Version, parse_version, version_text
from durable_redis.memorydb.sealed import unsealed
from durable_redis.memorydb.shadow import SnapshotterConfig
from durable_redis.memorydb.shards import Shard
from durable_redis.memorydb.store import ObjectStore
from durable_redis.memorydb.store_client import STORE, StoreClient
from durable_redis.redis.cluster.slots import equal_shares, key_slot
from durable_redis.redis.config import Config, ConfigError
from durable_redis.sim.machine import Program

MOST_SHARDS, MOST_REPLICAS = 6, 5
"""MemoryDB allows five replicas a shard ("Understanding MemoryDB replication"), and hundreds of shards."""
LOGS = tuple(f"log-{zone}" for zone in ZONES)
PATIENCE = Patience(unknown_us=500_000)
"""When the outcome of an append is called unknown: before a client stops to wait for its answer."""
LONGEST_MS = 600_000
TIMES = ("lease_ms", "renew_ms", "backoff_ms", "backoff_jitter_ms")
SNAPSHOTTER = "snapshotter"
SNAPSHOTS = ("freshness_percent", "least_bytes")


class MemoryDB(Deployment):
    """Primaries n1, n2 ... of so many shards, then their replicas, spread over the zones a, b, c; in each zone one
    replica of the log; and outside of the zones the object store s3 and the snapshotter, which can be told SNAPSHOT.

    `freshness_percent` and `least_bytes` say when a snapshot is due (see `memorydb.shadow`).  `lease_ms`, `renew_ms`,
    `backoff_ms` and `backoff_jitter_ms` are the model's own figures (see `memorydb.config`).
    `engine_versions`: {"n1": "7.1.0"} lets a node run another engine than the others.
    `bug`: one of `memorydb.bugs`, or the number of an envelope (`memorydb.sealed`)."""

    fails_over = True
    loses_nothing = True
    has_wait = False
    durability, buffer_ms = "sync", 10_000

    def __init__(
        self,
        replicas: int = 2,
        shards: int = 1,
        engine_versions: dict[str, str] | None = None,
        bug: str = "",
        clients: int = 1,
        hardware: dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        whole_number("replicas", replicas, 0, MOST_REPLICAS)
        whole_number("shards", shards, 1, MOST_SHARDS)
        if unknown := [name for name in options if name not in (*TIMES, *SNAPSHOTS)]:
            raise ConfigError(
                f"{unknown[0]} is no option of a deployment with a log in three zones: there are no files and no save "
                f"points to be set; it has {', '.join((*TIMES, *SNAPSHOTS))}"
            )
        versions = {} if engine_versions is None else engine_versions
        if not isinstance(versions, dict):
            raise ConfigError(f"engine_versions is written like {{'n1': '7.1.0'}}, not {versions!r}")
        given: dict[str, Any] = {"replicas": replicas} | ({"shards": shards} if shards != 1 else {})
        planted = unsealed(bug) if isinstance(bug, str) else None
        if planted is None or (planted and planted not in BUGS):
            raise LabError(f"no bug is called {bug!r}: there is {', '.join(BUGS)}")
        given |= {"bug": bug} if bug else {}
        given |= {"engine_versions": versions} if versions else {}
        super().__init__(given | options, clients, hardware)
        self.nodes = tuple(f"n{number + 1}" for number in range(shards * (1 + replicas)))
        if strangers := [name for name in versions if name not in self.nodes]:
            raise ConfigError(f"engine_versions names {strangers[0]!r}: the nodes are {', '.join(self.nodes)}")
        self.controls, self.logs, self.stores = (*LOGS, STORE, SNAPSHOTTER), LOGS, (STORE,)
        places = {name: ZONES[(at % shards + at // shards) % len(ZONES)] for at, name in enumerate(self.nodes)}
        self.zones = places | dict(zip(LOGS, ZONES, strict=True)) | {STORE: "region", SNAPSHOTTER: "region"}
        self.shards = tuple(
            Shard(f"s{number + 1}", self.nodes[number::shards], *slots)
            for number, slots in enumerate(equal_shares(shards))
        )
        self.config = redis_config({"save": ()})  # for whoever asks what is on a node's disk: nothing
        for name in [name for name in SNAPSHOTS if name in options]:
            whole_number(f"in {name}", options[name], 1, 10**12)
        for name in [name for name in TIMES if name in options]:
            whole_number(f"ms in {name}", options[name], int(name != "backoff_jitter_ms"), LONGEST_MS)
        times = {name: value for name, value in options.items() if name in TIMES}
        self._shared = MemoryDBConfig(shards=self.shards, durability=self.durability, buffer_ms=self.buffer_ms, **times)
        self.clock_error_ms = self._shared.clock_error_ms
        self._snapshots = SnapshotterConfig(
            version=min(_version(name, text) for name, text in self._all_versions(versions).items()),
            **{name: value for name, value in options.items() if name in SNAPSHOTS},
        )
        self._types = BUGS[planted] if planted else NO_BUG
        self._versions = versions

    def shard_of(self, node: str) -> Shard:
        return next(shard for shard in self.shards if node in shard.nodes)

    # -- the room ----------------------------------------------------------------------------------------------------

    def program(self, node: str, config: Config) -> Program:
        shard = self.shard_of(node)
        version = _version(node, self._versions.get(node, version_text(ENGINE_VERSION)))
        own = replace(self._shared, shard=shard.name, begins=node == shard.nodes[0], engine_version=version)
        return partial(self._node, node, own)

    def _node(self, name: str, config: MemoryDBConfig, random: Random) -> Node:
        return self._types.node(random, name, config, self.log_user(name, config.shard, random), StoreClient())

    def _all_versions(self, given: dict[str, str]) -> dict[str, str]:
        """Of every node: snapshots must be readable for the oldest (paper, section 7.1)."""
        return dict.fromkeys(self.nodes, version_text(ENGINE_VERSION)) | given

    def log_user(self, name: str, shard: str, random: Random) -> LogUser:
        """A node's way to the log of its shard."""
        return self._types.log_client(name, shard, LOGS, random, PATIENCE)

    def control(self, name: str) -> Program:
        if name == STORE:
            return ObjectStore
        if name == SNAPSHOTTER:
            return self._snapshotter
        return partial(self._log_node, name, LogConfig(LOGS, tuple(shard.name for shard in self.shards)))

    def _log_node(self, name: str, config: LogConfig, random: Random) -> Node:
        return self._types.log_node(random, name, config)

    def _snapshotter(self, random: Random) -> Node:
        logs = {shard.name: self.log_user(SNAPSHOTTER, shard.name, random) for shard in self.shards}
        return self._types.snapshotter(random, logs, self._snapshots)

    def routing(self) -> Routing:
        return BySlots(self.nodes, key_slot)

    # -- where things stand ------------------------------------------------------------------------------------------

    def survivor(self, views: Views, key: bytes = b"") -> str:
        """The leader of the shard that has the slot of the key; "" while it is on its way from one to another.  Of two
        leaders of a shard, the one whose leadership entry is newer."""
        return self._owner(key_slot(key), views)

    def _owner(self, slot: int, views: Views) -> str:
        leaders = [name for shard in self.shards if (name := _leader_of(shard, views))]
        if len(self.shards) == 1:
            return "".join(leaders)
        return next((name for name in leaders if any(a <= slot <= b for a, b in views[name]["slots"])), "")

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        return tuple(Share(_key_of(shard), shard.nodes) for shard in self.shards)

    def share_of(self, key: bytes) -> int:
        slot = key_slot(key)
        return next(number for number, shard in enumerate(self.shards) if shard.has(slot))

    def migration(self, views: Views, slots: str | int | tuple[int, int], to: str) -> tuple[tuple[str | int, ...], str]:
        target = next((shard for shard in self.shards if shard.name == to), None)
        if target is None or len(self.shards) == 1:
            raise LabError(f"slots move to another shard: there is {', '.join(shard.name for shard in self.shards)}")
        slot = key_slot(slots.encode()) if isinstance(slots, str) else slots
        first, last = slot if isinstance(slot, tuple) else (slot, slot)
        node = self._owner(first, views)
        if not node:
            raise NotNow(f"nobody serves the slot {first} now: play on until somebody does")
        return ("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", target.nodes[0]), node

    def settled(self, views: Views) -> bool:
        """And every shard has a leader whose lease holds, and whose replicas are as far as it is."""
        return all(map(partial(_has_settled, views), self.shards)) and super().settled(views)


class DurableElastiCache(MemoryDB):
    """ElastiCache with a transaction log in several zones, as it is sold since 2026 (AWS, "ElastiCache durability").

    `durability="sync"`: a reply waits for the log, as in MemoryDB.  `durability="async"`: it does not; while the oldest
    write that the log has not got is older than `buffer_ms`, all writes are refused, and reads go on.  So what can be
    lost was written within `buffer_ms`.  How the service elects a primary is not published: as MemoryDB's here, with
    one difference: with "async" a primary whose lease is over goes on, and only its buffer stops it."""

    called = "ElastiCache"

    def __init__(self, durability: str, buffer_ms: int | None = None, **options: Any) -> None:
        given: dict[str, Any] = {"durability": durability}
        if buffer_ms is not None:
            whole_number("ms in buffer_ms", buffer_ms, 100, 600_000)
            if durability == "sync":
                raise ConfigError(
                    'buffer_ms cannot be here: with durability="sync" no reply is ahead of the log; it bounds what '
                    'durability="async" may lose'
                )
            self.buffer_ms = given["buffer_ms"] = buffer_ms
        self.durability = durability
        self.loses_nothing = durability == "sync"
        self.loses_at_most_ms = self.buffer_ms if durability == "async" else None
        super().__init__(**options)
        self._options = given | self._options


def _key_of(shard: Shard) -> bytes:
    """Some key of a shard."""
    return next(key for key in map(b"%d".__mod__, count()) if shard.has(key_slot(key)))


def _leader_of(shard: Shard, views: Views) -> str:
    leaders = [name for name in shard.nodes if views[name].get("role") == "primary"]
    return max(leaders, key=lambda name: int(views[name]["epoch"]), default="")


def _has_settled(views: Views, shard: Shard) -> bool:
    up = [name for name in shard.nodes if views[name]]
    leaders = [name for name in up if views[name]["role"] == "primary"]
    if len(leaders) != 1 or views[leaders[0]]["phase"] != Phase.LEADING.value:
        return False
    (leader,) = leaders
    followers = [views[name] for name in up if name != leader]
    return all(view["primary"] == leader and view["offset"] == views[leader]["offset"] for view in followers)


def _version(node: str, text: object) -> Version:
    if not isinstance(text, str):
        raise ConfigError(f"engine_versions is written like {{'{node}': '7.1.0'}}, not {{'{node}': {text!r}}}")
    try:
        return parse_version(text.encode())
    except RecordError as error:
        raise ConfigError(f"engine_versions is written like {{'{node}': '7.1.0'}}: {error}") from None
