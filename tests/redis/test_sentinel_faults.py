"""Sentinels behind cut wires, on machines that stand still, with clocks that jump: what stays true."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from sentineltools import at_ms, kill, node, restart, room, run, story

from durable_redis.sim import World
from durable_redis.sim.faults import Crash, Cut, Delay, FaultError, HealNetwork, Partition, Pause, Restart, Skew
from durable_redis.sim.hardware import Hardware

MINORITY, MAJORITY = ("n1", "n2", "s1", "s2"), ("n3", "n4", "n5", "s3", "s4", "s5")


def five() -> World:
    return run(room(servers=5, sentinels=5), 4_000)


def names(world: World) -> dict[str, str]:
    """Whom each sentinel names."""
    found = [name for name, machine in world.machines.items() if name.startswith("s") and machine.up]
    return {name: node(world, name).announced_primary for name in found}


# -- partitions ------------------------------------------------------------------------------------------------------


def test_during_a_partition_there_are_two_primaries_and_nobody_lies():
    """Each side names what it can know.  The minority's primary goes on, since nothing can tell it to stop."""
    world = five()
    world.act(Partition((MINORITY, MAJORITY)))
    run(world, 20_000)
    named = names(world)
    assert [named["s1"], named["s2"]] == ["n1", "n1"]
    assert named["s3"] == named["s4"] == named["s5"]
    assert named["s3"] in ("n3", "n4", "n5")
    assert node(world, "n1").view()["role"] == node(world, named["s3"]).view()["role"] == "primary"


def test_after_the_partition_the_higher_epoch_wins_and_the_old_primary_is_demoted():
    world = five()
    world.act(Partition((MINORITY, MAJORITY)))
    run(world, 20_000)
    new = names(world)["s3"]
    world.act(HealNetwork())
    healed_ms = world.now_us // 1000
    run(world, 60_000)
    assert set(names(world).values()) == {new}
    assert {machine for machine, _, facts in story(world, "switch") if facts["how"].startswith("hello")} >= {"s1", "s2"}
    # Not before 8 s: a newer configuration might have been on its way.
    assert 8_000 <= at_ms(world, "demoted", server="n1") - healed_ms <= 25_000
    assert [node(world, name).primary for name in ("n1", "n2", "n3", "n4", "n5")] == [
        "" if name == new else new for name in ("n1", "n2", "n3", "n4", "n5")
    ]


def test_a_primary_in_the_majority_stays_primary():
    world = five()
    world.act(Partition((("n1", "n2", "s3", "s4", "s5"), ("n3", "n4", "n5", "s1", "s2"))))
    run(world, 30_000)
    assert set(names(world).values()) == {"n1"}
    assert story(world, "leader") == []
    world.act(HealNetwork())
    run(world, 30_000)
    assert set(names(world).values()) == {"n1"}
    assert story(world, "promoting", "demoted") == []


def test_a_primary_that_only_one_sentinel_cannot_reach_is_left_alone():
    world = five()
    world.act(Cut("s1", "n1", both=True))
    run(world, 30_000)
    assert at_ms(world, "sdown", instance="n1")
    assert {machine for machine, _, facts in story(world, "sdown") if facts["instance"] == "n1"} == {"s1"}
    assert story(world, "odown", "failover") == []


def test_a_leader_that_is_cut_off_after_its_election_does_not_undo_the_next_one():
    """The first leader was about to promote n3, and comes back when another has been elected in a later epoch."""
    world = five()
    kill(world, "n1")
    while not story(world, "leader"):
        world.step()
    first, _, facts = story(world, "leader")[0]
    others = tuple(name for name in world.machines if name != first)
    world.act(Partition(((first,), others)))
    run(world, 40_000)
    second = story(world, "leader")[-1][2]
    assert second["epoch"] > facts["epoch"]
    new = names(world)[second["leader"]]
    world.act(HealNetwork())
    run(world, 40_000)
    assert set(names(world).values()) == {new}
    assert node(world, new).primary == ""


