"""Reads from one replica never go back; from two they may, and a node that breaks the rule is found out."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.playback import Playback
from durable_redis.sim.scenario import Action
from durable_redis.verify.evidence import Witness
from durable_redis.verify.history import History
from durable_redis.verify.judging import Case
from durable_redis.verify.linearizability import check
from durable_redis.verify.onereplica import asks_for_less, gone_back, one_past
from durable_redis.verify.promises import one_copy

LOGS = ("log-a", "log-b", "log-c")


class Told:
    """A run, told by its actions: `at(1_500, "crash", "n1", "process kill")`; and the case for the judges."""

    def __init__(self, deployment: str) -> None:
        self.playback = Playback(parse_deployment(deployment), seed=5, record=False)
        self.witness = Witness(self.playback)
        self.at(2_000, "work", 400, every_ms=10)

    def at(self, at_ms: int, verb: str, *arguments: object, **options: object) -> None:
        self.playback.perform(Action(verb, arguments, tuple(options.items()), at_us=at_ms * 1_000))

    def case(self) -> Case:
        self.playback.play_to(20_000_000)
        return Case(self.witness.evidence())


def answered_reads(case: Case) -> int:
    reads = [one for one in asks_for_less(case.evidence.operations) if one.outcome == "ok"]
    return sum(one.argv[0] != b"READONLY" for one in reads)


def one_replica_behind() -> Told:
    told = Told("MemoryDB(replicas=2, clients=2)")
    for log in LOGS:
        told.at(3_000, "cut", "n3", log)
    return told


def test_from_one_replica_nothing_goes_back_and_from_two_it_does() -> None:
    both = one_replica_behind()
    both.at(3_200, "read_replica", "n2", "n3", count=80, every_ms=20)
    case = both.case()
    assert answered_reads(case) == 80
    assert list(one_past(case)) == []
    found = list(gone_back(case, by_node=False))
    assert found
    assert all("which is right nowhere in the log from write" in sentence for *_, sentence in found)

    stays = one_replica_behind()
    stays.at(3_200, "read_replica", "n3", count=80, every_ms=20)
    case = stays.case()
    assert answered_reads(case) == 80
    assert list(gone_back(case, by_node=False)) == []


def test_who_says_readonly_may_read_what_is_old_and_is_no_witness_against_the_primary() -> None:
    told = one_replica_behind()
    told.at(3_200, "read_replica", "n3", count=80, every_ms=20)
    case = told.case()
    assert check(History.of(told.playback)).linearizable is False, "old data was read"
    assert list(one_copy(case)) == []


@pytest.mark.parametrize("bug", ["reads while recovering", ""])
def test_a_node_that_answers_before_it_has_recovered_has_gone_back(bug: str) -> None:
    told = Told(f"MemoryDB(replicas=2, clients=2, least_bytes=1000000{f', bug={bug!r}' if bug else ''})")
    told.at(3_000, "read_replica", "n2", count=150, every_ms=20)
    told.at(4_000, "crash", "n2", "process kill")
    for log in LOGS:
        told.at(4_000, "cut", "n2", log)
    told.at(4_010, "restart", "n2")
    told.at(5_000, "heal_network")
    case = told.case()
    assert answered_reads(case) > 50
    assert bool(list(one_past(case))) == bool(bug)


@pytest.mark.parametrize("bug", ["no tracker", ""])
def test_what_the_log_never_got_is_right_nowhere(bug: str) -> None:
    """The leader is cut off from the log; what it executes then, a reader must not see, who is content with old data,
    too."""
    told = Told(f"MemoryDB(replicas=2, clients=2{f', bug={bug!r}' if bug else ''})")
    told.at(3_000, "read_replica", "n1", count=100, every_ms=20)
    for log in LOGS:
        told.at(3_500, "cut", "n1", log)
    told.at(8_000, "heal_network")
    case = told.case()
    assert answered_reads(case) > 20
    assert bool(list(one_past(case))) == bool(bug)


def test_a_replica_is_read_on_purpose_or_not_at_all() -> None:
    run = dr.MemoryDB(replicas=1).start(seed=1)
    with pytest.raises(dr.LabError, match="read_replica needs a node, and to read 1 to 100,000 times, not 0"):
        run.read_replica("n2", count=0)
    with pytest.raises(dr.LabError, match="read_replica needs a node"):
        run.read_replica()
    run.read_replica("n2", count=4)
    run.play()
    asked = [(one.argv[0], one.node, one.outcome) for one in run.playback.operations()]
    assert [node for _, node, _ in asked] == ["n2"] * 8
    assert [outcome for _, _, outcome in asked] == ["ok"] * 8
    assert [name for name, *_ in asked[::2]] == [b"READONLY"] * 4
