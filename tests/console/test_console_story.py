"""The sentences of a run, and which of them are beats."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.console.film import Film
from durable_redis.console.words import label, ranged, spoken


def sentences(run, beats_only=True):
    film = Film(run.playback)
    steps = film.beats if beats_only else range(film.steps + 1)
    return [film.texts[film.said[step]] for step in steps]


def test_the_life_of_one_write_with_everysec():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(1)
    run.play(1100)
    told = sentences(run)
    assert told[told.index("the client begins: 1 write, one every 10 ms") :] == [
        "the client begins: 1 write, one every 10 ms",
        "n1 executes w1: in RAM and AOF buffer",
        "n1 writes w1 to its page cache",
        "n1 says OK to w1",
        "an fsync of n1 begins: it covers w1",
        "n1's fsync ends: w1 is on the platter",
    ]


def test_only_a_background_or_a_long_fsync_begins_with_a_beat():
    begins = {}
    for extra_ms in (0, 500):
        run = dr.Redis(appendonly=True, appendfsync="always").start(seed=7)
        if extra_ms:
            run.slow_disk("n1", extra_ms)
        run.write(3)
        run.play()
        beats = sentences(run)
        begins[extra_ms] = [text for text in beats if "fsync of n1 begins" in text]
        assert any("fsync of n1 begins" in text for text in sentences(run, beats_only=False))
    assert begins[0] == []
    assert begins[500][0] == "an fsync of n1 begins: it covers w1"


def test_with_always_the_fsync_comes_before_the_promise():
    run = dr.Redis(appendonly=True, appendfsync="always").start(seed=7)
    run.write(1)
    run.play()
    told = sentences(run)
    assert told.index("n1's fsync ends: w1 is on the platter") < told.index("n1 says OK to w1")


def test_without_a_log_a_write_is_in_ram_only_until_a_snapshot_takes_it():
    run = dr.Redis(save="1 1").start(seed=7)
    run.write(3)
    run.play(3000)
    told = sentences(run)
    assert "n1 executes w3: in RAM only" in told
    assert "n1 gives the new snapshot its name, dump.rdb: it holds w1 to w3" in told
    assert not any("page cache" in text for text in told)


def test_a_crash_says_what_it_takes():
    told = {}
    for kind in ("process kill", "power loss", "disk loss"):
        run = dr.Redis(appendonly=True).start(seed=7)
        run.write(5)
        run.crash("n1", kind, at_ms=60)
        told[kind] = sentences(run)[-1]
    assert told["process kill"] == "the process of n1 is killed: its RAM is gone, its page cache stays"
    assert told["power loss"].startswith("n1 loses power: its RAM and its page cache are gone; of the last ")
    assert told["disk loss"] == "n1 loses its disk, and everything on it"


def test_a_client_that_never_hears_knows_nothing():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(3)
    while not run.frame().in_flight:
        run.forward()
    run.crash("n1", "process kill")
    run.play()
    assert any(text.endswith("nobody knows what became of SET w1") for text in sentences(run))


def test_every_step_has_a_sentence_and_the_newest_fact_is_not_told_early():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(20)
    run.play()
    whole = sentences(run, beats_only=False)
    assert all(whole)
    shorter = dr.Redis(appendonly=True).start(seed=7)
    shorter.write(20)
    shorter.go(150)
    assert sentences(shorter, beats_only=False) == whole[:151]


@pytest.mark.parametrize(
    ("data", "reply", "words"),
    [
        (b"*3\r\n$3\r\nset\r\n$3\r\nw17\r\n$1\r\n1\r\n", False, "SET w17"),
        (b"*1\r\n$4\r\nPING\r\n", False, "PING"),
        (b"+OK\r\n", True, "OK"),
        (b"-MISCONF Errors writing\r\n", True, "error MISCONF"),
        (b"$-1\r\n", True, "nothing there"),
        (b"$3\r\nv17\r\n", True, "v17"),
        (b":12\r\n", True, "12"),
        (b"*3\r\n$3\r\nset", False, "11 bytes"),
    ],
)
def test_a_message_is_labelled_by_what_it_says(data, reply, words):
    assert label(data, reply) == words


def test_names_are_told_as_people_tell_them():
    assert ranged(["w1"]) == "w1"
    assert ranged(["w1", "w2"]) == "w1 and w2"
    assert ranged(["w1", "w2", "w3"]) == "w1 to w3"
    assert spoken([b"hset", b"a-very-long-key-indeed", b"f"]) == "HSET a-very-long-"
