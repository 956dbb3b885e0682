"""Comebacks: who comes back to a primary, in what state, and whether it may go on where it stopped.

The law of this file: each case is a run of its own, played with the verbs of the lab, and the answer is what the
primary noted when it was asked.  In all of them 90 values are written to n1 until 1 s; what differs is what happens to
whom.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from durable_redis.classroom.moments import decided
from durable_redis.classroom.trials import SEED
from durable_redis.contract import Note
from durable_redis.lab.deployments import ReplicatedRedis
from durable_redis.lab.run import Run

FIRST_CUT_MS, CUT_MS, LATER_MS, WRITTEN_MS, RESYNC_MS = 300, 500, 700, 1_200, 1_500
SMALL = 16_384
"""Bytes; no backlog can be smaller."""


class Comeback(NamedTuple):
    """Somebody who came back: what had happened to it, "full" or "partial", and why, in the words of the primary."""

    who: str
    resync: str
    why: str

    def __str__(self) -> str:
        return f"{self.resync:8} {self.who}:\n         {self.why}"


def comebacks() -> Iterator[Comeback]:
    """Play all cases: first those of the old primary, then those of other replicas."""
    for who, run in (
        ("the old primary, stopped by SHUTDOWN", _stopped()),
        ("the old primary, killed; it has a snapshot, older by 30 writes", _killed(snapshot_ms=LATER_MS)),
        ("the old primary, killed; it has a log with every write", _killed(appendonly=True)),
        ("the old primary, killed; with its old snapshot started as a primary, and told later", _told_later()),
        ("the old primary, cut off; it had written on", _ahead()),
        ("the same, killed; its snapshot is from after the cut", _killed(CUT_MS, snapshot_ms=LATER_MS)),
        ("the same, killed; its snapshot is from before the cut", _killed(CUT_MS, snapshot_ms=FIRST_CUT_MS)),
        ("another replica, cut off earlier than the promoted one", _sibling()),
        (
            f"the same, with values of 1,000 bytes and backlogs of {SMALL:,}",
            _sibling("x" * 1000, repl_backlog_size=SMALL),
        ),
        ("a replica of the replica that was promoted", _below()),
        ("a replica of a replica that died, told to follow the primary", _below(middle_dies=True)),
    ):
        *_, asked = decided(run)
        note = run.playback.world.journal.steps[asked - 1].what
        assert isinstance(note, Note)
        yield Comeback(who, "full" if note.facts["state"] == "full sync" else "partial", note.facts["why"])


# -- the old primary ---------------------------------------------------------------------------------------------------


def _stopped() -> Run:
    run = _written()
    run.command("SHUTDOWN", "SAVE", node="n1")
    return _returned(run)


def _killed(cut_ms: int = 0, snapshot_ms: int = 0, **options: Any) -> Run:
    run = _written(cut_ms, snapshot_ms, **options)
    run.crash("n1", "process kill")
    return _returned(run, healed=bool(cut_ms))


def _told_later() -> Run:
    run = _written(snapshot_ms=LATER_MS)
    run.crash("n1", "process kill")
    _promote(run, "n2")
    run.restart("n1")
    return _follows(run, "n1", "n2")


def _ahead() -> Run:
    run = _written(CUT_MS)
    _promote(run, "n2")
    run.heal_network()
    return _follows(run, "n1", "n2")


# -- other replicas ----------------------------------------------------------------------------------------------------


def _sibling(value: str = "v{n}", **options: Any) -> Run:
    run = ReplicatedRedis(replicas=2, sentinels=0, save=(), **options).start(seed=SEED)
    run.write(90, every_ms=10, value=value)
    run.cut("n1", "n3", at_ms=FIRST_CUT_MS)
    run.cut("n1", "n2", at_ms=CUT_MS)
    run.play(until_ms=WRITTEN_MS)
    _promote(run, "n2")
    return _follows(run, "n3", "n2")


def _below(middle_dies: bool = False) -> Run:
    run = ReplicatedRedis(replicas=2, sentinels=0, save=()).start(seed=SEED)
    _follows(run, "n3", "n2")
    run.write(90, every_ms=10)
    run.play()
    if middle_dies:
        run.crash("n2", "power loss")
        return _follows(run, "n3", "n1")
    run.crash("n1", "power loss")
    _promote(run, "n2")
    run.play(until_ms=run.now_ms + RESYNC_MS)
    return run


# -- what they have in common ------------------------------------------------------------------------------------------


def _written(cut_ms: int = 0, snapshot_ms: int = 0, **options: Any) -> Run:
    """n1 and n2; at these times (0: never) n1 is cut off from n2, and makes a snapshot."""
    run = ReplicatedRedis(replicas=1, sentinels=0, save=(), **options).start(seed=SEED)
    run.write(90, every_ms=10)
    for at_ms, what in sorted([(cut_ms, "cut"), (snapshot_ms, "snapshot")]):
        if at_ms:
            run.play(until_ms=at_ms)
            run.cut("n1", "n2") if what == "cut" else run.command("SAVE", node="n1")
    run.play(until_ms=WRITTEN_MS)
    return run


def _returned(run: Run, healed: bool = False) -> Run:
    """n2 leads, and n1 starts as its replica: its configuration was edited so."""
    _promote(run, "n2")
    if healed:
        run.heal_network()
    run.restart("n1", replicaof="n2")
    run.play(until_ms=run.now_ms + RESYNC_MS)
    return run


def _promote(run: Run, name: str) -> None:
    run.command("REPLICAOF", "NO", "ONE", node=name)


def _follows(run: Run, name: str, primary: str) -> Run:
    run.command("REPLICAOF", primary, 6379, node=name)
    run.play(until_ms=run.now_ms + RESYNC_MS)
    return run
