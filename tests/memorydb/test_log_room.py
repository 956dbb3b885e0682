"""The shared log in its room: what it survives, what it refuses, and how long an append takes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from logtools import (
    REPLICAS,
    add_user,
    append,
    appended,
    ask,
    fill,
    kill,
    leader,
    others,
    process,
    read,
    replica,
    restart,
    room,
    run,
    story,
    tell,
)

from durable_redis.contract import Compute, Effects, Fsync, Send
from durable_redis.memorydb.log import DATA, Appended, Conflict, Entries, EntryId, Refused, Tail, Trimmed, Unknown
from durable_redis.memorydb.log.client import LogClient
from durable_redis.memorydb.log.config import LogConfig, LogConfigError
from durable_redis.memorydb.log.messages import AskAppend, encode
from durable_redis.memorydb.log.node import LogNode
from durable_redis.sim import Hardware, World
from durable_redis.sim.faults import (
    BitRot,
    Crash,
    Cut,
    FailDisk,
    HealDisk,
    HealNetwork,
    Partition,
    Pause,
    Skew,
    SlowDisk,
)

ZERO = EntryId.ZERO
KINDS = ("process kill", "power loss", "disk loss")


def ready(zone: str = "", seed: int = 0, **options: object) -> World:
    """A log with a user n1, in this zone or in that of the log's leader."""
    world = room(seed, **options)  # type: ignore[arg-type]
    add_user(world, zone=zone or leader(world)[-1])
    return world


# -- appending -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("near", "expected_us"), [(True, 2_404), (False, 3_404)])
def test_what_an_append_costs(near, expected_us):
    """To the leader and back (100 us each way in its zone, 600 from another), 4 us of its processor, and the faster
    follower: 600 us there, 1,000 us fsync, 600 us back.  The leader's own fsync is hidden behind that."""
    world = room()
    zone = leader(world)[-1]
    add_user(world, zone=zone if near else "abc".replace(zone, "")[0])
    last = appended(world, "n1", ZERO)
    began_us = world.now_us
    appended(world, "n1", last)
    assert world.now_us - began_us == expected_us


def test_appends_that_come_together_cost_one_fsync():
    """While the first is being synced, ten others arrive: each behind the one before, as one user may send them."""
    world = ready()
    (_, last) = fill(world, "n1", 1)
    before = fsyncs(world)
    tell(world, "n1", lambda now: pipeline(process(world, "n1").log, last, now))
    run(world, 20)
    assert len(replica(world, leader(world)).sequence.entries) == 1 + 1 + 11  # with the no-op
    assert replica(world, leader(world)).committed == 13
    assert fsyncs(world) - before == 3 * 2


def pipeline(log: LogClient, last: EntryId, now: int) -> Effects:
    """Ask for one entry, and half a millisecond later for ten more, without waiting for any answer."""
    for number in range(11):
        append = AskAppend("s1", 1_000 + number, EntryId(last.term, last.index + number), f"t{number}", DATA, b"")
        yield Send(log._connection, encode(append))
        if number == 0:
            yield Compute("sleep", 500)


def fsyncs(world: World) -> int:
    return sum(isinstance(step.what, Fsync) and step.what.path == "s1/log" for step in world.journal)


def test_an_append_behind_an_older_entry_conflicts_and_one_behind_a_future_entry_is_refused():
    world = ready()
    ids = fill(world, "n1", 3)
    assert append(world, "n1", ids[1]) == Conflict(ids[3])
    for after in (EntryId(1, 9), EntryId(7, ids[3].index)):
        refused = append(world, "n1", after)
        assert isinstance(refused, Refused)
        assert refused.code == "NOENTRY"
        assert str(after) in refused.reason
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]
    appended(world, "n1", ids[3])


def test_readers_see_a_chain_without_the_no_ops():
    world = ready()
    ids = fill(world, "n1", 2)
    kill(world, leader(world))
    ids.append(appended(world, "n1", ids[-1]))
    found = read(world, "n1")
    assert [entry.id for entry in found.entries] == ids[1:]
    assert ids[3].index == ids[2].index + 2  # a no-op stands between
    assert found.tail == ids[3]
    for before, entry in pairwise((None, *found.entries)):
        assert entry.follows(before.checksum if before else 0)


