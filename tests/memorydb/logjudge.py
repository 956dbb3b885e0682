"""The laws of the shared log, and a judge who watches a room and says which of them were broken.

    one leader      a term has at most one leader
    kept            what one replica held to be committed, every replica has, for ever, and the same
    once            what was asked to be appended is in the log at most once
    unique          two entries have two ids, and each continues the checksum of the one before
    linearizable    an append that was answered follows what it named; one that was refused is not in the log; what was
                    asked later than an answer came is not before it; and no tail is older than what was answered

Appends are told apart by their bodies, each of which is asked for once: so the judge believes no token.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any

from logtools import REPLICAS, User

from durable_redis.contract import Effects
from durable_redis.memorydb.log import DATA, Answer, Appended, Conflict, Entries, Entry, EntryId, Refused, Tail, Unknown
from durable_redis.sim import World


@dataclass
class Ask:
    """One append, or one question for the tail (body None): from when to when, and the definite answer."""

    name: str
    body: bytes | None
    after: EntryId
    began_us: int
    ended_us: int = 2**63
    answer: Answer | None = None

    def __str__(self) -> str:
        what = "tail" if self.body is None else f"append {self.body.decode()} after {self.after}"
        return f"{self.name}: {what} -> {self.answer}"


@dataclass
class Court:
    """Everything that the judge has seen."""

    asks: list[Ask] = field(default_factory=list)
    committed: dict[int, Entry] = field(default_factory=dict)  # by place, as the first replica had it that knew
    leaders: dict[int, str] = field(default_factory=dict)  # by term
    pushed: dict[str, list[Entry]] = field(default_factory=dict)  # what each subscriber was told
    broken: list[str] = field(default_factory=list)
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _world: World | None = None

    # -- watching ----------------------------------------------------------------------------------------------------

    def watch(self, world: World) -> None:
        self._world = world
        world.watch = lambda machine: self._look(world, machine)

    @property
    def now_us(self) -> int:
        """The room's time: the clocks of the users may be wrong."""
        assert self._world is not None
        return self._world.now_us

    def _look(self, world: World, name: str) -> None:
        """After a step: has somebody become leader, or learned that more is committed?"""
        process = world.machines[name].process if name in REPLICAS else None
        if process is None:
            return
        replica = process.node.replicas["s1"]
        if replica.leading is not None:
            first = self.leaders.setdefault(replica.ballot.term, name)
            if first != name:
                self.say("one leader", f"{first} and {name} both led term {replica.ballot.term}")
        incarnation, upto = self._seen.get(name, (0, 0))
        if incarnation != process.incarnation:
            upto = 0
        if replica.committed > upto:
            self._compare(name, replica, max(upto, replica.sequence.cut.index))
            self._seen[name] = (process.incarnation, replica.committed)

    def _compare(self, name: str, replica: Any, upto: int) -> None:
        for index in range(upto + 1, replica.committed + 1):
            entry = replica.sequence.at(index)
            known = self.committed.setdefault(index, entry)
            if known != entry:
                self.say("kept", f"{name} has {_shown(entry)} where {_shown(known)} was committed")

    def say(self, law: str, what: str) -> None:
        sentence = f"{law}: {what}"
        if sentence not in self.broken:
            self.broken.append(sentence)

    # -- judging -----------------------------------------------------------------------------------------------------

    def judge(self, world: World) -> list[str]:
        """The laws that were broken, each with what was seen.  All machines are up, and the log is at rest."""
        for name in REPLICAS:
            self._judge_kept(name, world.machines[name].process.node.replicas["s1"])  # type: ignore[union-attr]
        shown = [entry for _, entry in sorted(self.committed.items()) if entry.shown]
        self._judge_entries(shown)
        self._judge_appends(shown)
        self._judge_order(shown)
        for name, entries in self.pushed.items():
            ids = {str(entry.id) for entry in entries}
            if [entry for entry in shown if str(entry.id) in ids] != entries:
                self.say("kept", f"{name} was pushed what was not committed, or not in that order")
        return self.broken

    def _judge_kept(self, name: str, replica: Any) -> None:
        for index, entry in self.committed.items():
            if index > replica.sequence.cut.index and replica.sequence.at(index) != entry:
                self.say("kept", f"{entry.id}, once committed, is not at {name}")

    def _judge_entries(self, shown: list[Entry]) -> None:
        bodies: dict[bytes, EntryId] = {}
        base = 0
        for entry in shown:
            if entry.body in bodies:
                self.say("once", f"{entry.body.decode()} is at {bodies[entry.body]} and at {entry.id}")
            bodies[entry.body] = entry.id
            if not entry.follows(base):
                self.say("unique", f"the checksum of {entry.id} does not continue")
            base = entry.checksum
        if len({str(entry.id) for entry in shown}) < len(shown):
            self.say("unique", "an id was given twice")

    def _judge_appends(self, shown: list[Entry]) -> None:
        places = {entry.body: place for place, entry in enumerate(shown)}
        before = {entry.id: shown[place - 1].id if place else EntryId.ZERO for place, entry in enumerate(shown)}
        for ask in self.asks:
            if ask.body is None:
                continue
            place = places.get(ask.body)
            if isinstance(ask.answer, Appended):
                if place is None or shown[place].id != ask.answer.id:
                    self.say("kept", f"{ask}, and it is not there")
                elif before[ask.answer.id] != ask.after:
                    self.say("linearizable", f"{ask}, but it follows {before[ask.answer.id]}")
            elif isinstance(ask.answer, Conflict | Refused) and place is not None:
                self.say("linearizable", f"{ask}, and it is at {shown[place].id}")

    def _judge_order(self, shown: list[Entry]) -> None:
        """In the order of time: whoever asks later than an answer came finds at least what that answer told of."""
        index = {entry.body: entry.id.index for entry in shown}
        told = sorted((ask.ended_us, place) for ask in self.asks if (place := _told(ask)) is not None)
        moments = [ended_us for ended_us, _ in told]
        highest = [0, *accumulate((place for _, place in told), max)]
        for ask in self.asks:
            newest = highest[bisect_left(moments, ask.began_us)]
            if ask.body is not None and isinstance(ask.answer, Appended) and index.get(ask.body, newest) < newest:
                self.say("linearizable", f"{ask}, though {newest} had been answered before it was asked")
            if isinstance(ask.answer, Tail) and ask.answer.id.index < newest:
                self.say("linearizable", f"{ask}, though {newest} had been answered before it was asked")


