"""Chapter 02, "A snapshot is always out of date": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain
from random import Random
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Function, NotAttempted, Number, Refused, named
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import worst_loss, written
from durable_redis.lab.run import Run
from durable_redis.sim.disk import Disk

# -- 8.1: the window ---------------------------------------------------------------------------------------------------

EVERY_MS, A_SECOND = 25, 40
SLOW_MS = 400
"""A save makes two fsyncs (the file, the directory); on a disk slower by so much it takes twice as long."""


def saving(save_point: tuple[int, int], every_ms: int, slow_disk_ms: int = 0) -> Run:
    return written({"save": (save_point,)}, 200, every_ms, slow_disk_ms)


@cache
def saws() -> dict[tuple[float, ...], int]:
    """(seconds, time of a save in seconds, writes a second) -> lost at the worst instant, as three runs have it."""
    return {
        (1, 0.002, A_SECOND): worst_loss(saving((1, 1), EVERY_MS)),
        (3, 0.002, A_SECOND): worst_loss(saving((3, 1), EVERY_MS)),
        (1, 0.8, A_SECOND): worst_loss(saving((1, 1), EVERY_MS, SLOW_MS)),
    }


Window = Callable[[float, float, float], float]


def comes_to(window: Window) -> Callable[[Any, Any], bool]:
    """Whether an answer computes what this function does, however it is written."""
    return lambda given, outcome: all(
        abs(result - window(*case)) < 0.5 for case, result in zip(saws(), outcome, strict=True)
    )


def typical(window: Window, says: str) -> Wrong:
    return Wrong(window, says, when=comes_to(window))


WINDOW = Exercise(
    name="snapshot-window",
    kind=Function(("seconds", "save_takes_s", "writes_per_second"), lambda: list(saws()), Number("writes")),
    truth=lambda: tuple(saws().values()),
    accept=lambda outcome, truth: all(abs(a - b) <= 2 for a, b in zip(outcome, truth, strict=True)),
    solution=lambda seconds, takes, rate: (seconds + 0.1 + 2 * takes) * rate,
    right="So it is, to a write or two, on each of the three servers at its worst instant.",
    wrong=(
        typical(
            lambda seconds, takes, rate: (seconds + 0.1 + takes) * rate,
            "Right where a save takes no time. A tooth reaches from one fork to the end of the *next* save: that is "
            "the time of two saves.",
        ),
        typical(
            lambda seconds, takes, rate: seconds * rate,
            "A save point says when a save begins. Nothing that came since the last fork is safe until it has ended.",
        ),
        typical(
            lambda seconds, takes, rate: (seconds + 2 * takes) * rate,
            "Almost: the server looks at its clock ten times a second only. How late can it be?",
        ),
        typical(
            lambda seconds, takes, rate: seconds + 0.1 + 2 * takes,
            "That is the window, in seconds. How many writes fit into it?",
        ),
        typical(
            lambda seconds, takes, rate: (2 * seconds + 0.1 + 2 * takes) * rate,
            "Too much: there are two saves in the window, but only one wait between them.",
        ),
        typical(
            lambda seconds, takes, rate: (seconds + 0.1 + 2 * takes) / rate,
            "Twice as many writes a second, and half as many lost? The window is a time: multiply.",
        ),
    ),
)

# -- 8.2: the four steps -----------------------------------------------------------------------------------------------


def fsync_all(disk: Disk) -> None:
    for name in disk.files:
        begun = disk.fsync_begins(name)
        assert isinstance(begun, tuple)
        disk.fsync_ends(*begun, name)


STEPS: dict[str, Callable[[Disk], object]] = {
    "write": lambda disk: disk.write("temp", b"new"),
    "fsync": fsync_all,
    "rename": lambda disk: disk.rename("temp", "dump.rdb"),
    "sync directory": lambda disk: disk.sync_names(),
}
SHUFFLED = ["write", "rename", "sync directory", "fsync"]


class Order:
    """The four steps of a save, each once, in some order."""

    def take(self, given: Any) -> tuple[str, ...]:
        if given is ...:
            raise NotAttempted
        if not isinstance(given, tuple | list) or not all(isinstance(step, str) for step in given):
            raise Refused(f"A list of four steps is asked for, and this is {named(given)}.")
        if sorted(given) != sorted(STEPS):
            raise Refused(f"Each of {', '.join(map(repr, STEPS))} is asked for, once.")
        return tuple(given)

    def difference(self, outcome: Any, truth: Any) -> str:
        return "The bare disk says otherwise."


class Found(NamedTuple):
    """What a restart may find under the snapshot's name, spelled: after any of the steps, and after the last."""

    anywhere: str
    after_success: str


