"""Hunts: a deployment comes in a sealed envelope, with one mechanism broken, or with none; the reader finds out which.

    case = hunt(1)
    case                                          # what is known, and who is suspected
    case.fuzz("island", seeds=8)                  # seed after seed, until a law is broken; that schedule is made small
    case.calm()                                   # how long writes take when nothing fails
    case.accuse("no tracker")                     # right, or not yet, and why

Two laws.  *An accusation needs evidence*: a run of the reader's own in which a law is broken; and to say that nothing
is broken needs silence, and enough of it.  *A wrong one is refuted by an experiment*: the reader's schedule is played
again against a node that has the suspected mistake, and what the judges say of that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from durable_redis.classroom.errors import ClassroomError
from durable_redis.classroom.words import wrapped
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.latency import latency
from durable_redis.lab.playback import Playback
from durable_redis.lab.run import Run, replay
from durable_redis.lab.schedules import Nemesis
from durable_redis.memorydb.bugs import BUGS
from durable_redis.memorydb.sealed import ENVELOPES, PREFIX, SOUND, unsealed
from durable_redis.sim.faults import FaultError
from durable_redis.sim.scenario import Action, Scenario
from durable_redis.verify.evidence import Witness
from durable_redis.verify.invariants import judge
from durable_redis.verify.judging import Finding
from durable_redis.verify.trials import Regime, Trial, Work, attempt, drawn, smallest

A_WRITER_AND_A_READER: Work = (
    ("write", (("key", "x"), ("client", "client1"))),
    ("read", (("key", "x"), ("client", "client2"))),
)
BEGIN_MS, END_MS = 1_000, 6_000
CALM_MS = 2_500
MOST_SEEDS = 200
NOTHING = "nothing"
"""What one accuses who says that the envelope is empty."""
ENOUGH = 16
"""So many silent seeds, at least, are asked of whoever says so."""
REST_US = 3_000_000
SUSPECTS = (
    "answers before the commit",
    "no tracker",
    "unknown is taken for done",
    "no lease",
    "backoff shorter than the lease",
    "no rollback",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where one looks: what befalls the machines, and the options of the deployment that make it befall them often."""

    words: str
    options: str
    regime: Regime

    def deployment(self, bug: str) -> str:
        return f"MemoryDB(replicas=1, bug={bug!r}, clients=2, {self.options})"


def _regime(faults: tuple[str, ...], fewest: int, most: int, longest_ms: int) -> Regime:
    nemesis = Nemesis(faults, fewest, most, BEGIN_MS, END_MS, longest_ms)
    return Regime(nemesis, A_WRITER_AND_A_READER, every_ms=100, reads=False, waits=False, patience_s=30)


_ISLAND = "lease_ms=400, renew_ms=120, backoff_ms=600, backoff_jitter_ms=80"
_SLEEP = "lease_ms=400, renew_ms=120, backoff_ms=450, backoff_jitter_ms=0, hardware={'fsync_us': 50_000}"
GROUNDS = {
    "crash": Ground("processes are killed, and started again", _ISLAND, _regime(("process kill",), 2, 4, 2_000)),
    "island": Ground("a server is cut off, with a client or with both", _ISLAND, _regime(("isolation",), 2, 4, 4_000)),
    "sleep": Ground("machines stand still for a while, and disks are slow", _SLEEP, _regime(("pause",), 3, 6, 2_500)),
}
"""Leases are short here, so that a run of six seconds has many."""


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """What a row of seeds gave: of so many none broke a law, and then perhaps `trial`, made small; `drawn` is how many
    actions its schedule had before."""

    title: str
    ground: Ground
    silent: int
    trial: Trial | None = None
    drawn: int = 0

    def __bool__(self) -> bool:
        return self.trial is not None

    @property
    def laws(self) -> tuple[str, ...]:
        """The laws that are broken, in the order of the judges."""
        return tuple(dict.fromkeys(finding.judge for finding in self.trial.findings)) if self.trial else ()

    @property
    def replay(self) -> str:
        """The replay string; "" if there is nothing to replay."""
        return self.trial.replay if self.trial else ""

    @property
    def faults(self) -> tuple[Action, ...]:
        """What is left of the schedule."""
        return tuple(action for action in _scenario(self.replay).actions if _is_fault(action)) if self.trial else ()

    def run(self) -> Run:
        """The run, to be looked at step by step."""
        if self.trial is None:
            raise ClassroomError("there is no run to look at: no law was broken")
        return replay(self.replay)

    def __repr__(self) -> str:
        if self.trial is None:
            return f"{self.title}: {self.silent} seeds, and no judge objects."
        count = self.silent + 1
        which = "at the first seed" if count == 1 else f"at seed {count} of these"
        lines = [f"{self.title}: a law is broken {which} (seed {self.trial.seed})."]
        for law in self.laws:
            finding = next(finding for finding in self.trial.findings if finding.judge == law)
            lines.append(f"  {law}: {finding.node}, {finding.at_us / 1e6:.3f} s:")
            lines += [f"    {line}" for line in wrapped(finding.sentence).splitlines()]
        left = len(self.faults)
        lines.append(f"  of {self.drawn} actions, {left} {'is' if left == 1 else 'are'} left:")
        lines += [f"    {(action.at_us or 0) / 1e6:.3f} s  {action.call}" for action in self.faults]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, repr=False)
