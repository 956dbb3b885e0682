"""Snapshots off the box: made when they are due, released only when rehearsed, the log trimmed only behind them."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from datatools import ALL_KINDS, Writer, dataset_of, digest, restore

from durable_redis.contract import Compute, Note, Opened, Received, Send
from durable_redis.formats.resp import encode_command
from durable_redis.memorydb import shadow as shadows
from durable_redis.memorydb.bugs import BUGS
from durable_redis.memorydb.catalog import id_of
from durable_redis.memorydb.dataset import Dataset
from durable_redis.memorydb.errors import Damaged, RecoveryError
from durable_redis.memorydb.log import Entries, EntryId, Refused
from durable_redis.memorydb.log.local import LocalLog, LocalLogUser
from durable_redis.memorydb.shadow import Shadow, SnapshotterConfig
from durable_redis.memorydb.shadow_phase import TRANSITIONS, Phase
from durable_redis.memorydb.snapshotter import Snapshotter
from durable_redis.memorydb.store import ObjectStore
from durable_redis.sim import World
from durable_redis.sim.faults import BitRot, Crash, FailDisk, HealDisk, Restart

EAGER = SnapshotterConfig(freshness_percent=1, least_bytes=1, watch_ms=1_000)
RELEASED, SNAPSHOTS = "objects/s1%2Freleased%2F", "objects/s1%2Fsnapshots%2F"


class Place:
    """The store and the snapshotter in a room, beside a log that no crash of theirs touches."""

    def __init__(self, writer: Writer, config: SnapshotterConfig = EAGER, bug: str = "", seed: int = 1) -> None:
        self.log = writer.log
        self.full = dataset_of(writer.log)  # what every recovery must give
        self.world = World(seed)

        def snapshotter(random: Random) -> Snapshotter:
            kind = BUGS[bug].snapshotter if bug else Snapshotter
            return kind(random, {"s1": LocalLogUser("snapshotter", "s1", self.log, random)}, config)

        self.world.add_machine("s3", "region", ObjectStore)
        self.world.add_machine("snapshotter", "region", snapshotter)
        for name in self.world.machines:
            self.world.start(name)

    # -- playing -----------------------------------------------------------------------------------------------------

    def play(self, ms: int = 3_000) -> Place:
        self.world.run_until(self.world.now_us + ms * 1000)
        return self

    def until(self, kind: str) -> Place:
        """Step until the snapshotter has noted this, for at most 20 s of the room's time."""
        end_us = self.world.now_us + 20_000_000
        while self.world.step(by_us=end_us):
            step = self.world.journal.steps[-1]
            if isinstance(step.what, Note) and step.what.kind == kind:
                return self
        raise AssertionError(f"never {kind}")

    def notes(self, kind: str) -> list[dict[str, Any]]:
        return [
            dict(step.what.facts)
            for step in self.world.journal
            if isinstance(step.what, Note) and step.what.kind == kind and step.machine == "snapshotter"
        ]

    @property
    def shadow(self) -> Shadow:
        process = self.world.machines["snapshotter"].process
        assert process is not None
        shadow: Shadow = process.node.shadows["s1"]
        return shadow

    # -- what a power loss of the store would leave ------------------------------------------------------------------

    def durable(self, prefix: str) -> dict[str, bytes]:
        files = self.world.machines["s3"].disk.durable
        return {
            path.removeprefix(prefix): bytes(file.platter) for path, file in files.items() if path.startswith(prefix)
        }

    def released(self) -> list[tuple[EntryId, bytes | None]]:
        """What a recovery may begin with, the best first: at last nothing, and the log from its beginning."""
        snapshots = self.durable(SNAPSHOTS)
        stems = sorted((stem for stem in self.durable(RELEASED) if stem in snapshots), reverse=True)
        return [*((id_of(stem), snapshots[stem]) for stem in stems), (EntryId.ZERO, None)]

    def newest(self) -> tuple[EntryId, bytes | None]:
        return self.released()[0]

    def recover(self, choice: int = 0) -> Dataset:
        """A node that has nothing comes, now, and begins with the newest snapshot, or with the one before that (1).
        Raises RecoveryError."""
        at, content = self.released()[choice]
        found = self.log.read(at)
        if isinstance(found, Refused):
            raise Damaged("the log", found.reason)
        assert isinstance(found, Entries)
        return restore(content, found)

    def check(self) -> None:
        """The promise: the newest released snapshot and the log behind it are the data, and so are the snapshot before
        it and the log behind that."""
        for choice in (0, 1):
            recovered = self.recover(choice)
            assert recovered.at == self.full.at
            assert digest(recovered) == digest(self.full)


