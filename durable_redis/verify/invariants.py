"""The judges: laws that hold of every run, whatever is done to it, and what is seen where one is broken.

The law of this file: a judge is one sentence and one function, which reads evidence and the reference made of it, and
yields every place where the sentence does not hold.

What is *no* law of every deployment: that an acknowledged write survives.  Asynchronous replication does not promise
that.  How many are lost is counted (`Case.lost`), and that each loss has a cause is a law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from durable_redis.sim import EPOCH_US
from durable_redis.verify import convergence, epochs, leases, moves, onereplica, promises
from durable_redis.verify.evidence import Evidence
from durable_redis.verify.judging import Case, Finding, Judge
from durable_redis.verify.reference import ANSWER, INVENTED, OFFSET, SHARED_ID, UNASKED
from durable_redis.verify.streams import Write

Found = tuple[int, int, str, str]


def _misfits(*kinds: str) -> Callable[[Case], Iterator[Found]]:
    def find(case: Case) -> Iterator[Found]:
        for misfit in case.reference.misfits:
            if misfit.kind in kinds:
                yield misfit.step, misfit.at_us, misfit.node, misfit.sentence

    return find


def _acknowledged_is_executed(case: Case) -> Iterator[Found]:
    writes = case.reference.writes
    for number, _, facts in case.evidence.notes("executed"):
        write = writes.get((facts["connection"], facts["command"]))
        if write is not None and write.operation.outcome == "failed":
            yield number, write.at_us, write.node, f"it executed {write}, and answered {write.operation.reply!r}"
    for operation in case.evidence.operations:
        if operation.outcome != "ok" or not _has_effect(operation.argv, operation.reply):
            continue
        words = b" ".join(operation.argv).decode("utf-8", "backslashreplace")
        if (operation.connection, operation.command) not in writes:
            yield *case.end, operation.node, f"it answered {operation.reply!r} to {words}, and never executed it"


ALWAYS_AN_EFFECT = (b"SET", b"APPEND", b"INCR", b"DECR", b"INCRBY", b"DECRBY", b"GETSET", b"RPUSH", b"LPUSH")
AN_EFFECT_IF_NOT_ZERO = (b"SADD", b"SREM", b"DEL", b"UNLINK", b"LPOP", b"RPOP", b"SETNX", b"GETDEL")


def _has_effect(argv: list[bytes], reply: object) -> bool:
    name = argv[0].upper()
    if name == b"SET" and len(argv) > 3:
        return False  # a condition may not have been met
    return name in ALWAYS_AN_EFFECT or (name in AN_EFFECT_IF_NOT_ZERO and reply not in (0, None))


def _losses_are_explained(case: Case) -> Iterator[Found]:
    reference, evidence = case.reference, case.evidence
    lost = case.lost()
    for write in lost:
        home = case.home(write)
        place = reference.at[home]
        went_on = place.decided_against(write) is not None
        # Or it leads in a history of its own, from which that of the write has branched off.
        led_on = place == place.stream.last and home == place.stream.node != write.node
        if evidence.calm and not (went_on or led_on):
            yield write.step, write.at_us, home, f"{write} was acknowledged, and nothing has decided against it"
    gone = {id(write.operation) for write in lost}
    last: dict[bytes, Write] = {}
    for write in reference.writes.values():
        if id(write.operation) not in gone:
            for key in write.operation.argv[1:2]:
                last[key] = write
    for operation, stands in evidence.receipt or ():
        held = last.get(operation.argv[1])
        if operation.outcome == "ok" and not stands and held is not None and held.operation is operation:
            yield *case.end, held.node, f"the receipt misses {held}, and the history of the survivor holds it"


def _copies_are_copies(case: Case) -> Iterator[Found]:
    reference = case.reference
    for operation in case.evidence.operations:
        write = reference.writes.get((operation.connection, operation.command))
        if operation.wait is None or operation.copies is None or write is None or operation.answered_us is None:
            continue
        copies = dict.fromkeys(
            sighting.node
            for sighting, place in reference.trail
            if sighting.node != write.node
            and write.step < sighting.step
            and EPOCH_US + sighting.at_us <= operation.answered_us
            and place.holds(write)
        )
        if len(copies) < operation.copies:
            told = f"WAIT told {operation.copies} copies of {write}"
            yield write.step, write.at_us, write.node, f"{told}, and {', '.join(copies) or 'nobody'} had it"


JUDGES = (
    Judge(
        "no invented state",
        "whatever a server holds, at any moment, is what some primary's history contains at just that place",
        _misfits(INVENTED),
    ),
    Judge("one primary an id", "a replication id stands for the history of one primary", _misfits(SHARED_ID)),
    Judge("offsets count bytes", "an offset moves on with the data, and stands for a place", _misfits(OFFSET)),
    Judge("right answers", "the answer to a write is what its history makes it", _misfits(ANSWER)),
    Judge("nothing unasked", "a primary executes what clients have sent, each command once", _misfits(UNASKED)),
    Judge(
        "acknowledged is executed",
        "an OK was executed before, and what was answered with an error never is",
        _acknowledged_is_executed,
    ),
    Judge(
        "losses are explained",
        "an acknowledged write is gone only if the survivor's history parted from its own before it",
        _losses_are_explained,
    ),
    Judge("copies are copies", "as many replicas as WAIT has told hold the write", _copies_are_copies),
    Judge("one vote an epoch", "nobody votes for two in one epoch, not even after a crash", epochs.one_vote),
    Judge("one leader an epoch", "an epoch has one leader, and promotes one server", epochs.one_leader),
    Judge("one lease a shard", "no two nodes of a shard hold a lease at one time", leases.one_lease),
    Judge("one owner a slot", "no two primaries own a slot under the same config epoch", epochs.one_owner),
    Judge("the log keeps", "a log keeps what its fsync policy promises, on its own disk", promises.kept_promises),
    Judge(
        "nothing is lost",
        "where a log in three zones vouches for it, an acknowledged write is never lost",
        promises.nothing_is_lost,
    ),
    Judge(
        "the buffer is bounded",
        "of what is answered before the log has it, no more is lost than the durability buffer holds",
        promises.buffer_is_bounded,
    ),
    Judge("one copy", "one server is linearizable, across every crash that its log survives", promises.one_copy),
    Judge("slots move whole", "a slot that moves takes every acknowledged write along, once", moves.moved_keep),
    Judge("one past", "what a client reads from one replica of a log never goes back", onereplica.one_past),
    Judge("convergence", "mended and left alone, everybody has the same truth", convergence.converged),
)


def findings(case: Case) -> list[Finding]:
    """What every judge has found, in the order of `JUDGES`."""
    return [finding for judge in JUDGES for finding in judge.findings(case)]


def judge(evidence: Evidence) -> list[Finding]:
    """The findings on this evidence.  Raises UnknownCommand for a run nobody can judge."""
    return findings(Case(evidence))
