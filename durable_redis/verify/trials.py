"""One trial of the fuzzer: what is done, what the judges say of it, and the least that makes the same judge object.

The law of this file: a trial is decided by the deployment, its seed and its plan, and by nothing else.

1. Start the deployment, and give it time to come to rest.
2. Let the clients work, and somebody read from one replica, while a schedule of faults is carried out.
3. Mend everything, and wait until the room is at rest, or for long enough.
4. Let each client write once more, and wait again; if one is refused, for instance because it talks to a server that
   has become a replica, they try a few times.
5. Ask the judges.

**Made small.**  First the faults go that do not matter (`lab.schedules.shrink`), then what the clients did before the
first of those that are left, and then half of what they do after it, as often as that goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from durable_redis.lab.client import Operation
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.playback import Playback
from durable_redis.lab.schedules import Nemesis, Schedule, draw, play, shrink
from durable_redis.sim.scenario import Action, Scenario, checks
from durable_redis.sim.world import collector_paused
from durable_redis.verify import invariants
from durable_redis.verify.convergence import unrest
from durable_redis.verify.evidence import Witness
from durable_redis.verify.judging import Case, Finding

Work: TypeAlias = tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
"""What the clients do: verbs of the lab, each with its options, all at one time."""

NEMESIS = Nemesis(begin_ms=5_000, end_ms=25_000)
MIXED: Work = (("work", ()),)
"""A few strings, counters, lists and sets."""
WAIT, WAITING_SEEDS = (1, 200), 4
"""Under every fourth seed, where there are replicas, each command is followed by WAIT for one of them, for 200 ms."""
READ_EVERY_MS = 250
"""How often somebody reads from a replica."""
LOOK_US = 1_000_000
"""How often one looks whether the room is at rest."""
PROBES = 4
"""So often a client may try, before it is said that its writes are not accepted."""
EXCEPTION = "no exception"
HEADWAY_MS = 500
"""So long before the first fault the clients begin, when a trial is made small."""


@dataclass(frozen=True, slots=True)
class Regime:
    """What the trials of a row have in common: the faults, the work, and how often some client sends a command.

    * `reads`: where replicas have their data from a log, somebody reads from one of them, which the seed says;
    * `waits`: under some seeds each command is followed by WAIT, where there is that command;
    * `patience_s`: when one stops to wait for rest; by default far longer than any timeout of a deployment, or of TCP.
    """

    nemesis: Nemesis = NEMESIS
    work: Work = MIXED
    every_ms: int = 100
    reads: bool = True
    waits: bool = True
    patience_s: int = 180


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in one trial: so many commands of the clients from `begin_ms` on, and a schedule of faults."""

    begin_ms: int
    commands: int
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Trial:
    """What one seed gave.  `replay` is the replay string of the smallest plan that fails, "" if none does; `findings`
    are those of that one, and `troubles` and `commands` is how many actions and commands are left in it."""

    seed: int
    steps: int
    acknowledged: int
    lost: int
    troubles: int
    commands: int
    findings: tuple[Finding, ...] = ()
    replay: str = ""

    def fails_before(self, judge: str) -> bool:
        """Whether this judge has something to object."""
        return any(finding.judge == judge for finding in self.findings)


