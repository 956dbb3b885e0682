"""A diagram shows the table that the code is held to, no more and no less."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from importlib import import_module

import pytest

import durable_redis as dr
from durable_redis.console.diagram import Diagram
from durable_redis.lab.figures import NIGHT
from durable_redis.lab.pens import INK
from durable_redis.redis.sentinel.failover import TRANSITIONS, State

MODULES = (
    "redis.sentinel.failover",
    "redis.replication.phase",
    "redis.cluster.election",
    "redis.persistence.aof",
    "memorydb.leadership",
)


def arrows(picture: Diagram) -> int:
    """The arrows between neighbours: lines in the colour of the boxes."""
    return picture.svg.count(f'stroke="{INK}" stroke-width="1.5"')


@pytest.mark.parametrize("module", MODULES)
def test_every_state_and_every_way_is_in_the_picture_and_in_the_words(module):
    table = import_module(f"durable_redis.{module}").TRANSITIONS
    picture = dr.diagram(table)
    words = repr(picture)
    for state, after in table.items():
        assert f"  {state.value} -> {', '.join(target.value for target in after)}" in words
    root = ElementTree.fromstring(picture.svg)
    assert {state.value for state in table} <= {element.text for element in root.iter()}
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert tags.count("circle") == sum(map(len, table.values())) - arrows(picture), "a dot is where a way begins"
    assert tags.count("style") == picture.svg.count(NIGHT) == 1
    assert not {"script", "defs"} & set(tags)
    assert len(picture.svg) < 15 * 1024


def test_a_leader_goes_down_the_column_and_every_lane_is_in_the_legend():
    from durable_redis.memorydb.leadership import TRANSITIONS as LEADERSHIP

    picture = dr.diagram(LEADERSHIP)
    assert arrows(picture) == 6, "five down, from recovering to handing over, and one up, from leading"
    assert [lane.target.value for lane in picture.left + picture.right] == ["recovering", "following", "stopped"]
    texts = [element.text for element in ElementTree.fromstring(picture.svg).iter() if element.tag.endswith("text")]
    assert texts[-3:] == ["back to recovering", "back to following", "on to stopped"]


def test_a_sentence_ends_before_the_edge_of_the_picture_and_no_state_lacks_one():
    from durable_redis.console.diagram import LETTER, WIDTH
    from durable_redis.memorydb.leadership import TRANSITIONS as LEADERSHIP

    picture = dr.diagram(LEADERSHIP)
    assert set(picture.sentences) == {state.name for state in LEADERSHIP}
    beside = [element for element in ElementTree.fromstring(picture.svg).iter() if element.tag.endswith("text")]
    assert len(beside) > 2 * len(LEADERSHIP)
    for element in beside:
        if element.get("text-anchor") is None:
            assert float(element.get("x")) + LETTER * len(element.text) <= WIDTH


def test_a_way_that_is_added_is_drawn():
    before = dr.diagram(TRANSITIONS).svg
    longer = {**TRANSITIONS, State.WAIT_PROMOTION: (*TRANSITIONS[State.WAIT_PROMOTION], State.SELECT_REPLICA)}
    assert dr.diagram(longer).svg.count("<circle") == before.count("<circle") + 1


def test_the_sentence_of_a_state_is_that_of_its_module():
    picture = dr.diagram(TRANSITIONS)
    assert picture.sentences["SELECT_REPLICA"] == "choose the best replica"
    assert set(picture.sentences) == set(State.__members__)
