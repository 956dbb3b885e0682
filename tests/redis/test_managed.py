"""The managed service's endpoint: whom it promotes, when, and what becomes of the old primary."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import durable_redis as dr
from durable_redis.contract import Close, Connect, Note, Opened, Received, Send, TimerFired
from durable_redis.formats.resp import ErrorReply, encode
from durable_redis.redis.managed import Endpoint, ManagedConfig


def started(**options: Any) -> dr.Run:
    return dr.ElastiCache(**{"replicas": 2, "detection_ms": 2_000, **options}).start(seed=3)


def notes(run: dr.Run, kind: str) -> list[tuple[int, dict[str, Any]]]:
    steps = run.playback.world.journal
    return [
        (step.at_us, dict(step.what.facts))
        for step in steps
        if step.machine == "endpoint" and isinstance(step.what, Note) and step.what.kind == kind
    ]


def test_it_promotes_the_replica_with_the_least_lag_after_the_time_of_silence() -> None:
    run = started()
    run.write(300, every_ms=10)
    run.cut("n1", "n2", both=False, at_ms=1_500)
    run.crash("n1", "power loss", at_ms=2_500)
    run.play(8_000)
    ((at_us, facts),) = notes(run, "promoting")
    assert 4_000_000 <= at_us <= 2_500_000 + 2_000_000 + 1_000_000
    assert (facts["replica"], facts["failed"]) == ("n3", "n1")
    assert facts["offsets"]["n3"] > facts["offsets"]["n2"]
    assert [facts for _, facts in notes(run, "switch")] == [{"old": "n1", "new": "n3"}]
    assert run.receipt().lost == 0
    assert run.command("ENDPOINT", node="endpoint") == b"n3"


def test_the_replicas_and_the_old_primary_are_told_to_follow() -> None:
    run = started()
    run.crash("n1", "power loss", at_ms=1_500)
    run.play(6_000)
    run.restart("n1")
    run.play(9_000)
    assert [facts["node"] for _, facts in notes(run, "demoted")] == ["n3", "n1"]
    views = run.frame().machines
    assert [views[name].node["primary"] for name in ("n1", "n2", "n3")] == ["n2", "", "n2"]
    assert run.deployment.settled(run.playback.views())


def test_a_short_silence_changes_nothing() -> None:
    run = started()
    run.pause("n1", 1_500, at_ms=2_000)
    run.play(10_000)
    assert notes(run, "promoting") == []


def test_it_cannot_tell_a_dead_primary_from_one_that_it_does_not_reach() -> None:
    run = started(clients=2)
    run.write(600, every_ms=10)
    run.partition(["n1", "client1"], at_ms=2_000)
    run.play(7_000)
    run.heal_network()
    run.play(20_000)
    assert run.receipt().lost > 100
    assert (
        run.receipt()
        .lost_rows[-1]
        .why.startswith("split brain: n1 went on as a primary when n2 had been promoted by endpoint")
    )


def test_with_no_replica_alive_it_waits_for_the_old_primary() -> None:
    run = started(replicas=1)
    run.crash("n2", "power loss")
    run.crash("n1", "power loss")
    run.play(10_000)
    assert notes(run, "promoting") == []
    run.restart("n1")
    run.write(2)  # the first finds that its connection is gone
    run.play()
    assert [row.verdict for row in run.receipt().rows] == ["lost, never acknowledged", "kept"]


@pytest.mark.parametrize("node", ["n1", "n2"])
def test_a_node_starts_cold_also_one_that_had_been_a_replica(node: str) -> None:
    """Every replica has stored its primary's snapshot; a node that is replaced has no such file."""
    run = started(replicas=1)
    run.write(20, every_ms=1)
    run.play(1_000)
    files = [file.path for file in run.frame().machines["n2"].files]
    assert files == ["dump.rdb"]
    for name in ("n1", "n2"):
        run.crash(name, "process kill")
    run.restart(node)
    assert run.command("DBSIZE", node=node) == 0


def test_it_answers_one_question() -> None:
    endpoint = Endpoint(Random(1), ManagedConfig(("n1", "n2")))
    list(endpoint.handle(Opened("c", "client"), 0))
    said = list(endpoint.handle(Received("c", b"*1\r\n$8\r\nendpoint\r\n*1\r\n$4\r\nPING\r\n"), 0))
    assert said == [
        Send("c", b"$2\r\nn1\r\n"),
        Send("c", encode(ErrorReply("ERR the endpoint knows one command: ENDPOINT"), 2)),
    ]


NONSENSE = b"*1\r\n:5\r\n"


def test_a_client_that_sends_no_request_is_told_so_and_hung_up_on() -> None:
    endpoint = Endpoint(Random(1), ManagedConfig(("n1",)))
    list(endpoint.handle(Opened("c", "client"), 0))
    told, closed = endpoint.handle(Received("c", NONSENSE + b"*1\r\n$8\r\nENDPOINT\r\n"), 0)
    assert isinstance(told, Send)
    assert told.data.startswith(b"-ERR Protocol error: expected '$', got ':'")
    assert closed == Close("c")
    assert list(endpoint.handle(Received("c", b"*1\r\n$8\r\nENDPOINT\r\n"), 0)) == [], "what still comes is unread"


@pytest.mark.parametrize(
    "text", [b"", b"role:king\r\nmaster_repl_offset:1", b"role:master", b"\xff:\xff\r\nrole:slave"]
)
def test_an_info_that_does_not_say_what_the_node_is_counts_as_silence(text: bytes) -> None:
    endpoint = Endpoint(Random(1), ManagedConfig(("n1",)))
    tick = endpoint.handle(TimerFired("tick"), 1)
    next(tick)
    tick.send("e>n1#1")
    list(tick)
    list(endpoint.handle(Opened("e>n1#1", "n1", outgoing=True), 1))
    assert list(endpoint.handle(Received("e>n1#1", b"$%d\r\n%b\r\n" % (len(text), text)), 2)) == []
    assert endpoint.nodes["n1"].role == ""


def test_a_node_that_answers_nonsense_is_asked_again_on_another_connection() -> None:
    endpoint = Endpoint(Random(1), ManagedConfig(("n1",)))

    def connected(number: int) -> None:
        tick = endpoint.handle(TimerFired("tick"), number)
        assert next(tick) == Connect("n1")
        tick.send(f"e>n1#{number}")
        list(tick)
        assert list(endpoint.handle(Opened(f"e>n1#{number}", "n1", outgoing=True), number)) != []

    connected(1)
    assert list(endpoint.handle(Received("e>n1#1", b"?what\r\n"), 1)) == [Close("e>n1#1")]
    connected(2)
