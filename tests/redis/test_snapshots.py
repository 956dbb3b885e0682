"""RDB snapshots: when they are taken, what they hold, what a failed one means, and a clean end."""

from __future__ import annotations

import pytest
from redistools import NOW_US, Bench, command, disk_of

import durable_redis as dr
from durable_redis.contract import (
    Append,
    Compute,
    Exit,
    Fork,
    Fsync,
    Kill,
    Note,
    Received,
    Rename,
    SyncDirectory,
    Write,
)
from durable_redis.formats.rdb import Entry, decode, encode
from durable_redis.redis.persistence import snapshots

MISCONF = b"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."


def saved(bench: Bench) -> dict[bytes, object]:
    content = bench.disk.read("dump.rdb")
    assert content is not None
    return {entry.key: entry.value for entry in decode(content).entries}


# -- the steps -------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_written_aside_fsynced_renamed_and_its_name_synced() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.effects.clear()
    bench.send("BGSAVE")
    assert [type(effect) for effect in bench.effects[2:5]] == [Note, Fork, type(bench.effects[4])]
    bench.effects.clear()
    bench.finish("bgsave")
    steps = [effect for effect in bench.effects if not isinstance(effect, Compute)]
    assert [type(effect) for effect in steps] == [Write, Append, Fsync, Rename, SyncDirectory, Note]
    assert steps[3] == Rename("temp-1.rdb", "dump.rdb")
    assert bench.disk.durable["dump.rdb"].settled == len(bench.disk.read("dump.rdb") or b"")


def test_a_snapshot_holds_the_keyspace_as_it_was_at_the_fork() -> None:
    bench = Bench()
    bench.send("SET", "k", "old")
    bench.send("RPUSH", "list", "a")
    bench.send("BGSAVE")
    bench.send("SET", "k", "new")
    bench.send("RPUSH", "list", "b")
    bench.send("SET", "other", "v")
    bench.finish("bgsave")
    assert saved(bench) == {b"k": b"old", b"list": [b"a"]}


def test_the_facts_in_a_snapshot_are_those_of_the_fork() -> None:
    bench = Bench()
    bench.server.primary.create_backlog()
    bench.send("SET", "k", "v")
    at_fork = bench.server.offset
    bench.send("BGSAVE")
    bench.send("SET", "k", "w")
    bench.finish("bgsave")
    facts = decode(bench.disk.read("dump.rdb") or b"").aux
    assert facts["repl-offset"] == b"%d" % at_fork
    assert facts["repl-id"] == bench.server.history.replid.encode()


def test_a_snapshot_of_a_server_without_replicas_is_of_nobodys_history() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.send("SAVE")
    assert "repl-id" not in decode(bench.disk.read("dump.rdb") or b"").aux


# -- when ------------------------------------------------------------------------------------------------------------


def test_a_save_point_needs_both_the_changes_and_the_time() -> None:
    bench = Bench(save=((10, 3),))
    bench.send("SET", "a", 1)
    bench.send("SET", "b", 1)
    bench.cron(11_000_000)
    assert not bench.children, "the time, and not the changes"
    bench.send("SET", "c", 1)
    bench.cron()
    assert list(bench.children) == ["bgsave"]
    bench.finish()
    for key in "abc":
        bench.send("SET", key, 2)
    bench.cron(9_900_000)
    assert not bench.children, "the changes, and not the time"
    bench.cron(200_000)
    assert list(bench.children) == ["bgsave"]


def test_writes_during_a_save_count_for_the_next_one() -> None:
    bench = Bench()
    bench.send("SET", "a", 1)
    bench.send("SET", "b", 1)
    bench.send("BGSAVE")
    bench.send("SET", "c", 1)
    bench.finish()
    assert bench.server.engine.dirty == 1
    bench.send("SAVE")
    assert bench.server.engine.dirty == 0


