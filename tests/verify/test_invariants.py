"""Each judge on runs made by hand: an honest one, and one in which somebody lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stories import Story, Trio

from durable_redis.contract import Note
from durable_redis.formats.resp import ErrorReply
from durable_redis.lab.deployments import Redis
from durable_redis.redis.cluster.slots import key_slot
from durable_redis.sim import EPOCH_US
from durable_redis.verify.evidence import Evidence
from durable_redis.verify.invariants import JUDGES, judge
from durable_redis.verify.judging import Case
from durable_redis.verify.reference import UnknownCommand


def objections(evidence: Evidence) -> list[tuple[str, str]]:
    """(judge, machine) for each finding."""
    return [(finding.judge, finding.node) for finding in judge(evidence)]


def the_only(evidence: Evidence, name: str) -> str:
    """The sentence of the one finding, which must be this judge's."""
    (finding,) = judge(evidence)
    assert finding.judge == name
    return finding.sentence


def w(number: int) -> str:
    return f"SET w{number} v{number}"


def written(count: int, *replicas: str) -> Story:
    """n1 has executed so many writes, and these replicas have them."""
    story = Story()
    for number in range(1, count + 1):
        story.ask(w(number))
    for replica in replicas:
        story.apply(replica)
    return story


def key(number: int) -> tuple[int, bytes]:
    return (0, b"w%d" % number)


# -- an honest life ---------------------------------------------------------------------------------------------------


def test_nobody_objects_to_a_failover_that_loses_what_had_not_arrived() -> None:
    """n1 dies with w4 and w5, n2 leads, n1 comes back, tells what it has, and is made to follow."""
    story = written(3, "n2", "n3")
    story.ask(w(4))
    story.ask(w(5), outcome="unknown")
    everything = story.memory["n1"]
    story.crash("n1")
    story.role("n2", "B", second="A")
    story.sync("n3", "B", 30, how="partial")
    story.ask(w(6), node="n2")
    story.start("n1", "C", everything)
    story.ask("SET w7 only-here", node="n1")
    story.role("n1", "C", primary="n2")
    story.sync("n1", "B", 40)
    story.apply("n3")
    for node in ("n1", "n3"):
        story.role(node, "B", primary="n2")
    evidence = story.evidence(home="n2", calm=True)
    assert judge(evidence) == []
    case = Case(evidence)
    lost, place = case.lost(), case.reference.at["n2"]
    assert [write.operation.argv[1] for write in lost] == [b"w4", b"w7"], "w5 was never acknowledged"
    assert [stream.node for write in lost if (stream := place.decided_against(write))] == ["n2", "n2"]


def test_a_restart_from_disk_is_found_in_the_history() -> None:
    story = Story(Redis(appendonly=True))
    for number in range(1, 6):
        story.ask(w(number))
    story.crash("n1")
    story.start("n1", "B", {key(n): b"v%d" % n for n in (1, 2, 3)})
    story.ask(w(6))
    evidence = story.evidence()
    assert judge(evidence) == []
    assert [write.operation.argv[1] for write in Case(evidence).lost()] == [b"w4", b"w5"]


def test_commands_of_all_types_are_followed_and_others_named() -> None:
    story = Story()
    for words in (
        "RPUSH l a",
        "RPUSH l b",
        "LPOP l",
        "INCR c",
        "SADD t x",
        "DEL l",
        "SET s 1",
        "FLUSHALL",
        "APPEND s 2",
    ):
        story.ask(words)
    assert judge(story.evidence()) == []
    story.ask("HSET h f v") if False else None
    with pytest.raises(UnknownCommand, match="HSET h f v"):
        story.ask("HSET h f v")


# -- no invented state ------------------------------------------------------------------------------------------------


def test_a_replica_that_skips_a_write_is_seen_at_once_and_named_once() -> None:
    story = written(3, "n3")
    story.apply("n2", held={key(1): b"v1", key(3): b"v3"})
    story.ask(w(4))
    story.apply("n2", held={key(1): b"v1", key(3): b"v3", key(4): b"v4"})
    story.apply("n3")
    sentence = the_only(story.evidence(), "no invented state")
    assert "at byte 30 of n1's history AAAAAAAA" in sentence
    assert "it holds nothing under w2, not b'v2'" in sentence


def test_a_full_sync_that_keeps_old_keys_is_seen() -> None:
    story = written(3, "n2", "n3")
    story.ask(w(4))
    story.crash("n1")
    story.role("n2", "B", second="A")
    story.start("n1", "C", {})
    story.sync("n1", "B", 30, held={**story.past["B", 30], key(4): b"v4"})
    sentence = the_only(story.evidence(home="n2"), "no invented state")
    assert "b'v4' under w4, not nothing" in sentence


