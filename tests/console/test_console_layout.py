"""Where things stand: nothing on top of anything else, and nothing outside."""

from __future__ import annotations

from itertools import combinations

import pytest

from durable_redis.console.layout import WIDTH, arrange

ROOMS = {
    "one node": {"a": ["n1"]},
    "two zones": {"a": ["n1"], "b": ["n2"]},
    "three zones": {"a": ["n1"], "b": ["n2"], "c": ["n3"]},
    "a cluster": {"a": ["n1", "n2"], "b": ["n3", "n4"], "c": ["n5", "n6"]},
}


def apart(one, other):
    (x, y, width, height), (other_x, other_y, other_width, other_height) = one, other
    return x + width <= other_x or other_x + other_width <= x or y + height <= other_y or other_y + other_height <= y


def inside(box, outer):
    return (
        outer[0] <= box[0]
        and outer[1] <= box[1]
        and box[0] + box[2] <= outer[0] + outer[2]
        and box[1] + box[3] <= outer[1] + outer[3]
    )


@pytest.mark.parametrize("zones", ROOMS.values(), ids=ROOMS)
@pytest.mark.parametrize("clients", [1, 2, 4])
@pytest.mark.parametrize("lanes", [3, 4, 5])
def test_boxes_stand_apart_and_inside(zones, clients, lanes):
    room = arrange(zones, [f"client{number}" for number in range(clients)], lanes)
    things = [*room["nodes"].values(), *room["clients"].values()]
    assert all(apart(one, other) for one, other in combinations(things, 2))
    assert all(inside(box, (0, 0, WIDTH, room["height"])) for box in (*things, *room["zones"].values()))
    for zone, names in zones.items():
        assert all(inside(room["nodes"][name], room["zones"][zone]) for name in names)
