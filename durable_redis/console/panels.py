"""The panels behind the tabs: plain data, from a run, for whoever draws it.

The law of this file: a panel is {"name", "blocks"} (and a "mark", shown behind its name), a block is a list whose first
item says its kind.  Looking changes nothing: no step is played, nobody is asked a command.  The kinds:

* to read: ["text", words], ["heading", words], ["code", lines], ["rows", [[cell, ...], ...]], ["table", head, rows],
  ["big", number, words, tone], ["task", words, done, hint, remark];
* to use: ["choose", words, verb, options, chosen], ["goto", [[branch, step, words], ...]] (a click goes there),
  ["share", replay string, or nothing if it is made on request], ["load"].

To add a tab, add a function to `OF_BRANCH`, or a line to `Console._panels` if it needs more than the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_redis.console.shelf import Shelf
from durable_redis.lab.receipt import Receipt, take
from durable_redis.lab.recording import MachineFrame
from durable_redis.lab.run import Run
from durable_redis.lab.tasks import Checklist
from durable_redis.lab.verdicts import VERDICTS
from durable_redis.redis.info import render
from durable_redis.redis.server import RedisServer

Block = list[Any]
CRASHES, STALLS = ("crash", "restart", "outage", "restore"), ("cut", "partition", "delay", "pause", "hold")
"""After one of these verbs a reader wants to know what is gone; after a stall, only if something is."""
EXPLAINED_WRITES = 500
"""With more writes than that the receipt is taken without its sentences: a click must not wait for them."""


def inspecting(run: Run, looked_at: str = "") -> dict[str, Any]:
    """What an operator sees of a machine (by default of the first), and the truth beside it."""
    deployment = run.deployment
    names = [*deployment.nodes, *deployment.controls]
    name = looked_at if looked_at in names else names[0]
    chooser: list[Block] = [["choose", "look at", "look", names, name]] if len(names) > 1 else []
    shown = _watcher(run, name) if name in deployment.controls else _server(run, name)
    return {"name": "Inspect", "blocks": [*chooser, *shown]}


def _watcher(run: Run, name: str) -> list[Block]:
    """What a sentinel or an endpoint believes."""
    frame = run.frame().machines[name]
    if not frame.up:
        return [["heading", f"what an operator of {name} sees"], ["text", "Connection refused: nobody listens there."]]
    rows = [[field.replace("_", " "), _plain(value)] for field, value in frame.node.items() if field != "role"]
    return [["heading", f"what {name} believes"], ["rows", rows]]


def _plain(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items()) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value) or "none"


def _server(run: Run, name: str) -> list[Block]:
    frame = run.frame().machines[name]
    return [
        ["heading", f"what an operator of {name} sees"],
        *_operators_view(run, name, frame),
        ["heading", "the truth: writes in each place"],
        ["rows", [[words, f"{count:,}"] for words, count in _places(run, frame)]],
        ["heading", "the truth: bytes in the page cache, on the platter"],
        *([["rows", _files(frame)]] if frame.files else [["text", "There is no file on its disk."]]),
    ]


def receipt(run: Run) -> list[Block]:
    """The receipt, once there is somebody to ask."""
    name = run.deployment.nodes[0]
    if run.step != run.steps:
        return [
            ["text", "A receipt is taken at the end of a branch."],
            ["text", "Go there with ▶|, or with the End key."],
        ]
    if not run.survivor_is_up:
        if len(run.deployment.nodes) == 1:
            return [["text", f"{name} is down: restart it, then ask what survived."]]
        return [
            ["text", "Nobody leads now: play on until there is a new primary, or restart one; then ask what survived."]
        ]
    taken = _taken(run)
    if not taken.rows:
        return [["text", taken.headline]]
    blocks: list[Block] = [_big(taken)]
    blocks.append(["rows", [[verdict, f"{taken.counts[verdict]:,}"] for verdict in VERDICTS if taken.counts[verdict]]])
    fates = taken.lost_in_words()
    blocks += [["text", f"{who}: {why}" if why else who] for who, why in fates]
    if fates and not any(why for _, why in fates):
        blocks.append(["text", "run.receipt() tells why."])
    return blocks


def sharing(run: Run, shelf: Shelf) -> dict[str, Any]:
    """The session as Python, and as one line that replays it, here or elsewhere."""
    blocks: list[Block] = [
        ["heading", "this branch, as Python"],
        ["code", run.script()],
        ["heading", "and as one line, to share: dr.replay(…) plays it"],
        ["share", shelf.string(run)],
        ["heading", "load such a line"],
        ["load"],
    ]
    return {"name": "Code", "blocks": blocks}


def tasks(checklist: Checklist) -> dict[str, Any]:
    """The tasks, and which are done; what an author's condition raised is said, so that the author sees it."""
    blocks: list[Block] = []
    for task, done, trouble in zip(checklist.tasks, checklist.ticked, checklist.troubles, strict=True):
        remark = task.praise if done else f"(its condition cannot be asked: {trouble})" if trouble else ""
        blocks.append(["task", task.words, done, task.hint, remark])
    if all(checklist.ticked):
        blocks.append(["text", "All done. From here on the room is yours."])
    return {"name": "Tasks", "mark": checklist.progress, "blocks": blocks}


