"""Machines that stand still, clocks that are wrong, and zones that go dark, each line of their model in pairs.

1. A paused machine runs nothing: not a task that was in the middle of a handler, not a child.
2. What would happen on it waits, and happens at the end of the pause, in the order in which it was due.
3. Its clock goes on, its connections stay open, and what it had sent travels; nobody else stands still.
4. A crash ends the pause.
5. A clock set wrong fires the timers set from then on by what it shows, and leaves alone those set before.
"""

from __future__ import annotations

import pytest
from sim_toys import STEADY, Client, Logger, Parent, Toy, arrivals, node, note, notes, play, play_until, room

from durable_redis.contract import (
    Append,
    ChildEnded,
    Closed,
    Effects,
    Event,
    Fork,
    Fsync,
    Note,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.sim import EPOCH_US, World
from durable_redis.sim.faults import (
    Act,
    Crash,
    Crashed,
    Cut,
    FaultError,
    HealNetwork,
    Outage,
    Pause,
    Restart,
    Restore,
    Skew,
)
from durable_redis.sim.journal import Synced, WentOn

# -- 1. nothing runs -------------------------------------------------------------------------------------------------


class Steps(Toy):
    def boot(self, now: int) -> Effects:
        for letter in "abcd":
            yield note(letter)


@pytest.mark.parametrize("performed", range(5))
def test_a_handler_stands_still_between_any_two_effects_and_goes_on_where_it_was(performed: int) -> None:
    world = room(n=Steps)
    for _ in range(1 + performed):  # the first step is that the boot begins
        world.step()
    world.act(Pause("n", 70))
    play(world)
    assert notes(world) == [(0 if place < performed else 70, letter) for place, letter in enumerate("abcd")]


def test_children_stand_still_and_their_ends_wait() -> None:
    def ended(pause: bool) -> list[tuple[int, Event]]:
        world = room(n=Parent)
        world.run_until(50)
        if pause:
            world.act(Pause("n", 1_000))
        play(world)
        assert notes(world) == [(0, "forked"), (0, "child"), (1_050 if pause else 100, "parent")]
        told: list[tuple[int, Event]] = node(world, "n").told
        return told

    assert ended(pause=False) == [(300, ChildEnded("child", "result"))]
    assert ended(pause=True) == [(1_050, ChildEnded("child", "result"))]


# -- 2. what happens waits -------------------------------------------------------------------------------------------


class Timers(Toy):
    def boot(self, now: int) -> Effects:
        for at_us in (10, 500, 900, 1_000, 1_500):
            yield SetTimer(f"at {at_us}", now + at_us)


@pytest.mark.parametrize("for_us", [0, 900])
def test_a_timer_due_in_the_pause_fires_at_its_end(for_us: int) -> None:
    world = room(n=Timers)
    world.run_until(100)
    if for_us:
        world.act(Pause("n", for_us))
    play(world)
    assert [(at_us, event.name) for at_us, event in node(world, "n").told] == [
        (max(at_us, 100 + for_us) if at_us > 100 else at_us, f"at {at_us}") for at_us in (10, 500, 900, 1_000, 1_500)
    ]


def test_messages_queue_in_order_and_the_sender_notices_nothing() -> None:
    class Talker(Client):
        def react(self, event: Event, now: int) -> Effects:
            if isinstance(event, Opened):
                for number in range(5):
                    yield SetTimer(event.connection + f"/{number}", now + 1_000 * number)
            elif isinstance(event, TimerFired):
                connection, _, number = event.name.partition("/")
                yield Send(connection, number.encode())

    world = room(client=Talker, server=Toy)
    world.run_until(1_500)
    world.act(Pause("server", 2_000))
    play(world)
    assert [(at_us, event.data) for at_us, event in node(world, "server").told if isinstance(event, Received)] == [
        (300, b"0"),
        (1_300, b"1"),
        (3_500, b"2"),  # due at 2,300
        (3_500, b"3"),  # due at 3,300
        (4_300, b"4"),
    ]
    assert not any(isinstance(event, Closed) for _, event in node(world, "client").told)


@pytest.mark.parametrize(("kind", "synced"), [(None, True), ("process kill", True), ("power loss", False)])
def test_an_fsync_ends_for_a_paused_machine_when_it_goes_on_and_never_if_the_power_goes(
    kind: str | None, synced: bool
) -> None:
    class Syncing(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"x")
            yield Fsync("log")

    world = room(n=Syncing)
    world.run_until(500)
    world.act(Pause("n", 10_000))
    world.run_until(5_000)
    if kind is not None:
        world.act(Crash("n", kind))
    play(world)
    ends = [step.at_us for step in world.journal if isinstance(step.what, Synced)]
    assert ends == ([10_500 if kind is None else 5_000] if synced else [])


def test_an_append_after_the_pause_waits_for_an_fsync_whose_end_is_overdue() -> None:
    """The fsync would have ended at 1,000; the pause ends at 5,500, and time does not go back for the append."""

    class Syncing(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"x")
            yield Fork("fsync", self.sync())
            yield SetTimer("soon", now + 500)

        def sync(self) -> Effects:
            yield Fsync("log")

        def react(self, event: Event, now: int) -> Effects:
            if isinstance(event, TimerFired):
                yield note("woke")
                yield Append("log", b"y")
                yield note("appended")

    world = room(n=Syncing)
    play_until(world, Note)
    world.act(Pause("n", 5_000))
    world.do_steps(100, by_us=10_000)
    assert notes(world) == [(500, "woke"), (5_500, "appended")]
    times = [step.at_us for step in world.journal]
    assert times == sorted(times)


def test_what_waits_happens_in_the_order_in_which_it_was_due_also_at_the_very_end_of_the_pause() -> None:
    """The timer at 1,000 is due when the pause ends, and was set before it began: still it comes last."""
    world = room(n=Timers)
    world.run_until(100)
    world.act(Pause("n", 900))
    play(world)
    ended = next(number for number, step in enumerate(world.journal.steps) if isinstance(step.what, WentOn))
    fired = [step.what.name for step in world.journal.steps[ended:] if isinstance(step.what, TimerFired)]
    assert fired == ["at 500", "at 900", "at 1000", "at 1500"]
    before = [step.what.name for step in world.journal.steps[:ended] if isinstance(step.what, TimerFired)]
    assert before == ["at 10"]


# -- 3. the others -----------------------------------------------------------------------------------------------------


def test_its_clock_goes_on_what_it_had_sent_travels_and_nobody_else_stands_still() -> None:
    world = room(client=Client, server=Logger, n=Timers)
    play_until(world, Send, "client")
    world.act(Pause("client", 50_000))
    play(world)
    assert arrivals(world, "server") == [(300, b"hello")]
    assert [at_us for at_us, _ in node(world, "n").told] == [10, 500, 900, 1_000, 1_500]
    assert node(world, "client").told[-1] == (50_200, Received("client>server#1", b"OK hello"))


def test_a_paused_machine_neither_accepts_a_connection_nor_refuses_it() -> None:
    world = room(client=Client, server=Toy)
    world.act(Pause("server", 5_000))
    play(world)
    assert node(world, "client").told == [(5_100, Opened("client>server#1", "server", outgoing=True))]


def test_a_paused_kernel_gives_nothing_up_before_it_goes_on() -> None:
    def end_us(pause: bool) -> int:
        world = room(client=Client, server=Toy)
        play_until(world, Send, "client")
        world.act(Cut("client", "server"))
        if pause:
            world.act(Pause("client", 20_000_000))
        play(world)
        at_us, event = node(world, "client").told[-1]
        assert isinstance(event, Closed)
        return int(at_us)

    assert (end_us(pause=False), end_us(pause=True)) == (15_000_200, 20_000_200)


# -- 4. a crash ends it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["process kill", "power loss", "disk loss"])
def test_a_crash_ends_a_pause_and_its_old_end_means_nothing(kind: str) -> None:
    world = room(n=Timers)
    world.act(Pause("n", 2_000))
    world.run_until(400)
    world.act(Crash("n", kind))
    world.act(Restart("n"))
    world.run_until(420)
    world.act(Pause("n", 5_000))
    play(world)
    assert [step.at_us for step in world.journal if isinstance(step.what, WentOn)] == [5_420]
    assert [at_us for at_us, _ in node(world, "n").told] == [410, 5_420, 5_420, 5_420, 5_420]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("process kill", [Closed("client>server#1", "refused: nobody listens there")]), ("power loss", [])],
)
def test_what_waited_meets_the_kernel_as_the_crash_left_it(kind: str, told: list[Event]) -> None:
    world = room(client=Client, server=Toy)
    world.act(Pause("server", 5_000))
    world.run_until(1_000)
    assert node(world, "client").told == []
    world.act(Crash("server", kind))
    play(world)
    assert [event for _, event in node(world, "client").told] == told


