"""What can be done from outside: crashes in pairs, disks that fail, and acts that make no sense."""

from __future__ import annotations

import pytest
from sim_toys import STEADY, Client, Logger, Toy, arrivals, node, play, play_until, room

from durable_redis.contract import Append, DiskError, Effects, Exit, Fsync, Note, Send, SyncDirectory
from durable_redis.sim import World
from durable_redis.sim.disk import Tail
from durable_redis.sim.faults import (
    CRASHES,
    Act,
    BitRot,
    Crash,
    Crashed,
    FailDisk,
    FaultError,
    HealDisk,
    Hold,
    Release,
    Restart,
    SlowDisk,
)
from durable_redis.sim.journal import Synced


class Writer(Toy):
    """Leaves one file whose content is synced, and one whose content is not; both names are durable."""

    def boot(self, now: int) -> Effects:
        yield Append("synced", b"abc")
        yield Append("dirty", b"xyz")
        yield Fsync("synced")
        yield SyncDirectory("")
        yield Note("ready", {})


def crashed(kind: str, tail: str = "lost") -> World:
    world = room(n=Writer)
    world.run_until(10_000)
    world.act(Crash("n", kind, tail))
    return world


# -- crashes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "synced", "dirty"),
    [("process kill", b"abc", b"xyz"), ("power loss", b"abc", b""), ("disk loss", None, None)],
)
def test_each_kind_of_crash_takes_its_own_part(kind: str, synced: bytes | None, dirty: bytes | None) -> None:
    disk = crashed(kind).machines["n"].disk
    assert (disk.read("synced"), disk.read("dirty")) == (synced, dirty)


def test_a_process_kill_does_not_lose_the_page_cache_but_a_later_power_loss_does() -> None:
    world = crashed("process kill")
    assert world.machines["n"].disk.read("dirty") == b"xyz"
    world.act(Crash("n", "power loss", tail="lost"))
    assert world.machines["n"].disk.read("dirty") == b""
    assert world.machines["n"].last_crash == "power loss"


def test_the_journal_says_what_a_crash_left() -> None:
    world = crashed("power loss", tail="kept")
    assert world.journal.steps[-1].what == Crashed("n", "power loss", (Tail("dirty", 3, 3),))


def test_the_seed_decides_what_a_power_loss_leaves() -> None:
    def kept(seed: int) -> bytes | None:
        world = room(seed=seed, n=Writer)
        world.run_until(10_000)
        world.act(Crash("n", "power loss"))
        return world.machines["n"].disk.read("dirty")

    assert {kept(seed) for seed in range(40)} == {b"", b"x", b"xy", b"xyz"}
    assert [kept(seed) for seed in range(10)] == [kept(seed) for seed in range(10)]


def test_a_restarted_machine_boots_a_new_node_from_its_disk() -> None:
    world = crashed("process kill")
    world.act(Restart("n"))
    play(world)
    assert world.machines["n"].disk.read("synced") == b"abcabc"
    assert world.machines["n"].incarnations == 2


def test_an_fsync_begun_before_a_power_loss_never_ends_also_if_the_machine_is_back_soon() -> None:
    """A slow disk: the old fsync would have ended while the new life's own fsync of the same file is running."""
    world = room(n=Writer)
    world.run_until(10_000)
    world.act(Crash("n", "process kill"))
    world.act(SlowDisk("n", 1_000_000))
    world.act(Restart("n"))
    play_until(world, Fsync)
    world.run_until(500_000)
    world.act(Crash("n", "power loss", tail="lost"))
    world.act(Restart("n"))
    play(world)
    ends = [step.at_us for step in world.journal if isinstance(step.what, Synced) and step.what.path == "synced"]
    assert ends == [1_000, 500_000 + 1_001_000]
    assert [step.at_us for step in world.journal if isinstance(step.what, Note)][-1] == 500_000 + 2 * 1_001_000


def test_nothing_is_synced_after_the_power_is_gone() -> None:
    world = room(n=Writer)
    play_until(world, Fsync)
    world.act(Crash("n", "power loss"))
    play(world)
    assert not any(isinstance(step.what, Synced) for step in world.journal)


# -- disks ---------------------------------------------------------------------


@pytest.mark.parametrize("healed", [False, True])
def test_a_slow_disk_delays_the_fsync_until_it_is_healed(healed: bool) -> None:
    world = room(client=Client, server=Logger)
    world.act(SlowDisk("server", 2_000_000))
    if healed:
        world.act(HealDisk("server"))
    play(world)
    assert [at_us for at_us, _ in arrivals(world, "client")] == [300 + 1_000 + 100 + (0 if healed else 2_000_000)]


@pytest.mark.parametrize(("operation", "failed"), [("write", Append), ("fsync", Fsync)])
def test_a_failing_disk_answers_eio_to_the_operation_that_fails_and_to_no_other(operation: str, failed: type) -> None:
    results: list[object] = []

    class Both(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"first")
            yield Note("now", {})
            for effect in (Append("log", b"second"), Fsync("log")):
                results.append((type(effect), (yield effect)))

    world = room(n=Both)
    play_until(world, Note)
    world.act(FailDisk("n", operation))
    play(world)
    assert dict(results) == {Append: None, Fsync: None} | {failed: DiskError("EIO", "log")}  # type: ignore[call-overload]
    assert str(DiskError("EIO", "log")) == "EIO on log"


