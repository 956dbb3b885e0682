"""MemoryDB as a deployment: how it is furnished, what a client sees, what the marks and the receipt say."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.formats.resp import OK, ErrorReply
from durable_redis.lab.deployments import DataServer, parse_deployment


def run_of(**options: object) -> dr.Run:
    return dr.MemoryDB(**options).start(seed=3)  # type: ignore[arg-type]


def test_the_room() -> None:
    run = run_of(replicas=2)
    machines = {name: machine.zone for name, machine in run.playback.world.machines.items()}
    assert machines == {
        "n1": "a",
        "n2": "b",
        "n3": "c",
        "log-a": "a",
        "log-b": "b",
        "log-c": "c",
        "s3": "region",
        "snapshotter": "region",
        "client": "a",
        "you": "a",
    }
    views = run.playback.views()
    assert [views[name]["role"] for name in run.deployment.nodes] == ["primary", "replica", "replica"]
    assert run.now_ms < 2_000


@pytest.mark.parametrize(
    "text",
    [
        "MemoryDB(replicas=0)",
        "MemoryDB(replicas=1, lease_ms=1000, backoff_ms=1500)",
        "MemoryDB(replicas=1, freshness_percent=50, least_bytes=1000)",
        "MemoryDB(replicas=1, bug='no tracker')",
        "MemoryDB(replicas=1, engine_versions={'n1': '7.1.0'})",
        "ElastiCache(durability='sync', replicas=1)",
        "ElastiCache(durability='async', buffer_ms=5000, replicas=2, clients=2)",
        "ElastiCache(replicas=1)",
    ],
)
def test_a_deployment_reads_back_as_it_is_written(text: str) -> None:
    assert repr(parse_deployment(text)) == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("MemoryDB(appendonly=True)", "appendonly is no option of a deployment with a log"),
        ("MemoryDB(replicas=6)", "0 to 5 replicas"),
        ("MemoryDB(freshness_percent=0)", "1 to 1000000000000 in freshness_percent"),
        ("MemoryDB(bug='typo')", "no bug is called 'typo': there is answers before the commit"),
        ("MemoryDB(lease_ms=3000)", "the backoff must be strictly longer than the lease"),
        ("MemoryDB(lease_ms='x')", "1 to 600000 ms in lease_ms, not 'x'"),
        ("MemoryDB(backoff_jitter_ms=-1)", "0 to 600000 ms in backoff_jitter_ms, not -1"),
        ("MemoryDB(engine_versions=7)", "engine_versions is written like {'n1': '7.1.0'}, not 7"),
        ("MemoryDB(engine_versions={'n1': 'new'})", "a version is written like 7.0.7"),
        ("MemoryDB(engine_versions={'n1': 7})", "engine_versions is written like {'n1': '7.1.0'}, not {'n1': 7}"),
        ("MemoryDB(engine_versions={'n4': '7.1.0'})", "engine_versions names 'n4': the nodes are n1, n2, n3"),
        ("MemoryDB(engine_versions=[])", r"engine_versions is written like .*, not \[\]"),
        ("MemoryDB(bug=7)", "no bug is called 7: there is answers before the commit"),
        ("MemoryDB(bug=None)", "no bug is called None"),
        ("ElastiCache(durability='maybe')", 'durability can be "sync" or "async"'),
        ("ElastiCache(durability=None)", 'durability can be "sync" or "async", not None'),
        ("ElastiCache(durability='')", 'durability can be "sync" or "async", not \'\''),
        ("ElastiCache(durability='async', buffer_ms=1)", "100 to 600000 ms in buffer_ms"),
        ("ElastiCache(durability='sync', buffer_ms=5000)", "buffer_ms cannot be here"),
    ],
)
def test_what_cannot_be(text: str, sentence: str) -> None:
    with pytest.raises((dr.LabError, ValueError), match=sentence):
        parse_deployment(text).start()


def test_the_price_of_a_write() -> None:
    """A record travels to the log's leader, from there to another zone, is synced there, and comes back."""
    run = run_of(replicas=2)
    run.write(100, every_ms=10)
    run.play()
    always = dr.Redis(appendonly=True, appendfsync="always").start(seed=3)
    always.write(100, every_ms=10)
    always.play()
    assert 2_500 < run.latency().median_us < 5_000
    assert run.latency().median_us > 2 * always.latency().median_us


def test_marks_and_risks() -> None:
    run = run_of(replicas=2)
    run.write(50, every_ms=10)
    run.play()
    frame = run.frame().machines["n1"]
    assert frame.marks is not None
    assert (frame.marks.executed, frame.marks.log, frame.marks.platter) == (50, 50, 0)
    assert set(frame.at_risk.values()) == {0}
    assert {machine.marks.log for name, machine in run.frame().machines.items() if name in ("n2", "n3")} == {50}
    run.crash("n1", "disk loss")
    assert run.frame().machines["n1"].marks.log == 50


def test_marks_of_what_is_answered_before_the_log_has_it() -> None:
    run = dr.ElastiCache(durability="async", replicas=1).start(seed=3)
    run.partition(["n1"], ["log-a", "log-b", "log-c"])
    run.write(20, every_ms=10)
    run.play(run.now_ms + 400)
    frame = run.frame().machines["n1"]
    assert (frame.marks.executed, frame.marks.log) == (20, 0)
    assert frame.at_risk == {"process kill": 20, "power loss": 20, "disk loss": 20, "failover": 20}
    run.crash("n1", "process kill")
    run.play(run.now_ms + 6_000)
    assert run.receipt().lost == 20


def test_where_a_kept_write_is() -> None:
    run = run_of(replicas=1)
    run.write(3, every_ms=10)
    run.play()
    assert run.receipt().rows[0].why.startswith("in the log, on two platters in two zones at least, since ")


