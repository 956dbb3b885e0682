"""Ownership: which slots a shard has, and how far the migration of some of them has come, as its log says.

The law of this file: *only a committed entry changes anything here.*  So every node of a shard knows the same, its
replicas as well as its primary, and so does whoever recovers: the state is a part of every snapshot (`Label`).

A migration leaves the same steps in two logs, each an entry of the kind "slots" (paper, section 5.2):

    BEGUN        keys are moving.  Nothing is decided, and any trouble leads to ABANDONED
    PREPARED     in the source's log: these slots take no more writes.  In the target's log: all of their data is in
                 this log, in front of this entry, and has the source's checksum; from here on the source decides alone
    COMMITTED    in the source's log, *this is the decision*: the slots are not its own any more.  In the target's log:
                 they are its own, and it serves them
    ABANDONED    the slots stay where they were
    OVER         whoever does not own the slots has deleted what it had of them; another migration may begin

A target may be told to abandon what has never begun there.  Then ABANDONED is all that its log has of it: nothing is to
be deleted, and a migration of other slots that is under way there goes on.  (If it had to be over first, two shards
that want to give slots to one another at the same time would wait for each other for ever.)

The source is the coordinator of a two-phase commit, the target its only participant.  How the real service names its
messages and who coordinates is not published: that is the model's own choice, and so is that a shard takes part in one
migration at a time.

A migration is known by its *number*: the place of BEGUN in the log of its source.  Later ones of a source have higher
numbers, and the target remembers the last one that it has closed: what is said to it about that one, or one before, is
old news.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from durable_redis.formats.resp import encode_command, strict_integer
from durable_redis.memorydb.record import RecordError, words_of
from durable_redis.redis.cluster.slots import SlotError, SlotSet, parse_slots, slots_text


class Phase(Enum):
    """What the last entry about a migration says; OVER also before the first one."""

    BEGUN = "begun"
    PREPARED = "prepared"
    COMMITTED = "committed"
    ABANDONED = "abandoned"
    OVER = "over"


TRANSITIONS = {
    Phase.OVER: (Phase.BEGUN,),
    Phase.BEGUN: (Phase.PREPARED, Phase.ABANDONED),
    Phase.PREPARED: (Phase.COMMITTED, Phase.ABANDONED),
    Phase.COMMITTED: (Phase.OVER,),
    Phase.ABANDONED: (Phase.OVER,),
}


class OwnershipError(Exception):
    """These bytes are no step of a migration, or not one that may come now.  The message says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step, as it stands in an entry; and the state after it.

    In the entry with which the source begins, `number` is 0: its place is not known before it is there."""

    phase: Phase
    number: int
    source: str
    target: str
    slots: SlotSet

    def encode(self) -> bytes:
        """The body of the entry: one RESP array of five words, so that anybody can read it."""
        words = [self.phase.value, str(self.number), self.source, self.target, slots_text(self.slots)]
        return encode_command([word.encode() for word in words])

    @classmethod
    def decode(cls, body: bytes) -> Migration:
        """The step in a body.  Raises OwnershipError, and nothing else."""
        try:
            words = words_of(body, "a step of a migration", "phase number source target slots")
        except RecordError as error:
            raise OwnershipError(str(error)) from error
        return cls.of([word.decode("utf-8", "replace") for word in words])

    @classmethod
    def of(cls, words: list[str]) -> Migration:
        """The step in these five words.  Raises OwnershipError."""
        phase, number, source, target, slots = words
        count = strict_integer(number.encode())
        if phase not in {known.value for known in Phase} or count is None or count < 0:
            raise OwnershipError(f"a step of a migration begins with a phase and a number, not {phase!r}, {number!r}")
        try:
            return cls(Phase(phase), count, source, target, parse_slots(slots))
        except SlotError as error:
            raise OwnershipError(str(error)) from error

    def step(self, phase: Phase) -> Migration:
        """The same migration, one step further."""
        return replace(self, phase=phase)

    def __str__(self) -> str:
        return f"{self.source}-{self.number} ({slots_text(self.slots)} to {self.target})"


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the log of `shard` says, relative to the slots with which it began.

    * `gained`: slots that it has beside those, or again; `given`: by shard, slots that it has given away, and to whom
      last.
    * `migration`: the one that is not over.  `closed`: by source, the last number of which this target knows the end.
    """

    shard: str
    gained: SlotSet = 0
    given: Mapping[str, SlotSet] = field(default_factory=dict)
    migration: Migration | None = None
    closed: Mapping[str, int] = field(default_factory=dict)

    def owned(self, first: SlotSet) -> SlotSet:
        """The slots of this shard, if it began with these."""
        away = 0
        for slots in self.given.values():
            away |= slots
        return (first & ~away) | self.gained

    @property
    def phase(self) -> Phase:
        return self.migration.phase if self.migration else Phase.OVER

    @property
    def is_source(self) -> bool:
        """The migration that is not over takes slots away from this shard."""
        return self.migration is not None and self.migration.source == self.shard

    @property
    def is_target(self) -> bool:
        return self.migration is not None and self.migration.target == self.shard

    def after(self, step: Migration, index: int) -> Ownership:
        """The state after a step that stands at this place of the log.  Raises OwnershipError, if it may not."""
        if self.is_unheard_of(step):
            return replace(self, closed={**self.closed, step.source: step.number})
        if step.phase not in TRANSITIONS[self.phase]:
            raise OwnershipError(f"{self.phase.value} does not lead to {step.phase.value}")
        if self.shard not in (step.source, step.target) or step.source == step.target:
            raise OwnershipError(f"{step} is no affair of {self.shard}")
        if step.phase is Phase.BEGUN and self.shard == step.source:
            step = replace(step, number=index)
        elif self.migration is not None and step != self.migration.step(step.phase):
            raise OwnershipError(f"{step} cannot follow on {self.migration}")
        following = replace(self, migration=None if step.phase is Phase.OVER else step)
        if self.shard == step.target and step.phase in (Phase.COMMITTED, Phase.ABANDONED):
            following = replace(following, closed={**self.closed, step.source: step.number})
        if step.phase is not Phase.COMMITTED:
            return following
        given = {shard: slots & ~step.slots for shard, slots in self.given.items()}
        if self.shard == step.target:
            return replace(following, gained=self.gained | step.slots, given=_without_nothing(given))
        given[step.target] = given.get(step.target, 0) | step.slots
        return replace(following, gained=self.gained & ~step.slots, given=_without_nothing(given))

    def is_unheard_of(self, step: Migration) -> bool:
        """The end of a migration to this shard that has never begun here.  (A source has one at a time.)"""
        is_end = step.phase is Phase.ABANDONED and self.shard == step.target != step.source
        begun = self.migration is not None and self.migration.source == step.source
        return is_end and not begun and step.number > self.closed.get(step.source, 0)

    # -- in a snapshot -----------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """All of it as JSON; nothing at all if nothing has ever moved."""
        if self == Ownership(self.shard):
            return b""
        step = self.migration
        facts = {
            "gained": slots_text(self.gained),
            "given": {shard: slots_text(slots) for shard, slots in self.given.items()},
            "closed": dict(self.closed),
            "migration": step
            and [step.phase.value, str(step.number), step.source, step.target, slots_text(step.slots)],
        }
        return json.dumps(facts, sort_keys=True).encode()

    @classmethod
    def decode(cls, shard: str, text: bytes) -> Ownership:
        """The opposite of `encode`.  Raises OwnershipError, and nothing else."""
        if not text:
            return cls(shard)
        try:
            facts = json.loads(text)
            return cls(
                shard,
                parse_slots(facts["gained"]),
                {str(other): parse_slots(slots) for other, slots in facts["given"].items()},
                Migration.of([str(word) for word in facts["migration"]]) if facts["migration"] else None,
                {str(source): int(number) for source, number in facts["closed"].items()},
            )
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise OwnershipError(f"what a snapshot says of the slots cannot be read: {error}") from error


def _without_nothing(given: Mapping[str, SlotSet]) -> dict[str, SlotSet]:
    return {shard: slots for shard, slots in given.items() if slots}
