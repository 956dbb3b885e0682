"""Why a write survived, or did not: one sentence, with the event that decided it and the place where the write was.

The sentence is read off the journal, the recorded marks and the histories; nothing in it is a guess.  Where the
survivor's history left that of the write, there the matter was decided (`histories.fork`): at a restart, which found
what the disk still had, or at a promotion, when the new primary had received so much and no more.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from durable_redis.contract import Exit, Note
from durable_redis.lab.client import Operation
from durable_redis.lab.histories import PROMOTION, History, Write, fork
from durable_redis.lab.ledger import Loss, Marks
from durable_redis.lab.verdicts import BROKEN, KEPT, LUCKY
from durable_redis.redis.persistence.aof import State
from durable_redis.sim.faults import Crashed
from durable_redis.sim.journal import Step, Synced

if TYPE_CHECKING:
    from durable_redis.lab.playback import Playback
    from durable_redis.lab.recording import MachineFrame


class Explainer:
    """Explains the writes of one playback."""

    def __init__(self, playback: Playback) -> None:
        self.playback = playback
        self.steps = playback.world.journal.steps
        self.disks = {name: DiskExplainer(playback, name) for name in playback.deployment.nodes}
        self.books = playback.books
        self.keys = {
            (op.connection, op.command): op.argv[1].decode(errors="replace")
            for op in playback.operations()
            if len(op.argv) > 1
        }

    def sentence(self, operation: Operation, verdict: str, survivor: str) -> str:
        """What decided about this write; `survivor` is the server that was asked for its key."""
        write = self.books.writes.get((operation.connection, operation.command))
        history = self.books.ledgers[survivor].history
        if write is not None and self._share(write.node) != self._share(survivor):
            return self._of_another_share(write, verdict, survivor)
        if write is not None and history is not None:
            decided = fork(write, history)
            if decided is not None:
                return self._lost(write, decided)
            if not history.holds(write):
                return f"only {write.node} executed it, and {survivor} has not followed {write.node} since"
            if verdict in (KEPT, LUCKY):
                unheard = " (the answer never reached the client)" if verdict == LUCKY else ""
                return self._kept(write, survivor) + unheard
        if verdict == BROKEN:
            return "it was executed and overwritten or deleted since"
        if operation.outcome == "failed":
            return "the server refused it"
        return f"it never reached {operation.node} alive"

    # -- in another part of the data ---------------------------------------------------------------------------------

    def _share(self, node: str) -> int:
        """The part of the data that a server belongs to."""
        shares = self.playback.deployment.shares
        return next(number for number, share in enumerate(shares) if node in share.nodes)

    def _of_another_share(self, write: Write, verdict: str, survivor: str) -> str:
        """Its slot has moved since, or somebody believes that."""
        if verdict == BROKEN:
            return f"{write.node} executed it, and now {survivor} answers for its slot, which has never heard of it"
        arrivals = [
            step
            for step in self.steps[write.step :]
            if isinstance(step.what, Note)
            and step.what.kind == "migration"
            and step.what.facts["phase"] == "committed"
            and self._share(step.machine) == self._share(survivor)
        ]
        when = f" at {seconds(arrivals[0].at_us)}" if arrivals else ""
        return f"it came with its slot, from {write.node} to the shard of {survivor}{when}"

    # -- kept --------------------------------------------------------------------------------------------------------

    def _kept(self, write: Write, survivor: str) -> str:
        return self.disks[survivor].kept(write, self._holders(write, but=survivor))

    def _holders(self, write: Write, but: str) -> list[str]:
        """The other servers that have it in RAM."""
        return [
            name
            for name, ledger in self.books.ledgers.items()
            if name != but and ledger.machine.up and write.key in ledger.index
        ]

    # -- lost --------------------------------------------------------------------------------------------------------

    def _lost(self, write: Write, decided: History) -> str:
        if decided.why == PROMOTION and self.playback.deployment.has_log:
            return self._led_without(write, decided) + self._discarded(write, decided)
        if decided.why == PROMOTION:
            return self._promoted_without(write, decided) + self._discarded(write, decided)
        loss = self.books.ledgers[decided.node].lost_in.get(write.key)
        if loss is not None:
            return self.disks[decided.node].lost(loss) + self._discarded(write, decided)
        when = seconds(self.steps[decided.step - 1].at_us)
        return f"{decided.node} started at {when} from a disk that had not got it" + self._discarded(write, decided)

    def _promoted_without(self, write: Write, decided: History) -> str:
        """`n2, promoted by s1 at 3.200 s, had received the stream up to w103; n1 had gone down at 1.090 s (...)`"""
        promoted = f"promoted{self._promoter(decided)} at {seconds(self._time(decided.step))}"
        who = f"{decided.node}, {promoted}"
        if write.step > decided.step:
            return f"split brain: {write.node} went on as a primary when {decided.node} had been {promoted}"
        last = self.keys.get(decided.writes[decided.shared - 1].key, "") if decided.shared else ""
        received = f"had received the stream up to {last}" if last else "had received nothing of the stream"
        death = self._end_of(write.node, write.step, decided.step)
        if death is None:
            return f"{who}, {received}, and nothing later from {write.node} had reached it"
        kind = death.what.kind if isinstance(death.what, Crashed) else "end of the process"
        return f"{who}, {received}; {write.node} had gone down at {seconds(death.at_us)} ({kind})"

    def _led_without(self, write: Write, decided: History) -> str:
        """`n2 took the lead at 4.2 s, when the log held the stream up to w103; n1 had gone down at 1.09 s (...)`"""
        last = self.keys.get(decided.writes[decided.shared - 1].key, "") if decided.shared else ""
        what = f"the stream up to {last}" if last else "nothing of the stream"
        led, appended = f"{decided.node} took the lead at {seconds(self._time(decided.step))}", self._appended(write)
        if appended is not None and appended < decided.step:
            return f"{led}, and had read {what}; the log had it since {seconds(self._time(appended))}"
        when = f"{led}, when the log held {what}"
        death = self._end_of(write.node, write.step, decided.step)
        if death is None and appended is not None:
            return (
                f"{when}; {write.node} appended it behind that, and {decided.node}, which leads, reads the log no more"
            )
        if death is None:
            return f"{when}; {write.node} had not got it into the log"
        kind = death.what.kind if isinstance(death.what, Crashed) else "end of the process"
        return f"{when}; {write.node} had gone down at {seconds(death.at_us)} ({kind})"

    def _appended(self, write: Write) -> int | None:
        """The step at which the server that executed it learnt that the log has it; None: it never did."""
        executed = self.steps[write.step - 1].what
        assert isinstance(executed, Note), f"step {write.step} has executed a write and says {executed}"
        offset = executed.facts["offset"]
        appends = self._appends.get(write.node, [])
        return next((step for step, upto in appends if step > write.step and upto >= offset), None)

    @cached_property
    def _appends(self) -> dict[str, list[tuple[int, int]]]:
        """(step, offset) of each append that a server was told of, by its name."""
        found: dict[str, list[tuple[int, int]]] = {}
        for number, step in enumerate(self.steps, 1):
            if isinstance(step.what, Note) and step.what.kind == "appended":
                found.setdefault(step.machine, []).append((number, step.what.facts["offset"]))
        return found

    def _promoter(self, decided: History) -> str:
        """Who had told it to lead: the newest "promoting" before it did."""
        for step in reversed(self.steps[: decided.step]):
            match step.what:
                case Note(kind="promoting", facts=facts) if facts["replica"] == decided.node:
                    return f" by {step.machine}"
                case Note(kind="elected") if step.machine == decided.node:
                    return " by election"
        return ""

    def _end_of(self, node: str, after: int, before: int) -> Step | None:
        """The step at which a node went down between two others, the first one."""
        between = self.steps[after:before]
        return next((step for step in between if step.machine == node and isinstance(step.what, Crashed | Exit)), None)

    def _discarded(self, write: Write, decided: History) -> str:
        """Who had it, and threw it away to become a copy of a server without it."""
        told = [
            (name, discard)
            for name, ledger in self.books.ledgers.items()
            if (discard := ledger.discarded.get(write.key)) is not None
        ]
        if not told:
            return ""
        whom = and_([f"{name} at {seconds(self._time(discard.step))}" for name, discard in told])
        return f"; full syncs with {told[0][1].primary} discarded it ({whom})"

    def _time(self, step: int) -> int:
        return self.steps[step - 1].at_us


class DiskExplainer:
    """Explains what the storage of one node did to its writes."""

    def __init__(self, playback: Playback, node: str) -> None:
        assert playback.recording is not None, "a receipt is explained from a recorded run"
        self.playback = playback
        self.node = node
        self.ledger = playback.ledger(node)
        self.pictures = playback.recording.pictures(node)

    def lost(self, loss: Loss) -> str:
        """Where the write was when the crash came."""
        crash = self.playback.world.journal.steps[loss.crash_step - 1]
        marks = self._marks_before(loss.crash_step)
        kind = crash.what.kind if isinstance(crash.what, Crashed) else "end of the process"
        when = f"at the {kind} of {self.node} ({seconds(crash.at_us)})"
        if isinstance(crash.what, Note):
            return f"the restart of {self.node} ({seconds(crash.at_us)}) found no log, began one, and read nothing else"
        if kind == "disk loss":
            return f"on the disk of {self.node} when it was lost ({seconds(crash.at_us)})"
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

    def kept(self, write: Write, others: list[str]) -> str:
        """The safest place that holds the write now, and since when; `others` have it in RAM, too."""
        place = self.ledger.index[write.key]
        steps, frames = self.pictures
        now = frames[-1].marks
        for name, what in (
            ("log", "in the log, on two platters in two zones at least,"),
            ("platter", f"on the platter of {self.node}"),
            ("durable_snapshot", "in a durable snapshot"),
        ):
            if getattr(now, name) > place:
                since = len(frames) - 1
                while since and getattr(frames[since - 1].marks, name) > place:
                    since -= 1
                return f"{what} since {seconds(self._time(steps[since]))}"
        if now.written > place:
            return f"in the page cache of {self.node}, not on its platter yet"
        return f"in the memory of {and_([self.node, *others])} only"

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
                return f"the last fsync had ended at {seconds(step.at_us)}"
        return "no fsync had ended yet"

    def _newest_snapshot(self, loss: Loss) -> str:
        marks = self._marks_before(loss.crash_step)
        if not marks.snapshot:
            return "there was no snapshot yet"
        writes = "1 write" if marks.snapshot == 1 else f"{marks.snapshot} writes"
        return f"the newest snapshot held {writes}"

    def _time(self, step: int) -> int:
        return self.playback.world.journal.steps[step - 1].at_us if step else 0


def and_(names: list[str]) -> str:
    """`n1, n2 and n3`"""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


def seconds(at_us: int) -> str:
    """`1.053 s`"""
    return f"{at_us / 1e6:.3f} s"
