"""The hunt: for each planted bug, how many seeds until a judge objects, who it is, and the least that makes him object.

The law of this file: nobody tells the fuzzer what is planted.  It tries seed after seed, from 0 on, as `hunts` says for
this bug, and stops at the first at which any judge objects; that trial is made small.  And so that an objection means
something, the same seeds are played without any bug, where nobody may object.

    print(dr.bugs())

Neither bugs nor seeds depend on one another: any `concurrent.futures.Executor` can spread them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.memorydb.bugs import BUGS
from durable_redis.sim.scenario import parse_call
from durable_redis.verify.hunts import HUNTS, NOT_HUNTED
from durable_redis.verify.trials import Regime, Trial, attempt, drawn, smallest

if TYPE_CHECKING:
    import pandas as pd

Job = TypeVar("Job")
Result = TypeVar("Result")

COLUMNS = ("bug", "part", "seeds", "budget", "actions", "commands", "judges")


@dataclass(frozen=True, slots=True)
class Catch:
    """What became of one bug.  `seeds` were tried, of `budget`; `trial` is the last of them, made small, or None if in
    none of them anybody objected."""

    bug: str
    seeds: int
    budget: int
    trial: Trial | None

    @property
    def judges(self) -> tuple[str, ...]:
        """Who objects to this trial, the one first for whom it was made small."""
        return tuple(dict.fromkeys(finding.judge for finding in self.trial.findings)) if self.trial else ()

    @property
    def row(self) -> tuple[Any, ...]:
        """As in COLUMNS."""
        actions, commands = (self.trial.troubles, self.trial.commands) if self.trial else ("", "")
        return self.bug, BUGS[self.bug].part, self.seeds, self.budget, actions, commands, ", ".join(self.judges)

    def as_json(self) -> dict[str, Any]:
        trial = self.trial
        return {
            "bug": self.bug,
            "sentence": BUGS[self.bug].sentence,
            "part": BUGS[self.bug].part,
            "deployment": HUNTS[self.bug].deployment,
            "faults": list(HUNTS[self.bug].regime.nemesis.faults),
            "caught": trial is not None,
            "seeds": self.seeds,
            "budget": self.budget,
            "actions": trial.troubles if trial else None,
            "commands": trial.commands if trial else None,
            "judges": list(self.judges),
            "finding": str(trial.findings[0]) if trial else None,
            "replay": trial.replay if trial else None,
        }


@dataclass(frozen=True, slots=True)
class HuntReport:
    """The bugs, in the order in which they were asked for; and of the trials without a bug those that fail."""

    catches: tuple[Catch, ...]
    trials_without: int
    objections: tuple[tuple[str, Trial], ...]  # with the deployment

    @property
    def all_caught(self) -> bool:
        return all(catch.trial for catch in self.catches)

    def __bool__(self) -> bool:
        """Every bug is caught, and nobody objects where there is none."""
        return self.all_caught and not self.objections

    def __str__(self) -> str:
        width = max(len(catch.bug) for catch in self.catches)
        lines = [f"{'bug':{width}}  {'part':9}  seeds   of  actions  commands  judges"]
        for bug, part, seeds, budget, actions, commands, judges in (catch.row for catch in self.catches):
            numbers = f"{seeds:5}  {budget:3}  {actions:7}  {commands:8}"
            lines.append(f"{bug:{width}}  {part:9}  {numbers}  {judges or 'nobody objects'}")
        caught = sum(catch.trial is not None for catch in self.catches)
        lines += [
            "",
            f"{caught} of {len(self.catches)} bugs are caught.",
            f"The same seeds without a bug: {self._without()}.",
        ]
        for catch in self.catches:
            lines += ["", f"{catch.bug}: {BUGS[catch.bug].sentence}"]
            if catch.trial is not None:
                lines += [f"  {catch.trial.findings[0]}", f"  {catch.trial.replay}"]
        for deployment, trial in self.objections:
            lines += [
                "",
                f"without a bug: {deployment}, seed {trial.seed}",
                f"  {trial.findings[0]}",
                f"  {trial.replay}",
            ]
        return "\n".join(lines)

    __repr__ = __str__

    def _without(self) -> str:
        fail = f"{len(self.objections)} fail" if self.objections else "no objection"
        trials = "trial" if self.trials_without == 1 else "trials"
        return f"{self.trials_without} {trials}, {fail}"

    def as_json(self) -> dict[str, Any]:
        """For a program: one object a bug, and what came of the same trials without any."""
        return {
            "bugs": [catch.as_json() for catch in self.catches],
            "caught": sum(catch.trial is not None for catch in self.catches),
            "without": {
                "trials": self.trials_without,
                "objections": [
                    {"deployment": name, "seed": trial.seed, "finding": str(trial.findings[0]), "replay": trial.replay}
                    for name, trial in self.objections
                ],
            },
        }

    def table(self) -> pd.DataFrame:
        """One row a bug, as a DataFrame."""
        import pandas as pd

        return pd.DataFrame([catch.row for catch in self.catches], columns=list(COLUMNS)).set_index("bug")


def bugs(*names: str, seeds: int | None = None, executor: Executor | None = None, progress: bool = False) -> HuntReport:
    """Hunt the planted bugs of these names, or all of them, each for so many seeds at most (default: as `hunts` says).

    Raises LabError for a name that no bug has, and for a bug that is not hunted."""
    for name in names:
        if name in NOT_HUNTED:
            raise LabError(f"{name!r} is not hunted: {NOT_HUNTED[name]}")
        if name not in HUNTS:
            raise LabError(f"no bug is called {name!r}: there is {', '.join(HUNTS)}")
    wanted = names or tuple(HUNTS)
    hunts = [(name, seeds or HUNTS[name].seeds) for name in wanted]
    catches = _spread(_hunt, hunts, executor, progress, " bugs")
    without = dict.fromkeys(
        (HUNTS[catch.bug].deployment, HUNTS[catch.bug].regime, seed) for catch in catches for seed in range(catch.seeds)
    )
    trials = _spread(_try, list(without), executor, progress, " seeds without a bug")
    objections = [(job[0], trial) for job, trial in zip(without, trials, strict=True) if trial.findings]
    return HuntReport(tuple(catches), len(without), tuple(objections))


def with_bug(deployment: str, bug: str) -> str:
    """This deployment with this bug."""
    name, _, options = parse_call(deployment)
    words = ", ".join(f"{option}={value!r}" for option, value in (("bug", bug), *options))
    return repr(parse_deployment(f"{name}({words})"))


def _hunt(job: tuple[str, int]) -> Catch:
    """Seed after seed, until a judge objects."""
    bug, budget = job
    hunt = HUNTS[bug]
    deployment = with_bug(hunt.deployment, bug)
    for seed in range(budget):
        plan = drawn(deployment, seed, hunt.regime)
        trial = attempt(deployment, seed, plan, hunt.regime)
        if trial.findings:
            return Catch(bug, seed + 1, budget, smallest(deployment, plan, hunt.regime, trial))
    return Catch(bug, budget, budget, None)


def _try(job: tuple[str, Regime, int]) -> Trial:
    deployment, regime, seed = job
    return attempt(deployment, seed, drawn(deployment, seed, regime), regime)


def _spread(
    work: Callable[[Job], Result], jobs: Sequence[Job], executor: Executor | None, progress: bool, unit: str
) -> list[Result]:
    results: Iterable[Result] = executor.map(work, jobs) if executor else map(work, jobs)
    if progress:
        from tqdm import tqdm

        results = tqdm(results, total=len(jobs), unit=unit, leave=False)
    return list(results)
