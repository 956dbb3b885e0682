"""The log switched on and off at run time: CONFIG SET appendonly, with and without a child at work."""

from __future__ import annotations

from redistools import DIRECTORY, Bench, log_of, manifest_of

from durable_redis.redis.persistence.aof import State


def test_without_a_log_a_rewrite_makes_a_base_and_nothing_else() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.send("BGREWRITEAOF")
    bench.send("SET", "later", "v")
    bench.finish()
    assert manifest_of(bench) == ["b appendonly.aof.1.base.rdb"]
    assert bench.server.aof.state is State.OFF
    assert bench.restarted(appendonly=True).keys() == {b"k": b"v"}


def test_a_log_switched_on_has_everything_though_a_useless_rewrite_was_running() -> None:
    """The rewrite that runs already does not have what came between its fork and the switch (aof.c)."""
    bench = Bench()
    bench.send("SET", "a", 1)
    bench.send("BGREWRITEAOF")
    bench.send("SET", "b", 1)
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.send("SET", "c", 1)
    bench.finish("rewrite")
    bench.send("SET", "d", 1)
    assert bench.server.aof.state is State.ON
    assert list(bench.restarted(appendonly=True).keys()) == [b"a", b"b", b"c", b"d"]


def test_a_log_switched_on_while_a_snapshot_is_made_begins_afterwards() -> None:
    bench = Bench()
    bench.send("SET", "a", 1)
    bench.send("BGSAVE")
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.send("SET", "b", 1)
    assert not bench.disk.list("appendonlydir"), "there is no log yet to write into"
    bench.finish("bgsave")
    bench.cron()
    bench.send("SET", "c", 1)
    bench.finish("rewrite")
    assert list(bench.restarted(appendonly=True).keys()) == [b"a", b"b", b"c"]


def test_a_rewrite_asked_for_by_hand_is_the_beginning_that_a_snapshot_held_up() -> None:
    bench = Bench()
    bench.send("SET", "a", 1)
    bench.send("BGSAVE")
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.finish("bgsave")
    bench.send("SET", "b", 1)
    assert bench.send("BGREWRITEAOF") == b"+Background append only file rewriting started\r\n"
    bench.send("SET", "c", 1)
    bench.finish("rewrite")
    assert bench.server.aof.state is State.ON
    assert list(bench.restarted(appendonly=True).keys()) == [b"a", b"b", b"c"]


def test_off_and_on_again_does_not_write_into_the_old_log() -> None:
    """What was executed while the log was off is missing in it: nothing may be added behind the gap."""
    bench = Bench(appendonly=True)
    bench.send("SET", "a", 1)
    bench.send("CONFIG", "SET", "appendonly", "no")
    bench.send("SET", "b", 1)
    bench.send("BGSAVE")
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.send("SET", "c", 1)
    assert bench.restarted(appendonly=True).keys() == {b"a": b"1"}
    bench.finish("bgsave")
    bench.cron()
    assert bench.restarted(appendonly=True).keys() == {b"a": b"1"}
    bench.finish("rewrite")
    assert list(bench.restarted(appendonly=True).keys()) == [b"a", b"b", b"c"]


def test_switched_off_while_it_waits_it_wants_no_rewrite_any_more() -> None:
    bench = Bench()
    bench.send("BGSAVE")
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.send("CONFIG", "SET", "appendonly", "no")
    bench.finish("bgsave")
    bench.cron()
    assert not bench.children


def test_switching_on_does_not_empty_a_file_that_an_older_manifest_names() -> None:
    older = Bench(appendonly=True)
    older.send("SET", "k", "old")
    bench = older.restarted()  # with the log off
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.send("SET", "k", "new")
    assert bench.restarted(appendonly=True).keys() == {b"k": b"old"}, "until the first base is there"
    bench.finish("rewrite")
    assert bench.restarted(appendonly=True).keys() == {b"k": b"new"}


def test_a_stale_file_of_a_log_never_finished_does_not_come_back() -> None:
    bench = Bench(save=())
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.send("SET", "k", "stale")
    bench.cron(1_000_000)
    bench.finish("fsync")
    again = bench.restarted(save=())
    again.send("SET", "k", "new")
    again.send("CONFIG", "SET", "appendonly", "yes")
    again.finish("rewrite")
    again.disk.power_loss("lost")
    assert again.restarted(appendonly=True).keys() == {b"k": b"new"}


def test_stale_temporary_files_do_no_harm() -> None:
    bench = Bench(appendonly=True)
    bench.send("SET", "k", "v")
    for path in ("temp-rewriteaof-bg.aof", f"{DIRECTORY}temp-appendonly.aof.manifest"):
        bench.disk.append(path, b"half of something")
    bench.disk.write_back()
    again = bench.restarted(appendonly=True)
    assert again.keys() == {b"k": b"v"}
    again.send("BGREWRITEAOF")
    again.finish()
    assert again.restarted(appendonly=True).keys() == {b"k": b"v"}
    assert log_of(again) == ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof"]
