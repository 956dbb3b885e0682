"""Where things stand in the picture of a room: zones as columns, nodes as cards, clients as pills.

The law of this file: arithmetic only.  The live scene and the still picture draw into the same rectangles, so a chapter
looks the same with and without a kernel.  Coordinates are pixels of a picture 912 wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 912
GAP = 12
CARD_TOP = 40
LANE = 20
CLIENT_HEIGHT = 36
TRACK = 720
"""The width of the timeline's track."""

Box = tuple[int, int, int, int]
"""x, y, width, height."""


def arrange(zones: Mapping[str, Sequence[str]], clients: Sequence[str], lanes: int) -> dict[str, Any]:
    """The boxes of a room, as plain data: `zones`, `nodes`, `clients` (each name -> Box), `width`, `height`."""
    card = CARD_TOP + lanes * LANE + 8
    if len(zones) == 1 and all(len(nodes) == 1 for nodes in zones.values()):
        return _side_by_side(next(iter(zones)), next(iter(zones.values()))[0], clients, card)
    return _columns(zones, clients, card)


def _side_by_side(zone: str, node: str, clients: Sequence[str], card: int) -> dict[str, Any]:
    """One node alone: the client at its left, and a long wire to watch."""
    height = 34 + max(card, len(clients) * (CLIENT_HEIGHT + GAP)) + 16
    middle = (34 + height - 16) // 2
    top = middle - (len(clients) * (CLIENT_HEIGHT + GAP) - GAP) // 2
    return {
        "width": WIDTH,
        "height": height,
        "zones": {zone: (0, 0, WIDTH, height)},
        "nodes": {node: (470, 34 + (height - 50 - card) // 2, 426, card)},
        "clients": {
            name: (16, top + place * (CLIENT_HEIGHT + GAP), 196, CLIENT_HEIGHT) for place, name in enumerate(clients)
        },
    }


def _columns(zones: Mapping[str, Sequence[str]], clients: Sequence[str], card: int) -> dict[str, Any]:
    """Several nodes: a column a zone, the clients above."""
    width = (WIDTH - GAP * (len(zones) - 1)) // len(zones)
    top = 104
    height = top + max(len(nodes) for nodes in zones.values()) * (card + 16)
    nodes: dict[str, Box] = {}
    columns: dict[str, Box] = {}
    for place, (zone, names) in enumerate(zones.items()):
        x = place * (width + GAP)
        columns[zone] = (x, 0, width, height)
        for row, name in enumerate(names):
            nodes[name] = (x + 14, top + row * (card + 16), width - 28, card)
    begin = (WIDTH - len(clients) * (196 + GAP) + GAP) // 2
    pills = {name: (begin + place * (196 + GAP), 10, 196, CLIENT_HEIGHT) for place, name in enumerate(clients)}
    return {"width": WIDTH, "height": height, "zones": columns, "nodes": nodes, "clients": pills}
