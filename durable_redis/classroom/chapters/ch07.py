"""Chapter 07, "Availability or durability: with these parts, pick one": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Choice, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.lab.deployments import ReplicatedRedis
from durable_redis.lab.matrix import FAULT_MS, MENDED_MS, SETUPS, matrix, play
from durable_redis.lab.run import Run
from durable_redis.sim import EPOCH_US

SEED = 7
ROOM: dict[str, Any] = {
    "replicas": 2,
    "sentinels": 3,
    "down_after_ms": 3_000,
    "failover_timeout_ms": 6_000,
    "save": (),
    "appendonly": True,
    "appendfsync": "always",
}
"""The room of this chapter: three servers, each with a log that is synced before every OK."""


def stalled(stall_ms: int, room: Mapping[str, Any] = ROOM) -> Run:
    """The incident of section 1: both links from n1 stall, and so much later its power goes; somebody takes over."""
    run = ReplicatedRedis(**room).start(seed=SEED)
    run.write(300, every_ms=10)
    for replica in ("n2", "n3"):
        run.cut("n1", replica, both=False, at_ms=1_500 - stall_ms)
    run.crash("n1", "power loss", at_ms=1_500)
    run.play(until_ms=8_000)
    return run


# -- 6: who stood still ------------------------------------------------------------------------------------------------


def stuck(configuration: str, fault: str) -> Iterator[str]:
    """Play a cell of the matrix again: each client's writes that got no answer within a second, up to the one at which
    it stood until the fault was mended: whose keys these were, and when they were wanted and answered."""
    playback = play(SETUPS[configuration], fault)
    for client in playback.clients():
        for write in client.operations:
            wanted_s, answered_s = ((at_us - EPOCH_US) / 1e6 for at_us in (write.due_us, write.answered_us or EPOCH_US))
            if not write.sent or not FAULT_MS <= wanted_s * 1000 < MENDED_MS or 0 < answered_s < wanted_s + 1:
                continue
            key, end = write.argv[1].decode(), f"answered at {answered_s:.2f} s" if answered_s > 0 else "no answer"
            yield f"{client.name}  {key}, a key of {write.node}: wanted at {wanted_s:.2f} s, {end}"
            if answered_s * 1000 > MENDED_MS:
                break


# -- 8.1: the stall is the loss ---------------------------------------------------------------------------------------


@cache
def lost_after_400_ms() -> int:
    return stalled(400).receipt().lost


HEIR_LACKS = Exercise(
    name="heir-lacks",
    kind=Number("writes", 0),
    truth=lost_after_400_ms,
    accept=lambda outcome, truth: abs(outcome - truth) <= 1,
    solution=40,
    right="Just what the heir had not received: in the run, {truth}.",
    wrong=(
        Wrong(0, "Each of them is on the platter of n1. But nobody asks n1: its heir never received them."),
        Wrong(
            60,
            "That was the incident of section 1, where the links had stalled for 600 ms. The loss is as long as the "
            "stall.",
        ),
        Wrong(
            390,
            "While nobody leads, nothing is acknowledged, so nothing of that time can be lost. What counts is the time "
            "between the stall and the death.",
            when=lambda given, outcome: given >= 300 and given != 400,
        ),
        Wrong(
            400,
            "A stall of 400 ms, at one write every 10 ms: how many writes is that?",
            when=lambda given, outcome: given == 400,
        ),
        Wrong(20, "On the average, perhaps. Here the stall lasts until the death, and nothing gets through it."),
    ),
    otherwise="The run says {truth}: what was acknowledged between the stall and the death.",
)

# -- 8.2: a restart that is too quick ---------------------------------------------------------------------------------

QUICK_STUB = {name: value for name, value in ROOM.items() if name != "appendfsync"} | {"appendonly": False}


def lost_to_a_quick_restart(settings: Mapping[str, Any]) -> int:
    """The primary's process dies, and a supervisor starts it again before any sentinel has missed it."""
    run = ReplicatedRedis(**settings).start(seed=SEED)
    run.write(100, every_ms=10)
    run.play(until_ms=2_000)
    if run.deployment.controls:
        run.crash("n1", "process kill")
        run.restart("n1", at_ms=2_200)
    run.play(until_ms=15_000)
    return run.receipt().lost


QUICK_RESTART = Exercise(
    name="quick-restart",
    kind=Settings(ReplicatedRedis),
    truth=lambda: 0,
    outcome=lost_to_a_quick_restart,
    stub=QUICK_STUB,
    solution=QUICK_STUB | {"appendonly": True},
    right="Nothing is lost: whoever leads afterwards has them all.",
    wrong=(
        Wrong(
            QUICK_STUB | {"replicas": 4},
            "More replicas copy more of nothing: {outcome} writes are lost.",
            when=lambda given, outcome: bool(outcome) and given.get("replicas", 2) > 2,
        ),
        Wrong(
            QUICK_STUB | {"min_replicas_to_write": 1},
            "This refuses writes while replicas are missing. Nothing was missing: the primary was empty, and {outcome} "
            "writes are gone.",
            when=lambda given, outcome: bool(outcome) and bool(given.get("min_replicas_to_write")),
        ),
        Wrong(
            QUICK_STUB | {"down_after_ms": 5_000},
            "No sentinel had missed the primary before it was back; {outcome} writes are gone. What does it have then?",
            when=lambda given, outcome: bool(outcome),
        ),
    ),
)

