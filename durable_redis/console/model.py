"""What the console shows at a step: a *still*, as plain data, looked up in the film of a branch.

The law of this file: no widget, no drawing, and no number that is not the lab's.  `still` is what the static twin draws
and what the tests compare with the lab's marks.  In the browser `browser/film.js` computes the same stills from the
film (see `shipment`): the same thing is said twice, in two languages, and a test compares the two.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from durable_redis.console import layout
from durable_redis.console.board import LOG, amount, behind, board, fates, has, heads, node_row, promised, tiers
from durable_redis.console.film import FSYNCING, Column, Film
from durable_redis.console.network import Trouble
from durable_redis.console.rows import CONTROL_ROW, IN_WORDS, KILLED, LINK_UP, OFF, STARTING, UP, Row
from durable_redis.console.words import listed
from durable_redis.lab.deployments import OPERATOR, ZONES

STORY_LINES = 7
SHAPES = ("●", "◌", "✕", "✕")
"""The shape that goes with each state of a node; a replica and a machine that stands still have their own."""
REPLICA, PAUSED = "○", "‖"


def still(film: Film, step: int) -> dict[str, Any]:
    """Everything that is shown after a step, as plain data."""
    film.read()
    return {
        "step": step,
        "steps": film.steps,
        "time": clock(film.time_us(step)),
        "status": status(film, step),
        "said": film.texts[film.said[step]],
        "nodes": {name: _node(film, name, step) for name in film.nodes},
        "controls": {name: _control(film, name, step) for name in film.controls},
        "clients": {name: _client(film, name, step) for name in clients(film)},
        "wires": wires(film, step),
        "messages": messages(film, step),
        "trouble": trouble(film, step).plain(),
        "board": board(film, step),
        "story": story(film, step),
    }


def clock(at_us: int) -> str:
    """A time as it is shown: `1.204 s`."""
    return f"{at_us / 1e6:.3f} s"


def clients(film: Film) -> list[str]:
    """The clients of the workload (or their crowd), and the operator if there was one."""
    workers = [film.crowd] if film.crowd else list(film.playback.deployment.clients)
    return [*workers, OPERATOR] if film.operator_was_here else workers


def story(film: Film, step: int, lines: int = STORY_LINES) -> list[tuple[str, str]]:
    """The newest beats up to a step, newest first: time and sentence."""
    end = bisect_right(film.beats, step)
    beats = film.beats[max(0, end - lines) : end]
    return [(f"{film.at_us[beat] / 1e6:.3f}", film.texts[film.said[beat]]) for beat in reversed(beats)]


def trouble(film: Film, step: int) -> Trouble:
    """What is wrong with the network after a step."""
    return film.links.troubles[bisect_right(film.links.steps, step) - 1]


# -- the status -------------------------------------------------------------------------------------------------------


def status(film: Film, step: int) -> str:
    """The room in one sentence: who is up, what was promised, and what of it would not survive."""
    return _status_of_many(film, step) if film.many else _status_of_one(film, step)


def _status_of_one(film: Film, step: int) -> str:
    name = next(iter(film.nodes))
    row = node_row(film, name, step)
    told, present = len(promised(film, step)), row["acknowledged"]
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


def _status_of_many(film: Film, step: int) -> str:
    """`n1 primary · n3 down · 17 acknowledged · 2 gone · 5 at risk from the death of n1`."""
    rows = {name: node_row(film, name, step) for name in film.nodes}
    found = heads(film, step)
    leading = [head.name for head in found if head is not None and head.row["state"] == UP]
    up = [name for name, row in rows.items() if row["state"] == UP]
    rivals = [name for name in up if name not in leading and film.texts[rows[name]["role"]] == "primary"]
    down = [name for name, row in rows.items() if row["state"] > STARTING]
    kinds = list(fates(film, step).values())
    gone, disk, risk = (kinds.count(kind) for kind in ("gone", "disk", "risk"))
    words = [f"{listed(leading)} {'primary' if len(leading) == 1 else 'primaries'}" if leading else "no primary"]
    if rivals and leading:
        words.append(f"{listed(rivals)} {'calls itself' if len(rivals) == 1 else 'call themselves'} primary too")
    elif rivals:
        words.append(f"{listed(rivals)} promoted, and clients not told yet")
    if down:
        words.append(f"{listed(down)} down")
    words.append(f"{len(promised(film, step)):,} acknowledged")
    if gone:
        words.append(f"{gone:,} gone")
    if disk:
        words.append(f"{disk:,} only on a disk")
    if leading:
        words.append(f"{risk:,} at risk from the death of {leading[0] if len(found) == 1 else 'a primary'}")
    return " · ".join(words)


# -- machines ---------------------------------------------------------------------------------------------------------


def _node(film: Film, name: str, step: int) -> dict[str, Any]:
    row = node_row(film, name, step)
    down = row["state"] in (KILLED, OFF)
    return {
        "state": row["state"],
        "shape": shape(film, row, step),
        "role": film.texts[row["note"] if down else row["role"]],
        "note": note(film, name, step),
        "detail": detail(film, row, step) if film.many else "",
        "lanes": [(tier.words, tier.letter, amount(row, tier)) for tier in tiers(film)],
        "dark": [tier.words for tier in tiers(film) if not has(row, tier)],
        "marks": {name: value for name, value in row.items() if name not in IN_WORDS},
    }


def shape(film: Film, row: Row, step: int) -> str:
    if row["state"] <= STARTING and row["paused_us"] > film.time_us(step):
        return PAUSED
    if row["state"] == UP and film.many and film.texts[row["role"]] == "replica":
        return REPLICA
    return SHAPES[row["state"]]


def note(film: Film, name: str, step: int) -> str:
    """What a node says of itself, in a few words."""
    row, now = node_row(film, name, step), film.time_us(step)
    if row["state"] in (KILLED, OFF) and row["since_us"]:
        words = down_for(row, now)
    elif row["state"] <= STARTING and row["paused_us"] > now:
        words = paused_for(row, now)
    else:
        words = film.texts[row["note"]]
    if film.many:
        return "" if row["state"] in (KILLED, OFF) else _lag(film, row, step) if words == "up" else words
    return f"{words} · {FSYNCING}" if fsyncing(film, name, step) else words


def down_for(row: Row, now: int) -> str:
    return f"down {(now - row['since_us']) / 1e6:.2f} s"


def paused_for(row: Row, now: int) -> str:
    return f"paused for {(row['paused_us'] - now) / 1e6:.2f} s"


def _lag(film: Film, row: Row, step: int) -> str:
    """Of a replica that is up: how far it is behind its primary."""
    primary = film.texts[row["primary"]]
    if primary not in film.nodes:
        return "up"
    if row["link"] != LINK_UP:
        return "link down"
    late = behind(film, row, node_row(film, primary, step))
    return f"{late:,} behind" if late > 0 else "in step"


def detail(film: Film, row: Row, step: int) -> str:
    """Whom a node follows, how far it is, what it serves, what is not as usual; or since when it is down."""
    if row["state"] in (KILLED, OFF):
        return down_for(row, film.time_us(step)) if row["since_us"] else ""
    primary, slots, extra = (film.texts[row[name]] for name in ("primary", "slots", "extra"))
    words = [f"of {primary}"] if primary else []
    if slots:
        words.append(f"slots {slots}")
    if row["epoch"]:
        words.append(f"epoch {row['epoch']}")
    elif not extra:
        words.append(f"offset {row['offset']:,}")
    return " · ".join([*words, extra] if extra else words)


def fsyncing(film: Film, name: str, step: int) -> bool:
    """Whether an fsync of the log of a node runs after a step."""
    return any(
        span.machine == name and span.begin <= step and (not span.end or step < span.end) for span in film.fsyncs
    )


def _control(film: Film, name: str, step: int) -> dict[str, Any]:
    row = dict(zip(CONTROL_ROW, _at(film.controls[name], step), strict=True))
    now, belief = film.time_us(step), film.texts[row["belief"]]
    title = film.texts[row["title"]]
    if row["state"] != UP:
        title = down_for(row, now)
    elif row["paused_us"] > now:
        title = paused_for(row, now)
    return {"state": row["state"], "title": title, "belief": belief, "tone": row["tone"]}


def _client(film: Film, name: str, step: int) -> str:
    column = film.clients.get(name)
    return film.texts[_at(column, step)[0]] if column else ""


def _at(column: Column, step: int) -> list[int]:
    return column.rows[max(0, bisect_right(column.steps, step) - 1)]


# -- wires ------------------------------------------------------------------------------------------------------------


def wires(film: Film, step: int) -> list[dict[str, Any]]:
    """The wires worth drawing: from a primary to each replica, and from a client to whom it is connected.  `state` is
    "up", "down" or "cut"; `words` say what is wrong with it."""
    found = []
    for name in () if film.has_log else film.nodes:
        row = node_row(film, name, step)
        primary = film.texts[row["primary"]]
        if row["state"] <= STARTING and primary in film.nodes:
            up = row["link"] == LINK_UP and node_row(film, primary, step)["state"] <= STARTING
            found.append(_wire(film, primary, name, "replication", up, step))
    if film.has_log:
        found += _log_wires(film, step)
    if not film.many:
        (node,) = film.nodes
        connected = {name: _client(film, name, step) != "not connected" for name in clients(film)}
        return [_wire(film, name, node, "client", up, step) for name, up in connected.items()]
    for name in clients(film):
        server = film.texts[_at(film.clients[name], step)[1]] if name in film.clients else ""
        if server:
            found.append(_wire(film, name, server, "client", True, step))
    if film.crowd:
        leading = [head.name for head in heads(film, step) if head is not None and head.row["state"] == UP]
        found += [_wire(film, film.crowd, name, "client", True, step) for name in leading]
    return found


def _log_wires(film: Film, step: int) -> list[dict[str, Any]]:
    """From each server to the replica that leads the log, and from that one to the others."""
    rows = {name: dict(zip(CONTROL_ROW, _at(film.controls[name], step), strict=True)) for name in film.logs}
    leader = max(rows, key=lambda name: rows[name]["leads"])
    if not rows[leader]["leads"]:
        return []
    up = [name for name in film.nodes if node_row(film, name, step)["state"] <= STARTING]
    others = [name for name in rows if name != leader]
    wires = [_wire(film, name, leader, "log", True, step) for name in up]
    return wires + [_wire(film, leader, name, "log", rows[name]["state"] <= STARTING, step) for name in others]


def _wire(film: Film, source: str, target: str, kind: str, up: bool, step: int) -> dict[str, Any]:
    wrong = trouble(film, step)
    there, back = (source, target), (target, source)
    cut = [way for way in (there, back) if way in wrong.cut]
    slow = [wrong.slow[way] for way in (there, back) if way in wrong.slow]
    words = "✂ cut" if len(cut) == 2 else "✂ one way" if cut else f"+{max(slow):,} ms" if slow else ""
    if not words and not up and film.many:
        words = "✕ down"
    return {
        "from": source,
        "to": target,
        "kind": kind,
        "state": "cut" if cut else "up" if up else "down",
        "words": words,
    }


def messages(film: Film, step: int) -> list[dict[str, Any]]:
    """What is in flight after a step: number, from, to, label, held, count.  Of many on the same way, one for all, with
    the number of the oldest: whatever happens to that one, the others must wait for it.  What stalls where no wire is
    drawn is not shown: it would pile up."""
    wired = {frozenset((wire["from"], wire["to"])) for wire in wires(film, step)} if film.many else set()
    cut = trouble(film, step).cut
    rows = [
        row
        for flight in film.recording.flights.values()
        if flight.first <= step and (flight.last is None or step < flight.last) and (row := film.message(flight))
    ]
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for number, source, target, text, _, _, holds in rows:
        if film.many and (source, target) in cut and frozenset((source, target)) not in wired:
            continue
        label = film.texts[text]
        held = any(begin <= step and (not end or step < end) for begin, end in holds)
        key = (source, target) if film.many else (number,)
        if key in found:
            _join(found[key], label, held)
        else:
            found[key] = dict(number=number, **{"from": source}, to=target, label=label, held=held, count=1)
    return list(found.values())


def _join(message: dict[str, Any], label: str, held: bool) -> None:
    """One more of the same way: `w13 to w17` if all carry writes, else the first."""
    message["count"] += 1
    message["held"] = message["held"] or held
    first, last = message["label"].split(" to ")[0], label.split(" to ")[-1]
    if " " not in first and " " not in last and first != last:
        message["label"] = f"{first} to {last}"


# -- the room ---------------------------------------------------------------------------------------------------------


def room(film: Film) -> dict[str, Any]:
    """The boxes of the picture, and the ways between them."""
    deployment = film.playback.deployment
    zones = {name: film.playback.world.machines[name].zone for name in (*film.nodes, *film.controls)}
    inside = sorted(dict.fromkeys(zones[name] for name in film.nodes))
    watchers: dict[str, list[str]] = {}
    for name in film.controls:
        watchers.setdefault(zones[name], []).append(name)
    outside = [name for name in film.controls if zones[name] not in ZONES]
    return layout.arrange(
        layout.Room(
            {zone: [name for name in deployment.nodes if zones[name] == zone] for zone in inside},
            clients(film),
            len(tiers(film)),
            {zone: names for zone, names in sorted(watchers.items()) if zone in ZONES},
            outside,
            LOG.words if film.has_log else "",
        )
    )
