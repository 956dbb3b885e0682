"""durable_redis: crash the nodes of a Redis at any instant, and see which acknowledged writes survive, and why.

    import durable_redis as dr

    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(150, every_ms=10)                     # a client that waits for each OK
    run.crash("n1", "power loss", at_ms=1_090)
    run.restart("n1")
    run.receipt()                                   # 4 acknowledged writes are gone, of 107.

The code is meant to be read, in this order, one sitting a line:

    contract             what a node may do, and how the world answers
    formats.resp         the protocol: commands and replies as bytes
    engine               one Redis in memory
    sim                  the machine room: world, kernel, disk, network, faults
    redis.server         the event loop: execute, log, and only then answer
    formats.aof          the append-only file as bytes
    redis.persistence    the append-only file and the snapshots in motion, and recovery
    formats.rdb          the snapshot as bytes
    redis.replication    copies: the stream, the backlog, full and partial syncs
    redis.sentinel       who decides that a primary is dead, and which copy is next
    memorydb.log         a log on the platters of three zones
    memorydb.server      the node that answers only what this log has got
    memorydb.migration   slots that go from one such log to another
    lab                  deployments, clients, runs, receipts, sweeps
    verify               judges: what must hold of a run, and whether it does
    console              the widget
    classroom            predictions, checks, exit questions
"""

from durable_redis.console import Console
from durable_redis.console.diagram import diagram
from durable_redis.lab import scenarios
from durable_redis.lab.deployments import ElastiCache, MemoryDB, Redis, RedisCluster, ReplicatedRedis
from durable_redis.lab.errors import LabError
from durable_redis.lab.receipt import Receipt
from durable_redis.lab.recovery import recoveries
from durable_redis.lab.run import Run, replay
from durable_redis.lab.source import source
from durable_redis.lab.sweep import Sweep, sweep
from durable_redis.lab.tasks import Task
from durable_redis.verify.bughunt import bugs
from durable_redis.verify.fuzz import fuzz
from durable_redis.verify.linearizability import linearizable
from durable_redis.verify.verdict import judge

__version__ = "0.1.0"

__all__ = [
    "Console",
    "ElastiCache",
    "LabError",
    "MemoryDB",
    "Receipt",
    "Redis",
    "RedisCluster",
    "ReplicatedRedis",
    "Run",
    "Sweep",
    "Task",
    "bugs",
    "diagram",
    "fuzz",
    "judge",
    "linearizable",
    "recoveries",
    "replay",
    "scenarios",
    "source",
    "sweep",
]
