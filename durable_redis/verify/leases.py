"""Leases: where a log says who leads, no two nodes of a shard hold a lease at one time.

A lease is told in a note, with its end on the node's own clock.  It ends before that if the node hands it over, or if
its process ends.  A leader that has been *deposed* still has it: whoever comes next must have waited for its end.

Leases rest on clocks that run equally fast; where somebody has set one, nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.contract import Exit, Note
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import Crashed, Skew
from durable_redis.verify.judging import Case

Found = tuple[int, int, str, str]


def one_lease(case: Case) -> Iterator[Found]:
    """A lease begins when no other one of its shard is left."""
    steps = case.evidence.steps
    if any(isinstance(step.what, Skew) for step in steps):
        return
    shard_of: dict[str, str] = {}
    until_us: dict[str, int] = {}  # by node: when its lease ends
    for number, step in enumerate(steps, start=1):
        node = step.machine
        match step.what:
            case Note(kind="leads", facts={"shard": str(shard)}):
                shard_of[node] = shard
            case Note(kind="handed over") | Crashed() | Exit():
                until_us.pop(node, None)
            case Note(kind="lease", facts={"until_us": int(until)}):
                for other, end_us in until_us.items():
                    if other != node and shard_of[other] == shard_of[node] and end_us > step.at_us:
                        yield (
                            number,
                            step.at_us,
                            node,
                            f"it has a lease, and that of {other} ends at {end_us / 1e6:.3f} s",
                        )
                until_us[node] = until - EPOCH_US