# -- the loss of one zone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["leader", "follower"])
def test_losing_any_one_zone_loses_nothing_and_stops_nothing_for_long(kind, which):
    world = ready()
    ids = fill(world, "n1", 5)
    gone = leader(world) if which == "leader" else others(leader(world))[0]
    kill(world, gone, kind=kind)
    began_us = world.now_us
    ids.append(appended(world, "n1", ids[-1]))
    assert world.now_us - began_us < 1_500_000
    restart(world, gone)
    run(world, 3_000)
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]
    for name in REPLICAS:
        assert replica(world, name).sequence.tail(replica(world, name).committed) == ids[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_zone_after_zone_loses_its_disk_and_learns_the_log_anew(kind):
    world = ready()
    ids = fill(world, "n1", 3)
    for name in REPLICAS:
        kill(world, name, kind=kind)
        ids.append(appended(world, "n1", ids[-1]))
        restart(world, name)
        run(world, 2_000)
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]
    assert len(story(world, "whole")) == 3 + 3 * (kind == "disk loss")


@pytest.mark.parametrize("kind", ["process kill", "power loss"])
def test_all_three_crash_and_nothing_is_lost(kind):
    world = ready()
    ids = fill(world, "n1", 5)
    kill(world, *REPLICAS, kind=kind, tail="lost")
    run(world, 500)
    restart(world, *REPLICAS)
    run(world, 3_000)
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]
    appended(world, "n1", ids[-1])


# -- two zones down --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["process kill", "power loss"])
@pytest.mark.parametrize("left", ["leader", "follower"])
def test_with_two_zones_down_nothing_is_acknowledged_nothing_lost_and_it_resumes(kind, left):
    world = ready()
    ids = fill(world, "n1", 3)
    first = leader(world)
    down = others(first) if left == "leader" else [first, others(first)[0]]
    kill(world, *down, kind=kind)
    log = process(world, "n1").log
    count = len(process(world, "n1").answers)
    tell(world, "n1", lambda now: log.append(DATA, b"patient", ids[-1], now))
    run(world, 10_000)
    assert [answer for _, answer in process(world, "n1").answers[count:]] == [Unknown()]
    restart(world, down[0])
    run(world, 3_000)
    (answer,) = [answer for _, answer in process(world, "n1").answers[count + 1 :]]
    assert isinstance(answer, Appended)
    assert [entry.body for entry in read(world, "n1").entries] == [b"0", b"1", b"2", b"patient"]


def test_a_leader_without_a_majority_resigns_and_tells_nobody_of_an_outdated_tail():
    """n1 is alone with the old leader, n2 with the others."""
    world = ready()
    ids = fill(world, "n1", 2)
    old = leader(world)
    add_user(world, "n2", others(old)[0][-1])
    world.act(Partition(((old, "n1"), (*others(old), "n2"))))
    log = process(world, "n1").log
    count = len(process(world, "n1").answers)
    tell(world, "n1", lambda now: log.tail(now))
    ids.append(appended(world, "n2", ids[-1], within_ms=10_000))
    run(world, 5_000)
    assert process(world, "n1").answers[count:] == []
    assert [machine for machine, *_ in story(world, "log leader resigns")] == [old]
    world.act(HealNetwork())
    run(world, 3_000)
    (answer,) = [answer for _, answer in process(world, "n1").answers[count:]]
    assert isinstance(answer, Tail)
    assert answer.id == ids[-1]


def test_whoever_has_gone_is_not_kept_waiting_for():
    world = ready()
    name, last, log = leader(world), appended(world, "n1", ZERO), process(world, "n1").log
    world.act(Partition(((name, "n1"), tuple(others(name)))))
    tell(world, "n1", lambda now: log.append(DATA, b"x", last, now))
    run(world, 20)
    serving = replica(world, name).serving
    assert len(serving.appends) == 1
    kill(world, "n1")
    run(world, 20)
    assert (serving.appends, list(serving.questions), serving.subscribers) == ([], [], {})


