"""The way of one write through a shared log: who told whom what, and whose disk was at work, drawn along the time.

    way(run, "w60")

A slanted line is a message, from when it was sent to when it arrived; a bar is an fsync; a letter is what has come
true: R, it is in a server's memory; P, it is on the platter of a zone; C, it is known to be on two; ✓, its client has
heard OK.

The law of this file: everything is a step of the journal between the sending of the write and the last replica's copy
of it; whoever has not got it some milliseconds after the OK is cut off, or down, and has an empty lane.  SVG with
presentation attributes only; the text says the same in words.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from durable_redis.classroom.moments import on_platters
from durable_redis.contract import Fsync, Note, Send
from durable_redis.lab.errors import LabError
from durable_redis.lab.figures import BLUE, GREEN, ORANGE, SKY
from durable_redis.lab.pens import GREEN_TEXT, INK, LINE, PAPER, SOFT, rect, sheet, text
from durable_redis.lab.run import Run
from durable_redis.sim.journal import Arrived, Synced

WIDTH, LEFT, RIGHT, TOP, ROW, FOOT = 800, 66, 26, 52, 40, 40
LATE_US = 5_000
"""A replica that has not got the write so long after its client's OK is not waited for."""


class Message(NamedTuple):
    """What somebody told somebody: its first word, and when it left and arrived."""

    source: str
    target: str
    word: str
    sent_us: int
    arrived_us: int


class Work(NamedTuple):
    """An fsync of a machine."""

    machine: str
    begin_us: int
    end_us: int


class Mark(NamedTuple):
    """What has come true at a machine: a letter, and a sentence."""

    machine: str
    at_us: int
    letter: str
    says: str


COLOURS = {"R": BLUE, "P": GREEN, "C": ORANGE, "✓": INK}
LEGEND = (("R", "in memory"), ("P", "on the platter"), ("C", "committed"), ("✓", "the client has its OK"))


@dataclass(frozen=True, slots=True, repr=False)
class Way:
    """The way of the write of `key`; times are microseconds since it was sent.  `safe_us`: two platters have it."""

    key: str
    lanes: tuple[str, ...]
    messages: tuple[Message, ...]
    works: tuple[Work, ...]
    marks: tuple[Mark, ...]
    safe_us: int
    end_us: int

    def __repr__(self) -> str:
        said = [(each.arrived_us, f"{each.target} hears {each.word} of {each.source}") for each in self.messages]
        said += [(mark.at_us, f"{mark.machine} {mark.says}") for mark in self.marks]
        said.append((self.safe_us, "two platters have it: no single loss can take it away"))
        lines = [f"  {at_us / 1000:6.3f} ms  {words}" for at_us, words in sorted(said, key=lambda pair: pair[0])]
        return "\n".join([f"In words: the way of {self.key}, in milliseconds after it was sent.", *lines])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.svg}

    @property
    def svg(self) -> str:
        height = TOP + ROW * len(self.lanes) + FOOT
        parts = [
            sheet(WIDTH, height, 'role="img" aria-label="The way of a write" font-family="sans-serif"'),
            rect(0.5, 0.5, WIDTH - 1, height - 1, 10, PAPER, LINE, 1),
            *self._scale(height),
            *self._lanes(),
            *(self._work(work) for work in self.works),
            *(self._message(message) for message in self.messages),
            *(part for mark in self.marks for part in _disc(self._x(mark.at_us), self._y(mark.machine), mark.letter)),
            *_legend(height - 16),
            "</svg>",
        ]
        return "".join(parts)

    def _x(self, at_us: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at_us / self.end_us, 1)

    def _y(self, machine: str) -> int:
        return TOP + ROW * self.lanes.index(machine) + ROW // 2

    def _scale(self, height: int) -> Iterator[str]:
        for at_us in range(0, self.end_us + 1, 1_000 if self.end_us < 8_000 else 5_000):
            x = self._x(at_us)
            yield f'<path d="M{x:g} {TOP - 8}V{height - FOOT}" stroke="#e4e7eb"/>'
            yield text(x, 20, f"{at_us / 1000:g} ms", SOFT, 11, anchor="middle")
        x = self._x(self.safe_us)
        yield f'<path d="M{x:g} {TOP - 8}V{height - FOOT}" stroke="{GREEN}" stroke-width="1.6" stroke-dasharray="5 3"/>'
        yield text(x + 4, TOP - 12, "safe from here", GREEN_TEXT, 11, 700)

    def _lanes(self) -> Iterator[str]:
        for name in self.lanes:
            yield text(14, self._y(name) + 4, name, weight=700)
            yield f'<path d="M{LEFT} {self._y(name)}H{WIDTH - RIGHT}" stroke="{LINE}"/>'

    def _work(self, work: Work) -> str:
        begin = self._x(work.begin_us)
        return rect(begin, self._y(work.machine) - 6, self._x(work.end_us) - begin, 12, 2, SKY)

    def _message(self, message: Message) -> str:
        """A line with an arrowhead that points along it."""
        x, y = self._x(message.sent_us), self._y(message.source)
        to_x, to_y = self._x(message.arrived_us), self._y(message.target)
        length = max(1.0, ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5)
        right, down = (to_x - x) / length, (to_y - y) / length
        tip = f"M{to_x - 8 * right - 3.5 * down:.1f} {to_y - 8 * down + 3.5 * right:.1f}L{to_x:g} {to_y}"
        tip += f"L{to_x - 8 * right + 3.5 * down:.1f} {to_y - 8 * down - 3.5 * right:.1f}"
        return f'<path d="M{x:g} {y}L{to_x:g} {to_y}{tip}" fill="none" stroke="{SOFT}" stroke-width="1.3"/>'


