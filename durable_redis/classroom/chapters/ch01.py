"""Chapter 01, "OK is a promise, and memory cannot keep it": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Choice, Function, NotAttempted, Number, Refused, named
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.trials import NODE, SEED, written
from durable_redis.formats.rdb import Entry, decode
from durable_redis.formats.resp import ErrorReply
from durable_redis.lab.deployments import Redis
from durable_redis.lab.verdicts import BROKEN, KEPT, LUCKY, RESURRECTED, UNPROMISED, VERDICTS

# -- 8.1: write the verdict yourself -----------------------------------------------------------------------------------


VERDICT = Choice(VERDICTS)


@dataclass(frozen=True, slots=True)
class Judge(Function):
    """A function that passes a verdict."""

    returns: Any = VERDICT

    def difference(self, outcome: Any, truth: Any) -> str:
        for case, result, right in zip(self.cases(), outcome, truth, strict=True):
            if result != right:
                return f"For {self.spelled(case)} your function says {result!r}; the receipt says {right!r}."
        return "The receipts say otherwise."


@cache
def verdicts() -> dict[tuple[str, bool], str]:
    """(told, there) -> verdict, from the receipts of two runs: every case that a single server can produce.

    One server fails its snapshot, refuses writes and is killed; of another, one OK is held on the wire."""
    sick = Redis().start(seed=SEED)
    sick.write(60, every_ms=10)
    sick.play(until_ms=300)
    sick.fail_disk(NODE, "fsync")
    sick.command("BGSAVE")
    sick.crash(NODE, "process kill", at_ms=500)
    sick.heal_disk(NODE)
    sick.restart(NODE)
    wire = written({"save": ()}, 10, every_ms=10)
    answered = wire.life("w5").answered
    assert answered is not None
    wire.go(answered)
    wire.hold(wire.frame().in_flight[0].number)
    wire.play()
    rows = [*wire.receipt().rows, *sick.receipt().rows]
    return {(row.told, row.found is not None): row.verdict for row in rows}


def rightly(told: str, there: bool) -> str:
    if there:
        return {"ok": KEPT, "failed": RESURRECTED, "unknown": LUCKY}[told]
    return BROKEN if told == "ok" else UNPROMISED


def except_when(told: str, there: bool, verdict: str) -> Callable[[str, bool], str]:
    """The right function, with one field of the table filled in differently."""
    return lambda *case: verdict if case == (told, there) else rightly(*case)


WHICH_VERDICT = Exercise(
    name="which-verdict",
    kind=Judge(("told", "there"), lambda: list(verdicts())),
    truth=lambda: tuple(verdicts().values()),
    solution=rightly,
    right="So say the receipts, in each of the five cases that one server can produce.",
    wrong=(
        Wrong(
            lambda told, there: KEPT if there else BROKEN,
            "That looks at the survivor only. A write can be there without having been promised, and can be gone "
            "without having been promised: look at what was told as well.",
        ),
        Wrong(
            lambda told, there: KEPT if told == "ok" else UNPROMISED,
            "That believes what the client was told. What the survivor holds is the other half of a verdict.",
        ),
        Wrong(
            lambda told, there: KEPT if there else rightly(told, there),
            "Almost. *Unknown*, and there: it is kept, but nobody was promised it. It has a verdict of its own.",
        ),
        Wrong(
            lambda told, there: rightly(told, there) if there else BROKEN,
            "What is there you judge rightly. But only of an *ok* can it be said that it was lost though acknowledged.",
        ),
        Wrong(
            except_when("unknown", False, BROKEN),
            "Almost. *Unknown* means that no OK came, so a write that is gone was not acknowledged.",
        ),
        Wrong(
            except_when("failed", False, BROKEN),
            "Almost. *Failed* means that it was refused. Of course it is not there, and no promise is broken.",
        ),
        Wrong(
            except_when("unknown", True, RESURRECTED),
            "Almost. *Resurrected* is what a client was told had failed. To this one nothing was said at all.",
        ),
    ),
)

# -- 8.2: send it twice ------------------------------------------------------------------------------------------------


class Command:
    """The words of one command, as a tuple or a list."""

    def take(self, given: Any) -> tuple[str, ...]:
        if given is ...:
            raise NotAttempted
        if isinstance(given, str):
            raise Refused('A command is asked for, word by word: ("SET", "k", "v"), and this is one text.')
        if not isinstance(given, tuple | list) or not given:
            raise Refused(f'A command is asked for, such as ("SET", "k", "v"), and this is {named(given)}.')
        if not all(isinstance(word, str | int) and not isinstance(word, bool) for word in given):
            raise Refused("The words of a command are texts or whole numbers, and one of these is something else.")
        try:
            return tuple(map(str, given))
        except ValueError:
            raise Refused("The words of this command include a number with more digits than can be written.") from None

    def difference(self, outcome: Any, truth: Any) -> str:
        return "Sent twice, it leaves other data than sent once."


class Repeated(NamedTuple):
    """What the database holds after a command was sent once, and twice; `error` is what the server said, or ""."""

    once: tuple[Entry, ...]
    twice: tuple[Entry, ...]
    error: str


def holds_after(words: tuple[str, ...], times: int) -> tuple[tuple[Entry, ...], str]:
    """What an empty server holds after this command was sent so often, read from a snapshot; and its last error.

    Between two sendings lies a second: the patience of a client."""
    server, error = Redis().start(seed=SEED), ""
    for _ in range(times):
        reply = server.command(*words)
        server.play(until_ms=server.now_ms + 1_000)
        error = reply.text if isinstance(reply, ErrorReply) else error
    server.command("SAVE")
    return tuple(decode(server.file(NODE, "dump.rdb")).entries), error


def repeated(words: tuple[str, ...]) -> Repeated:
    once, error = holds_after(words, 1)
    return Repeated(once, holds_after(words, 2)[0], error)


def begins_with(*names: str) -> Callable[[Any, Any], bool]:
    return lambda given, outcome: not outcome.error and given[0].upper() in names


TWICE = Exercise(
    name="twice",
    kind=Command(),
    truth=lambda: holds_after((), 0)[0],
    outcome=repeated,
    accept=lambda outcome, truth: outcome.once == outcome.twice != truth,
    stub=("INCR", "visits"),
    solution=("SADD", "visitors", "ann"),
    right="Sent twice, it leaves what it leaves sent once: it is *idempotent*, and may be repeated after an unknown.",
    wrong=(
        Wrong(
            ("SADD", "visitors"),
            "The server does not accept this: {outcome.error}.",
            when=lambda given, outcome: bool(outcome.error),
        ),
        Wrong(
            ("INCRBY", "visits", 1),
            "This counts as `INCR` does: the second sending counts the same visitor again.",
            when=begins_with("INCR", "INCRBY", "INCRBYFLOAT", "DECR", "DECRBY", "HINCRBY", "ZINCRBY"),
        ),
        Wrong(
            ("RPUSH", "visitors", "ann"),
            "In a list she stands twice then. What else can hold names, and each of them once?",
            when=begins_with("LPUSH", "RPUSH"),
        ),
        Wrong(
            ("APPEND", "visitors", "ann "),
            "The second sending appends the name once more.",
            when=begins_with("APPEND"),
        ),
        Wrong(
            ("SET", "visitor:ann", 1, "EX", 60),
            "The value is the same after the second sending, but its time to live begins anew.",
            when=begins_with("SET", "SETEX", "PSETEX"),
        ),
        Wrong(
            ("GET", "visits"),
            "Harmless, yes: nothing is written at all. The visitor is to be recorded.",
            when=lambda given, outcome: not outcome.error and not outcome.once,
        ),
    ),
)

# -- 8.3: a kill between the log and the answer ------------------------------------------------------------------------

KEY = "w5"


class Killed(NamedTuple):
    """What a kill made of the write: where in its life it came, and the verdict."""

    moment: str
    verdict: str


def plan() -> Any:
    """The run of the exercise: a log, and ten writes."""
    return written({"appendonly": True}, 10, every_ms=10)


def killed_after(step: float) -> Killed:
    run = plan()
    life = run.life(KEY)
    reached = [name for name in ("sent", "executed", "written", "answered") if getattr(life, name) <= step]
    run.go(int(step))
    run.crash(NODE, "process kill")
    run.restart(NODE)
    run.play()
    verdict = next((row.verdict for row in run.receipt().rows if row.key == KEY), "never sent")
    return Killed(reached[-1] if reached else "before", verdict)


def at_moment(*moments: str) -> Callable[[Any, Any], bool]:
    return lambda given, outcome: outcome.moment in moments


KEPT_UNSAID = Exercise(
    name="kept-unsaid",
    kind=Number("steps", 0),
    truth=lambda: verdicts()["unknown", True],
    outcome=killed_after,
    accept=lambda outcome, truth: outcome.verdict == truth,
    solution=87,
    right="That is it: after step {given} the kernel has the log, and the client has heard nothing.",
    wrong=(
        Wrong(
            50,
            "Too early: by step {given} the client has not even sent it. It goes to the new process, which says OK.",
            when=at_moment("before"),
        ),
        Wrong(
            83,
            "A little too early: the command is on the wire at step {given}, and the process that it goes to dies.",
            when=at_moment("sent"),
        ),
        Wrong(
            86,
            "Almost: it is executed, but its record is in the AOF buffer, which is memory of the process.",
            when=at_moment("executed"),
        ),
        Wrong(
            88,
            "Too late: by step {given} the OK was sent, and it arrives although its sender is dead.",
            when=at_moment("answered"),
        ),
    ),
)

EXERCISES = (WHICH_VERDICT, TWICE, KEPT_UNSAID)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        '"We restart Redis every night and have never lost a key, so our data is safe." What has been tested?',
        {
            "that the data survives a crash": "A restart by hand is no crash: the server was asked to end, and had "
            "the time to save.",
            "the gentle end only": "A shutdown with save points makes a snapshot first. A kill, a power loss and a "
            "lost disk have not been tried.",
            "nothing at all": "It shows that the server can save and load. But only when it is asked to end.",
        },
        "the gentle end only",
    ),
    Question(
        "A container platform sends SIGTERM, waits for a grace period, then kills. A snapshot of the data takes "
        "longer than that. What is left?",
        {
            "everything: SIGTERM saves": "It begins to. What counts is a save that has finished.",
            "the part that was written in time": "Half a snapshot is a temporary file, and no restart looks at it.",
            "the snapshot before it, or nothing": "The shutdown was writing the new one when the kill came. Either "
            "the period must be longer, or the data must be on the disk already.",
        },
        "the snapshot before it, or nothing",
    ),
    Question(
        'A client library reports a timeout as "write failed". What should the program do?',
        {
            "report the failure to its user": "Then a user is told *no* about a write that may be there, or may yet "
            "be executed.",
            "treat it as unknown": "Repeat the command if it is idempotent; otherwise look, and accept that a look "
            "may come too early.",
            "read the key once, and go by that": "The command may still be on the wire, and be executed after the "
            "look (section 4.2).",
        },
        "treat it as unknown",
    ),
    Question(
        "Which verdict would you rather have on your receipt?",
        {
            "kept, never acknowledged": "It is a surprise, not a broken promise; and whoever repeats idempotent "
            "commands after an unknown turns it into *kept*.",
            "lost though acknowledged": "That is a broken promise, and nobody will ever repeat the write: its sender "
            "was told OK.",
            "both are equally bad": "One breaks a promise. The other one only keeps what was not promised.",
        },
        "kept, never acknowledged",
    ),
)
