"""Leases: where a log says who leads, no two nodes of a shard hold a lease at one time.

A lease is told in a note, with its end on the node's own clock, which may be wrong, and may be set while the lease
lasts.  It ends before that if the node hands it over, or if its process ends.  A leader that has been *deposed* still
has it: whoever comes next must have waited for its end.

Leases rest on clocks; where one was too wrong (`clocks`), nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.contract import Exit, Note
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import Crashed, Skew
from durable_redis.verify.clocks import right_enough
from durable_redis.verify.judging import Case

Found = tuple[int, int, str, str]


class Leases:
    """Who holds one.  `until_us`: its end on the holder's clock; `skew_us`: by how much a clock is fast."""

    def __init__(self) -> None:
        self.shard_of: dict[str, str] = {}
        self.until_us: dict[str, int] = {}
        self.skew_us: dict[str, int] = {}

    def end_us(self, node: str) -> int:
        """When it ends, in the room's time, if the clock stays as it is."""
        return self.until_us[node] - EPOCH_US - self.skew_us.get(node, 0)

    def others(self, node: str, at_us: int) -> Iterator[str]:
        """Who else of the shard holds one now."""
        for other in self.until_us:
            if other != node and self.shard_of[other] == self.shard_of[node] and self.end_us(other) > at_us:
                yield other


def one_lease(case: Case) -> Iterator[Found]:
    """A lease begins, or is brought back by a clock that is set, when no other one of its shard is left."""
    if not right_enough(case.evidence):
        return
    leases = Leases()
    for number, step in case.evidence.steps_of(Note, Crashed, Exit, Skew):
        node, holder = step.machine, ""
        match step.what:
            case Note(kind="leads", facts={"shard": str(shard)}):
                leases.shard_of[node] = shard
            case Note(kind="handed over") | Crashed() | Exit():
                leases.until_us.pop(node, None)
            case Skew(machine=holder, skew_us=skew_us):
                leases.skew_us[holder] = skew_us
            case Note(kind="lease", facts={"until_us": int(until)}):
                leases.until_us[node] = until
                holder = node
        if holder in leases.until_us and leases.end_us(holder) > step.at_us:
            for other in leases.others(holder, step.at_us):
                end = f"that of {other} ends at {leases.end_us(other) / 1e6:.3f} s"
                yield number, step.at_us, holder, f"it has a lease, and {end}"
