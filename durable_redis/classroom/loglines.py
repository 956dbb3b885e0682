"""Lines of the shared log: what stands in it, entry by entry, as whoever reads it would see it.

    in_the_log(run, until_ms=5_000)

     2         0.600 s  leadership  n1  "I lead from here on"
     3 to 22   1.096 s  data        n1  w1 to w20
    23         1.100 s  renewal     n1  "I lead still"

The law of this file: entries are read from a replica of the log, at the end of the branch; the time of each is when a
majority had it.  Neighbours that say the same are one line, with the time of the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from durable_redis.contract import Note
from durable_redis.lab.errors import LabError
from durable_redis.lab.run import Run
from durable_redis.memorydb.claims import Claim
from durable_redis.memorydb.log import DATA, HANDOVER, LEADERSHIP, RENEWAL, Entry, LogNode
from durable_redis.memorydb.log.sequence import Sequence as Kept
from durable_redis.memorydb.record import Record

SAYS = {LEADERSHIP: '"I lead from here on"', RENEWAL: '"I lead still"', HANDOVER: '"I lead no more; {successor} may"'}

FEW = 3
"""So many keys are named one by one."""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, or some neighbours that say the same: places, the time of the last, the kind, and whose they are."""

    first: int
    last: int
    at_us: int
    kind: str
    node: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        places = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        few = len(self.words) <= FEW
        said = ", ".join(self.words) if few else f"{self.words[0]} to {self.words[-1]}"
        return f"{places:>10}  {self.at_us / 1e6:8.3f} s  {self.kind:10}  {self.node:2}  {said}"


@dataclass(frozen=True, slots=True, repr=False)
class Lines:
    """Some of the log, in order."""

    lines: tuple[Line, ...]

    def __repr__(self) -> str:
        return "\n".join([f"{'entry':>10}  {'committed':>10}  {'kind':10}  by  it says", *map(str, self.lines)])


def in_the_log(run: Run, after_ms: float = 0, until_ms: float = float("inf"), shard: str = "s1") -> Lines:
    """What was committed in this time.  Raises LabError if no replica of the log is up, or has it still."""
    kept, committed = _kept(run, shard)
    times = _times(run, shard)
    found: list[Line] = []
    for entry in kept.shown_behind(kept.cut.index, committed, committed):
        at_us = times[entry.id.index]
        if not after_ms * 1000 <= at_us <= until_ms * 1000:
            continue
        line = _line(entry, at_us)
        if found and (found[-1].kind, found[-1].node) == (line.kind, line.node):
            words = found.pop()
            both = words.words + line.words if line.kind == DATA else line.words
            line = Line(words.first, line.last, at_us, line.kind, line.node, both)
        found.append(line)
    return Lines(tuple(found))


def _kept(run: Run, shard: str) -> tuple[Kept, int]:
    """Of the replicas that are up, the one that knows most to be committed: its entries, and how many those are."""
    machines = run.playback.world.machines.values()
    nodes = [machine.process.node for machine in machines if machine.process is not None]
    replicas = [node.replicas[shard] for node in nodes if isinstance(node, LogNode) and shard in node.replicas]
    if not replicas:
        raise LabError("no replica of a log is up in this room: restart one, and play on")
    best = max(replicas, key=lambda replica: replica.committed)
    return best.sequence, best.committed


def _times(run: Run, shard: str) -> dict[int, int]:
    """When each place was committed: the first time that somebody knew it."""
    times: dict[int, int] = {}
    for step in run.playback.world.journal:
        match step.what:
            case Note(kind="committed", facts={"shard": of, "index": int(index)}) if of == shard:
                for place in range(len(times) + 1, index + 1):
                    times[place] = step.at_us
    return times


def _line(entry: Entry, at_us: int) -> Line:
    node = entry.token.partition("-")[0]  # a token begins with the name of whoever appended
    words = tuple(_changes(entry)) if entry.kind == DATA else (_said(entry),)
    return Line(entry.id.index, entry.id.index, at_us, entry.kind, node, words)


def _changes(entry: Entry) -> Iterator[str]:
    """The keys that its commands name."""
    commands: Sequence[list[bytes]] = Record.decode(entry.body).commands()
    yield from (argv[1].decode(errors="replace") for argv in commands if len(argv) > 1 and argv[0] != b"SELECT")


def _said(entry: Entry) -> str:
    if entry.kind not in SAYS:
        return ""
    return SAYS[entry.kind].format(successor=Claim.decode(entry.body).successor)
