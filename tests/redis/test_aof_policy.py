"""appendfsync, and the disk that it trusts: every claim as a pair, survives with and lost without."""

from __future__ import annotations

import pytest
from redistools import Bench

import durable_redis as dr
from durable_redis.contract import Append, DiskError, Exit, Fork, Fsync, Note, Send
from durable_redis.sim.disk import File
from durable_redis.sim.journal import Synced

INCR = "appendonlydir/appendonly.aof.1.incr.aof"
MISCONF = b"-MISCONF Errors writing to the AOF file: Input/output error\r\n"


def lost_after(kind: str, at_ms: float, slow_ms: float = 0, **options: object) -> int:
    """How many acknowledged writes a crash takes, of a client that writes every 10 ms; nothing survives by luck."""
    run = dr.Redis(appendonly=True, **options).start(seed=5)
    if slow_ms:
        run.slow_disk("n1", slow_ms)
    run.write(1_000, every_ms=10)
    run.play(at_ms)
    run.crash("n1", kind, tail="lost")
    run.restart("n1")
    return run.receipt().lost


# -- the table of the policies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "kind", "least", "most"),
    [
        ("always", "process kill", 0, 0),
        ("always", "power loss", 0, 0),
        ("everysec", "process kill", 0, 0),
        ("everysec", "power loss", 1, 100),
        ("no", "process kill", 0, 0),
        ("no", "power loss", 250, 300),
        ("always", "disk loss", 250, 300),
    ],
)
def test_what_a_crash_takes_under_each_policy(policy: str, kind: str, least: int, most: int) -> None:
    assert least <= lost_after(kind, 2_990, appendfsync=policy) <= most


@pytest.mark.parametrize(("at_ms", "most"), [(29_900, 3_000), (30_200, 30)])
def test_without_fsync_the_kernel_writes_back_after_thirty_seconds(at_ms: float, most: int) -> None:
    run = dr.Redis(appendonly=True, appendfsync="no").start(seed=5)
    run.write(100, every_ms=1)
    run.play(at_ms)
    run.crash("n1", "power loss", tail="lost")
    run.restart("n1")
    assert run.receipt().lost == (100 if at_ms < 30_000 else 0)


# -- a slow disk -----------------------------------------------------------------------------------------------------


def test_the_window_of_everysec_is_a_second_on_a_good_disk_and_more_on_a_slow_one() -> None:
    healthy = max(lost_after("power loss", at_ms) for at_ms in (2_900, 3_400, 3_950))
    slow = max(lost_after("power loss", at_ms, slow_ms=1_500) for at_ms in (3_900, 4_950, 5_400))
    assert 50 <= healthy <= 101
    assert slow > 150


def test_on_a_slow_disk_even_a_process_kill_takes_what_was_acknowledged() -> None:
    """FACTS 4.3: the write(2) is postponed while an fsync runs, for up to two seconds; the changes are in the AOF
    buffer only, and the clients were told OK."""
    assert lost_after("process kill", 2_400, appendfsync="everysec") == 0
    assert lost_after("process kill", 2_400, slow_ms=1_500, appendfsync="everysec") > 100
    assert lost_after("process kill", 2_400, slow_ms=1_500, appendfsync="no") == 0, "without fsync nothing is postponed"


def test_a_write_is_postponed_for_two_seconds_and_then_the_server_stands_still() -> None:
    run = dr.Redis(appendonly=True).start(seed=5)
    run.slow_disk("n1", 4_000)
    run.write(600, every_ms=10)
    run.play(8_000)
    steps = run.playback.world.journal.steps
    begin = next(step.at_us for step in steps if isinstance(step.what, Fsync) and step.what.path == INCR)
    blocked = next(step.at_us for step in steps if isinstance(step.what, Append) and step.at_us > begin)
    end = next(step.at_us for step in steps if isinstance(step.what, Synced) and step.what.path == INCR)
    assert 2_000_000 <= blocked - begin <= 2_030_000
    answers = [step.at_us for step in steps if isinstance(step.what, Send) and step.machine == "n1"]
    assert not [at_us for at_us in answers if blocked < at_us < end], "the thread waits in write(2)"
    assert [at_us for at_us in answers if begin < at_us < blocked], "until then everybody was answered"
    assert run.playback.world.machines["n1"].process.node.aof.delayed_fsyncs >= 1, "as INFO's aof_delayed_fsync tells"


# -- a disk that fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["write", "fsync"])
def test_always_ends_the_process_rather_than_answer(operation: str) -> None:
    bench = Bench(appendonly=True, appendfsync="always")
    bench.disk.failing[operation] = True
    bench.effects.clear()
    assert bench.send("SET", "k", "v") == b""
    assert isinstance(bench.exit, Exit)
    assert bench.exit.code == 1
    assert bench.exit.reason == (f"cannot {operation} the append-only file, and appendfsync is always: EIO on {INCR}")
    assert not bench.of(Send)


def test_everysec_refuses_writes_while_they_cannot_be_logged_and_recovers() -> None:
    bench = Bench(appendonly=True)
    bench.send("SET", "before", "v")
    bench.disk.failing["write"] = True
    assert bench.send("SET", "k", "v") == b"+OK\r\n", "executed already when the write failed: it stays in the buffer"
    assert bench.send("SET", "k", "w") == MISCONF
    assert bench.send("PING") == MISCONF
    assert bench.send("GET", "k") == b"$1\r\nv\r\n"
    assert [effect.facts["error"] for effect in bench.of(Note) if effect.kind == "cannot write the log"] == [
        f"EIO on {INCR}"
    ], "said once, not at every attempt"
    bench.disk.failing["write"] = False
    bench.cron()
    assert bench.send("SET", "k", "w") == b"+OK\r\n"
    assert bench.restarted(appendonly=True).keys() == {b"before": b"v", b"k": b"w"}