# -- 5. clocks ---------------------------------------------------------------------------------------------------------


class Alarm(Toy):
    """At 1 ms on its clock it notes the time, and sets a timer to 5 ms on its clock."""

    def boot(self, now: int) -> Effects:
        yield SetTimer("first", EPOCH_US + 1_000)

    def react(self, event: Event, now: int) -> Effects:
        yield note(f"{now - EPOCH_US}")
        if isinstance(event, TimerFired) and event.name == "first":
            yield SetTimer("second", EPOCH_US + 5_000)


@pytest.mark.parametrize(
    ("skew_us", "heard"),
    [
        (0, [(1_000, "1000"), (5_000, "5000")]),
        (300, [(1_000, "1300"), (4_700, "5000")]),
        (-300, [(1_000, "700"), (5_300, "5000")]),
        (9_000, [(1_000, "10000"), (1_000, "10000")]),  # the second one is past when it is set
    ],
)
def test_a_timer_fires_by_the_clock_as_it_was_when_the_timer_was_set(
    skew_us: int, heard: list[tuple[int, str]]
) -> None:
    world = room(n=Alarm)
    world.run_until(500)
    world.act(Skew("n", skew_us))
    play(world)
    assert notes(world) == heard


def test_a_clock_that_is_set_right_again_is_right_and_nobody_elses_was_wrong() -> None:
    world = room(n=Alarm, other=Alarm)
    world.act(Skew("n", 250))
    world.run_until(3_000)
    world.act(Skew("n", 0))
    play(world)
    heard: dict[str, list[tuple[int, str]]] = {"n": [], "other": []}
    for step in world.journal:
        if isinstance(step.what, Note):
            heard[step.machine].append((step.at_us, step.what.kind))
    assert heard == {"n": [(750, "1000"), (4_750, "4750")], "other": [(1_000, "1000"), (5_000, "5000")]}


