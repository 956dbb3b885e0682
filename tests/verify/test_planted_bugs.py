"""Bugs planted in the servers, and the judges that catch them: how many seeds it takes, and that nobody else objects.

Each bug is one that somebody could make.  Without it the same seeds give no objection (`test_fuzz`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.schedules import draw
from durable_redis.redis.persistence import aof, loading
from durable_redis.redis.server import RedisServer
from durable_redis.verify.fuzz import NEMESIS, attempt

Patch = pytest.MonkeyPatch


def caught(deployment: str, faults: tuple[str, ...], seeds: int) -> tuple[int, set[str]]:
    """The first seed with an objection, and who objects to it."""
    nemesis = replace(NEMESIS, faults=faults, fewest=3)
    for seed in range(seeds):
        schedule = draw(seed, parse_deployment(deployment), nemesis)
        findings = attempt(deployment, seed, schedule, nemesis).findings
        if findings:
            return seed, {finding.judge for finding in findings}
    raise AssertionError(f"no judge objects within {seeds} seeds")


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
    _, objecting = caught(deployment, faults, seeds)
    assert judge in objecting
    assert objecting <= {judge, "one copy"}, "what the clients see is the consequence"
