"""Bugs planted in the servers, and the judges that catch them: how many seeds it takes, and that nobody else objects.

Each bug is one that somebody could make.  Without it the same seeds give no objection (`test_fuzz`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from durable_redis.formats.resp import OK
from durable_redis.redis.cluster import gossip
from durable_redis.redis.persistence import aof, loading
from durable_redis.redis.replication import primary, replay, replica
from durable_redis.redis.replication.follower import SyncState
from durable_redis.redis.replication.history import History, Verdict
from durable_redis.redis.replication.waiting import Waiters
from durable_redis.redis.sentinel import election
from durable_redis.redis.server import RedisServer
from durable_redis.verify.trials import NEMESIS, Regime, attempt, drawn

Patch = pytest.MonkeyPatch


def caught(deployment: str, faults: tuple[str, ...], seeds: range, most: int = 6) -> set[str]:
    """Who objects, at the first of these seeds that gives anybody a reason."""
    regime = Regime(replace(NEMESIS, faults=faults, fewest=most // 2, most=most))
    for seed in seeds:
        findings = attempt(deployment, seed, drawn(deployment, seed, regime), regime).findings
        if findings:
            return {finding.judge for finding in findings}
    raise AssertionError(f"no judge objects within {seeds}")


# -- one server -------------------------------------------------------------------------------------------------------


def replies_before_the_fsync(patch: Patch) -> None:
    """`always` that does not fsync: everything looks right until the power goes."""

    def pretend(log: aof.AppendOnlyFile):
        log.synced_size = log.incr_size
        return True
        yield

    patch.setattr(aof.AppendOnlyFile, "_fsync_now", pretend)


def recovers_the_last_record_twice(patch: Patch) -> None:
    honest = loading.replay

    def twice(server, found, name, now):
        found.records.extend(found.records[-1:])
        honest(server, found, name, now)

    patch.setattr(loading, "replay", twice)


def executes_every_tenth_push_twice(patch: Patch) -> None:
    honest = RedisServer.propagate

    def pushes_again(server: RedisServer, now: int) -> bool:
        server.tenth = getattr(server, "tenth", 0) + 1  # type: ignore[attr-defined]
        if server.tenth % 10 == 0:  # type: ignore[attr-defined]
            server.engine.apply(0, [b"RPUSH", b"l1", b"again"], now // 1000)
        return honest(server, now)

    patch.setattr(RedisServer, "propagate", pushes_again)


def forgets_to_log_deletions(patch: Patch) -> None:
    honest = aof.AppendOnlyFile.feed

    def feed(log: aof.AppendOnlyFile, stream: bytearray, now: int) -> None:
        if b"\r\nDEL\r\n" not in stream:
            honest(log, stream, now)

    patch.setattr(aof.AppendOnlyFile, "feed", feed)


ALWAYS = "Redis(appendonly=True, appendfsync='always')"
EVERYSEC = "Redis(appendonly=True)"


@pytest.mark.parametrize(
    ("bug", "deployment", "faults", "judge", "seeds"),
    [
        (replies_before_the_fsync, ALWAYS, ("power loss",), "the log keeps", 5),
        (recovers_the_last_record_twice, EVERYSEC, ("process kill",), "no invented state", 5),
        (forgets_to_log_deletions, EVERYSEC, ("process kill",), "no invented state", 5),
        (executes_every_tenth_push_twice, EVERYSEC, ("pause",), "no invented state", 1),
    ],
)
def test_a_planted_bug_in_one_server_is_caught(
    monkeypatch: Patch, bug: Callable[[Patch], None], deployment: str, faults: tuple[str, ...], judge: str, seeds: int
) -> None:
    bug(monkeypatch)
    objecting = caught(deployment, faults, range(seeds))
    assert judge in objecting
    assert objecting <= {judge, "one copy"}, "what the clients see is the consequence"


# -- a primary and its replicas ---------------------------------------------------------------------------------------


def a_replica_skips_a_command(patch: Patch) -> None:
    """Every 25th unit of the stream is counted, passed on, and not executed."""
    honest = replay.execute

    def execute(server: RedisServer, unit: Any, now: int) -> Any:
        server.units = getattr(server, "units", 0) + 1  # type: ignore[attr-defined]
        if server.units % 25:  # type: ignore[attr-defined]
            yield from honest(server, unit, now)

    patch.setattr(replay, "execute", execute)


def a_replica_counts_wrong(patch: Patch) -> None:
    """A replica forgets to count a PING: from then on it is ahead of its offset."""
    honest = replica.Replica._apply

    def apply(link: replica.Replica, units: list[Any], now: int) -> Any:
        yield from honest(link, units, now)
        link.server.offset -= sum(len(unit.data) for unit in units if unit.data == primary.PING)

    patch.setattr(replica.Replica, "_apply", apply)


def a_full_sync_keeps_old_keys(patch: Patch) -> None:
    honest = replay.replace_all

    def keeps(server: RedisServer, *rest: Any) -> Any:
        server.engine.flush_all = lambda: 0  # type: ignore[method-assign]
        yield from honest(server, *rest)
        del server.engine.flush_all

    patch.setattr(replay, "replace_all", keeps)


def a_promotion_keeps_the_old_id(patch: Patch) -> None:
    patch.setattr(History, "continued_as", lambda history, replid, offset: history)


def a_partial_sync_is_granted_to_whoever_asks(patch: Patch) -> None:
    """The primary does not look whether the histories part before the replica's offset."""
    honest = primary.decide

    def decide(history: History, backlog: tuple[int, int] | None, replid: str, offset: int) -> Verdict:
        names = (history.replid, history.replid2)
        return honest(History(replid) if replid in names else history, backlog, replid, offset)

    patch.setattr(primary, "decide", decide)


