"""Deployments of many nodes: what they refuse, how they start, whom they send a client to, what a failover costs."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.contract import Note
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.ledger import FAILOVER
from durable_redis.lab.playback import Playback
from durable_redis.lab.receipt import judge
from durable_redis.lab.sweep import _play_scenario, sweep
from durable_redis.redis.config import ConfigError

QUICK = {"down_after_ms": 1_000, "failover_timeout_ms": 3_000}


def replicated(**options: object) -> dr.ReplicatedRedis:
    return dr.ReplicatedRedis(**{"replicas": 1, **QUICK, "save": (), **options})  # type: ignore[arg-type]


# -- what they refuse, and how they are written ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ReplicatedRedis(replicas=6)", "there can be 0 to 5 replicas, not 6"),
        ("ReplicatedRedis(replicas=-1)", "0 to 5 replicas"),
        ("ReplicatedRedis(replicas=True)", "0 to 5 replicas, not True"),
        ("ReplicatedRedis(sentinels=8)", "0 to 7 sentinels"),
        ("ReplicatedRedis(quorum=4)", "no failover could ever start"),
        ("ReplicatedRedis(quorum=0)", "quorum can be 1 or more"),
        ("ReplicatedRedis(sentinels=0, quorum=1)", "quorum is an option of sentinels, and there is none"),
        ("ReplicatedRedis(down_after_ms=0)", "down_after_ms can be"),
        ("ReplicatedRedis(down_after_ms='soon')", "down_after_ms is of type int"),
        ("ReplicatedRedis(min_replicas_to_write=3)", "3 with 2 replicas would refuse every write"),
        ("ReplicatedRedis(replicaof='n9')", "replicaof is the deployment's own"),
        ("ReplicatedRedis(appendfsync='always')", "there is none: add appendonly=True"),
        ("ReplicatedRedis(colour='red')", "there is no option 'colour'"),
        ("ReplicatedRedis(clients=0)", "1 to 1000 clients"),
        ("ElastiCache(replicas=0)", "there can be 1 to 5 replicas"),
        ("ElastiCache(appendonly=True)", "ElastiCache disables the append-only file on Multi-AZ groups"),
        ("ElastiCache(save=((60, 1),))", "backups are kept elsewhere"),
        ("ElastiCache(detection_ms=10)", "1000 to 600000 ms of silence"),
        ("RedisCluster(shards=0)", "there can be 1 to 6 shards"),
        ("RedisCluster(replicas=3)", "0 to 2 replicas"),
        ("RedisCluster(node_timeout_ms=1)", "node_timeout_ms"),
        ("RedisCluster(cluster_enabled=False)", "cluster_enabled is the deployment's own"),
        ("ReplicatedRedis(__import__('os'))", "an argument that is not a literal"),
        ("ReplicatedRedis(2)", "the options of ReplicatedRedis are given by name"),
        ("Replicated()", "there is Redis, ReplicatedRedis, RedisCluster, ElastiCache"),
    ],
)  # fmt: skip
def test_an_impossible_deployment_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises((dr.LabError, ConfigError), match=said):
        parse_deployment(text)


@pytest.mark.parametrize(
    "deployment",
    [
        dr.ReplicatedRedis(replicas=3, sentinels=5, quorum=2, clients=2, appendonly=True, hardware={"fsync_us": 5}),
        dr.ReplicatedRedis(sentinels=0),
        dr.RedisCluster(shards=2, replicas=2, node_timeout_ms=500),
        dr.ElastiCache(replicas=1, detection_ms=2_000),
    ],
)
def test_a_deployment_is_read_back_as_it_is_written(deployment: dr.Redis) -> None:
    again = parse_deployment(repr(deployment))
    assert repr(again) == repr(deployment)
    assert (again.zones, again.nodes, again.controls) == (deployment.zones, deployment.nodes, deployment.controls)


def test_nodes_are_spread_over_the_zones() -> None:
    assert dict(dr.ReplicatedRedis(replicas=3).zones) == {
        "n1": "a", "n2": "b", "n3": "c", "n4": "a", "s1": "a", "s2": "b", "s3": "c",
    }  # fmt: skip
    cluster = dr.RedisCluster(shards=3, replicas=2)
    for shard in cluster.topology.shards:
        zones = [cluster.zones[name] for name in (shard.primary, *shard.replicas)]
        assert len(set(zones)) == 3


def test_the_newest_configuration_of_the_sentinels_says_who_survives() -> None:
    behind, ahead = {"config_epoch": 0, "primary": "n1"}, {"config_epoch": 1, "primary": "n2"}
    views = {"n1": {"role": "primary"}, "n2": {"role": "primary"}, "s1": behind, "s2": ahead, "s3": ahead}
    deployment = replicated()
    assert deployment.survivor(views) == "n2", "s1 is behind, as in a partition"
    assert deployment.survivor(views | {"s2": {}, "s3": {}}) == "n1", "it is the only one left to ask"
    assert deployment.survivor(views | {"n1": {}, "s1": {}, "s2": {}, "s3": {}}) == "n2", "the first primary that is up"
    assert not deployment.settled(views), "two primaries"


def test_each_slot_of_a_cluster_has_its_own_survivor() -> None:
    deployment = dr.RedisCluster(shards=2, replicas=1)
    half, other = ((0, 8191),), ((8192, 16383),)
    views = {
        "n1": {"role": "primary", "epoch": 1, "slots": half, "state": "ok"},
        "n2": {"role": "primary", "epoch": 2, "slots": other, "state": "ok"},
        "n3": {"role": "primary", "epoch": 5, "slots": half, "state": "ok"},
        "n4": {"role": "replica", "epoch": 2, "slots": (), "state": "ok", "link": "up"},
    }
    assert [deployment.survivor(views, key) for key in (b"{bar}1", b"foo")] == ["n3", "n2"], "the higher epoch"
    assert deployment.survivor(views | {"n2": {}}, b"foo") == ""
    assert not deployment.settled(views | {"n2": {}})


# -- starting, and following a failover ------------------------------------------------------------------------------


@pytest.mark.parametrize("deployment", [replicated(replicas=2), dr.ElastiCache(), dr.ReplicatedRedis(sentinels=0)])
def test_a_run_begins_when_every_replica_is_in_step(deployment: dr.Redis) -> None:
    run = deployment.start(seed=3)
    assert run.now_ms < 500
    views = {name: machine.node for name, machine in run.frame().machines.items()}
    assert [views[name]["link"] for name in deployment.nodes] == ["", "up", "up"]
    assert run.deployment.survivor(views) == "n1"
    run.write(20, every_ms=5)
    run.play()
    assert {run.command("DBSIZE", node=name) for name in deployment.nodes} == {20}
    assert dr.replay(run.replay_string()).digest() == run.digest()


@pytest.mark.parametrize("deployment", [replicated(), dr.ElastiCache(replicas=1, detection_ms=1_000)])
def test_clients_follow_a_failover_and_the_old_primary_comes_back_as_a_replica(deployment: dr.Redis) -> None:
    run = deployment.start(seed=3)
    run.write(300, every_ms=20)
    run.crash("n1", "power loss", at_ms=1_000)
    run.play()
    assert run.receipt().lost == 0, "the stream had left n1 with the OK"
    nodes = [operation.node for operation in run.history()]
    assert list(dict.fromkeys(nodes)) == ["n1", "n2"]
    assert 1_000_000 <= run.availability().longest_us <= 10_000_000
    run.restart("n1")
    run.play(run.now_ms + 25_000)
    now = run.frame().machines["n1"].node
    assert (now["role"], now["primary"], now["link"]) == ("replica", "n2", "up")
    assert run.frame().machines["n1"].marks.executed == run.frame().machines["n2"].marks.executed
    assert run.receipt().lost == 0


def test_without_sentinels_a_person_promotes_and_the_clients_ask_who_leads() -> None:
    run = dr.ReplicatedRedis(replicas=1, sentinels=0).start(seed=3)
    run.write(100, every_ms=20)
    run.crash("n1", "power loss", at_ms=1_000)
    run.play(1_500)
    with pytest.raises(dr.LabError, match="n1 is down"):
        run.receipt()
    run.command("REPLICAOF", "NO", "ONE", node="n2")
    run.play()
    assert run.receipt().lost == 0
    assert run.history()[-1].node == "n2"


# -- what is lost, and what says so ----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [{}, {"appendonly": True}, {"appendonly": True, "appendfsync": "always"}])
def test_behind_a_frozen_link_exactly_what_came_after_is_lost_whatever_the_disk_does(policy: dict[str, object]) -> None:
    run = replicated(**policy).start(seed=5)
    run.write(200, every_ms=5)
    run.cut("n1", "n2", at_ms=600)
    run.crash("n1", "power loss", at_ms=900)
    run.play()
    receipt = run.receipt()
    after = [row for row in receipt.rows if row.told == "ok" and 600_000 <= row.sent_us < 900_000]
    assert [row.number for row in receipt.lost_rows] == [row.number for row in after]
    assert len(after) > 50
    last = after[0].number - 1
    why = {row.why for row in receipt.lost_rows}
    (promotion,) = [
        step.at_us
        for step in run.playback.world.journal
        if step.machine == "n2" and isinstance(step.what, Note) and step.what.kind == "role" and step.at_us > 900_000
    ]
    (sentence,) = why
    assert sentence.startswith("n2, promoted by s")
    assert sentence.endswith(
        f" at {promotion / 1e6:.3f} s, had received the stream up to w{last}; n1 had gone down at 0.900 s (power loss)"
    )


def test_behind_a_slow_link_the_window_is_its_delay() -> None:
    """The link is cut when the primary dies: what was on its way is lost with it."""
    for delay_ms in (20, 100):
        run = replicated().start(seed=5)
        run.delay("n1", "n2", delay_ms)
        run.write(200, every_ms=5)
        run.cut("n1", "n2", at_ms=900)
        run.crash("n1", "power loss", at_ms=900)
        run.play()
        assert delay_ms / 5 - 1 <= run.receipt().lost <= delay_ms / 5 + 1


def test_the_losses_of_a_split_brain_are_discarded_when_the_old_primary_is_demoted() -> None:
    run = replicated(clients=2).start(seed=5)
    run.write(400, every_ms=10)
    run.partition(["n1", "client1"], at_ms=1_000)
    run.play(6_000)
    run.heal_network()
    run.play(30_000)
    receipt = run.receipt()
    taken = [operation for operation in run.history() if operation.node == "n1" and operation.outcome == "ok"]
    late = [operation for operation in taken if (operation.sent_us or 0) % 10**9 > 1_000_000]
    assert receipt.lost == len(late) > 50
    assert receipt.lost_rows[-1].why.startswith("split brain: n1 went on as a primary when n2 had been promoted by s")
    assert "; full syncs with n2 discarded it (n1 at " in receipt.lost_rows[-1].why


def test_a_primary_that_comes_back_empty_empties_its_replicas() -> None:
    def survivors(**options: object) -> tuple[int, str]:
        run = replicated(down_after_ms=10_000, **options).start(seed=5)
        run.write(50, every_ms=10)
        run.crash("n1", "process kill", at_ms=1_500)
        run.restart("n1", at_ms=2_000)
        run.play(12_000)
        receipt = run.receipt()
        assert run.frame().machines["n2"].marks.executed == receipt.counts["kept"]
        return receipt.lost, receipt.rows[0].why

    lost, why = survivors()
    assert lost == 50
    assert why.startswith("in RAM only, at the process kill of n1 (1.500 s); there was no snapshot yet; full syncs ")
    assert survivors(appendonly=True)[0] == 0


def test_elasticache_survives_one_node_and_no_more() -> None:
    def lost(*nodes: str) -> int:
        run = dr.ElastiCache(replicas=2, detection_ms=2_000).start(seed=5)
        run.write(50, every_ms=10)
        run.play(1_500)
        for node in nodes:
            run.crash(node, "power loss")
        if len(nodes) < 3:
            run.play(8_000)
        for node in nodes:
            run.restart(node)
        run.play(20_000)
        assert run.deployment.settled(run.playback.views())
        return run.receipt().lost

    assert [lost("n1"), lost("n1", "n2"), lost("n1", "n2", "n3")] == [0, 0, 50]


@pytest.mark.parametrize("kind", ["process kill", "power loss"])
def test_elasticache_promotes_the_replica_that_is_furthest(kind: str) -> None:
    """n2 gets nothing any more; after a kill the links of both replicas are down when one of them is chosen."""
    run = dr.ElastiCache(replicas=2, detection_ms=2_000).start(seed=5)
    run.cut("n1", "n2")
    run.write(50, every_ms=10)
    run.play(run.now_ms + 800)
    run.crash("n1", kind)
    run.heal_network()
    run.play(run.now_ms + 8_000)
    assert run.playback.views()["endpoint"]["primary"] == "n3"
    assert run.receipt().lost == 0


def test_elasticache_replaces_a_promoted_primary_that_comes_back_as_a_replica() -> None:
    """n2 was promoted, and its node is replaced faster than anybody finds it silent: nobody would lead."""
    run = dr.ElastiCache(replicas=2, detection_ms=2_000).start(seed=5)
    run.write(30, every_ms=10)
    run.play(run.now_ms + 500)
    run.crash("n1", "process kill")
    run.play(run.now_ms + 5_000)
    run.restart("n1")
    run.play(run.now_ms + 3_000)
    assert run.playback.views()["endpoint"]["primary"] == "n2"
    run.crash("n2", "process kill")
    run.restart("n2")
    run.play(run.now_ms + 8_000)
    assert run.playback.views()["endpoint"]["primary"] in ("n1", "n3")
    assert run.deployment.settled(run.playback.views())
    assert run.receipt().lost == 0


# -- marks and experiment --------------------------------------------------------------------------------------------


def crashed_for_good(run: dr.Run, step: int) -> tuple[int, int, bool]:
    """(at risk, lost, whether a replica was at work on something): n1 dies after this step, and nothing that it has on
    the wires arrives any more."""
    playback = Playback(run.deployment, run.seed, record=False)
    _play_scenario(playback, run.scenario(), step)
    ledger = playback.ledger("n1")
    at_risk = ledger.at_risk(ledger.marks())[FAILOVER]
    replicas = [playback.world.machines[name].process for name in ("n2", "n3")]
    at_work = any(process is None or process.busy for process in replicas)
    playback.deeds.partition(["n1"])
    playback.deeds.crash("n1", "power loss")
    playback.play_while(lambda: not run.deployment.settled(playback.views()), 20_000_000)
    acknowledged = {write.key for write in playback.books.writes.values() if write.answered}
    lost = [op for op, stands in judge(playback) if not stands and (op.connection, op.command) in acknowledged]
    return at_risk, len(lost), at_work


def test_the_marks_know_what_a_failover_would_lose() -> None:
    run = replicated(replicas=2).start(seed=11)
    run.delay("n1", "n3", 3)
    run.write(40, every_ms=1)
    first = run.step
    run.play(run.now_ms + 100)
    found = [crashed_for_good(run, step) for step in range(first + 10, run.steps, 17)]
    assert [point for point in found if point[0] != point[1] and not point[2]] == []
    assert all(at_risk - 1 <= lost <= at_risk for at_risk, lost, _ in found), "what has arrived will be executed"
    assert {at_risk for at_risk, _, at_work in found if not at_work} >= {0, 1}


def test_a_sweep_over_a_failover_and_over_restarts() -> None:
    run = replicated(appendonly=True).start(seed=11)
    run.write(30, every_ms=5)
    run.play(run.now_ms + 300)
    steps = range(run.playback.performed[0].before + 60, run.steps, 97)
    away = sweep(run, crashes=["power loss"], steps=steps, then="failover")
    assert all(point.starts and point.is_prefix and point.lost <= point.at_risk for point in away)
    back = sweep(run, crashes=["power loss"], steps=steps, tail="lost")
    assert [point.lost for point in back] == [point.at_risk for point in back]
    assert max(point.lost for point in back) > 10 > max(point.lost for point in away)
    with pytest.raises(dr.LabError, match="nobody would take over"):
        sweep(dr.replay(dr_run_without_sentinels()), then="failover")
    with pytest.raises(dr.LabError, match="there is no node 'n7' to crash"):
        sweep(run, node="n7")


def dr_run_without_sentinels() -> str:
    run = dr.ReplicatedRedis(replicas=1, sentinels=0).start()
    run.write(1)
    return run.replay_string()


def replica_alone(run: dr.Run, step: int, crash: str) -> tuple[int, int]:
    """(what the marks of n2 say that a restart will find, what it finds), where nobody can tell it anything new."""
    playback = Playback(run.deployment, run.seed, record=False)
    _play_scenario(playback, run.scenario(), step)
    ledger = playback.ledger("n2")
    expected = ledger.marks().surviving(crash, run.deployment.config.appendonly)
    playback.deeds.partition(["n2"])
    playback.deeds.crash("n2", crash, tail="lost")
    playback.deeds.restart("n2")
    playback.play_while(lambda: playback.starting("n2"), 10_000_000)
    process = playback.world.machines["n2"].process
    assert process is not None
    return expected, len(process.node.engine.keyspace)  # type: ignore[attr-defined]


@pytest.mark.parametrize("crash", ["process kill", "power loss"])
@pytest.mark.parametrize("options", [{"appendonly": True}, {"save": ((1, 5),)}])
def test_the_marks_of_a_replica_are_what_its_disk_has(options: dict[str, object], crash: str) -> None:
    """Before its first full sync, after it, and after a second one, behind which it had been cut off."""
    run = dr.ReplicatedRedis(replicas=1, sentinels=0, repl_backlog_size=16_384, repl_timeout=2, **options).start(seed=2)
    run.write(300, every_ms=10, value="v" * 60)
    run.cut("n1", "n2", at_ms=600)
    run.play(3_500)
    run.heal_network()
    run.play(6_500)
    steps = [*range(130, 900, 29), *range(900, run.steps, 151)]
    found = [replica_alone(run, step, crash) for step in steps]
    assert [point for point in found if point[0] != point[1]] == []
    assert len({expected for expected, _ in found}) >= 3
