"""The loop: what nodes rely on (one thread, batches, timers, children); and that a run depends on its seed alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sim_toys import STEADY, Client, Logger, Toy, arrivals, node, play, play_until, room

from durable_redis.contract import (
    Append,
    CancelTimer,
    ChildEnded,
    Close,
    Compute,
    DiskError,
    Effects,
    Event,
    Exit,
    Fork,
    Fsync,
    Kill,
    ListDirectory,
    Note,
    Opened,
    Read,
    Received,
    Send,
    SetTimer,
    SyncDirectory,
    TimerFired,
    Truncate,
    Write,
)
from durable_redis.sim import EPOCH_US, Hardware, World
from durable_redis.sim.faults import Crash, Restart, SlowDisk
from durable_redis.sim.journal import Resumed, Synced, WroteBack


def notes(world: World) -> list[tuple[int, str]]:
    return [(step.at_us, step.what.kind) for step in world.journal if isinstance(step.what, Note)]


def note(kind: str) -> Note:
    return Note(kind, {})


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


# -- children ---------------------------------------------------------------------


class Parent(Toy):
    def boot(self, now: int) -> Effects:
        yield Append("log", b"")
        yield Fork("child", self.child())
        yield note("forked")
        yield Compute("sleep", 100)
        yield note("parent")

    def child(self) -> Any:
        yield note("child")
        yield Compute("sleep", 300)
        yield Append("dump", b"x")
        return "result"


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


# -- crashing between any two effects ---------------------------------------------------------------------


class OneLine(Client):
    messages = (b"line;",)


class Careful(Logger):
    """Its files exist, with durable names, before the first client comes."""

    def boot(self, now: int) -> Effects:
        yield from super().boot(now)
        yield SyncDirectory("")


class Hasty(Careful):
    order = "append, reply, fsync"


def crash_after(steps: int, server: type[Toy], kind: str) -> tuple[bool, bool]:
    """Play so many steps, crash the server, let all messages arrive.  Was the line acknowledged?  Was it kept?"""
    world = room(client=OneLine, server=server)
    for _ in range(steps):
        world.step()
    world.act(Crash("server", kind, tail="lost"))
    world.act(Restart("server"))
    play(world)
    acknowledged = b"OK line;" in [data for _, data in arrivals(world, "client")]
    return acknowledged, b"line;" in (world.machines["server"].disk.read("log") or b"")


@pytest.mark.parametrize(
    ("server", "kind", "lies"),
    [
        (Careful, "power loss", False),
        (Hasty, "power loss", True),
        (Careful, "process kill", False),
        (Hasty, "process kill", False),  # the page cache survives the process
        (Careful, "disk loss", True),  # against this, no fsync helps
    ],
)
def test_crashed_at_every_step_an_acknowledged_line_is_kept_if_the_reply_follows_the_fsync(
    server: type[Toy], kind: str, lies: bool
) -> None:
    steps = len(play(room(client=OneLine, server=server)).journal)
    outcomes = {crash_after(step, server, kind) for step in range(1, steps)}
    assert ((True, False) in outcomes) == lies
    if kind != "disk loss":
        assert (True, True) in outcomes, "some crashes come late enough"
        assert (False, False) in outcomes, "and some early enough"


def test_a_crash_after_each_effect_leaves_exactly_the_effects_performed() -> None:
    class Writer(Toy):
        def boot(self, now: int) -> Effects:
            for letter in (b"a", b"b", b"c", b"d"):
                yield Append("log", letter)

    for performed in range(1, 5):
        world = room(n=Writer)
        for _ in range(1 + performed):  # the first step is that the boot begins
            world.step()
        world.act(Crash("n", "process kill"))
        play(world)
        assert world.machines["n"].disk.read("log") == b"abcd"[:performed]


# -- determinism ---------------------------------------------------------------------


class Lucky(Logger):
    def react(self, event: Event, now: int) -> Effects:
        yield Compute("sleep", self.random.randrange(1_000))
        yield from super().react(event, now)


class Chatter(Client):
    messages = tuple(b"message %d" % number for number in range(20))


def story(seed: int) -> World:
    """A run with everything that draws luck: jitter, fsyncs, nodes, torn tails."""
    world = room(seed=seed, hardware=Hardware(), zones="abc", client=Chatter, other=Chatter, server=Lucky)
    world.run_until(5_000)
    world.act(Crash("server", "power loss"))
    world.act(Restart("server"))
    world.run_until(8_000)
    world.act(Crash("server", "power loss"))
    return play(world)


def test_the_same_seed_gives_the_same_journal_and_another_seed_another() -> None:
    assert story(1).journal.digest() == story(1).journal.digest()
    assert len({story(seed).journal.digest() for seed in range(5)}) == 5


def test_the_digest_of_a_prefix_is_that_of_the_run_stopped_there() -> None:
    world = room(client=Client, server=Logger)
    for _ in range(10):
        world.step()
    assert story(1).journal.digests([0, 10])[0] == World().journal.digest()
    assert play(room(client=Client, server=Logger)).journal.digests([10]) == [world.journal.digest()]


def test_each_life_of_a_node_has_luck_of_its_own_whatever_the_one_before_drew() -> None:
    class Gambler(Toy):
        drawn_before = 0

        def boot(self, now: int) -> Effects:
            yield Note("draw", {"number": self.random.random()})
            for _ in range(self.drawn_before):
                self.random.random()

    class Spendthrift(Gambler):
        drawn_before = 100

    def second_life(program: type[Toy]) -> tuple[Any, Any]:
        world = play(room(n=program))
        world.act(Crash("n", "process kill"))
        world.act(Restart("n"))
        first, second = (step.what.facts["number"] for step in play(world).journal if isinstance(step.what, Note))
        assert first != second
        return first, second

    assert second_life(Gambler) == second_life(Spendthrift)


def test_the_digest_does_not_depend_on_the_hash_seed() -> None:
    here = str(Path(__file__).parent)
    root = str(Path(__file__).parents[2])
    code = "import test_world; print(test_world.story(7).journal.digest())"
    digests = []
    for hash_seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join([here, root])}
        answer = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
        )
        digests.append(answer.stdout.strip())
    assert digests == [story(7).journal.digest()] * 3


def test_received_bytes_are_what_was_sent() -> None:
    world = play(room(client=Chatter, server=Logger))
    received = [event.data for _, event in node(world, "server").told if isinstance(event, Received)]
    assert tuple(received) == Chatter.messages
    assert node(world, "client").received == [b"OK " + message for message in Chatter.messages]
    assert node(world, "server").told[0][0] + EPOCH_US > EPOCH_US
