"""A run: a scenario that one plays, looks at, turns back, and plays differently.

    run = Redis(appendonly=True).start(seed=7)
    run.write(200, every_ms=10)                    # a client that waits for each OK
    run.crash("n1", "power loss", at_ms=1_250)
    run.restart("n1")
    run.receipt()

Time goes on only when something is asked for that lies in the future: `play`, an action with `at_ms`, a restart, a
command.  One can go back to any step; whoever *acts* in the past starts a new branch, and the old one is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_redis.lab import availability as availabilities
from durable_redis.lab import failover as failovers
from durable_redis.lab import latency as latencies
from durable_redis.lab import life as lives
from durable_redis.lab import receipt as receipts
from durable_redis.lab import script as scripts
from durable_redis.lab.deployments import Deployment, parse_deployment
from durable_redis.lab.deployments.base import in_us
from durable_redis.lab.errors import LabError
from durable_redis.lab.playback import Performed, Playback
from durable_redis.lab.recording import Frame, Recording
from durable_redis.lab.verbs import SETTLING_US, Verbs
from durable_redis.sim.faults import Crashed, FaultError
from durable_redis.sim.scenario import Action, ReplayError, Scenario, checks, compare

if TYPE_CHECKING:
    from durable_redis.lab.availability import Availability
    from durable_redis.lab.client import Operation
    from durable_redis.lab.failover import Failover
    from durable_redis.lab.latency import Latency
    from durable_redis.lab.life import Life
    from durable_redis.lab.receipt import Receipt


class Run(Verbs):
    """One scenario with its branches.  `step` is where one stands; `branch` is the branch that one stands on."""

    console: Callable[..., Any]
    picture: Callable[..., Any]
    """The widget of this run, and a still of it after a step: given to it by `durable_redis.console`, a floor above."""

    def __init__(self, deployment: Deployment, seed: int = 0) -> None:
        self.deployment = deployment
        self.seed = seed
        self.branch = "main"
        self.playbacks: dict[str, Playback] = {"main": Playback(deployment, seed)}
        self.parents: dict[str, tuple[str, int]] = {}  # branch -> the branch and step it left from
        self._receipts: dict[tuple[str, int, int], Receipt] = {}
        self.listeners: list[Callable[[], None]] = []  # called after every change: the console
        self.step = 0
        self.playback.play_while(lambda: not deployment.settled(self.playback.views()), SETTLING_US)
        self._moved()
        self.first_step = self.step  # where the room was at rest, and ready

    # -- playing -----------------------------------------------------------------------------------------------------

    @property
    def playback(self) -> Playback:
        """The branch one stands on."""
        return self.playbacks[self.branch]

    @property
    def recording(self) -> Recording:
        recording = self.playback.recording
        assert recording is not None
        return recording

    @property
    def steps(self) -> int:
        """How many steps this branch has."""
        return self.playback.steps

    @property
    def now_ms(self) -> float:
        """The time at the step one stands on, in milliseconds since the start."""
        if self.step == self.steps:
            return self.playback.world.now_us / 1000
        return self.recording.frame(self.step).at_us / 1000

    def play(self, until_ms: float | None = None) -> None:
        """Play on: until a time, or until the clients have nothing left to do, for a minute at most."""
        until_us = in_us("the time to play to", until_ms) if until_ms is not None else None
        self.step = self.steps
        if until_us is not None:
            if until_us < self.playback.world.now_us:
                raise LabError(
                    f"it is {self.now_ms:.3f} ms already: go back with run.go(step) instead of playing to {until_ms}"
                )
            self.playback.play_to(until_us)
        else:
            self.playback.play_while(lambda: not self.playback.idle, SETTLING_US)
        self._moved()

    def forward(self, steps: int = 1) -> None:
        """One step on (or several): recorded ones first, then new ones."""
        self._walk(steps)

    def back(self, steps: int = 1) -> None:
        """One step back (or several).  Nothing is undone: the future stays where it is."""
        self._walk(steps, -1)

    def _walk(self, steps: int, direction: int = 1) -> None:
        if type(steps) is not int:
            raise LabError(f"so many steps: a whole number, not {steps!r}")
        self.go(self.step + direction * steps)

    def go(self, step: int) -> None:
        """Stand after this step of the branch; what was not played yet is played."""
        if type(step) is not int or step < 0:
            raise LabError(f"there is no step {step!r}: the first is 1, and 0 is the room before it")
        self.playback.play_to_step(step)
        self._moved(min(step, self.steps))
        if step > self.steps:
            raise LabError(f"there is no step {step}: with step {self.steps} everything is at rest")

    def checkout(self, branch: str, step: int | None = None) -> None:
        """Stand at the end of another branch, or after a step of it."""
        if branch not in self.playbacks:
            raise LabError(f"there is no branch {branch!r}: there is {', '.join(self.playbacks)}")
        if step is not None and not 0 <= step <= self.playbacks[branch].steps:
            raise LabError(f"there is no step {step} on {branch!r}: it has {self.playbacks[branch].steps:,}")
        self.branch = branch
        self._moved(step)

    # -- acting ------------------------------------------------------------------------------------------------------

    def act(self, verb: str, *arguments: Any, at_ms: float | None = None, **options: Any) -> Any:
        """Do something at the step one stands on, or at a later time.  In the past this starts a branch."""
        world = self.playback.world
        if at_ms is not None:
            at_us = in_us("at_ms", at_ms)
            if at_us < round(self.now_ms * 1000):
                raise LabError(f"{at_ms} ms is past: it is {self.now_ms:.3f} ms; go back first, with run.go(step)")
            action = Action(verb, arguments, tuple(options.items()), at_us=at_us)
        else:
            at_end = self.step == self.steps
            late = at_end and (not self.step or world.now_us > world.journal.steps[-1].at_us)
            when: dict[str, int] = {"at_us": world.now_us} if late else {"step": self.step}
            action = Action(verb, arguments, tuple(options.items()), **when)
        in_the_past = self.step < self.steps
        result = self._act_in_the_past(action) if in_the_past else self._act_at_the_end(action)
        self._done()
        return result

    def _act_in_the_past(self, action: Action) -> Any:
        """Start a branch at the step one stands on: play the scenario again up to there, and act."""
        done_before = [done for done in self.playback.performed if done.before < self.step]
        playback = self._played_again(done_before)
        result = playback.perform(action)
        name = f"branch {len(self.playbacks)}"
        self.parents[name] = (self.branch, self.step)
        self.playbacks[name] = playback
        self.branch = name
        return result

    def _act_at_the_end(self, action: Action) -> Any:
        playback, now_us = self.playback, self.playback.world.now_us
        try:
            return playback.perform(action)
        except (LabError, FaultError):
            if playback.steps > self.step or playback.world.now_us > now_us:  # it has played on to the action's time
                before = self.playbacks[self.branch] = self._played_again(playback.performed)
                before.performed = playback.performed
                if before.world.now_us < now_us:
                    before.play_to(now_us)
            raise

    def _played_again(self, performed: list[Performed]) -> Playback:
        """The room at the step one stands on, once more."""
        playback = Playback(self.deployment, self.seed)
        for done in performed:
            playback.perform(done.action)
        playback.play_to_step(self.step)
        return playback

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def survivor_is_up(self) -> bool:
        """Whether there is a server to ask, so that a receipt can be taken."""
        return receipts.can_be_taken(self.playback)

    def crashes(self) -> tuple[Crashed, ...]:
        """Every crash of this branch, with what it left of each unsynced tail."""
        journal = self.playback.world.journal
        return tuple(step.what for step in journal if isinstance(step.what, Crashed))

    def last_crash(self, node: str) -> str:
        """Why a node is down, or was the last time: "power loss", or the last words of a process that gave up."""
        return self.playback.world.machine(node).last_crash

    def file(self, node: str, path: str) -> bytes:
        """A file of a node, as a process would read it at the end of this branch.  Raises LabError naming the files
        that there are."""
        files = self.playback.world.machine(node).disk.files
        if path not in files:
            raise LabError(f"{node} has no file {path!r}: it has {', '.join(sorted(files)) or 'none'}")
        return bytes(files[path].cache)

    def frame(self, step: int | None = None) -> Frame:
        """The room after a step; without one, after the step one stands on."""
        return self.recording.frame(self.step if step is None else step)

    def step_at(self, at_ms: float) -> int:
        """The last step of this branch that took place at this time or before it; 0 before the first."""
        return bisect_right(self.playback.world.journal.steps, at_ms * 1000, key=lambda step: step.at_us)

    def receipt(self) -> Receipt:
        """What became of every write, at the end of this branch."""
        self._need_the_end("a receipt")
        playback = self.playback
        state = self.branch, playback.steps, playback.world.now_us
        if state not in self._receipts:
            self._receipts = {state: receipts.take(playback)}  # it is asked for again and again where one stands
        return self._receipts[state]

    def history(self) -> tuple[Operation, ...]:
        """What every client asked for so far, in the order of sending: when, of whom, when it was answered, and how."""
        return tuple(self.playback.operations())

    def life(self, key: str, value: str | None = None) -> Life:
        """The steps of one write's life, from its client to the platter: the newest of this key, or of this value."""
        return lives.life(self, key, value)

    def failover(self) -> Failover:
        """The first failover of this branch, event by event: who missed the primary, who agreed, who was chosen."""
        return failovers.failover(self)

    def latency(self) -> Latency:
        """How long the clients waited for their answers."""
        return latencies.latency(self.playback)

    def availability(self) -> Availability:
        """For how long no write of any client got an OK."""
        return availabilities.availability(self)

    def digest(self) -> str:
        """The digest of this branch's journal, as 64 hexadecimal digits."""
        return self.playback.world.journal.digest()

    def scenario(self) -> Scenario:
        """This branch, as a scenario."""
        journal = self.playback.world.journal
        actions = tuple(done.action for done in self.playback.performed)
        return Scenario(repr(self.deployment), self.seed, actions, len(journal), checks(journal))

    def replay_string(self) -> str:
        """This branch as one line; `replay` makes the same run of it, anywhere."""
        return str(self.scenario())

    def script(self) -> str:
        """This branch as a few lines of Python."""
        return scripts.script(self)

    def __repr__(self) -> str:
        return (
            f"a run of {self.deployment!r}, seed {self.seed}: {self.now_ms / 1000:.3f} s, "
            f"step {self.step:,} of {self.steps:,} on {self.branch}"
        )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _need_the_end(self, what: str) -> None:
        if self.step != self.steps:
            raise LabError(f"{what} is taken at the end of a branch: you stand at step {self.step} of {self.steps}")

    def _done(self) -> None:
        """The reader may act again: remember when, for the script."""
        self.playback.performed[-1].after = self.steps
        self._moved()

    def _moved(self, step: int | None = None) -> None:
        self.step = self.steps if step is None else step
        for listener in self.listeners:
            listener()


def replay(text: str) -> Run:
    """Play a replay string.  Raises ReplayError if it cannot be read, or if the model has changed since (and where)."""
    scenario = Scenario.parse(text)
    try:
        run = Run(parse_deployment(scenario.deployment), scenario.seed)
        # The run has started already; the scenario may have done something while it did.
        playback = run.playbacks["main"] = Playback(run.deployment, run.seed)
        for action in scenario.actions:
            playback.perform(action)
        if playback.steps > scenario.end_step and not scenario.check:
            raise LabError(f"it ends at step {scenario.end_step}, before its last action: it was cut off")
        playback.play_to_step(scenario.end_step)
    except (ValueError, FaultError) as error:
        raise ReplayError(f"the replay string cannot be played: {error}") from None
    compare(playback.world.journal, scenario)
    run.go(run.steps)
    return run