def _shown(entry: Entry) -> str:
    return f"{entry.id} ({entry.kind} {entry.body!r})"


def _told(ask: Ask) -> int | None:
    """The place that the answer proves to be committed."""
    match ask.answer:
        case Appended(id=id) | Tail(id=id) | Conflict(tail=id):
            return id.index
    return None


class Recorder(User):
    """A user whose questions and answers are written down in the court's record."""

    def __init__(self, random: Random, name: str, court: Court) -> None:
        super().__init__(random, name)
        self.court = court
        self.appending: Ask | None = None
        self.asking: list[Ask] = []

    def append(self, body: bytes, after: EntryId, now: int) -> Effects:
        self.appending = Ask(self.log.name, body, after, self.court.now_us)
        self.court.asks.append(self.appending)
        yield from self.log.append(DATA, body, after, now)

    def ask_tail(self, now: int) -> Effects:
        self.asking.append(Ask(self.log.name, None, EntryId.ZERO, self.court.now_us))
        self.court.asks.append(self.asking[-1])
        yield from self.log.tail(now)

    def answered(self, answer: Answer, now: int) -> Effects:
        match answer:
            case Entries(entries=entries, pushed=True):
                self.court.pushed.setdefault(self.log.name, []).extend(entries)
            case Tail() if self.asking:
                ask = self.asking.pop(0)
                ask.answer, ask.ended_us = answer, self.court.now_us
            case Appended() | Conflict() | Refused() if self.appending is not None:
                # A definite "not done" is definite only from a Conflict: what is behind the cut may have been appended.
                self.appending.ended_us = self.court.now_us
                behind = isinstance(answer, Refused) and answer.code == "BEHIND"
                self.appending.answer = None if behind else answer
                self.appending = None
            case Unknown():
                pass
        yield from self.decided(answer, now)

    def decided(self, answer: Answer, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {}
