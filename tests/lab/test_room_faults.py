"""Faults of the network, of time and of zones as verbs of a run: at a time, in replay strings, scripts and frames."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import durable_redis as dr
from durable_redis.formats.resp import Status
from durable_redis.lab.recording import LinkFrame
from durable_redis.sim.faults import FaultError


def pasted(script: str) -> dr.Run:
    names: dict[str, object] = {"dr": dr}
    exec(script, names)
    run = names["run"]
    assert isinstance(run, dr.Run)
    return run


def busy(**options: object) -> dr.Run:
    run = dr.Redis(appendonly=True, hardware={"tcp_timeout_us": 400_000}, **options).start(seed=7)
    run.write(300, every_ms=10)
    return run


ACTS: dict[str, Callable[[dr.Run, float | None], object]] = {
    "cut": lambda run, at_ms: run.cut("client", "n1", at_ms=at_ms),
    "cut one way": lambda run, at_ms: run.cut("n1", "client", both=False, at_ms=at_ms),
    "partition": lambda run, at_ms: run.partition(["n1"], ["client", "you"], at_ms=at_ms),
    "isolate": lambda run, at_ms: run.partition(("n1",), at_ms=at_ms),
    "delay": lambda run, at_ms: run.delay("n1", "client", 30.5, at_ms=at_ms),
    "pause": lambda run, at_ms: run.pause("n1", 250, at_ms=at_ms),
    "skew": lambda run, at_ms: run.skew("n1", -1_500.25, at_ms=at_ms),
    "outage": lambda run, at_ms: run.outage("a", at_ms=at_ms),
    "outage of another kind": lambda run, at_ms: run.outage("a", "process kill", at_ms=at_ms),
}


@pytest.mark.parametrize("later", [False, True], ids=["now", "at_ms"])
@pytest.mark.parametrize("name", ACTS)
def test_each_verb_changes_the_run_and_is_replayed_and_pasted(name: str, later: bool) -> None:
    run, plain = busy(), busy()
    run.play(500)
    ACTS[name](run, 600.125 if later else None)
    run.play(700)
    plain.play(700)
    assert run.digest() != plain.digest()
    if any(link.cut or link.extra_us for link in run.frame().links):
        run.heal_network(at_ms=1_300.5)
    if not run.frame().machines["n1"].up:
        assert run.restore("a", at_ms=1_300.5)
    run.play()
    assert run.playback.idle
    assert dr.replay(run.replay_string()).digest() == run.digest()
    assert pasted(run.script()).digest() == run.digest(), run.script()


def test_a_frame_shows_which_links_are_not_as_they_should_be_after_every_step() -> None:
    run = busy()
    run.cut("client", "n1", both=False, at_ms=400)
    cut = run.step
    run.delay("n1", "you", 12, at_ms=500)
    slow = run.step
    run.heal_network(at_ms=600)
    whole = run.step
    run.play()
    there, slow_way = LinkFrame("client", "n1", True, 0), LinkFrame("n1", "you", False, 12_000)
    expected = {cut - 1: (), cut: (there,), slow - 1: (there,), slow: (there, slow_way), whole - 1: (there, slow_way)}
    assert {step: run.frame(step).links for step in expected} == expected
    assert run.frame(whole).links == run.frame(run.steps).links == run.frame(0).links == ()


def test_a_frame_shows_which_machine_is_paused_and_whose_clock_is_wrong() -> None:
    run = busy()
    run.pause("n1", 250, at_ms=400)
    begun = run.step
    run.skew("n1", -2, at_ms=500)
    run.pause("client", 5, at_ms=510)
    assert run.frame().machines["client"].paused_until_us == 515_000
    run.play(700)
    paused = {step: run.frame(step).machines["n1"].paused_until_us for step in range(begun - 2, run.steps)}
    ended = next(step for step in paused if step > begun and not paused[step])
    assert run.frame(ended).at_us == 650_000
    assert {until_us for step, until_us in paused.items() if begun <= step < ended} == {650_000}
    assert paused[begun - 1] == 0
    assert run.frame(begun).machines["n1"].skew_us == 0
    assert run.frame(run.steps).machines["n1"].skew_us == -2_000


def test_one_group_is_cut_off_from_everybody_but_the_operator() -> None:
    run = busy()
    run.play(500)
    run.partition(["n1"])
    assert run.frame().links == (LinkFrame("client", "n1", True, 0), LinkFrame("n1", "client", True, 0))
    assert run.command("PING") == Status(b"PONG"), "an operator looks into a partition from outside"
    run.heal_network()
    run.partition(["n1"], ["you"])
    with pytest.raises(dr.LabError, match="'PING' was not answered"):
        run.command("PING")


def test_an_outage_spares_the_clients_so_that_somebody_sees_the_service_refused() -> None:
    run = busy()
    run.outage("a", at_ms=500)
    run.play(900)
    up = {name: machine.up for name, machine in run.frame().machines.items()}
    assert up == {"n1": False, "client": True, "you": True}
    assert [crash.machine for crash in run.crashes()] == ["n1"]
    assert run.restore("a")
    run.play()
    assert {row.told for row in run.receipt().rows} == {"ok", "unknown"}


def test_restoring_waits_for_the_recovery_and_says_when_there_is_none() -> None:
    run = busy(aof_load_truncated=False)
    run.crash("n1", "process kill", at_ms=1_000)
    (log,) = [file.path for file in run.frame().machines["n1"].files if file.path.endswith("incr.aof")]
    run.bit_rot("n1", log, 0)
    assert not run.restore("a")
    assert run.last_crash("n1").startswith("exit 1")


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("cut", ("n1", "n2"), "there is no machine called 'n2': the room has n1, client, you"),
        ("cut", ("n1", "n1"), "a link leads from one machine to another, not from n1 to itself: name two"),
        ("partition", ("n1", "client"), r"a group is a list of machines, such as \['n1', 'client'\], not 'n1'"),
        ("partition", (), r"a partition needs two groups or more, none of them empty, not \(\)"),
        ("partition", (["n1"], ["n1", "client"]), "n1 cannot be on two sides of a partition: name it once"),
        ("partition", (["n1", 5],), "there is no machine called 5"),
        ("delay", ("n1", "client", -1), "a link cannot be -1000 us slower: give 0 or more"),
        ("heal_network", (), "no link is cut or slow: there is nothing to heal"),
        ("pause", ("n1", 0), "n1 cannot be paused for 0 us: give 1 or more"),
        ("skew", ("client", 5), "the clock of client times the receipt, and stays right: skew that of a node"),
        ("skew", ("n9", 5), "there is no machine called 'n9'"),
        ("outage", ("b",), "no zone is called 'b': the room has a"),
        ("outage", ("a", "flood"), "no crash is called 'flood'"),
        ("restore", ("a",), "in zone a every machine is up: there is nothing to restore"),
        ("pause", ("n1", "long"), "for_ms is a number of milliseconds, such as 1250, not 'long'"),
        ("pause", ("n1", float("nan")), "for_ms is a number of milliseconds, such as 1250, not nan"),
        ("delay", ("n1", "client", None), "extra_ms is a number of milliseconds, such as 1250, not None"),
        ("slow_disk", ("n1", float("inf")), "extra_ms is a number of milliseconds, such as 1250, not inf"),
        ("skew", ("n1", True), "by_ms is a number of milliseconds, such as 1250, not True"),
        ("write", (1, "often"), "every_ms is a number of milliseconds, such as 1250, not 'often'"),
        ("write", (1.5,), "1.5, every_ms=10"),
        ("write", (1, 10, 7), "keys, values and commands are text"),
        ("work", (1, 10, None, "", 7), "keys, values and commands are text, such as 'w{n}', not 7"),
    ],
)
def test_a_verb_that_makes_no_sense_is_named_and_leaves_the_run_as_it_was(
    verb: str, arguments: tuple[object, ...], said: str
) -> None:
    run = busy()
    run.play(500)
    digest, place = run.digest(), (run.step, run.now_ms, run.frame().links)
    for at_ms in (None, run.now_ms + 100):
        with pytest.raises((dr.LabError, FaultError), match=said):
            run.act(verb, *arguments, at_ms=at_ms)
        assert (run.digest(), (run.step, run.now_ms, run.frame().links)) == (digest, place)


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("play", ("soon",), "the time to play to is a number of milliseconds, such as 1250, not 'soon'"),
        ("play", (float("inf"),), "the time to play to is a number of milliseconds, such as 1250, not inf"),
        ("go", ("here",), "there is no step 'here'"),
        ("go", (1.5,), "there is no step 1.5"),
        ("forward", ("a bit",), "so many steps: a whole number, not 'a bit'"),
        ("back", (None,), "so many steps: a whole number, not None"),
        ("life", (7,), "a key and a value are text"),
    ],
)
def test_a_place_that_is_none_is_named_and_one_stays_where_one_stands(
    verb: str, arguments: tuple[object, ...], said: str
) -> None:
    run = busy()
    run.play(500)
    run.back(3)
    place = run.step, run.now_ms
    with pytest.raises(dr.LabError, match=said):
        getattr(run, verb)(*arguments)
    assert (run.step, run.now_ms) == place


@pytest.mark.parametrize("at_ms", ["soon", float("nan"), float("inf"), [5], True])
def test_a_time_that_is_none_is_named(at_ms: object) -> None:
    run = busy()
    with pytest.raises(dr.LabError, match="at_ms is a number of milliseconds, such as 1250, not "):
        run.crash("n1", at_ms=at_ms)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["x", "7", -1, 1.5, None, True])
def test_a_seed_that_no_replay_string_can_hold_is_refused(seed: object) -> None:
    with pytest.raises(dr.LabError, match=r"a seed is a whole number, 0 or more, such as start\(seed=7\), not "):
        dr.Redis().start(seed=seed)  # type: ignore[arg-type]
