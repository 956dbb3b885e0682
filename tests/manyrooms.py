"""Rooms of several machines in which much has happened, for the tests of the console."""

from __future__ import annotations

import durable_redis as dr


def failed_over():
    """A failover that loses writes, seen from both sides of the cut, and the old primary's return."""
    run = dr.ReplicatedRedis(appendonly=True, down_after_ms=1000).start(seed=7)
    run.write(60)
    run.delay("n1", "n2", 40)
    run.partition(["n1", "s1", "client"], at_ms=run.now_ms + 200)
    run.pause("s2", 300)
    run.play(run.now_ms + 2600)
    run.write(20)
    run.play(run.now_ms + 400)
    run.heal_network()
    run.play(run.now_ms + 800)
    return run


def stalled():
    """No failover: one way cut, another slow, a replica paused, and the primary far ahead."""
    run = dr.ReplicatedRedis(appendonly=True).start(seed=7)
    run.write(150, every_ms=10)
    run.play(run.now_ms + 500)
    run.cut("n1", "n2", both=False)
    run.delay("n1", "n3", 200)
    run.play(run.now_ms + 800)
    run.pause("n3", 3000)
    run.play(run.now_ms + 200)
    return run


def cluster():
    """A zone of a cluster loses its processes, and is started again."""
    run = dr.RedisCluster(shards=3, replicas=1, appendonly=True).start(seed=7)
    run.write(80, every_ms=5)
    run.cut("n1", "n4", both=False, at_ms=run.now_ms + 100)
    run.outage("a", "process kill", at_ms=run.now_ms + 400)
    run.play(run.now_ms + 4000)
    run.restore("a")
    return run


def managed():
    """The service replaces its primary under a crowd of clients."""
    run = dr.ElastiCache(replicas=2, detection_ms=1000, clients=12).start(seed=7)
    run.write(150, every_ms=2)
    while not run.frame().in_flight:
        run.forward()
    run.hold(run.frame().in_flight[0].number)
    run.crash("n1", "process kill", at_ms=run.now_ms + 250)
    run.play(run.now_ms + 3000)
    return run


def logged():
    """A primary cut off from the log, which has a replica take its place; then a zone goes dark."""
    run = dr.MemoryDB(replicas=2).start(seed=7)
    run.write(80, every_ms=10)
    run.partition(["n1"], at_ms=run.now_ms + 300)
    run.play(run.now_ms + 4500)
    run.heal_network()
    run.write(40, every_ms=10)
    run.command("SNAPSHOT", node="snapshotter")
    run.outage("c", at_ms=run.now_ms + 200)
    run.play(run.now_ms + 600)
    return run


ROOMS = {"failed over": failed_over, "stalled": stalled, "cluster": cluster, "managed": managed, "logged": logged}
