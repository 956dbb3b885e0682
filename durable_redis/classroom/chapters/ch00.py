"""Chapter 00, "You can lose an acknowledged write in sixty seconds": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Function, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import NODE, at_risk, lost_at, worst_loss, written

EVERYSEC: dict[str, Any] = {"appendonly": True, "appendfsync": "everysec"}
ALWAYS: dict[str, Any] = {"appendonly": True, "appendfsync": "always"}

# -- 8.1: how many are at risk? ----------------------------------------------------------------------------------------


@cache
def marks_and_risks() -> dict[tuple[int, int], int]:
    """(told OK, on the platter) -> at risk from a power loss, as runs under two policies have it.

    A few differences of the two marks, each at the last instant that has it; under `always` one is negative, because
    there a write is on the platter before its client is told.  The incident's nine come first."""
    found: dict[int, tuple[tuple[int, int], int]] = {}
    for settings in (EVERYSEC, ALWAYS):
        run = written(settings, 150, every_ms=10)
        for step in range(run.steps + 1):
            machine = run.frame(step).machines[NODE]
            marks = machine.acknowledged, machine.marks.platter
            if (difference := marks[0] - marks[1]) < 10 or difference % 20 == 0:
                found[difference] = marks, at_risk(run, step, "power loss")
    return dict(found[difference] for difference in sorted(found, key=lambda difference: abs(difference - 9)))


AT_RISK = Exercise(
    name="at-risk",
    kind=Function(("told_ok", "on_platter"), lambda: list(marks_and_risks()), Number("writes")),
    truth=lambda: tuple(marks_and_risks().values()),
    solution=lambda told_ok, on_platter: max(0, told_ok - on_platter),
    right="So it is at every instant of the runs, under `everysec` and under `always`.",
    wrong=(
        Wrong(
            lambda told_ok, on_platter: told_ok - on_platter,
            "Almost: under `everysec` it is so at every instant. But under `always` a write can be on the platter "
            "before its client is told, and then this says -1: fewer than none cannot be lost.",
        ),
        Wrong(
            lambda told_ok, on_platter: abs(told_ok - on_platter),
            "Almost. A write that is on the platter, and whose client was not told yet, is not at risk: when there is "
            "one more on the platter than was told OK, nothing is.",
        ),
        Wrong(
            lambda told_ok, on_platter: on_platter - told_ok,
            "The other way round: what is on the platter is safe. Take it away from what was promised.",
        ),
        Wrong(
            lambda told_ok, on_platter: told_ok,
            "That is all that was promised. What of it is on the platter outlives the power.",
        ),
        Wrong(
            lambda told_ok, on_platter: on_platter,
            "Those are the safe ones. Asked for are the others.",
        ),
        Wrong(
            lambda told_ok, on_platter: told_ok + on_platter,
            "The writes on the platter are among those that were told OK: do not count them twice.",
        ),
        Wrong(
            lambda told_ok, on_platter: max(0, told_ok - on_platter - 5),
            "Five of nine had luck in one crash, under one seed. At risk is what is lost without any luck.",
        ),
        Wrong(lambda told_ok, on_platter: 9, "Nine it was at the instant of the incident. Use the two marks."),
    ),
)

# -- 8.2: change one word ----------------------------------------------------------------------------------------------


class Repaired(NamedTuple):
    """What comes of some settings: the policy ("" without a log), and the worst loss to a power cut."""

    policy: str
    lost: int


def repaired(settings: Mapping[str, Any]) -> Repaired:
    policy = settings.get("appendfsync", "everysec") if settings.get("appendonly") else ""
    return Repaired(policy, worst_loss(written(settings, 220, every_ms=10)))


@cache
def least_loss() -> int:
    """The least that any policy loses to a power cut at its worst instant."""
    return min(repaired({"appendonly": True, "appendfsync": policy}).lost for policy in ("no", "everysec", "always"))


