"""Primaries that are wrong about the move of slots between shards.

The law of this file is that of `durable_redis.memorydb.bugs`: a bug is one part with one method overridden.
"""

from __future__ import annotations

from durable_redis.contract import Effects
from durable_redis.memorydb.migration.migrations import Migrations
from durable_redis.memorydb.migration.ownership import Migration, Phase
from durable_redis.memorydb.migration.source import Source
from durable_redis.memorydb.migration.target import Target
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.redis.cluster.slots import SlotSet


class _DecidesInMemory(Migrations):
    """Breaks the law of `ownership`: only a committed entry changes anything.

    Every step counts at once, here, and the other primary is told: as if the two of them were all there is."""

    def append(self, step: Migration, now: int) -> Effects:
        data = self.server.logbook.data
        data.ownership = data.ownership.after(step, data.at.index)
        yield from self.server.slots_moved(now)


class MovesSlotsByWordOfMouth(MemoryDBServer):
    migration_type = _DecidesInMemory


# -- the source, which decides ----------------------------------------------------------------------------------------


class _TakesWritesUntilItIsDecided(Source):
    """Breaks step 3 of `source`: no more writes to the slots.

    What is written before the checksum is computed, the checksum finds; what is written after it, nobody finds."""

    def stalls(self) -> SlotSet:
        return super().stalls() if self.is_decided() else 0


class _WithoutStall(Migrations):
    source_type = _TakesWritesUntilItIsDecided


class WritesToSlotsThatGo(MemoryDBServer):
    migration_type = _WithoutStall


# -- the target, which promises ---------------------------------------------------------------------------------------


class _TakesThePromiseForTheDecision(Target):
    """Breaks the first law of `target`: behind PREPARED only the source's word counts.

    Both have the data, and both are prepared: what should come in between?"""

    def due(self) -> Migration | None:
        migration = self.migration
        promised = migration is not None and migration.phase is Phase.PREPARED
        return migration.step(Phase.COMMITTED) if migration is not None and promised else super().due()


class _Eager(Migrations):
    target_type = _TakesThePromiseForTheDecision


class ServesOnThePromise(MemoryDBServer):
    migration_type = _Eager


class _LosesPatience(Target):
    """Breaks the first law of `target`: neither time nor a crash ends a promise.

    A source that has hung up, or was heard by the primary before this one, will not come back: so it thinks."""

    def due(self) -> Migration | None:
        migration = self.migration
        if migration is not None and migration.phase is Phase.PREPARED and not self.hears_the_source:
            return migration.step(Phase.ABANDONED)
        return super().due()


class _Impatient(Migrations):
    target_type = _LosesPatience


class BreaksThePromise(MemoryDBServer):
    migration_type = _Impatient
