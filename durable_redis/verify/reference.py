"""The reference: what every server must hold at every place, worked out from the clients' commands.

The law of this file: nothing that a server computed is believed.  From a server's notes come *which* client's command
it executed, and *where* in its stream that ended; the commands themselves come from the clients' own records, and what
they make of the data is worked out by `models`.  What servers really held is only compared with the result.

It walks through the sightings of a run in their order, keeps the tree of `streams`, and knows of every server at which
place it is.  Whatever does not fit is a `Misfit`; the judges of `invariants` tell them apart by their kinds.  A server
that went astray is not mentioned again until it has found back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from durable_redis.contract import Exit
from durable_redis.errors import PlainError
from durable_redis.lab.client import Operation
from durable_redis.redis.cluster.slots import key_slot
from durable_redis.sim.faults import Crashed
from durable_redis.verify.evidence import Evidence, Held, Sighting
from durable_redis.verify.models import RULES, comparable
from durable_redis.verify.streams import PROMOTION, RENAMED, START, Place, Stream, Write

INVENTED, SHARED_ID, OFFSET, ANSWER, UNASKED = "invented state", "shared id", "offset", "answer", "unasked"
"""The kinds of misfits: a server holds what its place does not say; two servers lead under one id; an offset moved
back or stands for nothing; a client was answered what its command did not give; a command was executed that no client
sent, or twice."""


class UnknownCommand(PlainError, ValueError):
    """A run that the reference cannot follow.  The message names the command."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something that does not fit, and when it was seen."""

    kind: str
    step: int
    at_us: int
    node: str
    sentence: str


