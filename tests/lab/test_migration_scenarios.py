"""Slots that move, with both logs and without: FACTS 4, number 27; and the verb that lets them."""

from __future__ import annotations

import functools

import pytest

import durable_redis as dr
from durable_redis.contract import Note
from durable_redis.formats.resp import OK, ErrorReply
from durable_redis.lab import scenarios

SOURCE, TARGET = "slot-moved-and-the-source-dies", "slot-moved-and-the-target-dies"
WITHOUT = {SOURCE: "slot-moved-without-logs-and-the-source-dies", TARGET: "slot-moved-without-logs-and-the-target-dies"}


@functools.cache
def played(name: str) -> dr.Run:
    return scenarios.play(name)


def owners(name: str) -> list[str]:
    """Who says at the end that the slot is its own."""
    views = played(name).playback.views()
    return [node for node, view in views.items() if any(first <= 3300 <= last for first, last in view.get("slots", ()))]


def phases(name: str) -> list[tuple[str, str]]:
    steps = [step for step in played(name).playback.world.journal if isinstance(step.what, Note)]
    return [(step.machine, step.what.facts["phase"]) for step in steps if step.what.kind == "migration"]


@pytest.mark.parametrize(("name", "heir", "owner"), [(SOURCE, "n3", "n2"), (TARGET, "n4", "n4")])
def test_27_with_both_logs_the_next_primary_goes_on_where_the_last_one_was(name: str, heir: str, owner: str) -> None:
    assert phases(name)[:4] == [("n1", "begun"), ("n2", "begun"), ("n1", "prepared"), ("n2", "prepared")]
    assert (heir, "over") in phases(name), "it was not there when this began"
    assert owners(name) == [owner]
    run = played(name)
    receipt = run.receipt()
    assert receipt.lost == 0
    assert receipt.acknowledged >= 119
    assert dr.linearizable(run)
    assert run.availability().total_us < 4_000_000, "a failover, and nothing longer"


def test_27_without_them_the_next_primary_of_the_source_owns_it_too() -> None:
    name = WITHOUT[SOURCE]
    assert owners(name) == ["n2", "n3"]
    run = played(name)
    receipt = run.receipt()
    assert receipt.acknowledged == 120, "the client was never told that anything was wrong"
    assert receipt.lost > 100
    assert run.command("GET", "{b}100", node="n2") == b"v100"
    assert run.command("GET", "{b}100", node="n3") is None
    (row, *_) = receipt.lost_rows
    assert row.why == "n2 executed it, and now n3 answers for its slot, which has never heard of it"


def test_27_without_them_the_next_primary_of_the_target_does_not_own_it() -> None:
    name = WITHOUT[TARGET]
    assert owners(name) == []
    outcomes = [one.outcome for one in played(name).history()]
    assert outcomes[-100:] == ["failed"] * 100
    with pytest.raises(dr.LabError, match="nobody knows a primary"):
        played(name).receipt()
    for node in ("n1", "n4"):
        reply = played(name).command("GET", "{b}1", node=node)
        assert isinstance(reply, ErrorReply)
        assert reply.code == "MOVED", "each sends clients to the other"


def test_a_receipt_says_how_a_write_came_to_where_it_is() -> None:
    kept = {row.why for row in played(SOURCE).receipt().rows if row.key == "{b}3"}
    assert kept == {"it came with its slot, from n1 to the shard of n2 at 4.362 s"}


# -- the verb ----------------------------------------------------------------------------------------------------------


def test_a_run_lets_a_slot_move_by_key_by_number_and_by_range() -> None:
    run = dr.MemoryDB(shards=2, replicas=0).start(seed=1)
    for slots in ("{b}", 3301, (3302, 3400)):
        assert run.migrate(slots, "s2") == OK
        run.play(run.now_ms + 1_000)
    assert run.playback.views()["n2"]["slots"] == ((3300, 3400), (8192, 16383))
    assert run.migrate("{b}", "s1") == OK
    again = dr.replay(run.replay_string())
    assert again.digest() == run.digest()
    assert "run.migrate('{b}', 's2')" in run.script()
    assert "run.migrate((3302, 3400), 's2')" in run.script()


def test_what_cannot_move_is_refused_by_name() -> None:
    run = dr.MemoryDB(shards=2, replicas=0).start(seed=1)
    with pytest.raises(dr.LabError, match="slots move to another shard: there is s1, s2"):
        run.migrate("{b}", "s3")
    assert run.migrate("{b}", "s1") == ErrorReply(
        "ERR n1 is a node of s1: the target must be another shard than the source"
    )
    with pytest.raises(dr.LabError, match="nobody serves the slot 16384"):
        run.migrate(16_384, "s2")
    for deployment in (dr.Redis(), dr.MemoryDB(replicas=0)):
        with pytest.raises(dr.LabError, match="slots"):
            deployment.start().migrate("{b}", "s2")
