"""Named scenarios: incidents that happened to people, each with the change that would have saved them.

A scenario is data: a deployment, a seed, and what is done, as the very lines that a notebook would have.  `play` makes
a run of it, which can be looked at, replayed, branched and swept like any other.  `remedy` names the scenario that
differs in one thing, and comes out well; where there is none, the parts at hand have none.

    run = scenarios.play("empty-primary")
    run.receipt()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.logged_scenarios import LOGGED
from durable_redis.lab.migration_scenarios import MOVED
from durable_redis.lab.named import Named
from durable_redis.lab.snapshot_scenarios import OFF_BOX
from durable_redis.sim.scenario import parse_call

if TYPE_CHECKING:
    from durable_redis.lab.run import Run


_WATCHED = "sentinels=3, down_after_ms=1000, failover_timeout_ms=3000"
_SPLIT = (
    "write(1000, every_ms=10)",
    "partition(['n1', 'n2', 's1', 's2', 'client1'], ['n3', 'n4', 'n5', 's3', 's4', 's5', 'client2'], at_ms=2000)",
    "play(11000)",
    "heal_network()",
    "play(40000)",
)
_MINORITY = "ReplicatedRedis(replicas=4, sentinels=5, down_after_ms=1000, failover_timeout_ms=3000, clients=2"
_CLUSTER = "RedisCluster(shards=3, replicas=1, node_timeout_ms=2000, save=())"
"""The keys of these scenarios, {bar}..., are in slot 5061, which is n1's."""

