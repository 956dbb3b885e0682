"""Moves: what must hold of slots that go from one shard to another.

A key of such a slot is written in the histories of two shards, one after the other, and what the second one begins with
no client has sent to it.  So `reference`, which follows each shard by itself, says nothing of these keys; here they are
judged by what clients can know: *their calls, and a last look at every key, are those of one copy*.  A write that was
left behind shows in the last look, and so does one that was taken along twice.

That a slot is owned once in the end, and that nobody holds keys of another's, is a matter of `convergence`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from durable_redis.formats.resp import Reply
from durable_redis.lab.client import Operation
from durable_redis.sim import EPOCH_US
from durable_redis.verify.clocks import right_enough
from durable_redis.verify.history import History
from durable_redis.verify.judging import Case
from durable_redis.verify.linearizability import check
from durable_redis.verify.onereplica import asks_for_less

Found = tuple[int, int, str, str]


def moved_keep(case: Case) -> Iterator[Found]:
    """Where the deployment promises that nothing is lost: the calls on keys that may have moved, and the last look."""
    evidence = case.evidence
    if not (case.reference.moved and evidence.calm and evidence.deployment.loses_nothing and right_enough(evidence)):
        return
    less = {id(operation) for operation in asks_for_less(evidence.operations)}
    calls = [
        one
        for one in evidence.operations
        if id(one) not in less and len(one.argv) > 1 and case.reference.has_moved(one.argv[1])
    ]
    looks = []
    for key in dict.fromkeys(one.argv[1] for one in calls):
        home = evidence.homes.get(key, "")
        if home in evidence.held:
            looks.append(last_look(key, evidence.held[home].get((0, key)), home, EPOCH_US + case.end[1] + 1))
    for refusal in check(History.of_operations([*calls, *looks])).refused:
        yield *case.end, evidence.homes.get(refusal.key, ""), str(refusal)


def last_look(key: bytes, state: Any, node: str, at_us: int) -> Operation:
    """What somebody reads who asks a server for a key when all is over."""
    argv, reply = _reading(key, state)
    return Operation(
        0, argv, at_us, at_us, at_us + 1, outcome="ok", reply=reply, connection=f"the last look>{node}", node=node
    )


def _reading(key: bytes, state: Any) -> tuple[list[bytes], Reply]:
    """A command that shows this state, and its answer."""
    match state:
        case bytes():
            return [b"GET", key], state
        case tuple():
            return [b"LRANGE", key, b"0", b"-1"], list(state)
        case frozenset():
            return [b"SMEMBERS", key], sorted(state)
    return [b"EXISTS", key], int(state is not None)
