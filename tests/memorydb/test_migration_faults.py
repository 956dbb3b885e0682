"""A migration under faults, at every phase of it: it goes on or is abandoned, and nothing is lost or doubled.

`Room.judged` says what that means: every slot has one owner, the nodes of a shard agree, no key is left where it does
not belong, and what clients saw, together with a last look at every key, is one copy of the data."""

from __future__ import annotations

import pytest
from migrationtools import Room
from shardtools import Room as LogRoom

from durable_redis.contract import Closed
from durable_redis.formats.rdb import Entry
from durable_redis.formats.resp import OK, ErrorReply, encode_command
from durable_redis.memorydb.log import SLOTS, EntryId
from durable_redis.memorydb.migration.ownership import Migration
from durable_redis.memorydb.shards import Shard
from durable_redis.memorydb.snapshot import digest_of
from durable_redis.redis.cluster.slots import key_slot

LOGS = ("log-a", "log-b", "log-c")
FAULTS = {
    "the source's primary dies": [("crash", "n1", "process kill")],
    "the target's primary dies": [("crash", "n2", "process kill")],
    "both die": [("crash", "n1", "power loss"), ("crash", "n2", "power loss")],
    "the source's primary stands still": [("pause", "n1", 6_000)],
    "the target's primary stands still": [("pause", "n2", 6_000)],
    "the shards do not reach one another": [("partition", ["n1", "n3"], ["n2", "n4"])],
    "the source does not reach its log": [("partition", ["n1"], LOGS)],
    "the target does not reach its log": [("partition", ["n2"], LOGS)],
}
"""For seven seconds: longer than a failover takes."""

MOMENTS = ("begun n2", "stalled", "prepared n1", "prepared n2", "committed n1", "committed n2")
"""When a primary has seen a step in its log; "stalled": writes to the slots have begun to wait."""
PROMISED = "prepared n2"
"""From here on, a fault that ends in time delays the migration and does not end it: the target waits for its word."""
GOES_ON_EARLIER = {"the source's primary stands still": "stalled", "the source does not reach its log": "prepared n1"}
"""Where the fault leaves the connection between the two as it was, and is over before patience is."""


def at(moment: str, **options: int) -> Room:
    """A migration under a workload that has come so far."""
    room = Room(count=60, **options)
    assert room.begin() == OK
    if moment == "stalled":
        room.play_until_noted("slots stalled")
    else:
        room.until(*moment.split())
    return room


def bear(room: Room, fault: str, seconds: float = 7) -> None:
    for verb, *arguments in FAULTS[fault]:
        room.do(verb, *arguments)
    room.playback.play_to(room.playback.world.now_us + round(seconds * 1e6))
    room.rest()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_phase_ends_it_or_delays_it(fault: str, moment: str) -> None:
    room = at(moment)
    bear(room, fault)
    assert room.judged() == []
    goes_on = MOMENTS.index(moment) >= MOMENTS.index(GOES_ON_EARLIER.get(fault, PROMISED))
    assert room.end() == ("committed" if goes_on else "abandoned")


def test_a_source_gives_up_before_the_decision_and_never_after_it() -> None:
    """The shards do not reach one another for 20 s, longer than the source's patience of 10 s."""
    for moment, end in (("prepared n1", "abandoned"), ("prepared n2", "abandoned"), ("committed n1", "committed")):
        room = at(moment)
        bear(room, "the shards do not reach one another", 20)
        assert room.judged() == []
        assert room.end() == end, f"cut at {moment}"
    stalled, released = (step.at_us for step, _ in room.notes("slots stalled", "slots released"))
    assert released - stalled > 20_000_000, "and nobody serves the slots until the target knows of it"


def test_what_a_primary_does_not_remember_is_in_snapshots() -> None:
    """At each phase the log is trimmed behind it, and then every node of both shards loses all that it has."""
    for moment in ("begun n2", "prepared n1", "prepared n2", "committed n1"):
        room = at(moment)
        room.do("partition", ["n1", "n3"], ["n2", "n4"])
        assert room.command("SNAPSHOT", node="snapshotter") == OK
        room.play_until_noted("trimmed", 2)
        for name in room.deployment.nodes:
            room.do("crash", name, "disk loss")
        room.rest()
        assert room.judged() == []
        loads = [facts["snapshot"] for _, facts in room.notes("ready") if facts.get("snapshot")]
        assert len(loads) == 4, "all began with a snapshot"
        assert room.end() == ("committed" if moment in ("prepared n2", "committed n1") else "abandoned"), moment


def test_a_handover_in_the_middle_is_as_good_as_a_crash() -> None:
    for node in ("n1", "n2"):
        for moment, end in (("begun n2", "abandoned"), ("prepared n2", "committed"), ("committed n1", "committed")):
            room = at(moment)
            assert room.command("FAILOVER", node=node) == OK
            room.rest()
            assert (room.judged(), room.end()) == ([], end), f"{node} hands over at {moment}"


def test_other_slots_of_the_source_do_not_notice_that_the_decision_is_far_away() -> None:
    room = at("committed n1")
    room.do("partition", ["n1", "n3"], ["n2", "n4"])
    here = next(f"k{number}" for number in range(100_000) if key_slot(b"k%d" % number) == 8_100)
    begin_us = room.playback.world.now_us
    assert room.command("SET", here, "v", node="n1") == OK
    assert room.playback.world.now_us - begin_us < 20_000
    room.rest()
    assert room.judged() == []


# -- a target, and nothing but its log ---------------------------------------------------------------------------------

SHARDS = (Shard("s1", ("n1",), 0, 8191), Shard("s2", ("n2",), 8192, 16383))


