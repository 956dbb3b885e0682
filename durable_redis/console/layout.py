"""Where things stand in the picture of a room: zones as columns, servers as cards, sentinels and clients as pills.

The law of this file: arithmetic only.  The live scene and the still picture draw into the same boxes and along the same
routes, so a chapter looks the same with and without a kernel.  Coordinates are pixels of a picture 912 wide.

    client   client2      endpoint          what stands outside of the zones
    | zone a | zone b | zone c |
    |  n1 ===== n2 ------.  n3 |            between neighbours a wire is straight,
    |  '------------------' |  |            between others it takes the channel below the upper one of the two
    |  n4    |   n5   |        |
    |  s1 s4 |  s2 s5 |   s3   |            sentinels speak through a channel of their own
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

WIDTH = 912
GAP = 12
CARD_TOP = 40
LANE = 20
CLIENT_HEIGHT = 36
TRACK = 720
"""The width of the timeline's track."""
BAND = 56
"""Where the zones begin, below the clients."""
HEADER = 34
"""The name of a zone."""
SIDE = 32
"""Between the edge of a zone and its cards."""
DETAIL = 18
"""The line of a card that says whom it follows, and how far it is."""
CHANNEL = 34
PILL_HEIGHT = 38
ENDPOINT_WIDTH = 210
LABEL = 18
"""The line of words on a band."""
FOOT = 24
"""A line of words below the zones."""

Box = tuple[int, int, int, int]
"""x, y, width, height."""
Point = tuple[int, int]


class Room(NamedTuple):
    """What there is to be placed.  `lanes`: how many a card has; `watchers`: sentinels, or the replicas of a
    shared log, by zone; `band`: what is written on a band that runs across the zones around them."""

    zones: Mapping[str, Sequence[str]]
    clients: Sequence[str]
    lanes: int
    watchers: Mapping[str, Sequence[str]] = {}
    outside: Sequence[str] = ()
    band: str = ""


def arrange(room: Room) -> dict[str, Any]:
    """The boxes of a room, as plain data: `zones`, `nodes`, `controls`, `clients` (each name -> Box), `width` and
    `height`; `routes`: "one other" -> the corners of the way between two of them; `lane`: [x of the bars, room beside
    them, y of the first]."""
    if len(room.zones) == 1 and not room.watchers and not room.outside and len(next(iter(room.zones.values()))) == 1:
        return _side_by_side(room)
    return _Columns(room).arranged()


