"""The loop: what a node's one thread may rely on, and how a world is played."""

from __future__ import annotations

from typing import Any

import pytest
from sim_toys import Client, Logger, Parent, Toy, arrivals, node, note, notes, play, play_until, room

from durable_redis.contract import (
    Append,
    CancelTimer,
    ChildEnded,
    Close,
    Compute,
    DiskError,
    Effects,
    Event,
    Fork,
    Fsync,
    Kill,
    ListDirectory,
    Note,
    Opened,
    Read,
    Send,
    SetTimer,
    SyncDirectory,
    TimerFired,
    Truncate,
    Write,
)
from durable_redis.sim import Hardware
from durable_redis.sim.faults import Crash, Restart, SlowDisk
from durable_redis.sim.journal import Resumed, Synced, WroteBack

# -- the thread ---------------------------------------------------------------------


def test_before_sleep_follows_each_batch_and_what_came_meanwhile_is_the_next_batch() -> None:
    """Group commit: a and b come together; c to e while the fsync for a and b runs, and one fsync covers them all."""

    class Batching(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"")
            for number, name in enumerate("abcde"):
                yield SetTimer(name, now + 1_000 + (0 if name in "ab" else 100 * number))

        def react(self, event: Event, now: int) -> Effects:
            assert isinstance(event, TimerFired)
            yield note(event.name)
            yield Append("log", event.name.encode())

        def before_sleep(self, now: int) -> Effects:
            yield Fsync("log")
            yield note("synced")

    world = play(room(n=Batching))
    assert notes(world) == [
        (1_000, "a"),  # the thread was free: a batch of one
        (2_000, "synced"),
        (2_000, "b"),
        (2_000, "c"),
        (2_000, "d"),
        (2_000, "e"),
        (3_000, "synced"),
    ]
    assert world.machines["n"].disk.files["log"].platter == b"abcde"


