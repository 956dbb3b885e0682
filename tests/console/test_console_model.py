"""What the console shows, beside what the lab says."""

from __future__ import annotations

import json

import pytest

import durable_redis as dr
from durable_redis.console import model, shipment
from durable_redis.console.film import OFF, UP, Film

SETTINGS = {
    "everysec": {"appendonly": True},
    "always": {"appendonly": True, "appendfsync": "always"},
    "snapshots": {"save": "1 10"},
    "nothing": {"save": ""},
}


def crashed(**options):
    run = dr.Redis(**options).start(seed=7)
    run.write(120)
    run.crash("n1", "power loss", at_ms=1090)
    run.restart("n1")
    run.play()
    return run


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def run(request):
    return crashed(**SETTINGS[request.param])


def test_the_numbers_of_a_node_are_the_labs(run):
    film = Film(run.playback)
    for step in range(run.steps + 1):
        frame = run.frame(step).machines["n1"]
        row = model.node_row(film, "n1", step)
        up = frame.up and frame.node["ready"]
        assert (row["state"] == UP) == up
        assert row["executed"] == (frame.marks.executed if up else 0)
        for name in ("written", "platter", "snapshot", "durable_snapshot"):
            assert row[name] == getattr(frame.marks, name)
        assert row["acknowledged"] == frame.acknowledged
        assert {crash: row[crash] for crash in model.CRASHES} == frame.at_risk


def test_the_messages_are_those_in_flight(run):
    film = Film(run.playback)
    for step in range(0, run.steps + 1, 7):
        shown = [(message["number"], message["from"], message["to"]) for message in model.still(film, step)["messages"]]
        assert shown == [(s.number, s.direction.source, s.direction.target) for s in run.frame(step).in_flight]


def test_the_board_and_the_receipt_agree_on_what_is_gone(run):
    film = Film(run.playback)
    receipt = run.receipt()
    row = model.node_row(film, "n1", run.steps)
    gone = [write.name for write in film.writes if write.answered and model.gone(film, write, row, run.steps)]
    assert gone == [lost.key for lost in receipt.lost_rows]


def test_the_fence_encloses_exactly_the_writes_at_risk(run):
    film = Film(run.playback)
    appendonly = run.deployment.config.appendonly
    for step in range(0, run.steps + 1, 11):
        row = model.node_row(film, "n1", step)
        if row["state"] != UP:
            continue
        risky = [group for group in model.board(film, step)["groups"] if group.tone == "risk"]
        assert bool(risky) == bool(row["power loss"])
        for group in risky:
            assert ("any crash" in group.text) == (row["process kill"] == row["power loss"])
            assert appendonly or "any crash" in group.text


def test_with_always_no_step_shows_a_write_at_risk_from_a_power_loss():
    film = Film(crashed(appendonly=True, appendfsync="always").playback)
    assert max(model.timeline(film)["risk"]["power loss"]) == 0
    assert max(model.timeline(Film(crashed(appendonly=True).playback))["risk"]["power loss"]) > 50


def test_the_status_is_one_sentence_up_and_down():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(17)
    run.play()
    film = Film(run.playback)
    assert model.status(film, run.steps) == (
        "n1 primary, up · 17 acknowledged · 0 durable · 17 at risk from a power loss"
    )
    run.crash("n1", "power loss", tail="lost", at_ms=500)
    film.read()
    assert model.node_row(film, "n1", run.steps)["state"] == OFF
    assert model.status(film, run.steps) == ("n1 power lost since 0.500 s · 17 acknowledged · 0 on its disk · 17 gone")


def test_a_film_that_grew_is_the_film_of_the_whole():
    run = dr.Redis(appendonly=True).start(seed=7)
    film = Film(run.playback)
    run.write(30)
    for _ in range(40):
        run.forward(7)
        film.read()
    run.crash("n1", "power loss")
    film.read()
    run.restart("n1")
    film.read()
    whole = Film(run.playback)
    assert model.timeline(film) == model.timeline(whole)
    assert [model.still(film, step) for step in range(run.steps)] == [
        model.still(whole, step) for step in range(run.steps)
    ]


def test_the_same_run_gives_the_same_film():
    films = [json.dumps(shipment.shipped(Film(crashed(appendonly=True).playback), 0)) for _ in range(2)]
    assert films[0] == films[1]


def test_a_held_message_is_held_until_it_is_let_go():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(3)
    while not run.frame().in_flight:
        run.forward()
    number = run.frame().in_flight[0].number
    run.hold(number)
    held = run.step
    run.release(number)
    film = Film(run.playback)
    assert [model.still(film, step)["messages"][0]["held"] for step in (held - 1, held, run.step)] == [
        False,
        True,
        False,
    ]


def test_a_crowd_of_clients_is_drawn_as_one():
    run = dr.Redis(clients=50, appendonly=True).start(seed=7)
    run.write(100, every_ms=0.1)
    run.play()
    film = Film(run.playback)
    assert list(model.still(film, run.steps)["clients"]) == ["50 clients"]
    ends = {end for row in shipment.shipped(film, 0)["flights"] for end in row[1:3]}
    assert ends <= {"n1", "50 clients", "you"}


def test_a_long_branch_is_shipped_thinned_out_and_whole_where_one_stands():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(1500, every_ms=1)
    run.play()
    film = Film(run.playback)
    shipped = shipment.shipped(film, 5000)
    assert run.steps > shipment.MOST_STEPS
    assert len(shipped["at"]) == len(shipped["said"]) == len(shipped["shown"]) < shipment.MOST_STEPS
    assert set(range(5000 - shipment.AROUND, 5000 + shipment.AROUND + 1)) <= set(shipped["shown"])
    assert set(shipped["beats"]) <= set(shipped["shown"])
    assert shipped["shown"][0] == 0
    assert shipped["shown"][-1] == run.steps
