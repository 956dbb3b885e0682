"""Snapshotters that release, or trim, what they should not.

The law of this file is that of `durable_redis.memorydb.bugs`: a bug is one part with one method overridden.
"""

from __future__ import annotations

from dataclasses import replace

from durable_redis.contract import Effects
from durable_redis.memorydb import shadow_phase
from durable_redis.memorydb.log import Entries
from durable_redis.memorydb.shadow import Shadow
from durable_redis.memorydb.snapshotter import Snapshotter


class _Trusts(Shadow):
    """Breaks step 4 of `shadow`: a snapshot is recovered from, for a trial, before it is released."""

    def verify(self, now: int) -> Effects:
        self.phase = shadow_phase.Phase.REHEARSING
        self.base = self.stem  # it is as good as any: nothing need stand by
        yield from self.release(now)


class ReleasesUnread(Snapshotter):
    shadow_type = _Trusts


class _IsOneEntryShort(Shadow):
    """Breaks step 2 of `shadow`: the log is applied up to its tail, and what the label says is what was applied."""

    def apply(self, found: Entries, now: int) -> int:
        if self.phase is shadow_phase.Phase.REPLAYING:
            found = replace(found, entries=tuple(entry for entry in found.entries if entry.id != self.goal))
        return super().apply(found, now)

    def dump(self, now: int) -> Effects:
        assert self.data is not None, "something was replayed"
        assert self.goal is not None, "and up to a goal"
        self.data.at = self.goal
        yield from super().dump(now)


class MissesTheLast(Snapshotter):
    shadow_type = _IsOneEntryShort


class _TrimsAtTheDump(Shadow):
    """Breaks the order of steps 5 and 6 of `shadow`: the old snapshot counts until the new one does."""

    def dump(self, now: int) -> Effects:
        yield from super().dump(now)
        assert self.data is not None, "it was dumped just now"
        yield from self.log.trim(self.data.at, now)


class TrimsAhead(Snapshotter):
    shadow_type = _TrimsAtTheDump