def test_a_start_with_data_that_nobody_ever_had_is_seen() -> None:
    story = Story(Redis(appendonly=True))
    story.ask(w(1))
    story.ask(w(2))
    story.crash("n1")
    story.start("n1", "B", {key(2): b"v2"})
    finding, *_ = judge(story.evidence())
    assert finding.judge == "no invented state"
    assert "started with data that no primary ever had: nothing under w1, not b'v1'" in finding.sentence


def test_a_change_after_the_last_note_is_seen() -> None:
    story = written(1, "n2", "n3")
    story.memory["n3"] = {}
    assert "at the end it holds nothing under w1" in the_only(story.evidence(), "no invented state")


def test_a_wrong_database_is_a_wrong_place() -> None:
    story = written(1, "n3")
    story.apply("n2", held={(1, b"w1"): b"v1"})
    assert "and 1 more key" in the_only(story.evidence(), "no invented state")


# -- ids and offsets --------------------------------------------------------------------------------------------------


def test_a_promotion_that_keeps_the_old_id_is_seen() -> None:
    story = written(2, "n2", "n3")
    story.role("n2", "A")
    assert "it leads under an id that stands for n1's history" in the_only(story.evidence(), "one primary an id")
    story.ask(w(3), node="n2")
    assert objections(story.evidence())[:2] == [("one primary an id", "n2")] * 2


def test_an_offset_that_stands_for_nothing_is_seen() -> None:
    story = written(2, "n3")
    story.at["n2"] = ("Q", 20)
    story.note("n2", "applied")
    assert "byte 20 of QQQQQQQQ, which nobody took" in the_only(story.evidence(), "offsets count bytes")


def test_an_offset_that_moves_back_is_seen() -> None:
    story = written(2, "n2", "n3")
    story.apply("n2", to=10)
    assert "back from byte 20 of AAAAAAAA to 10" in the_only(story.evidence(), "offsets count bytes")


def test_a_second_id_for_a_past_that_one_does_not_have_is_seen() -> None:
    """n2 is promoted at 20 of A, and says that it shares A up to 30."""
    story = written(3, "n3")
    story.apply("n2", to=20)
    story.at["n2"] = ("A", 30)
    story.role("n2", "B", second="A")
    assert "shares n1's history AAAAAAAA" in the_only(story.evidence(home="n2"), "offsets count bytes")


# -- commands ---------------------------------------------------------------------------------------------------------


def test_a_wrong_answer_is_seen() -> None:
    story = written(0)
    story.ask("INCR c")
    story.ask("INCR c", reply=7)
    assert "the answer to INCR c was 7, and should be 2" in the_only(story.evidence(), "right answers")


def test_a_command_executed_twice_and_one_that_nobody_sent_are_seen() -> None:
    story = written(1)
    story.note("n1", "executed", connection="c>n1#1", command=1)
    assert "SET w1 v1 a second time" in the_only(story.evidence(), "nothing unasked")
    story = written(1)
    story.note("n1", "executed", connection="c>n1#1", command=9)
    assert "a command that no client sent" in the_only(story.evidence(), "nothing unasked")


def test_an_ok_without_an_execution_and_an_execution_after_an_error_are_seen() -> None:
    story = written(1)
    story.refuse(w(2)).outcome = "ok"
    assert "SET w2 v2, and never executed it" in the_only(story.evidence(), "acknowledged is executed")
    story = written(1)
    story.ask(w(2), outcome="failed", reply=ErrorReply("READONLY"))
    assert "it executed SET w2 v2" in the_only(story.evidence(), "acknowledged is executed")
    story = written(1)
    story.refuse(w(2))
    story.ask("DEL nothing")
    assert judge(story.evidence()) == []


# -- losses and copies ------------------------------------------------------------------------------------------------


def test_a_survivor_that_is_only_behind_explains_no_loss() -> None:
    story = written(3, "n2", "n3")
    story.ask(w(4))
    assert objections(story.evidence(home="n2", calm=True))[0] == ("losses are explained", "n2")
    assert objections(story.evidence(home="n2")) == [], "before the room is calm it may still arrive"


def test_a_primary_that_led_on_and_is_chosen_again_explains_the_losses_of_the_other() -> None:
    story = written(2, "n2", "n3")
    story.role("n2", "B", second="A")
    story.ask(w(3), node="n2")
    story.role("n2", "B", primary="n1")
    story.sync("n2", "A", 20)
    evidence = story.evidence(home="n1", calm=True)
    assert judge(evidence) == []
    assert [write.operation.argv[1] for write in Case(evidence).lost()] == [b"w3"]


