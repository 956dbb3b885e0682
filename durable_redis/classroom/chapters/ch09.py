"""Chapter 09, "Catch up first, lead second": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.failovers import ROOM, behind, noted, started, trade
from durable_redis.classroom.kinds import Function, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import SEED
from durable_redis.contract import Send
from durable_redis.lab.deployments import MemoryDB
from durable_redis.sim.journal import Arrived, Step

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
        Wrong(
            6,
            "Nearly. The last renewal is seen at 3.1 s, and not on the second.",
            when=lambda given, outcome: abs(outcome - heir_leads_s()) < 0.15,
        ),
        Wrong(6.6, "The last renewal before 3.3 s is an earlier one: they come every half second."),
    ),
    otherwise="The run says {truth} s: find the last renewal that the replicas have seen, and add their backoff.",
)

# -- 8.2: from when does a lease count? --------------------------------------------------------------------------------

BACKOFF_MS, RENEW_MS = 3_000, 500
SLEEPS_MS = (0, 1_500, 2_500, 3_200)


@cache
def renewals() -> tuple[tuple[int, int], ...]:
    """(sent, answered) in milliseconds of a renewal: n1 is awake, or sleeps from when it has sent it."""
    found = []
    for sleep_ms in SLEEPS_MS:
        playback = started(SEED, **ROOM)
        playback.play_to(3_000_000)
        steps = playback.world.journal.steps
        playback.play_while(lambda steps=steps: not _renews(steps[-1]), 1_000_000)  # type: ignore[misc]
        sent_us = playback.world.now_us
        if sleep_ms:
            playback.deeds.pause("n1", sleep_ms)
        playback.play_to(sent_us + 4_000_000)
        answered_us = next(step.at_us for step in behind(playback, sent_us) if _is_told(step))
        found.append((round(sent_us / 1000), round(answered_us / 1000)))
    return tuple(found)


def _renews(step: Step) -> bool:
    return step.machine == "n1" and isinstance(step.what, Send) and b"renewal" in step.what.data


def _is_told(step: Step) -> bool:
    """The log's answer is read by n1."""
    return step.machine == "n1" and isinstance(step.what, Arrived) and b"APPENDED" in step.what.data


class Ends(NamedTuple):
    """When the lease ends in each case; the first one in words where another may serve as well; or it is too short."""

    ends: tuple[float, ...]
    unsafe: str
    short: bool


def judged(ends: tuple[float, ...]) -> Ends:
    """A replica may have seen the renewal when it was sent, and leads a backoff later at the earliest."""
    cases = [(end, *renewal) for end, renewal in zip(ends, renewals(), strict=True)]
    unsafe = [
        f"Sent at {sent:,} ms and answered at {answered:,}: it would serve until {end:,g}, and from "
        f"{sent + BACKOFF_MS:,} on another one may."
        for end, sent, answered in cases
        if end >= sent + BACKOFF_MS
    ]
    _, _, answered = cases[0]
    return Ends(ends, next(iter(unsafe), ""), ends[0] < answered + RENEW_MS)


LEASE_END = Exercise(
    name="lease-end",
    kind=Function(("sent_ms", "answered_ms"), renewals, Number("ms", 0)),
    truth=lambda: BACKOFF_MS,
    outcome=judged,
    accept=lambda outcome, truth: not outcome.unsafe and not outcome.short,
    solution=lambda sent_ms, answered_ms: sent_ms + 2_000,
    right="However long n1 sleeps, its lease is over before any backoff can be; and while it is awake, a renewal lasts "
    "until the next one.",
    wrong=(
        Wrong(
            lambda sent_ms, answered_ms: answered_ms + 2_000,
            "That is how it is broken: a replica may have seen the renewal long before n1 heard the answer. "
            "{outcome.unsafe}",
        ),
        Wrong(
            lambda sent_ms, answered_ms: (sent_ms + answered_ms) / 2 + 2_000,
            "Nobody knows that the entry was committed half-way. {outcome.unsafe}",
        ),
        Wrong(
            lambda sent_ms, answered_ms: answered_ms + 1_500,
            "A margin helps for so long, and a sleep may be longer. {outcome.unsafe}",
        ),
        Wrong(
            lambda sent_ms, answered_ms: sent_ms + 3_000,
            "That is the very moment at which a backoff may be over. The lease must be shorter, and strictly.",
        ),
        Wrong(
            lambda sent_ms, answered_ms: sent_ms + 300,
            "Safe, and too short: the next renewal is sent half a second later, and n1 serves nobody until then.",
            when=lambda given, outcome: outcome.short and not outcome.unsafe,
        ),
    ),
    otherwise="{outcome.unsafe}",
)

