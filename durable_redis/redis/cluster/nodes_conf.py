"""nodes.conf: what a node must not forget of the cluster, on its disk; a line has the shape that CLUSTER NODES shows.

    07c3...e1d2 n1:6379@16379 myself,master - 0 0 1 connected 0-5460
    67ed...29cb n4:6379@16379 slave 07c3...e1d2 0 1426238317239 1 connected
    vars currentEpoch 6 lastVoteEpoch 0

    id | host:port@bus port | flags | primary's id | ping sent, pong received (ms) | config epoch | link | slots

The last line holds the two promises: the epoch below which this node will not go, and the one it last voted in.  The
file is always replaced whole.  One that does not read back is damaged, and the node refuses to start on it: a node that
guessed its last vote might vote twice.

The rules: cluster.c `clusterLoadConfig`, `clusterGenNodeDescription`.
"""

from __future__ import annotations

from durable_redis.redis.cluster.bus import LONGEST_NAME, Health
from durable_redis.redis.cluster.membership import ClusterNode, Membership, node_id
from durable_redis.redis.cluster.slots import SlotError, parse_slots, slots_text
from durable_redis.redis.config import DEFAULT_PORT

BUS_PORT = 16379
"""For show: the bus shares the door of all connections (see `bus`)."""


class NodesConfError(Exception):
    """A nodes.conf that cannot be what a node has written.  The text says where and what; remedy: a backup."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(
            f"{path}, line {max(line, 1)}: {reason}. The file is damaged: restore it from a backup, or remove it and "
            "let the node join anew"
        )
        self.path = path
        self.line = max(line, 1)
        self.reason = reason


# -- writing ---------------------------------------------------------------------------------------------------------


def describe(membership: Membership, node: ClusterNode, connected: bool = True) -> str:
    """One node as a line, without its end."""
    flags = ["myself"] if node is membership.me else []
    flags.append("master" if node.is_primary else "slave")
    if node.health is not Health.OK:
        flags.append(node.health.value)
    if not node.takes_over:
        flags.append("nofailover")
    primary = membership.primary_of(node)
    epoch = node.config_epoch if primary is None else primary.config_epoch
    words = [node.id, f"{node.name}:{DEFAULT_PORT}@{BUS_PORT}", ",".join(flags)]
    words += [node_id(node.primary) if node.primary else "-", f"{node.pinged_us // 1000}", f"{node.ponged_us // 1000}"]
    words += [f"{epoch}", "connected" if connected else "disconnected"]
    return " ".join(words if not node.slots else [*words, slots_text(node.slots, " ")])


def render(membership: Membership) -> bytes:
    """The whole file."""
    lines = [describe(membership, node) for node in membership.nodes.values()]
    lines.append(f"vars currentEpoch {membership.current_epoch} lastVoteEpoch {membership.last_vote_epoch}")
    return "".join(line + "\n" for line in lines).encode("ascii")


# -- reading ---------------------------------------------------------------------------------------------------------


def parse(content: bytes, path: str, name: str) -> Membership:
    """What the node `name` believed when it wrote this file.  Raises NodesConfError.

    When others were pinged and answered is not taken over: it is long ago.  That one had failed is."""
    lines = content.decode("ascii", "replace").split("\n")
    if lines.pop():
        raise NodesConfError(path, len(lines) + 1, "the last line has no end")
    membership = Membership(name)
    primaries: dict[str, str] = {}
    for number, line in enumerate(lines[:-1], 1):
        try:
            _read_node(membership, line, primaries)
        except (_BadLine, SlotError) as error:
            raise NodesConfError(path, number, str(error)) from None
    names = {node.id: node.name for node in membership.nodes.values()}
    for node in membership.nodes.values():
        primary = primaries.get(node.name, "")
        if primary and primary not in names:
            raise NodesConfError(path, len(lines), f"{node.name} follows {primary}, whom no line describes")
        node.primary = names[primary] if primary else ""
    if membership.me.name not in primaries:
        raise NodesConfError(path, len(lines), f"no line describes {name} as myself")
    _read_vars(membership, lines, path)
    return membership


class _BadLine(ValueError):
    """What is wrong with one line."""


def _read_node(membership: Membership, line: str, primaries: dict[str, str]) -> None:
    words = line.split(" ")
    if len(words) < 8:
        raise _BadLine(f"a node has 8 words or more, not {len(words)}")
    identity, address, flags, primary = words[:4]
    name, _, port = address.rpartition(":")
    if port != f"{DEFAULT_PORT}@{BUS_PORT}" or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise _BadLine(f"an address is written like n1:{DEFAULT_PORT}@{BUS_PORT}, not {address[:80]!r}")
    if not name.isascii() or identity != node_id(name):
        raise _BadLine(f"{identity[:40]!r} is not the id of {name!r}")
    if name in primaries:
        raise _BadLine(f"{name} has been described before")
    if ("myself" in flags.split(",")) != (name == membership.me.name):
        raise _BadLine(f"this is the file of another node: {name} is marked {flags!r}, and I am {membership.me.name}")
    node = membership.nodes.get(name) or membership.add(name)
    primaries[name] = "" if primary == "-" else primary
    node.health = Health.FAIL if "fail" in flags.split(",") else Health.OK
    node.takes_over = "nofailover" not in flags.split(",")
    node.config_epoch = _number(words[6], "config epoch")
    slots = parse_slots(" ".join(words[8:]) or "-", " ")
    if slots & ~membership.unassigned:
        raise _BadLine(f"{name} serves slots that another line gives to another node")
    node.slots = slots


def _read_vars(membership: Membership, lines: list[str], path: str) -> None:
    match lines[-1].split(" ") if lines else []:
        case ["vars", "currentEpoch", current, "lastVoteEpoch", vote]:
            try:
                membership.current_epoch = _number(current, "current epoch")
                membership.last_vote_epoch = _number(vote, "epoch of the last vote")
            except _BadLine as error:
                raise NodesConfError(path, len(lines), str(error)) from None
        case _:
            raise NodesConfError(path, len(lines), "the last line is not 'vars currentEpoch N lastVoteEpoch N'")
    membership.changed = False


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise _BadLine(f"the {what} is a whole number, not {text[:40]!r}")
    return int(text)
