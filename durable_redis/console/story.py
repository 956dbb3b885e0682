"""The story of a run: what each step of the journal says in plain words, and which steps a person cares about.

The law of this file: a sentence is read off the journal and nothing else.  The journal speaks of connections and bytes;
the story speaks of writes by their keys ("w17"), so a `Teller` reads the steps in order and remembers which command of
which connection was which.  It never looks ahead: the sentence of a step is the same however the run goes on.

A *beat* is a step that a person cares about: a write moves from one place to the next, a promise is made, something
breaks or recovers.  All other steps (timers, computations, wake-ups) have a sentence too, for whoever goes event by
event, and are no beats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durable_redis import contract as c
from durable_redis.formats.resp import NEED_MORE, CommandParser, ErrorReply, ProtocolError, ReplyParser, Status
from durable_redis.redis.config import Config
from durable_redis.sim import faults
from durable_redis.sim.journal import Arrived, Resumed, Step, Synced, WroteBack

LONGEST_NAME = 12
LONG_FSYNC_US = 50_000
"""An fsync in the server's own thread that takes longer than that is a beat; most are short, and there are many."""
OUTCOMES = {
    "process kill": "the process of {} is killed: its RAM is gone, its page cache stays",
    "power loss": "{} loses power: its RAM and its page cache are gone",
    "disk loss": "{} loses its disk, and everything on it",
}
ENDINGS = {"close": "is closed by", "refuse": "is refused by", "reset": "is reset by"}


class Told(NamedTuple):
    """The sentence of a step, and whether it is a beat."""

    text: str
    beat: bool = False


class Place(NamedTuple):
    """A write in the log: its name, and the position (incr file, byte) behind it."""

    name: str
    incr: int
    end: int


def spoken(argv: Sequence[bytes]) -> str:
    """A command as people say it: `SET w17` (without the value)."""
    words = [word.decode("ascii", "backslashreplace") for word in argv[:2]]
    return " ".join([words[0].upper(), *(word[:LONGEST_NAME] for word in words[1:])]) if words else "nothing"


def label(data: bytes, reply: bool) -> str:
    """What a message on the wire says, in a word or two: `SET w17`, `OK`."""
    try:
        if reply:
            parser = ReplyParser()
            parser.feed(data)
            return _spoken_reply(parser.next())
        commands = CommandParser()
        commands.feed(data)
        argv = commands.next()
    except ProtocolError:
        return f"{len(data)} bytes"
    return f"{len(data)} bytes" if not isinstance(argv, list) else spoken(argv)


def ranged(names: Sequence[str]) -> str:
    """`w1`, `w1 and w2`, `w1 to w12`."""
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]} to {names[-1]}"


