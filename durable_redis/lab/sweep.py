"""Sweeps: the same scenario, crashed everywhere.

One crash is an anecdote.  A sweep crashes a scenario after every step (or every so many), with every kind of crash, or
under many seeds, restarts the node or waits for a failover, and counts what survived.  Nothing is derived here: every
point is a run of its own, played from its beginning.

The points do not depend on one another, so any `concurrent.futures.Executor` can spread them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.ledger import FAILOVER
from durable_redis.lab.playback import Playback
from durable_redis.lab.receipt import can_be_taken, judge
from durable_redis.lab.run import Run
from durable_redis.sim.disk import TailKept
from durable_redis.sim.faults import CRASHES
from durable_redis.sim.scenario import Scenario
from durable_redis.sim.world import FOREVER_US, collector_paused

if TYPE_CHECKING:
    import pandas as pd

POINTS_A_JOB = 64
PATIENCE_US = 120_000_000
"""How long a deployment may take to recover, in the room's time."""


@dataclass(frozen=True, slots=True)
class Point:
    """One crash and what it left.

    `at_risk` is what the marks had said just before it: how many acknowledged writes this kind of crash would erase, at
    the most.  `starts` is False if the server refused to start from what was left."""

    seed: int
    step: int
    at_us: int
    crash: str
    acknowledged: int  # writes whose OK had been sent
    lost: int  # of these; what an earlier crash of the scenario took does not count
    lucky: int  # kept, never acknowledged
    resurrected: int
    at_risk: int
    is_prefix: bool  # no write survived that was executed after one that did not
    starts: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """The points of a sweep, in the order of seed, step and kind of crash."""

    points: tuple[Point, ...]

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def of(self, crash: str) -> tuple[Point, ...]:
        """The points of one kind of crash."""
        return tuple(point for point in self.points if point.crash == crash)

    def worst(self, crash: str) -> Point:
        """The point that lost most, the earliest of several."""
        return max(self.of(crash), key=lambda point: point.lost)

    def summary(self) -> list[tuple[str, int, int, float, int]]:
        """For each kind of crash: how many points, how many of them lost something, mean and most lost."""
        rows = []
        for crash in dict.fromkeys(point.crash for point in self.points):
            lost = [point.lost for point in self.of(crash)]
            rows.append((crash, len(lost), sum(map(bool, lost)), sum(lost) / len(lost), max(lost)))
        return rows

    def __str__(self) -> str:
        lines = [f"{'crash':14}{'points':>8}{'with losses':>13}{'mean lost':>11}{'most lost':>11}"]
        for crash, points, with_losses, mean, most in self.summary():
            lines.append(f"{crash:14}{points:8}{with_losses:13}{mean:11.1f}{most:11}")
        return "\n".join(lines)

    __repr__ = __str__

    def table(self) -> pd.DataFrame:
        """One row a point, as a DataFrame."""
        import pandas as pd

        names = list(Point.__slots__)
        return pd.DataFrame([[getattr(point, name) for name in names] for point in self.points], columns=names)