def spelled(contents: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(set(contents))))


def found_after(done: tuple[str, ...], kept: int) -> str:
    """A bare disk with an old snapshot; these steps; the power goes, and so much of each unsynced tail is left."""
    disk = Disk(Random(0))
    disk.write("dump.rdb", b"old")
    for step in ("fsync", "sync directory", *done):
        STEPS[step](disk)
    disk.power_loss(kept)
    return (disk.read("dump.rdb") or b"").decode()


def found(order: tuple[str, ...]) -> Found:
    """The power lost after each step, with every possible tail."""
    tails = range(len(b"new") + 2)
    after = [[found_after(order[:done], kept) for kept in tails] for done in range(len(order) + 1)]
    return Found(spelled(chain(*after)), spelled(after[-1]))


def whole() -> Found:
    """What is wished for: the old contents or the new ones, as they are before and after an undisturbed save."""
    old, new = found_after((), 0), found_after(tuple(SHUFFLED), 0)
    return Found(spelled([old, new]), spelled([new]))


def before(one: str, other: str) -> Callable[[Any, Any], bool]:
    return lambda given, outcome: given.index(one) < given.index(other)


FOUR_STEPS = Exercise(
    name="four-steps",
    kind=Order(),
    truth=whole,
    outcome=found,
    stub=SHUFFLED,
    solution=["write", "fsync", "rename", "sync directory"],
    right="A restart finds the old snapshot or the new one, whole, after every step; after the last one, the new one.",
    wrong=(
        Wrong(
            ["rename", "write", "fsync", "sync directory"],
            "There is nothing to rename before it is written: a restart always finds {outcome.after_success}.",
            when=before("rename", "write"),
        ),
        Wrong(
            ["fsync", "write", "rename", "sync directory"],
            "An fsync moves what was written before it, and here the new content comes later: a restart may find "
            "{outcome.anywhere}.",
            when=before("fsync", "write"),
        ),
        Wrong(
            ["write", "rename", "fsync", "sync directory"],
            "The name can become durable before the content that it names. A restart may find {outcome.anywhere}, and "
            "some of these are half a snapshot, or an empty one.",
            when=before("rename", "fsync"),
        ),
        Wrong(
            ["write", "fsync", "sync directory", "rename"],
            "Nothing is ever half. But after the save has reported success a restart may find "
            "{outcome.after_success}: which step makes the new name durable?",
            when=before("sync directory", "rename"),
        ),
    ),
)

# -- 8.3: a save point for a wish --------------------------------------------------------------------------------------


class SavePoint:
    """A save point: so many seconds, so many changes."""

    def take(self, given: Any) -> tuple[int, int]:
        if given is ...:
            raise NotAttempted
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise Refused(f"A pair is asked for, (seconds, changes), and this is {named(given)}.")
        seconds, changes = given
        if any(isinstance(number, bool) or not isinstance(number, int) for number in given):
            raise Refused("Two whole numbers are asked for, (seconds, changes), and one of these is something else.")
        if not (0 < seconds <= 10**9 and 0 < changes <= 10**9):
            raise Refused("Of seconds and of changes there must be at least one, and not more than are ever reached.")
        return seconds, changes

    def difference(self, outcome: Any, truth: Any) -> str:
        return f"At most {outcome.lost} are lost, with {outcome.saves} saves."


