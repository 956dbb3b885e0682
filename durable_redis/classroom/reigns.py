"""Reigns: who held a lease when, and who waited for how long, as bars along the time.

    reigns(run, from_ms=1_000, until_ms=6_000)

A full bar is a lease: from when a node leads until its lease ends.  It is hollow where the node was down, stood still
or was deposed, and nobody else could know; and where a node serves without having asked anybody.  A thin bar is a
backoff: it begins anew at every sign of a leader that the node sees in the log, and ends where nobody gave one.  A node
counts both on its own clock; the bars are in the room's time, and become longer or shorter where the clock is set.

The law of this file: every bar and mark is a note of the journal, or a timer that a node has set; nothing is computed
from the configuration.  SVG with presentation attributes only; the text says the same in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from durable_redis.contract import Note, SetTimer
from durable_redis.lab.figures import BLUE, GREEN, ORANGE, SKY
from durable_redis.lab.pens import INK, PAPER, SOFT, rect, sheet, text
from durable_redis.lab.run import Run
from durable_redis.memorydb.leadership import WAKE
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import Crashed, Pause, Skew
from durable_redis.sim.journal import Step

WIDTH, LEFT, RIGHT, TOP, ROW = 800, 60, 20, 44, 52
BORDER, DARK = "#b8c0c8", "#dde2e7"
TICKS_US = 500_000, 1_000_000, 2_000_000, 5_000_000


@dataclass(slots=True)
class Span:
    """From when until when something held, in microseconds of the room."""

    begin_us: int
    end_us: int


@dataclass(slots=True)
class Reign:
    """What a node did with its lease and its backoff; `marks` are (kind, when)."""

    node: str
    leases: list[Span] = field(default_factory=list)
    hollow: list[Span] = field(default_factory=list)
    waits: list[Span] = field(default_factory=list)
    still: list[Span] = field(default_factory=list)  # it stood still, or was down
    marks: list[tuple[str, int]] = field(default_factory=list)
    leads: bool = False
    skew_us: int = 0  # by how much its clock is fast

    def see(self, step: Step, end_us: int) -> None:
        at_us = step.at_us
        match step.what:
            case Note(kind="leads"):
                self.leads = True
                self._stop_waiting(at_us)
                self.marks.append(("leads", at_us))
            case Note(kind="lease", facts={"until_us": int(until)}):
                self._lease(at_us, until - EPOCH_US - self.skew_us)
            case Note(kind="deposed"):
                self._end(at_us)
            case Note(kind="takes over"):
                self.leads = True
                self._stop_waiting(at_us)
                self.hollow.append(Span(at_us, end_us))
                self.marks.append(("takes over", at_us))
            case Note(kind="candidate" | "conflict" as kind):
                self.marks.append((kind, at_us))
            case SetTimer(name=name, at_us=until) if name == WAKE and not self.leads:
                self._stop_waiting(at_us)
                self.waits.append(Span(at_us, until - EPOCH_US - self.skew_us))
            case Crashed():
                self._end(at_us)
                self._stop_waiting(at_us)
                self.still.append(Span(at_us, end_us))
                self.marks.append(("crash", at_us))
            case Pause(for_us=for_us):
                self.still.append(Span(at_us, at_us + for_us))
            case Skew(skew_us=skew_us):
                self._set_clock(at_us, skew_us - self.skew_us)

    def _lease(self, at_us: int, until_us: int) -> None:
        if self.leases and self.leases[-1].end_us >= at_us:
            self.leases[-1].end_us = until_us
        else:
            self.leases.append(Span(at_us, until_us))
        self.marks.append(("renewal", at_us))

    def _set_clock(self, at_us: int, by_us: int) -> None:
        """A lease that has not ended ends so much earlier; what waits was told before, and goes on."""
        self.skew_us += by_us
        if self.leases and self.leases[-1].end_us > at_us:
            self.leases[-1].end_us = max(at_us, self.leases[-1].end_us - by_us)
        self.marks.append(("clock", at_us))

    def settle(self) -> Reign:
        """Where it stood still it had its lease, and served nobody."""
        for still in self.still:
            for lease in [
                lease for lease in self.leases if lease.begin_us < still.end_us and lease.end_us > still.begin_us
            ]:
                begin_us, end_us = max(lease.begin_us, still.begin_us), min(lease.end_us, still.end_us)
                self.hollow.append(Span(begin_us, end_us))
                if end_us < lease.end_us:
                    self.leases.append(Span(end_us, lease.end_us))
                lease.end_us = begin_us
        return self

    def idle(self) -> Iterator[Span]:
        """Where, for more than a second, it had no lease and waited for nothing."""
        known = sorted(self.leases + self.hollow + self.waits + self.still, key=lambda span: span.begin_us)
        for one, other in pairwise(known):
            if other.begin_us > one.end_us + 1_000_000:
                yield Span(one.end_us, other.begin_us)

    def _end(self, at_us: int) -> None:
        self.leads = False
        if self.leases and self.leases[-1].end_us > at_us:
            self.hollow.append(Span(at_us, self.leases[-1].end_us))
            self.leases[-1].end_us = at_us

    def _stop_waiting(self, at_us: int) -> None:
        if self.waits and self.waits[-1].end_us > at_us:
            self.waits[-1].end_us = at_us

    def lines(self) -> Iterator[str]:
        for span in self.leases:
            yield f"holds the lease from {span.begin_us / 1e6:.3f} s to {span.end_us / 1e6:.3f} s"
        for span in self.hollow:
            until = f" to {span.end_us / 1e6:.3f} s" if self.leases else ""
            held = "has a lease, and does not serve," if self.leases else "serves without a lease"
            yield f"{held} from {span.begin_us / 1e6:.3f} s{until}"
        for span in self.waits[-1:]:
            if span.end_us > span.begin_us:
                yield f"begins its last backoff at {span.begin_us / 1e6:.3f} s, which ends at {span.end_us / 1e6:.3f} s"
        for span in self.still:
            yield f"is still, or down, from {span.begin_us / 1e6:.3f} s to {span.end_us / 1e6:.3f} s"
        for kind, at_us in self.marks:
            if kind != "renewal":
                yield f"{SAYS[kind]} at {at_us / 1e6:.3f} s"


SAYS = {
    "leads": "leads",
    "candidate": "asks the log",
    "conflict": "is refused",
    "takes over": "serves without asking",
    "crash": "goes down",
    "clock": "has its clock set",
}


@dataclass(frozen=True, slots=True, repr=False)
class Reigns:
    """The bars of all nodes between two moments."""

    reigns: tuple[Reign, ...]
    from_us: int
    until_us: int

    def __repr__(self) -> str:
        lines = [f"In words: leases and backoffs from {self.from_us / 1e6:g} s to {self.until_us / 1e6:g} s."]
        return "\n".join(lines + [f"  {reign.node} {line}" for reign in self.reigns for line in reign.lines()])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "image/svg+xml": self.svg}

    @property
    def svg(self) -> str:
        height = TOP + ROW * len(self.reigns) + 34
        parts = [
            sheet(WIDTH, height, 'role="img" aria-label="Leases and backoffs" font-family="sans-serif"'),
            rect(0.5, 0.5, WIDTH - 1, height - 1, 10, PAPER, BORDER, 1),
            *self._scale(height),
            *(part for place, reign in enumerate(self.reigns) for part in self._row(reign, TOP + ROW * place)),
            *_legend(self._kinds(), height - 14),
            "</svg>",
        ]
        return "".join(parts)

    def _kinds(self) -> set[str]:
        """What there is to be seen."""
        kinds = {kind for reign in self.reigns for kind, at_us in reign.marks if self.from_us <= at_us <= self.until_us}
        for reign in self.reigns:
            spans = {"lease": reign.leases, "wait": reign.waits, "still": reign.still}
            spans |= {"hollow": reign.hollow} if reign.leases else {}
            kinds |= {kind for kind, found in spans.items() if any(self._seen(found))}
        return kinds | {"idle" for reign in self.reigns if any(self._seen(list(reign.idle())))}

    def _x(self, at_us: float) -> float:
        inside = min(max(at_us, self.from_us), self.until_us) - self.from_us
        return round(LEFT + (WIDTH - LEFT - RIGHT) * inside / (self.until_us - self.from_us), 1)

    def _scale(self, height: int) -> Iterator[str]:
        length = self.until_us - self.from_us
        every = next((tick for tick in TICKS_US if length / tick <= 14), length)
        for at_us in range(-(-self.from_us // every) * every, self.until_us + 1, every):
            x = self._x(at_us)
            yield f'<path d="M{x:g} 30V{height - 34}" stroke="#e4e7eb"/>'
            yield text(x, 22, f"{at_us / 1e6:g} s", SOFT, 11, anchor="middle")

    def _row(self, reign: Reign, y: int) -> Iterator[str]:
        yield text(16, y + 20, reign.node, weight=700, size=13)
        yield f'<path d="M{LEFT} {y + 16}H{WIDTH - RIGHT}" stroke="{BORDER}" stroke-dasharray="1 4"/>'
        for span in self._seen(reign.still):
            yield self._bar(span, y + 2, 28, DARK)
        for span in self._seen(reign.waits):
            yield self._bar(span, y + 12, 8, SKY)
            yield f'<path d="M{self._x(span.begin_us):g} {y + 8}v16" stroke="{BLUE}"/>'
        for span in self._seen(reign.leases):
            yield self._bar(span, y + 6, 20, GREEN)
            if span.end_us < self.until_us and all(span.end_us != after.begin_us for after in reign.hollow):
                yield text(self._x(span.end_us) - 4, y + 20, f"{span.end_us / 1e6:.2f} s", PAPER, 10, anchor="end")
        for span in self._seen(reign.hollow):
            begin, end = self._x(span.begin_us), self._x(span.end_us)
            yield rect(begin, y + 6, end - begin, 20, 2, "none", GREEN, 2)
            if span.end_us < self.until_us:
                yield text(end + 4, y + 20, f"{span.end_us / 1e6:.2f} s", SOFT, 10)
        for kind, at_us in reign.marks:
            if self.from_us <= at_us <= self.until_us:
                yield _mark(kind, self._x(at_us), y + 16)

    def _seen(self, spans: list[Span]) -> Iterator[Span]:
        return (span for span in spans if span.end_us > self.from_us and span.begin_us < self.until_us)

    def _bar(self, span: Span, y: int, height: int, fill: str) -> str:
        begin = self._x(span.begin_us)
        return rect(begin, y, self._x(span.end_us) - begin, height, 2, fill)


def _mark(kind: str, x: float, y: int) -> str:
    """A shape for each kind: a tick, a triangle, a dot, a cross, a bolt, a clock."""
    match kind:
        case "renewal":
            return f'<path d="M{x:g} {y - 10}v20" stroke="{PAPER}" stroke-width="1.5"/>'
        case "candidate":
            return f'<path d="M{x:g} {y + 12}l-5 9h10z" fill="{INK}"/>'
        case "conflict":
            return f'<path d="M{x - 5:g} {y - 5}l10 10m0-10l-10 10" stroke="{ORANGE}" stroke-width="3"/>'
        case "crash":
            return f'<path d="M{x - 4:g} {y - 14}h8l-3 8h5l-9 13l3-10h-5z" fill="{ORANGE}"/>'
        case "clock":
            hands = f'<path d="M{x:g} {y - 5}v5l4 3" stroke="{INK}" stroke-width="1.5" fill="none"/>'
            return f'<circle cx="{x:g}" cy="{y}" r="8" fill="{PAPER}" stroke="{INK}" stroke-width="1.5"/>{hands}'
    return f'<circle cx="{x:g}" cy="{y}" r="5" fill="{PAPER}" stroke="{INK}" stroke-width="2"/>'


Shape = Callable[[float, float], str]
LEGEND: tuple[tuple[str, Shape, str], ...] = (
    ("lease", lambda x, y: rect(x, y - 10, 18, 12, 2, GREEN), "holds the lease"),
    ("hollow", lambda x, y: rect(x, y - 9, 18, 10, 2, "none", GREEN, 2), "serves nobody"),
    ("takes over", lambda x, y: rect(x, y - 9, 18, 10, 2, "none", GREEN, 2), "serves without a lease"),
    ("wait", lambda x, y: rect(x, y - 8, 18, 8, 2, SKY), "backoff"),
    ("idle", lambda x, y: f'<path d="M{x:g} {y - 4:g}h18" stroke="{BORDER}" stroke-dasharray="1 4"/>', "neither"),
    ("still", lambda x, y: rect(x, y - 11, 18, 14, 2, DARK), "still, or down"),
    ("candidate", lambda x, y: _mark("candidate", x + 9, round(y) - 20), "asks the log"),
    ("leads", lambda x, y: _mark("leads", x + 9, round(y) - 4), "leads"),
    ("conflict", lambda x, y: _mark("conflict", x + 9, round(y) - 4), "is refused"),
    ("clock", lambda x, y: _mark("clock", x + 9, round(y) - 4), "clock set"),
)
"""What a shape means: its name, how it is drawn, its words."""


def _legend(kinds: set[str], y: float) -> Iterator[str]:
    """What the shapes of this picture mean, from left to right."""
    x = float(LEFT)
    for kind, shape, words in LEGEND:
        if kind in kinds:
            yield shape(x, y)
            yield text(x + 24, y, words, SOFT, 11)
            x += 24 + 6.1 * len(words) + 12


def reigns(run: Run, from_ms: float = 0, until_ms: float | None = None) -> Reigns:
    """The leases and backoffs of all nodes of a run between two moments."""
    until_us = round(run.now_ms * 1000 if until_ms is None else until_ms * 1000)
    found = {node: Reign(node) for node in run.deployment.nodes}
    for step in run.playback.world.journal:
        if step.at_us > until_us:
            break
        name = step.machine or getattr(step.what, "machine", "")
        if name in found:
            found[name].see(step, until_us)
    return Reigns(tuple(reign.settle() for reign in found.values()), round(from_ms * 1000), until_us)
