"""A suite of tests as many a team has one: it writes, breaks one thing, waits, and looks whether everything is there.

The law of this file: nothing here is a straw man.  Each test breaks something real, at a moment when the clients are
writing, and compares what they were told with what is left.  What is friendly is the network: it carries everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.lab import receipt as receipts
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.playback import Playback
from durable_redis.sim.scenario import Action

SEED = 7
WRITES, EVERY_MS, FAULT_MS, MENDED_MS, END_MS = 100, 10, 1_000, 4_000, 10_000
TESTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "everything can be read back": (),
    "the primary's process is killed": (("crash", "n1", "process kill"),),
    "the primary loses its power": (("crash", "n1", "power loss"),),
    "the primary is replaced by a new machine": (("crash", "n1", "disk loss"),),
    "both nodes lose their power": (("crash", "n1", "power loss"), ("crash", "n2", "power loss")),
}
"""What is done at `FAULT_MS`; at `MENDED_MS` whoever is down is started again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one test: how many writes were acknowledged, and how many of these are gone."""

    test: str
    acknowledged: int
    lost: int

    @property
    def passed(self) -> bool:
        return self.lost == 0

    def __str__(self) -> str:
        return (
            f"{'passed' if self.passed else 'FAILED'}  {self.test}: {self.acknowledged} acknowledged, {self.lost} lost"
        )


def friendly(bug: str = "") -> list[Outcome]:
    """Run the suite on a MemoryDB with one replica, and with this bug planted in its nodes."""
    return [_run(test, bug) for test in TESTS]


def _run(test: str, bug: str) -> Outcome:
    playback = Playback(MemoryDB(replicas=1, clients=2, bug=bug), SEED, record=False)
    playback.play_to(500_000)
    playback.perform(Action("write", (WRITES,), (("every_ms", EVERY_MS),), at_us=500_000))
    for verb, *arguments in TESTS[test]:
        playback.perform(Action(verb, tuple(arguments), at_us=FAULT_MS * 1000))
    for _, node, _ in TESTS[test]:
        playback.perform(Action("restart", (node,), at_us=MENDED_MS * 1000))
    playback.play_to(END_MS * 1000)
    told = [stands for operation, stands in receipts.judge(playback) if operation.outcome == "ok"]
    return Outcome(test, len(told), told.count(False))
