"""What the console shows at a step: a *still*, as plain data, looked up in the film of a branch.

The law of this file: no widget, no drawing, and no number that is not the lab's.  `still` is what the static twin draws
and what the tests compare with the lab's marks.  In the browser `browser/film.js` computes the same stills from the
film (see `shipment`): the same thing is said twice, in two languages, and a test compares the two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from durable_redis.console import layout
from durable_redis.console.film import FSYNCING, KILLED, NODE_ROW, OFF, UP, Film, Row, Written
from durable_redis.console.story import ranged
from durable_redis.lab.deployments import OPERATOR

NEWEST_WRITES = 10
"""So many writes are on the board."""
STORY_LINES = 7
MOST_RUNS = 3
"""So many runs of neighbours are named in a sentence."""


class Tier(NamedTuple):
    """A place of writes: its words, the letter of its shape, and the mark that tells who is in it."""

    words: str
    letter: str
    mark: str


RAM = Tier("RAM", "R", "executed")
BUFFER = Tier("AOF buffer", "B", "buffer")
CACHE = Tier("page cache", "C", "written")
PLATTER = Tier("platter", "P", "platter")
RDB = Tier("RDB", "S", "durable_snapshot")
RDB_CACHE = Tier("RDB, page cache", "C", "snapshot")
RDB_PLATTER = Tier("RDB, platter", "S", "durable_snapshot")
TOLD = Tier("OK was said", "OK", "answered")
NEEDS_POWER = ("executed", "buffer", "written", "snapshot")
"""The marks of the places that hold nothing on a machine without power."""


@dataclass(frozen=True, slots=True)
class Group:
    """Writes on the board that share a fate: the columns that a dashed box encloses (empty: none), and the sentence."""

    columns: tuple[int, int] | None
    text: str
    tone: str  # "risk", "gone" or "safe"


def tiers(film: Film) -> tuple[Tier, ...]:
    """The places that this deployment has, from the most fragile to the most lasting."""
    if not film.playback.deployment.config.appendonly:
        return RAM, RDB_CACHE, RDB_PLATTER
    places = RAM, BUFFER, CACHE, PLATTER
    return (*places, RDB) if film.has_snapshots else places


def node_row(film: Film, name: str, step: int) -> Row:
    """The numbers of a node after a step, by the names in `NODE_ROW`."""
    column = film.nodes[name]
    row = column.rows[max(0, bisect_right(column.steps, step) - 1)]
    return dict(zip(NODE_ROW, row, strict=True))


def amount(row: Row, tier: Tier) -> int:
    """How many writes are in a place.  Without power there is no RAM and no page cache; a disk keeps what it has."""
    if not holds(row, tier):
        return 0
    return max(0, row["executed"] - row["written"]) if tier is BUFFER else row[tier.mark]


def holds(row: Row, tier: Tier) -> bool:
    """Whether there is such a place now: memory needs power."""
    return row["state"] != OFF or tier.mark not in NEEDS_POWER


def surviving(row: Row, appendonly: bool) -> int:
    """How many writes a restart would find now, with the power on."""
    return row["written"] if appendonly else row["snapshot"]


def still(film: Film, step: int) -> dict[str, Any]:
    """Everything that is shown after a step, as plain data."""
    film.read()
    nodes = {name: _node(film, name, step) for name in film.nodes}
    return {
        "step": step,
        "steps": film.steps,
        "time": clock(film.time_us(step)),
        "status": status(film, step),
        "said": film.texts[film.said[step]],
        "nodes": nodes,
        "clients": {name: _client(film, name, step) for name in clients(film)},
        "messages": _messages(film, step),
        "board": board(film, step),
        "story": story(film, step),
    }


def clock(at_us: int) -> str:
    """A time as it is shown: `1.204 s`."""
    return f"{at_us / 1e6:.3f} s"


def status(film: Film, step: int) -> str:
    """The room in one sentence: who is up, what was promised, and what of it would not survive."""
    name = next(iter(film.nodes))
    row = node_row(film, name, step)
    told, present = promised(film, step), row["acknowledged"]
    if row["state"] != UP:
        present -= row["process kill"]  # what a restart will not find
        since = f" since {clock(row['since_us'])}" if row["since_us"] else ""
        return (
            f"{name} {film.texts[row['note']]}{since} · {told:,} acknowledged · "
            f"{present:,} on its disk · {told - present:,} gone"
        )
    risk = row["power loss"]
    kept = f"{present:,} present" if present < told else f"{told - risk:,} durable"
    return (
        f"{name} {film.texts[row['role']]}, {film.texts[row['note']]} · {told:,} acknowledged · "
        f"{kept} · {risk:,} at risk from a power loss"
    )


def promised(film: Film, step: int) -> int:
    """For how many writes OK was said up to a step.  A promise stays a promise: this number never shrinks."""
    return sum(0 < write.answered <= step for write in film.writes)


def clients(film: Film) -> list[str]:
    """The clients of the workload (or their crowd), and the operator if there was one."""
    workers = [film.crowd] if film.crowd else list(film.playback.deployment.clients)
    return [*workers, OPERATOR] if film.operator_was_here else workers


def story(film: Film, step: int, lines: int = STORY_LINES) -> list[tuple[str, str]]:
    """The newest beats up to a step, newest first: time and sentence."""
    end = bisect_right(film.beats, step)
    beats = film.beats[max(0, end - lines) : end]
    return [(f"{film.at_us[beat] / 1e6:.3f}", film.texts[film.said[beat]]) for beat in reversed(beats)]


def _node(film: Film, name: str, step: int) -> dict[str, Any]:
    row = node_row(film, name, step)
    state = row["state"]
    note = film.texts[row["note"]]
    if state in (KILLED, OFF) and row["since_us"]:
        note = f"down {(film.time_us(step) - row['since_us']) / 1e6:.2f} s"
    if fsyncing(film, name, step):
        note = f"{note} · {FSYNCING}"
    return {
        "state": state,
        "role": film.texts[row["role"]] if state not in (KILLED, OFF) else film.texts[row["note"]],
        "note": note,
        "lanes": [(tier.words, tier.letter, amount(row, tier)) for tier in tiers(film)],
        "dark": [tier.words for tier in tiers(film) if not holds(row, tier)],
        "marks": {name: value for name, value in row.items() if name not in ("role", "note")},
    }


def fsyncing(film: Film, name: str, step: int) -> bool:
    """Whether an fsync of the log of a node runs after a step."""
    return any(
        span.machine == name and span.begin <= step and (not span.end or step < span.end) for span in film.fsyncs
    )


def _client(film: Film, name: str, step: int) -> str:
    column = film.clients.get(name)
    if column is None:
        return ""
    (text,) = column.rows[max(0, bisect_right(column.steps, step) - 1)]
    return film.texts[text]


def _messages(film: Film, step: int) -> list[dict[str, Any]]:
    """What is in flight after a step: number, from, to, label, held."""
    recording = film.playback.recording
    assert recording is not None, "a film is made of a recorded run"
    rows = [
        film.message(flight)
        for flight in recording.flights.values()
        if flight.first <= step and (flight.last is None or step < flight.last)
    ]
    return [
        {
            "number": number,
            "from": source,
            "to": target,
            "label": film.texts[text],
            "held": any(begin <= step and (not end or step < end) for begin, end in holds),
        }
        for number, source, target, text, _, _, holds in rows
    ]


# -- where are my bytes? ----------------------------------------------------------------------------------------------


def board(film: Film, step: int) -> dict[str, Any]:
    """The newest writes by place: `names`, `rows` of (words, letter, cells) and `groups`.  A cell is "in", "out" (not
    there) or "gone" (it was there, and a restart does not find it)."""
    name = next(iter(film.nodes))
    row = node_row(film, name, step)
    end = bisect_right(film.writes, step, key=lambda write: write.executed)
    shown = film.writes[max(0, end - NEWEST_WRITES) : end]
    rows = [(TOLD.words, TOLD.letter, ["in" if 0 < write.answered <= step else "out" for write in shown])]
    for tier in tiers(film):
        cells = [_cell(film, write, tier, row, step) for write in shown]
        rows.append((f"{tier.words} of {name}", tier.letter, cells))
    return {"names": [write.name for write in shown], "rows": rows, "groups": _groups(film, row, end, shown, step)}


def _cell(film: Film, write: Written, tier: Tier, row: Row, step: int) -> str:
    if gone(film, write, row, step):
        return "gone"
    if not holds(row, tier):
        return "out"
    if tier is BUFFER:
        return "in" if row["written"] <= write.place < row["executed"] else "out"
    return "in" if write.place < row[tier.mark] else "out"


def gone(film: Film, write: Written, row: Row, step: int) -> bool:
    """A restart did not find this write, or would not find it now."""
    if 0 < write.lost <= step:
        return True
    return row["state"] != UP and write.place >= surviving(row, film.playback.deployment.config.appendonly)


def _groups(film: Film, row: Row, end: int, shown: Sequence[Written], step: int) -> list[Group]:
    """The fates that are worth a sentence, the worst first."""
    promised = [write for write in film.writes[:end] if 0 < write.answered <= step]
    lost = [write for write in promised if gone(film, write, row, step)]
    groups = []
    if lost:
        they_are = "it is" if len(lost) == 1 else "they are"
        groups.append(_group(film, lost, shown, f"OK was said, and {they_are} gone", "gone"))
    if row["state"] != UP:
        return groups
    appendonly = film.playback.deployment.config.appendonly
    safe = row["platter"] if appendonly else row["durable_snapshot"]
    risky = [write for write in promised if write.place >= safe and not 0 < write.lost <= step]
    if risky:
        blow = "any crash" if row["process kill"] == row["power loss"] else "a power loss"
        them = "it" if len(risky) == 1 else "them"
        groups.append(_group(film, risky, shown, f"OK was said, {blow} would erase {them}", "risk"))
    elif row["acknowledged"] and not lost:
        groups.append(Group(None, "every OK so far would survive a power loss", "safe"))
    return groups


def _group(film: Film, writes: Sequence[Written], shown: Sequence[Written], fate: str, tone: str) -> Group:
    places = [place for place, write in enumerate(shown) if write in writes]
    names = _named(film, writes)
    count = f" ({len(writes):,} writes)" if len(writes) > NEWEST_WRITES else ""
    return Group((places[0], places[-1]) if places else None, f"{names}{count}: {fate}", tone)


def _named(film: Film, writes: Sequence[Written]) -> str:
    """`w3, w7 to w12`: neighbours together; of many runs of neighbours only the first write and the last."""
    runs: list[list[str]] = []
    before = None
    for write in writes:
        if before is None or film.writes[before.number + 1] is not write:
            runs.append([])
        runs[-1].append(write.name)
        before = write
    return ", ".join(map(ranged, runs)) if len(runs) <= MOST_RUNS else f"{runs[0][0]} … {runs[-1][-1]}"


def room(film: Film) -> dict[str, Any]:
    """The boxes of the picture."""
    zones: dict[str, list[str]] = {}
    for name in film.nodes:
        zones.setdefault(film.playback.world.machines[name].zone, []).append(name)
    return layout.arrange(zones, clients(film), len(tiers(film)))
