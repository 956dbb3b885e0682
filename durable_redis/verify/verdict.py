"""The verdict: what the judges say of a run that somebody has made, in a notebook or out of a replay string.

    dr.judge(dr.scenarios.play("log-out-of-reach-without-a-lease"))

A receipt asks what became of the acknowledged writes.  The judges ask more, and to see it they must stand beside the
room from its first step; so the run is played once more, with a witness, up to where it ended.

One law they leave alone: *convergence* is about a room that was mended and left alone, and of a run that somebody has
made nobody knows that.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from durable_redis.lab.playback import Playback
from durable_redis.verify import invariants
from durable_redis.verify.evidence import Witness
from durable_redis.verify.invariants import JUDGES
from durable_redis.verify.judging import EXPLAINED, Case, Finding

if TYPE_CHECKING:
    from durable_redis.lab.run import Run

WIDTH = 116
"""Of a line, in letters."""


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """What they have found, in the order of the judges.  It is true if nobody objects.

    `lost` acknowledged writes are gone: with many a deployment that alone breaks no law."""

    findings: tuple[Finding, ...]
    lost: int

    def __bool__(self) -> bool:
        return not self.findings

    @property
    def laws(self) -> tuple[str, ...]:
        """The names of the laws that are broken."""
        return tuple(dict.fromkeys(finding.judge for finding in self.findings))

    def __repr__(self) -> str:
        if self:
            return f"{len(JUDGES)} judges: no objection{f' {EXPLAINED}' if self.lost else ''}"
        lines = [f"{len(self.laws)} of {len(JUDGES)} judges {'objects' if len(self.laws) == 1 else 'object'}:"]
        for law in self.laws:
            first, *more = [finding for finding in self.findings if finding.judge == law]
            lines += wrap(str(first), WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
            if more:
                lines.append(f"    and {len(more):,} more of this kind")
        return "\n".join(lines)


def judge(run: Run) -> Verdict:
    """Let every judge look at this branch of a run, from its start to its end.

    Raises UnknownCommand for a run in which a client wrote with a command that the judges have no rule for."""
    scenario = run.scenario()
    playback = Playback(run.deployment, run.seed, record=False)
    witness = Witness(playback)
    for action in scenario.actions:
        playback.perform(action)
    playback.play_to_step(scenario.end_step)
    case = Case(witness.evidence())
    return Verdict(tuple(invariants.findings(case)), len(case.lost()))
