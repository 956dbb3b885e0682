"""Random schedules of faults: the same from the same seed, bounded, always mended; and made small when they fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import durable_redis as dr
from durable_redis.lab.deployments import Redis
from durable_redis.lab.playback import Playback
from durable_redis.lab.schedules import (
    ALL_FAULTS,
    FAULTS,
    LOGGED_FAULTS,
    Nemesis,
    Schedule,
    draw,
    play,
    shrink,
    survivable,
)
from durable_redis.sim.scenario import Action, Scenario


class Three(Redis):
    """Three servers in three zones that know nothing of one another."""

    nodes = ("n1", "n2", "n3")
    zones: Mapping[str, str] = {"n1": "a", "n2": "b", "n3": "c"}


class Managed(Redis):
    """Two servers, a sentinel beside one of them, and an endpoint in a zone of its own: it is only looked at."""

    nodes = ("n1", "n2")
    controls = ("s1", "endpoint")
    zones: Mapping[str, str] = {"n1": "a", "n2": "b", "s1": "b", "endpoint": "region"}


EVERYTHING = Nemesis(ALL_FAULTS, fewest=4, most=14, end_ms=6_000, longest_ms=3_000)


def test_a_schedule_is_that_of_its_seed() -> None:
    def texts(seed: int) -> list[str]:
        return [str(action) for action in draw(seed, Redis(clients=2)).actions]

    assert texts(0) == [
        "pause('n1', 2289)@3503000us",
        "crash('n1', 'process kill')@10109000us",
        "restart('n1')@17408000us",
        "heal_network()@21000000us",
        "slow_disk('n1', 0)@21000000us",
        "restore('a')@21000000us",
    ]
    assert "partition(('client2', 'n1'), ('client1',))@18477000us" in texts(1)
    assert len({str(texts(seed)) for seed in range(50)}) == 50


@pytest.mark.parametrize("seed", range(25))
def test_a_schedule_is_bounded_in_number_and_time_and_is_written_like_any_action(seed: int) -> None:
    nemesis = Nemesis(fewest=2, most=5, begin_ms=300, end_ms=2_000, longest_ms=700)
    schedule = draw(seed, Three(), nemesis)
    begins = [action for action in schedule.troubles if action.verb in ("crash", "outage", "partition", "cut", "pause")]
    assert len(begins) <= 5
    assert 2 <= len(schedule.troubles) <= 2 * 5
    times = [action.at_us for action in schedule.actions]
    assert all(at_us is not None and 300_000 <= at_us <= 2_000_000 for at_us in times)
    assert times == sorted(times, key=lambda at_us: at_us or 0)
    assert {action.at_us for action in schedule.mending} == {2_000_000}
    scenario = Scenario("Redis()", 1, schedule.actions)
    assert Scenario.parse(str(scenario)) == scenario


def test_each_fault_takes_its_share_and_only_what_was_asked_for_comes() -> None:
    verbs = {
        "process kill": {"crash", "restart"},
        "power loss": {"crash", "restart"},
        "disk loss": {"crash", "restart"},
        "outage": {"outage", "restore"},
        "partition": {"partition", "heal_network"},
        "cut": {"cut", "heal_network"},
        "delay": {"delay"},
        "pause": {"pause"},
        "slow disk": {"slow_disk"},
        "skew": {"skew"},
        "one disk loss": {"crash", "restart"},
        "clock error": {"skew"},
        "isolation": {"partition", "heal_network"},
        "blackout": {"outage", "restore"},
        "corruption": {"spoil_writes", "heal_disk"},
    }
    for fault in ALL_FAULTS:
        drawn = [action for seed in range(20) for action in draw(seed, Three(), Nemesis((fault,))).troubles]
        assert {action.verb for action in drawn} == verbs[fault]
        assert all(action.arguments[1] in fault for action in drawn if action.verb == "crash")
    counts = Counter(action.verb for seed in range(300) for action in draw(seed, Three(), Nemesis(FAULTS)).troubles)
    assert min(counts.values()) > 80, counts
    assert counts["skew"] == 0


def test_every_server_is_hit_and_a_machine_outside_the_zones_of_the_data_never() -> None:
    faults = tuple(fault for fault in ALL_FAULTS if fault != "isolation")  # which cuts them off, too
    nemesis = Nemesis(faults, fewest=10, most=20)
    words = [repr(action) for seed in range(60) for action in draw(seed, Managed(clients=2), nemesis).actions]
    for name in ("n1", "n2", "s1"):
        assert any(f"crash', arguments=('{name}'" in text for text in words)
        assert any(f"pause', arguments=('{name}'" in text for text in words)
    assert any("'client2'" in text for text in words)
    assert not any("endpoint" in text or "region" in text or "'you'" in text for text in words)


def test_of_a_log_all_zones_are_hit_and_one_disk_may_be_lost_and_clocks_are_wrong_within_the_bound() -> None:
    memorydb = dr.MemoryDB(replicas=0, lease_ms=1_000, backoff_ms=1_500)
    assert memorydb.clock_error_ms == 124
    assert survivable(memorydb) == LOGGED_FAULTS
    assert survivable(Redis()) == FAULTS
    zones, lost, errors, slow = set(), set(), set(), set()
    for seed in range(40):
        drawn = draw(seed, memorydb, Nemesis(LOGGED_FAULTS, fewest=10, most=20)).troubles
        zones |= {action.arguments[0] for action in drawn if action.verb == "outage"}
        errors |= {action.arguments[1] for action in drawn if action.verb == "skew"}
        slow |= {action.arguments[0] for action in drawn if action.verb == "slow_disk"}
        gone = {action.arguments[0] for action in drawn if action.arguments[1:] == ("disk loss",)}
        assert len(gone) <= 1, "the log keeps what it has while no other zone loses its disk"
        lost |= gone
    assert zones == {"a", "b", "c"}
    assert slow == lost == {"log-a", "log-b", "log-c"}, "the nodes have no disks"
    assert errors == {-124, -12, 0, 12, 124}


def test_where_there_are_shards_slots_move_often_just_before_something_else_happens() -> None:
    memorydb = dr.MemoryDB(replicas=1, shards=3)
    moves, near, counts = [], 0, Counter[int]()
    for seed in range(60):
        drawn = draw(seed, memorydb, Nemesis(begin_ms=500)).troubles
        here = [action for action in drawn if action.verb == "migrate"]
        others_us = [action.at_us or 0 for action in drawn if action.verb != "migrate"]
        near += sum(any(0 <= at_us - (move.at_us or 0) <= 400_000 for at_us in others_us) for move in here)
        counts[len(here)] += 1
        moves += here
    assert set(counts) == {0, 1, 2, 3}
    assert 0.7 < near / len(moves) < 0.9
    assert {move.arguments[1] for move in moves} == {"s1", "s2", "s3"}
    for (first, last), target in [move.arguments for move in moves]:
        (source,) = [shard for shard in memorydb.shards if shard.has(first)]
        assert source.first <= first <= last < source.last, "never all that a shard began with"
        assert source.name != target
    assert all(500_000 <= (move.at_us or 0) < 21_000_000 for move in moves)
    alone = [*draw(3, dr.MemoryDB(replicas=5)).troubles, *draw(3, dr.RedisCluster()).troubles]
    assert "migrate" not in {action.verb for action in alone}


def test_slots_that_nobody_serves_now_move_another_time() -> None:
    playback = Playback(dr.MemoryDB(replicas=0, shards=2), 0)
    crash, move = Action("crash", ("n1", "power loss"), at_us=1_000_000), Action("migrate", (7, "s2"), at_us=1_100_000)
    assert play(playback, Schedule((crash, move), ())) == (crash,)
    with pytest.raises(dr.LabError, match="slots move to another shard: there is s1, s2"):
        play(playback, Schedule((Action("migrate", (7, "s9"), at_us=1_200_000),), ()))


@pytest.mark.parametrize("deployment", [Three(), Redis(appendonly=True)], ids=repr)
@pytest.mark.parametrize("seed", range(6))
def test_at_the_end_everything_is_mended_and_the_run_can_be_replayed(deployment: Redis, seed: int) -> None:
    schedule = draw(seed, deployment, EVERYTHING)
    playback = Playback(deployment, seed, record=False)
    playback.perform(Action("write", (20, 300), at_us=200_000))
    done = play(playback, schedule)
    assert mended_room(playback)
    assert len(done) > len(schedule.mending)
    again = Playback(deployment, seed, record=False)
    for performed in playback.performed:
        again.perform(performed.action)
    assert mended_room(again)
    assert again.world.journal.digest() == playback.world.journal.digest()


@pytest.mark.parametrize("mended", [True, False])
@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_what_begins_and_never_ends_is_mended_and_without_mending_it_is_not(fault: str, mended: bool) -> None:
    """As in a schedule that was shrunk: the ends may be gone."""
    schedule = draw(5, Three(), Nemesis((fault,), fewest=6, end_ms=6_000))
    ends = ("restart", "restore", "heal_network", "heal_disk")
    begins = [action for action in schedule.troubles if action.verb not in ends and action.arguments[-1] != 0]
    playback = Playback(Three(), 0, record=False)
    play(playback, Schedule(tuple(begins), schedule.mending if mended else ()))
    assert mended_room(playback) == (mended or fault == "pause"), "a pause ends by itself"


def mended_room(playback: Playback) -> bool:
    playback.play_to(6_000_000)
    world = playback.world
    return (
        not any(wire.cut or wire.extra_us for wire in world.wires.values())
        and world.paused == {}
        and all(machine.up and machine.clock_skew_us == 0 for machine in world.machines.values())
        and not any(machine.disk.spoils for machine in world.machines.values())
        and all(machine.disk.extra_fsync_us == 0 for machine in world.machines.values())
    )


def test_an_action_that_is_not_possible_by_then_is_left_out() -> None:
    crash, restart = Action("crash", ("n1", "power loss"), at_us=1_000_000), Action("restart", ("n1",), at_us=2_000_000)
    playback = Playback(Redis(), 0)
    assert play(playback, Schedule((crash, crash, restart, restart), ())) == (crash, restart)
    assert [done.action for done in playback.performed] == [crash, restart]
    with pytest.raises(dr.LabError, match="there is no node 'n7'"):
        play(playback, Schedule((Action("crash", ("n7", "power loss"), at_us=3_000_000),), ()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"faults": ("flood",)}, "no fault is called 'flood': choose of process kill, power loss, outage"),
        ({"faults": ()}, "a nemesis needs a fault to do"),
        ({"fewest": 7}, "a nemesis needs a fault to do, 0 times or more: it has 7 to 6"),
        ({"begin_ms": 5, "end_ms": 5}, "a nemesis needs time: from 5 to 5 ms"),
        ({"longest_ms": 0}, "each fault at most 0 ms, leaves none"),
    ],
)
def test_an_impossible_nemesis_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(dr.LabError, match=said):
        Nemesis(**options)  # type: ignore[arg-type]


# -- shrinking -------------------------------------------------------------------------------------------------------


def numbered(count: int) -> Schedule:
    """Troubles that can be told apart, and a mending."""
    return Schedule(
        tuple(Action("pause", ("n1", number), at_us=number) for number in range(count)),
        (Action("heal_network", at_us=count),),
    )


def numbers(schedule: Schedule) -> list[int]:
    return [action.at_us or 0 for action in schedule.troubles]


def counted(fails: Callable[[list[int]], bool]) -> tuple[Callable[[Schedule], bool], list[int]]:
    calls: list[int] = []

    def judge(schedule: Schedule) -> bool:
        calls.append(len(schedule.troubles))
        assert schedule.mending, "a schedule without its mending would fail for another reason"
        return fails(numbers(schedule))

    return judge, calls


@pytest.mark.parametrize("needed", [[], [0], [39], [7, 8], [0, 20, 39], [5, 11, 17, 23, 29, 35]])
def test_shrinking_finds_exactly_what_matters_in_few_trials(needed: list[int]) -> None:
    judge, calls = counted(lambda present: set(needed) <= set(present))
    small = shrink(numbered(40), judge)
    assert numbers(small) == needed
    assert small.mending == numbered(40).mending
    assert len(calls) < 25 * (1 + len(needed))


def test_a_schedule_that_does_not_fail_cannot_be_shrunk() -> None:
    with pytest.raises(dr.LabError, match="this schedule does not fail: there is nothing to shrink"):
        shrink(numbered(4), lambda schedule: False)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=4), min_size=1, max_size=3),
    st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)).map(sorted).map(tuple), max_size=8),
)
@example([{0}], {(number, number + 1) for number in range(11)})
def test_of_what_is_left_no_single_trouble_can_be_dropped(causes: list[set[int]], props: set[tuple[int, int]]) -> None:
    """Several causes, each enough; and of some pairs the first may go only after the second, or the failure hides."""

    def fails(present: list[int]) -> bool:
        hidden = any(second in present and first not in present for first, second in props)
        return any(cause <= set(present) for cause in causes) and not hidden

    small = numbers(shrink(numbered(12), lambda schedule: fails(numbers(schedule))))
    assert fails(small)
    assert not any(fails(small[:place] + small[place + 1 :]) for place in range(len(small)))


def test_a_real_failure_shrinks_to_the_power_loss_that_caused_it() -> None:
    """A server without an append-only file forgets what it had said OK to, at any crash; of all the rest, nothing
    matters."""
    deployment = Three(save=())

    def loses(schedule: Schedule) -> bool:
        playback = Playback(deployment, 3, record=False)
        playback.perform(Action("write", (10, 20), at_us=200_000))
        play(playback, schedule)
        return not playback.views()["n1"].get("keys", 1)

    seed = next(seed for seed in range(50) if loses(draw(seed, deployment, EVERYTHING)))
    found = draw(seed, deployment, EVERYTHING)
    small = shrink(found, loses)
    assert len(found.troubles) > 3
    assert [action.verb for action in small.troubles] in (["crash"], ["outage"])