def filled(count: int = 5) -> Writer:
    writer = Writer()
    for argv in ALL_KINDS[:count]:
        writer.write(argv)
    return writer


# -- one snapshot ----------------------------------------------------------------------------------------------------


def test_a_snapshot_is_made_verified_released_and_the_log_trimmed_behind_it() -> None:
    writer = filled(7)
    place = Place(writer).play()
    tail = writer.log.tail().id
    assert place.newest()[0] == tail
    assert len(place.durable(SNAPSHOTS)) == len(place.durable(RELEASED)) == 1
    assert writer.log.sequence.cut == EntryId.ZERO, "before the first snapshot there is only the whole log"
    place.check()
    writer.write([b"SET", b"more", b"1"])
    place.full = place.recover()
    place.play()
    assert writer.log.sequence.cut == tail < place.newest()[0]
    assert [note["upto"] for note in place.notes("trimmed")] == [str(EntryId.ZERO), str(tail)]
    place.check()


def test_the_next_one_begins_with_the_last_and_the_one_before_goes() -> None:
    writer = filled(3)
    place = Place(writer).play()
    made = [place.newest()[0]]
    for number in range(3):
        writer.write([b"DEL", b"string"], [b"SET", b"more", b"%d" % number])
        place.full = place.recover()
        place.play()
        made.append(place.newest()[0])
        assert [at for at, _ in place.released()[:2]] == made[:-3:-1]
        assert len(place.durable(SNAPSHOTS)) == len(place.durable(RELEASED)) == 2
        assert writer.log.sequence.cut == made[-2]
        place.check()
    assert len(place.notes("snapshot released")) == len(set(made)) == 4


def test_after_a_release_a_crash_changes_nothing_and_the_rest_is_made_up_for() -> None:
    place = two_rounds()
    made = place.newest()[0]
    place.until("snapshot released")
    place.world.act(Crash("snapshotter", "power loss"))
    assert place.log.sequence.cut < made
    place.world.act(Restart("snapshotter"))
    place.play()
    assert place.log.sequence.cut == made < place.newest()[0] == place.log.tail().id
    assert len(place.notes("dumped")) == 3


def test_the_table_of_phases_has_them_all_and_each_is_reached() -> None:
    assert set(TRANSITIONS) == set(Phase) == {phase for following in TRANSITIONS.values() for phase in following}


# -- when ------------------------------------------------------------------------------------------------------------


def releases(percent: int, keys: int, rounds: int = 12) -> int:
    writer = Writer()
    writer.fill(keys)
    place = Place(writer, SnapshotterConfig(freshness_percent=percent, least_bytes=1, watch_ms=100)).play()
    for round_ in range(rounds):
        writer.fill(20, keys=keys, first=round_ * 20)
        place.play(400)
    return len(place.notes("snapshot released")) - 1


def test_much_data_is_saved_seldom_and_few_data_often() -> None:
    few, many = releases(100, keys=20), releases(100, keys=2_000)
    assert few > 5 * max(1, many)


def test_a_fresher_snapshot_costs_more_of_them() -> None:
    assert releases(50, keys=400) > releases(200, keys=400)


def test_nothing_is_made_without_new_entries_not_even_when_asked_for() -> None:
    place = Place(filled()).play()
    place.shadow.wanted = True
    place.play(10_000)
    assert len(place.notes("snapshot released")) == 1


def test_an_operator_need_not_wait() -> None:
    writer = filled()
    place = Place(writer, SnapshotterConfig(least_bytes=10**9)).play()
    assert place.notes("snapshot begun") == []
    process = place.world.machines["snapshotter"].process
    assert process is not None

    def asked(*argv: bytes) -> bytes:
        (answer,) = process.node.handle(Received("c", encode_command(argv)), 0)
        return answer.data

    list(process.node.handle(Opened("c", "an operator"), 0))
    assert asked(b"snapshot") == b"+OK\r\n"
    place.play()
    assert len(place.notes("snapshot released")) == 1
    for argv in ([b"SNAPSHOT", b"s9"], [b"PING"], [b"SNAPSHOT", b"s1", b"s1"]):
        assert asked(*argv).startswith(b"-ERR ")


# -- crashes ---------------------------------------------------------------------------------------------------------


