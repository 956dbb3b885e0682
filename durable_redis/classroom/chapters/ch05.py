"""Chapter 05, "A replica is a copy of the past": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.kinds import Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.classroom.resyncs import Resync, resync
from durable_redis.classroom.trials import SEED
from durable_redis.formats.resp import ErrorReply, Reply
from durable_redis.lab.deployments import ReplicatedRedis
from durable_redis.lab.run import Run

# -- 4.5: who has it, and on what --------------------------------------------------------------------------------------


def blackout(*question: str | int) -> tuple[list[Reply], Reply]:
    """Write `order` in a room with logs, ask WAIT or WAITAOF until enough servers have it, and cut the power of them
    all: what was answered, and what n1 has when they have restarted."""
    run = ReplicatedRedis(replicas=2, sentinels=0, appendonly=True).start(seed=SEED)
    run.command("SET", "order", "paid")
    answers = [run.command(*question)]
    while answers[-1] not in (2, [1, 2]):
        answers.append(run.command(*question))
    for node in run.deployment.nodes:
        run.crash(node, "power loss", tail="lost")
    for node in run.deployment.nodes:
        run.restart(node)
    return answers, run.command("GET", "order", node="n1")


# -- 8.1: the better copy ----------------------------------------------------------------------------------------------


def two_copies() -> Run:
    """n2 is cut off at 0.5 s and n3 at 0.75 s, the client writes on; at 0.999 s everybody is still up."""
    run = ReplicatedRedis(replicas=2, sentinels=0).start(seed=SEED)
    run.write(100, every_ms=10)
    run.cut("n1", "n2", at_ms=500)
    run.cut("n1", "n3", at_ms=750)
    run.play(until_ms=999)
    return run


@cache
def lost_with(heir: str) -> int:
    """What is gone if n1 dies then, and this replica is promoted."""
    run = two_copies()
    run.crash("n1", "power loss")
    run.command("REPLICAOF", "NO", "ONE", node=heir)
    return run.receipt().lost


BETTER_COPY = Exercise(
    name="better-copy",
    kind=Number("writes", 0),
    truth=lambda: lost_with("n3"),
    solution=25,
    right="n3 has more of the same history, and lacks the last {truth}. That its link was cut is no fault of its own.",
    wrong=(
        Wrong(0, "Neither has all the bytes of n1, and n1 is dead. What is missing is on its disk at best."),
        Wrong(
            50,
            "That is what n2 lacks. Of two copies of one history the one with the higher offset has everything that "
            "the other has, and more.",
        ),
        Wrong(75, "The sum: but what n3 has is part of the same stream. n3 lacks its end, n2 a longer end."),
        Wrong(
            775,
            "These are bytes. How many records of 31 bytes are they?",
            when=lambda given, outcome: given in (775, 1550),
        ),
        Wrong(65, "That is what n3 has. Asked for is what it lacks.", when=lambda given, outcome: given in (40, 65)),
    ),
    otherwise="The run says {truth}: the bytes that the better copy lacks, divided by the length of a record.",
)

# -- 8.2: an old answer ------------------------------------------------------------------------------------------------

STALE_STUB: dict[str, Any] = {"replicas": 1, "sentinels": 0}
REFUSAL = "MASTERDOWN"


def stale_answer(settings: Mapping[str, Any]) -> str:
    """What n2 answers about a key whose new value it never heard of, half a minute after its link was cut."""
    run = ReplicatedRedis(**settings).start(seed=SEED)
    run.command("SET", "stock", 7, node="n1")
    run.play(until_ms=1_000)
    run.partition(["n1"], list(run.deployment.nodes[1:]))
    run.command("SET", "stock", 6, node="n1")
    run.play(until_ms=31_000)
    reply = run.command("GET", "stock", node="n2")
    return reply.text.split()[0] if isinstance(reply, ErrorReply) else str(reply)


REFUSE_STALE = Exercise(
    name="refuse-stale",
    kind=Settings(ReplicatedRedis),
    truth=lambda: REFUSAL,
    outcome=stale_answer,
    stub=STALE_STUB,
    solution=STALE_STUB | {"replica_serve_stale_data": False},
    right="n2 answers {outcome}: it knows that it does not know. (It knows that only once it has noticed that its link "
    "is dead; for a replica that lags, nothing helps.)",
    wrong=(
        Wrong(
            STALE_STUB | {"repl_timeout": 5},
            "It notices sooner that its link is dead, and says {outcome} all the same: that is the default.",
            when=lambda given, outcome: "repl_timeout" in given,
        ),
        Wrong(
            STALE_STUB | {"min_replicas_to_write": 1},
            "That makes n1 refuse writes, after a while, for want of replicas. n2 goes on answering its readers: "
            "{outcome}.",
            when=lambda given, outcome: bool(given.get("min_replicas_to_write")),
        ),
        Wrong(
            STALE_STUB | {"replica_read_only": False},
            "Now it may also be written to. What it answers to readers is the same: {outcome}.",
            when=lambda given, outcome: given.get("replica_read_only") is False,
        ),
        Wrong(
            STALE_STUB | {"appendonly": True},
            "A log keeps what a server has. What n2 has is old, and now it is old on the disk as well: {outcome}.",
            when=lambda given, outcome: bool(given.get("appendonly")),
        ),
        Wrong(
            STALE_STUB | {"replicas": 2},
            "Now two replicas have been cut off, and n2 says what it said before: {outcome}.",
            when=lambda given, outcome: given.get("replicas", 1) > 1,
        ),
    ),
    otherwise="n2 still answers {outcome}, as if it knew. One option says whether it may.",
)

# -- 8.3: how long a backlog -------------------------------------------------------------------------------------------

OUTAGE_S, WRITES_PER_S, VALUE_BYTES = 40, 20, 50


def needed() -> int:
    """The bytes that a replica lacks when it is back after such an outage: so many must be in the backlog."""
    return _back_with(1_000_000).lacked


def _back_with(backlog_bytes: int) -> Resync:
    return resync(backlog_bytes, OUTAGE_S, 0, VALUE_BYTES, 1_000 // WRITES_PER_S)


BACKLOG_SIZE = Exercise(
    name="backlog-size",
    kind=Number("bytes", 1, 2**32),
    truth=needed,
    outcome=lambda given: (_back_with(int(given)).how == "partial", given),
    accept=lambda outcome, truth: outcome[0] and outcome[1] <= 2 * truth,
    solution=80_000,
    right="The replica goes on where it was. In the run {truth:,} bytes are just enough.",
    wrong=(
        Wrong(
            40_000,
            "Too small, and by what: 40 seconds of 20 values of 50 bytes are as many bytes, but the stream carries "
            "*commands*. What else is in a record?",
            when=lambda given, outcome: not outcome[0] and 30_000 <= given <= 45_000,
        ),
        Wrong(
            2_000,
            "That is hardly more than a second of this client. What must fit is what it writes while the link is gone.",
            when=lambda given, outcome: not outcome[0] and given < 30_000,
        ),
        Wrong(
            45_600,
            "Still too small. The command, the key and the value are 57 bytes; the protocol adds how many words there "
            "are, how long each is, and where each line ends. Measure one: `encode_command`, as in section 3.",
            when=lambda given, outcome: not outcome[0] and given > 45_000,
        ),
        Wrong(
            1_048_576,
            "It would do, as the default does here, many times over. Asked for is at most twice what is needed: every "
            "server keeps that much memory, replicas included.",
            when=lambda given, outcome: outcome[0],
        ),
    ),
)

EXERCISES = (BETTER_COPY, REFUSE_STALE, BACKLOG_SIZE)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "INFO on the primary says `state=online, lag=0`, and the replica says `master_link_status:up`. What is at "
        "risk if the primary dies now?",
        {
            "nothing: the replica has everything": "Both fields look back. The link is called up until somebody has "
            "missed the other for long enough.",
            "nobody knows from that": "Only the difference of the two offsets says it, and only for the moment in "
            "which both were read.",
            "one second's worth, at most": "That a replica reports once a second says how old the primary's knowledge "
            "is. How far behind the replica is has no limit.",
        },
        "nobody knows from that",
    ),
    Question(
        "A server has 5,000 bytes of history aa. Another was promoted at byte 4,000 of aa, and goes on as bb. The "
        "first is told to follow it. What happens?",
        {
            "it gets what it lacks of bb": "It would have to un-execute a thousand bytes first. A stream only goes "
            "forward.",
            "its thousand bytes are merged into bb": "Nothing is ever merged: bb may have written the same keys.",
            "it is wiped, and copies bb": "It asks for byte 5,001 of aa, and the common history ends before 4,001. "
            "Only a snapshot brings it there, and a snapshot replaces everything.",
        },
        "it is wiped, and copies bb",
    ),
    Question(
        "A primary keeps nothing on its disk, and has two replicas. Its process dies. What should its supervisor do?",
        {
            "restart it at once": "It comes back with an empty data set and a new history, and its replicas become "
            "copies of that. This was the incident.",
            "leave it down until a replica leads": "Then the copies are still there. Or give it a log, so that it "
            "does not come back empty.",
            "restart the replicas as well": "They would load what is on their disks, if anything, and then copy the "
            "empty primary all the same.",
        },
        "leave it down until a replica leads",
    ),
    Question(
        "Would it help if the primary answered only after it had *sent* the write to its replicas?",
        {
            "yes: then they have it": "Sent is not received. And it is so already: the stream leaves before the reply, "
            "and fifty of ninety writes were lost all the same.",
            "no: it would have to wait for their answer": "And that is a command of its own, WAIT: chapter 06 tries "
            "what it is worth.",
            "no: replication is a child's work": "A child makes snapshots. The stream is sent by the one thread that "
            "executes.",
        },
        "no: it would have to wait for their answer",
    ),
)
