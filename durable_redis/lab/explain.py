"""Why a write survived, or did not: one sentence, with the event that decided it and the place where the write was.

The sentence is read off the journal and the recorded marks; nothing in it is a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Note
from durable_redis.lab.client import Operation
from durable_redis.lab.ledger import Loss, Marks
from durable_redis.lab.verdicts import BROKEN, KEPT, LUCKY
from durable_redis.redis.persistence.aof import State
from durable_redis.sim.faults import Crashed
from durable_redis.sim.journal import Synced

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback
    from durable_redis.lab.recording import MachineFrame


class Explainer:
    """Explains the writes of one node of one playback."""

    def __init__(self, playback: Playback, node: str) -> None:
        assert playback.recording is not None, "a receipt is explained from a recorded run"
        self.playback = playback
        self.node = node
        self.ledger = playback.ledger(node)
        self.pictures = playback.recording.pictures(node)

    def sentence(self, operation: Operation, verdict: str) -> str:
        key = (operation.connection, operation.command)
        loss = self.ledger.lost_in.get(key)
        if loss is not None:
            return self._lost(loss)
        place = self.ledger.index.get(key)
        if verdict in (KEPT, LUCKY) and place is not None:
            unheard = " (the answer never reached the client)" if verdict == LUCKY else ""
            return self._kept(place) + unheard
        if verdict == BROKEN:
            return "it was executed and overwritten or deleted since"
        if operation.outcome == "failed":
            return "the server refused it"
        return f"it never reached {self.node} alive"

    def _lost(self, loss: Loss) -> str:
        """Where the write was when the crash came."""
        crash = self.playback.world.journal.steps[loss.crash_step - 1]
        marks = self._marks_before(loss.crash_step)
        kind = crash.what.kind if isinstance(crash.what, Crashed) else "end of the process"
        when = f"at the {kind} of {self.node} ({_seconds(crash.at_us)})"
        if isinstance(crash.what, Note):
            return (
                f"the restart of {self.node} ({_seconds(crash.at_us)}) found no log, began one, and read nothing else"
            )
        if kind == "disk loss":
            return f"on the disk of {self.node} when it was lost ({_seconds(crash.at_us)})"
        if not self.ledger.config.appendonly:
            if loss.place < marks.snapshot:
                return f"in a snapshot whose name was not on the platter yet, {when}"
            return f"in RAM only, {when}; {self._newest_snapshot(loss)}"
        if loss.place >= marks.written:
            if self._log_was_off(loss):
                return f"in RAM only, {when}; the append-only file had been switched off"
            return f"in the AOF buffer only, not written yet, {when}"
        if kind == "power loss":
            return f"in the page cache only, {when}; {self._last_fsync(loss.crash_step)}"
        return f"in a log that could not be read to its end, {when}"

    def _kept(self, place: int) -> str:
        """The safest place that holds the write now, and since when."""
        steps, frames = self.pictures
        now = frames[-1].marks
        for name, what in (
            ("platter", f"on the platter of {self.node}"),
            ("durable_snapshot", "in a durable snapshot"),
        ):
            if getattr(now, name) > place:
                since = len(frames) - 1
                while since and getattr(frames[since - 1].marks, name) > place:
                    since -= 1
                return f"{what} since {_seconds(self._time(steps[since]))}"
        if now.written > place:
            return f"in the page cache of {self.node}, not on its platter yet"
        return f"in the memory of {self.node} only"

    def _frame_before(self, step: int) -> MachineFrame:
        assert self.playback.recording is not None
        return self.playback.recording.machine_at(self.node, step - 1)

    def _marks_before(self, step: int) -> Marks:
        return self._frame_before(step).marks

    def _log_was_off(self, loss: Loss) -> bool:
        return self._frame_before(loss.crash_step).node.get("aof") in (State.OFF.value, State.WAITING.value)

    def _last_fsync(self, before_step: int) -> str:
        steps = self.playback.world.journal.steps
        for number in range(before_step - 1, 0, -1):
            step = steps[number - 1]
            if step.machine != self.node or not isinstance(step.what, Synced):
                continue
            if step.what.path.endswith(".incr.aof") and not step.what.error:
                return f"the last fsync had ended at {_seconds(step.at_us)}"
        return "no fsync had ended yet"

    def _newest_snapshot(self, loss: Loss) -> str:
        marks = self._marks_before(loss.crash_step)
        if not marks.snapshot:
            return "there was no snapshot yet"
        writes = "1 write" if marks.snapshot == 1 else f"{marks.snapshot} writes"
        return f"the newest snapshot held {writes}"

    def _time(self, step: int) -> int:
        return self.playback.world.journal.steps[step - 1].at_us if step else 0


def _seconds(at_us: int) -> str:
    return f"{at_us / 1e6:.3f} s"