# -- zones -------------------------------------------------------------------------------------------------------------


class Keeper(Toy):
    def boot(self, now: int) -> Effects:
        yield Append("log", b"x")


def two_zones() -> World:
    world = room(zones="aab", one=Keeper, two=Keeper, three=Keeper)
    world.run_until(10)
    return world


@pytest.mark.parametrize(("kind", "kept"), [("process kill", b"x"), ("disk loss", None)])
def test_an_outage_crashes_what_is_up_in_its_zone_in_one_moment_and_nothing_else(kind: str, kept: bytes | None) -> None:
    world = two_zones()
    before = len(world.journal)
    world.act(Crash("two", "process kill"))
    world.act(Outage("a", kind))
    crashes = [step.what for step in world.journal.steps[before:] if isinstance(step.what, Crashed)]
    hit = ["two", "one", "two"] if kind == "disk loss" else ["two", "one"]  # it still had power to lose
    assert [crash.machine for crash in crashes] == hit
    assert {name: machine.up for name, machine in world.machines.items()} == {"one": False, "two": False, "three": True}
    assert world.machines["one"].disk.read("log") == kept


def test_an_outage_spares_whom_it_is_told_to_spare() -> None:
    world = two_zones()
    world.act(Outage("a", "power loss", spared=("two",)))
    assert {name: machine.up for name, machine in world.machines.items()} == {"one": False, "two": True, "three": True}


def test_a_restored_zone_starts_what_is_down_in_it_and_nothing_else() -> None:
    world = two_zones()
    world.act(Crash("three", "power loss"))
    world.act(Crash("two", "process kill"))
    world.act(Outage("a"))
    world.act(Restart("one"))
    world.act(Restore("a"))
    play(world)
    assert {name: machine.incarnations for name, machine in world.machines.items()} == {"one": 2, "two": 2, "three": 1}
    assert not world.machines["three"].up


def test_the_watcher_hears_of_every_crash_of_an_outage() -> None:
    world = two_zones()
    heard: list[tuple[int, str]] = []
    world.watch = lambda machine: heard.append((len(world.journal), machine))
    before = len(world.journal)
    world.act(Outage("a"))
    assert heard == [(before + 1, ""), (before + 2, "one"), (before + 3, "two")]


# -- acts that make no sense -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "act", "message"),
    [
        ([], Pause("nobody", 5), "there is no machine called 'nobody': the room has n, client"),
        ([], Pause("n", 0), "n cannot be paused for 0 us: give 1 or more"),
        ([], Pause("n", -5), "n cannot be paused for -5 us: give 1 or more"),
        ([Pause("n", 5_000)], Pause("n", 5), "n is paused until 0.006 s: wait for that, or crash it"),
        (
            [Crash("n", "power loss")],
            Pause("n", 5),
            "n is down (power loss at 0.001 s): restart it before you pause it",
        ),
        ([], Skew("nobody", 5), "there is no machine called 'nobody': the room has n, client"),
        ([], Outage("c"), "no zone is called 'c': the room has a, b"),
        ([], Outage("a", "flood"), "no crash is called 'flood': choose one of process kill, power loss, disk loss"),
        ([], Outage("a", spared=("n",)), "in zone a nothing is up that an outage could stop: restore it first"),
        ([Outage("a")], Outage("a"), "in zone a nothing is up that an outage could stop: restore it first"),
        ([], Restore("c"), "no zone is called 'c': the room has a, b"),
        ([], Restore("a"), "in zone a every machine is up: there is nothing to restore"),
    ],
    ids=repr,
)
def test_an_act_on_time_or_zones_that_makes_no_sense_is_refused_and_changes_nothing(
    before: list[Act], act: Act, message: str
) -> None:
    def run(refused: bool) -> str:
        world = room(hardware=STEADY, zones="ab", n=Timers, client=Client)
        world.run_until(1_000)
        for earlier in before:
            world.act(earlier)
        if refused:
            with pytest.raises(FaultError) as error:
                world.act(act)
            assert str(error.value) == message
        return play(world).journal.digest()

    assert run(True) == run(False)


def test_a_pause_of_one_machine_leaves_the_handler_of_another_where_it_was() -> None:
    world = room(client=Client, server=Logger, n=Timers)
    play_until(world, Append, "server")
    play_until(world, Append, "server")
    world.act(Pause("n", 5))
    world.act(Cut("n", "client"))
    world.act(HealNetwork())
    play(world)
    assert node(world, "client").received == [b"OK hello"]
