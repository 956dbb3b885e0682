"""Incidents: something befalls a primary while a client writes, and is over again; and then it is counted what it cost.

The law of this file: nothing is recorded, because a chapter plays dozens of these; whoever wants to look into one plays
it with the verbs of the lab.  Everything happens at the same instants for every deployment, and the client writes all
the time, from before the incident until after its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from durable_redis.classroom.trials import NODE, SEED
from durable_redis.contract import Note
from durable_redis.lab import availability
from durable_redis.lab.deployments import Deployment
from durable_redis.lab.playback import Playback
from durable_redis.lab.receipt import judge
from durable_redis.sim import EPOCH_US

WRITE_MS, FAULT_MS, AFTERWARDS_MS = 3_000, 5_000, 20_000
"""When the client begins to write, and when it happens; so long after it is over everybody is in step again."""
STALLED_AFTERWARDS_MS, MENDED_MS = 8_000, 500
"""So long after a stall another one has taken over; and so long after the primary's death the log goes on."""
EVERY_MS = 100
LONGEST_START_US = 60_000_000
WITH_N1 = ("n1", "s1")
IN_N1 = "{bar}w{n}"
"""Keys of a slot that n1 serves in a cluster of three shards (5061)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Writes that were acknowledged; how many of them are gone; how long after the beginning the last of these was
    acknowledged (0 if none is gone); and the longest time for which no write got through.  Times in microseconds."""

    acknowledged: int
    lost: int
    last_us: int
    silent_us: int

    @property
    def last_s(self) -> float:
        return round(self.last_us / 1e6, 1)

    @property
    def silent_s(self) -> float:
        return round(self.silent_us / 1e6, 1)

    def __str__(self) -> str:
        last = f", the last of them told OK after {self.last_s:.1f} s" if self.lost else ""
        return f"{self.lost} of {self.acknowledged} acknowledged writes lost{last}; silent for {self.silent_s:.1f} s"


def split(
    deployment: Deployment, seconds: float, alone: Sequence[str] = WITH_N1, key: str = "w{n}", seed: int = SEED
) -> Cost:
    """Some machines and the client are cut off from all the others for so long."""
    return cost(_partitioned(deployment, seconds, alone, key, seed))


def pause(deployment: Deployment, for_ms: int) -> Cost:
    """The primary stands still for so long, as a virtual machine may, or a process that collects garbage."""
    playback = _written(deployment, for_ms / 1000)
    playback.deeds.pause(NODE, for_ms)
    return cost(_to_the_end(playback, for_ms / 1000))


def death(deployment: Deployment) -> Cost:
    """The primary loses its power, and does not come back."""
    playback = _written(deployment, 0)
    playback.deeds.crash(NODE, "power loss")
    return cost(_to_the_end(playback, 0))


def stall(deployment: Deployment, seconds: float) -> Cost:
    """For so long what should carry the primary's writes away stands still: the shared log, or else the links to its
    replicas.  Then its power fails, and everything else is well again."""
    playback = _written(deployment, seconds, after_ms=STALLED_AFTERWARDS_MS)
    if deployment.has_log:
        for name in deployment.logs:
            playback.deeds.pause(name, round(seconds * 1000) + MENDED_MS)
    else:
        for name in [name for name in deployment.nodes if name != NODE]:
            playback.deeds.cut(NODE, name, both=False)
    playback.play_to(round(FAULT_MS + seconds * 1000) * 1000)
    playback.deeds.crash(NODE, "power loss")
    if not deployment.has_log:
        playback.deeds.heal_network()
    return cost(_to_the_end(playback, seconds, STALLED_AFTERWARDS_MS))


def by_length(
    deployment: Deployment, lengths_s: Sequence[float], alone: Sequence[str] = WITH_N1, key: str = "w{n}"
) -> dict[float, int]:
    """How many acknowledged writes a cut of each length erases."""
    return {seconds: split(deployment, seconds, alone, key).lost for seconds in lengths_s}


def two_primaries(deployment: Deployment, seconds: float, seed: int) -> tuple[float, float]:
    """Cut n1 of a cluster off for so long: after how many seconds it stopped serving, and after how many another was
    elected (infinity: not while it lasted)."""
    playback = _cut_off(deployment, seconds, WITH_N1, IN_N1, seed)
    return _noted(playback, "cluster state", NODE, state="fail"), _noted(playback, "elected")


def cost(playback: Playback) -> Cost:
    """What became of the writes of a playback in which something happened at FAULT_MS."""
    told = [(write, stands) for write, stands in judge(playback) if write.outcome == "ok"]
    begin_us = EPOCH_US + FAULT_MS * 1000
    lost = [write.answered_us or 0 for write, stands in told if not stands]
    last_us = max(lost, default=begin_us) - begin_us
    return Cost(len(told), len(lost), last_us, availability.measure(playback).longest_us)


# -- how it is played --------------------------------------------------------------------------------------------------


def _cut_off(deployment: Deployment, seconds: float, alone: Sequence[str], key: str, seed: int) -> Playback:
    """A room at the end of a cut, just before it is mended."""
    playback = _written(deployment, seconds, key, seed)
    playback.deeds.partition([name for name in (*alone, "client") if name in playback.world.machines])
    playback.play_to(round((FAULT_MS / 1000 + seconds) * 1_000_000))
    return playback


def _partitioned(deployment: Deployment, seconds: float, alone: Sequence[str], key: str, seed: int) -> Playback:
    playback = _cut_off(deployment, seconds, alone, key, seed)
    playback.deeds.heal_network()
    return _to_the_end(playback, seconds)


def _written(
    deployment: Deployment, seconds: float, key: str = "w{n}", seed: int = SEED, after_ms: int = AFTERWARDS_MS
) -> Playback:
    """A room just before an incident of so many seconds, with a client that will write until it is long over."""
    playback = Playback(deployment, seed, record=False)
    playback.play_while(lambda: any(map(playback.starting, deployment.nodes)), LONGEST_START_US)
    playback.play_to(WRITE_MS * 1000)
    count = round((FAULT_MS + seconds * 1000 + after_ms - WRITE_MS) / EVERY_MS)
    playback.deeds.write(count, every_ms=EVERY_MS, key=key)
    playback.play_to(FAULT_MS * 1000)
    return playback


def _to_the_end(playback: Playback, seconds: float, after_ms: int = AFTERWARDS_MS) -> Playback:
    playback.play_to(round((FAULT_MS + seconds * 1000 + after_ms) * 1000))
    return playback


def _noted(playback: Playback, kind: str, machine: str = "", **facts: Any) -> float:
    """How many seconds after the incident somebody noted this; infinity if nobody did."""
    for step in playback.world.journal:
        what, after_us = step.what, step.at_us - FAULT_MS * 1000
        if after_us <= 0 or machine not in ("", step.machine) or not isinstance(what, Note) or what.kind != kind:
            continue
        if all(what.facts.get(name) == value for name, value in facts.items()):
            return after_us / 1e6
    return float("inf")
