"""Chapter 10, "Every node can die": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Function, Number, Settings
from durable_redis.classroom.offbox import behind
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import SEED
from durable_redis.contract import Note
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.run import Run
from durable_redis.memorydb.catalog import id_of

# -- 8.1: the newest has rotted ----------------------------------------------------------------------------------------


def rotten_newest() -> Run:
    """A shard of one node, with two snapshots; then one bit of the newer turns over."""
    run = MemoryDB(replicas=0, least_bytes=8_000).start(seed=SEED)
    run.write(150, every_ms=20, key="k{n}", value="value of {n}")
    run.play(until_ms=3_800)
    run.bit_rot("s3", "objects/s1%2Fsnapshots%2F*", 300)
    return run


def _facts(run: Run, kind: str) -> list[Mapping[str, Any]]:
    notes = [step.what for step in run.playback.world.journal if isinstance(step.what, Note)]
    return [note.facts for note in notes if note.kind == kind]


@cache
def replayed_from_the_older() -> int:
    run = rotten_newest()
    run.crash("n1", "power loss")
    run.restart("n1")
    run.play(until_ms=run.now_ms + 1)  # it is ready: let it say so
    return int(_facts(run, "ready")[-1]["entries"])


@cache
def _of_the_newest() -> tuple[int, int, int]:
    """Of both snapshots the entry, and of the log the last one, in the run of 8.1."""
    older, newest = (id_of(str(facts["name"])).index for facts in _facts(rotten_newest(), "snapshot released"))
    return older, newest, older + replayed_from_the_older()


FROM_THE_OLDER = Exercise(
    name="from-the-older",
    kind=Number("entries", 0),
    truth=replayed_from_the_older,
    solution=83,
    right="It refuses the newest, begins with the one before it, and replays all that follows: {truth} entries.",
    wrong=(
        Wrong(
            30,
            "So many lie behind the newest snapshot. But that one is damaged, and nothing may be built on it.",
            when=lambda given, outcome: given == _of_the_newest()[2] - _of_the_newest()[1],
        ),
        Wrong(
            53,
            "So many lie between the two snapshots. It must also replay what came after the newer one.",
            when=lambda given, outcome: given == _of_the_newest()[1] - _of_the_newest()[0],
        ),
        Wrong(
            158,
            "That is the whole log from its first entry. The older snapshot has the beginning of it.",
            when=lambda given, outcome: given == _of_the_newest()[2],
        ),
        Wrong(0, "The damaged snapshot is of no use, and the older one lacks what came after it."),
    ),
    otherwise="The run says {truth}: from the entry of the older snapshot to the last of the log.",
)

# -- 8.2: what may be trimmed ------------------------------------------------------------------------------------------


@cache
def trims() -> tuple[tuple[tuple[int, ...], int], ...]:
    """(the entries of the snapshots released so far, behind which entry the log begins then), after each release."""
    run = MemoryDB(replicas=0, least_bytes=8_000).start(seed=SEED)
    run.write(250, every_ms=20, key="k{n}", value="value of {n}")
    run.play(until_ms=6_000)
    released = tuple(id_of(str(facts["name"])).index for facts in _facts(run, "snapshot released"))
    cuts = [int(str(facts["upto"]).partition("-")[2]) for facts in _facts(run, "trimmed") if "upto" in facts]
    return tuple((released[: count + 1], cut) for count, cut in enumerate(cuts))


TRIM_BEHIND = Exercise(
    name="trim-behind",
    kind=Function(("released",), lambda: [(found,) for found, _ in trims()], Number("", 0)),
    truth=lambda: tuple(cut for _, cut in trims()),
    solution=lambda released: released[-2] if len(released) > 1 else 0,
    right="Up to the one before the newest: whichever of the two is damaged, the other and the log behind it are all.",
    wrong=(
        Wrong(
            lambda released: released[-1],
            "Up to the newest: that is safe as long as it is whole. If it rots, the log does not reach back to the "
            "one before.",
        ),
        Wrong(
            lambda released: released[0],
            "Up to the oldest: safe, and the log grows for ever, because the oldest stays the oldest.",
        ),
        Wrong(
            lambda released: 0,
            "Nothing is ever forgotten, then. That is safe, and a log that only grows is what chapter 04 got rid of.",
        ),
        Wrong(
            lambda released: released[-1] + 1,
            "That would forget an entry that no snapshot has.",
        ),
        Wrong(
            lambda released: released[-2:][0],
            "With two or more it is right. When there is one, only the whole log could stand in for it.",
        ),
    ),
)

# -- 8.3: how fresh ----------------------------------------------------------------------------------------------------

MOST_BEHIND, MOST_SNAPSHOTS = 35, 4
FRESHNESS_STUB: dict[str, Any] = {"freshness_percent": 100, "least_bytes": 1_000}


class Fresh(NamedTuple):
    """The most records behind the newest snapshot at any time, and how many snapshots were made."""

    most: int
    snapshots: int


def fresh(settings: Mapping[str, Any]) -> Fresh:
    """With these settings: 100 keys, and 120 writes to one of them, one every 100 ms."""
    found = behind(100, 120, settings.get("freshness_percent", 100), settings.get("least_bytes", 16_384), 100)
    return Fresh(found.most, found.snapshots)


FRESH_ENOUGH = Exercise(
    name="fresh-enough",
    kind=Settings(MemoryDB),
    truth=lambda: (MOST_BEHIND, MOST_SNAPSHOTS),
    outcome=fresh,
    accept=lambda outcome, truth: outcome.most <= truth[0] and outcome.snapshots <= truth[1],
    stub=FRESHNESS_STUB,
    solution=FRESHNESS_STUB | {"freshness_percent": 200},
    right="At most {outcome.most} records to replay; snapshots made: {outcome.snapshots}.",
    wrong=(
        Wrong(
            FRESHNESS_STUB | {"freshness_percent": 50},
            "Very fresh, with at most {outcome.most} to replay, and {outcome.snapshots} snapshots are too many: each "
            "writes the whole data set.",
            when=lambda given, outcome: outcome.snapshots > MOST_SNAPSHOTS,
        ),
        Wrong(
            FRESHNESS_STUB | {"freshness_percent": 400},
            "Cheap (snapshots made: {outcome.snapshots}), and {outcome.most} records to replay are too many.",
            when=lambda given, outcome: outcome.most > MOST_BEHIND,
        ),
    ),
)

EXERCISES = (FROM_THE_OLDER, TRIM_BEHIND, FRESH_ENOUGH)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "All nodes of a shard are gone, and so are their disks. What do their successors need to have all data?",
        {
            "one node that is still alive": "They ask no node. That there is none changes nothing.",
            "a released snapshot and the log behind it": "The snapshot holds everything up to its entry, and the log "
            "everything after it. Both live elsewhere.",
            "the disks, repaired": "Nothing was on them: a node of MemoryDB keeps its data in memory.",
        },
        "a released snapshot and the log behind it",
    ),
    Question(
        "A snapshot is in the store, whole. When does it count?",
        {
            "when the store has said OK": "Then the store has *some* bytes. Whether they are the data, nobody knows.",
            "when its checksum is right": "The checksum of the file finds changed bytes. A file that lacks a write is "
            "whole as a file; only the log's own checksum, and a rehearsal, find that.",
            "when it was recovered from, and then released": "Read back, loaded, held against the log; and then a "
            "small object says so.",
        },
        "when it was recovered from, and then released",
    ),
    Question(
        "Twice as many writes a second, with the same rule of freshness. What grows?",
        {
            "what a recovery replays": "The rule counts bytes of log, and not seconds: a snapshot is due when there "
            "are enough of them, however soon that is.",
            "how often a snapshot is made": "The log grows twice as fast, so the next one is due after half the time.",
            "the snapshots": "They hold the data, and not their history.",
        },
        "how often a snapshot is made",
    ),
    Question(
        "The snapshotter dies in the middle of its work, and stays dead for a day. What does that cost?",
        {
            "the writes of that day": "They are in the log, as always. Nobody trims it meanwhile.",
            "time: recoveries replay a day of log": "Nothing is lost, and whoever starts from nothing has more to do.",
            "nothing at all": "The log grows, and with it the time that a recovery needs.",
        },
        "time: recoveries replay a day of log",
    ),
)
