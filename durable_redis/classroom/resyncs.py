"""Resyncs: what a replica needs that was away, and what that costs.

The law of this file: each figure comes out of a run that is played for it, with verbs of the lab; bytes are counted in
the journal, where they were handed over.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from durable_redis.classroom.moments import decided, noted
from durable_redis.classroom.trials import SEED
from durable_redis.contract import Compute, Note, Send
from durable_redis.lab.deployments import ReplicatedRedis
from durable_redis.lab.run import Run

ARCHIVE = b"0123456789abcdef"
"""16 bytes, repeated: a value as long as one likes, which costs no command for each of its parts."""
CUT_MS = 2_000
RECONNECTED_MS = 3_000


class Resync(NamedTuple):
    """How a replica came into step again after its link was cut ("goes on": nobody had missed it), how many bytes of
    the stream it lacked then (after a snapshot, if there was one), and the bytes that it was sent."""

    how: str
    lacked: int = 0
    sent: int = 0

    def __str__(self) -> str:
        return f"{self.how}, {self.sent / 1000:,.0f} kB" if self.sent else self.how


@cache
def resync(
    backlog_bytes: int, cut_s: int, archive_kb: int = 2_000, value_bytes: int = 1_000, every_ms: int = 100
) -> Resync:
    """Cut the link of a replica for so long, while a client goes on writing, and see what it needs afterwards.

    The link is noticed to be dead after 5 s (`repl_timeout=5`); the data set has `archive_kb` before it begins."""
    room: dict[str, Any] = {"repl_backlog_size": backlog_bytes, "repl_timeout": 5, "save": ()}
    run = ReplicatedRedis(replicas=1, sentinels=0, **room).start(seed=SEED)
    if archive_kb:
        run.command("SET", "archive", ARCHIVE * (archive_kb * 1000 // len(ARCHIVE)))
    healed_ms = CUT_MS + cut_s * 1000
    run.write((healed_ms + RECONNECTED_MS) // every_ms, every_ms=every_ms, value="x" * value_bytes)
    run.cut("n1", "n2", at_ms=CUT_MS)
    run.heal_network(at_ms=healed_ms)
    before = run.steps
    run.play(until_ms=healed_ms + RECONNECTED_MS)
    asked = next(decided(run, after=before), None)
    if asked is None:
        return Resync("goes on")
    end = noted(run, "synced", "n2", after=asked)
    there, here = (run.playback.world.journal.steps[number - 1].what for number in (asked, end))
    assert isinstance(there, Note)
    assert isinstance(here, Note)
    return Resync(here.facts["how"], there.facts["offset"] - here.facts["offset"], _sent_by_primary(run, asked, end))


def _sent_by_primary(run: Run, begin: int, end: int) -> int:
    """Bytes that n1 handed over between two steps to replicas, and not to its client."""
    clients = {operation.connection for operation in run.history()}
    sent = [step.what for step in run.playback.world.journal.steps[begin:end] if step.machine == "n1"]
    return sum(len(what.data) for what in sent if isinstance(what, Send) and what.connection not in clients)


class FullSync(NamedTuple):
    """What full syncs cost: the snapshots made, for how many ms all of them stopped the primary, the MB that it sent,
    and the seconds until the last replica was in step."""

    snapshots: int
    fork_ms: float
    sent_mb: float
    seconds: float


@cache
def full_sync(archive_mb: int, replicas: int = 1, delay_s: int = 0, diskless: bool = True) -> FullSync:
    """Replace the disks of all replicas of a primary with so much data, and let them come back at once.

    `delay_s`: for how long the primary waits for others before it makes a snapshot (`repl-diskless-sync-delay`)."""
    room: dict[str, Any] = {
        "save": (),
        "repl_diskless_sync": diskless,
        "repl_diskless_sync_delay": delay_s,
    }
    run = ReplicatedRedis(replicas=replicas, sentinels=0, **room).start(seed=SEED)
    run.command("SET", "archive", ARCHIVE * (archive_mb * 1_000_000 // len(ARCHIVE)))
    run.play(until_ms=run.now_ms + 5_000)
    names = run.deployment.nodes[1:]
    before = run.steps
    for name in names:
        run.crash(name, "disk loss")
    for name in names:
        run.restart(name)
    run.play(until_ms=run.now_ms + 20_000)
    begin = noted(run, "replica", "n1", after=before, state="full sync")
    end = max(noted(run, "synced", name, after=begin) for name in names)
    steps = run.playback.world.journal.steps
    forks_us = [
        after.at_us - step.at_us
        for step, after in pairwise(step for step in steps[begin:end] if step.machine == "n1")
        if isinstance(step.what, Compute) and step.what.work == "fork"
    ]
    seconds = (steps[end - 1].at_us - steps[begin - 1].at_us) / 1e6
    return FullSync(len(forks_us), sum(forks_us) / 1000, _sent_by_primary(run, begin, end) / 1e6, seconds)
