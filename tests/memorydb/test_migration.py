"""Slots on their way from one shard to another, when nothing goes wrong: what is where, who waits, what is refused.

Keys with {b} in their names are of slot 3300, which s1 begins with."""

from __future__ import annotations

import pytest
from migrationtools import MOVED, Room

from durable_redis.formats.resp import OK, ErrorReply, Status, encode_command
from durable_redis.memorydb.migration.ownership import TRANSITIONS, Phase
from durable_redis.memorydb.migration.source import DEMANDS, KEYS_A_BATCH
from durable_redis.memorydb.shards import Shard
from durable_redis.redis.cluster.slots import SLOTS, key_slot
from tests.memorydb.shardtools import Room as OneNode

SLOT = key_slot(b"b")


def error(reply: object) -> str:
    assert isinstance(reply, ErrorReply), reply
    return reply.text


@pytest.fixture(scope="module")
def moved() -> Room:
    """A migration under a mixed workload, and rest."""
    room = Room()
    assert room.begin() == OK
    room.rest()
    return room


def test_it_leaves_the_same_steps_in_both_logs_and_the_source_decides(moved: Room) -> None:
    assert moved.phases() == [
        ("begun", "n1"),
        ("begun", "n2"),
        ("prepared", "n1"),
        ("prepared", "n2"),
        ("committed", "n1"),
        ("committed", "n2"),
        ("over", "n2"),
        ("over", "n1"),
    ]


def test_no_client_sees_an_error_and_every_write_is_where_its_slot_is(moved: Room) -> None:
    assert moved.judged() == []
    assert {one.outcome for one in moved.playback.operations()} == {"ok"}
    redirected = [one for one in moved.playback.operations() if one.redirections]
    assert redirected, "some have followed a MOVED"
    assert max(one.redirections for one in redirected) == 1


def test_writes_stall_for_four_appends_and_two_round_trips(moved: Room) -> None:
    (begin, end) = (step.at_us for step, _ in moved.notes("slots stalled", "slots released"))
    assert 5_000 < end - begin < 40_000
    slow = [one for one in moved.playback.operations() if one.answered_us - one.sent_us > end - begin + 20_000]  # type: ignore[operator]
    assert slow == []


def test_replicas_know_from_the_log_alone(moved: Room) -> None:
    """And they were told of nothing else: the bus speaks to other shards only."""
    for source, target in (("n1", "n2"), ("n3", "n4")):
        assert moved.server(source).shards.ranges == ((8001, 8191),)
        assert moved.server(target).shards.ranges == ((0, 8000), (8192, 16383))
    here = moved.command("CLUSTER", "SLOTS", node="n3")
    assert here == moved.command("CLUSTER", "SLOTS", node="n1")
    assert [row[:2] for row in here] == [[8001, 8191], [0, 8000], [8192, 16383]]
    assert sorted(row[:2] for row in moved.command("CLUSTER", "SLOTS", node="n2")) == sorted(row[:2] for row in here)


def test_the_same_seed_gives_the_same_digest() -> None:
    digests = []
    for _ in range(2):
        room = Room(seed=5)
        room.begin()
        room.rest()
        digests.append(room.playback.world.journal.digest())
    assert digests[0] == digests[1]


def test_phases_are_a_table() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert set(DEMANDS) == set(Phase) - {Phase.OVER}


# -- the data ----------------------------------------------------------------------------------------------------------


def quiet(**options: object) -> Room:
    """A room whose clients do nothing yet."""
    return Room(count=0, **options)  # type: ignore[arg-type]


def contents(room: Room, node: str) -> dict[bytes, tuple[object, int | None]]:
    """What a node holds in this slot."""
    entries = room.server(node).engine.entries()
    return {entry.key: (entry.value, entry.expires_at_ms) for entry in entries if key_slot(entry.key) == SLOT}


