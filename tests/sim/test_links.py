"""Links that are cut or slow, each line of the fault model in pairs.

1. A link is cut one way: the other way is heard, this one is not.
2. What would arrive on a cut way stalls, in order, and arrives one latency after the link healed.
3. A kernel that hears of no acknowledgement for 15 s gives the connection up: its process is told, the peer is not, and
   is reset when it next sends.
4. What stalled survives the end of the process that sent it, and is lost with the power of its machine.
5. A slow link adds to the latency of what is sent from then on, to the microsecond, and overtakes nothing.
"""

from __future__ import annotations

import pytest
from sim_toys import STEADY, Toy, arrivals, node, play, room

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Opened, Received, Send, SetTimer, TimerFired
from durable_redis.sim import Hardware, World
from durable_redis.sim.faults import (
    Act,
    Crash,
    Cut,
    Delay,
    FaultError,
    HealNetwork,
    Hold,
    Partition,
    Release,
    Restart,
)
from durable_redis.sim.journal import Arrived, GaveUp

SECOND = 1_000_000
NAME = "a>b#1"
GAVE_UP = Closed(NAME, "timed out: nothing acknowledged for 15 s")


class Speaker(Toy):
    """Sends the number of the second once a second: 1, 2 ... `last`.  `a` opened the connection."""

    last = 5
    connection = ""

    def react(self, event: Event, now: int) -> Effects:
        match event:
            case Opened(connection=connection):
                self.connection = connection
                for number in range(1, self.last + 1):
                    yield SetTimer(str(number), (now // SECOND) * SECOND + number * SECOND)
            case TimerFired(name=name):
                yield Send(self.connection, name.encode())


class Opener(Speaker):
    def boot(self, now: int) -> Effects:
        yield Connect("b")


class Quiet(Speaker):
    last = 0


class QuietOpener(Opener):
    last = 0


def pair(a: type[Toy] = Opener, b: type[Toy] = Quiet, hardware: Hardware = STEADY) -> World:
    """Two connected machines, at 0.5 s."""
    world = room(hardware=hardware, a=a, b=b)
    world.run_until(SECOND // 2)
    return world


def told(world: World, name: str) -> list[tuple[int, object]]:
    """What a node was told after its connection was up: when, and the bytes or the event."""
    return [
        (at_us, event.data if isinstance(event, Received) else event)
        for at_us, event in node(world, name).told
        if not isinstance(event, Opened | TimerFired)
    ]


# -- 1. one way ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "a_hears", "b_hears"),
    [
        (None, 5, 5),
        (Cut("a", "b"), 5, 0),
        (Cut("b", "a"), 0, 5),
        (Cut("a", "b", both=True), 0, 0),
        (Partition((("a",), ("b",))), 0, 0),
    ],
    ids=repr,
)
def test_a_cut_way_is_deaf_and_the_other_one_hears(act: Act | None, a_hears: int, b_hears: int) -> None:
    world = pair(Opener, Speaker)
    if act is not None:
        world.act(act)
    world.run_until(6 * SECOND)
    assert (len(arrivals(world, "a")), len(arrivals(world, "b"))) == (a_hears, b_hears)


@pytest.mark.parametrize("groups", [(("a", "b"), ("c",)), (("a",), ("b",), ("c",)), (("c",), ("a",))], ids=repr)
def test_a_partition_cuts_between_groups_and_nowhere_else(groups: tuple[tuple[str, ...], ...]) -> None:
    world = room(a=Toy, b=Toy, c=Toy, d=Toy)
    world.act(Partition(groups))
    side = {name: number for number, group in enumerate(groups) for name in group}
    for source in "abcd":
        for target in "abcd":
            if source != target:
                apart = source in side and target in side and side[source] != side[target]
                assert world.wire(source, target).cut == apart, (source, target)


# -- 2. stalls, in order, and arrives --------------------------------------------------------------------------------


def test_what_stalled_arrives_in_order_one_latency_after_the_link_healed() -> None:
    world = pair()
    world.run_until(SECOND + SECOND // 2)
    world.act(Cut("a", "b"))
    world.run_until(3 * SECOND + SECOND // 2)
    world.act(HealNetwork())
    play(world)
    healed_us = 3 * SECOND + SECOND // 2 + 100
    assert arrivals(world, "b") == [
        (SECOND + 100, b"1"),
        (healed_us, b"2"),
        (healed_us, b"3"),
        (4 * SECOND + 100, b"4"),
        (5 * SECOND + 100, b"5"),
    ]
    assert [what for _, what in told(world, "b")] == [b"1", b"2", b"3", b"4", b"5"]
    assert told(world, "a") == []


@pytest.mark.parametrize(("cut_for_us", "arrives_us"), [(99, 100), (100, 200), (5_000, 5_100)])
def test_what_is_in_flight_when_the_link_is_cut_stalls_if_it_is_due_before_the_link_heals(
    cut_for_us: int, arrives_us: int
) -> None:
    world = pair()
    world.run_until(SECOND)
    world.act(Cut("a", "b"))
    world.run_until(SECOND + cut_for_us)
    assert arrivals(world, "b") == []
    world.act(HealNetwork())
    world.run_until(2 * SECOND)
    assert arrivals(world, "b") == [(SECOND + arrives_us, b"1")]


def test_a_message_that_is_held_and_stalls_needs_both_to_go_on() -> None:
    def heard(*acts: Act) -> list[bytes]:
        world = pair()
        world.run_until(SECOND)
        (number,) = world.network.in_flight
        for act in (Hold(number), Cut("a", "b")):
            world.act(act)
        world.run_until(2 * SECOND + SECOND // 2)
        for act in acts:
            world.act(Release(number) if isinstance(act, Release) else act)
        world.run_until(3 * SECOND - 1)
        return [data for _, data in arrivals(world, "b")]

    assert heard(HealNetwork()) == []
    assert heard(Release(0)) == []
    assert heard(HealNetwork(), Release(0)) == heard(Release(0), HealNetwork()) == [b"1", b"2"]


# -- 3. gives up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut_for_us", [14 * SECOND, 16 * SECOND])
def test_a_cut_longer_than_the_senders_patience_loses_what_stalled_and_a_shorter_one_does_not(cut_for_us: int) -> None:
    world = pair()
    world.act(Cut("a", "b", both=True))
    world.run_until(SECOND + cut_for_us)  # the first message was sent at 1 s
    world.act(HealNetwork())
    play(world)
    if cut_for_us < 15 * SECOND:
        assert [what for _, what in told(world, "b")] == [b"1", b"2", b"3", b"4", b"5"]
        assert told(world, "a") == []
    else:
        assert told(world, "b") == [], "neither a byte nor the end"
        assert told(world, "a") == [(16 * SECOND, GAVE_UP)]
        assert [step.what for step in world.journal if isinstance(step.what, GaveUp)] == [GaveUp(NAME, "b", 5)]


class Late(Quiet):
    """Says something at 30 s."""

    def react(self, event: Event, now: int) -> Effects:
        if isinstance(event, Opened):
            self.connection = event.connection
            yield SetTimer("late", (now // SECOND) * SECOND + 30 * SECOND)
        elif isinstance(event, TimerFired):
            yield Send(self.connection, b"are you there?")


@pytest.mark.parametrize(("heals", "reason"), [(True, "reset by the peer"), (False, GAVE_UP.reason)])
def test_the_peer_of_one_who_gave_up_learns_of_it_when_it_sends(heals: bool, reason: str) -> None:
    world = pair(Opener, Late)
    world.act(Cut("a", "b", both=True))
    world.run_until(20 * SECOND)
    assert told(world, "a") == [(16 * SECOND, GAVE_UP)]
    if heals:
        world.act(HealNetwork())
    world.run_until(29 * SECOND)
    assert told(world, "b") == []
    play(world)
    assert told(world, "b") == [(30 * SECOND + 200 if heals else 45 * SECOND, Closed(NAME, reason))]
    assert len(told(world, "a")) == 1
    assert world.network.connections == {}, "both halves are gone, and nobody remembers the connection"


def test_who_was_told_that_its_connection_timed_out_sends_nothing_more_on_it() -> None:
    class Deaf(Opener):
        last = 20

    world = pair(Deaf)
    world.act(Cut("a", "b"))
    world.run_until(16 * SECOND + SECOND // 2)
    world.act(HealNetwork())
    play(world)
    assert arrivals(world, "b") == [], "17 to 20 were said to a connection that is no more"


@pytest.mark.parametrize(("speaker", "gives_up"), [("a", True), ("b", True), ("nobody", False)])
def test_no_acknowledgement_comes_back_over_a_cut_way_and_an_idle_connection_notices_nothing(
    speaker: str, gives_up: bool
) -> None:
    """The way from a to b is cut: a's bytes do not arrive, b's do, and b does not know it."""
    world = pair(Opener if speaker == "a" else QuietOpener, Speaker if speaker == "b" else Quiet)
    world.act(Cut("a", "b"))
    world.run_until(60 * SECOND)
    assert [step.machine for step in world.journal if isinstance(step.what, GaveUp)] == [speaker] * gives_up
    assert len(arrivals(world, "a")) == (5 if speaker == "b" else 0)


def test_the_patience_is_a_figure_of_the_hardware_and_ends_with_the_cut() -> None:
    def gave_up_us(heal: bool) -> list[int]:
        world = pair(hardware=Hardware(jitter_us=0, tcp_timeout_us=2 * SECOND))
        world.act(Cut("a", "b"))
        world.run_until(2 * SECOND)
        if heal:
            world.act(HealNetwork())
            world.act(Cut("a", "b"))  # in the same moment: what stalled is not delivered, but its patience is new
        play(world)
        return [step.at_us for step in world.journal if isinstance(step.what, GaveUp)]

    assert gave_up_us(heal=False) == [3 * SECOND]
    assert gave_up_us(heal=True) == [4 * SECOND]


@pytest.mark.parametrize("healed", [True, False])
def test_a_question_for_a_connection_gets_no_answer_across_a_cut_however_long(healed: bool) -> None:
    world = room(a=Opener, b=Quiet)
    world.act(Cut("b", "a"))
    world.run_until(600 * SECOND)
    assert node(world, "a").told == []
    assert node(world, "b").told[0] == (100, Opened(NAME, "a"))

    world = room(a=Opener, b=Quiet)
    world.act(Cut("a", "b"))
    world.run_until(600 * SECOND)
    assert node(world, "a").told == node(world, "b").told == []
    if healed:
        world.act(HealNetwork())
    play(world)
    opened = [event for _, event in node(world, "a").told][:1]
    assert opened == ([Opened(NAME, "b", outgoing=True)] if healed else [])


class Impatient(Toy):
    """Asks for a connection, and takes the question back after a second."""

    def boot(self, now: int) -> Effects:
        connection = yield Connect("b")
        yield SetTimer(connection, now + SECOND)

    def react(self, event: Event, now: int) -> Effects:
        if isinstance(event, TimerFired):
            yield Close(event.name)


@pytest.mark.parametrize(("cut", "heard"), [(True, []), (False, ["open", "close"])])
def test_a_question_that_never_left_can_be_taken_back(cut: bool, heard: list[str]) -> None:
    world = room(a=Impatient, b=Toy)
    if cut:
        world.act(Cut("a", "b"))
    world.run_until(2 * SECOND)
    if cut:
        world.act(HealNetwork())
    play(world)
    assert [step.what.kind for step in world.journal if isinstance(step.what, Arrived) and step.machine == "b"] == heard
    assert world.network.connections == world.network.in_flight == {}


# -- 4. what stalled lies in the sender's kernel ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arrived", "end"),
    [
        ("process kill", [b"1", b"2"], [Closed(NAME, "closed by the peer")]),
        ("power loss", [], []),
        ("disk loss", [], []),
    ],
)
@pytest.mark.parametrize("restarts", [True, False])
def test_what_stalled_survives_the_process_that_sent_it_and_not_the_power(
    kind: str, arrived: list[bytes], end: list[object], restarts: bool
) -> None:
    class Once(QuietOpener):
        """Its second life does not ask again."""

        def boot(self, now: int) -> Effects:
            if now % (60 * SECOND) == 0:
                yield Connect("b")

        last = 2

    world = pair(Once)
    world.act(Cut("a", "b"))
    world.run_until(2 * SECOND + 10)
    world.act(Crash("a", kind))
    if restarts:
        world.act(Restart("a"))
    world.run_until(3 * SECOND)
    world.act(HealNetwork())
    play(world)
    assert [what for _, what in told(world, "b")] == [*arrived, *end]


def test_what_had_left_a_machine_without_power_is_lost_in_a_cut_that_comes_a_moment_later() -> None:
    def heard(cut: bool) -> int:
        world = pair()
        world.run_until(SECOND + 10)
        world.act(Crash("a", "power loss"))
        if cut:
            world.act(Cut("a", "b"))
        world.run_until(2 * SECOND)
        if cut:
            world.act(HealNetwork())
        play(world)
        assert not any(isinstance(step.what, GaveUp) for step in world.journal)
        return len(arrivals(world, "b"))

    assert (heard(cut=False), heard(cut=True)) == (1, 0)


def test_a_machine_without_power_waits_for_no_acknowledgement() -> None:
    """What it had sent is on its way when the way back is cut; nobody is left who would notice."""
    world = pair()
    world.run_until(SECOND + 10)
    world.act(Crash("a", "power loss"))
    world.act(Cut("b", "a"))
    play(world)
    assert [step.machine for step in world.journal if isinstance(step.what, GaveUp)] == []


# -- 5. slow ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra_us", [0, 1, 250_000])
def test_a_slow_link_shifts_every_arrival_by_what_it_adds(extra_us: int) -> None:
    world, plain = pair(hardware=Hardware(jitter_us=5_000)), pair(hardware=Hardware(jitter_us=5_000))
    world.act(Delay("a", "b", extra_us))
    shifted = [(at_us + extra_us, data) for at_us, data in arrivals(play(plain), "b")]
    assert arrivals(play(world), "b") == shifted
    assert len(shifted) == 5


def test_a_link_that_gets_faster_lets_nothing_overtake() -> None:
    world = pair()
    world.act(Delay("a", "b", 2_500_000))
    world.run_until(2 * SECOND + SECOND // 2)
    world.act(Delay("a", "b", 100))
    play(world)
    assert arrivals(world, "b") == [
        (3 * SECOND + 500_100, b"1"),
        (4 * SECOND + 500_100, b"2"),
        (4 * SECOND + 500_100, b"3"),
        (4 * SECOND + 500_100, b"4"),
        (5 * SECOND + 200, b"5"),
    ]


def test_a_link_is_slow_one_way_and_healing_the_network_makes_it_fast() -> None:
    world = pair(Opener, Speaker)
    world.act(Delay("a", "b", 900_000))
    world.run_until(2 * SECOND + SECOND // 2)
    world.act(HealNetwork())
    play(world)
    assert [at_us for at_us, _ in arrivals(world, "a")] == [number * SECOND + 100 for number in range(1, 6)]
    assert [at_us for at_us, _ in arrivals(world, "b")] == [
        number * SECOND + 100 + 900_000 * (number <= 2) for number in range(1, 6)
    ]


# -- luck, and acts that make no sense -------------------------------------------------------------------------------


def test_a_cut_elsewhere_changes_nobodys_luck() -> None:
    def heard(*acts: Act) -> list[tuple[int, bytes]]:
        world = room(seed=5, hardware=Hardware(jitter_us=10_000), a=Opener, b=Speaker, c=Opener)
        world.run_until(SECOND // 2)
        for act in acts:
            world.act(act)
        play(world)
        return [
            (step.at_us, step.what.data)
            for step in world.journal
            if isinstance(step.what, Arrived) and (step.what.source, step.machine) == ("a", "b")
        ]

    assert heard() == heard(Cut("b", "c", both=True), Delay("c", "b", 77), HealNetwork(), Cut("c", "b"))
    assert heard() != heard(Delay("a", "b", 77))


@pytest.mark.parametrize(
    ("before", "act", "message"),
    [
        ([], Cut("a", "nobody"), "there is no machine called 'nobody': the room has a, b, c"),
        ([], Cut("nobody", "a"), "there is no machine called 'nobody': the room has a, b, c"),
        ([], Cut("a", "a"), "a link leads from one machine to another, not from a to itself: name two"),
        ([Cut("a", "b")], Cut("a", "b"), "the way from a to b is cut already: heal the network, or cut another"),
        (
            [Cut("a", "b", both=True)],
            Cut("b", "a", both=True),
            "the link between b and a is cut already: heal the network, or cut another",
        ),
        ([], Partition(()), "a partition needs two groups or more, none of them empty, not ()"),
        ([], Partition((("a",),)), "a partition needs two groups or more, none of them empty, not (('a',),)"),
        ([], Partition((("a",), ())), "a partition needs two groups or more, none of them empty, not (('a',), ())"),
        ([], Partition((("a",), ("z",))), "there is no machine called 'z': the room has a, b, c"),
        ([], Partition((("a", "b"), ("b",))), "b cannot be on two sides of a partition: name it once"),
        (
            [Cut("a", "b", both=True)],
            Partition((("a",), ("b",))),
            "every link between these groups is cut already: heal the network, or cut another",
        ),
        ([], Delay("a", "b", -1), "a link cannot be -1 us slower: give 0 or more"),
        ([], Delay("a", "z", 1), "there is no machine called 'z': the room has a, b, c"),
        ([], Delay("a", "a", 1), "a link leads from one machine to another, not from a to itself: name two"),
        ([], HealNetwork(), "no link is cut or slow: there is nothing to heal"),
        ([Cut("a", "b"), HealNetwork()], HealNetwork(), "no link is cut or slow: there is nothing to heal"),
        ([Delay("a", "b", 5), Delay("a", "b", 0)], HealNetwork(), "no link is cut or slow: there is nothing to heal"),
    ],
    ids=repr,
)
def test_an_act_on_links_that_makes_no_sense_is_refused_and_changes_nothing(
    before: list[Act], act: Act, message: str
) -> None:
    def run(refused: bool) -> str:
        world = room(a=Opener, b=Speaker, c=Opener)
        world.run_until(SECOND // 2)
        for earlier in before:
            world.act(earlier)
        if refused:
            with pytest.raises(FaultError) as error:
                world.act(act)
            assert str(error.value) == message
        return play(world).journal.digest()

    assert run(True) == run(False)


def test_what_is_half_cut_may_be_cut_whole() -> None:
    world = pair()
    world.act(Cut("a", "b"))
    world.act(Cut("a", "b", both=True))
    assert world.wire("b", "a").cut
