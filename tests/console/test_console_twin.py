"""The static twin: what a page without a kernel shows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

import durable_redis as dr
from durable_redis.console import model
from durable_redis.console.film import Film
from durable_redis.lab.figures import NIGHT
from durable_redis.lab.pens import fitting

FORBIDDEN = {"style", "script", "defs", "foreignObject", "image", "a", "use", "animate"}
PRESENTATION = {
    *("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "d", "width", "height", "viewBox", "transform"),
    *("fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "text-anchor"),
}
MOST_BYTES = 15_000


def everysec():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(200)
    run.crash("n1", "power loss", at_ms=1250)
    return run


def recovered():
    run = everysec()
    run.restart("n1")
    return run


def always():
    run = dr.Redis(appendonly=True, appendfsync="always").start(seed=7)
    run.write(400, every_ms=2)
    run.play()
    return run


def snapshots():
    run = dr.Redis(save="1 20").start(seed=7)
    run.write(200)
    run.play(1900)
    return run


def nothing_yet():
    return dr.Redis(appendonly=True).start(seed=7)


def hostile():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(12, key='<b>&"{n}', value="]]>")
    run.play()
    return run


@pytest.fixture(scope="module", params=[everysec, recovered, always, snapshots, nothing_yet, hostile])
def run(request):
    return request.param()


def test_the_picture_has_presentation_attributes_only_and_is_small(run):
    for step in (0, run.steps // 3, run.steps):
        svg = run.picture(step).svg
        assert len(svg.encode()) <= MOST_BYTES
        assert svg.count(NIGHT) == 1
        svg = svg.replace(NIGHT, "")  # as pages show it that strip styles
        for element in ElementTree.fromstring(svg).iter():
            assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") not in FORBIDDEN
            assert set(element.attrib) <= PRESENTATION


def test_the_text_stands_by_itself(run):
    text = repr(run.picture())
    assert text.startswith("In words: ")
    assert f"step {run.steps:,} of {run.steps:,}" in text
    assert f"{len(model.promised(Film(run.playback), run.steps)):,} acknowledged" in text
    assert "<svg" not in text
    assert not re.search(r"0x[0-9a-f]{6}", text)


def test_the_picture_says_in_letters_what_it_says_in_colours():
    picture = everysec().picture(1300)
    svg = picture.svg
    words = [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]
    for _, letter, cells in picture.still["board"]["rows"][1:]:
        assert words.count(letter) == cells.count("in")
    assert words.count("R") == 10
    assert any(word.endswith("OK was said, a power loss may erase them") for word in words)


def test_a_still_is_the_same_bytes_every_time():
    assert everysec().picture().svg == everysec().picture().svg
    bundle = recovered().picture()._repr_mimebundle_()
    assert list(bundle) == ["text/plain", "image/svg+xml"]


def test_a_picture_shows_a_running_fsync_and_a_machine_without_power():
    slow = dr.Redis(appendonly=True).start(seed=7)
    slow.write(200)
    slow.slow_disk("n1", 2500)
    slow.play(2500)
    assert "An fsync runs." in repr(slow.picture())
    assert "fsync running" in slow.picture().svg
    off = everysec().picture()
    assert "RAM —, AOF buffer —, page cache —, platter 1" in repr(off)
    assert off.svg.count(">—<") == 3
    assert off.svg.count(">down<") == 2


def test_what_was_lost_is_said_in_words():
    assert "w109 to w123 (15 writes): OK was said, and they are gone" in repr(recovered().picture())


def test_a_cross_on_the_board_is_explained_where_there_is_one():
    assert "✕ the write was promised, and is not there" in recovered().picture().svg
    assert "✕" not in everysec().picture(1300).svg
    assert "✕" not in repr(recovered().picture()), "the text has no crosses to explain"


def test_a_card_says_what_it_has_room_for_and_the_text_says_all():
    assert fitting("slots 0-5460 · epoch 1", 204) == "slots 0-5460 · epoch 1"
    assert fitting("slots 5461-10922 · epoch 2 · cluster down", 204) == "epoch 2 · cluster down"
    assert (
        fitting("one thing of which every word is needed here", 204) == "one thing of which every word is needed here"
    )
    run = dr.RedisCluster(node_timeout_ms=1000).start(seed=3)
    run.crash("n1", "power loss", at_ms=8_000)
    run.play(until_ms=9_400)
    picture = run.picture()
    assert ">cluster down · finds n1 failed<" in picture.svg
    assert "slots 5461-10922, epoch 2, cluster down, finds n1 failed" in repr(picture)


def test_many_messages_on_one_wire_are_drawn_as_one_that_says_how_many():
    run = dr.ReplicatedRedis(replicas=2, sentinels=0).start(seed=7)
    run.write(60, every_ms=10)
    for replica in ("n2", "n3"):
        run.cut("n1", replica, both=False, at_ms=300)
    run.play(until_ms=600)
    picture = run.picture()
    stalled = [message for message in picture.still["messages"] if message["from"] == "n1"]
    assert [(message["to"], message["label"]) for message in stalled] == [("n2", "w21 to w50"), ("n3", "w21 to w50")]
    assert picture.svg.count(">30 →<") == 2
    assert re.findall(r"w21 to w50 \((\d+) messages\), from n1 to (n\d)", repr(picture)) == [("30", "n2"), ("30", "n3")]
    assert len(picture.svg) < 15 * 1024