def test_an_entry_that_only_a_deposed_leader_has_gives_way():
    world = ready()
    ids = fill(world, "n1", 2)
    old = leader(world)
    add_user(world, "n2", others(old)[0][-1])
    world.act(Partition(((old, "n1"), (*others(old), "n2"))))
    log = process(world, "n1").log
    count = len(process(world, "n1").answers)
    tell(world, "n1", lambda now: log.append(DATA, b"lost", ids[-1], now))
    run(world, 50)
    assert replica(world, old).sequence.entries[-1].body == b"lost"
    ids.append(appended(world, "n2", ids[-1], b"won", within_ms=10_000))
    run(world, 1_000)
    world.act(HealNetwork())
    run(world, 3_000)
    assert [answer for _, answer in process(world, "n1").answers[count:]] == [Unknown(), Conflict(ids[-1])]
    for name in REPLICAS:
        assert [entry.body for entry in replica(world, name).sequence.entries if entry.shown] == [b"0", b"1", b"won"]


# -- unknown outcomes ------------------------------------------------------------------------------------------------


def test_a_retry_at_another_leader_finds_the_entry_that_was_committed_unheard():
    """The leader's answer is lost with the leader, after a follower has stored the entry."""
    world = ready()
    ids = fill(world, "n1", 2)
    old = leader(world)
    for name in others(old):
        world.act(Cut(name, old))
    log = process(world, "n1").log
    count = len(process(world, "n1").answers)
    tell(world, "n1", lambda now: log.append(DATA, b"once", ids[-1], now))
    run(world, 20)
    kill(world, old, kind="disk loss")
    world.act(HealNetwork())
    run(world, 3_000)
    answers = [answer for _, answer in process(world, "n1").answers[count:]]
    assert isinstance(answers[-1], Appended)
    assert answers[-1].id.term == ids[-1].term  # that of the lost leader
    assert [entry.body for entry in read(world, "n1").entries] == [b"0", b"1", b"once"]


def test_a_retry_after_a_restart_of_everything_finds_it_too():
    world = ready()
    ids = fill(world, "n1", 2)
    world.act(Cut(leader(world), "n1"))  # the answer does not arrive
    log = process(world, "n1").log
    count = len(process(world, "n1").answers)
    tell(world, "n1", lambda now: log.append(DATA, b"once", ids[-1], now))
    run(world, 50)
    kill(world, *REPLICAS, kind="power loss", tail="lost")
    world.act(HealNetwork())
    restart(world, *REPLICAS)
    run(world, 5_000)
    answers = [answer for _, answer in process(world, "n1").answers[count:]]
    assert isinstance(answers[-1], Appended)
    assert answers[-1].id.term == ids[-1].term
    assert [entry.body for entry in read(world, "n1").entries] == [b"0", b"1", b"once"]


# -- subscriptions ---------------------------------------------------------------------------------------------------


def test_a_subscription_brings_every_committed_entry_once_across_leaders():
    world = ready()
    reader = add_user(world, "n2", "b")
    tell(world, "n2", lambda now: reader.log.subscribe(ZERO, now))
    ids = fill(world, "n1", 3)
    old = leader(world)
    kill(world, old)
    ids += fill(world, "n1", 3, ids[-1])[1:]
    restart(world, old)
    kill(world, leader(world), kind="power loss")
    ids += fill(world, "n1", 3, ids[-1])[1:]
    run(world, 3_000)
    pushed = [answer for _, answer in reader.answers if isinstance(answer, Entries)]
    assert [entry.id for push in pushed for entry in push.entries] == ids[1:]
    assert pushed[-1].tail == ids[-1]
    assert all(push.pushed for push in pushed)


def test_a_subscriber_hears_of_the_tail_when_nothing_happens():
    world = ready()
    ids = fill(world, "n1", 2)
    reader = add_user(world, "n2", "b")
    tell(world, "n2", lambda now: reader.log.subscribe(ids[1], now))
    run(world, 2_000)
    first, *rest = [answer for _, answer in reader.answers]
    assert [entry.id for entry in first.entries] == ids[2:]
    assert 5 <= len(rest) <= 7  # once in 300 ms
    assert set(rest) == {Entries((), ids[-1], first.entries[-1].checksum, pushed=True)}


