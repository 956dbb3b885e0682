"""Recordings: what is not looked at after a step has not changed in it."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.lab import recording
from durable_redis.lab.recording import MachineFrame


def one_server() -> dr.Run:
    run = dr.Redis(appendonly=True, save=((1, 1),), clients=2).start(seed=3)
    run.write(40, every_ms=25)
    run.play(400)
    run.command("BGREWRITEAOF")
    run.slow_disk("n1", 300)
    run.fail_disk("n1", at_ms=900)
    run.heal_disk("n1", at_ms=950)
    run.pause("n1", 40, at_ms=960)
    run.crash("n1", "power loss", at_ms=1_040)
    run.restart("n1")
    run.play()
    return run


def a_failover() -> dr.Run:
    run = dr.ReplicatedRedis(down_after_ms=1_000, failover_timeout_ms=3_000, appendonly=True, clients=2).start(seed=3)
    run.write(60, every_ms=50)
    run.skew("n2", 500, at_ms=run.now_ms + 100)
    run.partition(["n1", "client1"], at_ms=run.now_ms + 500)
    run.play(run.now_ms + 3_000)
    run.heal_network()
    run.crash("n3", "disk loss", at_ms=run.now_ms + 300)
    run.restart("n3", at_ms=run.now_ms + 400)
    run.play(run.now_ms + 5_000)
    return run


def pictures(run: dr.Run) -> dict[str, tuple[list[int], list[MachineFrame]]]:
    recorded = run.playback.recording
    assert recorded is not None
    return {name: recorded.pictures(name) for name in run.playback.world.machines}


@pytest.mark.parametrize("story", [one_server, a_failover])
def test_a_quiet_step_changes_nothing_but_the_nodes_view(story, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    quick = pictures(story())
    monkeypatch.setattr(recording, "QUIET", frozenset())
    assert quick == pictures(story())


@pytest.mark.parametrize("story", [one_server, a_failover])
def test_the_recorded_views_are_what_the_nodes_show(story, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    step_done = recording.Recording.step_done
    compared = []

    def compares(recorded: recording.Recording, machine: str) -> None:
        step_done(recorded, machine)
        machines = recorded.playback.world.machines
        shown = {name: m.process.node.view() if m.process else {} for name, m in machines.items()}
        assert recorded.playback.views() == shown
        compared.append(shown)

    monkeypatch.setattr(recording.Recording, "step_done", compares)
    run = story()
    assert len(compared) >= run.steps > 500
