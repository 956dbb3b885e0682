"""Chapter 12, "A test that cannot fail proves nothing": its histories, exercises and exit questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.islands import MACHINES, Read, island, reads
from durable_redis.classroom.kinds import READERS_ERRORS, NotAttempted, Refused, named
from durable_redis.classroom.orders import orders, written
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.words import short, spoken
from durable_redis.formats.resp import OK
from durable_redis.verify.history import Call, History

FOUR = """
    ann   0-40   SET x 1  -> OK
    bob  10-60   SET x 2  -> OK
    cat  50-70   GET x    -> 1
    cat  80-90   GET x    -> 2
"""
"""The history that is worked by hand; what is worked out for it, the next one lacks: the answers are swapped."""
SWAPPED = """
    ann   0-40   SET x 1  -> OK
    bob  10-60   SET x 2  -> OK
    cat  50-70   GET x    -> 2
    cat  80-90   GET x    -> 1
"""
NO_ANSWER = {
    "A": """
    ann   0-10   SET x 1  -> OK
    bob  20-?    SET x 2
    cat  30-40   GET x    -> 1
    cat  50-60   GET x    -> 1
""",
    "B": """
    ann   0-10   SET x 1  -> OK
    bob  20-?    SET x 2
    cat  30-40   GET x    -> 2
    cat  50-60   GET x    -> 1
""",
    "C": """
    ann   0-10   SET x 1  -> OK
    bob  20-?    SET x 2
    cat  30-40   GET x    -> 1
    cat  50-60   GET x    -> 2
""",
}
"""Three small histories with a write that nobody answered."""


def crowd(clients: int, command: str = "SET", keys: int = 1) -> History:
    """So many clients, who all write at one time, each another value, and nobody of whom is answered.  Then somebody
    reads a value that none of them wrote: to be sure, the search must go through all that may have happened."""
    calls = [
        Call(f"c{number}", (command.encode(), b"x%d" % (number % keys), b"%d" % number), 0) for number in range(clients)
    ]
    reads = [Call("reader", (b"GET", b"x%d" % key), 20_000, 30_000, b"never") for key in range(keys)]
    return History((*calls, *reads))


def queue(calls: int) -> History:
    """As many writes, one after the other, each answered, and a read at the end."""
    times = [(1_000 * number, 1_000 * number + 500) for number in range(calls + 1)]
    writes = [Call("one", (b"SET", b"x", b"%d" % n), *times[n], OK) for n in range(calls)]
    return History((*writes, Call("one", (b"GET", b"x"), *times[calls], b"%d" % (calls - 1))))


# -- 9.1: complete a history -------------------------------------------------------------------------------------------

UNREAD = """
    ann   0-20   SET x 1  -> OK
    bob  10-?    SET x 2
    cat  30-40   GET x    -> 1
    ann  50-60   SET x 3  -> OK
    cat  70-80   GET x    -> {}
