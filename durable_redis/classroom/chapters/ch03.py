"""Chapter 03, "The log is only as durable as its last fsync": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Choice, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import SEED, worst_loss, written
from durable_redis.lab.deployments import Redis

# -- 8.1: a second's worth ---------------------------------------------------------------------------------------------


@cache
def lost_at_500_a_second() -> int:
    """What a power loss erases at its worst instant, under `everysec`, at 500 writes a second."""
    return worst_loss(written({"appendonly": True}, 1_100, every_ms=2))


AT_MOST = Exercise(
    name="at-most",
    kind=Number("writes", 0),
    truth=lost_at_500_a_second,
    accept=lambda outcome, truth: abs(outcome - truth) <= 0.1 * truth,
    solution=500,
    right="A second's worth: in the run it was {truth} at the worst instant.",
    wrong=(
        Wrong(0, "OK is said before the fsync, and the power may go in between. Something is at risk."),
        Wrong(1, "One fsync a second is not one write a second: all that came since the last one is at risk."),
        Wrong(
            100,
            "That was chapter 00, with a hundred writes a second. The window is a time: how many fit into it here?",
            when=lambda given, outcome: 90 <= given <= 110,
        ),
        Wrong(
            250,
            "Half a second's worth is what is at risk on the average. Asked for is the most.",
            when=lambda given, outcome: 225 <= given <= 275,
        ),
        Wrong(
            1_000,
            "That would be two seconds' worth. On this disk an fsync takes a millisecond, so the window is hardly "
            "longer than the second between two of them.",
            when=lambda given, outcome: 900 <= given <= 1_100,
        ),
    ),
    otherwise="The run says {truth} at the worst instant. The window is a time: how many writes fit into it?",
)

# -- 8.2: while the log is being rewritten -----------------------------------------------------------------------------

STUB = {"appendonly": True, "appendfsync": "everysec", "no_appendfsync_on_rewrite": True}
LONG_REWRITE = {"serialize_ns_per_kib": 3_000_000_000}
"""Hardware on which the child is busy for seconds, as it is with a large keyspace."""


class Rewritten(NamedTuple):
    """What comes of some settings: the policy ("" without a log), whether it is suspended, and the worst loss."""

    policy: str
    suspended: bool
    lost: int


def rewritten(settings: Mapping[str, Any]) -> Rewritten:
    """Write, begin a rewrite after half a second, write on, and cut the power at the worst instant."""
    policy = settings.get("appendfsync", "everysec") if settings.get("appendonly") else ""
    hardware = {**settings.get("hardware", {}), **LONG_REWRITE}
    run = Redis(**{**settings, "hardware": hardware}).start(seed=SEED)
    run.write(350, every_ms=10)
    run.play(until_ms=run.now_ms + 500)
    if policy:
        run.command("BGREWRITEAOF")
    run.play()
    return Rewritten(policy, bool(settings.get("no_appendfsync_on_rewrite")), worst_loss(run))


@cache
def lost_by_default() -> int:
    """A second's worth: what `everysec` loses, rewrite or not, if nothing else is asked for."""
    return rewritten({"appendonly": True}).lost


WHILE_REWRITING = Exercise(
    name="while-rewriting",
    kind=Settings(),
    truth=lost_by_default,
    outcome=rewritten,
    accept=lambda outcome, truth: outcome.lost <= truth,
    stub=STUB,
    solution=STUB | {"no_appendfsync_on_rewrite": False},
    right="With a rewrite going on, a power loss takes {outcome.lost} writes at the worst instant; {truth} would be "
    "a second's worth.",
    wrong=(
        Wrong(
            STUB | {"appendfsync": "always"},
            "Even `always` does not wait for the disk while a child writes to it, if that option says so: "
            "{outcome.lost} are lost.",
            when=lambda given, outcome: outcome.policy == "always" and outcome.suspended,
        ),
        Wrong(
            STUB | {"hz": 100},
            "While the child writes, nothing is fsynced: {outcome.lost} writes are lost, and it could be half a "
            "minute's worth. Which option says so?",
            when=lambda given, outcome: outcome.policy == "everysec" and outcome.suspended,
        ),
        Wrong(
            STUB | {"appendfsync": "no"},
            "With `no` the server never asks for an fsync, rewrite or not: {outcome.lost} are lost.",
            when=lambda given, outcome: outcome.policy == "no",
        ),
        Wrong(
            {"appendonly": False},
            "Without a log there is nothing to rewrite, and nothing to load: {outcome.lost} are lost.",
            when=lambda given, outcome: outcome.policy == "",
        ),
    ),
)

