"""Chapter 08, "Move the log out of the node": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Function, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.run import Run
from durable_redis.memorydb.log.election import reached_by
from durable_redis.verify.linearizability import linearizable

SEED = 7
LOGS = ("log-a", "log-b", "log-c")

# -- 8.1: what is committed --------------------------------------------------------------------------------------------

PLATTERS = ((52, 52, 52), (52, 51, 52), (52, 50, 51), (40, 52, 51), (52, 0, 0), (7, 9, 8))
"""The last entry on each of three platters."""
MAJORITY = 2


@cache
def commit_points() -> tuple[int, ...]:
    return tuple(reached_by(platters, MAJORITY) for platters in PLATTERS)


def _middle(platters: Sequence[int]) -> int:
    return sorted(platters)[1]


COMMITTED = Exercise(
    name="committed",
    kind=Function(("platters",), lambda: [(platters,) for platters in PLATTERS], Number("the place of an entry", 0)),
    truth=commit_points,
    solution=_middle,
    right="The middle one of the three: two platters have at least that. The log's own rule says the same, each time.",
    wrong=(
        Wrong(
            max,
            "That entry is on one platter. If this zone is lost, it was never there.",
        ),
        Wrong(
            min,
            "What all three have is safe, and it is too careful: with a zone that is dead, nothing would ever be "
            "committed again.",
        ),
        Wrong(
            lambda platters: platters[0],
            "The first of them is one zone like the others. It may be behind, and it may be ahead.",
        ),
        Wrong(
            lambda platters: sum(platters) / len(platters),
            "An average is on nobody's platter. Which entry do two of the three have, for certain?",
        ),
        Wrong(
            lambda platters: len(platters) // 2 + 1,
            "That is how many zones it takes. Which entry have so many of them reached?",
        ),
    ),
)

# -- 8.2: three nodes that are too quick -------------------------------------------------------------------------------

BROKEN_STUB: dict[str, Any] = {"replicas": 2, "clients": 2, "bug": "answers before the commit"}


class Tale(NamedTuple):
    """What users could say: acknowledged writes that are gone; whether all answers fit together."""

    lost: int
    consistent: bool


def out_of_reach(settings: Mapping[str, Any]) -> Tale:
    """n1 does not reach the log any more, one client writes, another reads; then the power of n1 fails."""
    run = MemoryDB(**{**settings, "clients": 2}).start(seed=SEED)
    run.write(1, key="x", value="old", client="client1")
    run.play(until_ms=2_000)
    run.partition(["n1"], list(LOGS))
    run.write(1, key="x", value="new", client="client1")
    run.play(until_ms=2_010)
    run.read(1, key="x", client="client2")
    run.play(until_ms=2_700)
    run.crash("n1", "power loss")
    if not run.deployment.nodes[1:]:
        run.heal_network()
        run.restart("n1")
    run.play(until_ms=9_000)
    run.read(2, every_ms=1_500, key="x", client="client2")
    run.play(until_ms=12_000)
    return Tale(run.receipt().lost, bool(linearizable(run).linearizable))


NO_LIES = Exercise(
    name="no-lies",
    kind=Settings(MemoryDB),
    truth=lambda: Tale(0, True),
    outcome=out_of_reach,
    stub=BROKEN_STUB,
    solution={"replicas": 2, "clients": 2},
    right="Nobody is told what the log has not got: neither the writer nor the reader.",
    wrong=(
        Wrong(
            BROKEN_STUB | {"replicas": 5},
            "Replicas are fed by the log. What it has not got, none of them has, however many there are.",
            when=lambda given, outcome: bool(outcome.lost) and given.get("replicas", 2) > 2,
        ),
        Wrong(
            BROKEN_STUB | {"bug": "no tracker"},
            "No acknowledged write is gone, and yet: the reader was told a value, and later an older one. Nobody else "
            "may see what the log has not got, either.",
            when=lambda given, outcome: not outcome.lost and not outcome.consistent,
        ),
        Wrong(
            BROKEN_STUB | {"bug": "unknown is taken for done"},
            "It waits a little, and then says OK all the same: {outcome.lost} acknowledged write is gone.",
            when=lambda given, outcome: given.get("bug") == "unknown is taken for done",
        ),
        Wrong(
            BROKEN_STUB | {"lease_ms": 1_000},
            "A lease says for how long a primary may answer. This one answers too early, not for too long: "
            "{outcome.lost} acknowledged write is gone.",
            when=lambda given, outcome: bool(outcome.lost),
        ),
    ),
)

# -- 8.3: how many zones must have it ----------------------------------------------------------------------------------

ZONES, BURNT = 5, 2


@cache
def enough() -> tuple[int, ...]:
    """All numbers of platters after which an OK is safe and can always be had: every choice of zones is tried."""
    return tuple(count for count in range(1, ZONES + 1) if _is_safe(count) and count <= ZONES - BURNT)


def _is_safe(count: int) -> bool:
    """Whoever has the write, and whichever zones burn: somebody who has it is left."""
    zones = range(ZONES)
    return all(
        set(having) - set(burnt) for having in combinations(zones, count) for burnt in combinations(zones, BURNT)
    )


PLATTERS_NEEDED = Exercise(
    name="platters-needed",
    kind=Number("zones", 1, ZONES),
    truth=enough,
    accept=lambda outcome, truth: outcome in truth,
    solution=3,
    right="Two of those that have it may burn, and one is left; two that do not answer can be done without. Five zones "
    "for two that fail, as three for one.",
    wrong=(
        Wrong(1, "If this one burns, the write was nowhere else."),
        Wrong(2, "Both of them may be the two that burn. (With three zones, two were enough for *one* that burns.)"),
        Wrong(4, "Safe. But with two zones dead there are three to answer, and no write would ever be told OK."),
        Wrong(5, "Safe, until the first of them is dead: then nobody is told OK. That was WAIT for every copy."),
    ),
)

EXERCISES = (COMMITTED, NO_LIES, PLATTERS_NEEDED)

# -- 8.4, without a check ----------------------------------------------------------------------------------------------


def two_disks(after_ms: int = 2_000) -> Run:
    """Beyond the promise: the disks of two zones of the log are lost, and two new machines stand in their places."""
    run = MemoryDB(replicas=2).start(seed=SEED)
    run.write(100, every_ms=100)
    for log in ("log-a", "log-b"):
        run.crash(log, "disk loss", at_ms=after_ms)
    for log in ("log-a", "log-b"):
        run.restart(log, at_ms=after_ms + 2_000)
    run.play(until_ms=12_000)
    return run


# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "The primary dies a moment after an OK. Its replicas had not yet heard of that write. Is it gone?",
        {
            "yes: a replica inherits what it has": "So it was in chapters 05 to 07. Here a replica reads the log "
            "before it may lead.",
            "no: it is in the log, where whoever leads next must read it": "OK was said because two zones had it on "
            "their platters. No node needs to have had it.",
            "no: the dead primary's disk has it": "It has no disk to speak of. That was the mistake of chapter 07: to "
            "look for it there.",
        },
        "no: it is in the log, where whoever leads next must read it",
    ),
    Question(
        "A GET is answered three milliseconds later than usual. Why?",
        {
            "somebody has just written this key": "The value is in memory, and not in the log yet. The reader waits as "
            "the writer does.",
            "every read asks the log": "Then every read would be slow. Only those of keys that the log has not caught "
            "up with wait.",
            "the log was trimmed": "Reading a key needs nothing of the log but to have caught up with it.",
        },
        "somebody has just written this key",
    ),
    Question(
        "Your INCR was not answered. What do you know?",
        {
            "it did not happen": "The request may have been lost, and the answer as well: you see the same.",
            "it happened": "Perhaps. Perhaps it never reached the log.",
            "nothing: read, or make the command one that may be done twice": "*Unknown* is the third outcome. The "
            "node's own retry to the log is safe, because it carries a token; yours carries none.",
        },
        "nothing: read, or make the command one that may be done twice",
    ),
    Question(
        "One zone of the log is gone, with its disk. What do the clients notice?",
        {
            "lost writes": "Each acknowledged one is on a platter in one of the two other zones at least.",
            "nothing, or a pause of less than a second": "If this zone led the log, the other two elect. No node "
            "changes its role.",
            "no write until the zone is back": "Two of three are a majority. It takes two dead zones to stop the log.",
        },
        "nothing, or a pause of less than a second",
    ),
)