"""
CANDIDATES = ("nothing", "1", "2", "3")


class Values:
    """A few of the candidates, in any collection."""

    def take(self, given: Any) -> frozenset[str]:
        if given is ...:
            raise NotAttempted
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise Refused(f"A set of answers is asked for, such as {{1, 2}}, and this is {named(given)}.")
        words = frozenset("nothing" if value is None else short(str, value) for value in given)
        if strange := sorted(words - {*CANDIDATES}):
            raise Refused(f"Nobody could answer {strange[0]!r}: choose of {', '.join(CANDIDATES)}.")
        return words

    def difference(self, outcome: Any, truth: Any) -> str:
        return "The orders say otherwise: try them with `orders`."


@cache
def possible() -> frozenset[str]:
    return frozenset(value for value in CANDIDATES if orders(written(UNREAD.format(value))))


POSSIBLE = Exercise(
    name="possible-answers",
    kind=Values(),
    truth=possible,
    solution={2, 3},
    right="3, if the unanswered write took effect before, or never; 2, if it takes effect now, after all the others.",
    wrong=(
        Wrong(
            {3}, "3 is one of them. But has bob's write been answered? It may take effect at any moment after 10 ms."
        ),
        Wrong({2}, "2 is one of them. It is not the only one: bob's write may also never take effect."),
        Wrong({1, 2, 3}, "Not 1: ann was told OK to her 3 before the GET began, and nobody writes 1 after that."),
        Wrong({1, 3}, "Not 1, for ann's 3 was acknowledged before. And is there nobody whose write may still come?"),
        Wrong({1}, "After the OK to 3 and before this GET nobody writes 1 again."),
        Wrong(
            {"nothing", 3}, "Nobody deletes x, so it is never nothing again.", when=lambda given, _: "nothing" in given
        ),
    ),
)

# -- 9.2: repair a judge that cannot fail ------------------------------------------------------------------------------


class Judged(NamedTuple):
    """What a judge of the reader's makes of the reads: how many wrong answers it lets pass, how many right ones it
    objects to, and how many wrong ones there are."""

    passed: int
    objected: int
    wrong: int


class JudgeOfReads:
    """A function of (got, oldest, newest) that says True or False."""

    def take(self, given: Any) -> Judged:
        if given is ...:
            raise NotAttempted
        if not callable(given):
            raise Refused(f"A function is asked for, and this is {named(given)}. Hand in its name alone.")
        said = [(read.right, self._asked(given, read)) for read in reads()]
        return Judged(
            sum(says and not right for right, says in said),
            sum(right and not says for right, says in said),
            sum(not right for right, _ in said),
        )

    def _asked(self, function: Callable[..., Any], read: Read) -> bool:
        try:
            says = function(read.got, read.oldest, read.newest)
        except READERS_ERRORS as error:
            raise Refused(
                f"For got={read.got}, oldest={read.oldest}, newest={read.newest} your function stops: {spoken(error)}."
            ) from None
        if says is ...:
            raise NotAttempted
        if says is None:
            raise Refused("Your function returns nothing: is there a `return`?")
        if not isinstance(says, bool):
            raise Refused(f"True or False is asked for, and your function returns {named(says)}.")
        return says

    def difference(self, outcome: Any, truth: Any) -> str:
        return f"It lets {outcome.passed} wrong answers pass, and objects to {outcome.objected} right ones."


FAIR_JUDGE = Exercise(
    name="fair-judge",
    kind=JudgeOfReads(),
    truth=lambda: (0, 0),
    accept=lambda outcome, truth: outcome[:2] == truth,
    solution=lambda got, oldest, newest: oldest <= got <= newest,
    right="It objects to each of the {outcome.wrong} stale reads, and to nothing else.",
    wrong=(
        Wrong(
            lambda got, oldest, newest: got <= newest,
            "It cannot fail: no server answers what nobody has sent. All {outcome.wrong} stale reads pass.",
            when=lambda given, outcome: outcome.passed == outcome.wrong and not outcome.objected,
        ),
        Wrong(
            lambda got, oldest, newest: got == oldest,
            "It objects to {outcome.objected} right answers: a write that is under way may be seen already.",
        ),
        Wrong(
            lambda got, oldest, newest: got == newest,
            "A write of which nobody was told OK may not have taken effect yet: {outcome.objected} right answers are "
            "objected to.",
        ),
    ),
)

# -- 9.3: design an island ---------------------------------------------------------------------------------------------


class Machines:
    """Some of the machines, in any collection."""

    def take(self, given: Any) -> tuple[str, ...]:
        if given is ...:
            raise NotAttempted
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise Refused(f'A list of machines is asked for, such as ["n2"], and this is {named(given)}.')
        names = tuple(given)
        if strange := [name for name in names if not isinstance(name, str) or name not in MACHINES]:
            raise Refused(f"In this room is no machine {short(repr, strange[0])}: there is {', '.join(MACHINES)}.")
        if not names or {*names} >= {*MACHINES}:
            raise Refused("An island has somebody on it, and somebody is left on the mainland.")
        return tuple(name for name in MACHINES if name in names)

    def difference(self, outcome: Any, truth: Any) -> str:
        return "Nobody is told anything old."


STALE_ISLAND = Exercise(
    name="stale-island",
    kind=Machines(),
    truth=lambda: (True, True),
    outcome=island,
    accept=lambda outcome, truth: (outcome.broken, outcome.sound) == truth,
    solution=["n1", "client2"],
    right="n1 does not hear that it was replaced, and the reader does not, either; the writer goes on elsewhere. With "
    "a lease, n1 would fall silent.",
    wrong=(
        Wrong(
            ["n1"],
            "n1 believes that it leads, and nobody is there to hear it: both clients go on with n2.",
            when=lambda given, outcome: given == ("n1",),
        ),
        Wrong(
            ["n1", "client1"],
            "The writer is with n1, and is not answered; the reader is with n2. Who is told something old?",
            when=lambda given, outcome: given == ("n1", "client1"),
        ),
        Wrong(
            ["n1", "client1", "client2"],
            "The reader hears what is old, but nobody writes anything new elsewhere: then it is not old.",
            when=lambda given, outcome: given == ("n1", "client1", "client2"),
        ),
        Wrong(
            ["n1", "client2", "log-a", "log-b"],
            "With two zones of the log beside it, n1 leads, and rightly: nobody else can.",
            when=lambda given, outcome: {"n1", "log-a", "log-b"} <= {*given} or {"n1", "log-b", "log-c"} <= {*given},
        ),
        Wrong(
            ["n2"],
            "n1 still reaches the log, and leads on. Cut off the one that must not know that it was replaced.",
            when=lambda given, outcome: "n1" not in given,
        ),
    ),
    otherwise="All answers fit an order. Whom must the reader still reach, and whom must the writer reach?",
)

EXERCISES = (POSSIBLE, FAIR_JUDGE, STALE_ISLAND)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "A client's SET timed out, and a GET a minute later shows the old value. Ten minutes later a GET shows the new "
        "one. Is there an order?",
        {
            "yes: the write took effect in between": "Nobody answered it, so it may take effect at any moment after it "
            "was sent, and that is what happened.",
            "no: it had not happened": "The first GET says that it had not happened *yet*.",
            "only if the client sent it again": "It need not have. A command on its way has not been taken back.",
        },
        "yes: the write took effect in between",
    ),
    Question(
        "Ten thousand seeds, and no judge objects. What do you know?",
        {
            "there is no bug": "A bug that shows on other grounds, or breaks a law that nobody has written down, is as "
            "silent after ten million.",
            "a bug that one seed in a thousand shows would have been seen": "Almost surely; and nothing about one that "
            "these faults and this workload never show.",
            "nothing at all": "That is too modest: what would have shown often has been looked for, and was not there.",
        },
        "a bug that one seed in a thousand shows would have been seen",
    ),
    Question(
        "Two nodes held a lease at one time; no client was told anything wrong. Is it worth a red light?",
        {
            "no: what no client sees is no fault": "Under another schedule a client would. This one was lucky.",
            "yes: a law of the mechanism is broken": "Such a judge objects early: long before luck brings a client to "
            "the wrong place at the wrong time.",
            "only in production": "There one looks at the wrong end of luck.",
        },
        "yes: a law of the mechanism is broken",
    ),
    Question(
        "The checker gives up after two million steps. What is the verdict?",
        {
            "linearizable: it found nothing wrong": "It has found no order, either.",
            "not linearizable: it found no order": "It has not looked at all of them.",
            "undecided": "And undecided is not green: make the history smaller, or the budget larger.",
        },
        "undecided",
    ),
)