# -- standing still --------------------------------------------------------------------------------------------------


def test_a_sentinel_that_stood_still_trusts_nothing_for_a_while():
    """TILT: what it did not hear while it slept is nobody's silence but its own."""
    world = run(room(), 4_000)
    world.act(Pause("s1", 5_000_000))
    run(world, 10_000)
    assert [facts["on"] for _, _, facts in story(world, "tilt", machine="s1")] == [True]
    kill(world, "n1")
    run(world, 12_000)
    assert story(world, "sdown", machine="s1") == [], "it looks, and does not judge"
    assert set(names(world).values()) <= {"n2", "n3"}, "the others have seen to it, and it was told"
    run(world, 20_000)
    assert [facts["on"] for _, _, facts in story(world, "tilt", machine="s1")] == [True, False]


@pytest.mark.parametrize("skew_us", [-3_600_000_000, 3_600_000_000])
def test_a_clock_that_jumps_is_no_reason_to_fail_over(skew_us):
    world = run(room(), 4_000)
    world.act(Skew("s1", skew_us))
    world.act(Skew("s2", skew_us))
    run(world, 60_000)
    assert story(world, "odown", "failover") == []
    assert [node(world, name).tilt for name in ("s1", "s2")] == [False, False]


def test_a_primary_that_stands_still_is_replaced_and_wakes_as_a_second_one():
    """A pause looks like a death from outside, and like nothing from inside."""
    world = run(room(), 4_000)
    world.act(Pause("n1", 10_000_000))
    run(world, 12_000)
    new = next(iter(names(world).values()))
    assert new != "n1"
    assert node(world, "n1").view()["role"] == "primary"
    run(world, 30_000)
    assert node(world, "n1").primary == new


def test_slow_wires_alone_bring_nobody_down():
    world = run(room(), 4_000)
    for other in ("n1", "n2", "n3", "s2", "s3"):
        world.act(Delay("s1", other, 400_000))
        world.act(Delay(other, "s1", 400_000))
    run(world, 30_000)
    assert story(world, "sdown") == []


# -- agreement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_one_leader_and_one_promotion_an_epoch_whatever_happens_to_the_room(seed):
    """Random partitions, crashes, pauses, and a primary that dies: of one epoch there is at most one leader, at most
    one promoted replica; and when the room is well again, one opinion."""
    world = run(room(seed=seed, servers=4, sentinels=5, quorum=2, hardware=Hardware()), 4_000)
    luck = Random(seed)
    for _ in range(10):
        disturb(world, luck)
        run(world, luck.randrange(500, 6_000))
    with suppress(FaultError):
        world.act(HealNetwork())
    for name in world.machines:
        if not world.machines[name].up:
            restart(world, name)
    run(world, 100_000)

    for kind in ("leader", "promoting", "promoted"):
        epochs = [facts["epoch"] for _, _, facts in story(world, kind)]
        assert len(epochs) == len(set(epochs)), f"seed {seed}: {kind} twice in one epoch: {story(world, kind)}"
    named = set(names(world).values())
    assert len(named) == 1, f"seed {seed}: {names(world)}"
    roles = {name: node(world, name).primary for name in ("n1", "n2", "n3", "n4")}
    [primary] = named
    assert roles == {name: "" if name == primary else primary for name in roles}, f"seed {seed}"


def disturb(world: World, luck: Random) -> None:
    """One act, or nothing where it makes no sense just now."""
    machines = list(world.machines)
    luck.shuffle(machines)
    cut = luck.randrange(1, len(machines))
    primary = next(iter(names(world).values()), "n1")
    act = luck.choice(
        [
            Partition((tuple(machines[:cut]), tuple(machines[cut:]))),
            HealNetwork(),
            Pause(machines[0], luck.randrange(100_000, 6_000_000)),
            Crash(machines[0], luck.choice(["process kill", "power loss"])),
            Restart(machines[0]),
            Crash(primary, "process kill"),
        ]
    )
    with suppress(FaultError):
        world.act(act)