class Accusation:
    """What became of one: `right` is None if it cannot be judged yet."""

    right: bool | None
    says: str

    def __repr__(self) -> str:
        return wrapped(f"{'Right.' if self.right else 'Not yet.'} {self.says}" if self.right is not None else self.says)


class Hunt:
    """One envelope, and what the reader has found out about it."""

    def __init__(self, number: int) -> None:
        if not isinstance(number, int) or not 1 <= number <= len(ENVELOPES):
            raise ClassroomError(f"there is no envelope {number!r}: there are 1 to {len(ENVELOPES)}")
        self.number = number
        self.bug = f"{PREFIX}{number}"
        self.silent = 0
        self.evidence: Found | None = None

    def __repr__(self) -> str:
        width = max(map(len, SUSPECTS))
        lines = [f"Envelope {self.number}: a MemoryDB with one replica and two clients.  Broken in it is one of these:"]
        lines += [f"  {name:{width}}  {BUGS[name].sentence}" for name in SUSPECTS]
        lines += [f"  {NOTHING:{width}}  The envelope may be empty.", "Where to look:"]
        lines += [f"  {name:{width}}  {ground.words}" for name, ground in GROUNDS.items()]
        return "\n".join(lines)

    def fuzz(self, ground: str = "island", seeds: int = 8, first_seed: int = 0) -> Found:
        """Try seed after seed on this ground, until a law is broken.  Raises ClassroomError for what is no ground."""
        if ground not in GROUNDS:
            raise ClassroomError(f"no ground is called {ground!r}: there is {', '.join(GROUNDS)}")
        if not isinstance(seeds, int) or not 1 <= seeds <= MOST_SEEDS:
            raise ClassroomError(f"try 1 to {MOST_SEEDS} seeds, not {seeds!r}")
        found = search(
            GROUNDS[ground], self.bug, f"envelope {self.number}, {ground}", range(first_seed, first_seed + seeds)
        )
        self.silent += found.silent
        if found:
            self.evidence = found
        return found

    def calm(self) -> str:
        """How long a write takes when nothing fails."""
        return calm(self.bug)

    # -- accusing ----------------------------------------------------------------------------------------------------

    def accuse(self, name: Any) -> Accusation:
        """Say what is broken: the name of a suspect, or "nothing".  Nothing is raised, whatever is said."""
        if name is ...:
            return Accusation(None, "not attempted yet")
        if not isinstance(name, str) or name not in (*SUSPECTS, NOTHING):
            return Accusation(False, f"There is no suspect called {name!r}. Show the case to see them.")
        inside = unsealed(self.bug)
        if name == NOTHING:
            return self._nothing(inside == SOUND)
        if self.evidence is None:
            return Accusation(
                False, f"An accusation needs evidence: in {self.silent} runs of yours no law was broken. Fuzz first."
            )
        return self._right(name) if name == inside else self._wrong(name)

    def _nothing(self, is_sound: bool) -> Accusation:
        if self.evidence is not None:
            laws = ", ".join(self.evidence.laws)
            return Accusation(False, f"A law was broken before your eyes: {laws}. A sound node does not do that.")
        if self.silent < ENOUGH:
            return Accusation(
                False,
                f"{self.silent} silent runs are little to say that on: a rare bug is silent, too. Try more seeds.",
            )
        if not is_sound:
            return Accusation(False, "It is not empty. Your runs were silent because you looked where nothing shows.")
        return Accusation(
            True,
            f"The envelope is empty. But it was opened for you, and nobody opens one for an engineer. All that "
            f"{self.silent} silent runs tell you is that no bug shows itself often, on the grounds where you looked.",
        )

    def _right(self, name: str) -> Accusation:
        found = self._found()
        assert not objections(found, SOUND), "a sound node broke a law"
        return Accusation(
            True,
            f"It was {name!r}: {BUGS[name].sentence} The same schedule, played against a sound node, breaks no law; "
            f"against this one: {', '.join(found.laws)}.",
        )

    def _wrong(self, name: str) -> Accusation:
        found = self._found()
        laws = objections(found, name)
        if not laws:
            return Accusation(
                False,
                f"Your schedule, played against a node with {name!r}, breaks no law. So something else is broken.",
            )
        if set(laws) & set(found.laws):
            return Accusation(
                False,
                f"Under your schedule a node with {name!r} breaks a law, too ({', '.join(laws)}), so it was a good "
                "suspect. But what is in the envelope is another one: look at something that tells the two apart, such "
                "as the time that an OK takes when nothing fails.",
            )
        return Accusation(
            False,
            f"Your schedule, played against a node with {name!r}, breaks another law ({', '.join(laws)}) than you have "
            f"seen broken ({', '.join(found.laws)}).",
        )

    def _found(self) -> Found:
        assert self.evidence is not None, "an accusation without evidence"
        return self.evidence


