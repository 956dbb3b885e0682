"""Sentinels and real servers of the model: which acknowledged writes a failover keeps, and which it throws away.

The experiments come in pairs: the same fault with and without what bounds the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from sentineltools import QUICK, STEADY, ask, at_ms, kill, node, program, restart, run, story

from durable_redis.contract import TimerFired
from durable_redis.formats.resp import OK
from durable_redis.lab.client import ALARM, Client, Operation
from durable_redis.lab.routing import Direct
from durable_redis.redis.config import Config
from durable_redis.redis.sentinel import SentinelConfig
from durable_redis.redis.server import RedisServer
from durable_redis.sim import EPOCH_US, World
from durable_redis.sim.faults import Cut, HealNetwork, Partition

EVERY_MS = 20
DISKLESS = {"save": (), "repl_diskless_sync_delay": 0}


class Theatre:
    """n1 (a primary) with its replicas, sentinels, and a client that writes to n1 whatever happens."""

    def __init__(self, servers: int, sentinels: int, seed: int = 0, **options: Any) -> None:
        names = tuple(f"s{i + 1}" for i in range(sentinels))
        self.servers = [f"n{i + 1}" for i in range(servers)]
        known = tuple(self.servers[1:])
        watching = SentinelConfig.of(sentinels=names, quorum=sentinels // 2 + 1, known_replicas=known, **QUICK)
        self.world = world = World(seed, STEADY)
        self.client = Client("client", Direct("n1"))
        self.cut_us = 0  # when the partition began, on everybody's clock
        for i, name in enumerate(self.servers):
            config = Config.of(**(DISKLESS | options), replicaof="n1" if i else "")
            world.add_machine(name, "abcde"[i], server(config))
        for i, name in enumerate(names):
            world.add_machine(name, "abcde"[i], program(name, watching))
        world.add_machine("client", "a", lambda random: self.client)
        for name in world.machines:
            world.start(name)
        run(world, 6_000)

    def write(self, count: int) -> None:
        """Plan so many writes, one every 20 ms, from now on; the client is told at its next event."""
        now = EPOCH_US + self.world.now_us
        first = len(self.client.operations)
        for i in range(count):
            self.client.plan([b"SET", b"key:%d" % (first + i), b"x"], now + (i + 1) * EVERY_MS * 1000)
        self.world.ask("client", ("write", count), TimerFired(ALARM))

    def acknowledged(self) -> list[Operation]:
        return [operation for operation in self.client.operations if operation.outcome == "ok"]

    def survivors(self, name: str) -> set[bytes]:
        return set(node(self.world, name).engine.keyspace.databases[0].values)

    def lost(self, name: str) -> list[Operation]:
        """The acknowledged writes that this server does not have."""
        there = self.survivors(name)
        return [operation for operation in self.acknowledged() if operation.argv[1] not in there]

    def primary(self) -> str:
        """Whom all sentinels name."""
        named = {node(self.world, m).announced_primary for m in self.world.machines if m.startswith("s")}
        assert len(named) == 1, f"the sentinels name {sorted(named)}"
        return named.pop()

    def assert_healthy(self) -> None:
        """One primary, everybody else follows it, and all have the same keys."""
        primary = self.primary()
        for name in self.servers:
            view = node(self.world, name).view()
            expected = ("primary", "") if name == primary else ("replica", primary)
            assert (view["role"], view["primary"]) == expected, f"{name}: {view}"
            assert self.survivors(name) == self.survivors(primary), name


def server(config: Config) -> Callable[[Random], RedisServer]:
    return lambda random: RedisServer(random, config)


# -- a dead primary --------------------------------------------------------------------------------------------------


def test_a_dead_primary_is_replaced_and_only_what_no_replica_had_is_lost():
    theatre = Theatre(3, 3)
    world = theatre.world
    theatre.write(100)
    run(world, 1_000)
    kill(world, "n1")
    run(world, 15_000)
    new = theatre.primary()
    assert new in ("n2", "n3")
    assert len(theatre.acknowledged()) >= 40
    assert len(theatre.lost(new)) <= 1, "a replica lacks at most what was on the wire"
    assert node(world, new).view()["role"] == "primary"

    restart(world, "n1")
    run(world, 30_000)
    assert at_ms(world, "demoted", server="n1")
    theatre.assert_healthy()


@pytest.mark.parametrize("best", ["n2", "n3"])
def test_the_replica_that_has_more_is_promoted(best):
    """The other one is cut off from the primary for the last second, and has less.

    (What stalled on the cut wire lies in the primary's kernel, and would outlive its process: so the power goes.)"""
    theatre = Theatre(3, 3)
    world = theatre.world
    other = {"n2": "n3", "n3": "n2"}[best]
    theatre.write(100)
    run(world, 1_500)
    world.act(Cut("n1", other, both=True))
    run(world, 1_000)
    kill(world, "n1", kind="power loss")
    world.act(HealNetwork())
    assert len(theatre.lost(other)) > 20
    run(world, 15_000)
    assert theatre.primary() == best
    assert theatre.lost(best) == []
    assert theatre.survivors(other) == theatre.survivors(best)
    assert [facts["replica"] for _, _, facts in story(world, "selected")] == [best]


def test_the_others_go_on_where_they_stopped():
    """The new primary remembers the old one's history (replid2): no full sync is needed."""
    theatre = Theatre(3, 3)
    world = theatre.world
    theatre.write(50)
    run(world, 3_000)
    before = len(story(world, "synced"))
    kill(world, "n1")
    run(world, 15_000)
    [(machine, _, facts)] = story(world, "synced")[before:]
    assert (facts["how"], facts["primary"]) == ("partial", theatre.primary())
    assert machine != theatre.primary()


# -- split brain -----------------------------------------------------------------------------------------------------


def split(alone: tuple[str, ...], seconds: int, **options: Any) -> Theatre:
    """Five servers, five sentinels; `alone`, with their sentinels and the client, are cut off for so many seconds."""
    theatre = Theatre(5, 5, **options)
    world = theatre.world
    theatre.write(50 * seconds + 100)
    run(world, 2_000)
    here = ("client", *alone, *[name.replace("n", "s") for name in alone])
    world.act(Partition((here, tuple(name for name in world.machines if name not in here))))
    theatre.cut_us = world.now_us + EPOCH_US
    run(world, seconds * 1000)
    world.act(HealNetwork())
    run(world, 60_000)
    theatre.assert_healthy()
    return theatre


def since_the_cut(theatre: Theatre, operations: list[Operation]) -> list[Operation]:
    return [operation for operation in operations if operation.sent_us > theatre.cut_us]


def test_split_brain_all_that_the_minority_acknowledged_is_lost():
    """Kyle Kingsbury's experiment of 2013: acknowledged with the best of intentions, and thrown away at the healing."""
    theatre = split(("n1", "n2"), 20)
    lost = theatre.lost(theatre.primary())
    acknowledged = since_the_cut(theatre, theatre.acknowledged())
    assert len(acknowledged) >= 950
    assert theatre.primary() in ("n3", "n4", "n5")
    assert since_the_cut(theatre, lost) == acknowledged, "every one of them"
    assert len(lost) - len(acknowledged) <= 1
    assert at_ms(theatre.world, "demoted", server="n1")


def test_with_min_replicas_the_loss_ends_after_the_greatest_lag():
    """A primary that is alone for 10 s stops acknowledging."""
    bound = {"min_replicas_to_write": 1, "min_replicas_max_lag": 10}
    theatre = split(("n1",), 30, **bound)
    lost = since_the_cut(theatre, theatre.lost(theatre.primary()))
    latest_ms = (lost[-1].answered_us - theatre.cut_us) // 1000
    assert 9_000 <= latest_ms <= 12_000
    refused = [operation for operation in theatre.client.operations if operation.outcome == "failed"]
    assert {operation.reply.code for operation in refused[:-200]} == {"NOREPLICAS"}

    unbound = split(("n1",), 30)
    assert len(since_the_cut(unbound, unbound.lost(unbound.primary()))) > 2 * len(lost)


def test_min_replicas_bounds_nothing_if_the_minority_holds_replicas_enough():
    """n2 went with n1: one replica acknowledges, and so n1 goes on to the end."""
    theatre = split(("n1", "n2"), 30, min_replicas_to_write=1, min_replicas_max_lag=10)
    lost = since_the_cut(theatre, theatre.lost(theatre.primary()))
    assert (lost[-1].answered_us - theatre.cut_us) // 1000 >= 29_000


# -- an operator's failover ------------------------------------------------------------------------------------------


def test_a_manual_failover_leaves_the_old_primary_writing_until_it_is_demoted():
    theatre = Theatre(3, 3)
    world = theatre.world
    theatre.write(1_500)
    run(world, 2_000)
    asked_ms = world.now_us // 1000
    assert ask(world, "s1", "SENTINEL FAILOVER mymaster") == [OK]
    run(world, 40_000)
    theatre.assert_healthy()

    promoted_ms, demoted_ms = at_ms(world, "promoted"), at_ms(world, "demoted", server="n1")
    assert promoted_ms - asked_ms < 2_000
    assert 8_000 <= demoted_ms - promoted_ms <= 20_000
    lost = theatre.lost(theatre.primary())
    assert len(lost) >= 8_000 // EVERY_MS - 20, "all that was acknowledged between the promotion and the demotion"
    times_ms = [(operation.answered_us - EPOCH_US) // 1000 for operation in lost]
    assert promoted_ms - 1_100 <= times_ms[0] <= times_ms[-1] <= demoted_ms + 100
    # It was ahead of the new primary, on a branch of its own: its tail is discarded by a full sync.
    assert [facts["how"] for machine, _, facts in story(world, "synced") if machine == "n1"] == ["full"]


# -- a restart that is too fast --------------------------------------------------------------------------------------


def test_a_primary_that_comes_back_empty_before_anybody_misses_it_empties_its_replicas():
    theatre = Theatre(3, 3)
    world = theatre.world
    theatre.write(50)
    run(world, 2_000)
    assert len(theatre.survivors("n2")) == 50
    kill(world, "n1")
    run(world, 500)
    restart(world, "n1")
    run(world, 10_000)
    assert story(world, "odown", "leader") == []
    assert theatre.primary() == "n1"
    assert [theatre.survivors(name) for name in theatre.servers] == [set(), set(), set()]


def test_one_that_stays_away_long_enough_does_not():
    theatre = Theatre(3, 3)
    world = theatre.world
    theatre.write(50)
    run(world, 2_000)
    kill(world, "n1")
    run(world, 15_000)
    restart(world, "n1")
    run(world, 30_000)
    theatre.assert_healthy()
    assert [len(theatre.survivors(name)) for name in theatre.servers] == [50, 50, 50]


# -- a role over a restart -------------------------------------------------------------------------------------------


def everything_restarts(**options: Any) -> tuple[Theatre, str, bool]:
    """A failover, one more write to the new primary and its replica, a power loss of both; then all three start.  The
    new primary, and whether that write, synced on two disks, is still there in the end."""
    theatre = Theatre(3, 3, appendonly=True, appendfsync="always", **options)
    world = theatre.world
    kill(world, "n1")
    run(world, 15_000)
    new = theatre.primary()
    assert ask(world, new, "SET last x") == [OK]
    kill(world, "n2", "n3", kind="power loss")
    restart(world, "n1", "n2", "n3")
    run(world, 60_000)
    theatre.assert_healthy()
    return theatre, new, b"last" in theatre.survivors(theatre.primary())


def test_a_promoted_replica_remembers_its_role():
    """CONFIG REWRITE: it comes back as a primary, and the old primary becomes its replica."""
    theatre, new, there = everything_restarts(config_file="redis.conf")
    assert theatre.primary() == new
    assert there
    assert len(story(theatre.world, "leader")) == 1


def test_without_a_config_file_it_comes_back_as_a_replica_and_is_emptied():
    """It was started as a replica of n1, and nobody told its configuration otherwise: n1's old data comes over it."""
    theatre, new, there = everything_restarts()
    assert not there
    at_first, after_the_restart, *_ = story(theatre.world, "synced", machine=new)  # a later failover may follow
    assert [(facts["how"], facts["primary"]) for *_, facts in (at_first, after_the_restart)] == [("full", "n1")] * 2