def test_fsyncgate_a_retried_fsync_says_done_and_the_data_is_gone() -> None:
    class Retrying(Toy):
        def boot(self, now: int) -> Effects:
            yield Append("log", b"data")
            yield SyncDirectory("")
            while (yield Fsync("log")) is not None:
                yield Note("failed", {})
            yield Note("synced", {})

    world = room(n=Retrying)
    world.run_until(1_500)  # the directory sync is over, the fsync is not
    world.act(FailDisk("n", "fsync"))
    assert play_until(world, Note).kind == "failed"
    world.act(HealDisk("n"))
    assert play_until(world, Note).kind == "synced"
    disk = world.machines["n"].disk
    assert disk.read("log") == b"data"
    world.act(Crash("n", "power loss"))
    assert disk.read("log") == b"\0\0\0\0"


@pytest.mark.parametrize(("offset", "found"), [(0, b"`bc"), (2, b"abb"), (-1, b"abb")])
def test_bit_rot_turns_a_bit_of_the_byte_at_an_offset_from_the_start_or_the_end(offset: int, found: bytes) -> None:
    world = crashed("process kill")
    world.act(BitRot("n", "synced", offset))
    assert world.machines["n"].disk.read("synced") == found


# -- acts that make no sense ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (Crash("nobody", "power loss"), "there is no machine called 'nobody': the room has n, off"),
        (Crash("n", "hiccup"), "no crash is called 'hiccup': choose one of process kill, power loss, disk loss"),
        (
            Crash("n", "power loss", "some"),
            'the unsynced tail can be "seeded", "lost", "kept" or a number of bytes, not \'some\'',
        ),
        (Crash("off", "process kill"), "off is already down (never started at 0.000 s): restart it first"),
        (Restart("n"), "n is up: crash it before you restart it"),
        (Restart("nobody"), "there is no machine called 'nobody': the room has n, off"),
        (SlowDisk("n", -1), "a disk cannot be -1 us slower: give 0 or more"),
        (FailDisk("n", "seek"), 'a disk can fail at "write" or at "fsync", not at \'seek\''),
        (HealDisk("nobody"), "there is no machine called 'nobody': the room has n, off"),
        (BitRot("n", "synced", 3), "n has no bit 0 of byte 3 in 'synced': the file has 3 bytes of 8 bits"),
        (BitRot("n", "synced", 0, 8), "n has no bit 8 of byte 0 in 'synced': the file has 3 bytes of 8 bits"),
        (BitRot("n", "none", 0), "n has no bit 0 of byte 0 in 'none': there is no such file, or it is empty"),
        (Hold(99), "no message 99 is in flight: it arrived, or was lost with its connection; hold another"),
        (Release(99), "no message 99 is in flight: it arrived, or was lost with its connection; hold another"),
    ],
    ids=repr,
)
def test_an_act_that_makes_no_sense_is_refused_in_one_sentence_and_changes_nothing(act: Act, message: str) -> None:
    def run(refused: Act | None) -> str:
        world = room(n=Writer)
        world.add_machine("off", "a", Toy)
        world.run_until(1_500)
        world.step()
        if refused is not None:
            with pytest.raises(FaultError) as error:
                world.act(refused)
            assert str(error.value) == message
        world.act(Crash("n", "power loss"))
        world.act(Restart("n"))
        return play(world).journal.digest()

    assert run(act) == run(None)


@pytest.mark.parametrize("kind", CRASHES)
def test_a_machine_that_is_down_cannot_crash_again(kind: str) -> None:
    world = crashed(kind)
    with pytest.raises(FaultError, match=rf"n is already down \({kind} at 0.010 s\): restart it first"):
        world.act(Crash("n", "process kill"))


def test_a_machine_that_is_up_cannot_be_started() -> None:
    world = room(n=Writer)
    with pytest.raises(FaultError, match="n is up: crash it before you restart it"):
        world.start("n")


def test_a_room_has_one_machine_of_a_name() -> None:
    world = World(hardware=STEADY)
    world.add_machine("n", "a", Toy)
    with pytest.raises(ValueError, match="there is a machine called n already: choose another name"):
        world.add_machine("n", "b", Toy)


def test_a_process_that_exited_may_lose_its_power_too() -> None:
    class Quitter(Writer):
        def boot(self, now: int) -> Effects:
            yield from super().boot(now)
            yield Exit(0, "done")

    world = room(n=Quitter)
    world.run_until(10_000)
    assert world.machines["n"].last_crash == "exit 0: done"
    with pytest.raises(FaultError, match="already down"):
        world.act(Crash("n", "process kill"))
    world.act(Crash("n", "power loss", tail="lost"))
    assert world.machines["n"].disk.read("dirty") == b""


def test_a_crash_of_one_machine_leaves_a_handler_of_another_where_it_was() -> None:
    world = room(client=Client, server=Logger, n=Writer)
    play_until(world, Append, "server")
    play_until(world, Fsync, "server")
    world.act(Crash("n", "power loss"))
    play(world)
    assert [data for _, data in arrivals(world, "client")] == [b"OK hello"]
    assert node(world, "client").received == [b"OK hello"]
    assert any(isinstance(step.what, Send) for step in world.journal)
