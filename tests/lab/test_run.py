"""Runs: going back and forth, branches, wrong acts, scripts."""

from __future__ import annotations

import itertools

import pytest

import durable_redis as dr
from durable_redis.formats.resp import Status
from durable_redis.redis.config import ConfigError
from durable_redis.sim.faults import FaultError


def story(seed: int = 7, **options: object) -> dr.Run:
    run = dr.Redis(appendonly=True, **options).start(seed=seed)
    run.write(60, every_ms=10)
    run.crash("n1", "power loss", at_ms=400.125)
    run.restart("n1")
    run.write(5)
    run.play()
    return run


# -- determinism -----------------------------------------------------------------------------------------------------


def test_the_same_scenario_gives_the_same_digest_and_another_seed_another() -> None:
    assert story().digest() == story().digest()
    assert len({story(seed).digest() for seed in range(4)}) == 4


def test_looking_changes_nothing() -> None:
    run, plain = story(), story()
    run.go(100)
    run.back(50)
    run.forward(3)
    run.frame()
    run.go(run.steps)
    run.receipt()
    assert run.digest() == plain.digest()


# -- time ------------------------------------------------------------------------------------------------------------


def test_back_is_a_look_up_and_forward_goes_on() -> None:
    run = story()
    frames = [run.frame(step) for step in range(run.steps + 1)]
    run.go(0)
    assert run.now_ms == 0
    for step in range(1, run.steps + 1):
        run.forward()
        assert run.step == step
        assert run.frame() == frames[step]
    assert run.now_ms == run.playback.world.now_us / 1000
    run.forward()
    assert run.step == run.steps == len(frames), "and then new steps"


def test_there_is_no_step_before_the_first_and_none_when_everything_is_off() -> None:
    run = dr.Redis().start()
    with pytest.raises(dr.LabError, match="there is no step -1: the first is 1"):
        run.go(-1)
    run.crash("n1")
    with pytest.raises(dr.LabError, match=r"there is no step 10000: with step .* everything is at rest"):
        run.go(10_000)
    assert run.step == run.steps, "one stands at the rest"
    run.restart("n1")
    assert run.branch == "main"


def test_play_to_a_time_that_is_past() -> None:
    run = dr.Redis().start()
    run.play(500)
    assert run.now_ms == 500
    with pytest.raises(dr.LabError, match=r"it is 500\.000 ms already: go back with run.go"):
        run.play(400)
    with pytest.raises(dr.LabError, match=r"300 ms is past: it is 500\.000 ms"):
        run.crash("n1", at_ms=300)


# -- branches --------------------------------------------------------------------------------------------------------


def test_acting_in_the_past_starts_a_branch_and_keeps_the_old_one() -> None:
    run = story()
    digest, steps = run.digest(), run.steps
    run.go(300)
    run.crash("n1", "process kill")
    assert (run.branch, run.parents) == ("branch 1", {"branch 1": ("main", 300)})
    assert run.steps == run.step == 301
    run.restart("n1")
    assert run.receipt().lost == 0
    run.checkout("main")
    assert (run.digest(), run.step) == (digest, steps)
    with pytest.raises(dr.LabError, match="there is no branch 'x': there is main, branch 1"):
        run.checkout("x")


def test_a_branch_is_the_run_that_did_it_at_once() -> None:
    run = story()
    run.go(300)
    run.crash("n1", "process kill", at_ms=333.3)
    other = dr.Redis(appendonly=True).start(seed=7)
    other.write(60, every_ms=10)
    other.crash("n1", "process kill", at_ms=333.3)
    assert run.digest() == other.digest()


def test_a_branch_of_a_branch() -> None:
    run = story()
    run.go(300)
    run.crash("n1", "process kill")
    run.restart("n1")
    run.go(310)
    run.crash("n1", "disk loss")
    assert run.parents["branch 2"] == ("branch 1", 310)
    assert [crash.kind for crash in run.crashes()] == ["process kill", "disk loss"]


def test_what_was_done_at_the_step_where_one_stands_had_not_been_done_yet() -> None:
    run = dr.Redis().start()
    before = run.step
    run.write(5)
    run.play()
    run.go(before)
    run.command("PING")
    assert [done.action.verb for done in run.playback.performed] == ["command"]


# -- wrong acts ------------------------------------------------------------------------------------------------------