class Teller:
    """Tells the steps of one branch, in order."""

    def __init__(self, nodes: Sequence[str], config: Config) -> None:
        self.nodes = tuple(nodes)
        self.config = config
        self.names: dict[tuple[str, int], str] = {}  # (connection, command) -> the write's name
        self._sent: dict[str, list[str]] = {}  # connection -> what was sent on it, in words
        self._open: dict[str, str] = {}  # connection -> the command that waits for an answer
        self._unanswered: dict[str, list[str]] = {}  # connection -> executed writes whose reply was not sent
        self._buffered: list[Place] = []  # executed, not written
        self._unsynced: list[Place] = []  # written, not fsynced
        self._snapshot = ""  # which writes the child saw
        self._executed: list[str] = []  # since the start of this life
        self._extra_fsync_us: dict[str, int] = {}  # machine -> how slow its disk was made

    def tell(self, step: Step) -> Told:
        """The sentence of the next step."""
        what, machine = step.what, step.machine
        who = _who(machine)
        match what:
            case c.Send():
                return self._send(machine, what)
            case Arrived():
                return self._arrived(machine, what)
            case c.Note():
                return self._note(machine, what)
            case c.Append() if self._in_log(what.path):
                return self._append(machine)
            case c.Fsync() if self._in_log(what.path):
                return self._fsync(machine, step.task)
            case Synced():
                return self._synced(machine, what)
            case faults.Crashed():
                return self._crashed(what)
            case c.Rename(new=new) if new == self.config.dbfilename:
                held = f": it holds {self._snapshot}" if self._snapshot else ""
                return Told(f"{who} gives the new snapshot its name, {new}{held}", True)
            case c.Exit(reason=reason):
                return Told(f"{who} ends itself: {reason}", True)
            case WroteBack():
                self._unsynced.clear()
                return Told(f"the kernel of {machine} moves old pages to the platter, unasked", True)
            case tuple():
                return Told(_asked(who, what), True)
            case faults.SlowDisk(machine=slowed, extra_us=extra_us):
                self._extra_fsync_us[slowed] = extra_us
            case faults.HealDisk(machine=healed):
                self._extra_fsync_us.pop(healed, None)
        return Told(_minor(who, step), isinstance(what, faults.Act))

    # -- one kind of step each ---------------------------------------------------------------------------------------

    def _send(self, machine: str, send: c.Send) -> Told:
        who = _who(machine)
        if machine not in self.nodes:
            command = label(send.data, reply=False)
            sent = self._sent.setdefault(send.connection, [])
            sent.append(command)
            self.names[send.connection, len(sent)] = command.partition(" ")[2] or command
            self._open[send.connection] = command
            return Told(f"{who} sends {command}")
        answer = label(send.data, reply=True)
        writes = self._unanswered.pop(send.connection, [])
        if writes and answer == "OK":
            return Told(f"{who} says OK to {ranged(writes)}", True)
        return Told(f"{who} answers {self._open.get(send.connection, 'its client')}: {answer}", True)

    def _arrived(self, machine: str, arrived: Arrived) -> Told:
        who, source = _who(machine), _who(arrived.source)
        match arrived.kind:
            case "open":
                return Told(f"{source} asks {who} for a connection")
            case "accept":
                return Told(f"{who} is connected to {source}")
            case "data" if machine in self.nodes:
                return Told(f"{label(arrived.data, reply=False)} reaches {who}")
            case "data":
                command = self._open.pop(arrived.connection, "its command")
                return Told(f"{who} hears {label(arrived.data, reply=True)} to {command}")
        ending = f"the connection of {who} {ENDINGS.get(arrived.kind, 'is ended by')} {source}"
        waiting = self._open.pop(arrived.connection, "") if machine not in self.nodes else ""
        if waiting:
            return Told(f"{ending}: nobody knows what became of {waiting}", True)
        return Told(ending)

    def _note(self, machine: str, note: c.Note) -> Told:
        facts = note.facts
        match note.kind:
            case "executed":
                key = facts["connection"], facts["command"]
                name = self.names.get(key, f"command {facts['command']}")
                self._executed.append(name)
                self._unanswered.setdefault(facts["connection"], []).append(name)
                if not self.config.appendonly:
                    return Told(f"{machine} executes {name}: in RAM only", True)
                self._buffered.append(Place(name, facts["incr"], facts["end"]))
                return Told(f"{machine} executes {name}: in RAM and AOF buffer", True)
            case "ready":
                return Told(f"{machine} is up, with {_count(facts['keys'], 'key')}", True)
            case "loaded":
                told = f"{machine} has read {facts['file']}: {_count(facts['records'], 'command')}"
                return Told(told, bool(facts["records"]))
            case "log begun":
                return Told(f"{machine} finds no log, and begins one", bool(self.names))
            case "truncated":
                return Told(f"{machine} cuts the torn end off its log, at byte {facts['size']:,}", True)
            case "forked":
                self._snapshot = ranged(self._executed)
                return Told(f"{machine} forks: the child sees memory as it is now", True)
            case "saved":
                failed = f" fails: {facts['error']}" if facts["error"] else " is written and fsynced"
                return Told(f"the snapshot of {machine}{failed}", True)
            case "rewritten":
                return Told(f"the rewritten log of {machine} takes over: a base of {facts['base']:,} bytes", True)
            case "cannot write the log":
                return Told(f"{machine} cannot write its log: {facts['error']}", True)
        return Told(f"{machine} notes: {note.kind}", True)

    def _append(self, machine: str) -> Told:
        if not self._buffered:
            return Told(f"{machine} writes to its log")
        names = [place.name for place in self._buffered]
        self._unsynced += self._buffered
        self._buffered.clear()
        return Told(f"{machine} writes {ranged(names)} to its page cache", True)

    def _fsync(self, machine: str, task: str) -> Told:
        names = [place.name for place in self._unsynced]
        long = task != "main" or self._extra_fsync_us.get(machine, 0) > LONG_FSYNC_US
        covered = f"it covers {ranged(names)}" if names else "there is nothing new for it"
        return Told(f"an fsync of {machine} begins: {covered}", long and bool(names))

    def _synced(self, machine: str, synced: Synced) -> Told:
        if synced.error:
            return Told(f"the fsync of {_file(synced.path)} on {machine} fails: {synced.error}", True)
        if not self._in_log(synced.path):
            what = "the names of its files are" if synced.path.endswith("/") else f"{_file(synced.path)} is"
            return Told(f"{machine} has synced: {what} on the platter")
        incr = int(synced.path.rsplit(".", 3)[-3])
        safe = [place for place in self._unsynced if (place.incr, place.end) <= (incr, synced.size)]
        del self._unsynced[: len(safe)]
        if not safe:
            return Told(f"{machine}'s fsync ends")
        names = [place.name for place in safe]
        verb = "is" if len(names) == 1 else "are"
        return Told(f"{machine}'s fsync ends: {ranged(names)} {verb} on the platter", True)

    def _crashed(self, crashed: faults.Crashed) -> Told:
        text = OUTCOMES[crashed.kind].format(crashed.machine)
        for tail in crashed.tails:
            if tail.path is not None and self._in_log(tail.path):
                text += f"; of the last {tail.unsynced:,} bytes of the log, {tail.kept:,} had reached the platter"
        self._buffered.clear()
        self._unanswered.clear()
        self._executed.clear()
        if crashed.kind != "process kill":
            self._unsynced.clear()
        return Told(text, True)

    def _in_log(self, path: str) -> bool:
        return path.startswith(f"{self.config.appenddirname}/") and path.endswith(".incr.aof")