ALL = (
    Named(
        "async-replication",
        f"ReplicatedRedis(replicas=1, {_WATCHED}, save=())",
        (
            "write(100, every_ms=10)",
            "cut('n1', 'n2', at_ms=940)",
            "crash('n1', 'power loss', at_ms=1000)",
            "play(8000)",
        ),
        "The link to the replica stalls for 60 ms, and then the primary dies: what was answered OK meanwhile is gone.",
        "redis.io, Redis cluster specification, 'Write safety'; 'Scaling with Redis Cluster'",
        remedy="async-replication-with-wait",
    ),
    Named(
        "async-replication-with-wait",
        f"ReplicatedRedis(replicas=1, {_WATCHED}, save=())",
        (
            "write(100, every_ms=10, wait=(1, 100))",
            "cut('n1', 'n2', at_ms=940)",
            "crash('n1', 'power loss', at_ms=1000)",
            "play(8000)",
        ),
        "The same, but the client asks for a copy (WAIT) before it believes an OK: nothing that it believes is lost.",
        "redis.io, WAIT",
    ),
    Named(
        "empty-primary",
        "ReplicatedRedis(replicas=2, sentinels=3, down_after_ms=5000, save=())",
        (
            "write(100, every_ms=10)",
            "crash('n1', 'process kill', at_ms=2000)",
            "restart('n1', at_ms=2500)",
            "play(10000)",
        ),
        "A supervisor restarts the primary before any sentinel misses it; it is empty, and its replicas copy that.",
        "redis.io, Replication, 'Safety of replication when master has persistence turned off'; antirez.com/news/80",
        remedy="empty-primary-with-a-log",
    ),
    Named(
        "empty-primary-with-a-log",
        "ReplicatedRedis(replicas=2, sentinels=3, down_after_ms=5000, save=(), appendonly=True)",
        (
            "write(100, every_ms=10)",
            "crash('n1', 'process kill', at_ms=2000)",
            "restart('n1', at_ms=2500)",
            "play(10000)",
        ),
        "The same with an append-only file: the restarted primary has everything, and so have its replicas.",
        "redis.io, Replication",
    ),
    Named(
        "split-brain",
        f"{_MINORITY}, save=())",
        _SPLIT,
        "The primary is cut off with one of four replicas; it says OK until it is demoted, and all of that is gone.",
        "aphyr.com/posts/283 (2000 writes, 1998 acknowledged, 872 survivors)",
        remedy="split-brain-with-min-replicas",
    ),
    Named(
        "split-brain-with-min-replicas",
        f"{_MINORITY}, save=(), min_replicas_to_write=2, min_replicas_max_lag=2)",
        _SPLIT,
        "The same, but a primary that hears of fewer than two replicas for 2 s refuses writes: the loss is bounded.",
        "redis.io, Sentinel, 'Example 2: basic setup with three boxes'",
    ),
    Named(
        "wait-and-the-wrong-heir",
        f"ReplicatedRedis(replicas=2, {_WATCHED}, save=())",
        (
            "cut('n1', 'n3', both=False, at_ms=1000)",
            "write(50, every_ms=10, wait=(1, 200))",
            "play(1600)",
            "crash('n2', 'power loss')",
            "crash('n1', 'power loss')",
            "heal_network()",
            "play(12000)",
        ),
        "WAIT was satisfied by one replica; that one dies with the primary, and the other, which had nothing, wins.",
        "redis.io, WAIT, 'Consistency and WAIT'; MemoryDB paper, 2.2.2",
        remedy="wait-for-both",
    ),
    Named(
        "wait-for-both",
        f"ReplicatedRedis(replicas=2, {_WATCHED}, save=())",
        (
            "cut('n1', 'n3', both=False, at_ms=1000)",
            "write(50, every_ms=10, wait=(2, 200))",
            "play(1600)",
            "crash('n2', 'power loss')",
            "crash('n1', 'power loss')",
            "heal_network()",
            "play(12000)",
        ),
        "The same with WAIT 2: the client believes no write that only one replica has, and so loses none.",
        "redis.io, WAIT",
    ),
    Named(
        "dirty-read",
        f"ReplicatedRedis(replicas=1, {_WATCHED}, save=(), clients=2)",
        (
            "cut('n1', 'n2', at_ms=1000)",
            "write(1, key='x', value='new', wait=(1, 100), client='client1')",
            "play(1050)",
            "read(1, key='x', client='client2')",
            "play(1300)",
            "crash('n1', 'power loss')",
            "play(8000)",
        ),
        "WAIT fails, so the writer knows that x is not safe; the reader has seen it all the same, and then it is gone.",
        "MemoryDB paper, 2.2.2; Valkey RFC 29",
        remedy="dirty-read-with-a-tracker",
    ),
    Named(
        "forced-failover",
        f"ReplicatedRedis(replicas=2, {_WATCHED}, save=())",
        (
            "write(600, every_ms=5)",
            "play(1500)",
            "command('SENTINEL', 'FAILOVER', 'mymaster', node='s1')",
            "play(20000)",
        ),
        "A sentinel is told to fail over while the old primary takes writes: what it took after the fork is discarded.",
        "redis issue 4819 (41,742 bytes)",
        remedy="coordinated-failover",
    ),
    Named(
        "coordinated-failover",
        "ReplicatedRedis(replicas=2, sentinels=0, save=())",
        (
            "write(600, every_ms=5)",
            "play(1500)",
            "command('FAILOVER', node='n1')",
            "play(20000)",
        ),
        "The primary itself is told (FAILOVER; no sentinels): it takes no writes until a replica has everything.",
        "redis.io, FAILOVER",
    ),
    Named(
        "blip-longer-than-the-backlog",
        "ReplicatedRedis(replicas=2, sentinels=0, repl_backlog_size=16384, repl_timeout=5)",
        (
            "write(1000, every_ms=10)",
            "partition(['n2'], ['n1', 'n3'], at_ms=1000)",
            "play(9000)",
            "heal_network()",
            "play(20000)",
        ),
        "Nothing is lost, but what the replica missed is not in the backlog any more: it needs everything once more.",
        "Twilio, billing incident of July 2013; redis.io, Replication",
        remedy="blip-within-the-backlog",
    ),
    Named(
        "blip-within-the-backlog",
        "ReplicatedRedis(replicas=2, sentinels=0, repl_timeout=5)",
        (
            "write(1000, every_ms=10)",
            "partition(['n2'], ['n1', 'n3'], at_ms=1000)",
            "play(9000)",
            "heal_network()",
            "play(20000)",
        ),
        "The same with the default backlog of 1 MB: the replica goes on where it was.",
        "redis.io, Replication",
    ),
    Named(
        "minority-primary",
        _CLUSTER,
        (
            "write(1000, every_ms=10, key='{bar}w{n}')",
            "partition(['n1', 'client'], ['n2', 'n3', 'n4', 'n5', 'n6'], at_ms=4000)",
            "play(10000)",
            "heal_network()",
            "play(40000)",
        ),
        "A primary and its client are cut off for longer than the timeout: until it notices, it says OK in vain.",
        "redis.io, Redis cluster specification, 'Write safety'",
        remedy="minority-primary-for-a-moment",
    ),
    Named(
        "minority-primary-for-a-moment",
        _CLUSTER,
        (
            "write(1000, every_ms=10, key='{bar}w{n}')",
            "partition(['n1', 'client'], ['n2', 'n3', 'n4', 'n5', 'n6'], at_ms=4000)",
            "play(5500)",
            "heal_network()",
            "play(40000)",
        ),
        "The same for less than the timeout: nobody is elected, and nothing is lost.",
        "redis.io, Redis cluster specification, 'Write safety'",
    ),
    Named(
        "old-map-after-a-pause",
        _CLUSTER,
        (
            "pause('n1', 12000, at_ms=3000)",
            "play(14900)",
            "write(5, every_ms=1, key='{bar}w{n}')",
            "play(30000)",
        ),
        "A primary stands still and is replaced; a client with an old map writes to it as it wakes, before it knows.",
        "redis.io, Redis cluster specification, 'Write safety'",
        remedy="old-map-after-a-restart",
    ),
    Named(
        "old-map-after-a-restart",
        _CLUSTER,
        (
            "crash('n1', 'process kill', at_ms=3000)",
            "restart('n1', at_ms=14900)",
            "write(5, every_ms=1, key='{bar}w{n}')",
            "play(30000)",
        ),
        "The same, but the primary was restarted: it takes no writes for its first two seconds, and hears the news.",
        "redis.io, Redis cluster specification; cluster.c, CLUSTER_WRITABLE_DELAY",
    ),
    Named(
        "every-node-dies",
        "ElastiCache(replicas=2)",
        (
            "write(100, every_ms=10)",
            "play(2000)",
            "crash('n1', 'power loss')",
            "crash('n2', 'power loss')",
            "crash('n3', 'power loss')",
            "restart('n1')",
            "restart('n2')",
            "restart('n3')",
            "play(20000)",
        ),
        "Three zones, three copies, all of them memory: new nodes start cold, and everything is gone.",
        "docs.aws.amazon.com, ElastiCache, 'Minimizing downtime in ElastiCache with Multi-AZ'",
        remedy="every-node-dies-with-logs",
    ),
    Named(
        "every-node-dies-with-logs",
        f"ReplicatedRedis(replicas=2, {_WATCHED}, appendonly=True, appendfsync='always')",
        (
            "write(100, every_ms=10)",
            "play(2000)",
            "crash('n1', 'power loss')",
            "crash('n2', 'power loss')",
            "crash('n3', 'power loss')",
            "restart('n1')",
            "restart('n2')",
            "restart('n3')",
            "play(20000)",
        ),
        "The same where every node has a log, synced before each OK, and gets its own disk back: nothing is gone.",
        "redis.io, Persistence",
    ),
    *LOGGED,
    *OFF_BOX,
    *MOVED,
)

SCENARIOS = {scenario.name: scenario for scenario in ALL}


def play(name: str) -> Run:
    """The run of a named scenario.  Raises LabError for a name that there is not."""
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise LabError(f"there is no scenario {name!r}: there is {', '.join(SCENARIOS)}")
    run = parse_deployment(scenario.deployment).start(scenario.seed)
    for act in scenario.acts:
        verb, arguments, options = parse_call(act)
        getattr(run, verb)(*arguments, **dict(options))
    return run
