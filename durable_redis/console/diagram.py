"""A state machine as a picture: drawn from the transition table that the code itself is held to.

    from durable_redis.redis.sentinel.failover import TRANSITIONS
    dr.diagram(TRANSITIONS)

The law of this file: nothing about a machine is written here.  The states, their order and the ways between them are
the table's; the sentence beside a state is the line that the docstring of its module has for it.  So neither can drift.

The states stand in a column, an arrow down from one to the next.  Every other way goes by a *lane* on the left, one for
each state that can be reached so: a dot where a state joins the lane, an arrow where the lane arrives.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from durable_redis.lab.pens import INK, LINE, PAPER, SOFT, TINT, rect, sheet, text

WIDTH, MARGIN = 800, 18
BOX_WIDTH, BOX_HEIGHT, GAP, LANE = 190, 34, 22, 16
LINE_LENGTH, LETTER = 80, 6.2
"""So many letters of a sentence stand beside a state at most, two lines of them, and so wide is a letter."""
LANES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

State = TypeVar("State", bound=Enum)


class Diagram:
    """The picture, and the same in words."""

    def __init__(self, table: Mapping[State, Sequence[State]]) -> None:
        self.states: list[Enum] = list(table)
        self.ways: list[tuple[Enum, Enum]] = [(source, target) for source in table for target in table[source]]
        self.sentences = _sentences(self.states[0])

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
        height = 2 * MARGIN + len(self.states) * (BOX_HEIGHT + GAP) - GAP
        parts = [
            sheet(WIDTH, height, 'role="img" aria-label="A state machine" font-family="sans-serif"'),
            rect(0.5, 0.5, WIDTH - 1, height - 1, 10, PAPER, LINE, 1),
            *self._lanes(),
            *(part for state in self.states for part in self._state(state)),
            "</svg>",
        ]
        return "".join(parts)

    # -- parts -------------------------------------------------------------------------------------------------------

    def _next(self, state: Enum) -> Enum | None:
        place = self.states.index(state) + 1
        return self.states[place] if place < len(self.states) else None

    def _targets(self) -> list[Enum]:
        """The states with a lane, in the order of the column."""
        reached = [target for source, target in self.ways if target is not self._next(source)]
        return [state for state in self.states if state in reached]

    @property
    def _left(self) -> int:
        return MARGIN + LANE * (len(self._targets()) + 1)

    def _y(self, state: Enum) -> int:
        return MARGIN + self.states.index(state) * (BOX_HEIGHT + GAP)

    def _state(self, state: Enum) -> Iterator[str]:
        x, y = self._left, self._y(state)
        yield rect(x, y, BOX_WIDTH, BOX_HEIGHT, 6, TINT, INK)
        yield text(x + BOX_WIDTH / 2, y + 21, str(state.value), weight=600, anchor="middle")
        room = round((WIDTH - MARGIN - x - BOX_WIDTH - 20) / LETTER)
        lines = _wrapped(self.sentences.get(state.name, ""), min(LINE_LENGTH, room))
        for place, line in enumerate(lines):
            yield text(x + BOX_WIDTH + 20, y + (21 if len(lines) == 1 else 13 + 16 * place), line, SOFT)
        if (state, self._next(state)) in self.ways:
            middle, end = x + BOX_WIDTH // 2, y + BOX_HEIGHT + GAP
            yield f'<path d="M{middle},{y + BOX_HEIGHT}V{end - 6}" stroke="{INK}" stroke-width="1.5"/>'
            yield f'<path d="M{middle},{end}l-5,-8h10z"/>'

    def _lanes(self) -> Iterator[str]:
        for number, target in enumerate(self._targets()):
            colour, lane = LANES[number % len(LANES)], self._left - LANE * (number + 1)
            sources = [source for source, there in self.ways if there is target and target is not self._next(source)]
            arrives = self._y(target) + 10
            ys = [self._y(source) + BOX_HEIGHT - 6 - 6 * number for source in sources]
            ends = f"M{lane},{min(*ys, arrives)}V{max(*ys, arrives)}M{lane},{arrives}H{self._left - 7}"
            joins = "".join(f"M{lane},{y}H{self._left}" for y in ys)
            yield f'<path d="{ends}{joins}" stroke="{colour}" stroke-width="1.5" fill="none"/>'
            yield f'<path d="M{self._left},{arrives}l-8,-5v10z" fill="{colour}"/>'
            yield from (f'<circle cx="{lane}" cy="{y}" r="3" fill="{colour}"/>' for y in ys)


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