def _side_by_side(room: Room) -> dict[str, Any]:
    """One node alone: the client at its left, and a long wire to watch."""
    ((zone, (node,)),) = room.zones.items()
    clients = room.clients
    card = CARD_TOP + room.lanes * LANE + 8
    height = 34 + max(card, len(clients) * (CLIENT_HEIGHT + GAP)) + 16
    middle = (34 + height - 16) // 2
    top = middle - (len(clients) * (CLIENT_HEIGHT + GAP) - GAP) // 2
    box = (470, 34 + (height - 50 - card) // 2, 426, card)
    pills = {name: (16, top + place * (CLIENT_HEIGHT + GAP), 196, CLIENT_HEIGHT) for place, name in enumerate(clients)}
    port = (box[0], box[1] + min(card, 140) // 2)
    return {
        "width": WIDTH,
        "height": height,
        "zones": {zone: (0, 0, WIDTH, height)},
        "nodes": {node: box},
        "controls": {},
        "band": [],
        "clients": pills,
        "routes": {f"{name} {node}": [(x + width, y + tall // 2), port] for name, (x, y, width, tall) in pills.items()},
        "lane": [124, 66, CARD_TOP],
    }


class _Columns:
    """Several nodes: a column a zone, the clients above."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.names = sorted({*room.zones, *room.watchers})
        self.rows = max((len(names) for names in room.zones.values()), default=0)
        self.card = CARD_TOP + DETAIL + room.lanes * LANE + 4
        self.width = (WIDTH - GAP * (len(self.names) - 1)) // len(self.names)
        self.lefts = [place * (self.width + GAP) for place in range(len(self.names))]
        self.top = BAND + HEADER
        self.lowest = self.top + self.rows * (self.card + CHANNEL) - CHANNEL  # where the last row of cards ends
        self.cards_end = self.lowest + CHANNEL + (LABEL if room.band else 0)
        self.nodes = self._cards()
        self.controls = self._pills()
        self.heads = self._band()
        lowest = [y + height for _, y, _, height in self.controls.values()]
        self.bottom = max([self.cards_end - CHANNEL // 2, *(low + GAP for low in lowest)])

    def arranged(self) -> dict[str, Any]:
        height = self.bottom - BAND
        clients = {name: box for name, box in self.heads.items() if name in self.room.clients}
        outside = {name: box for name, box in self.heads.items() if name in self.room.outside}
        boxes = {**self.nodes, **self.controls, **self.heads}
        return {
            "width": WIDTH,
            "height": self.bottom + FOOT,
            "zones": {name: (x, BAND, self.width, height) for name, x in zip(self.names, self.lefts, strict=True)},
            "nodes": self.nodes,
            "controls": {**self.controls, **outside},
            "band": [self.room.band, (0, self.cards_end - 28, WIDTH, PILL_HEIGHT + 36)] if self.room.band else [],
            "clients": clients,
            "routes": {f"{one} {other}": self.route(one, other) for one, other in combinations(boxes, 2)},
            "lane": [96, 60, CARD_TOP + DETAIL - 4],
        }

    # -- boxes -------------------------------------------------------------------------------------------------------

    def _cards(self) -> dict[str, Box]:
        cards = {}
        for zone, left in zip(self.names, self.lefts, strict=True):
            for row, name in enumerate(self.room.zones.get(zone, ())):
                cards[name] = (left + SIDE, self.top + row * (self.card + CHANNEL), self.width - 2 * SIDE, self.card)
        return cards

    def _pills(self) -> dict[str, Box]:
        """Two in a row, or one as wide as a card."""
        pills = {}
        inner = self.width - 2 * SIDE
        for zone, left in zip(self.names, self.lefts, strict=True):
            names = self.room.watchers.get(zone, ())
            wide = inner if len(names) == 1 else (inner + SIDE - GAP) // 2
            begin = left + (self.width - (wide if len(names) == 1 else 2 * wide + GAP)) // 2
            for place, name in enumerate(names):
                y = self.cards_end + place // 2 * (PILL_HEIGHT + GAP // 2)
                pills[name] = (begin + place % 2 * (wide + GAP), y, wide, PILL_HEIGHT)
        return pills

    def _band(self) -> dict[str, Box]:
        """The clients and the endpoint, side by side in the middle."""
        clients, outside = self.room.clients, self.room.outside
        left_over = WIDTH - len(outside) * (ENDPOINT_WIDTH + 4 * GAP)
        wide = min(196, left_over // max(1, len(clients)) - GAP)
        total = len(clients) * (wide + GAP) - GAP + len(outside) * (ENDPOINT_WIDTH + 4 * GAP)
        x, heads = (WIDTH - total) // 2, {}
        for name in clients:
            heads[name] = (x, 4, wide, CLIENT_HEIGHT)
            x += wide + GAP
        for name in outside:
            heads[name] = (x + 3 * GAP, 3, ENDPOINT_WIDTH, PILL_HEIGHT)
            x += ENDPOINT_WIDTH + 4 * GAP
        return heads

    # -- routes ------------------------------------------------------------------------------------------------------

    def route(self, one: str, other: str) -> list[Point]:
        """The corners of the way between two boxes.  What stands above comes first: clients, servers, sentinels."""
        if self._floor(one) > self._floor(other):
            return self.route(other, one)[::-1]
        floors = self._floor(one), self._floor(other)
        if floors == (0, 0):
            return self._beside(one, other)
        if floors[0] == 0:
            return self._from_above(one, other)
        if floors == (1, 1):
            return self._between_cards(one, other)
        return self._below(one, other)

    def _floor(self, name: str) -> int:
        return 0 if name in self.heads else 1 if name in self.nodes else 2

    def _box(self, name: str) -> Box:
        return {**self.nodes, **self.controls, **self.heads}[name]

    def _column(self, name: str) -> int:
        return min(self._box(name)[0] // (self.width + GAP), len(self.names) - 1)

    def _gutter(self, column: int) -> int:
        """The middle between a column and the next one; right of the last column, inside of it."""
        if column + 1 < len(self.names):
            return self.lefts[column + 1] - GAP // 2
        return self.lefts[column] + self.width - SIDE // 2

    def _beside(self, one: str, other: str) -> list[Point]:
        (x, y, width, height), (other_x, _, other_width, _) = self._box(one), self._box(other)
        names = list(self.heads)
        if abs(names.index(one) - names.index(other)) > 1:  # somebody stands between them
            begin, end, bottom, line = x + width // 2, other_x + other_width // 2, y + height, BAND - 3
            return [(begin, bottom), (begin, line), (end, line), (end, bottom)]
        ends = (x + width, other_x) if x < other_x else (x, other_x + other_width)
        return [(ends[0], y + height // 2), (ends[1], y + height // 2)]

    def _from_above(self, one: str, other: str) -> list[Point]:
        """From a client to the top of a card, each client by a line of its own above the zones; to what stands behind a
        card, or below, down a gutter."""
        x, y, width, height = self._box(one)
        rank, lines = list(self.heads).index(one), len(self.heads)
        begin, line = (x + width // 2, y + height), BAND - 12 + 3 * min(rank, 3)
        left, top, wide, tall = self._box(other)
        if top == self.top:
            if left + SIDE <= begin[0] <= left + wide - SIDE:
                return [begin, (begin[0], top)]
            entry = left + wide // 2 + 24 * rank - 12 * (lines - 1)
            return [begin, (begin[0], line), (entry, line), (entry, top)]
        gutter = self._gutter_towards(self._column(other), begin[0])
        down = [begin, (begin[0], line), (gutter, line)]
        if other in self.controls:  # from the top, for there may be another pill at its side
            channel, middle = top - (9 if top == self.cards_end else 3), left + wide // 2
            return [*down, (gutter, channel), (middle, channel), (middle, top)]
        side = left + wide if gutter > left else left
        return [*down, (gutter, top + tall // 2), (side, top + tall // 2)]

    def _gutter_towards(self, column: int, x: int) -> int:
        """The gutter beside a column that is nearer to x."""
        sides = [self._gutter(place) for place in (column - 1, column) if place >= 0]
        inner = [side for side in sides if side < WIDTH - SIDE] or sides
        return min(inner, key=lambda side: abs(side - x))

    def _between_cards(self, one: str, other: str) -> list[Point]:
        if self._column(one) > self._column(other):
            return self._between_cards(other, one)[::-1]
        (x, y, width, height), (right, low, _, tall) = self._box(one), self._box(other)
        apart = self._column(other) - self._column(one)
        if not apart and abs(y - low) == height + CHANNEL:
            upper, lower = sorted([(x + width // 2, y), (x + width // 2, low)], key=lambda corner: corner[1])
            way = [(upper[0], upper[1] + height), lower]
            return way if y < low else way[::-1]
        if not apart:
            gutter = self._gutter(self._column(one))
            ys = y + height // 2, low + tall // 2
            return [(x + width, ys[0]), (gutter, ys[0]), (gutter, ys[1]), (x + width, ys[1])]
        if apart == 1 and y == low:
            return [(x + width, y + 28), (right, low + 28)]
        if apart == 1:
            gutter = self._gutter(self._column(one))
            return [(x + width, y + 28), (gutter, y + 28), (gutter, low + 28), (right, low + 28)]
        channel = min(y, low) + height + CHANNEL // 2 - 4
        begin, end = self._gutter(self._column(one)) - 14, self._gutter(self._column(other) - 1) + 14
        return [
            (x + width, y + height - 16),
            (begin, y + height - 16),
            (begin, channel),
            (end, channel),
            (end, low + tall - 16),
            (right, low + tall - 16),
        ]

    def _below(self, one: str, other: str) -> list[Point]:
        """To a sentinel, from a server or another sentinel: through the channel above the sentinels."""
        channel = self.cards_end - 9
        left, top, wide, _ = self._box(other)
        end = (left + wide // 2, top)
        x, y, width, height = self._box(one)
        if one in self.controls:
            begin = (x + width // 2, y)
            return [begin, (begin[0], channel), (end[0], channel), end]
        if self._column(one) == self._column(other) and y + height == self.lowest:
            return [(end[0], y + height), end]
        gutter = self._gutter_towards(self._column(one), end[0])
        side = x + width if gutter > x else x
        return [(side, y + height - 30), (gutter, y + height - 30), (gutter, channel), (end[0], channel), end]
