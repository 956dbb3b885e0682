"""Recovery: what a server makes of the bytes on its disk, good, torn and rotten."""

from __future__ import annotations

import pytest
from redistools import NOW_US, Bench, command, disk_of

import durable_redis as dr
from durable_redis.contract import Exit, Truncate
from durable_redis.formats.rdb import Entry, encode

DIRECTORY = "appendonlydir/"
MANIFEST = f"{DIRECTORY}appendonly.aof.manifest"
INCR = f"{DIRECTORY}appendonly.aof.1.incr.aof"
BASE = f"{DIRECTORY}appendonly.aof.1.base.rdb"
NAMES = b"file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"

SELECT = command("SELECT", 0)
ONE = command("SET", "one", "1")
TWO = command("SET", "two", "2")


def files_of(log: bytes, base: list[Entry] | None = None) -> dict[str, bytes]:
    return {MANIFEST: NAMES, BASE: encode(base or [], {}), INCR: log}


def load(log: bytes, base: list[Entry] | None = None, **options: object) -> Bench:
    return Bench(disk_of(files_of(log, base)), appendonly=True, **options)


def refusal(bench: Bench) -> str:
    assert isinstance(bench.exit, Exit)
    assert bench.exit.code == 1
    return bench.exit.reason


# -- which file ------------------------------------------------------------------------------------------------------


def test_the_log_is_preferred_to_the_snapshot() -> None:
    snapshot = encode([Entry(0, b"from", "string", b"snapshot", None)], {})
    disk = disk_of({**files_of(SELECT + command("SET", "from", "log")), "dump.rdb": snapshot})
    assert Bench(disk, appendonly=True).keys() == {b"from": b"log"}
    assert Bench(disk).keys() == {b"from": b"snapshot"}


def test_switching_the_log_on_in_the_configuration_starts_empty() -> None:
    """FACTS 4.7: no log is found, and the snapshot is not even looked at."""
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.send("SHUTDOWN")
    assert bench.restarted(appendonly=True).keys() == {}
    assert bench.restarted().keys() == {b"k": b"v"}, "the snapshot is still there"


def test_switching_the_log_on_at_run_time_keeps_everything() -> None:
    bench = Bench()
    bench.send("SET", "k", "v")
    bench.send("CONFIG", "SET", "appendonly", "yes")
    bench.finish()
    assert bench.restarted(appendonly=True).keys() == {b"k": b"v"}


def test_a_file_that_the_manifest_names_must_be_there() -> None:
    files = files_of(ONE)
    del files[BASE]
    bench = Bench(disk_of(files), appendonly=True)
    assert refusal(bench).startswith("appendonly.aof.1.base.rdb: at byte 0: the manifest names this file, and it is")


def test_a_damaged_manifest_is_refused_even_if_the_log_is_off() -> None:
    for options in ({"appendonly": True}, {}):
        bench = Bench(disk_of({MANIFEST: b"file appendonly.aof.1.base.rdb sex 1 type b\n"}), **options)
        assert "appendonly.aof.manifest: at byte 0: " in refusal(bench)


# -- the old layout --------------------------------------------------------------------------------------------------


def test_the_single_file_of_an_older_redis_becomes_the_base() -> None:
    bench = Bench(disk_of({"appendonly.aof": SELECT + ONE}), appendonly=True)
    assert bench.keys() == {b"one": b"1"}
    assert bench.disk.list("") == ()
    bench.send("SET", "two", 2)
    assert bench.restarted(appendonly=True).keys() == {b"one": b"1", b"two": b"2"}


@pytest.mark.parametrize("tail", ["kill", "lost", "kept", "seeded"])
def test_a_crash_at_any_effect_of_that_move_loses_nothing(tail: str) -> None:
    for effects in range(60):
        disk = disk_of({"appendonly.aof": SELECT + ONE})
        bench = Bench(disk, boot=False, appendonly=True)
        bench.perform(bench.server.boot(NOW_US), limit=effects)
        if tail != "kill":
            disk.power_loss(tail)
        assert Bench(disk, appendonly=True).keys() == {b"one": b"1"}, effects
        if bench.server.ready:
            break
    assert 15 < effects < 40


