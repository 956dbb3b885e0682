"""Chapter 09, "Catch up first, lead second": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.failovers import LOGS, ROOM, behind, log_stalled, noted, started, taken_over
from durable_redis.classroom.kinds import Function, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import SEED
from durable_redis.contract import Send
from durable_redis.lab.deployments import MemoryDB
from durable_redis.sim import EPOCH_US
from durable_redis.sim.journal import Step

# -- 8.1: from when does a backoff count? ------------------------------------------------------------------------------


@cache
def heir_leads_s() -> float:
    """n1 dies at 3.3 s, and no luck is added to the backoff."""
    playback = started(SEED, **ROOM, backoff_jitter_ms=0)
    playback.play_to(3_300_000)
    playback.deeds.crash("n1", "power loss")
    playback.play_to(9_000_000)
    return round(noted(playback, "leads")[-1][1] / 1e6, 3)


HEIR_LEADS = Exercise(
    name="heir-leads",
    kind=Number("seconds", 0),
    truth=heir_leads_s,
    accept=lambda outcome, truth: abs(outcome - truth) <= 0.05,
    solution=6.1,
    right="The run says {truth} s: the last renewal was seen at 3.1 s, and the backoff counts from there.",
    wrong=(
        Wrong(6.3, "That counts from the death. Nobody has seen the death; what is seen is the last renewal."),
        Wrong(5.3, "From its death the leader needs no lease, and nobody knows of the death. What do replicas count?"),
        Wrong(5.1, "Then the lease of n1 ends. A replica does not count the lease; it waits for longer, to be safe."),
        Wrong(
            8.1, "The backoff does not begin when the lease ends: both begin with the renewal, and run side by side."
        ),
        Wrong(6.6, "The last renewal before 3.3 s is an earlier one: they come every half second."),
    ),
    otherwise="The run says {truth} s: find the last renewal that the replicas have seen, and add their backoff.",
)

# -- 8.2: from when does a lease count? --------------------------------------------------------------------------------

LEASE_MS = 2_000


@cache
def renewals() -> tuple[tuple[int, int, int], ...]:
    """(sent, answered, end of the lease) in milliseconds of three renewals, to a log that is near, far, and farther."""
    found = []
    for place, extra_ms in enumerate((0, 40, 80)):
        playback = started(SEED, **ROOM)
        playback.play_to(2_000_000)
        for log in LOGS:
            playback.deeds.delay("n1", log, extra_ms)
            playback.deeds.delay(log, "n1", extra_ms)
        playback.play_to(5_000_000)
        sent = next(
            step for step in behind(playback, 3_000_000 + 500_000 * place) if step.machine == "n1" and _renews(step)
        )
        _, answered_us, facts = next(
            note for note in noted(playback, "lease") if note[0] == "n1" and note[1] > sent.at_us
        )
        until_us = int(facts["until_us"]) - EPOCH_US
        found.append((round(sent.at_us / 1000), round(answered_us / 1000), round(until_us / 1000)))
    return tuple(found)


def _renews(step: Step) -> bool:
    return isinstance(step.what, Send) and b"renewal" in step.what.data


LEASE_END = Exercise(
    name="lease-end",
    kind=Function(
        ("sent_ms", "answered_ms"), lambda: [(sent, answered) for sent, answered, _ in renewals()], Number("ms", 0)
    ),
    truth=lambda: tuple(end for *_, end in renewals()),
    solution=lambda sent_ms, answered_ms: sent_ms + LEASE_MS,
    right="The same as n1 in three runs, in which the log was near, far, and farther.",
    wrong=(
        Wrong(
            lambda sent_ms, answered_ms: answered_ms + LEASE_MS,
            "That is how it is broken: the replicas may have seen the renewal before its answer came, and count from "
            "there.",
        ),
        Wrong(
            lambda sent_ms, answered_ms: (sent_ms + answered_ms) / 2 + LEASE_MS,
            "The entry may have been committed just after it was sent. Nobody knows that it was half-way.",
        ),
        Wrong(
            lambda sent_ms, answered_ms: answered_ms + LEASE_MS - 500,
            "A safety margin of one renewal helps while the log is quick. How long may its answer take?",
        ),
        Wrong(
            lambda sent_ms, answered_ms: sent_ms + 3_000,
            "That is the backoff. A lease that lasts as long as the backoff leaves no room for anything.",
        ),
    ),
)

# -- 8.3: how long a lease? --------------------------------------------------------------------------------------------

SLOW = {"lease_ms": 2_000, "renew_ms": 500, "backoff_ms": 3_000, "backoff_jitter_ms": 500}
QUICKLY_S = 1.5
SEEDS = (0, 1, 2)


class Timing(NamedTuple):
    """The slowest of three failovers, and how many leases of a healthy primary run out in three
    elections of the log."""

    slowest_s: float
    lapses: int


def timing(settings: Mapping[str, Any]) -> Timing:
    options = {name: value for name, value in settings.items() if name in SLOW}
    slowest_s = max(taken_over(seed, **options).leads_s for seed in SEEDS)
    return Timing(round(slowest_s, 2), sum(log_stalled(seed, **options).lapses for seed in SEEDS))


TIMING = Exercise(
    name="timing",
    kind=Settings(MemoryDB),
    truth=lambda: QUICKLY_S,
    outcome=timing,
    accept=lambda outcome, truth: outcome.slowest_s <= truth and not outcome.lapses,
    stub=SLOW,
    solution={"lease_ms": 900, "renew_ms": 200, "backoff_ms": 1_200, "backoff_jitter_ms": 100},
    right="Somebody leads after {outcome.slowest_s} s at the latest, and the log may change its leader meanwhile.",
    wrong=(
        Wrong(
            {"lease_ms": 200, "renew_ms": 50, "backoff_ms": 300, "backoff_jitter_ms": 50},
            "Quick: {outcome.slowest_s} s. But when the log elects another leader, the lease of n1 runs out, though n1 "
            "is well: in {outcome.lapses} of three elections.",
            when=lambda given, outcome: outcome.slowest_s <= QUICKLY_S and bool(outcome.lapses),
        ),
        Wrong(
            SLOW | {"lease_ms": 1_000, "renew_ms": 250},
            "A shorter lease alone makes nobody quicker: the replicas wait for their backoff. It took "
            "{outcome.slowest_s} s.",
            when=lambda given, outcome: outcome.slowest_s > QUICKLY_S and given.get("backoff_ms", 3_000) >= 3_000,
        ),
        Wrong(
            SLOW | {"lease_ms": 1_200, "renew_ms": 300, "backoff_ms": 1_600},
            "Somebody led only after {outcome.slowest_s} s: the backoff, and the luck that is added to it.",
            when=lambda given, outcome: outcome.slowest_s > QUICKLY_S,
        ),
    ),
)

EXERCISES = (HEIR_LEADS, LEASE_END, TIMING)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "A primary stood still for five seconds. Another one leads. The old one wakes, and is sent a write at once. "
        "What keeps the write from being answered OK and lost?",
        {
            "a message that tells it that it was replaced": "There is none that it must have read first. It finds out "
            "by itself, from the log.",
            "its lease is over, and its append would conflict": "Either is enough for a write: without the lease, it "
            "executes, appends behind an entry that is not the last any more, and sends no reply.",
            "the replicas do not follow it": "They follow the log, and nobody. That alone would not stop it from "
            "saying OK.",
        },
        "its lease is over, and its append would conflict",
    ),
    Question(
        "Appends are conditional. Why is a lease needed as well?",
        {
            "for reads": "A read appends nothing, so no condition can stop it. What stops it is a clock.",
            "for writes": "A write that conflicts is not answered, lease or no lease.",
            "to find out quickly that the primary is dead": "That is done by its renewals. The lease binds the "
            "primary, not those who watch it.",
        },
        "for reads",
    ),
    Question(
        "A replica that has missed a thousand entries is the only one alive. What may it do?",
        {
            "lead, and lack them": "It cannot: an append that does not follow the last entry is refused.",
            "nothing, until the primary is back": "The primary has nothing that the log has not got.",
            "read them, and then lead": "It needs nobody but the log. That is the difference to chapter 07.",
        },
        "read them, and then lead",
    ),
    Question(
        "Somebody sets the backoff to 1.5 s and leaves the lease at 2 s. What can go wrong?",
        {
            "acknowledged writes are lost": "Appends do not depend on any clock: one of the two conflicts.",
            "two nodes answer reads at one time, and one of them is old": "For up to half a second. So the model "
            "refuses such a configuration.",
            "nobody leads": "Somebody leads earlier than it should.",
        },
        "two nodes answer reads at one time, and one of them is old",
    ),
)