def test_many_entries_are_pushed_in_several_messages():
    world = ready(config=LogConfig(batch_entries=3))
    ids = fill(world, "n1", 8)
    reader = add_user(world, "n2", "b")
    tell(world, "n2", lambda now: reader.log.subscribe(ZERO, now))
    run(world, 100)
    assert [len(answer.entries) for _, answer in reader.answers] == [3, 3, 2]
    assert read(world, "n1", ids[2], 2).entries == reader.answers[0][1].entries[2:] + reader.answers[1][1].entries[:1]


# -- trimming --------------------------------------------------------------------------------------------------------


def trim(world: World, upto: EntryId) -> object:
    log = process(world, "n1").log
    return ask(world, "n1", lambda now: log.trim(upto, now))


def test_trimming_forgets_the_beginning_and_keeps_the_checksum():
    world = ready()
    ids = fill(world, "n1", 6)
    checksum = read(world, "n1", ids[4]).base
    assert trim(world, ids[4]) == Trimmed(ids[4], checksum)
    run(world, 500)
    for name in REPLICAS:
        assert (replica(world, name).sequence.cut, replica(world, name).sequence.cut_checksum) == (ids[4], checksum)
    assert [entry.id for entry in read(world, "n1", ids[4]).entries] == ids[5:]
    assert append(world, "n1", ids[3]).code == "BEHIND"
    assert trim(world, ids[2]) == Trimmed(ids[4], checksum)
    assert trim(world, EntryId(1, 99)).code == "NOENTRY"
    kill(world, *REPLICAS, kind="power loss", tail="lost")
    restart(world, *REPLICAS)
    run(world, 3_000)
    assert read(world, "n1", ids[4]).base == checksum
    appended(world, "n1", ids[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_that_missed_what_was_trimmed_begins_at_the_cut(kind):
    world = ready()
    ids = fill(world, "n1", 2)
    late = others(leader(world))[0]
    kill(world, late, kind=kind)
    ids += fill(world, "n1", 4, ids[-1])[1:]
    trim(world, ids[5])
    restart(world, late)
    run(world, 3_000)
    assert replica(world, late).sequence.cut == ids[5]
    assert replica(world, late).committed == ids[-1].index
    assert [machine for machine, *_ in story(world, "log begins anew")] == [late]
    kill(world, others(late)[0])
    appended(world, "n1", ids[-1])


# -- disks that misbehave --------------------------------------------------------------------------------------------


def test_a_slow_disk_in_one_zone_is_waited_for_by_nobody():
    world = ready()
    last = appended(world, "n1", ZERO)
    world.act(SlowDisk(others(leader(world))[0], 3_000_000))
    for _ in range(5):
        began_us = world.now_us
        last = appended(world, "n1", last)
        assert world.now_us - began_us < 3_000


def test_a_leader_with_a_slow_disk_is_replaced():
    world = ready()
    last = appended(world, "n1", ZERO)
    old = leader(world)
    world.act(SlowDisk(old, 5_000_000))
    for _ in range(3):
        last = appended(world, "n1", last)
    assert leader(world) != old
    world.act(HealDisk(old))
    run(world, 6_000)
    assert replica(world, old).committed == last.index


@pytest.mark.parametrize("operation", ["write", "fsync"])
@pytest.mark.parametrize("which", ["leader", "follower"])
def test_a_disk_that_fails_ends_its_replica_and_acknowledges_nothing(operation, which):
    world = ready()
    ids = fill(world, "n1", 2)
    name = leader(world) if which == "leader" else others(leader(world))[0]
    world.act(FailDisk(name, operation))
    ids.append(appended(world, "n1", ids[-1]))
    run(world, 1_000)
    assert "cannot be kept on this disk: EIO" in world.machines[name].last_crash
    world.act(HealDisk(name))
    restart(world, name)
    run(world, 2_000)
    # What a failed fsync has forgotten is written anew: after this the entry is on three platters.
    kill(world, *REPLICAS, kind="power loss", tail="lost")
    restart(world, name, others(name)[0])
    run(world, 3_000)
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]


@pytest.mark.parametrize("path", ["s1/log", "s1/ballot"])
def test_a_rotten_disk_is_noticed_at_the_start_and_its_replica_learns_everything_anew(path):
    world = ready()
    ids = fill(world, "n1", 4)
    name = others(leader(world))[0]
    kill(world, name)
    world.act(BitRot(name, path, -20, 3))
    restart(world, name)
    run(world, 2_000)
    ((_, _, facts),) = story(world, "damaged")
    assert path in facts["why"]
    assert replica(world, name).committed == ids[-1].index
    assert [machine for machine, *_ in story(world, "whole")].count(name) == 2


def test_a_replica_that_found_its_disk_rotten_and_crashes_again_is_blank_still():
    """Its log has been emptied by then: with its old ballot beside it, it would pass for one with an empty log."""
    world = ready()
    ids = fill(world, "n1", 4)
    a, (b, c) = leader(world), others(leader(world))
    world.act(Partition(((b,), (a, c))))
    ids.append(appended(world, "n1", ids[-1]))
    kill(world, a, c)
    world.act(BitRot(c, "s1/log", -20, 3))
    for _ in range(2):
        restart(world, c)
        run(world, 1_000)
        assert replica(world, c).is_blank
        kill(world, c)
    world.act(HealNetwork())
    restart(world, c)
    run(world, 5_000)
    assert not replica(world, b).leading
    restart(world, a)
    run(world, 3_000)
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]