def test_a_failed_save_stops_writes_and_is_tried_again_after_five_seconds() -> None:
    bench = Bench(save=((1, 1),))
    bench.send("SET", "k", "v")
    bench.disk.failing["write"] = True
    bench.cron(1_100_000)
    bench.finish("bgsave")
    assert bench.send("SET", "k", "w").startswith(MISCONF)
    assert bench.send("PING").startswith(MISCONF)
    assert bench.send("GET", "k") == b"$1\r\nv\r\n"
    assert b"rdb_last_bgsave_status:err\r\n" in bench.send("INFO", "persistence")
    bench.disk.failing["write"] = False
    bench.cron(4_900_000)
    assert not bench.children, "not within five seconds"
    bench.cron(200_000)
    bench.finish("bgsave")
    assert bench.send("SET", "k", "w") == b"+OK\r\n"
    assert snapshots.RETRY_DELAY_US == 5_000_000


@pytest.mark.parametrize("options", [{"stop_writes_on_bgsave_error": False}, {"save": ()}])
def test_who_does_not_ask_for_it_may_write_on_after_a_failed_save(options: dict[str, object]) -> None:
    bench = Bench(**options)
    bench.disk.failing["fsync"] = True
    bench.send("BGSAVE")
    bench.finish()
    assert bench.send("SET", "k", "v") == b"+OK\r\n"
    assert "temp-1.rdb" not in bench.disk.files, "a failed save leaves no file behind"


def test_a_failed_save_in_the_foreground_is_told_and_stops_nothing() -> None:
    bench = Bench()
    bench.disk.failing["write"] = True
    assert bench.send("SAVE") == b"-ERR\r\n"
    bench.disk.failing["write"] = False
    assert bench.send("SET", "k", "v") == b"+OK\r\n"


def test_a_save_that_was_scheduled_waits_for_the_other_child() -> None:
    bench = Bench(appendonly=True)
    bench.send("BGREWRITEAOF")
    assert bench.send("BGSAVE").startswith(b"-ERR Another child process is active (AOF?)")
    assert bench.send("BGSAVE", "SCHEDULE") == b"+Background saving scheduled\r\n"
    bench.cron()
    assert list(bench.children) == ["rewrite"]
    bench.finish()
    bench.cron()
    assert list(bench.children) == ["bgsave"]


# -- FLUSHALL --------------------------------------------------------------------------------------------------------


def test_flushall_kills_the_save_in_progress_and_saves_the_emptiness() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.send("BGSAVE")
    bench.effects.clear()
    assert bench.send("FLUSHALL") == b"+OK\r\n"
    assert bench.of(Kill) == [Kill("bgsave")]
    assert saved(bench) == {}
    assert bench.send("BGSAVE") == b"+Background saving started\r\n", "the killed one is out of the way"


def test_a_flushall_that_is_refused_does_nothing() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.send("BGSAVE")
    assert bench.send("FLUSHALL", "NOW") == b"-ERR syntax error\r\n"
    bench.finish("bgsave")
    assert saved(bench) == {b"k": b"v"}


def test_a_child_that_had_ended_before_it_was_killed_is_not_heard_of() -> None:
    """The event of its end waits in the inbox while the thread is busy: `Kill` takes it out of there."""
    run = dr.Redis(save=()).start()
    run.slow_disk("n1", 5)
    run.command("SET", "k", "v")
    for argv in (["BGSAVE"], ["MULTI"], ["DEBUG", "SLEEP", "0.05"], ["FLUSHALL"], ["EXEC"]):
        run.command(*argv)
    steps = run.playback.world.journal.steps
    ended = next(step.at_us for step in steps if isinstance(step.what, Note) and step.what.kind == "saved")
    killed = next(step.at_us for step in steps if isinstance(step.what, Kill))
    assert ended < killed
    assert run.command("SET", "k", "v").text == b"OK"
    assert run.command("BGSAVE").text == b"Background saving started"


def test_flushall_in_a_log_saves_nothing_when_it_is_replayed() -> None:
    bench = Bench(appendonly=True, save=())
    bench.send("SET", "a", 1)
    bench.send("FLUSHALL")
    bench.send("SET", "b", 1)
    again = bench.restarted(appendonly=True, save=((60, 1),))
    assert again.send("GET", "b") == b"$1\r\n1\r\n"
    assert again.keys() == {b"b": b"1"}
    assert "dump.rdb" not in again.disk.files


# -- what survives ---------------------------------------------------------------------------------------------------