class Tried(NamedTuple):
    """What comes of a save point: the loss at the worst instant, and how many saves there were."""

    lost: int
    saves: int


def tried(save_point: tuple[int, int]) -> Tried:
    run = saving(save_point, every_ms=30)
    text = run.command("INFO", "persistence")
    assert isinstance(text, bytes)
    saves = next(line.partition(":")[2] for line in text.decode().split() if line.startswith("rdb_saves:"))
    return Tried(worst_loss(run), int(saves))


SAVE_POINT = Exercise(
    name="save-point",
    kind=SavePoint(),
    truth=lambda: Tried(80, 3),
    outcome=tried,
    accept=lambda outcome, wish: outcome.lost <= wish.lost and outcome.saves <= wish.saves,
    solution=(2, 1),
    right="At most {outcome.lost} are lost at the worst instant, and the number of saves is {outcome.saves}.",
    wrong=(
        Wrong(
            (3600, 1),
            "This save point is not reached in six seconds: nothing is saved at all, and all {outcome.lost} are lost.",
            when=lambda given, outcome: outcome.saves == 0,
        ),
        Wrong(
            (1, 1),
            "Little is lost, {outcome.lost} at the most; but it saves {outcome.saves} times.",
            when=lambda given, outcome: outcome.saves > 3,
        ),
        Wrong(
            (3, 1),
            "It saves seldom enough, but {outcome.lost} are lost at the worst instant. 80 writes are 2.4 seconds.",
            when=lambda given, outcome: given[0] > 2,
        ),
        Wrong(
            (1, 100),
            "As many changes as the second number says are at risk before a save is even begun: {outcome.lost} are "
            "lost.",
            when=lambda given, outcome: given[0] <= 2,
        ),
    ),
)

EXERCISES = (WINDOW, FOUR_STEPS, SAVE_POINT)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "LASTSAVE says: two minutes ago. The data set takes five minutes to save. How much would a crash take now?",
        {
            "the last two minutes": "That is when the save *ended*. It holds what there was when it began.",
            "the last five minutes": "So long a save takes. It began five minutes before it ended, and it ended two "
            "minutes ago.",
            "the last seven minutes": "The snapshot that ended two minutes ago holds what there was when it began.",
        },
        "the last seven minutes",
    ),
    Question(
        '"Our server is hardly used, so there is hardly anything to lose." What is wrong?',
        {
            "few changes are saved late": "With the settings that Redis comes with, fewer than a hundred changes wait "
            "for an hour (section 1). Few, but all of them.",
            "nothing: it is so": "Few changes, yes; but they are at risk for longest, and may be all there is.",
            "a quiet server saves less well": "The save is the same. The question is when it is begun.",
        },
        "few changes are saved late",
    ),
    Question(
        "A backup script copies dump.rdb while the server is running. Can it get half a file?",
        {
            "yes, if a save is running": "The running save writes to another file, under a temporary name.",
            "no": "The file is never changed; a new one takes its name. Whoever has opened the old one reads the old "
            "one to its end.",
            "only after a power loss": "The new name is given only to content that is on the platter (section 3.5).",
        },
        "no",
    ),
    Question(
        'Somebody sets stop-writes-on-bgsave-error to no, "because of the outages". What have they chosen?',
        {
            "to be available, at no price": "While saves fail, each OK is one more promise that a crash will break.",
            "to lose at most one save": "A disk that is ill fails the next save as well, and the one after that.",
            "to promise without means": "The server goes on promising, with nothing to keep the promises with. The "
            "loss grows until somebody notices that saves fail (4.2: 798 instead of 109).",
        },
        "to promise without means",
    ),
)
