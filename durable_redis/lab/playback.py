"""Playing a scenario: a room, the actions done in it, and (if wanted) a picture of it after every step.

Two runs of the same scenario are the same run, so the past need not be kept alive: going back is looking up a recorded
frame, and acting in the past is playing the scenario again up to there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from durable_redis.lab.client import Client, Link, Operation
from durable_redis.lab.deeds import Deeds
from durable_redis.lab.deployments import Deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.ledger import TOLD, Books, Ledger, looks_at_the_disk
from durable_redis.lab.recording import Recording, shown
from durable_redis.sim.scenario import Action
from durable_redis.sim.world import FOREVER_US, collector_paused

LONGEST_RUN_STEPS = 2_000_000
"""A run that does not come to an end by then is refused, rather than filling the memory."""


@dataclass(slots=True)
class Performed:
    """An action that was done: how many steps came before it, and how many there were when one could act again."""

    action: Action
    before: int
    after: int


class Playback:
    """One branch of a run, being played: its room, and what was done in it."""

    def __init__(self, deployment: Deployment, seed: int, record: bool = True) -> None:
        self.deployment = deployment
        self.world = deployment.build(seed)
        self.performed: list[Performed] = []
        self.books = Books()
        for node in deployment.nodes:
            self.books.open(self.world.machines[node], deployment.configuration(node))
        self.ledgers = self.books.ledgers
        self.recording = Recording(self) if record else None
        servers = (*deployment.nodes, *deployment.controls)
        self._outside = [machine for name, machine in self.world.machines.items() if name not in servers]
        self._read_steps = 0
        self.deeds = Deeds(self)
        for name in self.world.machines:
            self.world.start(name)
            if self.recording is not None:
                self.recording.keep(name)
        self.world.watch = self._step_done if self.recording is None else self.recording.step_done

    # -- playing -----------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        return len(self.world.journal)

    def step(self, by_us: int = FOREVER_US) -> bool:
        """The next step, if it is due by then."""
        if self.steps >= LONGEST_RUN_STEPS:
            raise LabError(f"the run has {self.steps} steps: it is longer than anybody will look at; start a new one")
        return self.world.step(by_us)

    def play_to_step(self, number: int) -> None:
        self._play(number - self.steps, FOREVER_US)

    def play_to(self, at_us: int) -> None:
        self._play(LONGEST_RUN_STEPS, at_us)
        self.world.now_us = max(self.world.now_us, at_us)

    def _play(self, most: int, by_us: int) -> None:
        """Play so many steps, if so many are due by then."""
        allowed = LONGEST_RUN_STEPS - self.steps
        with collector_paused():
            self.world.do_steps(min(most, allowed), by_us)
        if most > allowed and self.steps >= LONGEST_RUN_STEPS:
            self.step(by_us)  # there may be more, which is refused

    def play_while(self, condition: Callable[[], bool], limit_us: int) -> bool:
        """Play on while the condition holds, for `limit_us` at most.  False: it still held then."""
        end_us = self.world.now_us + limit_us
        with collector_paused():
            while condition():
                if not self.step(end_us):
                    return False
        return True

    def perform(self, action: Action) -> Any:
        """Play to the moment of an action, and do it.  Raises LabError or FaultError, having done nothing."""
        verb = self.deeds.of(action.verb)
        if action.at_us is not None:
            self._must_come("time", action, self.world.now_us, action.at_us)
            self.play_to(action.at_us)
        elif action.step is not None:
            self._must_come("step", action, self.steps, action.step)
            self.play_to_step(action.step)
        before = self.steps
        try:
            result = verb(*action.arguments, **dict(action.options))
        except TypeError as error:
            raise LabError(f"{action.call} cannot be done: {error}") from None
        self.performed.append(Performed(action, before, self.steps))
        return result

    def _must_come(self, what: str, action: Action, now: int, at: int) -> None:
        if at < now:
            raise LabError(f"{action} comes too late: the {what} is {now} already, put it before the others")

    # -- looking -----------------------------------------------------------------------------------------------------

    def starting(self, node: str) -> bool:
        """The node's process runs, and has not recovered yet."""
        process = self.world.machines[self.known(node)].process
        return process is not None and not process.node.view().get("ready", True)

    def views(self) -> dict[str, Mapping[str, Any]]:
        """What every machine's node shows of itself now; nothing where no process runs."""
        machines = self.world.machines
        if self.recording is None:
            return {name: shown(machine) for name, machine in machines.items()}
        # A server changes in steps alone, and was looked at after the last one; a client is also told what to do next.
        asked = {machine.name: shown(machine) for machine in self._outside}
        return {name: asked[name] if name in asked else self.recording.view(name) for name in machines}

    def ledger(self, node: str) -> Ledger:
        """The ledger of a node, up to now."""
        self.read_journal()
        if node not in self.ledgers:
            raise LabError(f"{node!r} holds no data: there is {', '.join(self.ledgers)}")
        return self.ledgers[node]

    def _step_done(self, machine: str) -> None:
        """Called by the world after every step: the ledger of this machine looks at its disk as it is then."""
        if looks_at_the_disk(self.world.journal.steps[-1].what):
            self.read_journal()

    def read_journal(self) -> None:
        """Let the ledgers take notice of the steps since the last time."""
        steps = self.world.journal.steps
        for number in range(self._read_steps, len(steps)):
            step = steps[number]
            if type(step.what) in TOLD and step.machine in self.ledgers:
                self.ledgers[step.machine].read(number + 1, step)
        self._read_steps = len(steps)

    def clients(self) -> list[Client]:
        """The programs on the machines that are no nodes."""
        processes = [machine.process for machine in self._outside]
        return [process.node for process in processes if process is not None and isinstance(process.node, Client)]

    def operations(self) -> list[Operation]:
        """Everything that any client was asked to do, in the order of sending."""
        operations = [operation for client in self.clients() for operation in client.operations if operation.sent]
        return sorted(operations, key=lambda operation: (operation.sent_us or 0, operation.connection))

    def data_operations(self) -> list[Operation]:
        """Those that say something of the data: not what an operator asked of the log, the store or a Sentinel."""
        nodes = ("", *self.deployment.nodes)
        return [operation for operation in self.operations() if operation.node in nodes]

    @property
    def idle(self) -> bool:
        """No client has anything left to do."""
        return all(client.idle for client in self.clients())

    @property
    def at_rest(self) -> bool:
        """It is idle, and the servers have settled: whoever had to be promoted is, and whoever had to be told.

        Where nobody takes over, where a link is cut or where no node is up, no settling is to be waited for."""
        if not self.idle:
            return False
        views, wires = self.views(), self.world.wires.values()
        none_is_up = not any(views[node] for node in self.deployment.nodes)
        hopeless = not self.deployment.fails_over or none_is_up or any(wire.cut for wire in wires)
        return hopeless or self.deployment.settled(views)

    def known(self, name: str) -> str:
        """This name, if it is that of a node, or of one that watches them.  Raises LabError."""
        names = (*self.deployment.nodes, *self.deployment.controls)
        if name not in names:
            raise LabError(f"there is no node {name!r} in this deployment: it has {', '.join(names)}")
        return name

    def reaches(self, link: Link) -> bool:
        """Whether a client's connection leads to the present life of a server."""
        connection = self.world.network.connections.get(link.connection)
        process = self.world.machines[link.peer].process
        if process is None or connection is None:
            return False
        return connection.incarnations.get(link.peer) == process.incarnation

    def client(self, name: str) -> Client:
        """The client of this name.  Raises LabError."""
        process = self.world.machine(name).process
        if process is None or not isinstance(process.node, Client):
            raise LabError(f"{name!r} is not a client")
        return process.node
