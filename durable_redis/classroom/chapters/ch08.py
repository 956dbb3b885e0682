"""Chapter 08, "Move the log out of the node": the rooms of its sections 3 and 4, its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Function, Number
from durable_redis.classroom.moments import conversation
from durable_redis.classroom.quiz import Question
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.run import Run
from durable_redis.memorydb.log.election import commit_point
from durable_redis.memorydb.tracker import Tracker

SEED = 7

# -- 3: when a write is safe -------------------------------------------------------------------------------------------


def fate(run: Run, key: str, step: int) -> str:
    """What becomes of a write if, at this step, n1 and all machines of the log lose their power, and log-b its disk,
    too.  The others come back, and so does the network."""
    run.checkout("main", step)
    for name in ("n1", "log-a", "log-b", "log-c"):
        run.crash(name, "disk loss" if name == "log-b" else "power loss")
    for name in ("log-a", "log-c"):
        run.restart(name)
    run.heal_network()
    run.play(until_ms=5_500)
    return next(row.verdict for row in run.receipt().rows if row.key == key)


# -- 4.1: who is missing -----------------------------------------------------------------------------------------------


def without(*machines: str, kind: str = "power loss") -> Run:
    """A client writes every 100 ms; these machines crash at 2 s, and come back at 7 s."""
    run = MemoryDB(replicas=2).start(seed=SEED)
    run.write(120, every_ms=100)
    for name in machines:
        run.crash(name, kind, at_ms=2_000)
    run.play(until_ms=7_000)
    for name in machines:
        run.restart(name)
    run.play(until_ms=14_000)
    return run


# -- 4.3: a command that is not answered -------------------------------------------------------------------------------

REQUEST, ANSWER, LATE = ROOMS = ("the request is lost", "the answer is lost", "the request is late")
AGAIN, READS, NAMES = CLIENTS = ("sends it again", "reads first", "names the visit")
LATE_MS = 1_300
"""So much longer than usual the request of the third room travels: longer than a client waits (1 s)."""


class Counted(NamedTuple):
    """How many visits the room counts in the end, and what its client said and was told until then."""

    visits: int
    conversation: str


def second_visit(room: str, client: str) -> Counted:
    """One visit is counted; the command for a second one is not answered in time, and the client does as it does.

    In the first two rooms n1 dies meanwhile, and the client goes on with its heir."""
    run = MemoryDB(replicas=2).start(seed=SEED)
    named = client == NAMES
    run.work(1, command="SADD visits first" if named else "INCR visits")
    run.play(until_ms=1_500)
    if room == LATE:
        run.delay("client", "n1", LATE_MS)
    for log in () if room == LATE else run.deployment.logs:
        run.cut(*(("n1", log) if room == REQUEST else (log, "n1")), both=False)
    run.work(1, command="SADD visits second" if named else "INCR visits")
    run.play(until_ms=2_700)
    if room == LATE:
        run.heal_network()  # what is on its way already stays late
    else:
        run.crash("n1", "power loss")
        run.play(until_ms=8_000)
    if client != READS or _reads_one(run):
        run.work(1, command="SADD visits second" if named else "INCR visits")
    run.play(until_ms=9_000)
    said = conversation(run)
    count = run.command("SCARD" if named else "GET", "visits")
    assert isinstance(count, int | bytes)
    return Counted(int(count), said)


def _reads_one(run: Run) -> bool:
    run.work(1, command="GET visits")
    run.play(until_ms=run.now_ms + 50)
    return run.history()[-1].reply == b"1"


# -- 8.1: what is committed --------------------------------------------------------------------------------------------

PLATTERS = ((52, 52, 52), (52, 51, 52), (52, 50, 51), (40, 52, 51), (52, 0, 0), (7, 9, 8))
"""The last entry on each of three platters."""
MAJORITY, OWN_TERM_FROM = 2, 1
"""The log has had one leader: all entries are of its term."""


@cache
def commit_points() -> tuple[int, ...]:
    return tuple(commit_point(platters, MAJORITY, OWN_TERM_FROM) for platters in PLATTERS)


def _middle(platters: Sequence[int]) -> int:
    return sorted(platters)[1]


COMMITTED = Exercise(
    name="committed",
    kind=Function(("platters",), lambda: [(platters,) for platters in PLATTERS], Number("the place of an entry", 0)),
    truth=commit_points,
    solution=_middle,
    right="The middle one of the three: two platters have at least that. The log's own rule says the same, each time. "
    "(It has a second half: a leader counts no entry of an earlier term so, and one of its own carries all before it. "
    "Why, `durable_redis/memorydb/log/election.py` says.)",
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

# -- 8.2: a tracker that is too careful --------------------------------------------------------------------------------

REPLIES: tuple[tuple[dict[str, int], tuple[str, ...] | None], ...] = (
    ({"x": 120, "y": 180}, ("x",)),
    ({"x": 120, "y": 180}, ("y",)),
    ({"x": 120, "y": 180}, ("z",)),
    ({"x": 120, "y": 180}, ("z", "x", "y")),
    ({"x": 120, "y": 180}, ()),
    ({"x": 120, "y": 180}, None),
    ({}, ("x",)),
    ({}, None),
)
"""The marks; and on which keys a reply rests (None: on all of them)."""


@cache
def hazards() -> tuple[int, ...]:
    return tuple(_tracked(marks).hazard(None if keys is None else map(str.encode, keys)) for marks, keys in REPLIES)


def _tracked(marks: Mapping[str, int]) -> Tracker:
    tracker = Tracker()
    for key, end in marks.items():
        tracker.wrote([key.encode()], end)
    return tracker


def _newest(marks: Mapping[str, int], keys: Iterable[str] | None) -> int:
    return max((end for key, end in marks.items() if keys is None or key in keys), default=0)


WAITS_FOR = Exercise(
    name="waits-for",
    kind=Function(("marks", "keys"), lambda: REPLIES, Number("a place in the log", 0)),
    truth=hazards,
    solution=_newest,
    right="The newest of the marks that the reply rests on, and 0 where it rests on none. It is `Tracker.hazard` in "
    "`durable_redis/memorydb/tracker.py`.",
    wrong=(
        Wrong(
            lambda marks, keys: max(marks.values(), default=0),
            "Nobody is told a lie, and everybody waits: whoever reads y, and whoever says PING, waits for x.",
        ),
        Wrong(
            lambda marks, keys: min((marks[key] for key in keys or marks if key in marks), default=0),
            "A reply that rests on x and y may be told when the log has *both* changes, not the older one only.",
        ),
        Wrong(
            lambda marks, keys: max((marks[key] for key in keys or () if key in marks), default=0),
            "DBSIZE rests on every key, and here it waits for none: it would count a key that may never have been.",
        ),
        Wrong(
            lambda marks, keys: max((marks[key] for key in keys or marks if key in marks), default=0),
            "A reply that rests on *no* key, such as that of PING, waits here as if it rested on all: an empty list is "
            "not None.",
        ),
        Wrong(
            lambda marks, keys: 0,
            "This tracker holds nothing back: `client2` is told *new*, and later *old*.",
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

EXERCISES = (COMMITTED, WAITS_FOR, PLATTERS_NEEDED)

# -- 8.4, without a check ----------------------------------------------------------------------------------------------


def two_disks(after_ms: int = 2_000) -> Run:
    """Beyond the promise: the disks of two machines of the log are lost, and two new ones stand in their places."""
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
        "The disk of log-c is lost, and nothing has replaced it. A little later n1 and log-a lose their power, a "
        "moment after an OK. What now?",
        {
            "the write is gone": "Two of three have it, and log-c is none of them: so log-a and log-b have it, and a "
            "power loss takes nothing from a platter.",
            "it is there, but nobody is answered until log-a is back": "log-b alone is no majority. With log-a it "
            "is one again; they elect, and whoever leads next reads the write from them.",
            "n2 takes over and goes on: log-b has it all": "It has, and it cannot know that: it takes two to elect a "
            "leader of the log, and n2 leads only when the log says so.",
        },
        "it is there, but nobody is answered until log-a is back",
    ),
    Question(
        "A GET is answered three milliseconds later than usual. Why?",
        {
            "somebody has just written this key": "The value is in memory, and not in the log yet. The reader waits as "
            "the writer does.",
            "before it answers a read, n1 asks the log whether it still leads": "Then every read would be slow. Only "
            "those of changed keys wait; whether n1 leads, its lease says (chapter 09).",
            "the log was electing its leader": "That takes some hundred milliseconds, and whoever reads an untouched "
            "key does not notice it.",
        },
        "somebody has just written this key",
    ),
    Question(
        "Your INCR was not answered. You send GET, and the counter stands where it stood. What do you know?",
        {
            "it did not happen: send it again": "It has not happened *so far*. It may be on its way still, and then "
            "two are counted.",
            "not yet whether it will happen": "*Unknown* includes: it is about to. Send again only what may come twice "
            "and late, such as SADD with a name for the visit.",
            "nothing, but another INCR is safe: it carries a token": "The append of a *node* carries a token. Your "
            "INCR carries nothing by which anybody could tell it from another visit.",
        },
        "not yet whether it will happen",
    ),
    Question(
        "Zone b burns down: n2 and the leader of the log, with their disks. What do the clients notice?",
        {
            "that the last writes are lost": "Each acknowledged one is on a platter in zone a or c, or in both.",
            "a pause of less than a second": "The other two elect another leader of the log. n1 stays the primary, and "
            "sends its entry again.",
            "that no write gets through for three seconds": "So long it takes until another *server* leads. n1 is "
            "well, and stays the primary.",
        },
        "a pause of less than a second",
    ),
)