def lost_in_a_failover(first_ms: int) -> Story:
    """n1 executes w2, some time later w3, and dies; n2 leads without them."""
    story = written(1, "n2", "n3")
    story.ask(w(2))
    story.pass_ms(first_ms)
    story.ask(w(3))
    story.crash("n1")
    story.role("n2", "B", second="A")
    return story


def test_where_a_log_vouches_for_it_nothing_may_be_lost() -> None:
    story = lost_in_a_failover(1_000)
    assert judge(story.evidence(home="n2")) == [], "nobody had promised anything"
    story.deployment.loses_nothing = True
    found = [finding for finding in judge(story.evidence(home="n2")) if finding.judge == "nothing is lost"]
    assert ["SET w2 v2" in found[0].sentence, "SET w3 v3" in found[1].sentence] == [True, True]
    assert "one copy" not in [judge for judge, _ in objections(story.evidence(home="n2"))], "nobody has read it"


def test_two_leases_at_one_time_are_seen() -> None:
    def with_leases(gap_ms: int, between: str = "") -> list[tuple[str, str]]:
        story = Story()
        for node in ("n1", "n2"):
            story.step(node, Note("leads", {"epoch": len(story.steps), "shard": "s1", "old": ""}))
            story.step(node, Note("lease", {"until_us": EPOCH_US + story.now_us + 2_000_000}))
            story.pass_ms(gap_ms)
            if between:
                story.step(node, Note(between, {}))
        return objections(story.evidence())

    assert with_leases(2_100) == []
    assert with_leases(1_500) == [("one lease a shard", "n2")]
    assert with_leases(1_500, "deposed") == [("one lease a shard", "n2")], "who is deposed may not know it yet"
    assert with_leases(1_500, "handed over") == []


def test_no_more_is_lost_than_the_buffer_may_hold() -> None:
    for span_ms, objects in ((9_000, False), (11_000, True)):
        story = lost_in_a_failover(span_ms)
        story.deployment.loses_at_most_ms = 10_000
        assert [judge for judge, _ in objections(story.evidence(home="n2"))] == ["the buffer is bounded"] * objects


def test_a_receipt_that_misses_what_is_there_is_seen() -> None:
    story = written(2, "n2", "n3")
    receipt = [(operation, operation.argv[1] != b"w2") for operation in story.operations]
    assert "the receipt misses SET w2 v2" in the_only(story.evidence(receipt=receipt), "losses are explained")


def test_wait_that_counts_too_many_copies_is_seen() -> None:
    story = written(1)
    story.apply("n2")
    write = story.operations[0]
    write.wait, write.copies, write.answered_us = (1, 100), 1, EPOCH_US + story.now_us
    assert judge(story.evidence()) == []
    story.apply("n3")
    write.copies = 2
    sentence = the_only(story.evidence(), "copies are copies")
    assert "WAIT told 2 copies of SET w1 v1" in sentence
    assert sentence.endswith("and n2 had it"), "n3 got it after the answer"


