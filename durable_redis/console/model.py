"""What the console shows at a step: a *still*, as plain data, looked up in the film of a branch.

The law of this file: no widget, no drawing, and no number that is not the lab's.  `still` is what the static twin draws
and what the tests compare with the lab's marks.  In the browser `browser/film.js` computes the same stills from the
film (see `shipment`): the same thing is said twice, in two languages, and a test compares the two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from durable_redis.console import layout
from durable_redis.console.film import KILLED, NODE_ROW, OFF, UP, Film, Written
from durable_redis.console.story import ranged
from durable_redis.lab.deployments import OPERATOR
from durable_redis.sim import EPOCH_US

NEWEST_WRITES = 10
"""So many writes are on the board."""
STORY_LINES = 7
BUCKETS = 200
"""The resolution of the risk strip."""
ROOM = 13
"""So far apart, in pixels of the track, stand the marks on the timeline; the ticks of the OKs, 2."""
CRASHES = ("process kill", "power loss", "disk loss")

Row = Mapping[str, int]


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
    """How many writes are in a place."""
    return max(0, row["executed"] - row["written"]) if tier is BUFFER else row[tier.mark]


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
    told = row["acknowledged"]
    if row["state"] != UP:
        gone = row["process kill"]  # what a restart will not find
        since = f" since {clock(row['since_us'])}" if row["since_us"] else ""
        return (
            f"{name} {film.texts[row['note']]}{since} · {told:,} acknowledged · "
            f"{told - gone:,} on its disk · {gone:,} gone"
        )
    risk = row["power loss"]
    return (
        f"{name} {film.texts[row['role']]}, {film.texts[row['note']]} · {told:,} acknowledged · "
        f"{told - risk:,} durable · {risk:,} at risk from a power loss"
    )


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
    return {
        "state": state,
        "role": film.texts[row["role"]] if state not in (KILLED, OFF) else film.texts[row["note"]],
        "note": note,
        "lanes": [(tier.words, tier.letter, amount(row, tier)) for tier in tiers(film)],
        "marks": {name: value for name, value in row.items() if name not in ("role", "note")},
    }


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
        groups.append(_group(lost, shown, f"OK was said, and {'it is' if len(lost) == 1 else 'they are'} gone", "gone"))
    if row["state"] != UP:
        return groups
    appendonly = film.playback.deployment.config.appendonly
    safe = row["platter"] if appendonly else row["durable_snapshot"]
    risky = [write for write in promised if write.place >= safe and not 0 < write.lost <= step]
    if risky:
        blow = "any crash" if row["process kill"] == row["power loss"] else "a power loss"
        them = "it" if len(risky) == 1 else "them"
        groups.append(_group(risky, shown, f"OK was said, {blow} would erase {them}", "risk"))
    elif row["acknowledged"] and not lost:
        groups.append(Group(None, "every OK so far would survive a power loss", "safe"))
    return groups


def _group(writes: Sequence[Written], shown: Sequence[Written], fate: str, tone: str) -> Group:
    places = [place for place, write in enumerate(shown) if write in writes]
    names = ranged([write.name for write in writes])
    count = f" ({len(writes):,} writes)" if len(writes) > NEWEST_WRITES else ""
    return Group((places[0], places[-1]) if places else None, f"{names}{count}: {fate}", tone)


# -- the timeline -----------------------------------------------------------------------------------------------------


def horizon_us(film: Film) -> int:
    """The end of the timeline: the last step, or the last thing that a client has planned."""
    planned = [client.planned[-1].due_us - EPOCH_US for client in film.playback.clients() if client.planned]
    return max(1000, film.playback.world.now_us, *planned) if planned else max(1000, film.playback.world.now_us)


def timeline(film: Film) -> dict[str, Any]:
    """The whole branch: `end_us`, `horizon_us`, `ticks` (at_us of OKs), `marks` (kind and pixel on the track), `risk`
    (crash -> values by bucket)."""
    horizon, end = horizon_us(film), film.time_us(film.steps)
    ticks = {at_us * layout.TRACK // horizon // 2: at_us for kind, at_us, _ in film.marks if kind == "ok"}
    return {
        "end_us": end,
        "horizon_us": horizon,
        "ticks": list(ticks.values()),
        "marks": _placed(film, horizon),
        "risk": _risk(film, end),
    }


def _placed(film: Film, horizon: int) -> list[tuple[str, int]]:
    """The marks, none on top of another: what comes too soon after its like is left out, what comes too soon after
    something else moves to the right."""
    placed: list[tuple[str, int]] = []
    for kind, at_us, _ in film.marks:
        x = at_us * layout.TRACK // horizon
        if kind == "ok":
            continue
        if placed and x < placed[-1][1] + ROOM:
            if placed[-1][0] == kind:
                continue
            x = placed[-1][1] + ROOM
            if x > min(at_us * layout.TRACK // horizon + 2 * ROOM, layout.TRACK + ROOM // 2):
                continue  # too many in one place to tell them apart
        placed.append((kind, x))
    return placed


def _risk(film: Film, end: int) -> dict[str, list[int]]:
    """For each kind of crash, the most acknowledged writes that it would have erased in each bucket of time."""
    column = film.nodes[next(iter(film.nodes))]
    times = [film.at_us[step] for step in column.steps]
    ends = [bisect_right(times, end * (bucket + 1) // BUCKETS) for bucket in range(BUCKETS)]
    begins = [max(0, stop - 1) for stop in (1, *ends[:-1])]
    risk = {}
    for crash in CRASHES:
        values = [row[NODE_ROW.index(crash)] for row in column.rows]
        risk[crash] = [max(values[begin : max(stop, begin + 1)]) for begin, stop in zip(begins, ends, strict=True)]
    return risk


def room(film: Film) -> dict[str, Any]:
    """The boxes of the picture."""
    zones: dict[str, list[str]] = {}
    for name in film.nodes:
        zones.setdefault(film.playback.world.machines[name].zone, []).append(name)
    return layout.arrange(zones, clients(film), len(tiers(film)))