def said(target: LogRoom, *words: object, connection: str = "source") -> list[object]:
    """A demand of s1-5, about the slot 3300; everything that the target has answered to it within 20 ms."""
    before = len(target.told("n2", connection))
    verb, *more = words
    target.send("n2", "MIGRATION", verb, "s1", 5, *(more or (3300,)), connection=connection)  # type: ignore[arg-type]
    target.advance(20)
    return list(target.told("n2", connection)[before:])


def report(phase: str) -> list[object]:
    return [b"migration", 5, phase.encode()]


@pytest.fixture
def target() -> LogRoom:
    return LogRoom("n2", shards=SHARDS, shard="s2")


def phases_of(target: LogRoom) -> list[str]:
    entries = target.log.read(EntryId.ZERO).entries  # type: ignore[union-attr]
    return [Migration.decode(entry.body).phase.value for entry in entries if entry.kind == SLOTS]


DATA = encode_command([b"SET", b"{b}k", b"v"]).decode()
GOOD = (3300, f"{digest_of([Entry(0, b'{b}k', 'string', b'v', None)]):016x}", 0)


def test_a_target_says_what_its_log_has_got(target: LogRoom) -> None:
    assert said(target, "BEGIN") == [OK, report("begun")]
    assert said(target, "DATA", DATA) == [OK]
    assert said(target, "PREPARE", *GOOD) == [report("begun"), OK, report("prepared")]
    assert error(target.ask("n2", "GET", "{b}k", connection="client")) == "MOVED 3300 n1:6379"
    assert said(target, "COMMIT") == [report("prepared"), OK, report("closed")]
    assert target.ask("n2", "GET", "{b}k", connection="client") == b"v"
    assert phases_of(target) == ["begun", "prepared", "committed", "over"]


def test_a_promise_is_kept_when_the_source_is_gone(target: LogRoom) -> None:
    said(target, "BEGIN")
    said(target, "DATA", DATA)
    said(target, "PREPARE", *GOOD)
    target["n2"].deliver(Closed("source", "reset"), target.now)
    target.advance(30_000)
    assert phases_of(target) == ["begun", "prepared"]
    target.start("n2")
    target.advance(5_000)
    assert said(target, "COMMIT", connection="another") == [report("prepared"), OK, report("closed")]


def test_without_a_promise_a_lost_connection_or_another_primary_ends_it(target: LogRoom) -> None:
    said(target, "BEGIN")
    said(target, "DATA", DATA)
    target["n2"].deliver(Closed("source", "reset"), target.now)
    target.advance(500)
    assert (phases_of(target), target.data("n2")) == (["begun", "abandoned", "over"], {})
    again = LogRoom("n2", shards=SHARDS, shard="s2")
    said(again, "BEGIN")
    said(again, "DATA", DATA)
    again.start("n2")
    again.advance(5_000)
    assert (phases_of(again), again.data("n2")) == (["begun", "abandoned", "over"], {})


def test_another_checksum_ends_it(target: LogRoom) -> None:
    said(target, "BEGIN")
    assert said(target, "PREPARE", *GOOD) == [report("begun"), OK, report("closed")]
    assert phases_of(target)[:2] == ["begun", "abandoned"]


def test_a_beginning_that_comes_after_the_end_is_old_news(target: LogRoom) -> None:
    """Its source was told that the target will have nothing of it, and the target keeps its word."""
    assert said(target, "ABANDON") == [OK, report("closed")]
    target.advance(500)
    for verb in ("BEGIN", "COMMIT", "ABANDON"):
        assert said(target, verb, connection="late") == [report("closed"), OK]
    assert phases_of(target) == ["abandoned"]


def test_what_never_began_is_abandoned_beside_a_migration_that_goes_on() -> None:
    """The source of s3-9 has changed its mind: it need not wait for the end of s1-5, which might wait for it."""
    thirds = (Shard("s1", ("n1",), 0, 8191), Shard("s2", ("n2",), 8192, 9999), Shard("s3", ("n3",), 10_000, 16_383))
    target = LogRoom("n2", shards=thirds, shard="s2")
    said(target, "BEGIN")
    said(target, "DATA", DATA)
    for verb in ("BEGIN", "ABANDON", "BEGIN"):
        target.send("n2", "MIGRATION", verb, "s3", 9, 16_000, connection="s3")
        target.advance(20)
    refused, *told = target.told("n2", "s3")
    assert "takes part in another migration" in error(refused)
    assert told == [OK, [b"migration", 9, b"closed"], [b"migration", 9, b"closed"], OK], "BEGIN is old news by then"
    assert "takes part in another" in error(target.ask("n2", "MIGRATION", "ABANDON", "s1", 6, 7, connection="s1"))
    assert said(target, "DATA", DATA) == [OK]
    assert said(target, "PREPARE", *GOOD)[-1] == report("prepared")
    assert phases_of(target) == ["begun", "abandoned", "prepared"]


def test_data_on_another_connection_are_not_taken(target: LogRoom) -> None:
    """They may be from a primary of the source that has been replaced, and does not know it."""
    said(target, "BEGIN")
    assert error(said(target, "DATA", DATA, connection="another")[0]) == "ERR s2 takes no data of s1-5"
    assert target.data("n2") == {}


def test_a_primary_whose_lease_is_over_confirms_nothing(target: LogRoom) -> None:
    target.log.down = True
    target.advance(2_500)
    assert "for the primary of the shard" in error(said(target, "ABANDON")[0])
    assert phases_of(target) == []


def error(reply: object) -> str:
    assert isinstance(reply, ErrorReply), reply
    return reply.text
