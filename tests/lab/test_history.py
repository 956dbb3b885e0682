"""What the clients' records say in a room of several nodes: reads, copies waited for, and the life of a write."""

from __future__ import annotations

import pytest

import durable_redis as dr


def test_a_history_has_reads_and_writes_of_the_named_clients_with_the_node_that_answered() -> None:
    run = dr.ReplicatedRedis(replicas=1, sentinels=0, clients=2).start(seed=4)
    run.write(5, every_ms=4, key="x", client="client1")
    run.read(5, every_ms=4, key="x", client="client2")
    run.play()
    history = run.history()
    assert [operation.argv[0] for operation in history].count(b"GET") == 5
    assert {operation.node for operation in history} == {"n1"}
    assert all((op.sent_us or 0) < (op.answered_us or 0) for op in history)
    read = [op.reply for op in history if op.argv[0] == b"GET"]
    assert len(set(read)) > 3, "they see the value change"
    assert [row.verdict for row in run.receipt().rows] == ["kept"] * 5, "a read is no write"
    assert dr.replay(run.replay_string()).digest() == run.digest()


def test_wait_is_written_into_the_replay_string_and_tells_the_copies() -> None:
    run = dr.ReplicatedRedis(replicas=2, sentinels=0).start(seed=4)
    run.write(3, every_ms=4, wait=(2, 100))
    run.play()
    assert [(op.outcome, op.copies) for op in run.history()] == [("ok", 2)] * 3
    assert "wait=(2, 100)" in run.replay_string()
    assert dr.replay(run.replay_string()).digest() == run.digest()
    assert "run.write(3, every_ms=4, wait=(2, 100))" in run.script()


@pytest.mark.parametrize("wait", [(1,), (1, -5), ("1", 5)])
def test_a_wrong_wait_is_refused(wait: tuple[object, ...]) -> None:
    with pytest.raises(dr.LabError, match="wait is \\(replicas, milliseconds\\)"):
        dr.Redis().start().write(1, wait=wait)


def test_the_life_of_a_write_goes_on_in_a_replica() -> None:
    run = dr.ReplicatedRedis(replicas=1, sentinels=0, appendonly=True).start(seed=4)
    run.write(3, every_ms=4)
    run.play(run.now_ms + 1_500)
    life = run.life("w2")
    assert life.answered is not None
    assert life.copied is not None
    assert life.synced is not None
    assert life.answered < life.copied < life.synced
    assert "copy     a replica has executed it, too" in str(life)
    assert run.frame(life.copied - 1).machines["n2"].marks.executed == 1
    assert run.frame(life.copied).machines["n2"].marks.executed == 2
    risks = [run.frame(step).machines["n1"].at_risk or {} for step in (life.copied - 1, life.copied)]
    assert [risk["failover"] for risk in risks] == [1, 0], "n1's risk falls when n2 has it"
    assert [risk["disk loss"] for risk in risks] == [2, 2]
    run.cut("n1", "n2")
    run.write(1)
    run.play(run.now_ms + 100)
    assert run.life("w4").copied is None


def test_the_operator_may_ask_a_sentinel() -> None:
    run = dr.ReplicatedRedis(replicas=1).start(seed=4)
    assert run.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster", node="s2") == [b"n1", b"6379"]
    with pytest.raises(dr.LabError, match="there is no node 'n9' in this deployment: it has n1, n2, s1, s2, s3"):
        run.command("PING", node="n9")