def sweep(
    what: Run | Scenario,
    crashes: Sequence[str] = CRASHES,
    steps: Iterable[int] | None = None,
    seeds: Iterable[int] | None = None,
    executor: Executor | None = None,
    progress: bool = False,
    tail: TailKept = "seeded",
    node: str = "",
    then: str = "restart",
) -> Sweep:
    """Crash a run after each of these steps (default: all since the first action), with each kind of crash.

    `seeds` plays the scenario under other seeds; `tail` is what a power loss leaves of unsynced data; `node` is crashed
    (default: the server that a client would be sent to then).  `then="restart"`: it comes back at once, with what it
    finds on its disk.  `then="failover"`: it stays away until the others have agreed on a new primary, and comes back
    after that.  Either way the survivor is asked when everybody is in step again.  Without an executor it is done here
    and now."""
    if not isinstance(what, Run | Scenario):
        raise LabError(f"what is swept is a run or its scenario, such as sweep(run), not {what!r}")
    scenario = what.scenario() if isinstance(what, Run) else what
    plan = Plan(scenario, tail, node, then)
    _check(plan, crashes)
    first = scenario.actions[0].step or 0
    chosen = list(range(first, scenario.end_step + 1)) if steps is None else list(steps)
    if strange := [step for step in chosen if type(step) is not int or step < 0]:
        raise LabError(f"one crashes after steps of a run, such as steps=range(100, 200), not after {strange[0]!r}")
    jobs = [
        (plan, seed, crash, chosen[start : start + POINTS_A_JOB])
        for seed in ([scenario.seed] if seeds is None else seeds)
        for start in range(0, len(chosen), POINTS_A_JOB)
        for crash in crashes
    ]
    run_jobs: Iterable[list[Point]] = executor.map(_crash_points, jobs) if executor else map(_crash_points, jobs)
    if progress:
        from tqdm import tqdm

        run_jobs = tqdm(run_jobs, total=len(jobs), unit=f" x {POINTS_A_JOB} crashes", leave=False)
    order = {crash: place for place, crash in enumerate(crashes)}
    points = [point for some in run_jobs for point in some]
    return Sweep(tuple(sorted(points, key=lambda point: (point.seed, point.step, order[point.crash]))))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same at every point."""

    scenario: Scenario
    tail: TailKept
    node: str
    then: str


def _check(plan: Plan, crashes: Sequence[str]) -> None:
    if not plan.scenario.actions:
        raise LabError("there is nothing to crash: let a client write something first")
    for crash in crashes:
        if crash not in CRASHES:
            raise LabError(f"no crash is called {crash!r}: choose from {', '.join(CRASHES)}")
    deployment = parse_deployment(plan.scenario.deployment)
    if plan.node and plan.node not in deployment.nodes:
        raise LabError(f"there is no node {plan.node!r} to crash: there is {', '.join(deployment.nodes)}")
    if plan.then not in ("restart", "failover"):
        raise LabError(f'then can be "restart" or "failover", not {plan.then!r}')
    if plan.then == "failover" and not deployment.fails_over:
        raise LabError(f'nobody would take over in {deployment!r}: add replicas and sentinels, or take then="restart"')


def _crash_points(job: tuple[Plan, int, str, list[int]]) -> list[Point]:
    plan, seed, crash, steps = job
    return [_crash_at(plan, seed, crash, step) for step in steps]


def _play_scenario(playback: Playback, scenario: Scenario, step: int) -> None:
    """Play a scenario up to a step: do the actions that come before it, and no others."""
    for action in scenario.actions:
        until_us = FOREVER_US if action.at_us is None else action.at_us
        last = step if action.step is None else min(step, action.step)
        while playback.steps < last and playback.step(until_us):
            pass
        if playback.steps == step:
            return
        playback.perform(action)
    playback.play_to_step(step)


@collector_paused()
def _crash_at(plan: Plan, seed: int, crash: str, step: int) -> Point:
    """Play up to a step, crash, let the deployment recover, and count."""
    playback = Playback(parse_deployment(plan.scenario.deployment), seed, record=False)
    _play_scenario(playback, plan.scenario, step)
    node = plan.node or playback.deployment.survivor(playback.views()) or playback.deployment.nodes[0]
    ledger = playback.ledger(node)
    at_us = playback.world.now_us
    at_risk = ledger.at_risk(ledger.marks())[FAILOVER if plan.then == "failover" else crash]
    acknowledged = len(ledger.acknowledged)
    executed = [write.key for write in ledger.writes]
    lost_before = playback.books.gone()
    if not _recovers(playback, plan, node, crash):
        return Point(seed, step, at_us, crash, acknowledged, acknowledged, 0, 0, at_risk, is_prefix=False, starts=False)
    judged = [
        (write, stands) for write, stands in judge(playback) if (write.connection, write.command) not in lost_before
    ]
    stands_by_key = {(write.connection, write.command): stands for write, stands in judged}
    kept = [stands_by_key[key] for key in executed if key in stands_by_key]
    return Point(
        seed,
        step,
        at_us,
        crash,
        acknowledged,
        sum(not stands and write.outcome == "ok" for write, stands in judged),
        sum(stands and write.outcome in ("unknown", "waiting") for write, stands in judged),
        sum(stands and write.outcome == "failed" for write, stands in judged),
        at_risk,
        is_prefix=kept == sorted(kept, reverse=True),
        starts=True,
    )


def _recovers(playback: Playback, plan: Plan, node: str, crash: str) -> bool:
    """Crash a node and let the deployment come to rest.  False: there is no server to ask afterwards."""
    machine, deployment = playback.world.machines[node], playback.deployment
    if machine.up or (machine.powered and crash != "process kill"):  # or the scenario has crashed it just so
        playback.deeds.crash(node, crash, tail=plan.tail)
    if plan.then == "failover":
        playback.play_while(lambda: not deployment.settled(playback.views()), PATIENCE_US)
    playback.deeds.restart(node)
    playback.play_while(lambda: playback.starting(node), PATIENCE_US)
    if len(deployment.nodes) > 1:
        playback.play_while(lambda: not deployment.settled(playback.views()), PATIENCE_US)
    return can_be_taken(playback)