def two_rounds(bug: str = "") -> Place:
    """Two snapshots are released; a third is about to be made, of a log that has gone on."""
    writer = filled(2)
    place = Place(writer, bug=bug)
    place.until("trimmed")
    writer.write(ALL_KINDS[2])
    place.until("trimmed")
    for argv in ALL_KINDS[3:6]:
        writer.write(argv)
    place.full = place.recover()
    return place


@pytest.mark.parametrize(
    ("machine", "kind"), [("snapshotter", "power loss"), ("s3", "power loss"), ("s3", "process kill")]
)
def test_crashed_at_every_step_the_old_snapshot_counts_or_the_new_one_and_recovery_is_whole(
    machine: str, kind: str
) -> None:
    whole = two_rounds()
    old, older = whole.newest()[0], whole.log.sequence.cut
    begun = len(whole.world.journal)
    while whole.newest()[0] == old or whole.shadow.phase is not Phase.WATCHING:
        whole.world.step()
    steps, new = len(whole.world.journal) - begun, whole.newest()[0]
    seen = set()
    for step in range(steps + 1):
        place = two_rounds()
        for _ in range(step):
            place.world.step()
        place.world.act(Crash(machine, kind, tail="lost"))
        place.check()
        seen.add((place.newest()[0], place.log.sequence.cut))
        place.world.act(Restart(machine))
        place.play(12_000)
        place.check()
        assert (place.newest()[0], place.log.sequence.cut) == (new, old)
        assert len(place.durable(SNAPSHOTS)) == len(place.durable(RELEASED)) == 2
    assert seen == {(old, older), (new, older), (new, old)}


@pytest.mark.parametrize("operation", ["write", "fsync"])
def test_a_store_whose_disk_fails_releases_nothing_and_later_does(operation: str) -> None:
    place = two_rounds()
    old = place.newest()[0]
    place.world.act(FailDisk("s3", operation))
    place.play(5_000)
    assert place.log.sequence.cut < place.newest()[0] == old
    assert place.notes("snapshot given up")
    place.check()
    place.world.act(HealDisk("s3"))
    place.play(5_000)
    assert place.newest()[0] == place.log.tail().id
    place.check()


# -- verification ----------------------------------------------------------------------------------------------------


def rot_after_upload(place: Place) -> None:
    """One bit of the candidate turns over as soon as it is in the store."""
    disk = place.world.machines["s3"].disk
    before = set(place.durable(SNAPSHOTS))
    while set(place.durable(SNAPSHOTS)) <= before:
        place.world.step()
    (stem,) = set(place.durable(SNAPSHOTS)) - before
    content = disk.read(SNAPSHOTS + stem)
    assert content is not None
    place.world.act(BitRot("s3", SNAPSHOTS + stem, content.index(b"hash"), 1))


def test_a_flipped_bit_is_found_in_the_rehearsal_and_the_old_snapshot_stays() -> None:
    place = two_rounds()
    old = place.newest()[0]
    rot_after_upload(place)
    place.until("snapshot given up")
    assert place.log.sequence.cut < place.newest()[0] == old
    place.check()
    (note,) = place.notes("snapshot given up")
    assert note["in"] == "rehearsing"
    assert "the checksum says" in note["why"]
    place.play()  # the next try is good
    assert place.newest()[0] == place.log.tail().id
    assert len(place.durable(SNAPSHOTS)) == 2
    place.check()


def test_without_the_rehearsal_a_flipped_bit_is_released_and_the_shard_is_lost() -> None:
    place = two_rounds("snapshot without verification")
    rot_after_upload(place)
    place.play()
    assert place.newest()[0] == place.log.sequence.cut
    with pytest.raises(RecoveryError, match="the checksum says"):
        place.recover()
    with pytest.raises(RecoveryError, match="the log begins behind"):
        place.recover(1)


def rot(place: Place, stem: str) -> None:
    """One bit of a snapshot that is in the store turns over."""
    place.world.act(BitRot("s3", SNAPSHOTS + stem, 120))


def test_what_rots_when_it_is_released_is_refused_and_the_next_one_made_from_the_one_before() -> None:
    place = two_rounds()
    place.play()
    older, rotten = sorted(place.durable(SNAPSHOTS))
    rot(place, rotten)
    with pytest.raises(Damaged):
        place.recover()
    assert digest(place.recover(1)) == digest(place.full)
    Writer(place.log).write([b"SET", b"more", b"1"])
    place.full = place.recover(1)
    place.play()
    (note,) = place.notes("snapshot refused")
    assert (note["at"], "the checksum says" in note["why"]) == (str(id_of(rotten)), True)
    assert [id_of(stem) for stem in sorted(place.durable(SNAPSHOTS))] == [id_of(older), place.log.tail().id]
    assert place.log.sequence.cut == id_of(older), "and not the damaged one's"
    place.check()


