"""Runs made by hand: a story is told note by note, and becomes evidence.

The servers of a story are honest by default: each holds what it executed, or what its primary held at the offset that
it says it is at.  A test lets one of them lie.
"""

from __future__ import annotations

from typing import Any

from durable_redis.contract import Note, Send
from durable_redis.formats.resp import OK, ErrorReply, Reply
from durable_redis.lab.client import Operation
from durable_redis.lab.deployments import Deployment, Redis
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import Crashed
from durable_redis.sim.journal import Step
from durable_redis.verify.evidence import Evidence, Held, Sighting
from durable_redis.verify.models import RULES
from durable_redis.verify.reference import apply

BYTES = 10
"""Of each write in the stream."""
NO_ID = "0" * 40


class Trio(Redis):
    """Three machines with servers, for the judges' eyes only: nothing is ever built of it."""

    nodes = ("n1", "n2", "n3")
    home = "n1"

    def survivor(self, views: Any, key: bytes = b"") -> str:
        return self.home


def replid(letter: str) -> str:
    return letter * 40


class Story:
    """`n1` has started, empty, as the primary of history A; the others follow it."""

    def __init__(self, deployment: Deployment | None = None) -> None:
        self.deployment = deployment or Trio()
        self.now_us = 0
        self.steps: list[Step] = []
        self.operations: list[Operation] = []
        self.sightings: list[Sighting] = []
        self.memory: dict[str, Held] = {node: {} for node in self.deployment.nodes}
        self.past: dict[tuple[str, int], Held] = {}  # what was held at (replid, offset)
        self.at: dict[str, tuple[str, int]] = {}
        for node in self.deployment.nodes:
            self.role(node, "A", primary="" if node == "n1" else "n1")
            self.note(node, "ready")

    # -- what happens ------------------------------------------------------------------------------------------------

    def step(self, node: str, what: Any) -> int:
        self.now_us += 1_000
        self.steps.append(Step(self.now_us, node, "main", what))
        return len(self.steps)

    def pass_ms(self, milliseconds: int) -> None:
        self.now_us += milliseconds * 1_000

    def note(self, node: str, kind: str, **facts: Any) -> None:
        """A note of a server, and what it holds then."""
        letter, offset = self.at[node]
        placed = {"replid": replid(letter), "offset": offset, **facts}
        number = self.step(node, Note(kind, placed))
        self.past.setdefault((letter, offset), self.memory[node])
        at_us = self.steps[-1].at_us
        self.sightings.append(Sighting(number, at_us, node, kind, placed, dict(self.memory[node]), logs=True))

    def role(self, node: str, letter: str, primary: str = "", offset: int | None = None, second: str = "") -> None:
        """A server takes an id; `second`: it goes on counting the bytes of that history."""
        before = self.at.get(node, (letter, 0))[1]
        self.at[node] = (letter, before if offset is None else offset)
        names = {"replid2": replid(second) if second else NO_ID, "second_offset": before + 1 if second else -1}
        self.note(node, "role", role="replica" if primary else "primary", primary=primary, **names)

    def ask(self, words: str, node: str = "n1", reply: Reply = None, outcome: str = "ok", **options: Any) -> Operation:
        """A client sends a command, the server executes it and answers (truly, unless told otherwise)."""
        argv = words.encode().split()
        number = len(self.operations) + 1
        operation = Operation(number, argv, 0, connection=f"c>{node}#1", command=number, node=node, **options)
        operation.sent_us = EPOCH_US + self.now_us
        self.operations.append(operation)
        if argv[0] == b"READONLY":
            operation.reply = OK
        elif argv[0].upper() in RULES and RULES[argv[0].upper()].only_reads:
            operation.reply = apply(operation, self.memory[node], 0)[1] if reply is None else reply  # type: ignore
        else:
            self.memory[node], answer = apply(operation, self.memory[node], 0)
            letter, offset = self.at[node]
            self.at[node] = (letter, offset + BYTES)
            self.note(node, "executed", connection=operation.connection, command=number)
            operation.reply = answer if reply is None else reply  # type: ignore[assignment]
        operation.outcome = outcome
        if outcome in ("ok", "failed"):
            self.step(node, Send(operation.connection, b"+OK\r\n"))
            operation.answered_us = EPOCH_US + self.now_us
        return operation

    def apply(self, node: str, *, to: int | None = None, held: Held | None = None) -> None:
        """A replica has received the stream of its history up to here; by default all there is."""
        letter = self.at[node][0]
        ends = [end for name, end in self.past if name == letter]
        self.at[node] = (letter, max(ends) if to is None else to)
        self.memory[node] = self.past[self.at[node]] if held is None else held
        self.note(node, "applied")

    def sync(self, node: str, letter: str, offset: int, held: Held | None = None, how: str = "full") -> None:
        """A replica has a snapshot of this place (or may go on from there)."""
        self.at[node] = (letter, offset)
        self.memory[node] = self.past[letter, offset] if held is None else held
        self.note(node, "synced", how=how, primary="")

    def crash(self, node: str, kind: str = "power loss") -> None:
        self.step(node, Crashed(node, kind))
        self.memory[node] = {}

    def start(self, node: str, letter: str, held: Held, offset: int = 0, primary: str = "", second: str = "") -> None:
        """A server has started with this from its disk."""
        self.memory[node] = held
        self.at[node] = (letter, offset)
        self.role(node, letter, primary, offset, second)
        self.note(node, "ready")

    def refuse(self, words: str, node: str = "n1") -> Operation:
        """A client was answered with an error; nothing was executed."""
        number = len(self.operations) + 1
        operation = Operation(number, words.encode().split(), 0, connection=f"c>{node}#1", command=number, node=node)
        operation.sent_us = operation.answered_us = EPOCH_US + self.now_us
        operation.outcome, operation.reply = "failed", ErrorReply("READONLY You can't write against a replica.")
        self.operations.append(operation)
        return operation

    # -- what is left ------------------------------------------------------------------------------------------------

    def view(self, node: str, **more: Any) -> dict[str, Any]:
        roles = [sighting for sighting in self.sightings if sighting.node == node and sighting.kind == "role"]
        primary = roles[-1].facts["primary"]
        role = "replica" if primary else "primary"
        link = "up" if primary else ""
        return {"role": role, "primary": primary, "ready": True, "link": link, "offset": self.at[node][1], **more}

    def evidence(self, home: str = "n1", calm: bool = False, **more: Any) -> Evidence:
        """The end of the story; clients are sent to `home` for everything."""
        keys = dict.fromkeys(operation.argv[1] for operation in self.operations if len(operation.argv) > 1)
        if isinstance(self.deployment, Trio):
            self.deployment.home = home
        return Evidence(
            self.deployment,
            self.steps,
            self.operations,
            self.sightings,
            {node: self.view(node) for node in self.deployment.nodes},
            dict(self.memory),
            dict.fromkeys(keys, home),
            calm=calm,
            **more,
        )
