"""The way of a write through a shared log, as a picture and in words: it says what the journal says."""

from __future__ import annotations

import re

import pytest

import durable_redis as dr
from durable_redis.classroom.ways import way
from durable_redis.lab.errors import LabError


@pytest.fixture(scope="module")
def run():
    run = dr.MemoryDB(replicas=1).start(seed=7)
    run.write(5, every_ms=20)
    run.play(until_ms=run.now_ms + 200)
    return run


def test_two_platters_come_before_the_commit_and_this_before_the_ok(run):
    found = way(run, "w3")
    when = {letter: sorted(mark.at_us for mark in found.marks if mark.letter == letter) for letter in "RPC✓"}
    assert [len(when[letter]) for letter in "RPC✓"] == [2, 3, 1, 1]
    assert when["R"][0] < when["P"][0] < when["P"][1] == found.safe_us < when["C"][0] < when["✓"][0] == found.end_us
    assert when["C"][0] < when["R"][1], "a replica has it from the log"
    written = [one for one in run.history() if one.argv[1] == b"w3"]
    assert found.end_us == (written[0].answered_us or 0) - (written[0].sent_us or 0)


def test_everybody_who_takes_part_has_a_lane_and_its_fsync(run):
    found = way(run, "w3")
    assert found.lanes == ("client", "n1", "log-a", "log-b", "log-c", "n2")
    assert sorted(work.machine for work in found.works) == ["log-a", "log-b", "log-c"]
    assert {message.word for message in found.messages} >= {"SET", "APPEND", "REPLICATE", "STORED", "APPENDED", "OK"}
    leader = next(mark.machine for mark in found.marks if mark.letter == "C")
    assert all(leader in (message.source, message.target) for message in found.messages if message.word == "STORED")


def test_a_replica_that_is_cut_off_has_an_empty_lane_and_nobody_waits_for_it():
    run = dr.MemoryDB(replicas=2).start(seed=7)
    run.partition(["n3"])
    run.write(5, every_ms=20)
    run.play(until_ms=run.now_ms + 200)
    found = way(run, "w3")
    assert found.lanes[-2:] == ("n2", "n3")
    assert {mark.machine for mark in found.marks} == {"client", "n1", "n2", "log-a", "log-b", "log-c"}
    assert not any("n3" in (message.source, message.target) for message in found.messages)
    assert found.end_us < 5_000
    assert all(work.end_us <= found.end_us for work in found.works), "nothing of the next write"


def test_the_picture_is_a_picture_and_its_text_says_the_same(run):
    bundle = way(run, "w3")._repr_mimebundle_()
    svg, words = bundle["image/svg+xml"], bundle["text/plain"]
    assert len(svg) < 8_000
    assert not re.search(r" id=| class=|<script|<defs", svg)
    assert svg.count("<circle") == 7 + 4, "the marks, and those of the legend"
    assert "two platters have it" in words
    assert words.splitlines()[-1].endswith("client has its OK")


def test_who_has_no_shared_log_has_no_such_way():
    plain = dr.Redis(appendonly=True).start(seed=7)
    plain.write(2)
    plain.play()
    with pytest.raises(LabError, match="the log has never got w1"):
        way(plain, "w1")
