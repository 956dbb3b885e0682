"""Fuzzing: let clients work, let a nemesis do its worst, mend everything, and ask every judge.

The law of this file: a trial is decided by the deployment and its seed, and by nothing else, wherever and in whatever
order it is played.  So a failure is one line, its replay string; and before it is printed, the schedule of faults is
made as small as it can be while the same judge still objects.

One trial:

1. start the deployment, and give it time to come to rest;
2. let the clients work on a few strings, counters, lists and sets, and somebody read them from one replica, while a
   random schedule of faults is carried out;
3. mend everything, and wait until the room is at rest, or for long enough;
4. let each client write once more, and wait again; if one is refused, for instance because it talks to a server that
   has become a replica, they try a few times;
5. ask the judges.

Trials do not depend on one another: any `concurrent.futures.Executor` can spread them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from durable_redis.lab.client import Operation
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.playback import Playback
from durable_redis.lab.schedules import Nemesis, Schedule, draw, play, shrink, survivable
from durable_redis.sim.scenario import Action, Scenario, checks
from durable_redis.verify.convergence import unrest
from durable_redis.verify.evidence import Witness
from durable_redis.verify.invariants import JUDGES
from durable_redis.verify.judging import Case, Finding

NEMESIS = Nemesis(begin_ms=5_000, end_ms=25_000)
EVERY_MS = 100
"""How often some client sends a command."""
WAIT, WAITING_SEEDS = (1, 200), 4
"""Under every fourth seed, where there are replicas, each command is followed by WAIT for one of them, for 200 ms."""
LOOK_EVERY_MS = 250
"""How often somebody reads from a replica."""
LOOK_US = 1_000_000
"""How often one looks whether the room is at rest."""
PATIENCE_US = 180_000_000
"""When one stops to wait for rest: far longer than any timeout of a deployment, or of TCP."""
MOST_TOLD = 5
"""So many failures are told in full."""
PROBES = 4
"""So often a client may try, before it is said that its writes are not accepted."""
EXCEPTION = "no exception"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one seed gave.  `replay` is the replay string of the smallest schedule that fails, "" if none does;
    `findings` are those of that one, and `troubles` is how many actions are left in it."""

    seed: int
    steps: int
    acknowledged: int
    lost: int
    troubles: int
    findings: tuple[Finding, ...] = ()
    replay: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a row of seeds gave, in their order."""

    deployment: str
    trials: tuple[Trial, ...]

    @property
    def failures(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.findings)

    def __str__(self) -> str:
        trials = self.trials
        first, last = trials[0].seed, trials[-1].seed
        lossy = sum(bool(trial.lost) for trial in trials)
        lines = [
            f"{self.deployment}: seeds {first} to {last}, {sum(trial.steps for trial in trials):,} steps",
            f"  {sum(trial.acknowledged for trial in trials):,} writes acknowledged, "
            f"{sum(trial.lost for trial in trials):,} of them lost, in {lossy:,} of {len(trials):,} runs",
            f"  {len(JUDGES)} judges: {'no objection' if not self.failures else f'{len(self.failures)} runs fail'}",
        ]
        for trial in self.failures[:MOST_TOLD]:
            lines += ["", f"  seed {trial.seed}, {trial.troubles} actions of the schedule left:"]
            first_of_each = {finding.judge: finding for finding in reversed(trial.findings)}
            lines += [f"    {finding}" for finding in reversed(first_of_each.values())]
            lines.append(f"    {trial.replay}")
        if len(self.failures) > MOST_TOLD:
            lines += ["", f"  and {len(self.failures) - MOST_TOLD:,} more"]
        return "\n".join(lines)

    __repr__ = __str__

    def as_json(self) -> dict[str, Any]:
        """For a program: numbers, and one object a failure."""
        return {
            "deployment": self.deployment,
            "first_seed": self.trials[0].seed,
            "seeds": len(self.trials),
            "steps": sum(trial.steps for trial in self.trials),
            "acknowledged": sum(trial.acknowledged for trial in self.trials),
            "lost": sum(trial.lost for trial in self.trials),
            "judges": [judge.name for judge in JUDGES],
            "failures": [
                {
                    "seed": trial.seed,
                    "judge": trial.findings[0].judge,
                    "findings": [str(finding) for finding in trial.findings],
                    "actions": trial.troubles,
                    "replay": trial.replay,
                }
                for trial in self.failures
            ],
        }


def fuzz(
    deployment: str,
    seeds: Iterable[int],
    nemesis: Nemesis | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> Report:
    """Try a deployment, written as in Python, under these seeds.  Raises LabError or ConfigError.

    Without a nemesis, it gets the one that does what this deployment is to get over."""
    parsed = parse_deployment(deployment)
    name = repr(parsed)
    nemesis = nemesis or replace(NEMESIS, faults=survivable(parsed))
    jobs = [(name, seed, nemesis) for seed in seeds]
    trials: Iterable[Trial] = executor.map(_try, jobs) if executor else map(_try, jobs)
    if progress:
        from tqdm import tqdm

        trials = tqdm(trials, total=len(jobs), unit=" seeds", leave=False)
    return Report(name, tuple(trials))


def _try(job: tuple[str, int, Nemesis]) -> Trial:
    """One seed; if it fails, the smallest schedule that fails alike."""
    deployment, seed, nemesis = job
    schedule = draw(seed, parse_deployment(deployment), nemesis)
    trial = attempt(deployment, seed, schedule, nemesis)
    if not trial.findings:
        return trial
    judge = trial.findings[0].judge

    def fails(candidate: Schedule) -> bool:
        return any(finding.judge == judge for finding in attempt(deployment, seed, candidate, nemesis).findings)

    return attempt(deployment, seed, shrink(schedule, fails), nemesis)


def attempt(deployment: str, seed: int, schedule: Schedule, nemesis: Nemesis = NEMESIS) -> Trial:
    """Play one trial with this schedule of faults, and judge it."""
    playback = Playback(parse_deployment(deployment), seed, record=False)
    witness = Witness(playback)
    findings: Sequence[Finding]
    acknowledged = lost = 0
    try:
        probes = _play(playback, schedule, nemesis)
        case = Case(witness.evidence(calm=True, probes=probes))
        findings = [finding for judge in JUDGES for finding in judge.findings(case)]
        acknowledged = sum(write.operation.outcome == "ok" for write in case.reference.writes.values())
        lost = len(case.lost())
    except Exception as error:  # of a node, the simulator, or a judge: each is a bug, and the seed shows it
        at_us = playback.world.now_us
        machine = playback.world.journal.steps[-1].machine
        findings = [Finding(EXCEPTION, playback.steps, at_us, machine, f"{type(error).__name__}: {error}")]
    return Trial(
        seed,
        playback.steps,
        acknowledged,
        lost,
        len(schedule.troubles),
        tuple(findings),
        _replay_string(playback, seed) if findings else "",
    )


def _play(playback: Playback, schedule: Schedule, nemesis: Nemesis) -> Sequence[Operation]:
    """Steps 1 to 4.  Returns the operations of step 4."""
    playback.play_to(nemesis.begin_ms * 1_000)
    deployment = playback.deployment
    waits = deployment.has_wait and len(deployment.nodes) > 1 and int(playback.world.seed) % WAITING_SEEDS == 0
    options: dict[str, Any] = {"wait": WAIT} if waits else {}
    _do(playback, "work", max(1, (nemesis.end_ms - nemesis.begin_ms) // EVERY_MS), every_ms=EVERY_MS, **options)
    _look(playback, nemesis)
    play(playback, schedule)
    rests = _comes_to_rest(playback)
    probes: list[Operation] = []
    for _ in range(PROBES if rests else 1):
        before = len(playback.operations())
        _do(playback, "write", len(playback.deployment.clients), every_ms=0, key="probe{n}")
        _comes_to_rest(playback)
        probes = playback.operations()[before:]
        if all(probe.outcome == "ok" for probe in probes):
            break
    return probes


def _look(playback: Playback, nemesis: Nemesis) -> None:
    """Where replicas have their data from a log, let somebody read from one of them, which the seed says."""
    deployment = playback.deployment
    primaries = len(deployment.shares)
    if deployment.has_log and len(deployment.nodes) > primaries:
        replicas = deployment.nodes[primaries:]
        count = max(1, (nemesis.end_ms - nemesis.begin_ms) // LOOK_EVERY_MS)
        _do(
            playback,
            "read_replica",
            replicas[int(playback.world.seed) % len(replicas)],
            count=count,
            every_ms=LOOK_EVERY_MS,
        )


def _do(playback: Playback, verb: str, *arguments: Any, **options: Any) -> None:
    playback.perform(Action(verb, arguments, tuple(options.items()), at_us=playback.world.now_us))


def _comes_to_rest(playback: Playback) -> bool:
    """Play until the clients have their answers, and nothing can be seen that still has to come.  False: in vain."""
    deadline_us = playback.world.now_us + PATIENCE_US
    while playback.world.now_us < deadline_us:
        playback.play_to(playback.world.now_us + LOOK_US)
        if playback.idle and not any(unrest(playback.deployment, playback.views())):
            return True
    return False


def _replay_string(playback: Playback, seed: int) -> str:
    actions = tuple(done.action for done in playback.performed)
    journal = playback.world.journal
    return str(Scenario(repr(playback.deployment), seed, actions, len(journal), checks(journal)))
