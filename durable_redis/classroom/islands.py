"""Islands: the runs behind two exercises, a server is cut off with some of the clients, with a bug and without.

The law of this file: that of `trials`, only verbs of the lab; what is right is the checker's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from durable_redis.classroom.hunts import GROUNDS
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.playback import Playback
from durable_redis.lab.schedules import draw, play
from durable_redis.sim.scenario import Action
from durable_redis.verify.history import Call, History
from durable_redis.verify.linearizability import check

MACHINES = ("n1", "n2", "client1", "client2", "log-a", "log-b", "log-c")
FROM_MS, UNTIL_MS = 1_500, 5_000


class Read(NamedTuple):
    """A read of a key to which one client writes 1, 2, 3 ...: the number that was `got`, the newest one acknowledged
    before the read began, the newest one sent before it ended; and whether the checker finds an order."""

    got: int
    oldest: int
    newest: int
    right: bool


SEED_OF_A_STALE_READ = 3


@cache
def reads() -> tuple[Read, ...]:
    """Every read of one seed, on a node that knows no lease and on a sound one; equal ones once."""
    found: dict[Read, None] = {}
    for bug in ("no lease", ""):
        found |= dict.fromkeys(_reads(_calls_of(bug)))
    return tuple(found)


def _calls_of(bug: str) -> tuple[Call, ...]:
    ground = GROUNDS["island"]
    deployment = parse_deployment(ground.deployment(bug))
    playback = Playback(deployment, SEED_OF_A_STALE_READ, record=False)
    nemesis = ground.regime.nemesis
    for verb, options in ground.regime.work:
        many = (nemesis.end_ms - nemesis.begin_ms) // ground.regime.every_ms
        options = (("every_ms", ground.regime.every_ms), *options)
        playback.perform(Action(verb, (many,), options, at_us=nemesis.begin_ms * 1000))
    play(playback, draw(SEED_OF_A_STALE_READ, deployment, nemesis))
    playback.play_to(nemesis.end_ms * 1000 + 2_000_000)
    return History.of(playback).calls


def _reads(calls: Sequence[Call]) -> Iterable[Read]:
    writes = [call for call in calls if call.argv[0] == b"SET"]
    for read in calls:
        if read.argv[0] == b"GET" and read.answered and isinstance(read.reply, bytes):
            oldest = max([0, *(_number(write.argv[2]) for write in writes if write.ended_us <= read.began_us)])
            newest = max([0, *(_number(write.argv[2]) for write in writes if write.began_us < read.ended_us)])
            yield Read(_number(read.reply), oldest, newest, bool(check(History((*writes, read)))))


def _number(value: bytes) -> int:
    return int(value.removeprefix(b"v"))


class Island(NamedTuple):
    """Whether the clients' histories fit an order, with the bug and without; and what they were told on the way."""

    broken: bool
    sound: bool
    leads: bool  # n1 still leads in the end
    reads: int  # of client2 while n1 was cut off


@cache
def island(machines: tuple[str, ...]) -> Island:
    lives = {bug: _island(machines, bug) for bug in ("no lease", "")}
    fits = {bug: bool(check(History.of(playback))) for bug, playback in lives.items()}
    views = lives["no lease"].views()
    heard = [
        call
        for call in History.of(lives["no lease"])
        if call.argv[0] == b"GET" and call.answered and FROM_MS * 1000 + 1_500_000 < call.ended_us < UNTIL_MS * 1000
    ]
    return Island(not fits["no lease"], fits[""], views["n1"].get("role") == "primary", len(heard))


def _island(machines: tuple[str, ...], bug: str) -> Playback:
    deployment = parse_deployment(GROUNDS["island"].deployment(bug))
    playback = Playback(deployment, 7, record=False)
    for verb, options in GROUNDS["island"].regime.work:
        playback.perform(Action(verb, (50,), (("every_ms", 100), *options), at_us=1_000_000))
    others = [name for name in MACHINES if name not in machines]
    playback.perform(Action("partition", (list(machines), others), at_us=FROM_MS * 1000))
    playback.perform(Action("heal_network", at_us=UNTIL_MS * 1000))
    playback.play_to(9_000_000)
    return playback