@pytest.mark.parametrize("tail", ["lost", "kept", "seeded"])
def test_a_crash_at_any_effect_of_the_first_start_leaves_a_server_that_starts(tail: str) -> None:
    for effects in range(60):
        bench = Bench(boot=False, appendonly=True)
        bench.perform(bench.server.boot(NOW_US), limit=effects)
        bench.disk.power_loss(tail)
        again = Bench(bench.disk, appendonly=True)
        again.send("SET", "k", "v")
        assert again.restarted(appendonly=True).keys() == {b"k": b"v"}
        if bench.server.ready:
            break
    assert effects > 15


# -- torn tails ------------------------------------------------------------------------------------------------------


def test_a_torn_tail_is_cut_wherever_it_was_torn() -> None:
    whole = SELECT + ONE
    for size in range(len(whole), len(whole + TWO)):
        bench = load((whole + TWO)[:size])
        assert bench.keys() == {b"one": b"1"}
        assert bench.disk.read(INCR) == whole
        assert bool(bench.of(Truncate)) == (size > len(whole))
        bench.send("SET", "three", 3)
        assert bench.restarted(appendonly=True).keys() == {b"one": b"1", b"three": b"3"}


def test_of_a_torn_transaction_nothing_is_applied() -> None:
    transaction = command("MULTI") + ONE + TWO + command("EXEC")
    for size in range(1, len(transaction)):
        bench = load(SELECT + command("SET", "before", 0) + transaction[:size])
        assert bench.keys() == {b"before": b"0"}, size
    assert load(SELECT + transaction).keys() == {b"one": b"1", b"two": b"2"}


def test_who_does_not_want_tails_cut_is_not_started() -> None:
    bench = load(SELECT + ONE + TWO[:-1], aof_load_truncated=False)
    assert refusal(bench).startswith(f"appendonly.aof.1.incr.aof: at byte {len(SELECT + ONE)}: ")
    assert bench.disk.read(INCR) == SELECT + ONE + TWO[:-1], "and nothing is touched"


def test_a_torn_tail_is_forgiven_in_the_last_file_only() -> None:
    files = files_of(SELECT + ONE[:-3])
    files[MANIFEST] = NAMES + b"file appendonly.aof.2.incr.aof seq 2 type i\n"
    files[f"{DIRECTORY}appendonly.aof.2.incr.aof"] = b""
    assert refusal(Bench(disk_of(files), appendonly=True)).startswith("appendonly.aof.1.incr.aof: at byte 23: ")


def test_a_cut_survives_the_next_power_loss() -> None:
    """The cut itself may still be in the page cache only; what was fsynced behind it is not."""
    bench = load(SELECT + ONE + TWO[:-1], appendfsync="always")
    bench.send("SET", "three", 3)
    bench.disk.power_loss("lost")
    assert bench.restarted(appendonly=True).keys() == {b"one": b"1", b"three": b"3"}


# -- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "offset"),
    [
        (SELECT + ONE.replace(b"*3", b"?3") + TWO, 23),
        (SELECT + ONE.replace(b"$3\r\none", b"%3\r\none") + TWO, 23 + 13),
        (SELECT + ONE.replace(b"SET", b"SEX") + TWO, 23),
        (SELECT + ONE.replace(b"*3", b"*2") + TWO, 23 + 22),
        (SELECT + command("SET", "one") + TWO, 23),
        (command("SELECT", 16) + ONE, 0),
        (command("SELECT", "x") + ONE, 0),
        (command("SELECT") + ONE, 0),
    ],
    ids=["start", "length", "name", "count", "arity", "no database", "no number", "no argument"],
)
def test_damage_in_the_middle_is_refused_with_file_and_offset(damaged: bytes, offset: int) -> None:
    assert refusal(load(damaged)).startswith(f"appendonly.aof.1.incr.aof: at byte {offset}: ")