# -- epochs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notes", "name"),
    [
        ([("s1", "vote", {"candidate": "s1"}), ("s1", "vote", {"candidate": "s2"})], "one vote an epoch"),
        ([("s1", "leader", {"leader": "s1"}), ("s2", "leader", {"leader": "s2"})], "one leader an epoch"),
        ([("s1", "promoted", {"replica": "n2"}), ("s1", "promoted", {"replica": "n3"})], "one leader an epoch"),
        ([("n4", "elected", {}), ("n5", "elected", {})], "one leader an epoch"),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_two_of_one_epoch_are_seen_and_two_epochs_are_not(
    notes: list[tuple[str, str, dict[str, Any]]], name: str, same: bool
) -> None:
    story = written(1)
    for epoch, (node, kind, facts) in enumerate(notes):
        story.step(node, Note(kind, {"epoch": 3 if same else epoch, **facts}))
        story.step(node, Note(kind, {"epoch": 3 if same else epoch, **facts}))
    assert {judge for judge, _ in objections(story.evidence())} == ({name} if same else set())


def test_a_refused_vote_is_none() -> None:
    story = written(1)
    for candidate, granted in (("n4", True), ("n5", False)):
        story.step("n1", Note("vote", {"epoch": 3, "candidate": candidate, "granted": granted}))
    assert judge(story.evidence()) == []


def test_two_owners_of_a_slot_are_seen_if_their_epochs_are_the_same() -> None:
    story = written(1, "n2")
    story.role("n2", "B", second="A")
    evidence = story.evidence()

    def views(epoch: int) -> dict[str, dict[str, Any]]:
        return {
            "n1": story.view("n1", slots=((0, 99), (200, 300)), epoch=3),
            "n2": story.view("n2", slots=((100, 220),), epoch=epoch),
            "n3": story.view("n3", slots=(), epoch=3),
        }

    evidence.views = views(epoch=3)
    assert "it owns slot 200 under epoch 3, and so does n1" in the_only(evidence, "one owner a slot")
    evidence.views = views(epoch=4)
    assert judge(evidence) == []


# -- the disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "crash", "after_ms", "promised"),
    [
        ("always", "power loss", 0, True),
        ("everysec", "power loss", 9_000, False),
        ("everysec", "process kill", 2_001, True),
        ("everysec", "process kill", 1_990, False),
        ("no", "process kill", 0, True),
        ("no", "power loss", 9_000, False),
        ("always", "disk loss", 9_000, False),
    ],
)
def test_what_a_log_promises(policy: str, crash: str, after_ms: int, promised: bool) -> None:
    story = Story(Redis(appendonly=True, appendfsync=policy))
    story.ask(w(1))
    story.ask(w(2))
    story.ask(w(3), outcome="unknown")
    story.pass_ms(after_ms)
    story.ask("GET w1")
    story.crash("n1", crash)
    story.start("n1", "B", {key(1): b"v1"})
    findings = judge(story.evidence())
    assert [finding.judge for finding in findings] == (["the log keeps"] if promised else [])
    if promised:
        assert "it has started without SET w2 v2" in findings[0].sentence


def test_a_full_synchronisation_ends_what_a_log_promised() -> None:
    story = Story(Trio(appendonly=True, appendfsync="always"))
    story.ask(w(1))
    story.role("n2", "B", second="A")
    story.role("n1", "A", primary="n2")
    story.sync("n1", "B", 0, held={})
    story.crash("n1")
    story.start("n1", "C", {})
    assert judge(story.evidence(home="n2")) == []


def test_one_server_that_always_fsyncs_answers_as_if_it_never_crashed() -> None:
    story = Story(Redis(appendonly=True, appendfsync="always"))
    story.ask(w(1))
    story.crash("n1")
    story.start("n1", "B", {key(1): b"v1"})
    story.ask("GET w1")
    assert judge(story.evidence()) == []
    story.ask("GET w1", reply=b"v0")
    assert "GET w1" in the_only(story.evidence(), "one copy")


# -- convergence ------------------------------------------------------------------------------------------------------


def calm_trio() -> Story:
    return written(2, "n2", "n3")


@pytest.mark.parametrize(
    ("views", "sentence"),
    [
        ({"n3": {}}, "it is down"),
        ({"n3": {"ready": False}}, "it is loading"),
        ({"n3": {"role": "primary"}}, "2 servers lead: n1, n3"),
        ({"n3": {"link": "down"}}, "its link to n1 is down"),
        ({"n3": {"offset": 10}}, "it is at byte 10, and n1 at 20"),
        ({"n3": {"primary": "n2"}}, "it follows n2, which is no primary"),
    ],
)
def test_what_is_no_rest(views: dict[str, dict[str, Any]], sentence: str) -> None:
    story = calm_trio()
    assert judge(story.evidence(calm=True)) == []
    for calm in (True, False):
        evidence = story.evidence(calm=calm)
        for node, changes in views.items():
            evidence.views = {**evidence.views, node: {**evidence.views[node], **changes} if changes else {}}
        assert [sentence in finding.sentence for finding in judge(evidence)] == ([True] if calm else [])


def test_clients_that_are_sent_elsewhere_and_writes_that_are_refused_are_no_rest() -> None:
    story = calm_trio()
    assert "it leads, and clients are sent to n2" in str(judge(story.evidence(home="n2", calm=True)))
    probe = story.refuse(w(9))
    sentence = the_only(story.evidence(calm=True, probes=[probe]), "convergence")
    assert "SET w9 v9 was not accepted: failed" in sentence