def test_a_torn_tail_is_cut_off():
    world = ready()
    ids = fill(world, "n1", 2)
    name = others(leader(world))[0]
    world.act(SlowDisk(name, 500_000))
    ids.append(appended(world, "n1", ids[-1]))
    world.act(Crash(name, "power loss", 30))
    world.act(HealDisk(name))
    restart(world, name)
    run(world, 2_000)
    ((_, _, facts),) = story(world, "cut")
    assert facts["bytes"] == 30
    assert replica(world, name).committed == ids[-1].index


# -- a replica without memory ----------------------------------------------------------------------------------------


def test_a_replica_that_lost_its_disk_does_not_vote_before_it_knows_what_it_promised():
    """The example of `newcomer`: the entry is on the leader and on c; b is slow.  c loses its disk, the leader its
    power: b and c must not agree on a log without the entry."""
    world = ready()
    ids = fill(world, "n1", 2)
    a = leader(world)
    b, c = others(a)
    world.act(Partition(((b,), (a, c))))
    ids.append(appended(world, "n1", ids[-1]))
    kill(world, c, kind="disk loss")
    kill(world, a, kind="power loss")
    world.act(HealNetwork())
    restart(world, c)
    run(world, 5_000)
    assert replica(world, c).is_blank
    assert not replica(world, b).leading
    restart(world, a)
    run(world, 3_000)
    assert not replica(world, c).is_blank
    assert [entry.id for entry in read(world, "n1").entries] == ids[1:]


def test_two_lost_disks_are_not_guessed_over():
    world = ready()
    fill(world, "n1", 2)
    kill(world, *others("log-a"), kind="disk loss")
    restart(world, *others("log-a"))
    run(world, 10_000)
    assert [replica(world, name).is_blank for name in REPLICAS] == [False, True, True]
    log = process(world, "n1").log
    tell(world, "n1", lambda now: log.append(DATA, b"", ZERO, now))
    run(world, 3_000)
    assert process(world, "n1").answers[-1][1] == Unknown()


def test_a_new_log_waits_for_all_three():
    world = World()
    for name, zone in zip(REPLICAS, "abc", strict=True):
        world.add_machine(name, zone, lambda random, name=name: LogNode(random, name))
    world.start("log-a")
    world.start("log-b")
    run(world, 5_000)
    assert [replica(world, name).is_blank for name in ("log-a", "log-b")] == [True, True]
    world.start("log-c")
    run(world, 2_000)
    assert replica(world, leader(world)).ballot.term == 1


