"""Random schedules of faults, and of moves of slots, for fuzzing; and how a schedule that fails is made small.

The law of this file: a schedule is drawn from its seed, the deployment's machines and a `Nemesis`, and from nothing
else.  It knows no room and plays nothing: whether one of its actions is possible by then (a crash of what is down
already) shows when it is played, and `play` leaves out what is not.  That keeps every part of a schedule removable.

How one is drawn.  First the number of troubles; then for each trouble its kind, its moment, how long it lasts, and whom
it hits.  A trouble is the fault, and what ends it: mostly two actions.  Where slots can move from shard to shard, some
of them do meanwhile.  Ends may cross: there is one network, so that a heal ends every cut, and a restored zone starts
whoever is down in it.  At `end_ms` everything is mended, whatever was drawn: links whole and fast, zones restored,
disks fast, clocks right.  From then on convergence may be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from durable_redis.lab.deployments import Deployment, MemoryDB
from durable_redis.lab.errors import LabError, NotNow
from durable_redis.lab.playback import Playback
from durable_redis.sim.faults import CRASHES, FaultError
from durable_redis.sim.scenario import Action

FAULTS = ("process kill", "power loss", "outage", "partition", "cut", "delay", "pause", "slow disk")
"""What a nemesis does unless told otherwise: what a system that keeps its promises gets over."""
LOGGED_FAULTS = (*FAULTS, "one disk loss", "clock error")
"""What it does to a deployment with a log in three zones, which promises more: the disk of one zone may be lost, again
and again; and clocks may be wrong, within the bound that the deployment names."""
ALL_FAULTS = (*LOGGED_FAULTS, "disk loss", "skew", "isolation", "blackout", "corruption")
"""A *blackout* is a power loss in every zone at one moment.  An *isolation* leaves one server with some of the clients,
and cuts them off from everybody else.  A *corruption* changes a bit of all that an object store writes; where there is
none, of what a server writes."""

DELAYS_MS = (5, 50, 500)
SLOW_DISKS_MS = (20, 200, 2_000)
SKEWS_MS = (-10_000, -500, 500, 10_000)
MOVING_MS = (30, 400)
"""So long slots are on their way, with fast disks under the logs, and with slow ones."""


@dataclass(frozen=True, slots=True)
class Nemesis:
    """Which faults (of `ALL_FAULTS`), how many of them, and when: from `begin_ms` on, each for `longest_ms` at most,
    and all mended at `end_ms`.  Raises LabError for what cannot be."""

    faults: tuple[str, ...] = FAULTS
    fewest: int = 1
    most: int = 6
    begin_ms: int = 1_000
    end_ms: int = 21_000
    longest_ms: int = 8_000

    def __post_init__(self) -> None:
        if unknown := [fault for fault in self.faults if fault not in ALL_FAULTS]:
            raise LabError(f"no fault is called {unknown[0]!r}: choose of {', '.join(ALL_FAULTS)}")
        if not self.faults or not 0 <= self.fewest <= self.most:
            raise LabError(f"a nemesis needs a fault to do, 0 times or more: it has {self.fewest} to {self.most}")
        if not 0 <= self.begin_ms < self.end_ms or self.longest_ms < 1:
            raise LabError(
                f"a nemesis needs time: from {self.begin_ms} to {self.end_ms} ms, each fault at most "
                f"{self.longest_ms} ms, leaves none"
            )


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is done to a deployment: `troubles`, in the order of time, and after them `mending`, which nobody drops."""

    troubles: tuple[Action, ...]
    mending: tuple[Action, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        return self.troubles + self.mending


def survivable(deployment: Deployment) -> tuple[str, ...]:
    """The faults that this deployment is to get over."""
    return LOGGED_FAULTS if deployment.has_log else FAULTS


def draw(seed: int, deployment: Deployment, nemesis: Nemesis | None = None) -> Schedule:
    """The schedule of this seed."""
    nemesis = nemesis or Nemesis()
    random = Random(f"{seed}/nemesis")
    targets = _Targets(deployment, seed)
    troubles: list[Action] = []
    faults_ms: list[int] = []
    for _ in range(random.randint(nemesis.fewest, nemesis.most)):
        fault = random.choice(nemesis.faults)
        begin_ms = random.randrange(nemesis.begin_ms, nemesis.end_ms)
        lasts_ms = random.randint(1, min(nemesis.longest_ms, nemesis.end_ms - begin_ms))
        begins, ends = targets.trouble(random, fault, lasts_ms)
        troubles += [_at(begin_ms, *call) for call in begins]
        troubles += [_at(begin_ms + lasts_ms, *call) for call in ends]
        faults_ms.append(begin_ms)
    troubles += _moves(deployment, seed, nemesis, faults_ms)
    troubles.sort(key=lambda action: action.at_us or 0)  # stable: of two at one moment, the one drawn first
    return Schedule(tuple(troubles), _mending(targets, nemesis))


def play(playback: Playback, schedule: Schedule) -> tuple[Action, ...]:
    """Do what of a schedule is possible, each action at its time.  Returns those that were done."""
    done = []
    for action in schedule.actions:
        try:
            playback.perform(action)
        except (FaultError, NotNow):  # such as a crash of what is down already
            continue
        done.append(action)
    return tuple(done)


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """Drop troubles as long as the schedule still fails: of the result, no single one can be dropped any more.

    As in delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), large
    pieces are tried before small ones: of 40 troubles that do not matter and one that does, 20 fall at once.  `fails`
    must be sure of its answer, as a simulated run is.  Raises LabError if the whole schedule does not fail."""
    if not fails(schedule):
        raise LabError("this schedule does not fail: there is nothing to shrink")
    size = len(schedule.troubles)
    while size:
        begin, shorter = 0, False
        while begin < len(schedule.troubles):
            fewer = schedule.troubles[:begin] + schedule.troubles[begin + size :]
            if fails(candidate := replace(schedule, troubles=fewer)):
                schedule, shorter = candidate, True
            else:
                begin += size
        if size > 1 or not shorter:  # pieces of one are tried until none of them can go
            size //= 2
    return schedule


# -- inside ----------------------------------------------------------------------------------------------------------

Call = tuple[Any, ...]
"""A verb of the lab, and its arguments."""
Calls = list[Call]


class _Targets:
    """Who can be hit in a deployment.

    A machine in a zone without data, such as the endpoint of a managed service, is outside of all this; and the clients
    are hit only by what befalls the network.  Where a log keeps the data, the disks are those of the log."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        zones = deployment.zones
        self.nodes = deployment.nodes
        self.zones = tuple(dict.fromkeys(zones[name] for name in (*self.nodes, *deployment.logs)))
        self.servers = (*self.nodes, *(name for name in deployment.controls if zones[name] in self.zones))
        self.disks = deployment.logs or self.nodes
        self.frail = Random(f"{seed}/frail").choice(self.disks)
        self.clients = deployment.clients
        most_ms = deployment.clock_error_ms
        self.clock_errors_ms = (-most_ms, -(most_ms // 10), most_ms // 10, most_ms)
        self.everybody = (*self.nodes, *deployment.controls, *self.clients)
        self.spoilt = deployment.stores or self.nodes

    def trouble(self, random: Random, fault: str, lasts_ms: int) -> tuple[Calls, Calls]:
        """What begins a trouble, and what ends it."""
        choice = random.choice
        match fault:
            case "outage":
                zone = choice(self.zones)
                return [("outage", zone, choice(CRASHES[:2]))], [("restore", zone)]
            case "blackout":
                return [("outage", zone, "power loss") for zone in self.zones], [
                    ("restore", zone) for zone in self.zones
                ]
            case "partition":
                return [("partition", *self._sides(random))], [("heal_network",)]
            case "isolation":
                return self._island(random), [("heal_network",)]
            case "cut":
                return [("cut", *self._link(random), choice((True, False)))], [("heal_network",)]
            case "delay":
                link = self._link(random)
                return [("delay", *link, choice(DELAYS_MS))], [("delay", *link, 0)]
            case "pause":
                return [("pause", choice(self.servers), lasts_ms)], []
            case "slow disk":
                node = choice(self.disks)
                return [("slow_disk", node, choice(SLOW_DISKS_MS))], [("slow_disk", node, 0)]
            case "one disk loss":
                return [("crash", self.frail, "disk loss")], [("restart", self.frail)]
            case "corruption":
                machine = choice(self.spoilt)
                return [("spoil_writes", machine)], [("heal_disk", machine)]
            case "skew" | "clock error":
                server = choice(self.servers)
                wrong_ms = choice(SKEWS_MS if fault == "skew" else self.clock_errors_ms)
                return [("skew", server, wrong_ms)], [("skew", server, 0)]
        server = choice(self.servers)
        return [("crash", server, fault)], [("restart", server)]

    def _island(self, random: Random) -> Calls:
        """Cut off one server, with some of the clients."""
        clients = random.sample(self.clients, random.randint(1, len(self.clients)))
        island = tuple(sorted((random.choice(self.nodes), *clients)))
        others = tuple(sorted(name for name in self.everybody if name not in island))
        return [("partition", island, others)] if others else []

    def _link(self, random: Random) -> Sequence[str]:
        """A server and somebody else, in either order."""
        server = random.choice(self.servers)
        other = random.choice([name for name in (*self.servers, *self.clients) if name != server])
        return random.sample((server, other), 2)

    def _sides(self, random: Random) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Two groups, with a server in the first one, and somebody in the second one."""
        servers = random.sample(self.servers, len(self.servers))
        count = random.randint(1, max(1, len(servers) - 1))
        here, there = servers[:count], servers[count:]
        for client in self.clients:
            (here if there and random.random() < 0.5 else there).append(client)
        return tuple(sorted(here)), tuple(sorted(there))


def _at(at_ms: int, verb: str, *arguments: Any) -> Action:
    return Action(verb, arguments, at_us=at_ms * 1_000)


def _moves(deployment: Deployment, seed: int, nemesis: Nemesis, faults_ms: list[int]) -> list[Action]:
    """Slots that are asked to move to another shard meanwhile, where there are shards: no fault, but faults may come in
    between.  Three of four moves begin so shortly before one that it may.  There are up to half as many as faults.
    Their luck is their own, so that they change nobody else's."""
    if not isinstance(deployment, MemoryDB) or len(deployment.shards) == 1:
        return []
    random = Random(f"{seed}/moves")
    moves = []
    for _ in range(random.randint(0, nemesis.most // 2)):
        source, target = random.sample(deployment.shards, 2)
        first = random.randrange(source.first, source.last)
        last = random.randrange(first, source.last)  # never all of its slots
        begin_ms = random.randrange(nemesis.begin_ms, nemesis.end_ms)
        if faults_ms and random.random() < 0.75:
            begin_ms = max(nemesis.begin_ms, random.choice(faults_ms) - random.randrange(random.choice(MOVING_MS)))
        moves.append(_at(begin_ms, "migrate", (first, last), target.name))
    return moves


def _mending(targets: _Targets, nemesis: Nemesis) -> tuple[Action, ...]:
    calls: list[Call] = [("heal_network",)]
    calls += [("slow_disk", node, 0) for node in targets.disks if "slow disk" in nemesis.faults]
    timed = "skew" in nemesis.faults or "clock error" in nemesis.faults
    calls += [("skew", server, 0) for server in targets.servers if timed]
    calls += [("heal_disk", machine) for machine in targets.spoilt if "corruption" in nemesis.faults]
    calls += [("restore", zone) for zone in targets.zones]
    return tuple(_at(nemesis.end_ms, *call) for call in calls)