class Reference:
    """The tree of a run, and what in the run does not fit it.

    * `moved`: slots that have moved from shard to shard, of whose keys nothing is said here (`moves`).
    * `streams`: by replication id.  `writes`: by (connection, number of the command on it).
    * `trail`: (sighting, place) for everything that was seen of a server; `at`: where each is at the end.
    """

    def __init__(self, evidence: Evidence) -> None:
        self.moved = evidence.moved_slots()
        self.streams: dict[str, Stream] = {}
        self.writes: dict[tuple[str, int], Write] = {}
        self.trail: list[tuple[Sighting, Place]] = []
        self.at: dict[str, Place] = {}
        self.misfits: list[Misfit] = []
        self._past: dict[str, Place] = {}  # where a server was when its process ended
        self._offsets: dict[str, tuple[str, int]] = {}
        self._astray: dict[str, bool] = {}
        self._asked = {(one.connection, one.command): one for one in evidence.operations}
        self._databases = _databases(evidence.operations)
        ends = [(number, step.machine) for number, step in evidence.steps_of(Crashed, Exit)]
        for sighting in evidence.sightings:
            while ends and ends[0][0] < sighting.step:
                self._ended(ends.pop(0)[1])
            self._see(sighting)
        for _, node in ends:
            self._ended(node)
        self._compare_the_end(evidence)

    def has_moved(self, key: bytes) -> bool:
        """Whether the slot of this key may have moved."""
        return bool(self.moved) and bool(self.moved >> key_slot(key) & 1)

    def _alike(self, held: Held, other: Held) -> bool:
        """Whether two data sets are the same, but for keys that may have moved."""
        return self._judged(held) == self._judged(other)

    def _judged(self, held: Held) -> Held:
        return {key: state for key, state in held.items() if not self.has_moved(key[1])} if self.moved else held

    # -- one sighting after the other --------------------------------------------------------------------------------

    def _see(self, sighting: Sighting) -> None:
        match sighting.kind:
            case "role":
                place = self._take_role(sighting)
            case "executed":
                place = self._execute(sighting)
            case "ready" if sighting.node not in self.at:  # a primary that begins anew says nothing of its role
                place = self._take_role(sighting)
            case _:
                place = self._follow(sighting)
        if place is None:
            self._astray[sighting.node] = True
            return
        self.at[sighting.node] = place
        self.trail.append((sighting, place))
        self._compare(sighting, place)

    def _ended(self, node: str) -> None:
        """A process is gone, and with it what it held."""
        if node in self.at:
            self._past[node] = self.at.pop(node)
        self._offsets.pop(node, None)
        self._astray[node] = False

    def _take_role(self, sighting: Sighting) -> Place | None:
        """A server leads or follows under an id, known or new."""
        known = self.streams.get(sighting.replid)
        if known is None:
            return self._begin(sighting).last
        if _leads(sighting) and known.node != sighting.node:
            self._misfit(SHARED_ID, sighting, f"it leads under an id that stands for {known}")
        return self._follow(sighting)

    def _begin(self, sighting: Sighting) -> Stream:
        """A server takes an id that nobody had."""
        node, leads = sighting.node, _leads(sighting)
        base = self.at.get(node)
        if base is not None:
            why = PROMOTION if leads and base.stream.node != node else RENAMED
            if not leads:
                self._misfit(SHARED_ID, sighting, f"it follows under the id {sighting.replid[:8]}, which nobody took")
        else:
            why, base = START, self._found(node, sighting.held)
            if base is None and self._judged(sighting.held):
                base = self._past.get(node)  # so that nobody objects to what follows from it
                what = _difference(base.held if base is not None else {}, sighting.held)
                self._misfit(INVENTED, sighting, f"it has started with data that no primary ever had: {what}")
                self._astray[node] = True
        shares = self._shared(sighting, base)
        held: Held = {} if base is None else base.held
        stream = Stream(
            sighting.replid, node, sighting.step, sighting.at_us, why, base, held, sighting.offset, continues=shares
        )
        self.streams[sighting.replid] = stream
        return stream

    def _shared(self, sighting: Sighting, base: Place | None) -> bool:
        """Whether the server goes on counting the bytes of the stream that its second id names."""
        second = self.streams.get(sighting.facts.get("replid2", ""))
        if second is None:
            return False
        place = second.place(sighting.facts["second_offset"] - 1)
        if base is not None and place is not None and place.held == base.held:
            return True
        self._misfit(
            OFFSET,
            sighting,
            f"it says that it shares {second} up to byte {sighting.facts['second_offset'] - 1}, and does not hold that",
        )
        return False

    def _found(self, node: str, held: Held) -> Place | None:
        """The latest place where a server holds just this: on this server's own way first."""
        own = list(self._past[node].way_back()) if node in self._past else []
        for last in [*own, *(stream.last for stream in reversed(self.streams.values()))]:
            for size in range(last.size, -1, -1):
                if self._alike((place := Place(last.stream, size)).held, held):
                    return place
        return None

    def _execute(self, sighting: Sighting) -> Place | None:
        """A primary has executed a client's command."""
        key = sighting.facts["connection"], sighting.facts["command"]
        stream, operation = self.streams.get(sighting.replid), self._asked.get(key)
        if stream is None or stream.node != sighting.node:
            whose = "nobody took" if stream is None else f"stands for {stream}"
            self._misfit(SHARED_ID, sighting, f"it executes under the id {sighting.replid[:8]}, which {whose}")
            return None
        if operation is None or key in self.writes:
            what = "a command that no client sent" if operation is None else f"{_words(operation)} a second time"
            self._misfit(UNASKED, sighting, f"it executed {what}")
            return None
        if stream.ends and sighting.offset <= stream.ends[-1]:
            self._misfit(
                OFFSET, sighting, f"{_words(operation)} ends at {sighting.offset}, the one before at {stream.ends[-1]}"
            )
        held, reply = apply(operation, stream.last.held, self._database(*key))
        moved = any(map(self.has_moved, operation.argv[1:2]))
        right = moved or reply == comparable(tuple(operation.argv), operation.reply)
        if operation.outcome == "ok" and not (right or self._astray.get(sighting.node)):
            self._misfit(
                ANSWER, sighting, f"the answer to {_words(operation)} was {operation.reply!r}, and should be {reply!r}"
            )
        place = Place(stream, len(stream.writes) + 1)
        write = Write(
            operation, sighting.node, sighting.step, sighting.at_us, sighting.offset, held, sighting.logs, place
        )
        stream.writes.append(write)
        stream.ends.append(sighting.offset)
        self.writes[key] = write
        return place

    def _follow(self, sighting: Sighting) -> Place | None:
        """A server says where it is in a stream."""
        node, replid, offset = sighting.node, sighting.replid, sighting.offset
        stream = self.streams.get(replid)
        place = None if stream is None else stream.place(offset)
        if place is None:
            what = "which nobody took" if stream is None else f"which began at {stream.start}"
            self._misfit(OFFSET, sighting, f"it is at byte {offset} of {replid[:8]}, {what}")
            return None
        before, self._offsets[node] = self._offsets.get(node), (replid, offset)
        if sighting.kind == "applied" and before is not None and before[0] == replid and before[1] > offset:
            self._misfit(OFFSET, sighting, f"it went back from byte {before[1]} of {replid[:8]} to {offset}")
        return place

    # -- comparing ---------------------------------------------------------------------------------------------------

    def _compare(self, sighting: Sighting, place: Place) -> None:
        fits = self._alike(place.held, sighting.held)
        if not fits and not self._astray.get(sighting.node):
            what = _difference(self._judged(place.held), self._judged(sighting.held))
            self._misfit(
                INVENTED, sighting, f"at byte {sighting.offset} of {place.stream} ({sighting.kind}) it holds {what}"
            )
        self._astray[sighting.node] = not fits

    def _compare_the_end(self, evidence: Evidence) -> None:
        last = len(evidence.steps)
        at_us = evidence.steps[-1].at_us if evidence.steps else 0
        for node, held in evidence.held.items():
            place = self.at.get(node)
            if place is not None and not (self._alike(place.held, held) or self._astray.get(node)):
                what = _difference(self._judged(place.held), self._judged(held))
                self.misfits.append(Misfit(INVENTED, last, at_us, node, f"at the end it holds {what}"))

    def _misfit(self, kind: str, sighting: Sighting, sentence: str) -> None:
        self.misfits.append(Misfit(kind, sighting.step, sighting.at_us, sighting.node, sentence))

    def _database(self, connection: str, command: int) -> int:
        selected = [db for number, db in self._databases.get(connection, ()) if number < command]
        return selected[-1] if selected else 0