ONE_WORD = Exercise(
    name="one-word",
    kind=Settings(),
    truth=least_loss,
    outcome=repaired,
    accept=lambda outcome, truth: outcome.lost <= truth,
    stub=EVERYSEC,
    solution=ALWAYS,
    right="OK is said when the write is on the platter: there is no instant at which a power loss erases one.",
    wrong=(
        Wrong(
            {"appendonly": True, "appendfsync": "no"},
            "`no` asks nothing of the disk at all: at the worst instant {outcome.lost} acknowledged writes are lost.",
            when=lambda given, outcome: outcome.policy == "no",
        ),
        Wrong(
            {"appendonly": False},
            "Without a log, what was not yet in a snapshot is lost: {outcome.lost} acknowledged writes.",
            when=lambda given, outcome: outcome.policy == "",
        ),
        Wrong(
            EVERYSEC | {"hz": 100},
            "OK is still said up to a second before the fsync: at the worst instant {outcome.lost} are lost.",
            when=lambda given, outcome: outcome.policy == "everysec",
        ),
    ),
)

# -- 8.3: the worst instant --------------------------------------------------------------------------------------------

LAST_MS = 2_000


@cache
def most_at_risk() -> int:
    """How many acknowledged writes are at risk from a power loss at the worst instant of the first two seconds."""
    run = written(EVERYSEC, 200, every_ms=10)
    steps = [step for step in range(run.steps + 1) if run.frame(step).at_us <= LAST_MS * 1000]
    return max(at_risk(run, step, "power loss") for step in steps)


WORST_INSTANT = Exercise(
    name="worst-instant",
    kind=Number("milliseconds", 0, LAST_MS),
    truth=most_at_risk,
    outcome=lambda instant_ms: lost_at(instant_ms, EVERYSEC, 200, every_ms=10),
    accept=lambda outcome, truth: outcome >= 0.95 * truth,
    solution=1_000,
    right="{outcome} acknowledged writes are lost at {given} ms: the fsync that would save them has not ended yet.",
    wrong=(
        Wrong(
            1_090,
            "That was the incident: only 90 ms after an fsync, with {outcome} at risk. There is a far worse instant.",
            when=lambda given, outcome: given == 1_090,
        ),
        Wrong(
            60,
            "By {given} ms hardly anything has been written, so hardly anything can be lost: {outcome}.",
            when=lambda given, outcome: given <= 200,
        ),
        Wrong(
            1_003,
            "At {given} ms an fsync has just ended: {outcome} would be lost. And a moment *before* it ends?",
            when=lambda given, outcome: outcome <= 5,
        ),
        Wrong(
            500,
            "Half way between two fsyncs: {outcome} are lost. The longer the last fsync is ago, the more.",
            when=lambda given, outcome: 40 <= outcome <= 60,
        ),
    ),
    otherwise="At {given} ms {outcome} are lost. There is an instant that costs more: look at when fsyncs end.",
)

EXERCISES = (AT_RISK, ONE_WORD, WORST_INSTANT)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        'A server was OOM-killed at night and lost nothing, so its owner says: "everysec is enough for us." '
        "What has she tested?",
        {
            "that everysec survives a crash": "She has seen one kind of crash. There are three, and they take "
            "different things.",
            "the kill of a process": "It takes what the process holds, and the log was with the kernel. She has "
            "learned nothing about a power loss.",
            "that nothing was written that night": "Perhaps; but even under load a killed process does not lose what "
            "it has handed to the kernel.",
        },
        "the kill of a process",
    ),
    Question(
        "A cloud provider moves your virtual machine to another host after a hardware fault. Which crash is it?",
        {
            "a process kill": "The page cache was the memory of the machine that is gone. More is lost than what the "
            "process held.",
            "a power loss, at best": "If the disk is attached again, the platter survives and the page cache does "
            "not. If the disk was a local one, it is a disk loss.",
            "none: the machine is back": "Something with its name is back. What was only in memory is not.",
        },
        "a power loss, at best",
    ),
    Question(
        "Your client got a timeout instead of an OK. Was the write lost?",
        {
            "yes": "It may have been executed, and even be durable. Only the answer did not arrive.",
            "no": "It may never have reached the server, or have died with it.",
            "nobody knows": "The receipt has a verdict for each case: *kept, never acknowledged*, and *lost, never "
            "acknowledged*. Neither breaks a promise.",
        },
        "nobody knows",
    ),
    Question(
        "Twice as many writes a second under `everysec`, everything else equal: what happens to the loss?",
        {
            "it stays the same": "The window stays the same: it is a time. The loss is what was acknowledged in it.",
            "it doubles": "The window is a second of time; the loss is what was acknowledged in it.",
            "it halves": "An fsync moves all that was written before it, however much. It does not come more often.",
        },
        "it doubles",
    ),
)
