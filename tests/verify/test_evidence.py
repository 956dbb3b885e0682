"""The witness: it sees what servers hold, whenever they say where they are, and changes nothing."""

from __future__ import annotations

from durable_redis.lab.deployments import Redis
from durable_redis.lab.playback import Playback
from durable_redis.sim.scenario import Action
from durable_redis.verify.evidence import Witness, contents
from durable_redis.verify.invariants import judge
from durable_redis.verify.judging import Case


def played(witnessed: bool) -> tuple[Playback, Witness | None]:
    playback = Playback(Redis(appendonly=True), 5, record=False)
    witness = Witness(playback) if witnessed else None
    playback.play_to(100_000)
    playback.perform(Action("work", (60,), (("every_ms", 10),), at_us=100_000))
    playback.perform(Action("crash", ("n1", "power loss"), at_us=500_000))
    playback.perform(Action("restart", ("n1",), at_us=600_000))
    playback.play_to(5_000_000)
    return playback, witness


def test_a_witness_changes_nothing() -> None:
    assert played(True)[0].world.journal.digest() == played(False)[0].world.journal.digest()


def test_a_sighting_is_a_copy_of_what_was_held_then() -> None:
    playback, witness = played(True)
    assert witness is not None
    kinds = [sighting.kind for sighting in witness.sightings]
    assert kinds[0] == "ready"
    assert kinds.count("ready") == 2
    assert kinds.count("executed") > 30
    assert all(playback.world.journal.steps[one.step - 1].what.facts is one.facts for one in witness.sightings)
    before, after = witness.sightings[5], witness.sightings[6]
    assert before.held != after.held
    assert {sighting.logs for sighting in witness.sightings} == {True}


def test_the_evidence_of_a_run_is_complete_and_nobody_objects() -> None:
    playback, witness = played(True)
    assert witness is not None
    evidence = witness.evidence()
    assert evidence.views["n1"]["keys"] == len(evidence.held["n1"]) > 5
    assert set(evidence.homes.values()) == {"n1"}
    assert judge(evidence) == []
    case = Case(evidence)
    acknowledged = [one for one in playback.operations() if one.outcome == "ok"]
    assert 0 < len(case.lost()) < len(case.reference.writes) <= len(acknowledged) + 1
    playback.perform(Action("crash", ("n1", "power loss"), at_us=5_000_000))
    assert witness.evidence().receipt is None
    assert witness.evidence().held == {}


def test_contents_are_told_by_database_and_type() -> None:
    playback, _ = played(False)
    machine = playback.world.machines["n1"]
    assert machine.process is not None
    engine = machine.process.node.engine  # type: ignore[attr-defined]
    engine.flush_all()
    for db, words in ((0, "SET s 1"), (0, "RPUSH l a b"), (3, "SADD s x"), (0, "HSET h f v")):
        engine.apply(db, words.encode().split(), 0)
    assert contents(engine.keyspace) == {
        (0, b"s"): b"1",
        (0, b"l"): (b"a", b"b"),
        (3, b"s"): frozenset({b"x"}),
        (0, b"h"): "a hash of 1",
    }