def way(run: Run, key: str) -> Way:
    """Follow the newest write of this key.  Raises LabError if no log has got it, or its client has not heard."""
    life = run.life(key)
    platters = on_platters(run, life)
    if life.answered is None:
        raise LabError(f"the client of {key} was never told OK")
    steps = run.playback.world.journal.steps
    begin_us, writer = steps[life.sent - 1].at_us, steps[life.sent - 1].machine
    committed = platters.pop("committed")
    messages, works, last = _between(run, life.sent, life.answered, writer)
    assert life.executed is not None, f"the log has {key}, and nobody has executed it"

    def mark(step: int, letter: str, says: str) -> Mark:
        return Mark(steps[step - 1].machine, steps[step - 1].at_us - begin_us, letter, says)

    node = steps[life.executed - 1].machine
    marks = [mark(life.executed, "R", "executes it: in its memory")]
    marks += [mark(step, "P", "has it on its platter") for step in platters.values()]
    marks.append(mark(committed, "C", "knows it to be committed"))
    marks += [Mark(name, at_us, "R", "applies it: in its memory") for name, at_us in last.items() if name != writer]
    marks.append(Mark(writer, last[writer], "✓", "has its OK"))
    logs = sorted(platters)
    others = [name for name in run.deployment.nodes if name != node]
    safe_us = sorted(mark.at_us for mark in marks if mark.letter == "P")[1]
    end_us = max(mark.at_us for mark in marks)
    heard = tuple(message for message in messages if message.arrived_us <= end_us)
    synced = tuple(work for work in works if work.end_us <= end_us)
    return Way(key, (writer, node, *logs, *others), heard, synced, tuple(marks), safe_us, end_us)


def _between(run: Run, begin: int, answered: int, writer: str) -> tuple[list[Message], list[Work], dict[str, int]]:
    """The messages and fsyncs from one step on, and when each replica had the write, and the writer the answer."""
    steps = run.playback.world.journal.steps
    others = [name for name in run.deployment.nodes if name != steps[answered - 1].machine]
    begin_us = steps[begin - 1].at_us
    sent: dict[tuple[str, str], deque[tuple[str, bytes, int]]] = defaultdict(deque)
    syncing: dict[str, int] = {}
    messages, works, last = [], [], {}
    for number, step in enumerate(steps[begin - 1 :], start=begin):
        at_us = step.at_us - begin_us
        match step.what:
            case Send(connection=connection, data=data):
                sent[connection, step.machine].append((step.machine, data, at_us))
            case Arrived(connection=connection, source=source) if sent[connection, source]:
                who, data, sent_us = sent[connection, source].popleft()
                messages.append(Message(who, step.machine, _word(data), sent_us, at_us))
                if step.machine == writer and number > answered:
                    last[writer] = at_us
            case Fsync():
                syncing[step.machine] = at_us
            case Synced() if step.machine in syncing:
                works.append(Work(step.machine, syncing.pop(step.machine), at_us))
            case Note(kind="applied") if step.machine not in last:
                last[step.machine] = at_us
        if writer in last and (at_us > last[writer] + LATE_US or all(name in last for name in others)):
            break
    return messages, works, last


def _word(data: bytes) -> str:
    """`APPEND` of a command, `OK` of a reply."""
    lines = data.split(b"\r\n")
    word = lines[2] if lines[0].startswith(b"*") and len(lines) > 2 else lines[0].lstrip(b"+:-")
    return word.decode("ascii", "replace")


def _disc(x: float, y: float, letter: str) -> Iterator[str]:
    yield f'<circle cx="{x:g}" cy="{y:g}" r="8.5" fill="{COLOURS[letter]}" stroke="{PAPER}"/>'
    yield text(x, y + 4, letter, PAPER, 11, 700, "middle")


def _legend(y: float) -> Iterator[str]:
    x = float(LEFT)
    for letter, words in LEGEND:
        yield from _disc(x, y - 4, letter)
        yield text(x + 14, y, words, SOFT, 11)
        x += 42 + 5.6 * len(words)
    yield rect(x, y - 10, 26, 12, 2, SKY)
    yield text(x + 32, y, "an fsync", SOFT, 11)
