"""The picture of a machine as a row of numbers.

The law of this file: a row says in numbers (and in indices into the film's texts) what the lab's picture of a machine
says, and nothing that follows from other rows; whatever a page shows is made of rows, here and in the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from durable_redis.console.words import counted
from durable_redis.lab.ledger import FAILOVER
from durable_redis.lab.recording import MachineFrame
from durable_redis.sim.faults import CRASHES

UP, STARTING, KILLED, OFF = range(4)
"""The state of a machine: its process runs; it runs and recovers; the process is gone; the machine has no power."""
NODE_ROW = (
    *("state", "executed", "written", "platter", "snapshot", "durable_snapshot", "acknowledged"),
    *CRASHES,  # how many acknowledged writes each would erase now
    FAILOVER,
    *("role", "note", "extra"),  # indices into texts
    "since_us",  # since when it is down
    *("line", "held"),  # which writes it holds, or held until it went down: see `lineage`
    *("offset", "epoch"),
    *("primary", "slots"),  # indices into texts: whom it follows, which slots it serves
    "link",  # to its primary
    "log",  # how many of its writes a shared log has committed
    "paused_us",  # until when
)
IN_WORDS = ("role", "note", "extra", "primary", "slots")
"""Those that are indices into texts."""
NO_LINK, LINK_UP, LINK_DOWN = range(3)
CONTROL_ROW = ("state", "since_us", "paused_us", "title", "belief", "tone", "leads")
"""A sentinel, an endpoint, a replica of a shared log: `title` and `belief` are indices into texts; `leads` is the term
in which it leads the log, 0 if it does not."""
CALM, WORRIED, ACTING = range(3)
"""The tone of a belief."""
CLIENT_ROW = ("text", "server")
Row = Mapping[str, int]
"""The numbers of a machine, by the names of its columns."""
FALLEN = {"power loss": "power lost", "process kill": "process killed", "disk loss": "disk lost"}


def state_of(frame: MachineFrame) -> int:
    if frame.up:
        return UP if frame.node.get("ready", True) else STARTING
    return KILLED if frame.powered else OFF


def node_values(frame: MachineFrame, many: bool, position: tuple[int, int], number: Callable[[str], int]) -> list[int]:
    """The row of a server.  `position` is (line, writes held); `number` gives a text its index."""
    marks, risk, view = frame.marks, frame.at_risk or {}, frame.node
    state, extra = state_of(frame), _extra(frame)
    note = _state_in_words(frame)
    slots = " ".join(f"{low}-{high}" for low, high in view.get("slots", ()))
    return [
        state,
        marks.executed if state == UP else 0,  # a server that is still loading holds nothing yet
        marks.written,
        marks.platter,
        marks.snapshot,
        marks.durable_snapshot,
        frame.acknowledged,
        *(risk.get(crash, 0) for crash in (*CRASHES, FAILOVER)),
        number(str(view.get("role", ""))),
        number(note if many else " · ".join([note, *extra])),
        number(" · ".join(extra) if many else ""),
        0 if frame.up else frame.down_since_us,
        *position,
        view.get("offset", 0) if many else 0,
        view.get("epoch", 0),
        number(str(view.get("primary", ""))),
        number(slots),
        ("", "up", "down").index(view.get("link", "")),
        marks.log,
        frame.paused_until_us,
    ]


def control_values(frame: MachineFrame, number: Callable[[str], int]) -> list[int]:
    """The row of a machine that watches and decides, or keeps the log."""
    view, state = frame.node, state_of(frame)
    if state != UP:
        return [
            state,
            frame.down_since_us,
            0,
            number(""),
            number(FALLEN.get(frame.last_crash, frame.last_crash)),
            CALM,
            0,
        ]
    role = str(view.get("role", ""))
    title, belief, tone = BELIEFS.get(role, _unknown)(view)
    leads = view["term"] if role == "leader" else 0
    return [state, 0, frame.paused_until_us, number(title), number(belief), tone, leads]


def client_values(frame: MachineFrame, number: Callable[[str], int]) -> list[int]:
    view = frame.node
    server = number(str(view.get("server", "")) if view.get("connected") else "")
    if not view.get("connected"):
        return [number("not connected"), server]
    text = f"{view['acknowledged']:,} OK" if view["acknowledged"] else "no OK yet"
    if view["waiting"]:
        text += " · waiting"
    return [number(text), server]


def _state_in_words(frame: MachineFrame) -> str:
    if not frame.up:
        return FALLEN.get(frame.last_crash, frame.last_crash)
    return "up" if frame.node.get("ready") else "starting"


def _extra(frame: MachineFrame) -> list[str]:
    """What is not as usual, in two or three words each."""
    if not frame.up:
        return []
    words = []
    if frame.node.get("child"):
        words.append(f"{frame.node['child']} runs")
    if frame.extra_fsync_us:
        words.append(f"fsync +{frame.extra_fsync_us / 1000:g} ms")
    words += [f"{operation} fails" for operation in frame.failing]
    if frame.skew_us:
        words.append(f"clock {frame.skew_us / 1000:+g} ms")
    if frame.node.get("state") == "fail":
        words.append("cluster down")
    words += [f"finds {name} {_health(health)}" for name, health in list(frame.node.get("health", {}).items())[:2]]
    if frame.node.get("campaign", "") not in ("", "none", "idle", "resting"):
        words.append("stands for election")
    return words


def _health(health: str) -> str:
    return {"fail?": "silent", "fail": "failed"}.get(health, health)


def _sentinel(view: Mapping[str, Any]) -> tuple[str, str, int]:
    title, primary = f"epoch {view['epoch']}", view["primary"]
    if view["tilt"]:
        return title, "TILT: trusts no time", WORRIED
    if view["promoting"]:
        return title, f"promotes {view['promoting']}", ACTING
    vote = f" · vote {view['leader']}" if view["leader"] and view["epoch"] > view["config_epoch"] else ""
    if view["odown"]:
        return title, f"{primary} odown{vote}", WORRIED
    if primary in view["sdown"]:
        return title, f"{primary} sdown{vote}", WORRIED
    return title, f"primary {primary}", CALM


def _endpoint(view: Mapping[str, Any]) -> tuple[str, str, int]:
    if view["promoting"]:
        return f"writes go to {view['primary']}", f"promotes {view['promoting']}", ACTING
    return f"writes go to {view['primary']}", "asks every node how it is", CALM


def _log(view: Mapping[str, Any]) -> tuple[str, str, int]:
    role, leader = view["role"], view["leader"]
    tone = {"leader": CALM, "follower": CALM, "blank": WORRIED}.get(role, ACTING)
    following = f"follows {leader}" if leader else "follows nobody"
    title = {"leader": "leads", "follower": following, "blank": "knows nothing"}.get(role, "stands for election")
    return f"{title} · term {view['term']}", f"platter {view['stored']} · committed {view['committed']}", tone


def _store(view: Mapping[str, Any]) -> tuple[str, str, int]:
    return "object store", counted(len(view["objects"]), "object"), CALM


def _snapshotter(view: Mapping[str, Any]) -> tuple[str, str, int]:
    """Of several shards the first that is at work."""
    shard = next((found for found in view["shards"].values() if found["phase"] != "watching"), None)
    if shard is not None:
        return "takes snapshots", str(shard["phase"]), ACTING
    behind = max(found["behind_bytes"] for found in view["shards"].values())
    return "takes snapshots", f"{behind:,} bytes are in the log only", CALM


def _unknown(view: Mapping[str, Any]) -> tuple[str, str, int]:
    return str(view.get("role", "")), "", CALM


BELIEFS: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str, int]]] = {
    "sentinel": _sentinel,
    "endpoint": _endpoint,
    "object store": _store,
    "snapshotter": _snapshotter,
    **dict.fromkeys(("leader", "follower", "candidate", "trial", "blank"), _log),
}
"""By role: what stands on a machine that watches and decides."""