def test_when_all_have_rotted_and_the_log_does_not_reach_back_nothing_is_made_of_half_the_data() -> None:
    place = two_rounds()
    place.play()
    released = place.released()
    for stem in place.durable(SNAPSHOTS):
        rot(place, stem)
    Writer(place.log).write([b"SET", b"more", b"1"])
    place.play()
    assert "the log begins behind" in place.notes("snapshot given up")[-1]["why"]
    assert [at for at, _ in place.released()] == [at for at, _ in released]


def crash_before_the_release(bug: str) -> Place:
    place = two_rounds(bug)
    place.until("dumped")
    place.play(3)  # the log has answered a question since, and the store has not fsynced the file yet
    place.world.act(Crash("snapshotter", "power loss"))
    return place.play()


def test_a_log_is_trimmed_behind_the_released_snapshot_and_so_the_old_one_still_counts() -> None:
    crash_before_the_release("").check()


def test_trimmed_ahead_of_the_release_the_log_leaves_a_hole_behind_the_old_snapshot() -> None:
    place = crash_before_the_release("trim ahead of the snapshot")
    assert place.log.sequence.cut > place.newest()[0]
    with pytest.raises(Damaged, match="the log begins behind"):
        place.recover()


def test_another_good_snapshot_in_the_place_of_the_new_one_is_found_in_the_rehearsal() -> None:
    place = two_rounds()
    disk = place.world.machines["s3"].disk
    old = max(place.durable(SNAPSHOTS))
    place.until("dumped")
    while len(place.durable(SNAPSHOTS)) < 3:
        place.world.step()
    disk.write(SNAPSHOTS + place.shadow.stem, place.durable(SNAPSHOTS)[old])
    place.until("snapshot given up")
    assert "with other data than were dumped" in place.notes("snapshot given up")[0]["why"]
    place.check()


def test_a_key_that_is_lost_on_the_way_into_the_file_is_found_in_the_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    place = two_rounds()
    honest = shadows.dump
    monkeypatch.setattr(shadows, "dump", lambda entries, label: honest(list(entries)[1:], label))
    place.until("snapshot given up")
    assert "its label says that the data's digest is" in place.notes("snapshot given up")[0]["why"]
    place.check()


def test_a_snapshot_of_another_past_is_never_built_on() -> None:
    """The log was lost and begun anew; the store still has a snapshot of the old one, at an id that the new one has."""
    place = Place(filled(3)).play()
    at, content = place.newest()
    assert content is not None
    other = Writer()
    other.fill(10)
    place.log.sequence = other.log.sequence
    place.play()
    why = {note["why"] for note in place.notes("snapshot given up")}
    assert len(why) == 1
    assert "the log's running checksum is" in why.pop()
    assert place.newest()[0] == at


# -- off the box -----------------------------------------------------------------------------------------------------


def test_all_its_work_is_done_on_its_own_machine() -> None:
    place = Place(filled()).play()
    work = {(step.machine, step.what.work) for step in place.world.journal if isinstance(step.what, Compute)}
    assert {machine for machine, kind in work if kind in ("load", "replay")} == {"snapshotter"}
    assert not any(kind == "fork" for _, kind in work)


def test_a_late_release_of_a_crashed_life_does_not_count_when_its_snapshot_is_gone() -> None:
    place = Place(filled()).play()
    at, _ = place.newest()
    late = f"{at.index + 7:020}-1-00000000"
    place.world.machines["s3"].disk.write(RELEASED + late, b"")
    Writer(place.log).write([b"SET", b"more", b"1"])
    place.full = place.recover()
    place.play()
    assert place.newest()[0] == place.log.tail().id > at
    assert late not in place.durable(RELEASED)
    place.check()


def test_what_it_says_to_an_operator_is_in_the_bytes() -> None:
    node = Snapshotter(Random(1), {"s1": LocalLogUser("snapshotter", "s1", LocalLog(), Random(1))})
    list(node.handle(Opened("c", "you"), 0))
    assert list(node.handle(Received("c", encode_command([b"SNAPSHOT", b"s1"])), 0)) == [Send("c", b"+OK\r\n")]
    assert node.shadows["s1"].wanted
