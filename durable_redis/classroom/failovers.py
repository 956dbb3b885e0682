"""Failovers from the log: a primary sleeps, dies, or is cut off from the log, and somebody else leads.

The law of this file: what only counts is not recorded; the times of a failover are read off the notes of the nodes.
The lease, the backoff, and whatever follows from them, are the model's own figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from durable_redis.classroom.trials import SEED
from durable_redis.contract import Compute, Note
from durable_redis.lab import availability
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.playback import Playback
from durable_redis.lab.run import Run
from durable_redis.memorydb.config import MemoryDBConfig
from durable_redis.sim import EPOCH_US
from durable_redis.sim.journal import Step

ROOM: dict[str, Any] = {"replicas": 2, "least_bytes": 1_000_000}
"""Three nodes, and a log of which no beginning is cut off meanwhile."""
LONGEST_START_US = 60_000_000
DEATHS, ELECTIONS = range(3), range(12)
"""The seeds of section 7: of the deaths of a primary, and of the elections in the log."""


def asleep(**options: Any) -> Run:
    """The incident of section 1: n1 stands still from 2.0 s to 5.5 s; one client writes all the time, another one from
    5.5 s on."""
    run = MemoryDB(replicas=1, clients=2, least_bytes=1_000_000, **options).start(seed=SEED)
    run.write(120, every_ms=50, key="a{n}", client="client1")
    run.pause("n1", 3_500, at_ms=2_000)
    run.play(until_ms=5_500)
    run.write(40, every_ms=50, key="b{n}", client="client2")
    run.play(until_ms=8_000)
    return run


def out_of_reach(clock_ms: float = 0, **options: Any) -> Run:
    """n1 and one client are cut off from everybody else, and from the log, from 2 s to 9 s; that client reads x all the
    time, and another one writes it.  Just before, the clock of n1 may be set, by so much."""
    run = MemoryDB(replicas=2, clients=2, **options).start(seed=SEED)
    run.write(1, key="x", value="old")
    if clock_ms:
        run.skew("n1", clock_ms, at_ms=1_990)
    run.partition(["n1", "client1"], [*run.deployment.logs, "n2", "n3", "client2"], at_ms=2_000)
    run.read(400, every_ms=20, key="x", client="client1")
    run.write(60, every_ms=100, key="x", value="new{n}", client="client2")
    run.play(until_ms=9_000)
    run.heal_network()
    run.play(until_ms=10_000)
    return run


class Reads(NamedTuple):
    """What n1 answered: how many reads; for how long after the cut; when the OK of a newer value was heard elsewhere;
    and how many reads that were sent after that told the old one."""

    answered: int
    for_ms: float
    newer_ms: float
    stale: int

    def __str__(self) -> str:
        words = (
            f"n1 answers {self.answered} reads, for {self.for_ms / 1000:.2f} s after the cut; {self.stale} are stale"
        )
        return words + (f", from {self.newer_ms / 1000:.2f} s on" if self.stale else "")


def reads(run: Run, cut_ms: float = 2_000) -> Reads:
    """Of a run of `out_of_reach`."""
    told = [operation for operation in run.history() if operation.outcome == "ok"]
    newer = min(operation.answered_us or 0 for operation in told if operation.argv[-1].startswith(b"new"))
    answered = [operation for operation in told if operation.argv[0] == b"GET" and operation.node == "n1"]
    last_us = max((operation.answered_us or 0 for operation in answered), default=EPOCH_US + round(cut_ms * 1000))
    stale = sum((operation.sent_us or 0) > newer and operation.reply == b"old" for operation in answered)
    for_ms, newer_ms = (round((at_us - EPOCH_US) / 1000, 3) for at_us in (last_us, newer))
    return Reads(len(answered), for_ms - cut_ms, newer_ms, stale)


# -- section 6: what it costs to fail over -----------------------------------------------------------------------------


class Taken(NamedTuple):
    """The primary dies so long after its last renewal: after so many seconds its lease is over, and after so many
    somebody leads; for the longest time no write gets through."""

    age_ms: float
    lease_s: float
    leads_s: float
    heir: str
    silent_s: float

    def __str__(self) -> str:
        return (
            f"{self.age_ms:3.0f} ms after a renewal: the lease is over after {self.lease_s:.2f} s, {self.heir} leads "
            f"after {self.leads_s:.2f} s; a client is without an answer for {self.silent_s:.1f} s"
        )


def taken_over(age_ms: float = 0, seed: int = SEED) -> Taken:
    """The power of n1 fails so long after a renewal was answered, the first one after 3 s."""
    playback, lease_us = _dead(age_ms, seed)
    crash_us = playback.world.now_us
    playback.play_to(crash_us + 5_000_000)
    heir, leads_us, _ = noted(playback, "leads")[-1]
    silent_us = availability.measure(playback).longest_us
    return Taken(age_ms, (lease_us - crash_us) / 1e6, (leads_us - crash_us) / 1e6, heir, round(silent_us / 1e6, 1))


def leads_after_s(seed: int, **options: Any) -> float:
    """The power of n1 fails just after a renewal: so many seconds later somebody leads."""
    playback, _ = _dead(0, seed, **options)
    crash_us = playback.world.now_us
    playback.play_while(lambda: not _is_note(playback.world.journal.steps[-1], "leads"), LONGEST_START_US)
    return (playback.world.now_us - crash_us) / 1e6


def _dead(age_ms: float, seed: int, **options: Any) -> tuple[Playback, int]:
    """A room where n1 has just gone down, and when its lease ends."""
    playback = started(seed, **ROOM | options)
    playback.play_to(2_000_000)
    playback.deeds.write(160, every_ms=50)
    playback.play_to(3_000_000)
    playback.play_while(lambda: not _is_note(playback.world.journal.steps[-1], "lease"), LONGEST_START_US)
    _, renewed_us, facts = noted(playback, "lease")[-1]
    playback.play_to(renewed_us + round(age_ms * 1000))
    playback.deeds.crash("n1", "power loss")
    return playback, int(facts["until_us"]) - EPOCH_US


def _is_note(step: Step, kind: str) -> bool:
    return isinstance(step.what, Note) and step.what.kind == kind


class CaughtUp(NamedTuple):
    """A replica that had missed `lag` of `writes` writes: how many commands it replayed, in how many milliseconds from
    the moment at which it reached the log, and how long after that moment it led."""

    writes: int
    lag: int
    replayed: int
    caught_up_ms: float
    leads_ms: float


def catch_up(writes: int, lag: int, seed: int = SEED) -> CaughtUp:
    """n3 does not reach the log during the last `lag` writes; then both others die, and it reaches it again."""
    playback = started(seed, **ROOM)
    playback.play_to(1_000_000)
    playback.deeds.write(writes - lag, every_ms=5)
    playback.play_to(1_200_000 + 5_000 * (writes - lag))
    playback.deeds.partition(["n3"], playback.deployment.logs)
    playback.deeds.write(lag, every_ms=5)
    healed_us = 1_500_000 + 5_000 * writes
    playback.play_to(healed_us)
    for node in ("n1", "n2"):
        playback.deeds.crash(node, "power loss")
    playback.deeds.heal_network()
    playback.play_to(healed_us + 5_000_000)
    work = [step for step in behind(playback, healed_us) if isinstance(step.what, Compute)]
    replay = [step for step in work if step.machine == "n3" and step.what.work == "replay"]
    leads_us = noted(playback, "leads")[-1][1]
    replayed = sum(step.what.amount for step in replay)
    return CaughtUp(
        writes, lag, replayed, round((replay[-1].at_us - healed_us) / 1000, 1), round((leads_us - healed_us) / 1000, 1)
    )


class Stalled(NamedTuple):
    """The replica of the log that leads it dies: how long a renewal of n1 waited at most for an answer that came within
    the lease, and how often the lease of n1 ran out meanwhile, though n1 was well."""

    waited_ms: float
    lapses: int


def log_stalled(seed: int = SEED, **options: Any) -> Stalled:
    """The log elects another leader, and a renewal of n1 is due just then: the old one dies 5 ms before it."""
    times = {name: options.get(name, getattr(MemoryDBConfig(), name)) * 1000 for name in ("lease_ms", "renew_ms")}
    playback = started(seed, **ROOM | options)
    playback.play_to(1_500_000)
    playback.play_while(lambda: not _is_note(playback.world.journal.steps[-1], "lease"), LONGEST_START_US)
    crash_us = (
        int(noted(playback, "lease")[-1][2]["until_us"]) - EPOCH_US - times["lease_ms"] + times["renew_ms"] - 5_000
    )
    playback.play_to(crash_us)
    playback.deeds.crash(noted(playback, "log leader")[-1][0], "power loss")
    playback.play_to(crash_us + 2_000_000)
    waits_us = [
        at_us - (int(facts["until_us"]) - EPOCH_US - times["lease_ms"])
        for node, at_us, facts in noted(playback, "lease")
        if node == "n1" and at_us > crash_us
    ]
    lapses = sum(node == "n1" for node, *_ in noted(playback, "lease over"))
    return Stalled(max(waits_us, default=0) / 1000, lapses)


class Trade(NamedTuple):
    """Four times, in milliseconds; the slowest of some deaths just after a renewal; how many elections in the log cost
    a healthy primary its lease; and for how long its renewals waited there, in order."""

    lease_ms: int
    renew_ms: int
    backoff_ms: int
    backoff_jitter_ms: int
    leads_s: float
    lapses: int
    waits_ms: tuple[float, ...]

    def __str__(self) -> str:
        return (
            f"lease {self.lease_ms:5,}, renewed every {self.renew_ms}, backoff {self.backoff_ms:5,} and up to "
            f"{self.backoff_jitter_ms} more: somebody leads after {self.leads_s:.2f} s, {self.lapses} leases lost"
        )


def trade(lease_ms: int, renew_ms: int, backoff_ms: int, backoff_jitter_ms: int) -> Trade:
    """Three deaths, and twelve elections of the log."""
    times = {
        "lease_ms": lease_ms,
        "renew_ms": renew_ms,
        "backoff_ms": backoff_ms,
        "backoff_jitter_ms": backoff_jitter_ms,
    }
    stalls = [log_stalled(seed, **times) for seed in ELECTIONS]
    return Trade(
        **times,
        leads_s=max(leads_after_s(seed, **times) for seed in DEATHS),
        lapses=sum(stall.lapses for stall in stalls),
        waits_ms=tuple(sorted(stall.waited_ms for stall in stalls)),
    )


def noted(playback: Playback, kind: str) -> list[tuple[str, int, Mapping[str, Any]]]:
    """(machine, when, facts) of every note of this kind."""
    return [
        (step.machine, step.at_us, step.what.facts)
        for step in playback.world.journal
        if isinstance(step.what, Note) and step.what.kind == kind
    ]


def started(seed: int, **options: Any) -> Playback:
    playback = Playback(MemoryDB(**options), seed, record=False)
    playback.play_while(lambda: any(map(playback.starting, playback.deployment.nodes)), LONGEST_START_US)
    return playback


def behind(playback: Playback, at_us: int) -> Iterator[Step]:
    return (step for step in playback.world.journal if step.at_us >= at_us)


def answered_by(run: Run, node: str, after_ms: float) -> int:
    """How many writes this node has answered OK after a moment."""
    return sum(
        operation.node == node
        and operation.outcome == "ok"
        and (operation.answered_us or 0) > EPOCH_US + after_ms * 1000
        for operation in run.history()
        if operation.argv[0] == b"SET"
    )


def longest_gap_ms(run: Run) -> float:
    """The longest time between two OKs."""
    answered = sorted(operation.answered_us or 0 for operation in run.history() if operation.outcome == "ok")
    return max(later - earlier for earlier, later in pairwise(answered)) / 1000