def drawn(deployment: str, seed: int, regime: Regime) -> Plan:
    """The plan of this seed."""
    nemesis = regime.nemesis
    commands = max(1, (nemesis.end_ms - nemesis.begin_ms) // regime.every_ms)
    return Plan(nemesis.begin_ms, commands, draw(seed, parse_deployment(deployment), nemesis))


@collector_paused()
def attempt(deployment: str, seed: int, plan: Plan, regime: Regime) -> Trial:
    """Play one trial, and judge it.

    The collector comes when it is over, and finds the whole room at once, which nobody holds any more."""
    playback = Playback(parse_deployment(deployment), seed, record=False)
    witness = Witness(playback)
    found: Sequence[Finding]
    acknowledged = lost = 0
    try:
        probes = _play(playback, plan, regime)
        case = Case(witness.evidence(calm=True, probes=probes))
        found = invariants.findings(case)
        acknowledged = sum(write.operation.outcome == "ok" for write in case.reference.writes.values())
        lost = len(case.lost())
    except Exception as error:  # of a node, the simulator, or a judge: each is a bug, and the seed shows it
        at_us = playback.world.now_us
        machine = playback.world.journal.steps[-1].machine
        found = [Finding(EXCEPTION, playback.steps, at_us, machine, f"{type(error).__name__}: {error}")]
    return Trial(
        seed,
        playback.steps,
        acknowledged,
        lost,
        len(plan.schedule.troubles),
        plan.commands,
        tuple(found),
        _replay_string(playback, seed) if found else "",
    )


def smallest(deployment: str, plan: Plan, regime: Regime, trial: Trial) -> Trial:
    """The least of the plan of a trial that fails before the same judge: of its faults no single one can be dropped."""
    judge = trial.findings[0].judge
    played = {plan: trial}

    def fails(candidate: Plan) -> bool:
        if candidate not in played:
            played[candidate] = attempt(deployment, trial.seed, candidate, regime)
        return played[candidate].fails_before(judge)

    plan = replace(plan, schedule=shrink(plan.schedule, lambda fewer: fails(replace(plan, schedule=fewer))))
    for candidate in _begins_later(plan, regime):
        plan = candidate if fails(candidate) else plan
    while plan.commands > 1 and fails(shorter := replace(plan, commands=plan.commands // 2)):
        plan = shorter
    return played[plan]


def _begins_later(plan: Plan, regime: Regime) -> Iterator[Plan]:
    """The plan without what is done long before the first fault."""
    first_ms = min([action.at_us or 0 for action in plan.schedule.actions]) // 1000
    skipped = (first_ms - HEADWAY_MS - plan.begin_ms) // regime.every_ms
    if 0 < skipped < plan.commands:
        yield replace(plan, begin_ms=plan.begin_ms + skipped * regime.every_ms, commands=plan.commands - skipped)


def _play(playback: Playback, plan: Plan, regime: Regime) -> Sequence[Operation]:
    """Steps 1 to 4.  Returns the operations of step 4."""
    playback.play_to(plan.begin_ms * 1_000)
    deployment = playback.deployment
    has_wait = regime.waits and deployment.has_wait and len(deployment.nodes) > 1
    waits = has_wait and int(playback.world.seed) % WAITING_SEEDS == 0
    options: dict[str, Any] = {"wait": WAIT} if waits else {}
    for verb, given in regime.work:
        waiting = {} if verb == "read" else options
        _do(playback, verb, plan.commands, every_ms=regime.every_ms, **waiting, **dict(given))
    replicas = deployment.nodes[len(deployment.shares) :] if regime.reads and deployment.has_log else ()
    if replicas:
        count = max(1, plan.commands * regime.every_ms // READ_EVERY_MS)
        replica = replicas[int(playback.world.seed) % len(replicas)]
        _do(playback, "read_replica", replica, count=count, every_ms=READ_EVERY_MS)
    play(playback, plan.schedule)
    rests = _comes_to_rest(playback, regime)
    probes: list[Operation] = []
    for _ in range(PROBES if rests else 1):
        before = len(playback.operations())
        _do(playback, "write", len(playback.deployment.clients), every_ms=0, key="probe{n}")
        _comes_to_rest(playback, regime)
        probes = playback.operations()[before:]
        if all(probe.outcome == "ok" for probe in probes):
            break
    return probes


def _do(playback: Playback, verb: str, *arguments: Any, **options: Any) -> None:
    playback.perform(Action(verb, arguments, tuple(options.items()), at_us=playback.world.now_us))


def _comes_to_rest(playback: Playback, regime: Regime) -> bool:
    """Play until the clients have their answers, and nothing can be seen that still has to come.  False: in vain."""
    deadline_us = playback.world.now_us + regime.patience_s * 1_000_000
    while playback.world.now_us < deadline_us:
        playback.play_to(playback.world.now_us + LOOK_US)
        if playback.idle and not any(unrest(playback.deployment, playback.views())):
            return True
    return False


def _replay_string(playback: Playback, seed: int) -> str:
    actions = tuple(done.action for done in playback.performed)
    journal = playback.world.journal
    return str(Scenario(repr(playback.deployment), seed, actions, len(journal), checks(journal)))
