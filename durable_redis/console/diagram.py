"""A state machine as a picture: drawn from the transition table that the code itself is held to.

    from durable_redis.redis.sentinel.failover import TRANSITIONS
    dr.diagram(TRANSITIONS)

The law of this file: nothing about a machine is written here.  The states, their order and the ways between them are
the table's; the sentence beside a state is the line that the docstring of its module has for it.  So neither can drift.

The states stand in a column, an arrow down from one to the next; and one up, if only the next one goes back there.
Every other way goes by a *lane*, one for each state that can be reached so: back on the left, onwards on the right.  A
dot is where a way begins, an arrow where its lane arrives, and the legend says of each lane where it leads.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from durable_redis.lab.pens import INK, LINE, PAPER, SOFT, TINT, rect, sheet, text

WIDTH, MARGIN = 800, 18
BOX_WIDTH, BOX_HEIGHT, GAP, LANE, LEGEND = 190, 34, 22, 16, 28
ROUND = 6
"""How far from a corner a lane begins to turn."""
LINE_LENGTH, LETTER = 80, 6.2
"""So many letters of a sentence stand beside a state at most, two lines of them, and so wide is a letter."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

State = TypeVar("State", bound=Enum)


@dataclass(frozen=True, slots=True)
class Lane:
    """The ways to one state, from above it or from below, that are not those of neighbours."""

    target: Enum
    sources: tuple[Enum, ...]
    back: bool
    colour: str