def test_after_a_kill_there_is_what_the_last_snapshot_held() -> None:
    """FACTS 4.1, with shorter times."""
    run = dr.Redis(save=((1, 50),)).start(seed=2)
    run.write(150, every_ms=10)
    run.play()
    run.crash("n1", "process kill")
    run.restart("n1")
    found = [row.found is not None for row in run.receipt().rows]
    assert found == sorted(found, reverse=True)
    assert 0 < sum(found) < 150
    assert run.receipt().lost == 150 - sum(found)


@pytest.mark.parametrize(
    ("how", "lost"),
    [(["SHUTDOWN"], 0), (["SHUTDOWN", "NOSAVE"], 20), (["SHUTDOWN", "NOW", "FORCE"], 0), (None, 20)],
)
def test_a_clean_end_saves_and_a_crash_does_not(how: list[str] | None, lost: int) -> None:
    run = dr.Redis().start(seed=2)
    run.write(20, every_ms=1)
    run.play()
    if how is None:
        run.crash("n1", "process kill")
    else:
        assert run.command(*how) is None
        assert run.last_crash("n1") == "exit 0: SHUTDOWN"
    run.restart("n1")
    assert run.receipt().lost == lost


def test_without_save_points_a_clean_end_saves_only_if_told_to() -> None:
    for argv, expected in ((["SHUTDOWN"], {}), (["SHUTDOWN", "SAVE"], {b"k": b"v"})):
        bench = Bench(save=())
        bench.send("SET", "k", "v")
        bench.send(*argv)
        assert bench.exit == Exit(0, "SHUTDOWN")
        assert bench.restarted().keys() == expected


def test_a_snapshot_that_cannot_be_written_stops_the_shutdown_unless_forced() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.disk.failing["write"] = True
    assert bench.send("SHUTDOWN") == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
    assert bench.exit is None
    assert bench.send("GET", "k") == b"$1\r\nv\r\n"
    bench.send("SHUTDOWN", "FORCE")
    assert bench.exit == Exit(0, "SHUTDOWN")


def test_shutdown_writes_and_syncs_the_log() -> None:
    bench = Bench(appendonly=True, save=())
    bench.server.handle(Received("one", command("SET", "k", "v")), NOW_US)
    bench.send("SET", "k", "v")
    bench.send("SHUTDOWN")
    assert bench.exit is not None
    bench.disk.power_loss("lost")
    assert bench.restarted(appendonly=True).keys() == {b"k": b"v"}


def test_shutdown_does_not_abandon_the_first_base_of_a_log() -> None:
    bench = Bench(save=())
    bench.send("SET", "k", "v")
    bench.send("CONFIG", "SET", "appendonly", "yes")
    assert bench.send("SHUTDOWN") == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
    bench.finish("rewrite")
    bench.send("SHUTDOWN")
    assert bench.restarted(appendonly=True).keys() == {b"k": b"v"}


# -- loading ---------------------------------------------------------------------------------------------------------


def test_keys_that_expired_while_the_server_was_down_are_not_loaded() -> None:
    now_ms = NOW_US // 1000
    entries = [
        Entry(0, b"past", "string", b"1", now_ms - 1),
        Entry(0, b"now", "string", b"2", now_ms),
        Entry(3, b"future", "string", b"3", now_ms + 1),
    ]
    bench = Bench(disk_of({"dump.rdb": encode(entries, {})}))
    assert list(bench.keys()) == [b"now"], "a key is expired when its time has passed"
    assert list(bench.keys(3)) == [b"future"]


def test_bit_rot_in_a_snapshot_is_found_by_its_checksum() -> None:
    run = dr.Redis().start(seed=1)
    run.command("SET", "k", "a value long enough")
    run.command("SAVE")
    run.crash("n1", "process kill")
    offset = run.file("n1", "dump.rdb").index(b"long enough")
    run.bit_rot("n1", "dump.rdb", offset)
    assert not run.restart("n1")
    assert "dump.rdb: at byte " in run.last_crash("n1")
    assert "checksum" in run.last_crash("n1")


def test_a_stale_temporary_file_does_no_harm() -> None:
    bench = Bench(disk_of({"temp-1.rdb": b"REDIS0010 half of a snapshot, and then the power went"}))
    bench.send("SET", "k", "v")
    bench.send("BGSAVE")
    bench.finish()
    assert saved(bench) == {b"k": b"v"}
    assert bench.restarted().keys() == {b"k": b"v"}
