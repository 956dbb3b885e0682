"""Who leads: leases, backoffs, and what becomes of a leader whom the log contradicts."""

from __future__ import annotations

import pytest

from durable_redis.contract import Effects
from durable_redis.formats.resp import ErrorReply, Status
from durable_redis.memorydb.claims import Claim
from durable_redis.memorydb.leadership import LEADERS, TRANSITIONS, Leadership, Phase
from durable_redis.memorydb.log import LEADERSHIP, RENEWAL, Appended, EntryId
from durable_redis.memorydb.log.local import LocalLog, LocalLogUser
from durable_redis.memorydb.record import Record
from durable_redis.memorydb.server import MemoryDBServer
from tests.memorydb.shardtools import Room

OK = Status(b"OK")


def led_by(room: Room) -> list[str]:
    """Who has appended a leadership entry, in order."""
    found = room.log.read(room.log.sequence.cut).entries  # type: ignore[union-attr]
    return [Claim.decode(entry.body).node for entry in found if entry.kind == LEADERSHIP]


def wait_for(room: Room, leader: str | None = None, limit_ms: int = 10_000) -> int:
    """Play until somebody (or nobody: "") serves; for how many ms."""
    for ms in range(0, limit_ms, 10):
        serving = room.leader()
        if serving == leader or (leader is None and serving):
            return ms
        room.advance(10)
    raise AssertionError(f"after {limit_ms} ms {room.leader() or 'nobody'} leads")


def test_the_first_node_need_not_wait_and_renews() -> None:
    room = Room("n1", "n2", "n3")
    assert room.leader() == "n1"
    for _ in range(100):
        room.advance(100)
        assert room.leader() == "n1"
    found = room.log.read(room.log.sequence.cut).entries  # type: ignore[union-attr]
    assert led_by(room) == ["n1"]
    assert 18 <= sum(entry.kind == RENEWAL for entry in found) <= 20, "every 500 ms for 10 s"
    assert [room[name].node.leadership.leader for name in ("n1", "n2", "n3")] == ["n1"] * 3


def test_a_dead_leader_is_replaced_after_the_backoff_and_not_before() -> None:
    room = Room("n1", "n2", "n3")
    room.ask("n1", "SET", "k", "v")
    room["n1"].asleep = True
    room.advance(2_500)
    assert room.leader() == ""
    waited = wait_for(room)
    assert waited <= 1_200
    heir = room.leader()
    assert heir in ("n2", "n3")
    assert led_by(room) == ["n1", heir], "the other has seen it, and waits anew"
    assert room.ask(heir, "GET", "k") == b"v"
    assert room.ask(heir, "SET", "k", "w") == OK


def test_a_leader_that_slept_through_its_lease_serves_nothing_when_it_wakes() -> None:
    """FACTS 20: it finds out by the clock for reads, and by the log for writes."""
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "old")
    room["n1"].asleep = True
    wait_for(room, "n2")
    room.ask("n2", "SET", "k", "new")
    room.send("n1", "GET", "k", connection="reader")
    room.send("n1", "SET", "k", "mine", connection="writer")
    room.wake("n1")
    (read,), (write,) = room.told("n1", "reader"), room.told("n1", "writer")
    assert isinstance(read, ErrorReply)
    assert read.code == "CLUSTERDOWN"
    assert isinstance(write, ErrorReply)
    room.advance(50)
    assert room["n1"].node.leadership.phase is Phase.FOLLOWING
    assert room.data("n1") == room.data("n2") == {b"k": b"new"}


def test_a_pause_between_execution_and_answer_costs_the_answer() -> None:
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "old")
    room.execute("n1", "GET", "k", connection="reader")
    room["n1"].asleep = True  # here: the read is executed, its answer has not left
    wait_for(room, "n2")
    room.wake("n1")
    assert room.told("n1", "reader") == []
    assert "reader" in room["n1"].closed


def test_what_a_deposed_leader_had_not_logged_never_happened() -> None:
    """The append meets somebody else's: everything is thrown away, and nobody is told that it was done."""
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "old")
    room.execute("n1", "SET", "k", "mine", connection="writer")
    assert room.data("n1") == {b"k": b"mine"}
    room["n1"].asleep = True  # here: its record is not appended yet
    wait_for(room, "n2")
    room.wake("n1")
    room.advance(50)
    assert room.told("n1", "writer") == []
    assert "writer" in room["n1"].closed
    assert {"conflict", "deposed", "synced"} <= set(room["n1"].kinds())
    assert room.data("n1") == room.data("n2") == {b"k": b"old"}


