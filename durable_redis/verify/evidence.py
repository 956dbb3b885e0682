"""Evidence: what the judges look at when a run is over.

The law of this file: it is gathered without anybody's help and without changing anything.  A `Witness` stands beside a
playback.  Whenever a server's note in the journal says where the server is in a history (`executed`, `applied`,
`synced`, `role`, `ready`), the witness copies what that server really holds at this moment: a *sighting*, in the shape
in which `models` writes states down.  The rest is in the journal and in the clients' records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from durable_redis.contract import Note
from durable_redis.engine.keyspace import Keyspace
from durable_redis.engine.values import RedisList, RedisSet, Value
from durable_redis.lab import receipt as receipts
from durable_redis.lab.client import Operation
from durable_redis.lab.deployments import DataServer
from durable_redis.lab.errors import LabError
from durable_redis.redis.cluster.slots import SlotSet, parse_slots
from durable_redis.sim.journal import Step
from durable_redis.sim.machine import Machine

if TYPE_CHECKING:
    from durable_redis.lab.deployments import Deployment
    from durable_redis.lab.playback import Playback

Held: TypeAlias = Mapping[tuple[int, bytes], Any]
"""What a server holds: (number of the database, key) -> a state of `models`, or a name for what that cannot express."""

PLACED = ("executed", "applied", "synced", "role", "ready")
"""The notes that say where a server is: they have a replid and an offset."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a server said of itself in a note, and what it held then.  `logs`: its append-only file was on, and whole.

    `step` is the number of the note's step in the journal, counted from 1."""

    step: int
    at_us: int
    node: str
    kind: str
    facts: Mapping[str, Any]
    held: Held
    logs: bool = False

    @property
    def replid(self) -> str:
        return str(self.facts["replid"])

    @property
    def offset(self) -> int:
        return int(self.facts["offset"])


@dataclass(slots=True)
class Evidence:
    """A run that is over.  `views` and `held` are what the machines show and the servers hold at its end.

    * `homes`: for each key of the clients, the server to which the deployment would send them for it at the end.
    * `receipt`: the lab's own opinion of each SET, and whether it stands; None if nobody could be asked.
    * `calm`: all faults had been mended for long enough that everything should have come to rest, and `probes` are
      operations begun after that."""

    deployment: Deployment
    steps: Sequence[Step]
    operations: Sequence[Operation]
    sightings: Sequence[Sighting]
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    homes: Mapping[bytes, str] = field(default_factory=dict)
    receipt: Sequence[tuple[Operation, bool]] | None = None
    calm: bool = False
    probes: Sequence[Operation] = ()
    _by_kind: dict[type, list[tuple[int, Step]]] = field(default_factory=dict, init=False, repr=False)

    def steps_of(self, *kinds: type) -> list[tuple[int, Step]]:
        """(number, step) of each step in which something of these kinds took place, in order.

        Every judge asks for a few of tens of thousands; they are sorted once for all."""
        if not self._by_kind:
            for number, step in enumerate(self.steps, start=1):
                self._by_kind.setdefault(type(step.what), []).append((number, step))
        return sorted(found for kind in kinds for found in self._by_kind.get(kind, ()))

    def notes(self, *kinds: str) -> list[tuple[int, Step, Mapping[str, Any]]]:
        """(number of the step, the step, the facts) of each note of these kinds, in order."""
        return [(number, step, step.what.facts) for number, step in self.steps_of(Note) if step.what.kind in kinds]

    def moved_slots(self) -> SlotSet:
        """Every slot that a migration was about, whatever became of it: the primaries have noted it."""
        moved = 0
        for _, _, facts in self.notes("migration"):
            moved |= parse_slots(facts["slots"])
        return moved


class Witness:
    """Stands beside a playback from before its first step."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.sightings: list[Sighting] = []
        self._journal = playback.world.journal
        self._servers = {name: playback.world.machines[name] for name in playback.deployment.nodes}
        self._watch = playback.world.watch
        playback.world.watch = self._step_done

    def _step_done(self, name: str) -> None:
        """Called by the world after every step.  The server has come to its next effect by then; between a note that
        says where it is and that effect, no server changes its data."""
        if self._watch is not None:
            self._watch(name)
        step = self._journal.steps[-1]
        note = step.what
        if type(note) is not Note or note.kind not in PLACED or "replid" not in note.facts:
            return
        machine = self._servers.get(name)
        if machine is None or machine.process is None:
            return
        logs = machine.process.node.view().get("aof") == "on"
        number = len(self._journal)
        self.sightings.append(Sighting(number, step.at_us, name, note.kind, note.facts, held_by(machine), logs))

    def evidence(self, calm: bool = False, probes: Sequence[Operation] = ()) -> Evidence:
        """Everything, now that the run is over."""
        playback = self.playback
        views = playback.views()
        operations = playback.operations()
        keys = dict.fromkeys(key for operation in operations for key in operation.argv[1:2])
        return Evidence(
            playback.deployment,
            self._journal.steps,
            operations,
            self.sightings,
            views,
            {name: held_by(machine) for name, machine in self._servers.items() if views[name].get("ready")},
            {key: playback.deployment.survivor(views, key) for key in keys},
            self._receipt(),
            calm,
            probes,
        )

    def _receipt(self) -> list[tuple[Operation, bool]] | None:
        try:
            return receipts.judge(self.playback)
        except LabError:  # nobody knows a primary, or it is down
            return None


def held_by(machine: Machine) -> Held:
    """What the server on this machine holds in its memory."""
    assert machine.process is not None, f"{machine.name} is down, and holds nothing"
    server = machine.process.node
    assert isinstance(server, DataServer), f"on {machine.name} runs no server"
    return contents(server.engine.keyspace)


def contents(keyspace: Keyspace) -> Held:
    """A keyspace as states that can be compared, of all its databases."""
    return {
        (database.index, key): value if type(value) is bytes else _state(value)
        for database in keyspace.databases
        if database.values
        for key, value in database.values.items()
    }


def _state(value: Value) -> Any:
    match value:
        case RedisList(items=items):
            return tuple(items)
        case RedisSet(members=members):
            return frozenset(members)
    assert not isinstance(value, bytes)
    return f"a {value.kind} of {len(value)}"