class Diagram:
    """The picture, and the same in words."""

    def __init__(self, table: Mapping[State, Sequence[State]]) -> None:
        self.states: list[Enum] = list(table)
        self.ways: list[tuple[Enum, Enum]] = [(source, target) for source in table for target in table[source]]
        self.sentences = _sentences(self.states[0])
        joined = [(state, self._far_sources(state, back), back) for back in (True, False) for state in self.states]
        busy = [lane for lane in joined if lane[1]]
        lanes = [Lane(*lane, COLOURS[at % len(COLOURS)]) for at, lane in enumerate(busy)]
        self.left = [lane for lane in lanes if lane.back]  # the outermost first: it goes furthest back
        self.right = [lane for lane in lanes if not lane.back]

    def __repr__(self) -> str:
        lines = ["In words: the states, and where each may go."]
        for state in self.states:
            goes = ", ".join(str(target.value) for source, target in self.ways if source is state)
            lines.append(f"  {state.value} -> {goes}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.svg}

    @property
    def svg(self) -> str:
        height = 2 * MARGIN + len(self.states) * (BOX_HEIGHT + GAP) - GAP + LEGEND
        parts = [
            sheet(WIDTH, height, 'role="img" aria-label="A state machine" font-family="sans-serif"'),
            rect(0.5, 0.5, WIDTH - 1, height - 1, 10, PAPER, LINE, 1),
            *(part for lane in self.left + self.right for part in self._lane(lane)),
            *(part for state in self.states for part in self._state(state)),
            *(dot for lane in self.left + self.right for dot in self._dots(lane)),
            *self._legend(height - MARGIN),
            "</svg>",
        ]
        return "".join(parts)

    # -- what goes where ---------------------------------------------------------------------------------------------

    def _beside(self, state: Enum, step: int) -> Enum | None:
        place = self.states.index(state) + step
        return self.states[place] if 0 <= place < len(self.states) else None

    def _is_short(self, source: Enum, target: Enum) -> bool:
        """Whether this way is an arrow between neighbours."""
        if target is self._beside(source, 1):
            return True
        behind = [one for one, there in self.ways if there is target and self._is_behind(one, target)]
        return target is self._beside(source, -1) and behind == [source]

    def _is_behind(self, source: Enum, target: Enum) -> bool:
        return self.states.index(source) > self.states.index(target)

    def _far_sources(self, target: Enum, back: bool) -> tuple[Enum, ...]:
        """From where one comes here by a lane: back from below, or on from above."""
        return tuple(
            source
            for source, there in self.ways
            if there is target and self._is_behind(source, target) is back and not self._is_short(source, target)
        )

    @property
    def _x(self) -> int:
        """Where the boxes begin."""
        return MARGIN + LANE * (len(self.left) + 1)

    def _y(self, state: Enum) -> int:
        return MARGIN + self.states.index(state) * (BOX_HEIGHT + GAP)

    def _port(self, state: Enum, lane: Lane) -> float:
        """Where a lane meets a state: what arrives is above what leaves, and of this, what goes furthest is below."""
        side = self.left if lane.back else self.right
        arriving = [one for one in side if one.target is state]
        leaving = [one for one in side if state in one.sources]
        ports = arriving + (leaving[::-1] if lane.back else leaving)
        return round(self._y(state) + BOX_HEIGHT * (ports.index(lane) + 1) / (len(ports) + 1), 1)

    # -- parts -------------------------------------------------------------------------------------------------------

    def _state(self, state: Enum) -> Iterator[str]:
        x, y = self._x, self._y(state)
        yield rect(x, y, BOX_WIDTH, BOX_HEIGHT, 6, TINT, INK)
        yield text(x + BOX_WIDTH / 2, y + 21, str(state.value), weight=600, anchor="middle")
        beside = x + BOX_WIDTH + 20 + LANE * len(self.right)
        lines = _wrapped(
            self.sentences.get(state.name, ""), min(LINE_LENGTH, round((WIDTH - MARGIN - beside) / LETTER))
        )
        for place, line in enumerate(lines):
            yield text(beside, y + (21 if len(lines) == 1 else 13 + 16 * place), line, SOFT)
        yield from self._arrows(state, x + BOX_WIDTH / 2, y + BOX_HEIGHT)

    def _arrows(self, state: Enum, middle: float, y: int) -> Iterator[str]:
        """Down to the next one, and up from it."""
        after = self._beside(state, 1)
        if after is None or (state, after) not in self.ways:
            return
        up = (after, state) in self.ways and self._is_short(after, state)
        x = middle - 9 if up else middle
        yield f'<path d="M{x:g},{y}V{y + GAP - 6}" stroke="{INK}" stroke-width="1.5"/>'
        yield f'<path d="M{x:g},{y + GAP}l-5,-8h10z"/>'
        if up:
            yield f'<path d="M{middle + 9:g},{y + GAP}V{y + 6}" stroke="{INK}" stroke-width="1.5"/>'
            yield f'<path d="M{middle + 9:g},{y}l-5,8h10z"/>'

    def _lane(self, lane: Lane) -> Iterator[str]:
        """From each source to the line, along it, and into the target; where it passes another line, over a bridge."""
        if lane.back:
            edge, x, inwards = self._x, MARGIN + LANE * self.left.index(lane), 1
        else:
            edge, inwards = self._x + BOX_WIDTH, -1
            x = edge + LANE * (self.right.index(lane) + 1)
        ends = [self._port(source, lane) for source in lane.sources]
        goal = self._port(lane.target, lane)
        far = max(ends) if lane.back else min(ends)
        turn, along = ROUND * inwards, ROUND if lane.back else -ROUND
        line = (
            f"M{edge},{far:g}H{x + turn}Q{x},{far:g} {x},{far - along:g}"
            f"V{goal + along:g}Q{x},{goal:g} {x + turn},{goal:g}H{edge - 7 * inwards}"
        )
        joins = "".join(f"M{x},{y:g}H{edge}" for y in ends if y != far)
        yield f'<path d="{line}" stroke="{PAPER}" stroke-width="5" fill="none"/>'
        yield f'<path d="{line}{joins}" stroke="{lane.colour}" stroke-width="1.5" fill="none"/>'
        yield f'<path d="M{edge},{goal:g}l{-8 * inwards},-5v10z" fill="{lane.colour}"/>'

    def _dots(self, lane: Lane) -> Iterator[str]:
        x = self._x if lane.back else self._x + BOX_WIDTH
        for source in lane.sources:
            yield f'<circle cx="{x}" cy="{self._port(source, lane):g}" r="3" fill="{lane.colour}"/>'

    def _legend(self, y: float) -> Iterator[str]:
        """Where each lane leads."""
        x = float(self._x)
        for lane in self.left + self.right:
            words = f"{'back' if lane.back else 'on'} to {lane.target.value}"
            yield f'<path d="M{x:g},{y - 4:g}h18" stroke="{lane.colour}" stroke-width="1.5"/>'
            yield f'<path d="M{x + 24:g},{y - 4:g}l-8,-5v10z" fill="{lane.colour}"/>'
            yield text(x + 32, y, words, SOFT)
            x += 32 + LETTER * len(words) + 22


def diagram(table: Mapping[State, Sequence[State]]) -> Diagram:
    """The picture of a transition table: of each state, which states may follow."""
    return Diagram(table)


def _sentences(state: Enum) -> dict[str, str]:
    """What the docstring of the module says of each state: `    NAME    a sentence`, and how it goes on below."""
    said: dict[str, str] = {}
    name = ""
    for line in (sys.modules[type(state).__module__].__doc__ or "").splitlines():
        begins = re.match(r"    ([A-Z_]+(?: [A-Z]+)*)  +(.+)", line)
        if begins and begins[1].replace(" ", "_") in type(state).__members__:
            name = begins[1].replace(" ", "_")
            said[name] = begins[2].strip()
        elif name and re.match(r" {12,}\S", line):
            said[name] += " " + line.strip()
        else:
            name = ""
    return {name: re.sub(r"`|^\d\. | \(`\w+`\)", "", words) for name, words in said.items()}


def _wrapped(words: str, length: int) -> list[str]:
    """One line, or two, the first of them as long as it may be."""
    if len(words) <= length:
        return [words] if words else []
    cut = words.rfind(" ", 0, length)
    return [words[:cut], words[cut + 1 :]]