def test_a_deposed_leader_answers_about_what_it_had_not_logged_as_any_replica_does() -> None:
    """Its marks of what was not in the log are gone with what they marked: nobody waits for that any more."""
    room = Room("n1", "n2")
    room.execute("n1", "SET", "k", "v", connection="writer")
    room["n1"].asleep = True
    wait_for(room, "n2")
    room.wake("n1")
    room.advance(1_000)
    reply = room.ask("n1", "GET", "k", connection="reader")
    assert isinstance(reply, ErrorReply)
    assert reply.text.startswith("MOVED")


def test_a_leader_without_a_log_stops_at_the_end_of_its_lease_and_goes_on_when_nobody_came() -> None:
    """FACTS 19, the half that the leader sees."""
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "v")
    room.log.down = True
    room.advance(1_200)
    assert room.ask("n1", "GET", "k") == b"v", "its lease still holds"
    room.advance(1_000)
    assert isinstance(room.ask("n1", "GET", "k"), ErrorReply)
    assert isinstance(room.ask("n1", "SET", "k", "w"), ErrorReply)
    assert "lease over" in room["n1"].kinds()
    room.log.down = False
    room.advance(100)
    assert room.leader() == "n1"
    assert room.ask("n1", "GET", "k") == b"v"
    assert led_by(room) == ["n1"]


class _CountsThroughTheSilence(Leadership):
    def heard_again(self, now: int) -> Effects:
        yield from ()


class _Hasty(MemoryDBServer):
    leadership_type = _CountsThroughTheSilence


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_after_a_silence_of_the_log_the_living_leader_speaks_first(durability: str) -> None:
    """A replica's backoff does not run out while nobody can be heard; without that, the first to speak takes over, and
    a leader that had answered before the log loses what it had not logged."""
    left = {}
    for kind in (MemoryDBServer, _Hasty):
        room = Room("n1", "n2", node=kind, durability=durability)
        room.log.down = True
        room.send("n1", "SET", "k", "v", connection="writer")
        room.advance(4_000)
        assert room.told("n1", "writer") == ([OK] if durability == "async" else [])
        room["n1"].asleep = True  # the replica is the first whom the log reaches
        room.log.down = False
        room.advance(300)
        room.wake("n1")
        room.advance(1_000)
        left[kind] = led_by(room), room.data("n2")
    assert left[MemoryDBServer] == (["n1"], {b"k": b"v"})
    assert left[_Hasty] == (["n1", "n2"], {})


def test_a_leader_that_died_in_a_silence_of_the_log_is_replaced_a_backoff_after_it() -> None:
    room = Room("n1", "n2")
    room.log.down = True
    room["n1"].asleep = True
    room.advance(4_000)
    room.log.down = False
    assert 3_000 <= wait_for(room, "n2") <= 3_900


def test_a_silence_shorter_than_the_lease_puts_nothing_off() -> None:
    """A log that changes its own leader while a shard's leader dies costs the shard no second backoff."""
    room = Room("n1", "n2")
    room.advance(1_000)
    room["n1"].asleep = True
    room.advance(1_000)
    room.log.down = True
    room.advance(1_500)
    room.log.down = False
    assert wait_for(room, "n2") <= 1_100, (
        "3.0 to 3.5 s after the last renewal, which was half a second before the death"
    )


def test_of_two_that_campaign_together_one_wins() -> None:
    """FACTS 23."""
    room = Room("n1", "n2", "n3", backoff_jitter_ms=0)
    room["n1"].asleep = True
    wait_for(room, "")
    wait_for(room)
    assert len(led_by(room)) == 2
    loser = "n3" if room.leader() == "n2" else "n2"
    assert "candidate" in room[loser].kinds()
    assert "conflict" in room[loser].kinds()
    assert room[loser].node.leadership.phase is Phase.FOLLOWING


def test_who_has_not_seen_the_tail_does_not_campaign_and_would_not_win() -> None:
    """FACTS 24."""
    room = Room("n1", "n2")
    node = room["n2"].node
    assert node.leadership.may_campaign(room.now + 10_000_000) is False, "it has heard nothing for long"
    room["n2"].asleep = True
    room.ask("n1", "SET", "k", "v")
    found = room.log.append(node.logbook.position, Claim("n2", "0" * 40).encode(), "n2's", LEADERSHIP)
    assert not isinstance(found, Appended)