def _leads(sighting: Sighting) -> bool:
    return str(sighting.facts.get("role", "primary")) == "primary"


def apply(operation: Operation, held: Held, db: int) -> tuple[Held, object]:
    """What a command makes of the data, and its answer.  Raises UnknownCommand for one that has no rule."""
    name, *arguments = operation.argv
    after: dict[tuple[int, bytes], Any] = dict(held)
    reply: object
    match name.upper():
        case b"DEL" | b"UNLINK":
            return after, sum(after.pop((db, key), None) is not None for key in arguments)
        case b"FLUSHALL":
            return {}, operation.reply
        case upper if upper in RULES:
            after[db, arguments[0]], reply = RULES[upper].apply(held.get((db, arguments[0])), tuple(operation.argv))
            if after[db, arguments[0]] is None:
                del after[db, arguments[0]]
            return after, reply
    raise UnknownCommand(f"the judges have no rule for {_words(operation)}: they know {_names()}")


def _databases(operations: Sequence[Operation]) -> dict[str, list[tuple[int, int]]]:
    """Which database each connection had selected, by the number of the command since when."""
    selected: dict[str, list[tuple[int, int]]] = {}
    for operation in operations:
        if operation.argv[0].upper() == b"SELECT" and operation.outcome == "ok":
            selected.setdefault(operation.connection, []).append((operation.command, int(operation.argv[1])))
    return selected


def _difference(expected: Held, found: Held) -> str:
    """In which keys two data sets differ, in words: the first of them, and how many more."""
    keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    (db, key), more = keys[0], len(keys) - 1
    name = key.decode("utf-8", "backslashreplace") + (f" of database {db}" if db else "")
    others = f", and {more} more {'key' if more == 1 else 'keys'}" if more else ""
    return f"{_text(found.get(keys[0]))} under {name}, not {_text(expected.get(keys[0]))}{others}"


def _text(state: Any) -> str:
    return "nothing" if state is None else repr(sorted(state) if isinstance(state, frozenset) else state)


def _words(operation: Operation) -> str:
    return b" ".join(operation.argv).decode("utf-8", "backslashreplace")


def _names() -> str:
    return ", ".join(name.decode() for name in RULES)
