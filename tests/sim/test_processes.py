"""A process: its children, its end, its timers, and the clock it goes by."""

from __future__ import annotations

import pytest
from sim_toys import STEADY, Client, Logger, Parent, Toy, node, note, notes, play, play_until, room

from durable_redis.contract import (
    CancelTimer,
    ChildEnded,
    Effects,
    Exit,
    Fork,
    Fsync,
    Kill,
    SetTimer,
    TimerFired,
)
from durable_redis.sim import World
from durable_redis.sim.faults import Crash, Restart
from durable_redis.sim.journal import Synced

# -- children ---------------------------------------------------------------------


def test_a_child_runs_beside_the_thread_and_its_result_is_an_event() -> None:
    world = play(room(n=Parent))
    assert notes(world) == [(0, "forked"), (0, "child"), (100, "parent")]
    assert node(world, "n").told == [(300, ChildEnded("child", "result"))]
    assert world.machines["n"].process is not None
    assert list(world.machines["n"].process.tasks) == ["main"]


def test_a_killed_child_does_nothing_more_and_sends_no_event() -> None:
    class Killer(Parent):
        def boot(self, now: int) -> Effects:
            yield from super().boot(now)
            yield Kill("child")

    world = play(room(n=Killer))
    assert node(world, "n").told == []
    assert world.machines["n"].disk.list("") == ("log",)


def test_the_fsync_of_a_killed_process_is_finished_by_its_kernel() -> None:
    world = room(client=Client, server=Logger)
    play_until(world, Fsync)
    world.act(Crash("server", "process kill"))
    play_until(world, Synced)
    world.act(Crash("server", "power loss", tail="lost"))
    assert world.machines["server"].disk.files.keys() == set(), "its name was never synced"


def test_two_tasks_cannot_have_one_name() -> None:
    class Twins(Parent):
        def boot(self, now: int) -> Effects:
            yield Fork("child", self.child())
            yield Fork("child", self.child())

    with pytest.raises(AssertionError, match="n has a task 'child' already"):
        play(room(n=Twins))


def test_exit_ends_the_process_with_its_children_and_nothing_after_it_runs() -> None:
    class Quitter(Parent):
        def boot(self, now: int) -> Effects:
            yield from super().boot(now)
            yield Exit(1, "cannot write")
            yield note("after the end")

    world = play(room(client=Client, server=Quitter))
    machine = world.machines["server"]
    assert not machine.up
    assert machine.powered
    assert (machine.last_crash, machine.down_since_us) == ("exit 1: cannot write", 100)
    assert "after the end" not in [kind for _, kind in notes(world)]
    assert machine.disk.list("") == ("log",), "the child died with it"


# -- timers ---------------------------------------------------------------------


class Timers(Toy):
    skew_us = 0

    def boot(self, now: int) -> Effects:
        yield SetTimer("moved later", now + 100)
        yield SetTimer("moved sooner", now + 900)
        yield SetTimer("cancelled", now + 200)
        yield SetTimer("past", now - 1)
        yield SetTimer("moved later", now + 300)
        yield SetTimer("moved sooner", now + 250)
        yield CancelTimer("cancelled")
        yield CancelTimer("unknown")


def test_a_timer_fires_once_at_the_time_it_was_last_set_to() -> None:
    world = play(room(n=Timers))
    assert node(world, "n").told == [
        (0, TimerFired("past")),
        (250, TimerFired("moved sooner")),
        (300, TimerFired("moved later")),
    ]


def test_a_timer_of_an_earlier_life_fires_for_nobody() -> None:
    world = room(n=Timers)
    world.run_until(200)
    world.act(Crash("n", "process kill"))
    world.act(Restart("n"))
    play(world)
    assert [at_us for at_us, _ in node(world, "n").told] == [200, 450, 500]


def test_a_machine_whose_clock_is_wrong_sets_its_timers_by_it() -> None:
    class Once(Toy):
        def boot(self, now: int) -> Effects:
            yield SetTimer("t", now + 1_000)

    world = World(hardware=STEADY)
    world.add_machine("n", "a", Once).clock_skew_us = -7_000_000
    world.start("n")
    play(world)
    assert node(world, "n").told == [(1_000 - 7_000_000, TimerFired("t"))]
    assert world.now_us == 1_000, "by its own clock it waited a millisecond, as it wanted"