# -- 8.3: how long a lease? --------------------------------------------------------------------------------------------

SLOW = {"lease_ms": 2_000, "renew_ms": 500, "backoff_ms": 3_000, "backoff_jitter_ms": 500}
QUICKLY_MS, ANSWER_MS, SILENCE_MS = 1_500, 5, 800


class Timing(NamedTuple):
    """The worst that four times allow, in milliseconds: from a death to the next leader, and what is left of a lease
    when a renewal is sent.  Beside it the runs: the slowest of three failovers, and the leases lost in twelve elections
    of the log."""

    worst_ms: int
    left_ms: int
    slowest_s: float
    lapses: int

    @property
    def is_quick(self) -> bool:
        return self.worst_ms <= QUICKLY_MS

    @property
    def is_patient(self) -> bool:
        return self.left_ms >= SILENCE_MS


def timing(settings: Mapping[str, Any]) -> Timing:
    """It is the rule that judges; runs may be lucky."""
    times = SLOW | {name: value for name, value in settings.items() if name in SLOW}
    runs = trade(**times)
    worst_ms = times["backoff_ms"] + times["backoff_jitter_ms"] + ANSWER_MS
    return Timing(worst_ms, times["lease_ms"] - times["renew_ms"], round(runs.leads_s, 2), runs.lapses)


TIMING = Exercise(
    name="timing",
    kind=Settings(MemoryDB),
    truth=lambda: SILENCE_MS,
    outcome=timing,
    accept=lambda outcome, truth: outcome.is_quick and outcome.is_patient,
    stub=SLOW,
    solution={"lease_ms": 1_000, "renew_ms": 200, "backoff_ms": 1_200, "backoff_jitter_ms": 200},
    right="In the worst case somebody leads after {outcome.worst_ms} ms, and a renewal can wait {outcome.left_ms} ms "
    "for its answer. In the runs: {outcome.slowest_s} s, and {outcome.lapses} leases lost in twelve elections of the "
    "log.",
    wrong=(
        Wrong(
            SLOW | {"lease_ms": 1_000, "renew_ms": 200},
            "A shorter lease alone makes nobody quicker: the replicas wait for their backoff. It took "
            "{outcome.slowest_s} s.",
            when=lambda given, outcome: not outcome.is_quick and given.get("backoff_ms", 3_000) >= 3_000,
        ),
        Wrong(
            SLOW | {"lease_ms": 1_000, "renew_ms": 200, "backoff_ms": 1_200},
            "If n1 dies just after a renewal, the backoff counts from its death, and all the luck may be added to it: "
            "somebody leads after up to {outcome.worst_ms} ms.",
            when=lambda given, outcome: not outcome.is_quick,
        ),
        Wrong(
            {"lease_ms": 500, "renew_ms": 50, "backoff_ms": 1_200, "backoff_jitter_ms": 200},
            "Quick enough. But when a renewal is sent, {outcome.left_ms} ms are left of the lease, and its answer may "
            "take {truth}. (In twelve elections of the log n1 has lost its lease {outcome.lapses} times; in others it "
            "would, with other luck.)",
            when=lambda given, outcome: outcome.is_quick and not outcome.is_patient,
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
        "A renewal is seen every half second, and a primary dies. After which death do the others wait longest for a "
        "new leader?",
        {
            "just after a renewal": "The backoff counts from the renewal, so all of it is still to come.",
            "just before the next renewal": "Then half a second of the backoff is over already.",
            "it makes no difference": "It would make none if the backoff began with the death. Nobody sees a death.",
        },
        "just after a renewal",
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
