"""Hunts: an accusation needs evidence, a wrong one is refuted by an experiment, and nothing tells the name before."""

from __future__ import annotations

import pytest

from durable_redis.classroom import ClassroomError, hunt
from durable_redis.classroom.contest import CONTESTANTS, contest, cuts
from durable_redis.classroom.hunts import GROUNDS, SUSPECTS, catches, objections
from durable_redis.classroom.suites import friendly
from durable_redis.lab.deployments import MemoryDB
from durable_redis.lab.errors import LabError
from durable_redis.memorydb.sealed import ENVELOPES, SOUND, unsealed

NUMBERS = range(1, len(ENVELOPES) + 1)
WHERE = {1: ("island", 0), 2: ("sleep", 1), 3: ("island", 0), 5: ("island", 3), 6: ("crash", 33)}
"""A ground and a seed that break a law, by the number of the envelope."""


@pytest.fixture(scope="module")
def cases():
    """Every case, with the evidence that there is."""
    opened = {number: hunt(number) for number in NUMBERS}
    for number, (ground, seed) in WHERE.items():
        assert opened[number].fuzz(ground, seeds=1, first_seed=seed)
    return opened


def test_every_envelope_can_be_opened_and_one_is_empty():
    inside = [unsealed(f"sealed {number}") for number in NUMBERS]
    assert inside.count(SOUND) == 1
    assert {*inside} - {SOUND} <= {*SUSPECTS}
    assert len({*inside}) == len(inside)


def test_what_is_no_envelope_is_no_bug():
    for name in ("sealed 0", "sealed 99", "sealed", "sealed x", "no such bug"):
        assert unsealed(name) == name
        with pytest.raises(LabError, match="no bug is called"):
            MemoryDB(bug=name)
    assert unsealed("no lease") == "no lease"


def test_a_sealed_node_is_the_node_with_the_bug():
    for number in NUMBERS:
        sealed, plain = (MemoryDB(bug=name) for name in (f"sealed {number}", unsealed(f"sealed {number}")))
        assert sealed._types == plain._types
        assert repr(sealed) == f"MemoryDB(replicas=2, bug='sealed {number}')"


def test_nothing_says_the_name_before_it_is_said(cases):
    for number, case in cases.items():
        name = unsealed(case.bug)
        found = case.evidence
        texts = [repr(found), found.replay] if found else []
        texts.append(repr(case.accuse("no tracker")))
        assert all(name not in text or name == SOUND for text in texts), number


def test_the_right_one_is_right_and_all_others_are_not(cases):
    for number in (1, 3):
        case = cases[number]
        said = {name: case.accuse(name).right for name in SUSPECTS}
        assert [name for name, right in said.items() if right] == [unsealed(case.bug)]
        assert case.accuse("nothing").right is False


def test_a_wrong_accusation_is_refuted_by_the_readers_own_schedule(cases):
    first = cases[1]
    assert "breaks no law. So something else is broken" in first.accuse("no lease").says
    assert "breaks another law (no invented state)" in first.accuse("no rollback").says
    assert "it was a good suspect" in first.accuse("answers before the commit").says
    assert objections(first.evidence, SOUND) == ()


def test_without_evidence_nobody_is_accused():
    case = hunt(1)
    assert case.accuse(unsealed(case.bug)).right is False
    assert "needs evidence" in case.accuse("no lease").says
    assert repr(case.accuse(...)) == "not attempted yet"
    assert "no suspect" in case.accuse("the network").says
    assert case.accuse(3).right is False


def test_that_nothing_is_broken_takes_silence_to_say():
    empty = hunt(4)
    assert "little to say" in empty.accuse("nothing").says
    for ground in GROUNDS:
        assert not empty.fuzz(ground, seeds=2)
    assert empty.silent == 6
    empty.silent += 10
    assert empty.accuse("nothing").right
    silent = hunt(2)
    silent.silent = 100
    assert "not empty" in silent.accuse("nothing").says


def test_what_was_found_is_replayed_to_the_step(cases):
    found = cases[3].evidence
    assert found.run().steps == found.trial.steps
    with pytest.raises(ClassroomError, match="no law was broken"):
        hunt(4).fuzz("crash", seeds=1).run()


@pytest.mark.parametrize("number", [0, 7, -1, "1", None, 2.0])
def test_there_are_six_envelopes(number):
    with pytest.raises(ClassroomError, match="there are 1 to 6"):
        hunt(number)


def test_a_ground_or_a_number_of_seeds_that_is_none():
    with pytest.raises(ClassroomError, match="crash, island, sleep"):
        hunt(1).fuzz("desert")
    with pytest.raises(ClassroomError, match="1 to 200 seeds"):
        hunt(1).fuzz("island", seeds=0)


def test_the_friendly_suite_is_green_where_one_partition_is_not():
    for name in ("answers before the commit", "no rollback"):
        assert all(outcome.passed for outcome in friendly(name))
        assert catches("island", name, range(1)) == "X"
    assert catches("island", SOUND, range(1)) == "."


def test_a_mark_a_seed():
    assert catches("island", "answers before the commit", range(3)) == "X.X"


def test_who_waits_for_the_log_loses_nothing():
    outcome = contest(range(2, 4))
    assert outcome.lost("MemoryDB") == outcome.lost("ElastiCache, sync") == 0
    assert outcome.lost("ElastiCache, async") > 0
    assert outcome.lost("Redis and Sentinel") > 0
    assert repr(outcome).splitlines()[0].split() == ["lost", "under", "seed", "2", "3", "altogether"]


def test_all_contestants_are_cut_off_in_the_same_way():
    for seed in range(20):
        first, *others = [cuts(name, seed) for name in CONTESTANTS]
        assert first
        assert all(other == first for other in others)