def test_more_keys_than_a_batch_of_every_type_with_their_expiry() -> None:
    room = quiet()
    for number in range(2 * KEYS_A_BATCH):
        room.command("SET", f"{{b}}{number}", number, "PX", 600_000 + number)
    for line in ("RPUSH {b}l x y", "HSET {b}h f 1", "ZADD {b}z 1.5 m", "SADD {b}s 1"):
        room.command(*line.split())
    before = contents(room, "n1")
    room.begin(SLOT, SLOT)
    room.rest()
    assert contents(room, "n4") == contents(room, "n2") == before
    assert set(contents(room, "n1")) == set(contents(room, "n3")) == set()


CHANGES = (
    ("RENAME {b}0 {b}new",),
    ("APPEND {b}0 x", "DEL {b}1", "SET {b}new 1"),
    ("RENAME {b}39 {b}0", "INCR {b}39"),
    ("MULTI", "INCR {b}n", "RENAME {b}5 {b}39", "EXEC"),
    ("PEXPIRE {b}38 50",),
)
"""What five clients do, each with 40 keys of its own, of one slot."""


def own(line: str, client: int) -> list[bytes]:
    return line.replace("{b}", f"{{b}}{'ABCDE'[client]}").encode().split()


def changed(migrate_us: int | None) -> tuple[Room, bool]:
    """40 keys for each of five clients, and so long after a migration was asked for (None: it is not) their changes.
    False: EXEC was refused, since MULTI had been said elsewhere; what came in between may have been done there."""
    room = quiet(clients=5)
    clients = [room.playback.client(name) for name in room.deployment.clients]
    for number, client in enumerate(clients):
        for key in range(40):
            client.plan(own(f"SET {{b}}{key} {key}", number), 0, paced=False)
    room.do("work", 5)
    assert room.wait(lambda: room.playback.idle)
    if migrate_us is not None:
        room.do("command", "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", "n2", node="n1")
        room.playback.play_to(room.playback.world.now_us + migrate_us)
    for number, client in enumerate(clients):
        for line in CHANGES[number]:
            client.plan(own(line, number), 0, paced=False)
    room.do("work", 5)
    room.rest()
    (exec_,) = [one for one in room.playback.operations() if one.argv == [b"EXEC"]]
    return room, exec_.outcome == "ok"


def test_what_changes_while_keys_move_is_taken_along() -> None:
    """At many moments of the migration, so that it is about keys that have moved, and about such that have not."""
    room, _ = changed(None)
    expected = contents(room, "n1")
    others = {key: value for key, value in expected.items() if not key.startswith(b"{b}D")}
    for migrate_us in range(0, 100_000, 5_000):
        room, all_done = changed(migrate_us)
        assert room.end() == "committed"
        found = contents(room, "n2")
        if not all_done:
            found = {key: value for key, value in found.items() if not key.startswith(b"{b}D")}
        assert found == (expected if all_done else others), f"{migrate_us} us after it was asked for"


def test_a_command_that_empties_the_source_meanwhile_ends_it_by_the_checksum() -> None:
    room = quiet()
    for number in range(40):
        room.command("SET", f"{{b}}{number}", number)
    room.begin(SLOT, SLOT)
    room.wait(lambda: room.server("n2").engine.keyspace.databases[0].values.get(b"{b}20") is not None)
    assert room.command("FLUSHALL", node="n1") == OK
    room.rest()
    assert room.end() == "abandoned"
    assert contents(room, "n1") == {}
    assert contents(room, "n2") == {}
    (why,) = {facts["why"] for step, facts in room.notes("migration") if step.machine == "n2" and "why" in facts}
    assert why == "the data have another checksum than at the source"


def test_keys_that_expire_on_the_way_stop_nothing() -> None:
    room = quiet()
    for number in range(40):
        room.command("SET", f"{{b}}{number}", number, "PX", 20 + 4 * number)
    room.begin(SLOT, SLOT)
    room.rest()
    assert room.end() == "committed"
    assert not any(contents(room, node) for node in room.deployment.nodes)


# -- clients that wait -------------------------------------------------------------------------------------------------


