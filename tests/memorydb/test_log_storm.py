"""The shared log in storms drawn from a seed: crashes of every kind, partitions, pauses, jumping clocks, slow disks.

Two writers contend for the end of the log, a third user follows it, and trims what it has read.  At most one disk has
lost what was on it at any time: that is what three zones are for.  When the storm is over everything is repaired, and
the judge looks at what was seen.  A seed that fails is in the test's name; `storm(seed)` plays it again.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from random import Random

import pytest
from logjudge import Court, Recorder
from logtools import REPLICAS, leader, process, restart, run, story

from durable_redis.contract import Effects, Event, SetTimer, TimerFired
from durable_redis.memorydb.log import Answer, Appended, Conflict, Entries, EntryId, Refused, Tail
from durable_redis.memorydb.log.config import LogConfig
from durable_redis.memorydb.log.node import LogNode
from durable_redis.sim import Hardware, World
from durable_redis.sim.faults import (
    Act,
    BitRot,
    Crash,
    Cut,
    Delay,
    FailDisk,
    FaultError,
    HealDisk,
    HealNetwork,
    Partition,
    Pause,
    Restart,
    Skew,
    SlowDisk,
)

SEEDS = range(12)
STORM_MS = 10_000
USERS = ("n1", "n2", "n3")


class Writer(Recorder):
    """Appends behind the last entry that it has heard of, a few milliseconds after each answer."""

    def boot(self, now: int) -> Effects:
        self.count = 0
        self.life = f"{self.log.name}/{self.log.random.getrandbits(32):08x}"
        yield from super().boot(now)
        yield from self.ask_tail(now)

    def decided(self, answer: Answer, now: int) -> Effects:
        match answer:
            case Appended(id=id) | Tail(id=id) | Conflict(tail=id):
                self.after: EntryId = id
                yield SetTimer("write", now + self.log.random.randrange(40_000))
            case Refused():
                yield from self.ask_tail(now)

    def handle(self, event: Event, now: int) -> Effects:
        yield from super().handle(event, now)
        if event == TimerFired("write") and self.appending is None:
            self.count += 1
            yield from self.append(b"%s/%d" % (self.life.encode(), self.count), self.after, now)


class Follower(Recorder):
    """Subscribes from the last entry that it was pushed in any of its lives, and trims what lies well behind it."""

    def boot(self, now: int) -> Effects:
        yield from super().boot(now)
        seen = self.court.pushed.get(self.log.name, [])
        yield from self.log.subscribe(seen[-1].id if seen else EntryId.ZERO, now)

    def decided(self, answer: Answer, now: int) -> Effects:
        seen = self.court.pushed.get(self.log.name, [])
        if isinstance(answer, Entries) and len(seen) > 30 and self.log.random.randrange(20) == 0:
            yield from self.log.trim(seen[-30].id, now)


class Storm:
    """A room in which something befalls somebody again and again.  `sick` is the replica whose disk cannot be trusted
    until it is whole again."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"storm {seed}")
        self.court = Court()
        self.world = World(f"storm {seed}", Hardware())
        config = LogConfig(batch_entries=5)
        for name, zone in zip(REPLICAS, "abc", strict=True):
            self.world.add_machine(name, zone, lambda random, name=name: LogNode(random, name, config))
        for name, zone in zip(USERS, "abc", strict=True):
            kind = Follower if name == "n3" else Writer
            self.world.add_machine(name, zone, lambda random, name=name, kind=kind: kind(random, name, self.court))
        for name in self.world.machines:
            self.world.start(name)
        self.court.watch(self.world)
        self.sick = ""
        self.acts: list[str] = []

    def play(self) -> None:
        run(self.world, 1_500)
        end_us = self.world.now_us + STORM_MS * 1000
        while self.world.now_us < end_us:
            self._heal_sick()
            act = self.draw()
            with suppress(FaultError):
                self.world.act(act)
                self.acts.append(f"{self.world.now_us // 1000} ms: {act}")
                if isinstance(act, BitRot | FailDisk) or getattr(act, "kind", "") == "disk loss":
                    self.sick = act.machine  # type: ignore[union-attr]
            run(self.world, self.random.choice((1, 5, 50, 300, 900)) * self.random.random())

    def draw(self) -> Act:
        random = self.random
        name = random.choice(REPLICAS)
        everybody = [*REPLICAS, *USERS]
        down = [one for one in everybody if not self.world.machines[one].up]
        match random.randrange(15):
            case 0 | 1:
                return Crash(name, random.choice(("process kill", "power loss")))
            case 2 | 3 | 4 | 5 if down:
                return Restart(random.choice(down))
            case 6:
                return Partition(self._groups(everybody))
            case 7:
                return Cut(*random.sample(everybody, 2))
            case 8 | 9:
                return HealNetwork()
            case 10:
                return Pause(random.choice(everybody), random.randrange(2_000_000))
            case 11:
                return random.choice((SlowDisk(name, random.randrange(1_000_000)), HealDisk(name)))
            case 12:
                return random.choice((Delay(*random.sample(everybody, 2), 50_000), Crash("n1", "process kill")))
            case 13:
                return Skew(random.choice(everybody), random.randrange(-3_600_000_000, 3_600_000_000))
            case 14 if not self.sick:
                return random.choice((Crash(name, "disk loss"), FailDisk(name, "fsync"), self._rot(name)))
        return Crash(random.choice(USERS), "process kill")

    def _groups(self, everybody: list[str]) -> tuple[tuple[str, ...], ...]:
        shuffled = self.random.sample(everybody, len(everybody))
        cut = self.random.randrange(1, len(shuffled))
        return tuple(shuffled[:cut]), tuple(shuffled[cut:])

    def _rot(self, name: str) -> Act:
        """Rot is found at the next start: so let there be one."""
        with suppress(FaultError):
            self.world.act(Crash(name, "process kill"))
        size = len(self.world.machines[name].disk.read("s1/log") or b"x")
        return BitRot(name, "s1/log", self.random.randrange(size), self.random.randrange(8))

    def _heal_sick(self) -> None:
        """A sick replica is well when it is up, on a disk that works, and knows what it may have promised."""
        if not self.sick:
            return
        machine = self.world.machines[self.sick]
        if machine.process is None:
            with suppress(FaultError):
                self.world.act(HealDisk(self.sick))
        elif not machine.disk.failing["fsync"] and not machine.process.node.replicas["s1"].is_blank:  # type: ignore[attr-defined]
            self.sick = ""

    def repair(self) -> None:
        """The storm is over: everything is made well, and given time."""
        for act in (HealNetwork(), *(HealDisk(name) for name in REPLICAS)):
            with suppress(FaultError):
                self.world.act(act)
        run(self.world, 3_000)  # who is paused goes on
        restart(self.world, *(name for name, machine in self.world.machines.items() if not machine.up))
        run(self.world, 6_000)


