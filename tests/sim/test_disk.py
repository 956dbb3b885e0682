"""The disk's fault model, in pairs: what survives with, and is lost without.

`test_disk_model.py` plays random operations against a naive model of the same rules.
"""

from __future__ import annotations

from random import Random

import pytest
from sim_toys import fsync

from durable_redis.contract import DiskError
from durable_redis.sim.disk import Disk, Tail


def new_disk(seed: int = 0) -> Disk:
    return Disk(Random(seed))


def with_durable(content: bytes, seed: int = 0) -> Disk:
    """A disk with one file, "log", durable with its name."""
    disk = new_disk(seed)
    disk.append("log", content)
    assert fsync(disk, "log") is None
    assert disk.sync_names() is None
    assert not disk.dirty
    return disk


# -- content ---------------------------------------------------------------------


@pytest.mark.parametrize(("synced", "found"), [(True, b"old new"), (False, b"old")])
def test_an_append_survives_a_power_loss_with_fsync_and_is_lost_without(synced: bool, found: bytes) -> None:
    disk = with_durable(b"old")
    disk.append("log", b" new")
    if synced:
        fsync(disk, "log")
    disk.power_loss("lost")
    assert disk.read("log") == found


def test_what_is_appended_while_an_fsync_runs_is_not_covered_by_it() -> None:
    disk = with_durable(b"")
    disk.append("log", b"before")
    promise = disk.fsync_begins("log")
    assert not isinstance(promise, DiskError)
    disk.append("log", b" after")
    assert disk.fsync_ends(*promise, "log") is None
    assert disk.read("log") == b"before after"
    disk.power_loss("lost")
    assert disk.read("log") == b"before"


def test_until_the_fsync_ends_nothing_is_promised() -> None:
    disk = with_durable(b"old")
    disk.append("log", b" new")
    disk.fsync_begins("log")
    disk.power_loss("lost")
    assert disk.read("log") == b"old"
    assert disk.files["log"].syncing == 0


def test_the_seed_chooses_the_prefix_that_a_power_loss_leaves() -> None:
    def found(seed: int) -> bytes | None:
        disk = with_durable(b"old", seed)
        disk.append("log", b"abcd")
        disk.power_loss()
        return disk.read("log")

    assert {found(seed) for seed in range(60)} == {b"old", b"olda", b"oldab", b"oldabc", b"oldabcd"}
    assert [found(seed) for seed in range(20)] == [found(seed) for seed in range(20)]


def test_a_power_loss_reports_what_it_left() -> None:
    disk = with_durable(b"old")
    disk.append("log", b"abcd")
    disk.append("other", b"xy")
    assert disk.power_loss("kept") == (Tail(None, 1, 1), Tail("log", 4, 4), Tail("other", 2, 2))
    disk.append("log", b"efg")
    assert disk.power_loss("lost") == (Tail("log", 3, 0),)
    assert disk.power_loss() == ()


@pytest.mark.parametrize(("synced", "found"), [(True, b"new"), (False, b"old content")])
def test_an_overwrite_survives_with_fsync_and_the_old_content_comes_back_without(synced: bool, found: bytes) -> None:
    disk = with_durable(b"old content")
    disk.write("log", b"new")
    assert disk.read("log") == b"new"
    if synced:
        fsync(disk, "log")
    disk.power_loss("lost")
    assert disk.read("log") == found


def test_an_unsynced_overwrite_may_leave_old_content_or_none_or_a_torn_new_one() -> None:
    def found(seed: int) -> bytes | None:
        disk = with_durable(b"old content", seed)
        disk.write("log", b"new")
        disk.power_loss()
        return disk.read("log")

    assert {found(seed) for seed in range(60)} == {b"old content", b"", b"n", b"ne", b"new"}


