"""A failover, step by step: who missed the primary, who agreed, who was elected, what was chosen, and who heard of it.

    trail = run.failover()
    print(trail)                          # one line an event, with its time
    run.picture(trail["promoting"])       # the room at that step

The law of this file: every line is a note in the journal, told in a sentence; nothing is inferred.  The notes are those
of `redis.sentinel` and of `redis.cluster`, and each is known by its kind ("sdown", "odown", "vote", "elected" ...).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_redis.contract import Note
from durable_redis.lab.errors import LabError
from durable_redis.lab.explain import and_
from durable_redis.sim.faults import Crashed, HealNetwork, Partition
from durable_redis.sim.journal import Step

if TYPE_CHECKING:
    from durable_redis.lab.run import Run


class Words(NamedTuple):
    """How a note is told: under which label, and in which sentence; `{machine}` and its facts stand in braces."""

    label: str
    sentence: str


WORDS: Mapping[str, Words] = {
    # Sentinel, in the order of a failover
    "sdown": Words("notice", "{machine} finds {instance} down: {why}"),
    "odown": Words("agree", "{machine} counts {agree} who find {primary} down, and the quorum is {quorum}"),
    "failover": Words("elect", "{machine} takes epoch {epoch}, and asks for votes"),
    "vote": Words("elect", "{machine} votes for {candidate} in epoch {epoch}"),
    "leader": Words("elect", "{machine} has {votes} votes, and needs {needed}: it leads"),
    "abort": Words("elect", "{machine} gives epoch {epoch} up: {why}"),
    "selected": Words("choose", "{machine} chooses {replica}"),
    "promoting": Words("promote", "{machine} sends {replica} REPLICAOF NO ONE"),
    "role": Words("promote", "{machine} is a primary: a history of its own begins at byte {second_offset}"),
    "promoted": Words("promote", "{machine} reads that in {replica}'s INFO: from here on there is no way back"),
    "reconfiguring": Words("tell", "{machine} points {server} to {primary}"),
    "switch": Words("tell", "{machine} names {new} to whoever asks, and no longer {old} ({how})"),
    "demoted": Words("demote", "{machine} tells {server} to follow {primary}"),
    # Redis Cluster, likewise
    "pfail": Words("notice", "{machine} has had no answer from {node}: PFAIL"),
    "fail": Words("agree", "{machine} has heard the same from others: {node} has failed, FAIL"),
    "cluster state": Words("stop", "{machine} refuses commands: {why}"),
    "campaign": Words("elect", "{machine} has rank {rank}, and waits before it runs"),
    "asks for votes": Words("elect", "{machine} takes epoch {epoch}, and asks for votes"),
    "elected": Words("promote", "{machine} is elected in epoch {epoch}, and takes the slots of {old}"),
    "slots": Words("demote", "{machine} hears that its slots are {owner}'s"),
    # MemoryDB: the notes of `memorydb`
    "lease over": Words("notice", "{machine} could not renew its lease in time"),
    "candidate": Words(
        "elect", "{machine} has seen all of the log, up to {after}, and its backoff is over: it appends"
    ),
    "conflict": Words("refuse", "{machine} is refused: {reason}"),
    "leads": Words("promote", "{machine} leads: entry {epoch} of the log says so"),
    "deposed": Words("demote", "{machine} leads no more, and throws away {lost_bytes} bytes that the log has not got"),
    # and those of a node that asks nobody (`memorydb.bugs`)
    "checks the tail": Words("notice", "{machine} has heard of no leader for a backoff: it reads the log behind {at}"),
    "takes over": Words("promote", "{machine} has applied everything up to {after}, and serves: no entry says so"),
    # all
    "synced": Words("copy", "{machine} follows {primary}, by a {how} sync"),
}
FIRST_ONLY = ("odown", "fail")
"""Others come to the same opinion a little later, and nothing follows from it."""


class Moment(NamedTuple):
    """One event of a failover: its kind, the step after which it had happened, when, and in words."""

    kind: str
    step: int
    at_us: int
    label: str
    words: str

    def __str__(self) -> str:
        return f"  {self.at_us / 1e6:8.3f} s  {self.label:8} {self.words}"


@dataclass(frozen=True, slots=True)
class Failover:
    """The events of one failover, in order; `old` is the primary that was replaced."""

    old: str
    moments: tuple[Moment, ...]

    def __getitem__(self, kind: str) -> int:
        """The step of the first event of this kind, such as "odown".  Raises LabError naming the kinds there are."""
        return self.first(kind).step

    def first(self, kind: str) -> Moment:
        """The first event of this kind."""
        found = next((moment for moment in self.moments if moment.kind == kind), None)
        if found is None:
            kinds = dict.fromkeys(moment.kind for moment in self.moments)
            raise LabError(f"this failover has no {kind!r}: it has {', '.join(kinds)}")
        return found

    def last(self, kind: str) -> Moment:
        """The last event of this kind."""
        first = self.first(kind)
        return next((moment for moment in reversed(self.moments) if moment.kind == kind), first)

    def __str__(self) -> str:
        return "\n".join([f"the failover of {self.old}", *map(str, self.moments)])

    __repr__ = __str__


def failover(run: Run) -> Failover:
    """The first failover of the branch one stands on.  Raises LabError if nobody was replaced, or missed by enough."""
    steps = run.playback.world.journal.steps
    old = next(filter(None, map(_replaced, steps[run.first_step :])), "")
    if not old:
        raise LabError("nobody has found a primary down yet: let one fail, and play on")
    return Failover(old, tuple(_moments(steps, run.first_step, old)))


def _replaced(step: Step) -> str:
    """Whose failover this step speaks of, if it does."""
    match step.what:
        case Note(kind="odown", facts={"down": True, "primary": str(old)}):
            return old
        case Note(kind="fail", facts={"node": str(old)}):
            return old
        case Note(kind="switch" | "leads" | "takes over", facts={"old": str(old)}):
            return old
    return ""


def _moments(steps: list[Step], first: int, old: str) -> Iterator[Moment]:
    """The events behind a step, each once, up to the full sync that makes the old primary a copy of the new one."""
    seen: dict[object, None] = {}
    led = False
    for number, step in enumerate(steps[first:], start=first + 1):
        kind, label, words = _told(step, old)
        led = led or kind == "role"
        which = _identity(kind, number, step)
        if not words or which in seen or (kind == "synced" and not led):
            continue
        seen[which] = None
        yield Moment(kind, number, step.at_us, label, words)
        if kind == "synced" and step.machine == old:
            return


def _identity(kind: str, number: int, step: Step) -> object:
    """What is the same of two notes that tell the same: `s2 finds n1 down`, twice."""
    if not isinstance(step.what, Note):
        return number
    facts = step.what.facts
    return kind, "" if kind in FIRST_ONLY else step.machine, facts.get("epoch"), facts.get("server")


def _told(step: Step, old: str) -> tuple[str, str, str]:
    """(kind, label, sentence) of a step; an empty sentence for one that is no part of the failover of `old`."""
    match step.what:
        case Note(kind=kind, facts=facts) if kind in WORDS and _belongs(kind, step.machine, facts, old):
            words = WORDS[kind]
            sentence = words.sentence.format(machine=step.machine, **facts)
            return kind, words.label, sentence + _why(kind, facts)
        case Crashed(machine=machine, kind=crash) if machine == old:
            return "crash", "fail", f"{machine} goes down: {crash}"
        case Partition():
            return "partition", "fail", "the network falls apart"
        case HealNetwork():
            return "heal", "fail", "the network is whole again"
    return "", "", ""


def _belongs(kind: str, machine: str, facts: Mapping[str, Any], old: str) -> bool:
    """Whether a note is about the failover of this primary."""
    match kind:
        case "sdown":
            return bool(facts["down"]) and facts["instance"] == old
        case "odown":
            return bool(facts["down"]) and facts["primary"] == old
        case "pfail" | "fail":
            return bool(facts["node"] == old)
        case "failover":
            return bool(facts["to"] == "wait start")
        case "vote":
            return bool(facts.get("granted", True))
        case "lease over" | "deposed":
            return machine == old
        case "role":
            return machine != old and facts["role"] == "primary"
        case "cluster state" | "slots":
            return machine == old and facts.get("state", "fail") == "fail" and facts.get("owner") != old
    return True


def _why(kind: str, facts: Mapping[str, Any]) -> str:
    """What a list or a number adds to a sentence."""
    match kind:
        case "selected":
            return "".join(f"; not {name}: {why}" for name, why in facts["others"].items())
        case "pfail":
            return f" ({facts['silence_us'] / 1e6:.1f} s)"
        case "fail" if facts["reports"]:
            return f" (the others: {and_(list(facts['reports']))})"
        case "campaign":
            return f" ({facts['delay_us'] / 1e6:.2f} s)"
        case "elected":
            return f" (votes: {and_(list(facts['votes']))})"
    return ""