def test_the_life_of_a_write() -> None:
    run = run_of(replicas=1)
    run.write(3, every_ms=10)
    run.play()
    life = run.life("w2")
    names = [name for name, _ in sorted(life.times_us, key=lambda pair: getattr(life, pair[0]))]
    assert names == ["sent", "executed", "held", "copied", "logged", "answered"]
    assert "tracker  the answer has to wait for the log" in str(life)


def test_a_failover_in_words() -> None:
    run = run_of(replicas=1)
    run.write(20, every_ms=10)
    run.crash("n1", at_ms=run.now_ms + 300)
    run.play(run.now_ms + 6_000)
    words = str(run.failover())
    assert "the failover of n1" in words
    assert "n2 has seen all of the log" in words
    assert "n2 leads: entry" in words


def test_without_replicas_the_node_itself_comes_back_with_everything() -> None:
    run = run_of(replicas=0)
    run.write(20, every_ms=10)
    run.play()
    run.crash("n1", "disk loss")
    run.restart("n1")
    run.play(run.now_ms + 6_000)
    assert run.receipt().acknowledged == 20
    assert run.receipt().lost == 0
    assert run.command("SET", "a", "b") == OK


def test_a_node_that_has_led_and_was_started_again_follows_nobody_and_least_of_all_itself() -> None:
    run = run_of(replicas=1)
    run.crash("n1", "power loss")
    run.crash("n2", "power loss")
    run.restart("n1")
    run.restart("n2")
    run.play(until_ms=run.now_ms + 100)
    views = run.playback.views()
    assert [views[name]["ready"] for name in ("n1", "n2")] == [True, True]
    assert [views[name]["primary"] for name in ("n1", "n2")] == ["", "n1"]


def test_a_handover_loses_nothing_and_takes_a_moment() -> None:
    run = run_of(replicas=2)
    run.write(200, every_ms=10)
    run.play(run.now_ms + 1_000)
    assert run.command("FAILOVER", "TO", "n3") == OK
    run.play()
    assert run.playback.views()["n3"]["role"] == "primary"
    assert run.receipt().lost == 0
    assert run.availability().longest_us < 500_000


def test_a_replica_may_be_read() -> None:
    run = run_of(replicas=1)
    run.write(1, key="x", value="1")
    run.play()
    assert isinstance(run.command("GET", "x", node="n2"), ErrorReply)
    assert run.command("READONLY", node="n2") == OK
    assert run.command("GET", "x", node="n2") == b"1"
    node = run.playback.world.machines["n2"].process
    assert node is not None
    assert isinstance(node.node, DataServer)


@pytest.mark.parametrize("kind", ["process kill", "disk loss"])
def test_a_sweep_loses_nothing_and_the_marks_had_said_so(kind: str) -> None:
    run = run_of(replicas=1)
    run.write(4, every_ms=5)
    run.play()
    steps = range(run.first_step, run.steps, (run.steps - run.first_step) // 8)
    points = dr.sweep(run, crashes=(kind,), steps=steps, then="failover")
    assert len(points) > 5
    assert all(point.starts and point.lost == 0 <= point.at_risk for point in points)
    asynchronous = dr.ElastiCache(durability="async", replicas=1).start(seed=3)
    asynchronous.write(20, every_ms=0)
    asynchronous.play()
    steps = range(asynchronous.first_step, asynchronous.steps, (asynchronous.steps - asynchronous.first_step) // 12)
    points = dr.sweep(asynchronous, crashes=(kind,), steps=steps, then="failover")
    assert max(point.lost for point in points) > 0
    assert all(point.starts and point.lost <= point.at_risk for point in points)


# -- several shards ---------------------------------------------------------------------------------------------------


def test_a_shard_fails_over_for_itself_and_the_others_hear_of_it() -> None:
    run = run_of(shards=2, replicas=1, clients=2)
    run.write(100, every_ms=10)
    run.crash("n2", at_ms=run.now_ms + 400)
    run.play(run.now_ms + 6_000)
    assert run.receipt().lost == 0
    assert [run.playback.views()[name]["role"] for name in ("n1", "n3", "n4")] == ["primary", "replica", "primary"]
    slots = run.command("CLUSTER", "SLOTS", node="n3")
    assert isinstance(slots, list)
    assert [(row[0], row[1], row[2][0]) for row in slots] == [(0, 8191, b"n1"), (8192, 16383, b"n4")]
    assert str(run.command("GET", "foo", node="n3")) == str(ErrorReply("MOVED 12182 n4:6379"))
    homes = {run.deployment.survivor(run.playback.views(), f"w{number}".encode()) for number in range(1, 20)}
    assert homes == {"n1", "n4"}


def test_the_bus_tells_again_whoever_was_away() -> None:
    run = run_of(shards=2, replicas=1)
    run.crash("n3", "process kill")
    run.command("FAILOVER", "TO", "n4", node="n2")
    run.play(run.now_ms + 2_000)
    run.restart("n3")
    run.play(run.now_ms + 4_000)
    assert str(run.command("GET", "foo", node="n3")) == str(ErrorReply("MOVED 12182 n4:6379"))


def test_what_an_operator_sends_to_a_machine_without_data_is_no_write() -> None:
    run = run_of(replicas=0)
    run.command("SET", "told", "v")
    for machine in ("log-a", "s3", "snapshotter"):
        run.command("SET", "not a write", "v", node=machine)
    assert run.receipt().headline == "No acknowledged write is gone: all 1 are there."
    with pytest.raises(dr.LabError, match="no client has sent a SET of 'not a write'"):
        run.life("not a write")
