"""What a disk promises: `appendfsync` says which crash an acknowledged write survives on the server that took it.

    process kill    `always`, `no`: the reply is sent after the write to the page cache, and that survives.
                    `everysec`: the same, unless an fsync is in progress.  The write then waits for it, and for two
                    seconds the replies go on without it (aof.c `flushAppendOnlyFile`)
    power loss      `always`: the reply is sent after the fsync
    disk loss       nothing

A log that three zones keep (MemoryDB) promises more: that nothing is lost in any crash, and that clients see one copy.

The promise of a disk is the server's own.  Its place may still be taken by a replica that lacks the write, and a full
synchronisation then throws it away: from that moment nothing is promised any more.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.contract import Exit, Note, Send
from durable_redis.redis.config import Config
from durable_redis.sim.faults import BitRot, Crashed, SpoilWrites
from durable_redis.verify.clocks import right_enough
from durable_redis.verify.history import History
from durable_redis.verify.judging import Case
from durable_redis.verify.linearizability import check
from durable_redis.verify.onereplica import asks_for_less
from durable_redis.verify.streams import Write

Found = tuple[int, int, str, str]


def kept_promises(case: Case) -> Iterator[Found]:
    """A server that starts holds every write that it has acknowledged and that its log had to keep."""
    evidence = case.evidence
    if any(operation.argv[0].upper() == b"CONFIG" for operation in evidence.operations):
        return  # what was promised when, the configuration of the deployment does not say any more
    if evidence.steps_of(SpoilWrites):
        return  # a disk that changes what it is given keeps nothing
    executed = {write.step: write for write in case.reference.writes.values()}
    places = {sighting.step: place for sighting, place in case.reference.trail}
    unanswered: dict[tuple[str, str], list[Write]] = {}
    last_answer_us = dict.fromkeys(evidence.deployment.nodes, 0)
    promised: dict[str, list[tuple[int, Write]]] = {node: [] for node in evidence.deployment.nodes}
    for number, step in evidence.steps_of(Note, Send, BitRot, Crashed, Exit):
        node, what = step.machine, step.what
        if node not in promised:
            continue
        match what:
            case Note(kind="executed") if number in executed and executed[number].logged:
                unanswered.setdefault((node, what.facts["connection"]), []).append(executed[number])
            case Send(connection=connection):
                promised[node] += [(step.at_us, write) for write in unanswered.pop((node, connection), ())]
                last_answer_us[node] = step.at_us
            case Note(kind="synced", facts={"how": "full"}) | BitRot():
                promised[node] = []
            case Crashed() | Exit():
                for key in [key for key in unanswered if key[0] == node]:
                    del unanswered[key]
                until_us = _keeps_until(evidence.deployment.configuration(node), what, last_answer_us[node])
                promised[node] = [(at_us, write) for at_us, write in promised[node] if at_us <= until_us]
            case Note(kind="ready") if number in places:
                gone = [write for _, write in promised[node] if not places[number].holds(write)]
                if gone:
                    more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
                    yield number, step.at_us, node, f"it has started without {gone[0]}{more}, which it had acknowledged"
                promised[node] = [(at_us, write) for at_us, write in promised[node] if write not in gone]


NEVER_US = -1
POSTPONED_US = 2_000_000


def _keeps_until(config: Config, end: Crashed | Exit, last_answer_us: int) -> int:
    """When a write must have been acknowledged, at the latest, to survive this end of its server, which has sent its
    last answer at such a time.

    With no-appendfsync-on-rewrite, nobody knows."""
    always = config.appendfsync == "always" and not config.no_appendfsync_on_rewrite
    if isinstance(end, Exit) or end.kind == "process kill":
        return last_answer_us - (POSTPONED_US if config.appendfsync == "everysec" else 0)
    return last_answer_us if always and end.kind == "power loss" else NEVER_US


def nothing_is_lost(case: Case) -> Iterator[Found]:
    """Where the deployment promises it, every acknowledged write is there at the end."""
    if case.evidence.deployment.loses_nothing:
        for write in case.lost():
            yield *case.end, case.home(write), f"{write} was acknowledged, and it is gone"


def buffer_is_bounded(case: Case) -> Iterator[Found]:
    """With durability "async", a primary takes no write while one that the log has not got is too old: so whatever one
    leader loses, it took within `buffer_ms`."""
    most_ms = case.evidence.deployment.loses_at_most_ms
    if most_ms is None:
        return
    lost: dict[str, list[Write]] = {}
    for write in case.lost():
        lost.setdefault(write.place.stream.replid, []).append(write)
    for writes in lost.values():
        span_us = writes[-1].at_us - writes[0].at_us
        if span_us > most_ms * 1000:
            yield *case.end, writes[0].node, f"it lost what it took within {span_us / 1e6:.3f} s, {writes[0]} first"


def one_copy(case: Case) -> Iterator[Found]:
    """One server that met no crash which its log does not survive answers as if it had met none: its clients' history
    is linearizable.  So is that of a deployment which promises that, whatever happened, unless a clock was too wrong:
    leases rest on clocks, and only what is written does not.  Whoever has said READONLY does not ask for that."""
    evidence = case.evidence
    nodes, config = evidence.deployment.nodes, evidence.deployment.config
    faults = [step.what for _, step in evidence.steps_of(BitRot, SpoilWrites, Crashed)]
    kept = all(isinstance(fault, Crashed) and _keeps_until(config, fault, 0) == 0 for fault in faults)
    if (evidence.deployment.loses_nothing and right_enough(evidence)) or (
        len(nodes) == 1 and config.appendonly and kept
    ):
        less = {id(operation) for operation in asks_for_less(evidence.operations)}
        verdict = check(History.of_operations(one for one in evidence.operations if id(one) not in less))
        for refusal in verdict.refused:
            yield *case.end, nodes[0], str(refusal)