def test_crashing_a_node_that_is_down_is_refused_in_a_sentence_and_nothing_has_happened() -> None:
    run, plain = story(), story()
    for one in (run, plain):
        one.crash("n1", "power loss")
    with pytest.raises(FaultError, match=r"^n1 is already down \(power loss at \d\.\d{3} s\): restart it first$"):
        run.crash("n1", "power loss")
    with pytest.raises(FaultError, match="already down"):
        run.crash("n1", "power loss", at_ms=run.now_ms + 500)
    assert (run.step, run.now_ms, run.branch) == (plain.step, plain.now_ms, "main")
    for one in (run, plain):
        one.restart("n1")
        one.write(3)
        one.play()
    assert run.digest() == plain.digest()
    assert run.replay_string() == plain.replay_string()


def test_a_refused_act_in_the_past_leaves_no_branch() -> None:
    run = story()
    down = next(step for step in range(run.steps) if not run.frame(step).machines["n1"].up)
    run.go(down)
    with pytest.raises(FaultError, match="already down"):
        run.crash("n1", "process kill")
    assert (run.branch, run.step, list(run.playbacks)) == ("main", down, ["main"])


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("crash", ("n2", "power loss"), "there is no node 'n2' in this deployment: it has n1"),
        ("crash", ("n1", "fire"), "no crash is called 'fire': choose one of process kill, power loss, disk loss"),
        ("restart", ("n1",), "n1 is up: crash it before you restart it"),
        ("slow_disk", ("n1", -1), "a disk cannot be -1000 us slower"),
        ("fail_disk", ("n1", "read"), 'a disk can fail at "write" or at "fsync", not at \'read\''),
        ("bit_rot", ("n1", "nothing", 0), "there is no such file, or it is empty"),
        ("hold", (99,), "no message 99 is in flight"),
        ("write", (0,), "write 1 to 100,000, 0 ms or more"),
        ("write", (10**9,), "write 1 to 100,000"),
        ("write", ("many",), r"write\('many', every_ms=10\) cannot be: write 1 to 100,000"),
        ("command", (), "command\\(\\) needs the words of a command"),
        ("dance", (), "there is no action 'dance': choose one of write, read, work, read_replica, command, migrate"),
    ],
)
def test_wrong_acts_are_named_and_leave_the_run_as_it_was(verb: str, arguments: tuple[object, ...], said: str) -> None:
    run = dr.Redis(appendonly=True).start()
    digest, place = run.digest(), (run.step, run.now_ms)
    for at_ms in (None, run.now_ms + 100):
        with pytest.raises((dr.LabError, FaultError), match=said):
            run.act(verb, *arguments, at_ms=at_ms)
        assert (run.digest(), (run.step, run.now_ms), run.playback.performed) == (digest, place, [])


def test_an_operator_waits_for_a_command_that_takes_longer_than_a_client_would_wait() -> None:
    run = dr.ReplicatedRedis(replicas=2, sentinels=0).start(seed=7)
    run.cut("n1", "n3")
    begun_ms = run.now_ms
    assert run.command("SET", "x", "1") == Status(b"OK")
    assert run.command("WAIT", 2, 3_000) == 1
    assert 3_000 <= run.now_ms - begun_ms < 3_200
    assert [operation.outcome for operation in run.playback.client("you").operations] == ["ok", "ok"]


def test_a_command_does_not_wait_for_reads_that_are_not_due_yet() -> None:
    """And they come afterwards, each at its time, its READONLY in front of it."""
    run = dr.MemoryDB(replicas=1).start(seed=1)
    run.read_replica("n2", count=8, every_ms=500)
    run.play(run.now_ms + 1_200)
    before_ms = run.now_ms
    assert run.command("SET", "x", "1") == Status(b"OK")
    assert run.now_ms - before_ms < 50
    run.play()
    you = run.playback.client("you").operations
    reads = [operation for operation in you if operation.argv[0] != b"SET"]
    assert {operation.outcome for operation in you} == {"ok"}
    assert all(0 <= operation.sent_us - operation.due_us < 50_000 for operation in reads)
    assert dr.replay(run.replay_string()).digest() == run.digest()


def test_a_command_that_nobody_answers() -> None:
    run = dr.Redis().start()
    run.crash("n1")
    with pytest.raises(dr.LabError, match="'PING' was not answered: the server is down, or too slow"):
        run.command("PING")


@pytest.mark.parametrize("words", [("SYNC",), ("PSYNC", "?", "-1")])
def test_who_asks_for_a_replicas_stream_hangs_up_and_the_run_goes_on(words: tuple[str, ...]) -> None:
    run = dr.ReplicatedRedis(replicas=1, sentinels=0, save=()).start(seed=1)
    run.write(5)
    if words == ("SYNC",):
        with pytest.raises(dr.LabError, match="'SYNC' was not answered: what comes after it is the stream for a rep"):
            run.command(*words, node="n1")
    else:
        assert str(run.command(*words, node="n1")).startswith("Status(text=b'FULLRESYNC ")
    run.play(until_ms=run.now_ms + 3_000)
    assert run.command("GET", "w1", node="n1") == b"v1"


