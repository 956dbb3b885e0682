"""A room with two shards of MemoryDB, clients that write to keys of all types, and a migration of half a shard's slots.

room = Room(); room.begin(); room.until("prepared", "n1"); room.do("crash", "n1", "power loss"); ...
assert room.judged() == []
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from durable_redis.contract import Note
from durable_redis.lab.client import Operation
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.playback import Playback
from durable_redis.lab.workload import KEYS
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.redis.cluster.slots import ALL, key_slot, slots_in
from durable_redis.sim.faults import FaultError
from durable_redis.sim.journal import Step
from durable_redis.sim.scenario import Action
from durable_redis.verify.convergence import unrest
from durable_redis.verify.history import History
from durable_redis.verify.linearizability import check

BEGIN_US = 800_000
"""When the migration is asked for."""
MOVED = (0, 8000)
"""The slots that move from s1 (0-8191) to s2: with half of the workload's keys."""
READS = {"s": ("GET",), "c": ("GET",), "l": ("LRANGE",), "t": ("SMEMBERS",)}


class Room:
    """n1 and n3 are s1, n2 and n4 are s2; n1 and n2 begin as primaries."""

    def __init__(self, seed: int = 1, every_ms: float = 10, count: int = 120, **options: Any) -> None:
        options = {"shards": 2, "replicas": 1, "clients": 3, **options}
        self.playback = Playback(MemoryDB(**options), seed, record=False)
        self.playback.play_to(500_000)
        if count:
            self.do("work", count, every_ms=every_ms)
        self.playback.play_to(BEGIN_US)

    # -- doing ---------------------------------------------------------------------------------------------------------

    def do(self, verb: str, *arguments: Any, **options: Any) -> Any:
        now_us = self.playback.world.now_us
        return self.playback.perform(Action(verb, arguments, tuple(options.items()), at_us=now_us))

    def tried(self, verb: str, *arguments: Any, **options: Any) -> None:
        """Do it, if it is possible."""
        with suppress(FaultError):
            self.do(verb, *arguments, **options)

    def command(self, *words: str | int, node: str = "") -> Any:
        """A command of an operator, and its answer."""
        operation: Operation = self.do("command", *words, **({"node": node} if node else {}))
        self.playback.play_while(lambda: operation.outcome == "waiting", 5_000_000)
        return operation.reply

    def begin(self, first: int = MOVED[0], last: int = MOVED[1], source: str = "n1", target: str = "n2") -> Any:
        return self.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", target, node=source)

    def wait(self, condition: Callable[[], bool], seconds: float = 60) -> bool:
        return self.playback.play_while(lambda: not condition(), round(seconds * 1e6))

    def play_until_noted(self, kind: str, times: int = 1) -> None:
        assert self.wait(lambda: len(self.notes(kind)) >= times), f"{kind} was not noted {times} times"

    def until(self, phase: str, node: str) -> None:
        """Up to the step at which this node's log is seen to have the phase."""
        assert self.wait(lambda: any(what[0] == phase and what[1] == node for what in self.phases())), phase

    def rest(self) -> None:
        """Mend everything, and play until nothing can be seen that still has to come."""
        self.tried("heal_network")
        for name in (*self.deployment.nodes, *self.deployment.controls):
            if not self.playback.world.machines[name].up:
                self.do("restart", name)
        deadline_us = self.playback.world.now_us + 120_000_000
        while self.playback.world.now_us < deadline_us:
            self.playback.play_to(self.playback.world.now_us + 500_000)
            if self.playback.idle and not self.unrest():
                return

    # -- looking -------------------------------------------------------------------------------------------------------

    @property
    def deployment(self) -> MemoryDB:
        deployment = self.playback.deployment
        assert isinstance(deployment, MemoryDB)
        return deployment

    def server(self, name: str) -> MemoryDBServer:
        process = self.playback.world.machines[name].process
        assert process is not None, f"{name} is down"
        assert isinstance(process.node, MemoryDBServer)
        return process.node

    def notes(self, *kinds: str) -> list[tuple[Step, Any]]:
        steps = self.playback.world.journal.steps
        return [(step, step.what.facts) for step in steps if type(step.what) is Note and step.what.kind in kinds]

    def phases(self) -> list[tuple[str, str]]:
        """(phase, node) for every step of a migration that a primary has seen in its log."""
        return [(facts["phase"], step.machine) for step, facts in self.notes("migration")]

    def end(self) -> str:
        """How the migration has ended: "committed", "abandoned", or "" if it never began."""
        decisions = [
            facts["phase"] for _, facts in self.notes("migration") if facts["phase"] in ("committed", "abandoned")
        ]
        assert len(set(decisions)) <= 1, f"both {decisions}"
        return decisions[0] if decisions else ""

    # -- judging -------------------------------------------------------------------------------------------------------

    def judged(self) -> list[str]:
        """What does not hold of a room at rest, in sentences."""
        found = [*self.unrest(), *self._owners(), *self._copies(), *self._strays()]
        for kind, words in READS.items():
            for number in range(KEYS):
                more = (0, -1) if kind == "l" else ()
                self.command(*words, f"{kind}{number}", *more)
        last = self.playback.client("you").operations[-len(READS) * KEYS :]
        found += [f"{one.argv} is not answered: {one.reply!r}" for one in last if one.outcome != "ok"]
        verdict = check(History.of_operations(self.playback.operations()))
        return found + ([] if verdict.linearizable else [str(verdict)])

    def unrest(self) -> list[str]:
        """What still has to come."""
        return [f"{node}: {sentence}" for node, sentence in unrest(self.deployment, self.playback.views())]

    def _owners(self) -> Iterator[str]:
        owned = [self.server(shard.nodes[0]).shards.owned for shard in self.deployment.shards]
        if sum(owned) != ALL or owned[0] & owned[1]:
            yield "not every slot has one owner"
        moved = slots_in([MOVED])
        at_target = owned[1] & moved == moved and not owned[0] & moved
        if at_target != (self.end() == "committed"):
            yield f"the migration was {self.end()}, and the slots are {'' if at_target else 'not '}at the target"

    def _copies(self) -> Iterator[str]:
        for shard in self.deployment.shards:
            servers = [self.server(name) for name in shard.nodes]
            first, *others = [(one.logbook.data.ownership, one.logbook.data.label().digest) for one in servers]
            if any(other != first for other in others):
                yield f"the nodes of {shard.name} differ"

    def _strays(self) -> Iterator[str]:
        for name in self.deployment.nodes:
            server = self.server(name)
            keys = server.engine.keyspace.databases[0].values
            strays = [key for key in keys if not server.shards.owned >> key_slot(key) & 1]
            if strays:
                yield f"{name} holds {strays}, which are another shard's"