@pytest.mark.parametrize(("synced", "found"), [(True, b"whole"), (False, b"whole, torn")])
def test_a_truncation_survives_with_fsync_and_is_undone_without(synced: bool, found: bytes) -> None:
    disk = with_durable(b"whole, torn")
    disk.truncate("log", 5)
    assert disk.dirty
    if synced:
        fsync(disk, "log")
    disk.power_loss("lost")
    assert disk.read("log") == found


def test_a_truncation_may_have_reached_the_platter_before_the_power_loss() -> None:
    disk = with_durable(b"whole, torn")
    disk.truncate("log", 5)
    assert disk.power_loss("kept") == (Tail("log", 1, 1),)
    assert disk.read("log") == b"whole"


def test_cutting_a_torn_tail_never_endangers_the_synced_bytes_before_it() -> None:
    """What Redis does with a torn append-only file: it cuts the tail, and appends behind it."""

    def found(seed: int) -> bytes | None:
        disk = with_durable(b"synced|torn", seed)
        disk.truncate("log", 7)
        disk.append("log", b"new")
        disk.power_loss()
        return disk.read("log")

    assert {found(seed) for seed in range(60)} == {b"synced|torn", b"synced|", b"synced|n", b"synced|ne", b"synced|new"}


def test_the_kernel_writes_back_content_and_names() -> None:
    disk = new_disk()
    disk.append("log", b"abcd")
    disk.write_back()
    assert not disk.dirty
    assert disk.power_loss("lost") == ()
    assert disk.read("log") == b"abcd"


# -- names ---------------------------------------------------------------------


@pytest.mark.parametrize(("synced", "found"), [(True, b"new"), (False, b"old")])
def test_a_rename_survives_with_a_directory_sync_and_is_undone_without(synced: bool, found: bytes) -> None:
    disk = with_durable(b"old")
    disk.append("temporary", b"new")
    fsync(disk, "temporary")
    disk.sync_names()
    disk.rename("temporary", "log")
    assert disk.read("log") == b"new"
    assert disk.read("temporary") is None
    if synced:
        disk.sync_names()
    disk.power_loss("lost")
    assert disk.read("log") == found
    assert disk.read("temporary") == (None if synced else b"new")


@pytest.mark.parametrize("tail", ["lost", "kept"])
def test_a_rename_is_atomic(tail: str) -> None:
    disk = with_durable(b"old")
    disk.append("temporary", b"new")
    fsync(disk, "temporary")
    disk.sync_names()
    disk.rename("temporary", "log")
    disk.power_loss(tail)
    assert (disk.read("log"), disk.read("temporary")) in [(b"old", b"new"), (b"new", None)]


def test_synced_content_under_a_name_that_is_not_durable_is_lost() -> None:
    disk = new_disk()
    disk.append("log", b"content")
    fsync(disk, "log")
    disk.power_loss("lost")
    assert disk.read("log") is None


def test_a_durable_name_with_unsynced_content_is_an_empty_file() -> None:
    disk = new_disk()
    disk.append("log", b"content")
    disk.sync_names()
    disk.power_loss("lost")
    assert disk.read("log") == b""


@pytest.mark.parametrize(("synced", "found"), [(True, None), (False, b"old")])
def test_a_removal_survives_with_a_directory_sync_and_is_undone_without(synced: bool, found: bytes | None) -> None:
    disk = with_durable(b"old")
    disk.remove("log")
    if synced:
        disk.sync_names()
    disk.power_loss("lost")
    assert disk.read("log") == found


def test_changes_of_names_become_durable_in_their_order() -> None:
    def found(seed: int) -> tuple[str, ...]:
        disk = new_disk(seed)
        for name in ("a", "b", "c"):
            disk.append(name, b"")
        disk.power_loss()
        return disk.list("")

    assert {found(seed) for seed in range(40)} == {(), ("a",), ("a", "b"), ("a", "b", "c")}


def test_a_directory_lists_its_own_files() -> None:
    disk = new_disk()
    for name in ("b", "folder/z", "a", "folder/inner/x"):
        disk.append(name, b"")
    assert disk.list("") == ("a", "b")
    assert disk.list("folder") == ("folder/z",)
    assert disk.list("nowhere") == ()


