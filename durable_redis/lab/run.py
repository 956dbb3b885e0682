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

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_redis.formats.resp import Reply
from durable_redis.lab import latency as latencies
from durable_redis.lab import life as lives
from durable_redis.lab import receipt as receipts
from durable_redis.lab.deployments import Deployment, parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.playback import Performed, Playback
from durable_redis.lab.recording import Frame, Recording
from durable_redis.sim.disk import TailKept
from durable_redis.sim.faults import Crashed, FaultError
from durable_redis.sim.scenario import Action, ReplayError, Scenario, checks, compare

if TYPE_CHECKING:
    from durable_redis.lab.latency import Latency
    from durable_redis.lab.life import Life
    from durable_redis.lab.receipt import Receipt

SETTLING_US = 60_000_000
"""How long `play()` waits for the clients to finish, and a restart for the recovery, in the room's time."""
TIMED = ("crash", "restart", "slow_disk", "fail_disk", "heal_disk", "bit_rot")
"""The verbs that take `at_ms`."""
WAITING = ("restart", "command")
"""The verbs that play on until something has happened."""
PATIENCE_US = 5_000_000
"""How long an operator waits for an answer."""


class Run:
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
        self.listeners: list[Callable[[], None]] = []  # called after every change: the console
        self.step = 0
        self.playback.play_while(lambda: any(map(self.playback.starting, deployment.nodes)), SETTLING_US)
        self._moved()
        self._first_step = self.step

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
        """Play on: until a time, or until the clients have nothing left to do and the servers are at rest."""
        self.step = self.steps
        if until_ms is not None:
            if until_ms * 1000 < self.playback.world.now_us:
                raise LabError(
                    f"it is {self.now_ms:.3f} ms already: go back with run.go(step) instead of playing to {until_ms}"
                )
            self.playback.play_to(round(until_ms * 1000))
        else:
            self.playback.play_while(lambda: not self.playback.idle, SETTLING_US)
        self._moved()

    def forward(self, steps: int = 1) -> None:
        """One step on (or several): recorded ones first, then new ones."""
        self.go(self.step + steps)

    def back(self, steps: int = 1) -> None:
        """One step back (or several).  Nothing is undone: the future stays where it is."""
        self.go(self.step - steps)

    def go(self, step: int) -> None:
        """Stand after this step of the branch; what was not played yet is played."""
        if step < 0:
            raise LabError(f"there is no step {step}: the first is 1, and 0 is the room before it")
        self.playback.play_to_step(step)
        self._moved(min(step, self.steps))
        if step > self.steps:
            raise LabError(f"there is no step {step}: with step {self.steps} everything is at rest")

    def checkout(self, branch: str) -> None:
        """Stand at the end of another branch."""
        if branch not in self.playbacks:
            raise LabError(f"there is no branch {branch!r}: there is {', '.join(self.playbacks)}")
        self.branch = branch
        self._moved()

    # -- acting ------------------------------------------------------------------------------------------------------

    def write(self, count: int, every_ms: float = 10, **options: Any) -> None:
        """Let the client write `count` values, one every `every_ms`, each after the answer to the one before."""
        self.act("write", count, every_ms=every_ms, **options)

    def command(self, *words: str | bytes | int | float) -> Reply:
        """Send one command as an operator, and wait for the answer."""
        operation = self.act("command", *words)
        self.playback.play_while(lambda: operation.outcome == "waiting", PATIENCE_US)
        self._done()
        ended = not self.playback.world.machines[self.deployment.nodes[0]].up
        if ended and str(words[0]).upper() == "SHUTDOWN":
            return None  # the server's answer to this is that it hangs up
        if operation.outcome in ("unknown", "waiting"):
            raise LabError(f"{words[0]!r} was not answered: the server is down, or too slow")
        reply: Reply = operation.reply
        return reply

    def crash(
        self, node: str, kind: str = "power loss", *, tail: TailKept = "seeded", at_ms: float | None = None
    ) -> None:
        """Crash a node, now or at a time: "process kill", "power loss" or "disk loss".

        `tail` says what a power loss leaves of each unsynced tail: "seeded", "lost", "kept", or so many bytes."""
        options = {} if tail == "seeded" else {"tail": tail}
        self.act("crash", node, kind, at_ms=at_ms, **options)

    def restart(self, node: str, *, at_ms: float | None = None, **options: Any) -> bool:
        """Start a node again, and play until it has recovered.  False: it refuses to start (see its `last_crash`).

        With options (`appendonly=True`): after its configuration file was edited so."""
        self.act("restart", node, at_ms=at_ms, **options)
        self.playback.play_while(lambda: self.playback.starting(node), SETTLING_US)
        self._done()
        return self.playback.world.machines[node].up

    def slow_disk(self, node: str, extra_ms: float, *, at_ms: float | None = None) -> None:
        """Let every fsync of a node take longer by so much; 0 makes the disk well again."""
        self.act("slow_disk", node, extra_ms, at_ms=at_ms)

    def fail_disk(self, node: str, operation: str = "fsync", *, at_ms: float | None = None) -> None:
        """Let every "write" or "fsync" of a node fail with EIO."""
        self.act("fail_disk", node, operation, at_ms=at_ms)

    def heal_disk(self, node: str, *, at_ms: float | None = None) -> None:
        """Make a disk fast and free of errors again."""
        self.act("heal_disk", node, at_ms=at_ms)

    def bit_rot(self, node: str, path: str, offset: int, bit: int = 0, *, at_ms: float | None = None) -> None:
        """Turn over one bit of a file."""
        self.act("bit_rot", node, path, offset, bit, at_ms=at_ms)

    def hold(self, message: int) -> None:
        """Keep a message on the wire (`run.frame().in_flight` names them)."""
        self.act("hold", message)

    def release(self, message: int) -> None:
        """Let a held message go on."""
        self.act("release", message)

    def act(self, verb: str, *arguments: Any, at_ms: float | None = None, **options: Any) -> Any:
        """Do something at the step one stands on, or at a later time.  In the past this starts a branch."""
        world = self.playback.world
        if at_ms is not None:
            if at_ms * 1000 < self.now_ms * 1000:
                raise LabError(f"{at_ms} ms is past: it is {self.now_ms:.3f} ms; go back first, with run.go(step)")
            action = Action(verb, arguments, tuple(options.items()), at_us=round(at_ms * 1000))
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
        machine = self.playback.world.machines[self.deployment.nodes[0]]
        return machine.up and not self.playback.starting(machine.name)

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

    def receipt(self) -> Receipt:
        """What became of every write, at the end of this branch."""
        self._need_the_end("a receipt")
        return receipts.take(self.playback)

    def life(self, key: str) -> Life:
        """The steps of one write's life, from its client to the platter."""
        return lives.life(self, key)

    def latency(self) -> Latency:
        """How long the clients waited for their answers."""
        return latencies.latency(self)

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
        lines = [f"run = dr.{self.deployment!r}.start(seed={self.seed})"]
        step = self._first_step
        settled = True  # whether the script has not played further than the next action, waiting for an answer
        for done in self.playback.performed:
            action, call = done.action, done.action.call
            if action.at_us is not None and action.verb in TIMED:
                if not settled:
                    lines.append(f"run.go({done.before})")
                call = f"{call[:-1]}, at_ms={action.at_us / 1000})"
            elif action.at_us is not None:
                lines.append(f"run.play({action.at_us / 1000})")
            elif done.before != step:
                lines.append(f"run.go({done.before})")
            lines.append(f"run.{call}")
            step, settled = done.after, action.verb not in WAITING
        if step != self.steps:
            lines.append(f"run.go({self.steps})")
        return "\n".join(lines)

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
        playback.play_to_step(scenario.end_step)
    except (ValueError, FaultError) as error:
        raise ReplayError(f"the replay string cannot be played: {error}") from None
    compare(playback.world.journal, scenario)
    run.go(run.steps)
    return run
