"""Whatever is done to a room, TCP's promises hold in it, and the same acts make the same run.

Three machines ping one another over connections of their own, and connect again when one ends.  Random acts fall on
them; the journal is then judged without the simulator's help: by what was sent, what arrived, and what was cut when.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from sim_toys import Toy, room

from durable_redis.contract import Closed, Connect, Effects, Event, Send, SetTimer, TimerFired
from durable_redis.sim import Hardware, World
from durable_redis.sim.faults import (
    CRASHES,
    Act,
    Crash,
    Crashed,
    Cut,
    Delay,
    FaultError,
    HealNetwork,
    Outage,
    Partition,
    Pause,
    Restart,
    Restore,
    Skew,
)
from durable_redis.sim.journal import Arrived, WentOn

NAMES = ("a", "b", "c")
SOON = Hardware(jitter_us=300, tcp_timeout_us=40_000)
EVERY_US, LONG_US = 700, 200_000


class Pinger(Toy):
    """Asks the next machine for a connection, and numbers what it says on it: "0", "1" ..."""

    peer = ""
    connection = ""
    said = 0

    def boot(self, now: int) -> Effects:
        yield SetTimer("ping", now + EVERY_US)

    def react(self, event: Event, now: int) -> Effects:
        match event:
            case TimerFired():
                yield SetTimer("ping", now + EVERY_US)
                if self.connection:
                    yield Send(self.connection, str(self.said).encode())
                    self.said += 1
                else:
                    self.connection = yield Connect(self.peer)
                    self.said = 0
            case Closed(connection=connection) if connection == self.connection:
                self.connection = ""


def machines() -> dict[str, type[Toy]]:
    return {name: type("Ping", (Pinger,), {"peer": peer}) for name, peer in zip("abc", "bca", strict=True)}


def link() -> st.SearchStrategy[tuple[str, str]]:
    return st.permutations(NAMES).map(lambda names: (names[0], names[1]))


ACTS = st.one_of(
    st.builds(lambda way, both: Cut(*way, both), link(), st.booleans()),
    st.sampled_from([Partition((("a",), ("b", "c"))), Partition((("a", "b"), ("c",))), HealNetwork(), HealNetwork()]),
    st.builds(lambda way, extra_us: Delay(*way, extra_us), link(), st.sampled_from([0, 1_500, 20_000])),
    st.builds(Pause, st.sampled_from(NAMES), st.integers(1, 60_000)),
    st.builds(Skew, st.sampled_from(NAMES), st.integers(-5_000, 5_000)),
    st.builds(Crash, st.sampled_from(NAMES), st.sampled_from(CRASHES)),
    st.builds(Restart, st.sampled_from(NAMES)),
    st.builds(Outage, st.sampled_from("xy"), st.sampled_from(CRASHES)),
    st.builds(Restore, st.sampled_from("xy")),
)
PLANS = st.lists(st.tuples(st.integers(0, 30_000), ACTS), max_size=12)


def played(plan: list[tuple[int, Act]], seed: int = 0) -> World:
    """The acts of the plan, each so long after the one before; those that make no sense are left out."""
    world = room(seed=seed, hardware=SOON, zones="xxy", **machines())
    for after_us, act in plan:
        world.run_until(world.now_us + after_us)
        try:
            world.act(act)
        except FaultError:
            continue
    world.run_until(world.now_us + LONG_US)
    return world


def ways(act: Act) -> list[tuple[str, str]]:
    """The ways that an act cuts, read from its words."""
    match act:
        case Cut(source=source, target=target, both=both):
            return [(source, target), *([(target, source)] if both else [])]
        case Partition(groups=groups):
            apart = [(one, two) for one in groups for two in groups if one is not two]
            return [(source, target) for one, two in apart for source in one for target in two]
    return []


def arrived(world: World) -> Iterator[tuple[Arrived, str, list[tuple[str, str]], list[str]]]:
    """Each segment that arrived, where, which ways were cut then, and which machines stood still."""
    cut: list[tuple[str, str]] = []
    paused: list[str] = []
    for step in world.journal:
        match step.what:
            case Cut() | Partition():
                cut += ways(step.what)
            case HealNetwork():
                cut.clear()
            case Pause(machine=name):
                paused.append(name)
            case WentOn() | Crashed() if step.machine in paused:
                paused.remove(step.machine)
            case Arrived():
                yield step.what, step.machine, cut, paused


@settings(max_examples=60, deadline=None)
@given(PLANS, st.integers(0, 3))
def test_nothing_arrives_across_a_cut_or_on_a_paused_machine_or_out_of_order(
    plan: list[tuple[int, Act]], seed: int
) -> None:
    world = played(plan, seed)
    heard: dict[tuple[str, str], list[int]] = {}
    for segment, machine, cut, paused in arrived(world):
        assert (segment.source, machine) not in cut
        assert machine not in paused
        if segment.kind == "data":
            heard.setdefault((segment.connection, machine), []).append(int(segment.data))
    for connection, numbers in heard.items():
        assert numbers == list(range(len(numbers))), f"a gap, a repetition or a swap on {connection}"


@settings(max_examples=25, deadline=None)
@given(PLANS, st.integers(0, 3))
def test_the_same_seed_and_the_same_acts_make_the_same_journal(plan: list[tuple[int, Act]], seed: int) -> None:
    assert played(plan, seed).journal.digest() == played(plan, seed).journal.digest()


@settings(max_examples=40, deadline=None)
@given(PLANS, st.integers(0, 3))
def test_once_everything_is_healed_and_started_everybody_is_heard_again(plan: list[tuple[int, Act]], seed: int) -> None:
    """Nothing is left stalled, held back or forgotten; whose connection is half open is reset, and connects again."""
    world = played(plan, seed)
    if any(wire.cut or wire.extra_us for wire in world.wires.values()):
        world.act(HealNetwork())
    for name in NAMES:
        if not world.machines[name].up:
            world.act(Restart(name))
    world.run_until(world.now_us + LONG_US)
    before = len(world.journal)
    world.run_until(world.now_us + 20 * EVERY_US)
    heard = {
        (step.what.source, step.machine) for step in world.journal.steps[before:] if isinstance(step.what, Arrived)
    }
    assert heard >= {("a", "b"), ("b", "c"), ("c", "a")}
    assert world.paused == {}
    assert len(world.network.in_flight) <= 2 * len(NAMES)


def test_the_properties_are_about_something() -> None:
    world = played([])
    assert len(list(arrived(world))) > 500
