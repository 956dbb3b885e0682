"""How each task of the console labs is done: a list of moves, made in Python, by mouse, and by keyboard.

A move is one of

    ("end",)                          the button that plays everything to its end
    ("beat", n), ("beat-back", n)     so many presses of a button under the timeline
    ("event", n), ("event-back", n)
    ("act", "n1", "power loss")       from the menu of the node, or of a machine of the log ("log-b"); or of a zone:
                                      ("act", "zone a", "cut it off")
    ("message",)                      click the message that is on the wire: hold it; or the one that is held: let it go

Every list begins where its chapter's console stands when its cell has run.  The counts follow from the model: if it
changes, `tests/classroom/test_lab_tasks.py` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from durable_redis.console import Console, acts, model
from durable_redis.console.rows import STARTING

BOOK = Path(__file__).parents[1] / "book"
Move: TypeAlias = tuple[str] | tuple[str, int] | tuple[str, str, str]
KILL, POWER, DISK, RESTART = (
    ("act", "n1", words) for words in ("kill the process", "power loss", "lose the disk", "restart")
)
CUT_OFF, HEAL = (("act", "zone a", words) for words in ("cut it off, the clients with it", "heal the whole network"))
TAKE = ("act", "snapshotter", "take a snapshot now")
ALL_THREE = ("n1", "n2", "n3")

SOLUTIONS: dict[str, list[list[Move]]] = {
    "00": [
        [("beat-back", 65)],
        [("beat-back", 68)],
        [KILL, RESTART],
        [DISK, RESTART],
    ],
    "01": [
        [("event", 6), ("message",), ("end",)],
        [("message",), ("end",), ("message",), ("beat", 1)],
        [KILL, RESTART],
    ],
    "02": [
        [("beat", 1)],
        [("beat", 44)],
        [("end",), KILL, RESTART],
        [("act", "n1", "failing fsyncs"), ("end",)],
    ],
    "03": [
        [("beat", 46)],
        [("end",), ("beat-back", 24), KILL, RESTART],
        [("end",), ("beat-back", 24), POWER, RESTART],
        [("end",), ("beat-back", 21)],
    ],
    "04": [
        [KILL, RESTART],
        [POWER, RESTART],
        [("act", "n1", "failing writes"), ("end",), ("act", "n1", "heal the disk"), RESTART],
        [DISK, RESTART],
    ],
    "05": [
        [("event", 1)],
        [("event", 1), ("message",), ("end",)],  # the OK has gone, which lay upon the message to n2
        [("act", "n2", "lose the disk"), ("act", "n2", "restart"), ("end",)],
        [KILL, RESTART, ("end",)],
    ],
    "06": [
        [CUT_OFF, ("end",)],
        [CUT_OFF, ("end",), HEAL, *[("beat", 1)] * 12],
        [CUT_OFF, HEAL],
        [*(("act", node, "power loss") for node in ("n2", "n3", "n1")), ("end",)],
    ],
    "07": [
        [POWER, ("end",)],
        [*(("act", node, "power loss") for node in ALL_THREE), *(("act", node, "restart") for node in ALL_THREE)],
        [*(("act", node, "lose the disk") for node in ALL_THREE), *(("act", node, "restart") for node in ALL_THREE)],
    ],
    "08": [
        [POWER, ("act", "log-b", "power loss"), ("end",)],
        [*(("act", log, "pause for 60 s") for log in ("log-a", "log-b")), ("end",)],
        [("beat", 3), POWER, ("end",)],
        [
            *(("act", node, words) for words in ("lose the disk", "restart") for node in ALL_THREE),
            ("end",),
        ],
    ],
    "09": [
        [POWER, ("beat", 1)],
        [("act", "n1", "pause for 5 s"), ("end",)],
        [CUT_OFF, ("end",), HEAL, ("beat", 3)],
        [POWER, ("end",), RESTART, *(("act", node, "power loss") for node in ("n2", "n3")), ("beat", 3)],
    ],
    "10": [
        [
            *(("act", node, "power loss") for node in ("n1", "n2")),
            *(("act", node, "restart") for node in ("n1", "n2")),
            *[("beat", 1)] * 3,
            ("event", 4),
        ],
        [TAKE, *[("beat", 1)] * 3, POWER, RESTART, ("beat", 1)],
        [TAKE, ("beat", 1), ("act", "snapshotter", "power loss"), POWER, RESTART, ("beat", 1)],
    ],
    "12": [
        [KILL, ("end",)],
        [CUT_OFF, ("end",)],
        [("act", "zone a", "cut it off"), ("end",)],
    ],
}
CASES = [(chapter, place) for chapter, solutions in SOLUTIONS.items() for place in range(len(solutions))]


def console_cell(chapter: str) -> str:
    """The cell of a chapter that makes its console with tasks, as a program of its own."""
    [path] = BOOK.glob(f"{chapter}_*.ipynb")
    sources = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    [cell] = [source for source in sources if ".console(tasks=" in source]
    return f"import durable_redis as dr\nfrom durable_redis.classroom import tasks\n\n{cell}"


def presses(moves: list[Move]) -> Iterator[Move]:
    """The same, a press at a time."""
    for name, *rest in moves:
        if rest and isinstance(rest[0], int):
            yield from [(name, 1)] * rest[0]
        else:
            yield (name, *rest)  # type: ignore[misc]


def fresh(chapter: str) -> Console:
    """The console of a chapter, as its cell makes it."""
    *lines, last = console_cell(chapter).splitlines()
    names: dict[str, object] = {}
    exec("\n".join([*lines, f"console = {last}"]), names)
    console = names["console"]
    assert isinstance(console, Console)
    return console


def sent(console: Console, verb: str, *arguments: object, options: Mapping[str, Any] = {}) -> None:
    """What the browser sends when something in the scene is clicked, and then for what is behind the tabs."""
    message = {"verb": verb, "arguments": list(arguments), "options": options, "step": console.run.step, "moves": 1}
    console.scene._handle_custom_msg(message, [])
    console.scene._handle_custom_msg({"verb": "panels"}, [])


def make(console: Console, move: Move) -> None:
    """One move, by the messages that the browser sends for it."""
    run = console.run
    match move:
        case ("end",):
            sent(console, "play")
        case ("beat", int(count)):
            for _ in range(count):
                recorded = next((beat for beat in console.film.beats if beat > run.step), None)
                sent(console, "beat") if recorded is None else sent(console, "go", recorded)
        case ("beat-back", int(count)):
            for _ in range(count):
                sent(console, "go", max(beat for beat in console.film.beats if beat < run.step))
        case ("event", int(count)):
            sent(console, "go", run.step + count)
        case ("event-back", int(count)):
            sent(console, "go", run.step - count)
        case ("message",):
            message = max(model.messages(console.film, run.step), key=lambda each: bool(each["held"]))
            sent(console, "release" if message["held"] else "hold", message["number"])
        case ("act", str(target), str(words)):
            menu, names = aimed(console, target)
            [act] = [act for act in acts.table(console.film.many)[menu] if act.words == words]
            sent(console, act.verb, *(names.get(part, part) for part in act.arguments), options=act.options)


def aimed(console: Console, target: str) -> tuple[str, dict[object, object]]:
    """The menu of a target, and what the names in its acts stand for."""
    if target in console.run.deployment.controls:
        state = model.still(console.film, console.run.step)["controls"][target]["state"]
        kind = target if target == "snapshotter" else "control"
        return f"{kind} {int(state > STARTING)}", {acts.NAME: target}
    if not target.startswith("zone "):
        return str(model.node_row(console.film, target, console.run.step)["state"]), {acts.NAME: target}
    zone, deployment = target.removeprefix("zone "), console.run.deployment
    group = [name for name in (*deployment.nodes, *deployment.controls) if deployment.zones[name] == zone]
    return "zone", {acts.NAME: zone, acts.GROUP: group, acts.PARTY: [*group, *deployment.clients]}
