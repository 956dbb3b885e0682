"""Snapshots off the box: how a node comes back from one, how one is made, and what a crash while it is made leaves.

The law of this file: a run is the judge.  What is told here is read off its journal; what is counted is played.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from textwrap import fill
from typing import Any, NamedTuple

from durable_redis.classroom.trials import SEED
from durable_redis.contract import Compute, Note, Send
from durable_redis.lab.deployments import Deployment, MemoryDB
from durable_redis.lab.errors import LabError
from durable_redis.lab.run import Run
from durable_redis.memorydb.catalog import id_of
from durable_redis.memorydb.log.entries import DATA
from durable_redis.memorydb.record import Record
from durable_redis.sim.faults import Restart
from durable_redis.sim.journal import Step

SNAPSHOTTER, STORE = "snapshotter", "s3"


def everybody_dies(deployment: Deployment, kind: str = "power loss") -> Run:
    """A hundred writes; then every node of the deployment crashes, in one moment, and is started again."""
    run = deployment.start(seed=SEED)
    run.write(100, every_ms=10)
    run.play(until_ms=2_500)
    for node in run.deployment.nodes:
        run.crash(node, kind)
    for node in run.deployment.nodes:
        run.restart(node)
    run.play(until_ms=20_000)
    return run


# -- what happened -----------------------------------------------------------------------------------------------------

COMING_BACK = {
    "snapshot refused": "refuse   the snapshot at {at}, {why}",
    "cannot recover": "refuse   {why}",
    "ready": "replay   with {entries} entries of the log behind the snapshot it has {keys} keys: it is ready",
    "candidate": "stand    nobody leads, and it appends that it wants to, behind {after}",
    "leads": "lead     the log has taken it, as entry {epoch}: it serves",
}
MAKING = {
    "snapshot begun": "begin    {behind_bytes:,} bytes of log lie behind the last snapshot",
    "snapshot refused": "refuse   the snapshot at {at}, {why}",
    "dumped": "dump     the data at entry {at}, as {bytes:,} bytes, and put them into the store",
    "snapshot given up": "give up  while {in}: {why}",
    "snapshot released": "release  {bytes:,} bytes: they count from now on",
    "trimmed": "trim     the log begins behind {upto} now",
}


def loading(run: Run, node: str) -> int:
    """The step at which a node last began to load a snapshot."""
    return max(number for number, _ in _work(run, node, "load"))


def forked_bytes(run: Run, node: str) -> int:
    """The memory whose page table was copied when a node last forked."""
    *_, (_, amount) = _work(run, node, "fork")
    return amount


def _work(run: Run, node: str, work: str) -> Iterator[tuple[int, int]]:
    """(step, amount) of each work of this kind that a node has done."""
    for number, step in enumerate(run.playback.world.journal, start=1):
        if step.machine == node and isinstance(step.what, Compute) and step.what.work == work:
            yield number, step.what.amount


def _own(run: Run, machine: str) -> list[Step]:
    return [step for step in run.playback.world.journal if step.machine == machine]


def _told(steps: list[Step], sentences: dict[str, str]) -> Iterator[tuple[int, str]]:
    """(when, what happened) of these steps."""
    for step in steps:
        match step.what:
            case Restart(machine=machine):
                yield step.at_us, f"start    the process of {machine} starts, with nothing"
            case Note(kind=kind, facts=facts) if kind in sentences:
                yield step.at_us, sentences[kind].format(**facts)
            case Send(connection=connection, data=data) if f">{STORE}#" in connection and b"LIST" in data:
                yield step.at_us, f"list     it asks {STORE} which snapshots are released"
            case Compute(work="load", amount=amount):
                yield step.at_us, f"load     it has got a snapshot of {amount:,} bytes, and loads it"
            case Send(data=data) if b"SUBSCRIBE" in data:
                yield step.at_us, f"ask      it asks the log for all that follows {data.split()[-1].decode()}"


def _lines(found: Iterator[tuple[int, str]]) -> str:
    lines = [f"{at_us / 1000:9.3f} ms  {words}" for at_us, words in found]
    return "\n".join(fill(line, 95, subsequent_indent=" " * 23) for line in lines)


def comeback(run: Run, node: str) -> str:
    """The last start of a node, a line an event, until it serves or cannot recover; what it asks twice, once.

    Raises LabError if it was never started again."""
    return _lines(_of_comeback(run, node))


def _of_comeback(run: Run, node: str) -> Iterator[tuple[int, str]]:
    steps = _own(run, node)
    begins = max((number for number, step in enumerate(steps) if isinstance(step.what, Restart)), default=-1)
    if begins < 0:
        raise LabError(f"{node} was never started again: crash it, and restart it")
    before = ""
    for at_us, words in _told(steps[begins:], COMING_BACK):
        if words != before:
            yield at_us, words
        before = words
        if words.startswith("refuse   the log"):
            yield at_us, "wait     it cannot recover, serves nobody, and tries again every second"
            return


def making(run: Run, until_ms: float = 1e9) -> str:
    """What the snapshotter did, a line an event."""
    steps = [step for step in _own(run, SNAPSHOTTER) if isinstance(step.what, Note | Compute)]
    return _lines(_told([step for step in steps if step.at_us <= until_ms * 1000], MAKING))


def in_log(run: Run, replica: str = "log-b") -> list[str]:
    """The keys whose SETs stand in the log of the first shard, in order."""
    process = run.playback.world.machine(replica).process
    assert process is not None, f"{replica} is down"
    node: Any = process.node
    records = [Record.decode(entry.body) for entry in node.replicas["s1"].sequence.entries if entry.kind == DATA]
    return [argv[1].decode() for record in records for argv in record.commands() if argv[0].upper() == b"SET"]


# -- how much lies behind the snapshot ---------------------------------------------------------------------------------


class Behind(NamedTuple):
    """By time, in seconds: how many records of the log the newest released snapshot lacks; and how many were made, and
    the size of the last."""

    times: tuple[float, ...]
    records: tuple[int, ...]
    snapshots: int
    snapshot_bytes: int

    @property
    def most(self) -> int:
        return max(self.records)

    @property
    def corners(self) -> tuple[list[float], list[int]]:
        """The points between which it grows steadily: the first and the last, and each fall from and to."""
        falls = [place for place in range(1, len(self.records)) if self.records[place] < self.records[place - 1]]
        places = sorted({0, len(self.records) - 1, *falls, *(place - 1 for place in falls)})
        return [self.times[place] for place in places], [self.records[place] for place in places]


@cache
def behind(every_ms: int, writes: int, freshness_percent: int, least_bytes: int, keys: int = 1) -> Behind:
    """Write so many keys, and have a snapshot of them; then write one of them again and again, every `every_ms`."""
    run = MemoryDB(replicas=0, freshness_percent=freshness_percent, least_bytes=least_bytes).start(seed=SEED)
    run.write(keys, every_ms=0, key="key:{n}", value="value of {n}")
    run.play()
    run.command("SNAPSHOT", node=SNAPSHOTTER)
    run.play(until_ms=run.now_ms + 2_000)
    begin_us = run.now_ms * 1000
    run.write(writes, every_ms=every_ms, key="key:1", value="value of {n}")
    run.play()
    return _watched(run, begin_us)


def _watched(run: Run, begin_us: float) -> Behind:
    at, snapshots, snapshot_bytes = 0, 0, 0
    appended: list[int] = []
    times: list[float] = []
    found: list[int] = []
    for step in run.playback.world.journal:
        match step.what:
            case Note(kind="appended", facts=facts):
                appended.append(int(facts["index"]))
            case Note(kind="snapshot released", facts=facts):
                at, snapshots = id_of(str(facts["name"])).index, snapshots + (step.at_us >= begin_us)
                snapshot_bytes = int(facts["bytes"])
            case _:
                continue
        if step.at_us >= begin_us:
            times.append((step.at_us - begin_us) / 1e6)
            found.append(len(appended) - bisect_right(appended, at))
    return Behind(tuple(times), tuple(found), snapshots, snapshot_bytes)


# -- crashes while a snapshot is made ----------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """A crash at `at_ms`, in a phase of the snapshotter: whether the shard came back, how many of the acknowledged
    writes it lacked then, and how many entries of the log it replayed."""

    machine: str
    at_ms: int
    phase: str
    back: bool
    lost: int
    replayed: int


WRITES = 40
BEGIN_MS, END_MS, EVERY_MS = 2_021, 2_045, 4
"""While the second snapshot of `crashed` is made, and a little longer."""


@cache
def crashed(machine: str, at_ms: int, bug: str = "") -> Outcome:
    """40 writes, a snapshot, 40 writes, and another snapshot is being made: then a machine loses its power, and with it
    the only node.  The snapshotter stays away; the store and the node come back at once."""
    run = MemoryDB(replicas=0, least_bytes=10**9, bug=bug).start(seed=SEED)
    for begin_ms in (650, 1_300):
        run.play(until_ms=begin_ms)
        run.write(WRITES, every_ms=5, key="key:{n}")
        run.play(until_ms=begin_ms + 300)
        run.command("SNAPSHOT", node=SNAPSHOTTER)
    run.play(until_ms=at_ms)
    phase = str(run.playback.views()[SNAPSHOTTER]["shards"]["s1"]["phase"])
    for name in dict.fromkeys((machine, SNAPSHOTTER, "n1")):
        run.crash(name, "power loss", tail="lost")
    for name in (STORE, "n1"):
        if not run.playback.world.machine(name).up:
            run.act("restart", name)
    while not (ends := [what for what in _last_notes(run) if what.kind in ("ready", "cannot recover")]):
        run.play(until_ms=run.now_ms + 20)
    facts = ends[0].facts
    return Outcome(machine, at_ms, phase, "keys" in facts, 2 * WRITES - facts.get("keys", 0), facts.get("entries", 0))


def _last_notes(run: Run) -> list[Note]:
    """Of the node, since it was started again."""
    steps = _own(run, "n1")
    begins = max(number for number, step in enumerate(steps) if isinstance(step.what, Restart))
    return [step.what for step in steps[begins:] if isinstance(step.what, Note)]


def crashes(machine: str, bug: str = "") -> tuple[Outcome, ...]:
    """The same crash at every fourth millisecond of the making of a snapshot."""
    return tuple(crashed(machine, at_ms, bug) for at_ms in range(BEGIN_MS, END_MS + 1, EVERY_MS))
