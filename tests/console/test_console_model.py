"""What the console shows, beside what the lab says."""

from __future__ import annotations

import json

import pytest

import durable_redis as dr
from durable_redis.console import board, model, shipment, timeline
from durable_redis.console.film import FSYNCING, Film
from durable_redis.console.rows import OFF, UP
from durable_redis.sim.faults import CRASHES

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
        row = board.node_row(film, "n1", step)
        up = frame.up and frame.node["ready"]
        assert (row["state"] == UP) == up
        assert row["executed"] == (frame.marks.executed if up else 0)
        for name in ("written", "platter", "snapshot", "durable_snapshot"):
            assert row[name] == getattr(frame.marks, name)
        assert row["acknowledged"] == frame.acknowledged
        assert {crash: row[crash] for crash in CRASHES} == frame.at_risk


def test_the_messages_are_those_in_flight(run):
    film = Film(run.playback)
    for step in range(0, run.steps + 1, 7):
        shown = [(message["number"], message["from"], message["to"]) for message in model.still(film, step)["messages"]]
        assert shown == [(s.number, s.direction.source, s.direction.target) for s in run.frame(step).in_flight]


def test_the_board_and_the_receipt_agree_on_what_is_gone(run):
    film = Film(run.playback)
    receipt = run.receipt()
    row = board.node_row(film, "n1", run.steps)
    gone = [write.name for write in film.writes if write.answered and board.gone(film, write, row)]
    assert gone == [lost.key for lost in receipt.lost_rows]


def test_the_fence_encloses_exactly_the_writes_at_risk(run):
    film = Film(run.playback)
    appendonly = run.deployment.config.appendonly
    for step in range(0, run.steps + 1, 11):
        row = board.node_row(film, "n1", step)
        if row["state"] != UP:
            continue
        risky = [group for group in board.board(film, step)["groups"] if group.tone == "risk"]
        assert bool(risky) == bool(row["power loss"])
        for group in risky:
            assert ("any crash" in group.text) == (row["process kill"] == row["power loss"])
            assert appendonly or "any crash" in group.text


def test_with_always_no_step_shows_a_write_at_risk_from_a_power_loss():
    film = Film(crashed(appendonly=True, appendfsync="always").playback)
    assert max(timeline.timeline(film)["risk"]["power loss"]) == 0
    assert max(timeline.timeline(Film(crashed(appendonly=True).playback))["risk"]["power loss"]) > 50


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
    assert board.node_row(film, "n1", run.steps)["state"] == OFF
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
    assert timeline.timeline(film) == timeline.timeline(whole)
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


@pytest.mark.parametrize("kind", ["process kill", "power loss", "disk loss"])
def test_a_machine_without_power_has_no_page_cache(kind):
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.crash("n1", kind, tail="lost", at_ms=1090)
    film = Film(run.playback)
    still = model.still(film, run.steps)
    lanes = {words: count for words, _, count in still["nodes"]["n1"]["lanes"]}
    marks = run.frame().machines["n1"].marks
    powered = kind == "process kill"
    assert lanes == {
        "RAM": 0,
        "AOF buffer": 0,
        "page cache": marks.written if powered else 0,
        "platter": marks.platter,
    }
    assert (marks.platter > 0) == (kind != "disk loss")
    assert still["nodes"]["n1"]["dark"] == ([] if powered else ["RAM", "AOF buffer", "page cache"])
    cells = {words: cells for words, _, cells in still["board"]["rows"]}
    assert ("in" in cells["page cache of n1"]) == powered


def test_what_was_promised_does_not_shrink_when_it_is_lost():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.crash("n1", "power loss", at_ms=1090)
    run.restart("n1")
    film, receipt = Film(run.playback), run.receipt()
    told = [len(board.promised(film, step)) for step in range(run.steps + 1)]
    assert told == sorted(told)
    assert told[-1] == receipt.acknowledged
    present = receipt.acknowledged - receipt.lost
    assert receipt.lost > 0
    assert model.status(film, run.steps) == (
        f"n1 primary, up · {told[-1]} acknowledged · {present} present · 0 at risk from a power loss"
    )


def test_an_fsync_in_progress_is_noted_and_is_a_bar_if_it_is_long():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.slow_disk("n1", 2500)
    run.play(2500)
    film = Film(run.playback)
    (span,) = film.fsyncs
    assert film.at_us[span.begin] == 1_000_000
    notes = {step: model.still(film, step)["nodes"]["n1"]["note"] for step in (span.begin - 1, span.begin, run.steps)}
    assert [FSYNCING in note for note in notes.values()] == [False, True, True]
    ((begin, end),) = timeline.timeline(film)["fsyncs"]
    assert (begin, end) == (720 * 1000 // 2500, 720)
    run.play(4000)
    film.read()
    assert (span.whole, film.at_us[span.end] // 1000) == (True, 3501)
    assert FSYNCING not in model.still(film, span.end)["nodes"]["n1"]["note"]


def test_a_power_loss_cuts_an_fsync_off_and_a_process_kill_does_not():
    for kind, whole in (("power loss", False), ("process kill", True)):
        run = dr.Redis(appendonly=True).start(seed=7)
        run.write(200)
        run.slow_disk("n1", 500)
        run.crash("n1", kind, at_ms=1250)
        run.play(2000)
        (span,) = Film(run.playback).fsyncs
        assert span.whole is whole
        assert span.end


@pytest.mark.parametrize(
    ("kind", "impossible"), [("process kill", ["process kill"]), ("power loss", ["process kill", "power loss"])]
)
def test_a_crash_that_cannot_happen_has_no_risk(kind, impossible):
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.crash("n1", kind, tail="lost", at_ms=1090)
    run.play(1600)
    film = Film(run.playback)
    row, marks = board.node_row(film, "n1", run.steps), run.frame().machines["n1"].marks
    risks = {crash: timeline.at_risk(row, crash) for crash in CRASHES}
    assert [crash for crash, lost in risks.items() if lost is None] == impossible
    assert risks["disk loss"] == marks.written
    if kind == "process kill":
        assert risks["power loss"] == marks.written - marks.platter
    line = timeline.timeline(film)
    for crash in CRASHES:
        begin = 1_090_000 * 720 // line["horizon_us"]
        end = line["end_us"] * 720 // line["horizon_us"]
        assert line["down"][crash] == ([(begin, end)] if crash in impossible else [])


def test_writes_that_are_no_neighbours_are_not_told_as_a_range():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(250)
    for at_ms in (1090, 2390):
        run.crash("n1", "power loss", tail="lost", at_ms=at_ms)
        run.restart("n1")
    film = Film(run.playback)
    gone = next(group.text for group in board.board(film, run.steps)["groups"] if group.tone == "gone")
    runs = [told.split(" to ") for told in gone.partition(" (")[0].split(", ")]
    assert len(runs) == 2
    assert sum(int(last[1:]) - int(first[1:]) + 1 for first, last in runs) == run.receipt().lost
