"""The console of several machines: its numbers beside the lab's, its sentences beside what happened, its menus."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from consoletools import clicked, panel, said
from manyrooms import ROOMS, cluster, failed_over, stalled
from test_console_twin import FORBIDDEN, MOST_BYTES, PRESENTATION

import durable_redis as dr
from durable_redis.console import acts, board, model, timeline
from durable_redis.console.film import Film
from durable_redis.console.lineage import NOTHING, Lineage
from durable_redis.console.rows import UP
from durable_redis.lab.figures import NIGHT
from durable_redis.lab.ledger import FAILOVER


@pytest.fixture(scope="module", params=ROOMS.values(), ids=ROOMS)
def run(request):
    return request.param()


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_the_numbers_of_every_server_are_the_labs(run):
    film = Film(run.playback)
    for step in range(0, run.steps + 1, 53):
        machines = run.frame(step).machines
        for name in run.deployment.nodes:
            row, frame = board.node_row(film, name, step), machines[name]
            up = frame.up and frame.node["ready"]
            assert row["executed"] == (frame.marks.executed if up else 0)
            for mark in ("written", "platter", "snapshot", "durable_snapshot"):
                assert row[mark] == getattr(frame.marks, mark)
            assert row["acknowledged"] == frame.acknowledged
            assert {crash: row[crash] for crash in (*timeline.CRASHES, FAILOVER)} == frame.at_risk


def test_what_a_server_holds_by_its_line_is_what_the_lab_says_it_holds(run):
    film, books = Film(run.playback), run.playback.books
    for name, ledger in books.ledgers.items():
        row = board.node_row(film, name, run.steps)
        held = [write for write in film.writes if board.holds(film, row, row["held"], write)]
        assert len(held) == row["held"]
        if row["state"] == UP:
            assert [film._written[write.key] for write in ledger.writes] == sorted(held, key=lambda w: w.place)


def test_the_board_and_the_receipt_agree_on_what_is_gone(run):
    if not run.survivor_is_up:
        return
    film = Film(run.playback)
    gone = [film.writes[number].name for number, fate in board.fates(film, run.steps).items() if fate == "gone"]
    assert sorted(gone) == sorted(lost.key for lost in run.receipt().lost_rows)


def test_some_of_these_rooms_lose_writes():
    assert failed_over().receipt().lost > 10
    assert stalled().receipt().lost == 0


def behind(milliseconds):
    """A primary whose replicas follow late."""
    run = dr.ReplicatedRedis(down_after_ms=1500).start(seed=7)
    run.write(80)
    run.delay("n1", "n2", milliseconds)
    run.delay("n1", "n3", 2 * milliseconds)
    run.play(run.now_ms + 700)
    return run


@pytest.mark.parametrize("after_ms", [3, 150, 333, 650])
def test_the_failover_row_is_what_a_failover_there_costs(after_ms):
    """Nothing that is on the wires arrives any more; the sentinels choose; the receipt is compared."""
    run = behind(60)
    step = run.step_at(run.now_ms - 700 + after_ms)
    promised = timeline.at_risk_now(Film(run.playback), step, FAILOVER)
    run.go(step)
    run.partition(["n1"])
    run.crash("n1")
    while run.deployment.survivor(run.playback.views()) == "n1":
        run.play(run.now_ms + 500)
    run.play(run.now_ms + 200)
    assert run.deployment.survivor(run.playback.views()) == "n2"
    assert run.receipt().lost == promised


def test_the_failover_row_grows_with_the_lag():
    most = [max(timeline.timeline(Film(behind(lag).playback))["risk"][FAILOVER]) for lag in (0, 60, 240)]
    assert most[0] == 1
    assert most[0] < most[1] < most[2]


def test_a_lineage_tells_two_histories_apart():
    tree = Lineage()
    places = [(NOTHING, 0)]
    for _ in range(5):
        places.append(tree.add(*(places[-1] if places[-1][0] != NOTHING else (NOTHING, -1))))
    other = tree.add(0, 2)  # follows the third write
    assert other == (1, 3)
    assert tree.holds(1, 4, of=0, place=2)
    assert not tree.holds(1, 4, of=0, place=3)
    assert not tree.holds(0, 5, of=1, place=3)
    assert tree.common(0, 5, 1, 4) == 3


# -- sentences --------------------------------------------------------------------------------------------------------


def test_every_step_has_a_sentence_of_its_own(run):
    film = Film(run.playback)
    told = {film.texts[number] for number in film.said}
    assert not [text for text in told if " notes: " in text or "{" in text]
    assert all(told)


def test_the_story_of_a_failover_in_the_order_in_which_it_happens():
    film = Film(failed_over().playback)
    beats = [film.texts[film.said[beat]] for beat in film.beats]
    places = [
        next(place for place, text in enumerate(beats) if words in text)
        for words in (
            "the network is cut",
            "finds n1 down",
            "is elected to lead",
            "REPLICAOF NO ONE",
            "sends clients to",
        )
    ]
    assert places == sorted(places)


def test_the_status_names_the_primary_and_who_is_down():
    run = stalled()
    status = model.status(Film(run.playback), run.steps)
    assert status == "n1 primary · 150 acknowledged · 40 at risk from the death of n1"
    run.crash("n1")
    run.crash("n3", "process kill")
    status = model.status(Film(run.playback), run.steps)
    assert status.startswith("no primary · n1 and n3 down · 150 acknowledged · ")


def test_two_that_call_themselves_primary_are_told():
    film = Film(failed_over().playback)
    told = {model.status(film, step) for step in range(0, film.steps, 20)}
    assert any(
        "promoted, and clients not told yet" in status or "calls itself primary too" in status for status in told
    )


def test_the_network_is_told_in_words():
    still = model.still(film := Film(stalled().playback), film.steps)
    assert still["trouble"]["words"] == "✂ n1 → n2 · n1 → n3: +200 ms"
    assert [(wire["to"], wire["state"], wire["words"]) for wire in still["wires"] if wire["from"] == "n1"] == [
        ("n2", "cut", "✂ one way"),
        ("n3", "up", "+200 ms"),
    ]
    assert still["nodes"]["n3"]["note"] == "paused for 2.80 s"


# -- the twin ---------------------------------------------------------------------------------------------------------


def test_the_picture_has_presentation_attributes_only_and_is_small(run):
    for step in range(0, run.steps + 1, run.steps // 5):
        picture = run.picture(step)
        assert len(picture.svg.encode()) <= MOST_BYTES
        assert picture.svg.count(NIGHT) == 1
        for element in ElementTree.fromstring(picture.svg.replace(NIGHT, "")).iter():
            assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") not in FORBIDDEN
            assert set(element.attrib) <= PRESENTATION | {"stroke-linecap"}
        for name in (*run.deployment.nodes, *run.deployment.controls):
            assert f"  {name}: " in repr(picture) or f"; {name}: " in repr(picture)


# -- acting -----------------------------------------------------------------------------------------------------------


DEPLOYMENTS = {
    "replicated": (lambda: dr.ReplicatedRedis(), "n1", "s1", ("n1", "n2")),
    "cluster": (lambda: dr.RedisCluster(shards=3, replicas=1), "n1", "n4", ("n1", "n4")),
    "managed": (lambda: dr.ElastiCache(replicas=2), "n2", "endpoint", ("n1", "n2")),
    "logged": (lambda: dr.MemoryDB(replicas=2), "n2", "log-a", ("n1", "log-a")),
}


@pytest.mark.parametrize("thing", acts.MANY)
@pytest.mark.parametrize(("deployment", "node", "control", "wire"), DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_every_act_of_every_menu_is_one_line_that_can_be_done(deployment, node, control, wire, thing):
    run = deployment().start(seed=7)
    run.delay("n3", "n2", 1)  # so that there is something to heal
    console = run.console()
    kind = thing.partition(" ")[0]
    if kind == "snapshotter" and kind not in run.deployment.controls:
        assert not run.deployment.has_log
        return
    machine = {"control": control, "snapshotter": "snapshotter"}.get(kind, node)
    crash = "power loss" if thing.endswith(" 1") else {"2": "process kill", "3": "power loss"}.get(thing)
    if crash:
        clicked(console, "crash", machine, crash)
    if thing == "zone":
        clicked(console, "outage", "a", "process kill")
    here, names = console.run.step, {"{name}": machine, "{group}": [machine], "{other}": wire[1]}
    if thing == "wire":
        names["{name}"] = wire[0]
    if thing == "zone":
        names |= {"{name}": "b", "{group}": ["n2"], "{party}": ["n2", "client"]}
    for act in console.scene.menus[thing]:
        if act["verb"] == "restore":
            names["{name}"] = "a"
        arguments = [names.get(argument, argument) for argument in act["arguments"]]
        clicked(console, act["verb"], *arguments, step=here, options=act["options"])
        assert console.scene.said["tone"] == "did", said(console)
        assert said(console) == acts.call(act["verb"], arguments, options=act["options"])


def test_a_click_on_a_wire_does_what_a_cell_does():
    clicks, cells = (dr.ReplicatedRedis().start(seed=7) for _ in range(2))
    console = clicks.console()
    clicked(console, "cut", "n1", "n2", options={"both": False})
    assert said(console) == "run.cut('n1', 'n2', both=False)"
    cells.cut("n1", "n2", both=False)
    assert clicks.digest() == cells.digest()


def test_inspect_follows_the_machine_that_was_clicked():
    run = cluster()
    console = run.console()
    assert panel(console, "Inspect")[0] == ["choose", "look at", "look", ["n1", "n2", "n3", "n4", "n5", "n6"], "n1"]
    clicked(console, "look", "n4")
    blocks = panel(console, "Inspect")
    assert blocks[0][-1] == "n4"
    assert blocks[1] == ["heading", "what an operator of n4 sees"]
    assert "role:" in blocks[2][1]
    watched = failed_over().console()
    clicked(watched, "look", "s3")
    heading, rows = panel(watched, "Inspect")[1:]
    assert heading == ["heading", "what s3 believes"]
    assert ["primary", "n3"] in rows[1]