def hunt(number: int) -> Hunt:
    """Open a case: envelopes are numbered from 1 on.  Raises ClassroomError for a number that none has."""
    return Hunt(number)


# -- what is played ---------------------------------------------------------------------------------------------------


def fuzz_on(ground: str, bug: str, seeds: int, first_seed: int = 0) -> Found:
    """Try so many seeds on this ground with this bug, as a hunt does."""
    return search(GROUNDS[ground], bug, f"{bug or 'a sound node'}, {ground}", range(first_seed, first_seed + seeds))


def search(ground: Ground, bug: str, title: str, seeds: Sequence[int]) -> Found:
    """Seed after seed, until a law is broken; that trial is made small."""
    deployment = repr(parse_deployment(ground.deployment(bug)))
    for silent, seed in enumerate(seeds):
        plan = drawn(deployment, seed, ground.regime)
        trial = attempt(deployment, seed, plan, ground.regime)
        if trial.findings:
            small = smallest(deployment, plan, ground.regime, trial)
            return Found(title, ground, silent, small, len(plan.schedule.troubles))
    return Found(title, ground, len(seeds))


def judged(deployment: str, scenario: Scenario) -> list[Finding]:
    """What the judges say of this scenario on another deployment; what cannot be done there is left out."""
    playback = Playback(parse_deployment(deployment), scenario.seed, record=False)
    witness = Witness(playback)
    for action in scenario.actions:
        try:
            playback.perform(action)
        except (FaultError, LabError):  # such as the restart of what did not fail here
            continue
    playback.play_to(playback.world.now_us + REST_US)
    return judge(witness.evidence())


def calm(bug: str) -> str:
    """A hundred writes while nothing fails, and how long half of them take."""
    playback = Playback(parse_deployment(GROUNDS["island"].deployment(bug)), 7, record=False)
    playback.perform(Action("write", (100,), (("every_ms", 10), ("client", "client1")), at_us=BEGIN_MS * 1000))
    playback.play_to(CALM_MS * 1000)
    return f"half of the writes of a calm run are answered within {latency(playback).median_us / 1000:.1f} ms"


def catches(ground: str, bug: str, seeds: Sequence[int]) -> str:
    """A letter a seed: X where a law is broken, a dot where none is."""
    where, marks = GROUNDS[ground], ""
    deployment = repr(parse_deployment(where.deployment(bug)))
    for seed in seeds:
        trial = attempt(deployment, seed, drawn(deployment, seed, where.regime), where.regime)
        marks += "X" if trial.findings else "."
    return marks


def objections(found: Found, bug: str) -> tuple[str, ...]:
    """The laws that a node with this bug breaks under the schedule that was found."""
    findings = judged(found.ground.deployment(bug), _scenario(found.replay))
    return tuple(dict.fromkeys(finding.judge for finding in findings))


def _scenario(text: str) -> Scenario:
    return Scenario.parse(text)


def _is_fault(action: Action) -> bool:
    return action.verb not in ("write", "read", "work") and (action.at_us or 0) < END_MS * 1000
