"""Where things stand: nothing on top of anything else, and nothing outside."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from durable_redis.console.layout import WIDTH, Room, arrange

ROOMS = {
    "one node": ({"a": ["n1"]}, {}, []),
    "two zones": ({"a": ["n1"], "b": ["n2"]}, {}, []),
    "three zones": ({"a": ["n1"], "b": ["n2"], "c": ["n3"]}, {}, []),
    "a cluster": ({"a": ["n1", "n2"], "b": ["n3", "n4"], "c": ["n5", "n6"]}, {}, []),
    "sentinels": ({"a": ["n1"], "b": ["n2"], "c": ["n3"]}, {"a": ["s1", "s4"], "b": ["s2"], "c": ["s3"]}, []),
    "sentinels where no server is": ({"a": ["n1"], "b": ["n2"]}, {"a": ["s1"], "b": ["s2"], "c": ["s3"]}, []),
    "an endpoint": ({"a": ["n1", "n4"], "b": ["n2"], "c": ["n3"]}, {}, ["endpoint"]),
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


@pytest.mark.parametrize(("zones", "watchers", "outside"), ROOMS.values(), ids=ROOMS)
@pytest.mark.parametrize("clients", [1, 2, 4])
@pytest.mark.parametrize("lanes", [3, 4, 5])
def test_boxes_stand_apart_and_inside(zones, watchers, outside, clients, lanes):
    room = arrange(Room(zones, [f"client{number}" for number in range(clients)], lanes, watchers, outside))
    things = [*room["nodes"].values(), *room["clients"].values(), *room["controls"].values()]
    assert all(apart(one, other) for one, other in combinations(things, 2))
    assert all(inside(box, (0, 0, WIDTH, room["height"])) for box in (*things, *room["zones"].values()))
    for zone, names in zones.items():
        assert all(inside(room["nodes"][name], room["zones"][zone]) for name in names)
    for zone, names in watchers.items():
        assert all(inside(room["controls"][name], room["zones"][zone]) for name in names)


def crosses(begin, end, box):
    """Whether a straight piece of a way runs through the inside of a box."""
    x, y, width, height = box
    steps = 200
    points = (
        (begin[0] + (end[0] - begin[0]) * k / steps, begin[1] + (end[1] - begin[1]) * k / steps)
        for k in range(steps + 1)
    )
    return any(x < px < x + width and y < py < y + height for px, py in points)


@pytest.mark.parametrize(("zones", "watchers", "outside"), ROOMS.values(), ids=ROOMS)
def test_a_way_runs_through_no_other_box(zones, watchers, outside):
    room = arrange(Room(zones, ["client"], 4, watchers, outside))
    boxes = {**room["nodes"], **room["controls"], **room["clients"]}
    assert room["routes"]
    for ends, points in room["routes"].items():
        others = [box for name, box in boxes.items() if name not in ends.split()]
        crossed = [box for box in others if any(crosses(one, other, box) for one, other in pairwise(points))]
        assert not crossed, ends