# -- 8.3: what one can bear --------------------------------------------------------------------------------------------

BEARABLE_S = 18
NONE = "none of them"
CHOICES = (
    "one node, log always",
    "two replicas, log always",
    "... and min-replicas 1",
    "... and WAIT 1",
    "... and WAIT 2",
    NONE,
)


class Row(NamedTuple):
    """Of a row: writes that a lost disk or a cut zone erases, and the longest silence of all its cells, in seconds."""

    lost: int
    silent_s: float


@cache
def row(name: str) -> Row | None:
    if name not in SETUPS:
        return None
    costs = matrix({name: SETUPS[name]})
    lost = costs[name, "disk is lost"].lost + costs[name, "zone is cut off"].lost
    return Row(lost, round(costs.worst(name)[1] / 1e6, 1))


BEARABLE = Exercise(
    name="bearable",
    kind=Choice(tuple(choice.lower() for choice in CHOICES)),
    truth=lambda: 0,
    outcome=lambda choice: row(next(name for name in CHOICES if name.lower() == choice)),
    accept=lambda outcome, truth: outcome is not None and outcome.lost == truth and outcome.silent_s <= BEARABLE_S,
    solution="... and WAIT 1",
    right="Neither fault erases anything that the clients believed, and at worst nobody was answered for "
    "{outcome.silent_s} s. What it does not promise is the *wrong heir*: that you were willing to bear.",
    wrong=(
        Wrong("one node, log always", "The log lives on the disk, and a lost disk takes it: {outcome.lost} are gone."),
        Wrong(
            "two replicas, log always",
            "The lost disk is mended. But the old primary in the cut zone says OK until somebody tells it: "
            "{outcome.lost} are gone.",
        ),
        Wrong(
            "... and min-replicas 1",
            "It goes on until the last word of its replicas is too old: {outcome.lost} are gone with the cut zone.",
            when=lambda given, outcome: given == "... and min-replicas 1",
        ),
        Wrong(
            "... and WAIT 2",
            "Nothing is gone, to any fault. But at worst nobody is answered for {outcome.silent_s} s.",
            when=lambda given, outcome: given == "... and wait 2",
        ),
        Wrong(
            NONE, "One row has a zero in both columns, and no silence above 18 s. Look at the right end of each cell."
        ),
    ),
)

EXERCISES = (HEIR_LACKS, QUICK_RESTART, BEARABLE)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "Every server runs `appendfsync always`. The primary dies, a replica takes over, and writes are gone. Whose "
        "fault is it?",
        {
            "the disk's": "The disk kept every one of them. It stood in the wrong machine.",
            "nobody's: it is the design": "OK meant *on the platter of n1*. The failover made n2 the database, and "
            "OK had never said anything about n2.",
            "the sentinels': they were too quick": "However long they wait: if n1 does not come back, its heir does "
            "not have them.",
        },
        "nobody's: it is the design",
    ),
    Question(
        "Your primary is down, and its disk is well. What do you choose between?",
        {
            "losing writes, or waiting for a repair": "To promote a copy loses what it lacks; to wait for the machine "
            "loses nothing, and serves nobody.",
            "sentinels and a cluster": "Both promote a copy. The choice is whether to promote at all.",
            "nothing: copy its log to the replica": "That would be a third way. These parts do not have it; "
            "MySQL's tools try just that (chapter 11).",
        },
        "losing writes, or waiting for a repair",
    ),
    Question(
        "WAIT 1 returned 1. Under which condition can the write still be lost?",
        {
            "none: it is on two servers": "It is in the memory of two servers. A third one may inherit.",
            "another replica is promoted": "WAIT counts who has it, and has no say in who inherits.",
            "the primary's log is not synced": "Even if it is: the log of a dead primary helps nobody.",
        },
        "another replica is promoted",
    ),
    Question(
        "What does `min-replicas-to-write 1` promise?",
        {
            "each write is on a replica": "It does not look at the write at all. It asks whether a replica was "
            "heard of lately.",
            "that a primary which hears of no replica stops": "After max-lag; what it took until then may be gone. If "
            "a replica is cut off together with it, nothing stops it, and to the wrong heir it is no help.",
            "that a failover loses nothing": "In the matrix, its row loses writes to two of the faults.",
        },
        "that a primary which hears of no replica stops",
    ),
)