def test_the_lease_counts_from_before_the_renewal_was_sent() -> None:
    room = Room("n1", "n2", log=LocalLog(delay_us=400_000))
    room.advance(3_000)
    lease, backoff = room["n1"].node.leadership.lease_until_us, room["n2"].node.leadership.backoff_until_us
    assert lease <= room.now + 2_000_000 - 400_000
    assert backoff > lease


def test_handing_over_takes_no_backoff_and_loses_nothing() -> None:
    room = Room("n1", "n2", "n3")
    room.ask("n1", "SET", "k", "v")
    assert room.ask("n1", "FAILOVER", "TO", "n3") == OK
    assert wait_for(room, "n3") < 100
    assert room.ask("n3", "GET", "k") == b"v"
    assert room["n1"].node.leadership.phase is Phase.FOLLOWING
    assert isinstance(room.ask("n1", "FAILOVER"), ErrorReply), "it leads no more"
    assert isinstance(room.ask("n3", "FAILOVER", "TO", "n9"), ErrorReply)


def test_a_replica_that_began_behind_the_leadership_entry_learns_the_leader_from_a_renewal() -> None:
    room = Room("n1", "n2")
    node = room["n2"].node
    node.leadership.leader = ""  # as after a snapshot that holds the leadership entry already
    room.advance(700)
    assert node.leadership.leader == "n1"


def test_a_leader_whose_own_entries_are_trimmed_before_it_was_told_of_them_goes_on_leading() -> None:
    """Its subscription is refused while an append of its own is under way: that append is not."""
    room = Room("n1", "n2")
    room.ask("n1", "SET", "k", "v")
    user = room["n1"].node.logbook.log
    assert isinstance(user, LocalLogUser)
    user._seen = EntryId.ZERO  # it has not been told of anything yet
    room.log.trim(room.log.tail().id)
    room.send("n1", "SET", "k", "w")
    user._push()
    assert user._seen is None, "the subscription has ended, and the append is under way"
    room.advance(10)
    assert room.told("n1") == [OK, OK]
    assert room.leader() == "n1"
    assert "conflict" not in room["n1"].kinds()


def test_a_restarted_leader_without_replicas_waits_for_its_own_old_lease() -> None:
    room = Room("n1")
    room.ask("n1", "SET", "k", "v")
    room.start("n1")
    assert 2_900 <= wait_for(room, "n1") <= 3_700
    assert room.ask("n1", "GET", "k") == b"v"


def test_an_older_engine_reads_no_further_than_it_can_and_never_leads() -> None:
    """FACTS 25."""
    room = Room("n1", "n2", options={"n1": {"engine_version": (7, 1, 0)}})
    room.ask("n1", "SET", "k", "v")
    assert room["n2"].node.leadership.phase is Phase.STOPPED
    assert room.data("n2") == {}
    assert "stopped" in room["n2"].kinds()
    room["n1"].asleep = True
    room.advance(20_000)
    assert led_by(room) == ["n1"]
    same = Room("n1", "n2")
    same.ask("n1", "SET", "k", "v")
    same["n1"].asleep = True
    wait_for(same, "n2")


def test_phases_are_a_table() -> None:
    assert set(TRANSITIONS) == set(Phase)
    reached = {phase for ways in TRANSITIONS.values() for phase in ways}
    assert reached | {Phase.RECOVERING} == set(Phase)
    assert all(Phase.RECOVERING in TRANSITIONS[phase] for phase in LEADERS)


def test_a_crash_before_the_log_has_answered_leaves_the_write_in_or_out_and_never_twice() -> None:
    """FACTS 21: indeterminate for the client; here the record had got in."""
    room = Room("n1", "n2")
    room.send("n1", "INCR", "n")
    room["n1"].asleep = True  # for ever: the append was asked, and is not answered
    room["n1"].node.logbook.log._questions[0]()  # the log has done it all the same
    wait_for(room, "n2")
    assert room.told("n1") == []
    assert room.ask("n2", "GET", "n") == b"1"
    records = [Record.decode(e.body) for e in room.log.read(room.log.sequence.cut).entries if e.kind == "data"]  # type: ignore[union-attr]
    assert len(records) == 1


@pytest.mark.parametrize("seed", range(3))
def test_no_two_ever_serve_at_one_time(seed: int) -> None:
    """Sleeps of every length, whoever leads: `Room.leader` looks."""
    room = Room("n1", "n2", "n3")
    for number in range(12):
        sleeper = room.names[(number * 7 + seed) % 3]
        room[sleeper].asleep = True
        for _ in range((number * 5 + seed) % 9):
            room.advance(500)
            room.leader()
        room.wake(sleeper)
        room.leader()