def test_the_lab_shows_why_a_node_does_not_start() -> None:
    run = dr.Redis(appendonly=True).start(seed=1)
    run.write(5)
    run.play()
    run.crash("n1", "process kill")
    run.bit_rot("n1", INCR, 23)
    assert not run.restart("n1")
    assert run.last_crash("n1").startswith("exit 1: appendonly.aof.1.incr.aof: at byte 23: expected a line *N")


def test_rot_in_a_snapshot_is_noticed_and_rot_in_a_value_of_the_log_is_not() -> None:
    """The pair: the RDB ends with a checksum, the append-only file has none."""
    run = dr.Redis(appendonly=True).start(seed=1)
    run.command("SET", "k", "value")
    run.command("SAVE")
    run.crash("n1", "process kill")
    run.bit_rot("n1", INCR, run.file("n1", INCR).index(b"value"))
    assert run.restart("n1")
    assert run.command("GET", "k") == b"walue"
    run.crash("n1", "process kill")
    run.bit_rot("n1", BASE, 12)
    assert not run.restart("n1")
    assert "appendonly.aof.1.base.rdb: at byte " in run.last_crash("n1")


def test_a_base_that_is_short_is_refused() -> None:
    files = files_of(b"")
    files[BASE] = files[BASE][:-1]
    assert refusal(Bench(disk_of(files), appendonly=True)).startswith("appendonly.aof.1.base.rdb: at byte ")


BEYOND = Entry(16, b"k", "string", b"v", None)


def test_keys_of_a_database_that_this_server_does_not_have_are_refused() -> None:
    """A server with more databases has made the file: Redis would rather not start than leave keys out (rdb.c)."""
    selects = encode([BEYOND], {}).index(b"\xfe\x10") + 1
    where = f"at byte {selects}: "
    sentence = "database 16 is not among the 16 that are here"
    assert refusal(Bench(disk_of({"dump.rdb": encode([BEYOND], {})}))) == f"dump.rdb: {where}{sentence}"
    assert refusal(load(b"", [BEYOND])) == (
        f"appendonly.aof.1.base.rdb: {where}the RDB preamble is damaged: {sentence}"
    )
    assert load(b"", [BEYOND._replace(db=15)]).exit is None


# -- expiry ----------------------------------------------------------------------------------------------------------


def test_a_lifetime_counts_while_the_server_is_down() -> None:
    """FACTS 4.36: the log holds the absolute time, so that an hour later the key is gone."""
    bench = Bench(appendonly=True)
    bench.send("SET", "k", "v", "EX", 10)
    bench.now_us += 9_000_000
    assert bench.restarted(appendonly=True).send("GET", "k") == b"$1\r\nv\r\n"
    bench.now_us += 3600 * 1_000_000
    again = bench.restarted(appendonly=True)
    assert again.send("GET", "k") == b"$-1\r\n"
    again.cron()
    assert again.keys() == {}


def test_a_key_whose_time_was_prolonged_in_the_log_is_not_dropped_from_the_base() -> None:
    """rdb.c, RDBFLAGS_AOF_PREAMBLE: the base says that it is over, the log that it is not."""
    bench = Bench(appendonly=True)
    bench.send("SET", "k", "v", "EX", 10)
    bench.send("SET", "gone", "v", "EX", 10)
    bench.send("BGREWRITEAOF")
    bench.finish()
    bench.send("PERSIST", "k")
    bench.now_us += 3600 * 1_000_000
    again = bench.restarted(appendonly=True)
    assert again.send("GET", "k") == b"$1\r\nv\r\n"
    assert again.send("GET", "gone") == b"$-1\r\n"


# -- what a log may not do -------------------------------------------------------------------------------------------


def test_commands_that_change_nothing_are_passed_over() -> None:
    bench = load(SELECT + command("GET", "x") + command("SHUTDOWN") + command("QUIT") + ONE)
    assert bench.exit is None
    assert bench.keys() == {b"one": b"1"}
    assert not bench.server.todo


def test_a_log_goes_on_behind_what_was_loaded() -> None:
    bench = load(SELECT + ONE)
    assert bench.server.aof.position == (1, len(SELECT + ONE))
    bench.send("SET", "two", 2)
    assert bench.disk.read(INCR) == SELECT + ONE + SELECT + TWO
