"""Rewriting the log: at every instant the old files are a complete log, or the new ones are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from redistools import DIRECTORY, MANIFEST, Bench, disk_of, log_of, manifest_of

import durable_redis as dr
from durable_redis.contract import Fork, Fsync, Note, Remove, Rename, SyncDirectory, Write
from durable_redis.formats.aof import read_records
from durable_redis.formats.rdb import Entry, Opaque, encode
from durable_redis.redis.persistence import rewrite

# -- the steps -------------------------------------------------------------------------------------------------------


def test_the_steps_of_a_rewrite() -> None:
    bench = Bench(appendonly=True)
    bench.send("SET", "k", "v")
    bench.effects.clear()
    bench.send("BGREWRITEAOF")
    before_fork = bench.of(Fsync, Write, Rename, SyncDirectory, Fork)
    assert before_fork == [
        Fsync(f"{DIRECTORY}appendonly.aof.1.incr.aof"),
        Write(f"{DIRECTORY}appendonly.aof.2.incr.aof", b""),
        Write(f"{DIRECTORY}temp-appendonly.aof.manifest", b""),
        Fsync(f"{DIRECTORY}temp-appendonly.aof.manifest"),
        Rename(f"{DIRECTORY}temp-appendonly.aof.manifest", MANIFEST),
        SyncDirectory("appendonlydir"),
        before_fork[-1],
    ]
    assert manifest_of(bench) == [
        "b appendonly.aof.1.base.rdb",
        "i appendonly.aof.1.incr.aof",
        "i appendonly.aof.2.incr.aof",
    ]
    bench.send("SET", "during", "v")
    bench.effects.clear()
    bench.finish("rewrite")
    assert bench.of(Rename)[0] == Rename("temp-rewriteaof-bg.aof", f"{DIRECTORY}appendonly.aof.2.base.rdb")
    assert [effect.path for effect in bench.of(Remove)] == [
        f"{DIRECTORY}appendonly.aof.1.base.rdb",
        f"{DIRECTORY}appendonly.aof.1.incr.aof",
    ]
    assert manifest_of(bench) == ["b appendonly.aof.2.base.rdb", "i appendonly.aof.2.incr.aof"]
    assert log_of(bench) == ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof"]
    assert bench.restarted(appendonly=True).keys() == {b"k": b"v", b"during": b"v"}


FILL = """SET s v|SET n 12|SET e v PX 100000|RPUSH l a b c|SADD i 1 2 3|SADD m x y|HSET h f 1 g 2|ZADD z 1.5 a -inf b
SELECT 9|SET other v|RPUSH long"""


def fill(bench: Bench) -> None:
    for line in FILL.replace("\n", "|").split("|"):
        words = line.split()
        bench.send(*words, *(range(200) if words[-1] == "long" else ()))


@pytest.mark.parametrize("preamble", [True, False])
def test_a_rewritten_log_says_the_same(preamble: bool) -> None:
    bench = Bench(appendonly=True, aof_use_rdb_preamble=preamble)
    fill(bench)
    before = list(bench.server.engine.entries())
    bench.send("BGREWRITEAOF")
    bench.finish()
    again = bench.restarted(appendonly=True)
    assert sorted(again.server.engine.entries(), key=str) == sorted(before, key=str)
    assert log_of(bench)[0] == ("appendonly.aof.2.base.rdb" if preamble else "appendonly.aof.2.base.aof")


def test_a_long_value_becomes_several_commands() -> None:
    entries = [Entry(0, b"z", "zset", [(b"%d" % n, float(n)) for n in range(130)], None)]
    records = read_records(b"".join(rewrite.commands_of(iter(entries))), "x").records
    assert [len(record.argv) for record in records] == [2, 130, 130, 6]
    assert records[1].argv[:4] == [b"ZADD", b"z", b"0", b"0"]


def test_what_no_command_can_make_goes_into_an_rdb_base() -> None:
    stream = Entry(0, b"stream", "stream", Opaque(21, b""), None)
    bench = Bench(appendonly=True, aof_use_rdb_preamble=False)
    bench.server.engine.load(stream)
    bench.send("BGREWRITEAOF")
    assert bench.server.rewrite._kind == "rdb"


# -- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["write", "fsync"])
def test_a_rewrite_that_fails_at_any_effect_leaves_a_log_that_goes_on(operation: str) -> None:
    """The disk fails from the n-th effect on and heals afterwards; what is acknowledged then is in the log."""
    reached = 0
    for failing_from in range(60):
        bench = Bench(appendonly=True, appendfsync="no")
        bench.send("SET", "before", "v")
        count = 0
        perform = bench._perform

        def failing(
            effect: object,
            perform: Callable[[object], object] = perform,
            bench: Bench = bench,
            failing_from: int = failing_from,
        ) -> object:
            nonlocal count
            count += 1
            bench.disk.failing[operation] = count > failing_from
            return perform(effect)

        bench._perform = failing  # type: ignore[method-assign]
        bench.send("BGREWRITEAOF")
        bench.finish()
        bench._perform = perform  # type: ignore[method-assign]
        reached = max(reached, count)
        bench.disk.failing[operation] = False
        bench.cron()
        bench.server.aof.write_error = bench.server.aof.fsync_error = None  # whoever was told is not the question here
        assert bench.send("SET", "after", "v") == b"+OK\r\n"
        assert bench.restarted(appendonly=True).keys() == {b"before": b"v", b"after": b"v"}, failing_from
        bench.send("BGREWRITEAOF")
        bench.finish()
        assert bench.restarted(appendonly=True).keys() == {b"before": b"v", b"after": b"v"}, failing_from
        assert manifest_of(bench)[0].startswith("b ")
    assert 20 < reached < 60


def test_after_three_failures_a_rewrite_is_tried_ever_more_rarely() -> None:
    bench = Bench(appendonly=True, auto_aof_rewrite_min_size=1)
    bench.send("SET", "k", "v" * 200)
    bench.disk.failing["fsync"] = True
    tries = []
    for second in range(8 * 60):
        bench.cron(1_000_000)
        if "rewrite" in bench.children:
            bench.finish("rewrite")
        bench.children.pop("fsync", None)
        bench.server.aof.fsync_running = False
        if bench.server.rewrite.failures > len(tries):
            tries.append(second)
    assert [b - a for a, b in pairwise(tries)] == [1, 1, 60, 120, 240]
    assert b"aof_rewrites_consecutive_failures:6\r\n" in bench.send("INFO", "persistence")


# -- when ------------------------------------------------------------------------------------------------------------


def test_a_log_that_has_doubled_is_rewritten() -> None:
    bench = Bench(appendonly=True, auto_aof_rewrite_min_size=1_000)
    sizes = []
    for n in range(100):
        bench.send("SET", "k", f"{n:050}")
        size = bench.server.aof.current_size
        bench.cron()
        if "rewrite" in bench.children:
            sizes.append((bench.server.aof.size_after_rewrite, size))
            bench.finish("rewrite")
        bench.children.clear()
        bench.server.aof.fsync_running = False
    assert len(sizes) == 9
    assert all(size > 1_000 and size >= 2 * base for base, size in sizes)


def test_the_growth_is_reckoned_from_the_base_after_a_restart() -> None:
    """aof.c: how large the log was after the last rewrite is written down nowhere."""
    bench = Bench(appendonly=True)
    for n in range(100):
        bench.send("SET", "k", n)
    again = bench.restarted(appendonly=True)
    assert again.server.aof.size_after_rewrite == again.server.aof.base_size < again.server.aof.current_size
    assert again.server.aof.current_size == bench.server.aof.current_size


def test_a_percentage_of_zero_switches_the_automatic_rewrite_off() -> None:
    bench = Bench(appendonly=True, auto_aof_rewrite_min_size=1, auto_aof_rewrite_percentage=0)
    bench.send("SET", "k", "v" * 1_000)
    bench.cron()
    assert not bench.children


# -- crashes ---------------------------------------------------------------------------------------------------------


class Cut(Exception):
    """The process ends here."""


def crash_everywhere(
    options: dict[str, object], act: Callable[[Bench], None], tail: str, *, kill: bool
) -> list[dict[bytes, object]]:
    """Do `act` on a fresh server, again and again, and end it after 1, 2, 3 ... effects; what a restart finds."""
    found: list[dict[bytes, object]] = []
    for limit in range(1, 200):
        bench = Bench(**options)
        bench.send("SET", "k", "v")
        bench.disk.write_back()
        perform, last = bench._perform, len(bench.effects) + limit

        def limited(
            effect: object, bench: Bench = bench, perform: Callable[[object], object] = perform, last: int = last
        ) -> object:
            if len(bench.effects) > last:
                raise Cut
            return perform(effect)

        bench._perform = limited  # type: ignore[method-assign]
        try:
            act(bench)
            ended = True
        except Cut:
            ended = False
        if not kill:
            bench.disk.power_loss(tail)
        found.append(dict(Bench(bench.disk, appendonly=True).keys()))
        if ended:
            return found
    raise AssertionError("it does not end")


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "power"])
@pytest.mark.parametrize("tail", ["lost", "kept", "seeded"])
@pytest.mark.parametrize("preamble", [True, False])
def test_a_crash_after_any_effect_of_two_rewrites_leaves_a_complete_log(kill: bool, tail: str, preamble: bool) -> None:
    def twice(bench: Bench) -> None:
        for _ in range(2):
            bench.send("BGREWRITEAOF")
            bench.finish("rewrite")

    options = {"appendonly": True, "appendfsync": "always", "aof_use_rdb_preamble": preamble}
    found = crash_everywhere(options, twice, tail, kill=kill)
    assert len(found) > 50
    assert found == [{b"k": b"v"}] * len(found)


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "power"])
@pytest.mark.parametrize("tail", ["lost", "kept", "seeded"])
def test_a_crash_after_any_effect_of_switching_on_leaves_nothing_or_everything(kill: bool, tail: str) -> None:
    def switch_on(bench: Bench) -> None:
        bench.send("CONFIG", "SET", "appendonly", "yes")
        bench.send("SET", "during", "v")
        bench.finish("rewrite")

    found = crash_everywhere({"appendfsync": "always"}, switch_on, tail, kill=kill)
    kinds = [len(keys) for keys in found]
    assert kinds == sorted(kinds)
    assert set(kinds) == {0, 2}, "no log yet, or a log with its base and what came since"


def test_a_notice_says_that_it_is_done() -> None:
    bench = Bench(appendonly=True)
    bench.send("BGREWRITEAOF")
    bench.finish()
    assert [effect.facts["incr"] for effect in bench.of(Note) if effect.kind == "rewritten"] == [2]
    assert bench.server.rewrite.last_copied_bytes == 0


def test_a_rewrite_in_the_room_costs_no_write() -> None:
    run = dr.Redis(appendonly=True, appendfsync="always").start(seed=4)
    run.write(100, every_ms=1)
    run.play(50)
    run.command("BGREWRITEAOF")
    run.play()
    run.crash("n1", "power loss", tail="lost")
    run.restart("n1")
    assert run.receipt().lost == 0
    assert "appendonlydir/appendonly.aof.2.base.rdb" in run.playback.world.machines["n1"].disk.files


def test_an_old_file_with_that_name_is_read_if_the_manifest_says_so() -> None:
    files = {
        MANIFEST: b"file appendonly.aof.7.base.rdb seq 7 type b\n",
        f"{DIRECTORY}appendonly.aof.7.base.rdb": encode([Entry(0, b"k", "string", b"v", None)], {}),
    }
    bench = Bench(disk_of(files), appendonly=True)
    assert bench.keys() == {b"k": b"v"}
    assert manifest_of(bench) == ["b appendonly.aof.7.base.rdb", "i appendonly.aof.1.incr.aof"]
