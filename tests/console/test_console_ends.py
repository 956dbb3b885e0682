"""How far the console plays by itself: to the end of everything that is still to come, and not beyond it."""

from __future__ import annotations

from consoletools import clicked

import durable_redis as dr
from durable_redis.console import Console
from durable_redis.console.console import REST_LIMIT

WATCHED = {"replicas": 2, "sentinels": 3, "down_after_ms": 2_000, "failover_timeout_ms": 3_000, "save": ()}


def split() -> Console:
    """Zone a is cut off with the client, which has nothing more to write when somebody else leads."""
    run = dr.ReplicatedRedis(**WATCHED).start(seed=7)
    run.write(20, every_ms=100)
    run.partition(["n1", "s1", "client"], at_ms=1_500)
    run.play(until_ms=5_000)
    assert run.playback.idle
    return run.console()


def roles(console: Console) -> list[object]:
    machines = console.run.frame().machines
    return [machines[name].node["role"] for name in ("n1", "n2", "n3")]


def test_the_end_is_after_the_last_demotion():
    console = split()
    assert roles(console) == ["primary", "primary", "replica"]
    console.run.heal_network()
    console.run.play()
    assert roles(console) == ["primary", "primary", "replica"], "the clients are done; for a cell that is the end"
    clicked(console, "play")
    assert roles(console) == ["replica", "primary", "replica"]
    assert console.scene.said == {"text": f"run.play({console.run.now_ms:.0f})", "tone": "did"}
    by_hand = split().run
    by_hand.heal_network()
    by_hand.play(console.run.now_ms)
    assert by_hand.digest() == console.run.digest()


def test_the_end_is_here_if_a_cut_forbids_every_demotion():
    console = split()
    before_ms = console.run.now_ms
    clicked(console, "play")
    assert console.run.now_ms == before_ms


def test_to_search_a_room_at_rest_for_a_beat_is_given_up_soon():
    run = dr.ReplicatedRedis(**WATCHED).start(seed=7)
    run.play(until_ms=2_000)
    console, before = run.console(), run.steps
    clicked(console, "beat")
    assert before < run.steps <= before + REST_LIMIT
    assert run.step == run.steps
    assert console.scene.said["text"].endswith("s nothing happens that a person would care about.")


def test_a_promotion_that_is_still_to_come_is_found_however_far_it_is():
    run = dr.ReplicatedRedis(**WATCHED | {"down_after_ms": 20_000}).start(seed=7)
    run.crash("n1")
    console, presses = run.console(), 0
    while run.frame().machines["n2"].node["role"] != "primary" and presses < 20:
        clicked(console, "beat")
        presses += 1
    assert run.frame().machines["n2"].node["role"] == "primary"
    assert run.now_ms > 20_000