@pytest.mark.parametrize(
    ("effect", "takes_us"),
    [
        (Compute("sleep", 700), 700),
        (Compute("command", 1), 4),
        (Fsync("log"), 1_000 + 4_000_000 * 1_000_000 // 200_000_000),
        (Fsync("nothing"), 0),
        (SyncDirectory(""), 1_000),
        (Read("log"), 10_000),
        (Read("nothing"), 0),
        (ListDirectory(""), 0),
        (Append("log", b"more"), 0),
    ],
)
def test_an_effect_takes_the_time_that_the_hardware_says(effect: Any, takes_us: int) -> None:
    class Busy(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", bytes(4_000_000))
            yield effect
            yield note("done")

    assert notes(play(room(n=Busy))) == [(takes_us, "done")]


def test_events_wait_while_the_thread_is_blocked_and_are_told_at_the_time_it_is_free() -> None:
    class Slow(Toy):
        def boot(self, now: int) -> Effects:
            yield Compute("sleep", 5_000)

    world = play(room(client=Client, server=Slow))
    assert [at_us for at_us, _ in node(world, "server").told] == [5_000, 5_000]
    assert arrivals(world, "server") == [(300, b"hello")]


def test_many_events_whose_handling_yields_nothing_are_handled_in_one_go() -> None:
    class Silent(Client):
        messages = (b"x",) * 5_000

    class Sleepy(Toy):
        def react(self, event: Event, now: int) -> Effects:
            if isinstance(event, Opened):
                yield Compute("sleep", 1_000_000)

    world = play(room(client=Silent, server=Sleepy))
    assert len(node(world, "server").told) == 1 + 5_000


def test_results_come_back_into_the_handler() -> None:
    results: list[Any] = []

    class Curious(Toy):
        def boot(self, now: int) -> Effects:
            for effect in (
                Append("b", b"content"),
                Append("folder/a", b""),
                Read("b"),
                Read("nothing"),
                ListDirectory(""),
                ListDirectory("folder"),
                Fsync("b"),
                Fsync("nothing"),
                SyncDirectory("folder"),
                Write("b", b"other"),
                Truncate("b", 2),
                Read("b"),
                Truncate("nothing", 2),
                note("a fact"),
                SetTimer("t", now),
                CancelTimer("t"),
                Send("no such connection", b""),
                Close("no such connection"),
                Kill("nobody"),
            ):
                results.append((yield effect))

    play(room(n=Curious))
    missing = DiskError("ENOENT", "nothing")
    assert results == (
        [None, None, b"content", None, ("b",), ("folder/a",), None, missing, None, None, None, b"ot", missing]
        + [None] * 6
    )


def test_an_append_waits_for_the_fsync_in_progress_on_its_own_file_and_on_no_other() -> None:
    class TwoFiles(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"1")
            yield Append("other", b"1")
            yield Fork("log sync", self.sync("log"))
            yield Fork("other sync", self.sync("other"))
            yield Compute("sleep", 10)
            yield Append("third", b"")
            yield note("third appended")
            yield Append("log", b"2")
            yield note("log appended")
            yield Append("other", b"2")
            yield note("other appended")

        def sync(self, path: str) -> Effects:
            yield Fsync(path)

    world = room(n=TwoFiles)
    world.run_until(10_000)
    assert notes(world) == [(10, "third appended"), (1_000, "log appended"), (2_000, "other appended")]
    assert world.machines["n"].disk.files["log"].platter == b"1"


def test_what_an_fsync_promises_is_what_was_there_when_it_began() -> None:
    world = room(client=Client, server=Logger)
    synced = play_until(world, Synced, "server")
    assert synced == Synced("log", len(b"hello"))


def test_the_device_does_one_fsync_after_the_other() -> None:
    class TwoSyncs(Toy):
        def boot(self, now: int) -> Effects:
            for name in "ab":
                yield Append(name, b"x")
                yield Fork(name, self.sync(name))

        def sync(self, name: str) -> Effects:
            yield Fsync(name)

    world = play(room(n=TwoSyncs))
    assert [(step.at_us, step.what.path) for step in world.journal if isinstance(step.what, Synced)] == [
        (1_000, "a"),
        (2_000, "b"),
    ]


# -- playing ---------------------------------------------------------------------


def test_run_until_does_what_is_due_and_not_one_step_more() -> None:
    class Late(Toy):
        def boot(self, now: int) -> Effects:
            yield SetTimer("cancelled", now + 10)
            yield SetTimer("late", now + 100)
            yield CancelTimer("cancelled")

    world = room(n=Late)
    world.run_until(50)
    assert world.now_us == 50
    assert node(world, "n").told == []
    world.run_until(100)
    assert node(world, "n").told == [(100, TimerFired("late"))]


def test_machines_started_together_all_boot() -> None:
    world = play(room(a=Logger, b=Logger, c=Parent))
    assert [world.machines[name].disk.list("") for name in "abc"] == [("log",), ("log",), ("dump", "log")]


def test_a_restart_between_two_effects_of_another_node_does_not_disturb_it() -> None:
    world = room(n=Parent, other=Logger)
    play_until(world, Fork)
    world.act(Crash("other", "process kill"))
    world.act(Restart("other"))
    play(world)
    assert (0, "forked") in notes(world)
    assert node(world, "n").told == [(300, ChildEnded("child", "result"))]


def test_the_watcher_is_called_after_every_step_with_the_machine_it_concerns() -> None:
    world = room(client=Client, server=Logger)
    seen: list[tuple[int, str]] = []
    world.watch = lambda machine: seen.append((len(world.journal), machine))
    world.act(SlowDisk("server", 5))
    play(world)
    assert seen == [(number, step.machine) for number, step in enumerate(world.journal, start=1)]


def test_the_kernel_writes_back_what_was_dirty_for_thirty_seconds_and_no_sooner() -> None:
    class Careless(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"abc")

    def found(crash_at_us: int) -> bytes | None:
        world = room(n=Careless)
        world.run_until(crash_at_us)
        world.act(Crash("n", "power loss", tail="lost"))
        return world.machines["n"].disk.read("log")

    assert found(29_999_999) is None
    assert found(30_000_000) == b"abc"
    world = play(room(n=Careless))
    assert [step.at_us for step in world.journal if isinstance(step.what, WroteBack)] == [30_000_000]


def test_a_hardware_without_a_price_for_some_work_says_so() -> None:
    with pytest.raises(ValueError, match=r"no price for the work 'juggle': add it to Hardware\.compute_us"):
        Hardware().compute_us("juggle", 1)


def test_a_step_is_told_from_another_by_its_time_machine_and_task() -> None:
    world = play(room(n=Parent))
    tasks = [step.task for step in world.journal if isinstance(step.what, Note)]
    assert tasks == ["main", "child", "main"]
    assert isinstance(world.journal.steps[0].what, Resumed), "the boot begins"