# -- 8.3: the policy for a wish ----------------------------------------------------------------------------------------

NONE = "none of them"
EVERY_MS, SLOW_MS = 10, 2_500


class Endured(NamedTuple):
    """The worst that a policy loses: to a process kill on a slow disk, and to a power loss on a good one."""

    killed: int
    cut: int


@cache
def endured(policy: str) -> Endured | None:
    if policy == NONE:
        return None
    settings = {"appendonly": True, "appendfsync": policy}
    killed = worst_loss(written(settings, 400, EVERY_MS, slow_disk_ms=SLOW_MS), "process kill")
    return Endured(killed, worst_loss(written(settings, 400, EVERY_MS)))


def wished() -> Endured:
    """No write to a kill; to a power cut what the default policy loses on a good disk, which is about a second."""
    default = endured("everysec")
    assert default is not None
    return Endured(0, default.cut)


WHICH_POLICY = Exercise(
    name="which-policy",
    kind=Choice(("always", "everysec", "no", NONE)),
    truth=wished,
    outcome=endured,
    accept=lambda outcome, truth: outcome is not None and outcome.killed <= truth.killed and outcome.cut <= truth.cut,
    solution="always",
    right="Nothing is lost to a kill, and nothing to a power cut. That is more than was asked for, and it costs an "
    "fsync a batch: no policy gives just what was wished.",
    wrong=(
        Wrong(
            "everysec",
            "On the slow disk a kill takes {outcome.killed}: this policy postpones writes while an fsync runs.",
        ),
        Wrong(
            "no",
            "It postpones nothing, so a kill takes {outcome.killed}. But a power cut takes {outcome.cut}: all that the "
            "kernel has not written back on its own.",
        ),
        Wrong(
            NONE,
            "None gives *just* that. But one of them keeps both promises, and more; it has a price.",
        ),
    ),
)

EXERCISES = (AT_MOST, WHILE_REWRITING, WHICH_POLICY)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        '"We run everysec, so the most we can lose is one second." When is that wrong?',
        {
            "never: that is what the policy means": "It means one fsync *begun* a second. How long one takes, and "
            "what is postponed meanwhile, is up to the disk.",
            "when an fsync takes long, or is suspended": "The window is the longer of one second and the fsync "
            "time, plus the fsync time; with `no-appendfsync-on-rewrite` it is as long as the kernel takes. And a lost "
            "disk takes everything.",
            "when there are many clients": "More clients lose more writes, in the same window of time.",
        },
        "when an fsync takes long, or is suspended",
    ),
    Question(
        "A server was killed, and lost writes. Its operator swears that the machine stayed up. Is that possible?",
        {
            "yes: they were postponed": "They were waiting in the memory of the process for an fsync to end.",
            "no: the kernel had them": "It had those that were handed to it. While an fsync runs, a server under "
            "`everysec` keeps records for itself, for up to two seconds, and a burst of those that had waited.",
            "only if the disk is broken": "It need only be slow.",
        },
        "yes: they were postponed",
    ),
    Question(
        "Why does the server not start from a log that is damaged in the middle, skipping the bad part?",
        {
            "it cannot find the next record": "It could: records begin with `*`. But what would it then have loaded?",
            "what comes after may depend on it": "An increment, a rename, a transaction: nobody could say what the "
            "data would then be.",
            "the checksum does not match": "The log has none. That is why damage inside a value is not even noticed.",
        },
        "what comes after may depend on it",
    ),
    Question(
        "Is the append-only file a write-ahead log?",
        {
            "yes: it is written before the answer": "Before the answer, but after the change: the command has been "
            "executed by then.",
            "only under always": "`always` moves the fsync before the answer. The change still comes first.",
            "no: it is written after the change": "That is why a failing disk under `always` can only end the "
            "process: the change is already in memory.",
        },
        "no: it is written after the change",
    ),
)