def test_while_writes_stall_reads_go_on() -> None:
    room = quiet()
    room.command("SET", "{b}k", "v")
    room.begin(SLOT, SLOT)
    room.play_until_noted("slots stalled")
    here = room.playback.client("client2")
    write = here.plan([b"SET", b"{b}k", b"w"], 0, paced=False)
    behind = here.plan([b"GET", b"{b}k"], 0, paced=False)
    read = room.playback.client("client3").plan([b"GET", b"{b}k"], 0, paced=False)
    room.do("work", 1)
    assert room.wait(lambda: read.outcome == "ok")
    assert read.reply == b"v"
    assert not room.notes("slots released")
    assert room.wait(lambda: behind.outcome == "ok")
    assert (write.reply, behind.reply, write.redirections) == (OK, b"w", 1)


def test_a_transaction_waits_at_exec_and_is_then_sent_elsewhere_as_a_whole() -> None:
    room = quiet()
    room.begin(SLOT, SLOT)
    room.until("prepared", "n1")
    replies = [room.command(*words, node="n1") for words in (("MULTI",), ("SET", "{b}k", "1"), ("EXEC",))]
    assert replies[:2] == [OK, Status(b"QUEUED")]
    assert error(replies[2]) == "MOVED 3300 n2:6379"
    assert room.command("GET", "{b}k") is None


# -- what an operator may ask ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("SLOTSRANGE", 0, 16384, "NODE", "n2"), "ERR Invalid or out of range slot"),
        (("SLOTSRANGE", "x", 5, "NODE", "n2"), "ERR Invalid or out of range slot"),
        (("SLOTSRANGE", 6, 5, "NODE", "n2"), "ERR start slot number 6 is greater than end slot number 5"),
        (("SLOTSRANGE", 8000, 9000, "NODE", "n2"), "ERR s1 does not serve the slots 8192-9000"),
        (("SLOTSRANGE", 5, 5, "NODE", "n9"), "ERR Unknown node n9: there is n1, n3, n2, n4"),
        (
            ("SLOTSRANGE", 5, 5, "NODE", "n3"),
            "ERR n3 is a node of s1: the target must be another shard than the source",
        ),
        (("SLOTSRANGE", 5, 5, "NODE"), "ERR syntax error: CLUSTER MIGRATESLOTS SLOTSRANGE first last NODE node"),
        (("SLOTS", 5, 5, "NODE", "n2"), "ERR syntax error: CLUSTER MIGRATESLOTS SLOTSRANGE first last NODE node"),
    ],
)
def test_what_cannot_be_begun_is_refused_by_name(words: tuple[object, ...], text: str) -> None:
    room = quiet()
    assert error(room.command("CLUSTER", "MIGRATESLOTS", *words, node="n1")).startswith(text)  # type: ignore[arg-type]
    assert room.command("CLUSTER", "GETSLOTMIGRATIONS", node="n1") == []


def test_only_a_primary_begins_and_only_one_at_a_time() -> None:
    room = Room()
    assert "for the primary of the shard" in error(room.begin(source="n3"))
    assert room.begin() == OK
    assert error(room.begin()).startswith("ERR a migration is running already: s1-")
    room.until("begun", "n2")
    assert "a migration is running already" in error(room.begin(9000, 9000, source="n2", target="n1"))
    room.rest()
    assert error(room.begin()) == "ERR s1 does not serve the slots 0-8000"
    assert room.begin(*MOVED, source="n2", target="n1") == OK, "and back"
    room.rest()
    assert room.server("n3").shards.ranges == ((0, 8191),)
    assert [facts["phase"] for _, facts in room.notes("migration")].count("committed") == 4