def a_sentinel_votes_for_everybody(patch: Patch) -> None:
    def vote(ballot: election.Ballot, candidate: str, epoch: int) -> bool:
        ballot.hear(epoch)
        ballot.voted_epoch, ballot.candidate = epoch, candidate
        return True

    patch.setattr(election.Ballot, "vote", vote)


def a_cluster_node_votes_for_everybody(patch: Patch) -> None:
    honest = gossip.election.why_no_vote

    def forgets(membership: Any, request: Any, now: int, timeout_us: int) -> str:
        membership.last_vote_epoch = 0
        for node in membership.nodes.values():
            node.voted_us = -(10**15)
        return honest(membership, request, now, timeout_us)

    patch.setattr(gossip.election, "why_no_vote", forgets)


def a_replica_does_not_try_again(patch: Patch) -> None:
    def cron(link: replica.Replica, now: int) -> Any:
        if link.phase is replica.Phase.CONNECTED:
            link.acknowledge()
        yield from ()

    patch.setattr(replica.Replica, "cron", cron)


def a_primary_answers_without_executing(patch: Patch) -> None:
    honest = RedisServer._execute

    def execute(server: RedisServer, client: Any, argv: list[bytes], now: int) -> Any:
        if argv[0] == b"SET" and argv[2].endswith(b"7"):
            client.commands += 1
            client.reply(OK)
        else:
            yield from honest(server, client, argv, now)

    patch.setattr(RedisServer, "_execute", execute)


def wait_counts_what_was_sent(patch: Patch) -> None:
    """WAIT that believes that a replica has what was sent to it."""

    def look(waiters: Waiters, waiter: Any) -> tuple[bool, int]:
        online = len(waiters.primary.in_state(SyncState.ONLINE))
        return online >= waiter.replicas, online

    patch.setattr(Waiters, "_look", look)


TRIO = "ReplicatedRedis(down_after_ms=1000, failover_timeout_ms=3000)"
FIVE = "ReplicatedRedis(sentinels=5, down_after_ms=1000, failover_timeout_ms=3000)"
CLUSTER = "RedisCluster(shards=3, replicas=2, node_timeout_ms=1000)"
MANAGED = "ElastiCache(detection_ms=1000)"


@pytest.mark.parametrize(
    ("bug", "deployment", "faults", "judge", "others"),
    [
        (a_replica_skips_a_command, TRIO, ("pause",), "no invented state", {"convergence"}),
        (a_replica_skips_a_command, MANAGED, ("pause",), "no invented state", {"convergence"}),
        (a_replica_counts_wrong, TRIO, ("pause",), "no invented state", {"convergence"}),
        (a_full_sync_keeps_old_keys, TRIO, ("partition",), "no invented state", {"convergence"}),
        (
            a_promotion_keeps_the_old_id,
            TRIO,
            ("process kill",),
            "one primary an id",
            {"acknowledged is executed", "no invented state"},
        ),
        (a_partial_sync_is_granted_to_whoever_asks, TRIO, ("partition",), "no invented state", {"convergence"}),
        (a_replica_does_not_try_again, TRIO, ("process kill",), "convergence", set()),
        (a_primary_answers_without_executing, TRIO, ("pause",), "acknowledged is executed", set()),
        (wait_counts_what_was_sent, TRIO, ("delay", "pause"), "copies are copies", set()),
    ],
)
def test_a_planted_bug_in_replication_is_caught_within_ten_seeds(
    monkeypatch: Patch,
    bug: Callable[[Patch], None],
    deployment: str,
    faults: tuple[str, ...],
    judge: str,
    others: set[str],
) -> None:
    bug(monkeypatch)
    objecting = caught(deployment, faults, range(10))
    assert judge in objecting
    assert objecting <= {judge, *others}, "what follows from it"


@pytest.mark.parametrize(
    ("bug", "deployment", "faults"),
    [
        (a_sentinel_votes_for_everybody, FIVE, ("cut", "pause")),
        (a_cluster_node_votes_for_everybody, CLUSTER, ("pause",)),
    ],
)
def test_two_votes_in_one_epoch_are_caught_within_ten_seeds_of_many_faults(
    monkeypatch: Patch, bug: Callable[[Patch], None], deployment: str, faults: tuple[str, ...]
) -> None:
    """Two candidates must collide, which takes luck: twelve to twenty-four faults a run."""
    bug(monkeypatch)
    objecting = caught(deployment, faults, range(2, 10), most=24)
    assert "one vote an epoch" in objecting
    assert objecting <= {"one vote an epoch", "one leader an epoch"}