# -- leaders ---------------------------------------------------------------------------------------------------------


def test_a_replica_that_was_cut_off_does_not_depose_a_good_leader():
    world = ready()
    last = appended(world, "n1", ZERO)
    first = leader(world)
    world.act(Partition(((others(first)[0],), (first, others(first)[1]))))
    run(world, 5_000)
    world.act(HealNetwork())
    run(world, 2_000)
    assert leader(world) == first
    assert len(story(world, "log leader")) == 1
    appended(world, "n1", last)


def test_a_paused_leader_finds_itself_deposed():
    world = ready()
    ids = fill(world, "n1", 2)
    old = leader(world)
    world.act(Pause(old, 3_000_000))
    ids.append(appended(world, "n1", ids[-1]))
    run(world, 4_000)
    assert not replica(world, old).leading
    assert replica(world, old).committed == ids[-1].index


@pytest.mark.parametrize("skew_us", [3_600_000_000, -3_600_000_000])
@pytest.mark.parametrize("whose", ["leader", "follower", "user"])
def test_a_clock_that_is_set_stops_nothing_for_long(whose, skew_us):
    """Also if the leader dies a moment later, so that whoever is left has to elect another and to find it."""
    world = ready()
    last = appended(world, "n1", ZERO)
    first = leader(world)
    world.act(Skew({"leader": first, "follower": others(first)[0], "user": "n1"}[whose], skew_us))
    for _ in range(2):
        began_us = world.now_us
        last = appended(world, "n1", last)
        kill(world, leader(world))
        last = appended(world, "n1", last)
        assert world.now_us - began_us < 2_500_000
        restart(world, next(one for one in REPLICAS if not world.machines[one].up))
        run(world, 2_000)


# -- shards, figures -------------------------------------------------------------------------------------------------


def test_two_shards_are_two_logs():
    world = room(config=LogConfig(shards=("s1", "s2")))
    add_user(world)
    add_user(world, "n2", "b", shard="s2")
    first, second = fill(world, "n1", 3), fill(world, "n2", 2)
    assert [entry.id for entry in read(world, "n1").entries] == first[1:]
    assert [entry.id for entry in read(world, "n2").entries] == second[1:]
    assert process(world, "log-a").view()["shards"].keys() == {"s1", "s2"}


def test_of_five_machines_two_may_die():
    names = ("log-a", "log-b", "log-c", "log-d", "log-e")
    world = room(config=LogConfig(replicas=names))
    add_user(world, replicas=names)
    last = fill(world, "n1", 3)[-1]
    kill(world, "log-a")
    kill(world, "log-b")
    last = appended(world, "n1", last)
    kill(world, "log-c")
    assert append(world, "n1", last, b"y") == Unknown()
    restart(world, "log-c")
    run(world, 5_000)
    assert [entry.body for entry in read(world, "n1").entries if entry.kind == DATA] == [b"0", b"1", b"2", b"x", b"y"]


def test_an_unknown_shard_is_refused_by_name():
    world = room()
    add_user(world, shard="s9")
    answer = append(world, "n1", ZERO)
    assert answer == Refused("BADREQUEST", "no shard 's9' is kept here: s1 are")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"replicas": ("a",)}, "three replicas or more"),
        ({"replicas": ("a", "b", "c", "d")}, "odd number"),
        ({"replicas": ("a", "b", "a")}, "names of their own"),
        ({"shards": ()}, "at least one shard"),
        ({"shards": ("../x",)}, "letters and digits"),
        ({"heartbeat_us": 200_000}, "less than half"),
    ],
)
def test_figures_that_cannot_work_are_refused(options, sentence):
    with pytest.raises(LogConfigError, match=sentence):
        LogConfig(**options)


def test_jitter_changes_the_cost_of_an_append_by_little():
    world = ready(hardware=Hardware())
    last = appended(world, "n1", ZERO)
    costs = []
    for _ in range(50):
        began_us = world.now_us
        last = appended(world, "n1", last)
        costs.append(world.now_us - began_us)
    assert 2_300 < min(costs) <= max(costs) < 2_700