@pytest.mark.parametrize("apart_us", [0, 2_000, 4_000, 6_000])
def test_two_shards_that_want_to_give_slots_to_one_another_do_not_wait_for_ever(apart_us: int) -> None:
    """Each refuses the other's, having begun its own; and is told of the end of what has never begun there."""
    room = Room(count=60)
    for source, target, slots in (("n1", "n2", (0, 8000)), ("n2", "n1", (9000, 16000))):
        room.do("command", "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", *slots, "NODE", target, node=source)
        room.playback.play_to(room.playback.world.now_us + apart_us)
    room.rest()
    assert room.unrest() == []


def test_an_operator_looks_and_cancels() -> None:
    room = Room()
    assert "no migration from here" in error(room.command("CLUSTER", "CANCELSLOTMIGRATIONS", node="n1"))
    room.begin()
    room.until("begun", "n2")
    assert room.command("CLUSTER", "CANCELSLOTMIGRATIONS", node="n1") == OK
    room.rest()
    assert room.judged() == []
    (row,) = room.command("CLUSTER", "GETSLOTMIGRATIONS", node="n1")
    fields = dict(zip(row[::2], row[1::2], strict=True))
    assert fields[b"operation"] == b"EXPORT"
    assert fields[b"slot_ranges"] == b"0-8000"
    assert (fields[b"state"], fields[b"message"]) == (b"over", b"an operator has cancelled it")
    (other,) = room.command("CLUSTER", "GETSLOTMIGRATIONS", node="n2")
    assert b"IMPORT" in other


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("BEGIN", "s9", 5, "7"), "ERR there is no other shard s9"),
        (("BEGIN", "s2", 5, "7"), "ERR there is no other shard s2"),
        (("BEGIN", "s1", 5, "9000"), "ERR s2 has these slots already"),
        (("BEGIN", "s1", 5, "x"), "ERR slots are written like"),
        (("BEGIN", "s1", 5), "ERR wrong number of arguments"),
        (("COMMIT", "s1", 5, "7"), "ERR s2 knows of no migration s1-5"),
        (("PREPARE", "s1", 5, "7", "zz", "1"), "ERR invalid literal"),
        (("DATA", "s1", 5, "PING"), "ERR s2 takes no data of s1-5"),
        (("JUMP", "s1", 5, "7"), "ERR MIGRATION knows no JUMP"),
    ],
)
def test_a_target_refuses_by_name_what_makes_no_sense(words: tuple[object, ...], text: str) -> None:
    room = quiet()
    assert error(room.command("MIGRATION", *words, node="n2")).startswith(text)  # type: ignore[arg-type]
    assert room.phases() == []


@pytest.mark.parametrize(
    "data", [["FROB", "x"], ["SET", "k"], ["GET", "k"], ["FLUSHALL"], ["SELECT", 3], ["SET", "k", 1], ["MULTI"]]
)
def test_a_target_executes_nothing_but_mutations_of_the_slots_that_move(data: list[str | int]) -> None:
    """Anybody can say these words to it; the key k is of the slot 7629, and only the slot 7 moves."""
    shards = (Shard("s1", ("n9",), 0, 8191), Shard("s2", ("n1",), 8192, SLOTS - 1))
    target = OneNode("n1", shard="s2", shards=shards)
    target.send("n1", "SET", "foo", "kept")
    target.send("n1", "MIGRATION", "BEGIN", "s1", "5", "7")
    target.advance(50)
    assert target.told("n1")[-1] == [b"migration", 5, b"begun"]
    stream = encode_command([str(word).encode() for word in data]).decode()
    target.send("n1", "MIGRATION", "DATA", "s1", "5", stream)
    target.advance(50)
    refused = f"ERR {str(data[0]).encode()!r} is no mutation of the slots that move"
    assert error(target.told("n1")[-1]) == refused
    assert target.data("n1") == {b"foo": b"kept"}


def test_a_replica_of_the_target_says_who_leads() -> None:
    room = quiet()
    assert error(room.command("MIGRATION", "BEGIN", "s1", 5, "7", node="n4")) == "REDIRECT n2:6379"
    room.rest()
    room.begin(target="n4")
    room.rest()
    assert room.end() == "committed", "any node of a shard names the shard"