def test_a_replica_with_other_data_is_no_rest() -> None:
    story = calm_trio()
    story.memory["n3"] = {}
    assert objections(story.evidence(calm=True)) == [("no invented state", "n3"), ("convergence", "n3")]


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ({"n1": ((0, 9999),), "n2": ((10000, 16383),)}, ""),
        ({"n1": ((0, 9999),), "n2": ((10001, 16383),)}, "slots from 10000 on are owned by nobody"),
        ({"n1": ((0, 9999),), "n2": ((9999, 16383),)}, "slots from 9999 on are owned twice"),
        ({"n1": ((0, 9999),), "n2": ((10000, 16382),)}, "slots from 16383 on are owned by nobody"),
        ({"n1": ((0, 16383),), "n2": ()}, "it leads, and owns no slots"),
    ],
)
def test_slots_are_owned_once(ranges: dict[str, tuple[tuple[int, int], ...]], sentence: str) -> None:
    story = calm_trio()
    story.role("n2", "B", second="A")
    evidence = story.evidence(calm=True)
    slots = {"state": "ok", "epoch": 1}
    evidence.views = {
        "n1": story.view("n1", slots=ranges["n1"], **slots),
        "n2": story.view("n2", slots=ranges["n2"], **{**slots, "epoch": 2}),
        "n3": story.view("n3", slots=(), **slots),
    }
    assert [finding.sentence for finding in judge(evidence)] == ([sentence] if sentence else [])


class Logged(Trio):
    """Three machines that say that a log in three zones keeps their data."""

    loses_nothing = True


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (("v1", "v2", "v2", "v3"), ""),
        (("v1", "v3", "v2"), "it answered b'v2' to c's GET x, which is right nowhere in the log from write 3 on"),
        (("v4",), "it answered b'v4' to c's GET x, which is right nowhere in the log from write 0 on"),
    ],
)
def test_what_is_read_from_one_replica_never_goes_back(answers: tuple[str, ...], sentence: str) -> None:
    """Also if the client is told so by the replica before it has applied anything: the log is what counts."""
    story = Story(Logged())
    story.ask("READONLY", node="n2")
    for number in (1, 2, 3):
        story.ask(f"SET x v{number}")
    for answer in answers:
        story.ask("GET x", node="n2", reply=answer.encode())
    found = judge(story.evidence())
    assert [one.judge for one in found] == (["one past"] if sentence else [])
    assert all(sentence in one.sentence for one in found)


X = (0, b"x")


def moved(held: dict[tuple[int, bytes], Any], left_behind: bool = False) -> Evidence:
    """x and its slot go from n1, which n3 follows, to n2, which then holds this; an INCR there is not answered."""
    story = Story(Logged())
    story.deployment.logs = ("log-a",)
    story.ask("SET x 1")
    story.ask("INCR y")
    slot = key_slot(X[1])
    facts = {"phase": "committed", "number": 5, "source": "s1", "target": "s2", "slots": str(slot)}
    story.step("n1", Note("migration", {**facts, "shard": "s1"}))
    if not left_behind:
        del story.memory["n1"][X]
    story.apply("n3", held=story.memory["n1"])
    story.role("n2", "B")
    story.ask("INCR x", node="n2", outcome="unknown")
    evidence = story.evidence(calm=True)
    evidence.homes = {b"x": "n2", b"y": "n1"}
    evidence.held = {**evidence.held, "n2": held}
    shared = {"state": "ok", "epoch": 1}
    evidence.views = {
        "n1": story.view("n1", slots=((0, slot - 1), (slot + 1, 16383)), **shared),
        "n2": story.view("n2", slots=((slot, slot),), **shared),
        "n3": story.view("n3", slots=(), **shared),
    }
    return evidence


@pytest.mark.parametrize(("held", "objects"), [({X: b"1"}, 0), ({X: b"2"}, 0), ({X: b"3"}, 1), ({}, 1)])
def test_a_slot_that_moves_takes_everything_along_once(held: dict[tuple[int, bytes], Any], objects: int) -> None:
    """The INCR may have been done, or not, and not twice."""
    found = judge(moved(held))
    assert [finding.judge for finding in found] == ["slots move whole"] * objects
    assert all("no answer is right: the last look's" in finding.sentence for finding in found)


def test_a_key_that_stays_where_its_slot_is_not_any_more_is_no_rest() -> None:
    assert "it holds b'x', whose slot is another's" in the_only(moved({X: b"1"}, left_behind=True), "convergence")


@pytest.mark.parametrize(
    ("views", "sentences"), [({}, []), ({"migration": "s1-5 (7 to s2): prepared"}, ["slots are on their way: s1-5"])]
)
def test_a_migration_that_does_not_end_is_no_rest(views: dict[str, str], sentences: list[str]) -> None:
    evidence = moved({X: b"1"})
    evidence.views["n1"].update(views)  # type: ignore[attr-defined]
    found = judge(evidence)
    assert [finding.judge for finding in found] == ["convergence" for _ in sentences]
    assert all(sentence in str(found) for sentence in sentences)


def test_every_judge_is_seen_to_object_in_this_file() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [one.name for one in JUDGES if text.count(f'"{one.name}"') == 0] == []