@pytest.mark.parametrize(
    "operation",
    [
        lambda disk: disk.truncate("nothing", 0),
        lambda disk: disk.rename("nothing", "log"),
        lambda disk: disk.remove("nothing"),
        lambda disk: disk.fsync_begins("nothing"),
        lambda disk: disk.rot("nothing", 0, 0),
    ],
)
def test_a_file_that_is_not_there_is_an_error_and_changes_nothing(operation: object) -> None:
    disk = new_disk()
    assert callable(operation)
    assert operation(disk) == DiskError("ENOENT", "nothing")
    assert not disk.dirty


# -- errors, rot, loss ---------------------------------------------------------------------


def test_a_failed_fsync_makes_the_kernel_forget_the_dirty_pages() -> None:
    """ "fsyncgate": the next fsync succeeds, the data reads well, and after a power loss it is zeros."""
    disk = with_durable(b"old")
    disk.append("log", b"NEW")
    disk.failing["fsync"] = True
    assert fsync(disk, "log") == DiskError("EIO", "log")
    disk.failing["fsync"] = False
    disk.append("log", b"later")
    assert fsync(disk, "log") is None
    assert disk.read("log") == b"oldNEWlater"
    disk.power_loss("lost")
    assert disk.read("log") == b"old\0\0\0later"


def test_writing_forgotten_pages_anew_makes_them_well() -> None:
    disk = with_durable(b"old")
    disk.append("log", b"NEW")
    disk.failing["fsync"] = True
    fsync(disk, "log")
    disk.failing["fsync"] = False
    disk.truncate("log", 3)
    disk.append("log", b"AGAIN")
    assert fsync(disk, "log") is None
    disk.power_loss("lost")
    assert disk.read("log") == b"oldAGAIN"


def test_a_failed_write_back_is_reported_by_the_next_fsync_and_only_once() -> None:
    disk = with_durable(b"old")
    disk.append("log", b"NEW")
    disk.failing["fsync"] = True
    disk.write_back()
    disk.failing["fsync"] = False
    assert fsync(disk, "log") == DiskError("EIO", "log")
    assert fsync(disk, "log") is None
    disk.power_loss("lost")
    assert disk.read("log") == b"old\0\0\0"


def test_a_directory_sync_fails_on_a_failing_device() -> None:
    disk = new_disk()
    disk.append("log", b"")
    disk.failing["fsync"] = True
    assert disk.sync_names() == DiskError("EIO", "")
    disk.write_back()
    disk.power_loss("lost")
    assert disk.list("") == ()


def test_a_failed_write_leaves_the_file_as_it_was() -> None:
    disk = with_durable(b"old")
    disk.failing["write"] = True
    assert disk.append("log", b"new") == DiskError("EIO", "log")
    assert disk.write("log", b"new") == DiskError("EIO", "log")
    assert disk.truncate("log", 0) == DiskError("EIO", "log")
    assert disk.append("other", b"new") == DiskError("EIO", "other")
    assert disk.list("") == ("log",)
    assert disk.read("log") == b"old"


def test_bit_rot_turns_one_bit_over_and_tells_nobody() -> None:
    disk = with_durable(b"old")
    assert disk.rot("log", 1, 0) is None
    assert disk.read("log") == b"omd"
    assert not disk.dirty
    disk.power_loss("lost")
    assert disk.read("log") == b"omd"


def test_a_lost_disk_is_replaced_by_an_empty_and_healthy_one() -> None:
    disk = with_durable(b"old")
    disk.failing["write"] = True
    disk.extra_fsync_us = 5
    disk.lose()
    assert disk.list("") == ()
    assert disk.append("log", b"new") is None
    disk.power_loss("lost")
    assert disk.list("") == ()
    assert disk.extra_fsync_us == 0
