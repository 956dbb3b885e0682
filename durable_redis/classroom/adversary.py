"""The adversary: choose the instant of a crash, and try to make it cost as much as possible.

    hunt = adversary(run, "power loss")     # a run that has been played
    hunt.at(1_500)                          # a try, in milliseconds: the crash is done, and what is gone is counted
    hunt                                    # the tries, the best first
    hunt.reveal()                           # every instant: the worst, or the proof that none costs anything

Two laws.  *A try is a real crash*: the scenario is played again up to that instant, crashed, restarted, counted; the
run itself stays as it is.  The adversary also has the luck, so nothing unsynced survives a power loss.

*A reveal looks at every instant.*  The marks (`lab.ledger`) say after every step how many acknowledged writes the crash
would erase, and a step is the smallest thing that happens: so the largest of these numbers is the largest there is.
That the marks are right is not taken on trust: some of the steps, the worst among them, are crashed for real.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from durable_redis.classroom.errors import ClassroomError
from durable_redis.classroom.kinds import Number, Refused
from durable_redis.lab.run import Run
from durable_redis.lab.sweep import Point, sweep
from durable_redis.sim.faults import CRASHES
from durable_redis.sim.journal import Synced, WroteBack

if TYPE_CHECKING:
    from durable_redis.classroom.forms import AdversaryForm

SHOWN = 8
"""So many tries are listed, the best."""
CHECKED = 12
"""So many steps, evenly spaced, a reveal crashes for real, and the worst beside them."""
PEAKS = 3


@dataclass(frozen=True, slots=True, repr=False)
class Try:
    """One crash of the reader's: at which instant, and how many acknowledged writes it erased."""

    order: int
    at_ms: float
    point: Point

    @property
    def lost(self) -> int:
        return self.point.lost

    def __repr__(self) -> str:
        gone = counted(self.lost, self.point.acknowledged)
        refused = "" if self.point.starts else "; the server does not start from what is left"
        return f"try {self.order}, at {self.at_ms:g} ms (after step {self.point.step:,}): {gone}{refused}"


@dataclass(frozen=True, slots=True, repr=False)
class NoTry:
    """An instant that is none, and the sentence about it."""

    says: str

    def __repr__(self) -> str:
        return self.says


class Adversary:
    """A hunt for the instant at which one kind of crash of one run's server costs most."""

    def __init__(self, run: Run, crash: str) -> None:
        if crash not in CRASHES:
            raise ClassroomError(f"no crash is called {crash!r}: choose from {', '.join(CRASHES)}")
        self.run = run
        self.crash = crash
        self.scenario = run.scenario()
        if not self.scenario.actions:
            raise ClassroomError("there is nothing to crash: let a client write something first")
        self.times_ms = [run.frame(step).at_us / 1000 for step in range(run.steps + 1)]
        self.tries: list[Try] = []
        self._form: AdversaryForm | None = None

    # -- trying ------------------------------------------------------------------------------------------------------

    def at(self, instant_ms: Any) -> Try | NoTry:
        """Crash at this instant, restart, and count; nothing is raised for an instant that makes no sense."""
        last_ms = self.times_ms[-1]
        try:
            instant = Number("milliseconds", 0, last_ms).take(instant_ms)
        except Refused as refused:
            return NoTry(f"Not a try. {refused}")
        tried = Try(len(self.tries) + 1, instant, self._crashed(self._step_at(instant)))
        self.tries.append(tried)
        return tried

    def _step_at(self, at_ms: float) -> int:
        """The last step at this time or before it: of the run as it was when the hunt began."""
        return bisect_right(self.times_ms, at_ms) - 1

    def _crashed(self, *steps: int) -> Any:
        """The point of this step; of several, their points."""
        points = sweep(self.scenario, [self.crash], steps=steps, tail="lost").points
        return points if len(steps) > 1 else points[0]

    def ranking(self) -> list[Try]:
        """The tries, the best first; of equals, the earlier first."""
        return sorted(self.tries, key=lambda tried: (-tried.lost, tried.order))

    # -- the truth ---------------------------------------------------------------------------------------------------

    @cached_property
    def risks(self) -> list[int]:
        """After each step, from 0: how many acknowledged writes the crash would erase."""
        node = self.run.deployment.nodes[0]
        marked = (self.run.frame(step).machines[node].at_risk for step in range(len(self.times_ms)))
        return [marks[self.crash] if marks else 0 for marks in marked]

    def reveal(self) -> Reveal:
        """Look at every instant."""
        peaks = tuple(sorted(_peaks(self.risks), key=lambda peak: -peak.lost)[:PEAKS])
        last = len(self.risks) - 1
        steps = {round(last * part / CHECKED) for part in range(1, CHECKED + 1)} | {peak.last for peak in peaks[:1]}
        return Reveal(self, peaks, self._crashed(*sorted(steps)))

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def task(self) -> str:
        """What is to be done, in a sentence."""
        return (
            f"You are the adversary. Choose the instant of a {self.crash}, from 0 to {self.times_ms[-1]:,.0f} ms, "
            "so that it costs as much as possible."
        )

    def _lines(self) -> Iterator[str]:
        if not self.tries:
            yield "no tries yet"
        for place, tried in enumerate(self.ranking()[:SHOWN], start=1):
            yield f"{place}. {tried!r}"

    def __repr__(self) -> str:
        return "\n".join([self.task, *(f"  {line}" for line in self._lines())])

    @property
    def markdown(self) -> str:
        """The same for a page."""
        return "\n".join([f"**{self.task}**", "", *(f"- {line}" for line in self._lines())])

    @property
    def form(self) -> AdversaryForm:
        """The widgets, made when they are first needed.  Raises ImportError without ipywidgets."""
        if self._form is None:
            from durable_redis.classroom.forms import AdversaryForm

            self._form = AdversaryForm(self)
        return self._form

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from durable_redis.classroom.forms import bundle

        return bundle(self, lambda: self.form.widget)


