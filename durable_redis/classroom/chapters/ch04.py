"""Chapter 04, "A log that only grows must be replaced without ever being incomplete": its exercises and questions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Function, NotAttempted, Number, Refused, Settings, named
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import NODE, SEED
from durable_redis.formats import rdb
from durable_redis.lab.deployments import Redis
from durable_redis.lab.run import Run

# -- 8.1: when does the server rewrite its log? ------------------------------------------------------------------------

CASES = ((1, 100, 64), (50, 100, 64), (80, 50, 64), (40, 25, 64), (50, 100, 32))
"""(size after the last rewrite, percentage, least size), in MB.  In the runs a kilobyte stands for each MB."""
KILOBYTE = 1_000
TURN_MS = 200
"""Long enough for the server to see that the log has grown (it looks ten times a second), and to rewrite it."""


def persistence(run: Run) -> dict[str, str]:
    """What INFO says about it."""
    reply = run.command("INFO", "persistence")
    assert isinstance(reply, bytes)
    return dict(line.split(":", 1) for line in reply.decode().split() if ":" in line)


def rewritten_at(after_last: int, percentage: int, min_size: int) -> int:
    """Grow a log from its last rewrite on, and read its size just before the server begins the next one."""
    settings: dict[str, Any] = {
        "auto_aof_rewrite_percentage": percentage,
        "auto_aof_rewrite_min_size": min_size * KILOBYTE,
    }
    run = Redis(appendonly=True, **settings).start(seed=SEED)
    run.command("SET", "value", "x" * after_last * KILOBYTE)
    run.command("BGREWRITEAOF")
    run.play(until_ms=run.now_ms + TURN_MS)
    rewrites, size = persistence(run)["aof_rewrites"], 0
    while (info := persistence(run))["aof_rewrites"] == rewrites:
        size = int(info["aof_current_size"])
        run.command("SET", "value", "x" * (KILOBYTE // 4))
        run.play(until_ms=run.now_ms + TURN_MS)
    return round(size / KILOBYTE)


@cache
def sizes() -> tuple[int, ...]:
    return tuple(rewritten_at(*case) for case in CASES)


REWRITTEN_AT = Exercise(
    name="rewritten-at",
    kind=Function(("after_last", "percentage", "min_size"), lambda: CASES, Number("MB")),
    truth=sizes,
    solution=lambda after_last, percentage, min_size: max(min_size, after_last * (1 + percentage / 100)),
    right="So it was in five runs, at a thousandth of these sizes.",
    wrong=(
        Wrong(
            lambda after_last, percentage, min_size: max(min_size, after_last * percentage / 100),
            "Almost: the percentage is of *growth*. A log that has grown by 100 % is twice as large.",
        ),
        Wrong(
            lambda after_last, percentage, min_size: after_last * (1 + percentage / 100),
            "That is the growth. A log that has grown, but is still smaller than `min_size`, is left alone.",
        ),
        Wrong(
            lambda after_last, percentage, min_size: min(min_size, after_last * (1 + percentage / 100)),
            "Both conditions must hold, so the one that comes true later decides.",
        ),
        Wrong(
            lambda after_last, percentage, min_size: max(min_size, 2 * after_last),
            "For the default of 100 % it is so. Use `percentage`.",
        ),
        Wrong(
            lambda after_last, percentage, min_size: min_size,
            "From `min_size` on it *may* be rewritten; it must also have grown since the last time.",
        ),
        Wrong(
            lambda after_last, percentage, min_size: after_last + min_size,
            "`min_size` is compared with the whole log, not with what was added to it.",
        ),
    ),
)

# -- 8.2: a log that grows for ever ------------------------------------------------------------------------------------

STUB: dict[str, Any] = {"appendonly": True, "auto_aof_rewrite_percentage": 0, "auto_aof_rewrite_min_size": 4_096}
VISITORS = 400


class Grown(NamedTuple):
    """What comes of some settings: the percentage (-1 without a log), the rewrites, and the bytes of the log."""

    percentage: int
    rewrites: int
    size: int


def grown(settings: Mapping[str, Any]) -> Grown:
    """Count visitors in one key, and look at the log."""
    run = Redis(**settings).start(seed=SEED)
    run.write(VISITORS, every_ms=5, key="visits", value="{n}")
    run.play()
    info = persistence(run)
    if info["aof_enabled"] == "0":
        return Grown(-1, 0, 0)
    percentage = run.deployment.config.auto_aof_rewrite_percentage
    return Grown(percentage, int(info["aof_rewrites"]), int(info["aof_current_size"]))


@cache
def never_rewritten() -> int:
    """How large the log becomes if nothing is done."""
    return grown(STUB).size


GROWS_FOR_EVER = Exercise(
    name="grows-for-ever",
    kind=Settings(),
    truth=never_rewritten,
    outcome=grown,
    accept=lambda outcome, truth: outcome.rewrites > 0 and outcome.size < truth / 2,
    stub=STUB,
    solution=STUB | {"auto_aof_rewrite_percentage": 100},
    right="After 400 visitors the log has {outcome.size} bytes, instead of {truth}.",
    wrong=(
        Wrong(
            {"appendonly": False},
            "Without a log nothing grows, and the next crash takes every visitor since the last snapshot.",
            when=lambda given, outcome: outcome.percentage < 0,
        ),
        Wrong(
            STUB | {"auto_aof_rewrite_min_size": 1},
            "The smallest size is not in the way: with a percentage of zero no size is enough, and the log has "
            "{outcome.size} bytes.",
            when=lambda given, outcome: outcome.percentage == 0,
        ),
        Wrong(
            STUB | {"auto_aof_rewrite_percentage": 1_000_000},
            "So much growth is not reached: after 400 visitors the log has {outcome.size} bytes, and was never "
            "rewritten. By how much may it grow?",
            when=lambda given, outcome: outcome.percentage > 1_000 and not outcome.rewrites,
        ),
        Wrong(
            STUB | {"auto_aof_rewrite_percentage": 100, "auto_aof_rewrite_min_size": 64 << 20},
            "With this percentage it would be rewritten, but not as long as it is smaller than the smallest size: it "
            "has {outcome.size} bytes.",
            when=lambda given, outcome: not outcome.rewrites,
        ),
    ),
    otherwise="It was rewritten, and has {outcome.size} bytes all the same. Let it be rewritten earlier.",
)

# -- 8.3: switching the log on -----------------------------------------------------------------------------------------

ACTS = "abcd"
"""a: edit the file, b: CONFIG SET, c: wait until INFO says that it is done, d: copy the snapshot to another disk."""
PATIENCE_MS = 5_000


@dataclass(frozen=True, slots=True)
class Order:
    """The letters, each once, in some order."""

    letters: str

    def take(self, given: Any) -> str:
        if given is ...:
            raise NotAttempted
        word = "".join(filter(str.isalnum, given.lower())) if isinstance(given, str) else ""
        if sorted(word) != sorted(self.letters):
            raise Refused(f"An order of the four letters is asked for, such as '{ACTS}', and this is {named(given)}.")
        return word

    def difference(self, outcome: Any, truth: Any) -> str:
        return "The run says otherwise."


class Left(NamedTuple):
    """How many writes are left at the worst instant: in the server that a power loss restarts; and, after a disk loss,
    in the server or in the copy."""

    restarted: int
    anywhere: int


def snapshot_only() -> Run:
    """A server that has a snapshot of all that was written, and no log."""
    run = Redis().start(seed=SEED)
    run.write(100, every_ms=10)
    run.play()
    run.command("SAVE")
    return run


@cache
def everything() -> int:
    """How many writes there are to be lost."""
    return snapshot_only().receipt().acknowledged


def left_after(acts: str, crash: str) -> int:
    """Do this much, crash at once, restart, and count what there is; for a lost disk, with what was copied before."""
    run, edited, copied = snapshot_only(), {}, 0
    for act in acts:
        if act == "a":
            edited = {"appendonly": True}
        elif act == "b":
            run.command("CONFIG", "SET", "appendonly", "yes")
        elif act == "c":
            wait_for_rewrite(run)
        else:
            copied = len(rdb.decode(run.file(NODE, "dump.rdb")).entries)
    run.crash(NODE, crash, tail="lost")
    run.restart(NODE, **edited)
    receipt = run.receipt()
    kept = receipt.acknowledged - receipt.lost
    return max(kept, copied) if crash == "disk loss" else kept


def wait_for_rewrite(run: Run) -> None:
    """Until INFO says that none is in progress."""
    give_up_ms = run.now_ms + PATIENCE_MS
    while persistence(run)["aof_rewrite_in_progress"] != "0" and run.now_ms < give_up_ms:
        run.play(until_ms=run.now_ms + 1)


@cache
def left_in_order(order: str) -> Left:
    """Crash after each act, from the first on."""
    begun = [order[:done] for done in range(1, len(order) + 1)]
    return Left(
        min(left_after(acts, "power loss") for acts in begun), min(left_after(acts, "disk loss") for acts in begun)
    )


def before(order: str, first: str, second: str) -> bool:
    return order.index(first) < order.index(second)


SWITCH_IT_ON = Exercise(
    name="switch-it-on",
    kind=Order(ACTS),
    truth=everything,
    outcome=left_in_order,
    accept=lambda outcome, truth: outcome == (truth, truth),
    solution="dbca",
    right="Power and disk were lost after each of the four, and of {truth} writes none is gone: the server has them, "
    "or the copy.",
    wrong=(
        Wrong(
            "dabc",
            "That is section 1: the file is edited before the running server has made a base. Of {truth} writes a "
            "restart finds {outcome.restarted}.",
            when=lambda given, outcome: before(given, "a", "b"),
        ),
        Wrong(
            "dcba",
            "When `c` comes before `b` there is nothing to wait for, and `INFO` says so at once. A crash just after "
            "`a`, and of {truth} writes a restart finds {outcome.restarted}.",
            when=lambda given, outcome: before(given, "c", "b") and outcome.restarted == 0,
        ),
        Wrong(
            "dbac",
            "Almost. As in section 4.4 the file says yes before there is a base: after a crash between `a` and `c`, of "
            "{truth} writes a restart finds {outcome.restarted}.",
            when=lambda given, outcome: before(given, "a", "c") and outcome.restarted == 0,
        ),
        Wrong(
            "bcad",
            "Every restart finds its data. But a disk that is lost before `d` takes snapshot and log together, and "
            "{outcome.anywhere} writes are left. The copy is for the case that something goes wrong: make it first.",
            when=lambda given, outcome: outcome.anywhere == 0,
        ),
    ),
)

EXERCISES = (REWRITTEN_AT, GROWS_FOR_EVER, SWITCH_IT_ON)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "A server died in the middle of a rewrite. Two base files and three increments are in its directory. Which do "
        "you delete?",
        {
            "the older base, and its increments": "That may be the log. Before the deciding rename it is, however "
            "finished the newer base looks.",
            "the newer base: it was not finished": "It was: it gets that name, in step 4, when it is on the "
            "platter. If the rename of the manifest has happened too, it is the log.",
            "none": "The manifest names the log. Let the server start, and rewrite: it deletes history itself. "
            "Deleting by the look of the names is how the base gets lost.",
            "the manifest: it is out of date": "It is the one file that knows which of the others count.",
        },
        "none",
    ),
    Question(
        "A backup script copies the directory of a running server, file by file. What can go wrong?",
        {
            "the copy may not load": "If a rewrite falls in the middle, the manifest is copied before step 5 and the "
            "files after step 6: it names files that are not in the copy. Switch the automatic rewrite off during the "
            "copy, and wait for one that runs.",
            "nothing: each file is complete": "Each of them may be. Together they must be what *one* manifest names.",
            "the last command may be torn": "Then it is cut off, as after any crash. There is worse.",
        },
        "the copy may not load",
    ),
    Question(
        "The log of a server has 40 GB; its data set has never had more than 200 MB. The settings are the defaults. "
        "What do you look at first?",
        {
            "the smallest size for a rewrite": "It is 64 MB by default, and the log has passed that long ago.",
            "how fast the disk is": "A slow disk makes a rewrite slow; but 200 MB it would have written by now.",
            "whether its rewrites fail": "`aof_last_bgrewrite_status` says so. A log two hundred times its data has "
            "asked for a rewrite long ago; and until one succeeds, a restart replays 40 GB of commands.",
        },
        "whether its rewrites fail",
    ),
    Question(
        "A disk is full, each rewrite fails, and each try adds an increment to the log. What keeps the directory from "
        "filling with them?",
        {
            "the oldest increment is deleted": "Every increment is part of the log: none may be thrown away before "
            "there is a new base.",
            "the server waits longer and longer": "After three failures in a row: one minute, then two, four, up to an "
            "hour.",
            "the server goes back to one file": "That would be a rewrite, and it is rewriting that fails.",
            "the server stops rewriting for good": "It would never recover by itself then. It tries again, but rarely.",
        },
        "the server waits longer and longer",
    ),
)
