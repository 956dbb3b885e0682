"""What a judge is: a law in one sentence, and a function that finds where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from durable_redis.verify.evidence import Evidence
from durable_redis.verify.reference import Reference
from durable_redis.verify.streams import Write

EXPLAINED = "(every loss has its explanation, and is none that this deployment promises to prevent)"
"""What it means that writes are lost, and no judge objects."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A law was broken: after which step of the journal it showed, on which machine, and what the facts are."""

    judge: str
    step: int
    at_us: int
    node: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.judge}: step {self.step} ({self.at_us / 1e6:.3f} s), {self.node}: {self.sentence}"


class Case:
    """The evidence of a run, and what several judges want to know of it."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.reference = Reference(evidence)

    @property
    def end(self) -> tuple[int, int]:
        """The number of the last step, and its time."""
        steps = self.evidence.steps
        return len(steps), steps[-1].at_us if steps else 0

    def home(self, write: Write) -> str:
        """The server that answers for the key of a write at the end; "" if there is none, or no key (FLUSHALL)."""
        return self.evidence.homes.get(b"".join(write.operation.argv[1:2]), "")

    def lost(self) -> list[Write]:
        """The acknowledged writes that are not in the history of the server that answers for their keys at the end.

        Where there is no such server, nobody can say; and of keys that may have moved, `moves` does."""
        lost = []
        for write in self.reference.writes.values():
            if any(map(self.reference.has_moved, write.operation.argv[1:2])):
                continue
            place = self.reference.at.get(self.home(write))
            if write.operation.outcome == "ok" and place is not None and not place.holds(write):
                lost.append(write)
        return lost


@dataclass(frozen=True, slots=True)
class Judge:
    """`law` is what must hold; `find` yields (step, time, machine, facts) for each time it does not."""

    name: str
    law: str
    find: Callable[[Case], Iterator[tuple[int, int, str, str]]]

    def findings(self, case: Case) -> list[Finding]:
        return [Finding(self.name, *found) for found in self.find(case)]