@dataclass(frozen=True, slots=True)
class Peak:
    """The steps, from `first` to `last`, at which a crash costs more than before them and after them."""

    first: int
    last: int
    lost: int


@dataclass(frozen=True, slots=True, repr=False)
class Reveal:
    """Every instant: `peaks` are the worst of them, the worst first; `checked` the crashes that were done for real."""

    hunt: Adversary
    peaks: tuple[Peak, ...]
    checked: Sequence[Point]

    @property
    def most(self) -> int:
        """The most that a crash can cost; 0 if there is no instant at which it costs anything."""
        return self.peaks[0].lost if self.peaks else 0

    @property
    def worst_ms(self) -> float | None:
        """The first instant at which it costs that much, in milliseconds; None if there is none."""
        return self.hunt.times_ms[self.peaks[0].first] if self.peaks else None

    @property
    def proven(self) -> bool:
        """Whether each crash that was done for real cost what the marks had said."""
        return all(point.lost == self.hunt.risks[point.step] for point in self.checked)

    @property
    def lines(self) -> list[str]:
        """What was found, in sentences."""
        hunt, instants = self.hunt, len(self.hunt.risks)
        if self.peaks:
            lines = [f"Of {instants:,} instants, the worst for a {hunt.crash}:"]
            lines += [f"  {self._said(peak)}" for peak in self.peaks]
        else:
            lines = [
                f"There is none: after none of {instants:,} steps would a {hunt.crash} erase an acknowledged write."
            ]
        where = ", the worst included" if self.peaks else ""
        agree = "each time as many were gone as" if self.proven else "NOT ALWAYS were as many gone as"
        lines.append(f"Crashed for real after {len(self.checked)} of them{where}: {agree} the marks had said.")
        if hunt.tries:
            best = hunt.ranking()[0]
            lines.append(f"Your best: {best!r}.")
        return lines

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _said(self, peak: Peak) -> str:
        times = self.hunt.times_ms
        span = f"{times[peak.first]:,.3f} to {times[peak.last]:,.3f} ms"
        return f"{peak.lost:5} writes, from {span}{self._ended_by(peak)}"

    def _ended_by(self, peak: Peak) -> str:
        """What made it cheaper again."""
        steps = self.hunt.run.playback.world.journal.steps
        if peak.last >= len(steps):
            return ", the end of the run"
        match steps[peak.last].what:  # the steps are numbered from 1
            case Synced():
                return ": then an fsync ended"
            case WroteBack():
                return ": then the kernel wrote back"
        return ""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from durable_redis.classroom.adversary_picture import draw

        still = {"text/plain": repr(self)}
        return {**still, "image/svg+xml": draw(self)} if self.peaks else still


def adversary(run: Run, crash: str = "power loss") -> Adversary:
    """A hunt for the worst instant of this run; what was tried is forgotten when it is called again.

    Raises ClassroomError for a kind of crash that does not exist, and for a run in which nobody has written."""
    return Adversary(run, crash)


def counted(lost: int, acknowledged: int) -> str:
    """`99 of 100 acknowledged writes are gone`, in good English."""
    if not lost:
        return f"none of {acknowledged} acknowledged writes is gone"
    return f"{lost} of {acknowledged} acknowledged writes {'is' if lost == 1 else 'are'} gone"


def _peaks(risks: Sequence[int]) -> Iterator[Peak]:
    """Where the risk is higher than before and after."""
    first, before = 0, 0
    levels = [(lost, len(list(steps))) for lost, steps in groupby(risks)]
    for place, (lost, length) in enumerate(levels):
        after = levels[place + 1][0] if place + 1 < len(levels) else 0
        if before < lost > after:
            yield Peak(first, first + length - 1, lost)
        first, before = first + length, lost