def _minor(who: str, step: Step) -> str:
    """What is only of interest to whoever goes event by event, and what was done from outside."""
    match step.what:
        case Resumed():
            return f"{who} goes on" if step.task == "main" else f"the {step.task} of {who} goes on"
        case c.Compute(work=work):
            return f"{who} computes: {work}"
        case c.TimerFired(name=name):
            return f"the timer of {who} fires: {name}"
        case c.SetTimer(name=name):
            return f"{who} sets its timer: {name}"
        case c.Connect(peer=peer):
            return f"{who} asks for a connection to {peer}"
        case c.Fsync(path=path):
            return f"{who} begins an fsync of {_file(path)}"
        case c.SyncDirectory():
            return f"{who} begins to sync the names of its files"
        case c.Read(path=path):
            return f"{who} reads {_file(path)}"
        case c.Append(path=path) | c.Write(path=path):
            return f"{who} writes {_file(path)}"
        case c.Rename(new=new):
            return f"{who} gives a file the name {_file(new)}"
        case c.Remove(path=path):
            return f"{who} removes {_file(path)}"
        case c.Truncate(path=path):
            return f"{who} cuts {_file(path)}"
        case c.Fork(name=name):
            return f"{who} starts a child: {name}"
        case faults.Restart(machine=machine):
            return f"{machine} is started again: it reads its disk"
        case faults.SlowDisk(machine=machine, extra_us=extra_us):
            return f"the disk of {machine} turns slow: every fsync takes {extra_us / 1000:g} ms longer"
        case faults.FailDisk(machine=machine, operation=operation):
            return f"the disk of {machine} turns bad: every {operation} fails"
        case faults.HealDisk(machine=machine):
            return f"the disk of {machine} is well again"
        case faults.BitRot(machine=machine, path=path):
            return f"a bit of {_file(path)} turns over on {machine}"
        case faults.Hold(message=number):
            return f"message {number} is held on the wire"
        case faults.Release(message=number):
            return f"message {number} is let go"
    return f"{who}: {type(step.what).__name__.lower()}"


def _asked(who: str, what: tuple[object, ...]) -> str:
    match what:
        case ("write", count, every_ms):
            return f"{who} begins: {_count(count, 'write')}, one every {every_ms} ms"
        case ("command", *words):
            return f"{who} asks for {spoken([word for word in words if isinstance(word, bytes)])}"
    return f"{who}: {what[0]}"


def _spoken_reply(reply: object) -> str:
    match reply:
        case Status(text=text):
            return text.decode("ascii", "backslashreplace")
        case ErrorReply(text=text):
            return f"error {text.partition(' ')[0]}"
        case bytes():
            return reply[:LONGEST_NAME].decode("ascii", "backslashreplace")
        case None:
            return "nothing there"
        case int():
            return str(reply)
    return "an answer" if reply is not NEED_MORE else "a part of an answer"


def _who(machine: str) -> str:
    return {"client": "the client", "you": "the operator"}.get(machine, machine)


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _count(number: object, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