@cache
def storm(seed: int) -> Storm:
    played = Storm(seed)
    played.play()
    played.repair()
    return played


@pytest.mark.parametrize("seed", SEEDS)
def test_no_law_is_broken_in_a_storm_and_the_log_goes_on_after_it(seed):
    played = storm(seed)
    world, court = played.world, played.court
    broken = court.judge(world)
    assert not broken, "\n".join([*broken, *played.acts])
    last_us = max(ask.ended_us for ask in court.asks if isinstance(ask.answer, Appended))
    assert world.now_us - last_us < 1_000_000, "the log stands still"
    assert [process(world, name).replicas["s1"].role.value for name in REPLICAS].count("leader") == 1
    assert replicated(world)
    assert court.pushed["n3"]


def replicated(world: World) -> bool:
    """Every replica has what the leader has."""
    logs = [process(world, name).replicas["s1"].sequence for name in (leader(world), *REPLICAS)]
    return all(log.id_at(logs[0].last.index - 10) == logs[0].id_at(logs[0].last.index - 10) for log in logs)


def test_the_storms_are_rough_enough():
    """Among them are changes of leader, lost disks, unknown outcomes, conflicts and trimming."""
    counts = dict.fromkeys(("log leader", "whole", "trimmed", "log begins anew", "damaged", "cut"), 0)
    answers = dict.fromkeys(("Appended", "Conflict", "None"), 0)
    for seed in SEEDS:
        played = storm(seed)
        for kind in counts:
            counts[kind] += len(story(played.world, kind))
        for ask in played.court.asks:
            name = type(ask.answer).__name__ if ask.answer else "None"
            answers[name] = answers.get(name, 0) + 1
    assert counts["log leader"] >= 3 * len(SEEDS), counts
    assert counts["whole"] >= 4 * len(SEEDS), counts
    assert min(counts.values()) > 0, counts
    assert answers["Appended"] > 1_000, answers
    assert answers["Conflict"] > 100, answers
    assert answers["None"] > len(SEEDS) // 2, answers
