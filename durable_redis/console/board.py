"""Where are my bytes?  The newest writes, by place, and the fates that are worth a sentence.

The law of this file: a letter for every place, a sentence for every loss, and no number that is not the lab's.  A write
whose OK was said is *gone* when the server to which a client would be sent now lacks it, or will lack it when it is up;
it is *at risk* when one more blow would do that: the loss of power of a single server, the death of a primary.
`browser/board.js` says the same in the browser, and a test compares the two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from durable_redis.console.film import Film, Written
from durable_redis.console.rows import NODE_ROW, OFF, STARTING, UP, Row
from durable_redis.console.words import listed, ranged, them, they_are

NEWEST_WRITES = 10
"""So many writes are on the board."""
MOST_ROWS = 7
NOBODY = ""
"""Whose the shared log is."""
MOST_RUNS = 3
"""So many runs of neighbours are named in a sentence."""
LOST_SIGN = "✕ the write was promised, and is not there"
FEW_NODES = 3
"""With more nodes than that a card has two lanes."""


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
LOG = Tier("shared log", "L", "log")
TOLD = Tier("OK was said", "OK", "answered")
NEEDS_POWER = ("executed", "buffer", "written", "snapshot")
"""The marks of the places that hold nothing on a machine without power."""


@dataclass(frozen=True, slots=True)
class Group:
    """Writes on the board that share a fate: the runs of columns that dashed boxes enclose, and the sentence."""

    runs: tuple[tuple[int, int], ...]
    text: str
    tone: str  # "risk", "gone", "safe", or "note" for what a sign means


# -- places -----------------------------------------------------------------------------------------------------------


def tiers(film: Film) -> tuple[Tier, ...]:
    """The places that a node of this deployment has, from the most fragile to the most lasting."""
    config = film.playback.deployment.config
    if film.has_log:
        return RAM, LOG
    if film.many:
        if not config.appendonly:
            return (RAM, RDB) if config.save else (RAM,)
        return (RAM, BUFFER, CACHE, PLATTER) if len(film.nodes) <= FEW_NODES else (RAM, PLATTER)
    if not config.appendonly:
        return RAM, RDB_CACHE, RDB_PLATTER
    places = RAM, BUFFER, CACHE, PLATTER
    return (*places, RDB) if film.has_snapshots else places


def places(film: Film) -> list[tuple[str, Tier]]:
    """The rows of the board below the first: a node and a place each.  Of many, those that teach: every memory, and the
    disks if there is room."""
    nodes = list(film.nodes)
    if not film.many:
        return [(nodes[0], tier) for tier in tiers(film)]
    if film.has_log:
        rows = [(name, RAM) for name in nodes[: MOST_ROWS - 2]]
        return [rows[0], (NOBODY, LOG), *rows[1:]]
    kinds = [tier for tier in tiers(film) if tier.mark in ("executed", "platter", "durable_snapshot")]
    if len(nodes) * len(kinds) < MOST_ROWS:
        return [(name, tier) for name in nodes for tier in kinds]
    rows = [(name, RAM) for name in nodes[: MOST_ROWS - 1]]
    return rows[:1] + [(nodes[0], tier) for tier in kinds[1:] if len(rows) < MOST_ROWS - 1] + rows[1:]


def node_row(film: Film, name: str, step: int) -> Row:
    """The numbers of a node after a step, by the names in `NODE_ROW`."""
    column = film.nodes[name]
    row = column.rows[max(0, bisect_right(column.steps, step) - 1)]
    return dict(zip(NODE_ROW, row, strict=True))


def amount(row: Row, tier: Tier) -> int:
    """How many writes are in a place.  Without power there is no RAM and no page cache; a disk keeps what it has."""
    if not has(row, tier):
        return 0
    return max(0, row["executed"] - row["written"]) if tier is BUFFER else row[tier.mark]


def has(row: Row, tier: Tier) -> bool:
    """Whether there is such a place now: memory needs power."""
    return row["state"] != OFF or tier.mark not in NEEDS_POWER


def is_in(film: Film, write: Written, row: Row, tier: Tier) -> bool:
    """Whether a write is in a place of a node."""
    begin = row["written"] if tier is BUFFER else 0
    end = row["executed"] if tier is BUFFER else row[tier.mark]
    return has(row, tier) and begin <= write.place and holds(film, row, end, write)


def holds(film: Film, row: Row, count: int, write: Written) -> bool:
    """Whether a write is among the first `count` that a node holds, or held until it went down."""
    return film.lineage.holds(row["line"], count, write.line, write.place)


def surviving(film: Film, row: Row) -> int:
    """How many writes the node has if it is up; how many a restart would find if it is not, with the power on."""
    if row["state"] == UP:
        return row["held"]
    if film.has_log:
        return row["log"]
    return row["written"] if film.playback.deployment.config.appendonly else row["snapshot"]


# -- fates ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """Where a client of a share of the data would be sent, and how many writes of it would outlive its death."""

    name: str
    row: Row
    safe: int
    others: Mapping[str, Row]  # those that are up, and have a share in the data


def heads(film: Film, step: int) -> list[Head | None]:
    """For each share of the data."""
    names = list(film.nodes)
    found: list[Head | None] = []
    for share, column in zip(film.playback.deployment.shares, film.heads, strict=True):
        (place,) = column.rows[max(0, bisect_right(column.steps, step) - 1)]
        if place < 0:
            found.append(None)
            continue
        row = node_row(film, names[place], step)
        rows = {name: node_row(film, name, step) for name in share.nodes if name != names[place]}
        others = {name: other for name, other in rows.items() if other["state"] <= STARTING}
        safe = [*(_common(film, row, other) for other in others.values()), row["log"]]
        found.append(Head(names[place], row, max(safe), others))
    return found


def _common(film: Film, one: Row, other: Row) -> int:
    return film.lineage.common(one["line"], one["held"], other["line"], other["held"])


def behind(film: Film, row: Row, primary: Row) -> int:
    """How many writes of its primary a replica does not have."""
    return primary["held"] - _common(film, primary, row)


def fate(film: Film, write: Written, head: Head | None) -> str:
    """What becomes of a write whose OK was said: "" (it is safe), "risk", "disk" (only a disk has it) or "gone"."""
    if head is None:
        return ""
    if head.row["state"] == UP:
        if not holds(film, head.row, head.row["held"], write):
            return "gone"
        return "risk" if write.place >= head.safe else ""
    if any(holds(film, row, row["executed"], write) for row in head.others.values()):
        return ""
    if film.has_log and holds(film, head.row, head.row["log"], write):
        return ""
    return "disk" if holds(film, head.row, surviving(film, head.row), write) else "gone"


def gone(film: Film, write: Written, row: Row) -> bool:
    """One node: a restart did not find this write, or would not find it now."""
    return not holds(film, row, surviving(film, row), write)


def promised(film: Film, step: int) -> list[Written]:
    """The writes for which OK was said up to a step.  A promise stays a promise: this list never shrinks."""
    return [write for write in film.writes if 0 < write.answered <= step]


# -- the board --------------------------------------------------------------------------------------------------------


def board(film: Film, step: int) -> dict[str, Any]:
    """The newest writes by place: `names`, `lost` (a flag each), `rows` of (words, letter, cells) and `groups`.  A cell
    is "in", "out" (not there), "gone" (it was promised, and is lost) or "none" (the node has nothing to do with it)."""
    end = bisect_right(film.writes, step, key=lambda write: write.executed)
    shown = film.writes[max(0, end - NEWEST_WRITES) : end]
    fate_of = fates(film, step)
    nodes = {name: node_row(film, name, step) for name in film.nodes}
    first = next(iter(nodes.values()))
    lost = [fate_of.get(write.number) == "gone" if film.many else gone(film, write, first) for write in shown]
    rows = [(TOLD.words, TOLD.letter, ["in" if 0 < write.answered <= step else "out" for write in shown])]
    for name, tier in places(film):
        cells = [
            _cell(film, write, is_lost, name, nodes[name], tier) if name else _log_cell(film, write, is_lost, nodes)
            for write, is_lost in zip(shown, lost, strict=True)
        ]
        rows.append((f"{tier.words} of {name}" if name else f"the {tier.words}", tier.letter, cells))
    groups = _groups_of_many(film, fate_of, shown, step) if film.many else _groups_of_one(film, first, shown, step)
    if any("gone" in cells for _, _, cells in rows):
        groups.append(Group((), LOST_SIGN, "note"))
    return {"names": [write.name for write in shown], "lost": lost, "rows": rows, "groups": groups}


def _cell(film: Film, write: Written, lost: bool, name: str, row: Row, tier: Tier) -> str:
    if name not in film.playback.deployment.shares[write.share].nodes:
        return "none"
    if lost and not film.many:
        return "gone"
    if is_in(film, write, row, tier):
        return "in"
    return "gone" if lost else "out"


def _log_cell(film: Film, write: Written, lost: bool, nodes: Mapping[str, Row]) -> str:
    return "in" if in_log(film, write, nodes) else "gone" if lost else "out"


def in_log(film: Film, write: Written, nodes: Mapping[str, Row]) -> bool:
    """Whether the shared log has a write, as far as any server has been told."""
    share = film.playback.deployment.shares[write.share]
    return any(holds(film, nodes[name], nodes[name]["log"], write) for name in share.nodes)


def fates(film: Film, step: int) -> dict[int, str]:
    """By the number of the write, for those that are promised and not safe."""
    if not film.many:
        return {}
    found = heads(film, step)
    known = ((write.number, fate(film, write, found[write.share])) for write in promised(film, step))
    return {number: kind for number, kind in known if kind}


def _groups_of_one(film: Film, row: Row, shown: Sequence[Written], step: int) -> list[Group]:
    """The fates that are worth a sentence, the worst first."""
    told = promised(film, step)
    lost = [write for write in told if gone(film, write, row)]
    groups = []
    if lost:
        groups.append(_group(film, lost, shown, f"OK was said, and {they_are(lost)} gone", "gone"))
    if row["state"] != UP:
        return groups
    safe = row["platter"] if film.playback.deployment.config.appendonly else row["durable_snapshot"]
    risky = [write for write in told if write.place >= safe and not gone(film, write, row)]
    if risky:
        in_memory = row["process kill"] == row["power loss"]
        blow = "any crash would" if in_memory else "a power loss may"  # of what is not synced, luck may keep a part
        groups.append(_group(film, risky, shown, f"OK was said, {blow} erase {them(risky)}", "risk"))
    elif row["acknowledged"] and not lost:
        groups.append(Group((), "every OK so far would survive a power loss", "safe"))
    return groups


def _groups_of_many(film: Film, fate_of: dict[int, str], shown: Sequence[Written], step: int) -> list[Group]:
    """Likewise, for each share of the data: the worst first."""
    groups: list[Group] = []
    found = heads(film, step)
    for kind in ("gone", "disk", "risk"):
        for share, head in enumerate(found):
            concerned = [film.writes[number] for number, found_kind in fate_of.items() if found_kind == kind]
            writes = [write for write in concerned if write.share == share]
            if writes and head is not None:
                words = {"gone": _gone_words, "disk": _disk_words, "risk": _risk_words}[kind](film, writes, head, step)
                groups.append(_group(film, writes, shown, words, "gone" if kind == "gone" else "risk"))
    nodes = {name: node_row(film, name, step) for name in film.nodes}
    told = promised(film, step)
    if film.has_log and told and all(in_log(film, write, nodes) for write in told):
        groups.append(
            Group((), "every OK so far is in the shared log, and would survive the death of every node", "safe")
        )
    elif not fate_of and told:
        death = f"the death of {found[0].name}" if len(found) == 1 and found[0] else "the death of any one node"
        groups.append(Group((), f"every OK so far would survive {death}", "safe"))
    return groups


def _gone_words(film: Film, writes: Sequence[Written], head: Head, step: int) -> str:
    rows = {name: node_row(film, name, step) for name in film.playback.deployment.shares[writes[0].share].nodes}
    keepers = [name for name, row in rows.items() if any(holds(film, row, surviving(film, row), w) for w in writes)]
    if not keepers:
        return f"OK was said, and {they_are(writes)} gone"
    have = "has" if len(keepers) == 1 else "have"
    who = f"only {listed(keepers)} still {have} {them(writes)}"
    return f"OK was said, and {they_are(writes)} gone for whoever asks {head.name} ({who})"


def _disk_words(film: Film, writes: Sequence[Written], head: Head, step: int) -> str:
    failover = f": a failover loses {them(writes)}" if head.others else ""
    return f"OK was said, and only the disk of {head.name} has {them(writes)}{failover}"


def _risk_words(film: Film, writes: Sequence[Written], head: Head, step: int) -> str:
    it, others = them(writes), list(head.others)
    why = f"{listed(others)} lack{'s' if len(others) == 1 else ''} {it}"
    if not 0 < len(others) < 3:
        why = f"no other node has {it}" if others else "no other node is up"
    return f"OK was said, the death of {head.name} would erase {it} ({why})"


def _group(film: Film, writes: Sequence[Written], shown: Sequence[Written], fate: str, tone: str) -> Group:
    numbers = {write.number for write in writes}
    columns = [place for place, write in enumerate(shown) if write.number in numbers]
    names = _named(film, writes)
    count = f" ({len(writes):,} writes)" if len(writes) > NEWEST_WRITES else ""
    return Group(_runs(columns), f"{names}{count}: {fate}", tone)


def _runs(columns: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Neighbours together: [2, 3, 4, 7] is ((2, 4), (7, 7)).  Many runs are none: fences everywhere tell nothing."""
    runs: list[tuple[int, int]] = []
    for column in columns:
        begin = runs.pop()[0] if runs and runs[-1][1] == column - 1 else column
        runs.append((begin, column))
    return tuple(runs) if len(runs) <= MOST_RUNS else ()


def _named(film: Film, writes: Sequence[Written]) -> str:
    """`w3, w7 to w12`: neighbours together; of many runs of neighbours only the first write and the last."""
    share = [write for write in film.writes if write.share == writes[0].share]
    places = {write.number: place for place, write in enumerate(share)}
    runs: list[list[str]] = []
    before = None
    for write in writes:
        if before is None or places[before.number] + 1 != places[write.number]:
            runs.append([])
        runs[-1].append(write.name)
        before = write
    return ", ".join(map(ranged, runs)) if len(runs) <= MOST_RUNS else f"{runs[0][0]} … {runs[-1][-1]}"