@pytest.mark.parametrize(
    "options",
    [
        {"appendfsync": "always"}, {"aof_use_rdb_preamble": False}, {"appendonly": True, "appendfsync": "seldom"},
        {"appendonly": "yes"}, {"hardware": {"fsync": 1}}, {"save": (1, 1)}, {"nonsense": 1},
    ],
)  # fmt: skip
def test_an_impossible_configuration_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        dr.Redis(**options)  # type: ignore[arg-type]


# -- messages --------------------------------------------------------------------------------------------------------


def test_an_answer_held_on_the_wire_is_a_write_nobody_heard_of() -> None:
    run = dr.Redis(appendonly=True).start()
    run.write(1)
    while not any(segment.direction.source == "n1" and segment.kind == "data" for segment in run.frame().in_flight):
        run.forward()
    (answer,) = [segment.number for segment in run.frame().in_flight if segment.direction.source == "n1"]
    run.hold(answer)
    run.play(500)
    assert run.receipt().rows[0].told == "waiting"
    run.release(answer)
    run.play()
    assert run.receipt().rows[0].told == "ok"


# -- scripts ---------------------------------------------------------------------------------------------------------


def pasted(script: str) -> dr.Run:
    names: dict[str, object] = {"dr": dr}
    exec(script, names)
    run = names["run"]
    assert isinstance(run, dr.Run)
    return run


def test_a_script_makes_the_same_run() -> None:
    run = story()
    assert run.script().splitlines()[:3] == [
        "run = dr.Redis(appendonly=True).start(seed=7)",
        "run.write(60, every_ms=10)",
        "run.crash('n1', 'power loss', at_ms=400.125)",
    ]
    assert pasted(run.script()).digest() == run.digest()


def test_a_script_of_everything() -> None:
    run = dr.Redis(appendonly=True, save=((1, 1),), hardware={"fsync_us": 2_000}).start(seed=2)
    run.write(20, every_ms=2)
    run.slow_disk("n1", 12.5)
    run.play(123.4567)
    run.write(10, every_ms=1, key="a", value="{n}")
    run.fail_disk("n1", "fsync", at_ms=1_200.001)
    run.play(2_500)
    run.heal_disk("n1")
    run.command("CONFIG", "SET", "appendfsync", "always")
    run.command("SET", b"\x00'\"", 3)
    run.write(1)
    while not run.frame().in_flight:
        run.forward()
    held = run.frame().in_flight[0].number
    run.hold(held)
    run.play(run.now_ms + 3)
    run.release(held)
    run.play()
    run.crash("n1", "disk loss")
    run.restart("n1")
    run.forward(7)
    assert pasted(run.script()).digest() == run.digest()
    assert dr.replay(run.replay_string()).digest() == run.digest()


@pytest.mark.parametrize("back", [1, 5, 12])
def test_a_script_of_a_branch_that_began_while_the_server_was_recovering(back: int) -> None:
    """Pasted, `run.restart` plays on past that step; the script goes back before it acts."""
    run = dr.Redis(appendonly=True).start(seed=2)
    run.write(20, every_ms=2)
    run.crash("n1", "process kill", at_ms=70)
    run.restart("n1")
    for act in (
        lambda: run.crash("n1", "process kill"),
        lambda: run.crash("n1", "power loss", at_ms=run.now_ms + 0.5),
        lambda: run.command("PING"),
    ):
        run.checkout("main")
        run.go(run.steps - back)
        act()
        assert pasted(run.script()).digest() == run.digest(), run.script()
        assert dr.replay(run.replay_string()).digest() == run.digest()


def test_a_branch_from_before_the_server_was_up() -> None:
    run = dr.Redis(appendonly=True).start()
    for step in (0, 1, 5, 20):
        run.checkout("main")
        run.go(step)
        run.crash("n1", "power loss")
        run.restart("n1")
        run.write(3)
        run.play()
        assert run.receipt().lost == 0
        assert dr.replay(run.replay_string()).digest() == run.digest()
        assert pasted(run.script()).digest() == run.digest()


def test_listeners_hear_of_every_change() -> None:
    run = dr.Redis().start()
    heard = itertools.count()
    run.listeners.append(lambda: next(heard))  # type: ignore[arg-type, return-value]
    run.write(1)
    run.play()
    run.back()
    assert next(heard) >= 3