def test_everysec_refuses_writes_after_a_failed_fsync_until_one_succeeds() -> None:
    bench = Bench(appendonly=True)
    bench.disk.failing["fsync"] = True
    bench.now_us += 1_000_000
    bench.send("SET", "k", "v", "PX", 1)
    bench.finish("fsync")
    assert bench.send("SET", "k", "w") == MISCONF
    bench.cron()  # the key expires: its DEL is written without trouble, and says nothing of the platter
    assert bench.send("SET", "k", "w") == MISCONF
    bench.disk.failing["fsync"] = False
    bench.cron(1_000_000)
    bench.finish("fsync")
    assert bench.send("SET", "k", "w") == b"+OK\r\n"


def test_fsyncgate_what_a_failed_fsync_forgot_is_lost_though_the_next_one_succeeds() -> None:
    """The pair: the same writes and the same power loss, with and without one failed fsync a second earlier."""

    def survivors(fails: bool) -> tuple[bool, str, int]:
        run = dr.Redis(appendonly=True).start(seed=5)
        run.write(50, every_ms=10)
        run.play(900)
        if fails:
            run.fail_disk("n1", "fsync")
        run.play(1_200)
        run.heal_disk("n1")
        run.play(3_500)
        assert run.command("SET", "afterwards", "v").text == b"OK", "the server believes that all is well again"
        run.play(6_000)
        frame = run.frame().machines["n1"]
        run.crash("n1", "power loss", tail="lost")
        return run.restart("n1"), run.last_crash("n1"), frame.at_risk["power loss"]

    assert survivors(fails=False) == (True, "power loss", 0)
    starts, why, at_risk = survivors(fails=True)
    assert not starts, "where the writes were, there are zeros now"
    assert "appendonly.aof.1.incr.aof: at byte 0: " in why
    assert at_risk == 51, "and the marks knew it"


# -- while a child writes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suspended", "fsyncs"), [(True, 0), (False, 1)])
def test_no_appendfsync_on_rewrite(suspended: bool, fsyncs: int) -> None:
    bench = Bench(appendonly=True, no_appendfsync_on_rewrite=suspended)
    bench.send("BGSAVE")
    bench.now_us += 2_000_000
    bench.send("SET", "k", "v")
    assert ("fsync" in bench.children) == bool(fsyncs)
    bench.finish("bgsave")
    bench.cron()
    assert "fsync" in bench.children, "when the child is done, the fsync is made up for"


def test_with_always_and_no_appendfsync_on_rewrite_an_acknowledged_write_can_be_lost() -> None:
    def lost(**options: object) -> bool:
        bench = Bench(appendonly=True, appendfsync="always", **options)
        bench.send("BGREWRITEAOF")
        assert bench.send("SET", "k", "v") == b"+OK\r\n"
        bench.disk.power_loss("lost")
        return bench.restarted(appendonly=True).send("EXISTS", "k") == b":0\r\n"

    assert not lost()
    assert lost(no_appendfsync_on_rewrite=True)


# -- details ---------------------------------------------------------------------------------------------------------


def test_the_idle_second_is_fsynced_too() -> None:
    """What was written before the clients fell silent does not wait for the next write (redis PR 5985)."""
    bench = Bench(appendonly=True)
    bench.send("SET", "k", "v")
    assert not bench.children
    bench.cron(1_000_000)
    assert [effect.name for effect in bench.of(Fork)] == ["fsync"]
    bench.finish()
    bench.cron(5_000_000)
    assert len(bench.of(Fork)) == 1, "nothing new, no fsync"


def test_an_fsync_of_the_file_before_a_rewrite_says_nothing_of_the_new_one() -> None:
    bench = Bench(appendonly=True)
    bench.now_us += 1_000_000
    bench.send("SET", "k", "v")
    bench.send("BGREWRITEAOF")
    bench.send("SET", "k", "w")
    bench.finish("fsync")
    assert bench.server.aof.synced_size == 0
    bench.finish("rewrite")
    bench.cron(1_000_000)
    bench.finish("fsync")
    assert bench.server.aof.synced_size == bench.server.aof.incr_size > 0


def test_policy_and_log_can_be_changed_at_run_time() -> None:
    bench = Bench(appendonly=True, appendfsync="no")
    bench.send("CONFIG", "SET", "appendfsync", "always")
    bench.effects.clear()
    bench.send("SET", "k", "v")
    assert [type(effect) for effect in bench.effects[-3:]] == [Append, Fsync, Send]


def test_timestamps_are_written_once_a_second() -> None:
    bench = Bench(appendonly=True, aof_timestamp_enabled=True)
    for _ in range(3):
        bench.send("SET", "k", "v")
        bench.cron(600_000)
        bench.finish()
    log = bench.disk.read(INCR)
    assert log is not None
    assert log.count(b"#TS:") == 2
    assert bench.restarted(appendonly=True).keys() == {b"k": b"v"}


def test_the_safe_part_of_a_file_ends_at_the_first_page_that_was_forgotten() -> None:
    file = File()
    file.cache += b"abcdef"
    file.settle(2)
    file.forget(4)
    file.settle(6)
    assert file.safe == 2
    assert str(DiskError("EIO", "x")) == "EIO on x"
