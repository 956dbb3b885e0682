"""Replaying a run of ten thousand steps from its replay string: what a reader waits for.

*Recorded* is `durable_redis.replay`, as a notebook calls it: it plays the line, with a picture of the room after every
step to scrub through, and compares the journal with the check in the line.  *Unrecorded* is a bare playback of the same
scenario, as each point of a sweep does it.  Nobody else does this: there is no peer.
"""

from __future__ import annotations

from functools import partial

from durable_redis.bench.measure import Row, best_rates, seconds
from durable_redis.lab.deployments import Redis, parse_deployment
from durable_redis.lab.playback import Playback
from durable_redis.lab.run import replay
from durable_redis.sim.scenario import Scenario

STEPS = 10_000
STEPS_OF_A_WRITE = 11
MILLISECONDS = 1_000


def measure_replay(scale: float, rounds: int) -> list[Row]:
    """Milliseconds a replay.  Less is better, so the best round is that with the highest rate, turned over."""
    line = replay_string(max(1, round(STEPS * scale)))
    rates = best_rates([partial(_recorded_rate, line), partial(_unrecorded_rate, line)], rounds)
    steps = Scenario.parse(line).end_step
    return [
        Row(f"replay: {steps:,} steps, {how}", "ms", MILLISECONDS / rate, note="no peer")
        for how, rate in zip(("recorded", "unrecorded"), rates, strict=True)
    ]


def replay_string(steps: int) -> str:
    """The replay string of a run of so many steps: a client writes, with the append-only file on."""
    run = Redis(appendonly=True).start(seed=7)
    run.write(1 + steps // STEPS_OF_A_WRITE, every_ms=10)
    run.go(max(steps, run.steps))
    return run.replay_string()


def _recorded_rate(line: str) -> float:
    return 1 / seconds(lambda: replay(line))


def _unrecorded_rate(line: str) -> float:
    return 1 / seconds(lambda: play(Scenario.parse(line)))


def play(scenario: Scenario) -> Playback:
    """The room after a scenario, without pictures."""
    playback = Playback(parse_deployment(scenario.deployment), scenario.seed, record=False)
    for action in scenario.actions:
        playback.perform(action)
    playback.play_to_step(scenario.end_step)
    return playback