Maker = Callable[[Run], list[Block]]
OF_BRANCH: dict[str, Maker] = {"Receipt": receipt}
"""Panels that follow from what was done and played, and from whether one stands at the end of it."""


def panel(name: str, run: Run) -> dict[str, Any]:
    """One panel, for where the run stands."""
    return {"name": name, "blocks": OF_BRANCH[name](run)}


def verdict(run: Run) -> dict[str, Any]:
    """The big number: how many acknowledged writes are gone.  Empty as long as nothing has been crashed."""
    done = {performed.action.verb for performed in run.playback.performed}
    if not done & {*CRASHES, *STALLS} or run.step != run.steps or not run.survivor_is_up:
        return {}
    taken = _taken(run)
    if not taken.rows or not (taken.lost or done & {*CRASHES}):
        return {}
    _, number, words, tone = _big(taken)
    return {"number": number, "text": words, "tone": tone, "step": run.step}


def _taken(run: Run) -> Receipt:
    short = len(run.playback.operations()) <= EXPLAINED_WRITES
    return run.receipt() if short else take(run.playback, explain=False)


def _big(taken: Receipt) -> Block:
    if taken.lost:
        words = "acknowledged write is gone" if taken.lost == 1 else "acknowledged writes are gone"
        return ["big", f"{taken.lost:,}", f"{words}, of {taken.acknowledged:,}", "gone"]
    return ["big", "0", f"acknowledged writes are gone: all {taken.acknowledged:,} are there", "kept"]


def _operators_view(run: Run, name: str, frame: MachineFrame) -> list[Block]:
    """INFO persistence at the end of the branch; earlier, what was kept of the node's own view."""
    machine = run.playback.world.machines[name]
    if not frame.up:
        return [["text", "Connection refused: nobody listens there."]]
    if run.step == run.steps and machine.process is not None and isinstance(machine.process.node, RedisServer):
        sections = ["persistence"] if len(run.deployment.nodes) == 1 else ["replication", "persistence"]
        text = render(machine.process.node, sections, run.playback.world.clock(machine) // 1000)
        return [["code", text.replace("\r\n", "\n").strip()]]
    view = frame.node
    if "aof" not in view:
        return [["rows", [[field.replace("_", " "), _plain(value)] for field, value in view.items()]]]
    fields = {"keys": view["keys"], "aof": view["aof"], "child": view["child"] or "none", "dirty": view["dirty"]}
    if len(run.deployment.nodes) > 1:
        following = {"link": view["link"]} if view["primary"] else {"replicas": _plain(view["replicas"])}
        fields = {
            "role": view["role"],
            "primary": view["primary"] or name,
            "offset": view["offset"],
            **following,
            **fields,
        }
    return [["rows", [[field, str(value)] for field, value in fields.items()]]]


def _places(run: Run, frame: MachineFrame) -> list[tuple[str, int]]:
    marks = frame.marks
    places = [("OK was said", frame.acknowledged), ("RAM", marks.executed if frame.node.get("ready") else 0)]
    if run.deployment.has_log:
        return [*places, ("shared log", marks.log)]
    if run.deployment.config.appendonly:
        places += [("page cache", marks.written), ("platter", marks.platter)]
    return [*places, ("RDB, page cache", marks.snapshot), ("RDB, platter", marks.durable_snapshot)]


def _files(frame: MachineFrame) -> list[list[str]]:
    return [
        [
            file.path.rpartition("/")[2],
            f"{file.cached:,} · {file.platter:,}{'' if file.durable else ' · name not synced'}",
        ]
        for file in frame.files
    ]
