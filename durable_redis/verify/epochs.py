"""Epochs: of all who want to lead at a time, at most one does.

An election gives its winner a number, the epoch, that nobody else gets; everything else in a failover rests on this.
Sentinels vote for one of themselves, who then may promote a replica; the primaries of a cluster vote for a replica.
Both keep their votes on disk, so a vote must hold across a crash, too.  In MemoryDB nobody votes: the log has one entry
at a place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from durable_redis.verify.judging import Case

Found = tuple[int, int, str, str]


def one_vote(case: Case) -> Iterator[Found]:
    """Nobody votes for two in one epoch."""
    votes: dict[tuple[str, int], str] = {}
    for number, step, facts in case.evidence.notes("vote"):
        if not facts.get("granted", True):
            continue
        epoch, candidate = int(facts["epoch"]), str(facts["candidate"])
        before = votes.setdefault((step.machine, epoch), candidate)
        if before != candidate:
            yield number, step.at_us, step.machine, f"it votes for {candidate} in epoch {epoch}, and has for {before}"


def one_leader(case: Case) -> Iterator[Found]:
    """In one epoch at most one sentinel leads, at most one server is promoted, at most one wins a shard.  (In MemoryDB
    an epoch is the place of a leadership entry in the log of the shard.)"""
    for kind, fact in (("leader", "leader"), ("promoted", "replica"), ("elected", ""), ("leads", "")):
        won: dict[tuple[str, int], str] = {}
        for number, step, facts in case.evidence.notes(kind):
            if "epoch" not in facts:
                continue
            epoch, winner = int(facts["epoch"]), str(facts.get(fact, step.machine))
            before = won.setdefault((str(facts.get("shard", "")), epoch), winner)
            if before != winner:
                yield number, step.at_us, step.machine, f'"{kind}" in epoch {epoch} is {winner}, and was {before}'


def one_owner(case: Case) -> Iterator[Found]:
    """At the end, no two primaries of a cluster believe that a slot is theirs under the same config epoch."""
    number, at_us = case.end
    owners = [
        (name, int(view["epoch"]), ranges)
        for name, view in case.evidence.views.items()
        if (ranges := _slots(view)) and view.get("role") == "primary"
    ]
    for place, (name, epoch, ranges) in enumerate(owners):
        for other, other_epoch, other_ranges in owners[:place]:
            common = _overlap(ranges, other_ranges)
            if common is not None and epoch == other_epoch:
                yield number, at_us, name, f"it owns slot {common} under epoch {epoch}, and so does {other}"


def _slots(view: Any) -> tuple[tuple[int, int], ...]:
    return tuple((low, high) for low, high in view.get("slots", ()))


def _overlap(left: tuple[tuple[int, int], ...], right: tuple[tuple[int, int], ...]) -> int | None:
    """The first slot that is in both."""
    both = [max(a, c) for a, b in left for c, d in right if max(a, c) <= min(b, d)]
    return min(both, default=None)
