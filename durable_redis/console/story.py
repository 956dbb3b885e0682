"""The story of a run: what each step of the journal says in plain words, and which steps a person cares about.

The law of this file: a sentence is read off the journal and nothing else.  The journal speaks of connections and bytes;
the story speaks of writes by their keys ("w17"), so a `Teller` reads the steps in order and remembers which command of
which connection was which.  It never looks ahead: the sentence of a step is the same however the run goes on.

A *beat* is a step that a person cares about: a write moves from one place to the next, a promise is made, something
breaks or recovers.  All other steps (timers, computations, wake-ups) have a sentence too, for whoever goes event by
event, and are no beats.  Of a replica's disk no step is a beat: there would be too many.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from durable_redis import contract as c
from durable_redis.console import messages, news
from durable_redis.console.minor import asked, file_name, minor
from durable_redis.console.news import Told
from durable_redis.console.words import commands, counted, label, named, ranged
from durable_redis.redis.config import Config
from durable_redis.sim import faults
from durable_redis.sim.journal import Arrived, GaveUp, Step, Synced, WentOn, WroteBack

LONG_FSYNC_US = 50_000
"""An fsync in the server's own thread that takes longer than that is a beat; most are short, and there are many."""
OUTCOMES = {
    "process kill": "the process of {} is killed: its RAM is gone, its page cache stays",
    "power loss": "{} loses power: its RAM and its page cache are gone",
    "disk loss": "{} loses its disk, and everything on it",
}
ROUTING = ("ROLE", "SENTINEL", "ENDPOINT", "CLUSTER")
"""What a client asks to find its server; of its other commands, the answers are beats."""
ENDINGS = {"close": "is closed by", "refuse": "is refused by", "reset": "is reset by"}


class Asked(NamedTuple):
    """A command of a client: how the story calls the write that it asks for, and its key."""

    name: str
    key: bytes


class Place(NamedTuple):
    """A write in the log: its name, and the position (incr file, byte) behind it."""

    name: str
    incr: int
    end: int


@dataclass(slots=True)
class Server:
    """What the story remembers of a server."""

    is_primary: bool = True
    ready: bool = False
    unanswered: dict[str, list[str]] = field(default_factory=dict)  # connection -> executed writes, not answered
    buffered: list[Place] = field(default_factory=list)  # executed, not written
    unsynced: list[Place] = field(default_factory=list)  # written, not fsynced
    executed: list[str] = field(default_factory=list)  # since the start of this life
    snapshot: str = ""  # which writes the child saw
    offset: int = 0  # of the stream, up to which it has applied
    logged: int = 0  # likewise, up to which a shared log has it
    replid: str = ""
    extra_fsync_us: int = 0


class Teller:
    """Tells the steps of one branch, in order.  `people` are the machines of the clients and of the operator."""

    def __init__(self, nodes: Sequence[str], config: Config, people: Collection[str]) -> None:
        self.servers = {name: Server() for name in nodes}
        self.config = config
        self.people = people
        self.asked: dict[tuple[str, int], Asked] = {}  # (connection, command)
        self._sent: dict[str, int] = {}  # connection -> how many commands were sent on it
        self._open: dict[str, str] = {}  # connection -> the command that waits for an answer
        self._diskless: dict[str, None] = {}  # servers that have their data from a shared log
        self._streams: dict[str, list[tuple[int, str]]] = {}  # replid -> (offset behind it, write), ascending

    def tell(self, step: Step) -> Told:
        """The sentence of the next step."""
        what, machine = step.what, step.machine
        who = named(machine)
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
            case c.Rename(new=new) if new == self.config.dbfilename and machine in self.servers:
                snapshot = self.servers[machine].snapshot
                held = f": it holds {snapshot}" if snapshot else ""
                return Told(f"{who} gives the new snapshot its name, {new}{held}", self.servers[machine].is_primary)
            case c.Exit(reason=reason):
                return Told(f"{who} ends itself: {reason}", True)
            case WroteBack():
                return self._wrote_back(machine)
            case tuple():
                return Told(asked(who, what), True)
            case faults.SlowDisk(machine=slowed, extra_us=extra_us) if slowed in self.servers:
                self.servers[slowed].extra_fsync_us = extra_us
            case faults.HealDisk(machine=healed) if healed in self.servers:
                self.servers[healed].extra_fsync_us = 0
            case faults.Restart(machine=started) if started in self._diskless:
                return Told(f"{named(started)} is started again, with nothing", True)
        matters = isinstance(what, faults.Act | WentOn) or (isinstance(what, GaveUp) and self._is_data(machine, what))
        return Told(minor(who, step), matters)

    # -- messages ----------------------------------------------------------------------------------------------------

    def _send(self, machine: str, send: c.Send) -> Told:
        who, (opener, accepter) = named(machine), ends(send.connection)
        if machine in self.people:
            return self._send_command(machine, send)
        if opener not in self.people:
            text = messages.between_machines(send.data) or messages.chatter(send.data)
            return Told(f"{who} sends {named(accepter if machine == opener else opener)} {text}")
        answer = label(send.data, reply=True)
        server = self.servers.get(machine)
        writes = server.unanswered.pop(send.connection, []) if server else []
        if writes and answer == "OK":
            return Told(f"{who} says OK to {ranged(writes)}", True)
        command = self._open.get(send.connection, "its client")
        if command.split(" ")[0] in ROUTING:
            return Told(f"{who} answers {command}")
        if answer.startswith("# "):
            return Told(f"{who} answers {command}", True)  # a page of INFO, of which the first letters say nothing
        return Told(f"{who} answers {command}: {answer}", True)

    def _send_command(self, machine: str, send: c.Send) -> Told:
        argv = (commands(send.data) or [[]])[0]
        command = label(send.data, reply=False)
        number = self._sent[send.connection] = self._sent.get(send.connection, 0) + 1
        key = argv[1] if len(argv) > 1 else b""
        self.asked[send.connection, number] = Asked(command.partition(" ")[2] or command, key)
        self._open[send.connection] = command
        return Told(f"{named(machine)} sends {command}")

    def _arrived(self, machine: str, arrived: Arrived) -> Told:
        who, source = named(machine), named(arrived.source)
        opener, _ = ends(arrived.connection)
        match arrived.kind:
            case "open":
                return Told(f"{source} asks {who} for a connection")
            case "accept":
                return Told(f"{who} is connected to {source}")
            case "data" if opener not in self.people:
                text = messages.between_machines(arrived.data) or messages.chatter(arrived.data)
                return Told(f"{text} from {source} reaches {who}")
            case "data" if machine not in self.people:
                return Told(f"{label(arrived.data, reply=False)} reaches {who}")
            case "data":
                command = self._open.pop(arrived.connection, "its command")
                return Told(f"{who} hears {label(arrived.data, reply=True)} to {command}")
        ending = f"the connection of {who} {ENDINGS.get(arrived.kind, 'is ended by')} {source}"
        waiting = self._open.pop(arrived.connection, "") if machine in self.people else ""
        if waiting:
            return Told(f"{ending}: nobody knows what became of {waiting}", True)
        return Told(ending)

    def _is_data(self, machine: str, gave_up: GaveUp) -> bool:
        """Whether a connection between a server and a client, or between two servers, was given up."""
        return all(name in self.servers or name in self.people for name in (machine, gave_up.peer))

    # -- notes -------------------------------------------------------------------------------------------------------

    def _note(self, machine: str, note: c.Note) -> Told:
        told = self._server_note(machine, note) if machine in self.servers else None
        told = told or news.tell(machine, note.kind, note.facts)
        return told or Told(f"{named(machine)} notes: {note.kind}", True)

    def _server_note(self, machine: str, note: c.Note) -> Told | None:
        facts, server = note.facts, self.servers[machine]
        match note.kind:
            case "executed":
                return self._executed(machine, facts)
            case "applied":
                return self._applied(machine, facts)
            case "role":
                return self._role(machine, facts)
            case "synced":
                server.offset = facts["offset"]
            case "appended":
                return self._appended(machine, facts)
            case "ready":
                self._diskless |= {machine: None} if facts.get("from") == "log" else {}
                server.ready, server.offset = True, facts.get("offset", 0)
                return Told(f"{machine} is up, with {counted(facts['keys'], 'key')}", True)
            case "loaded":
                told = f"{machine} has read {facts['file']}: {counted(facts['records'], 'command')}"
                return Told(told, bool(facts["records"]))
            case "log begun":
                return Told(f"{machine} finds no log, and begins one", bool(self.asked))
            case "truncated":
                return Told(f"{machine} cuts the torn end off its log, at byte {facts['size']:,}", True)
            case "forked":
                server.snapshot = ranged(server.executed)
                return Told(f"{machine} forks: the child sees memory as it is now", server.is_primary)
            case "saved":
                failed = f" fails: {facts['error']}" if facts["error"] else " is written and fsynced"
                return Told(f"the snapshot of {machine}{failed}", True)
            case "rewritten":
                told = f"the rewritten log of {machine} takes over: a base of {facts['base']:,} bytes"
                return Told(told, server.is_primary)
            case "cannot write the log":
                return Told(f"{machine} cannot write its log: {facts['error']}", True)
            case "cannot fsync the log":
                return Told(f"{machine} cannot fsync its log: {facts['error']}", True)
        return None

    def _executed(self, machine: str, facts: Any) -> Told:
        server, connection = self.servers[machine], facts["connection"]
        asked = self.asked.get((connection, facts["command"]))
        name = asked.name if asked else f"command {facts['command']}"
        server.executed.append(name)
        server.unanswered.setdefault(connection, []).append(name)
        if "replid" in facts:
            server.replid = facts["replid"]
            self._streams.setdefault(facts["replid"], []).append((facts["offset"], name))
        if not self.config.appendonly:
            return Told(f"{machine} executes {name}: in RAM only", True)
        server.buffered.append(Place(name, facts["incr"], facts["end"]))
        return Told(f"{machine} executes {name}: in RAM and AOF buffer", True)

    def _appended(self, machine: str, facts: Any) -> Told | None:
        """The shared log has what a server sent, up to an offset."""
        server = self.servers[machine]
        stream, offset = self._streams.get(server.replid, []), facts["offset"]
        begin, end = (bisect_right(stream, place, key=lambda write: write[0]) for place in (server.logged, offset))
        server.logged = max(server.logged, offset)
        names = [name for _, name in stream[begin:end]]
        return Told(f"the log has {ranged(names)} of {machine}", True) if names else None

    def _applied(self, machine: str, facts: Any) -> Told:
        """A replica has executed the stream of its primary up to an offset."""
        server, stream, offset = self.servers[machine], self._streams.get(facts["replid"], []), facts["offset"]
        begin, end = (bisect_right(stream, place, key=lambda write: write[0]) for place in (server.offset, offset))
        server.offset = max(server.offset, offset)
        names = [name for _, name in stream[begin:end]]
        if not names:
            return Told(f"{machine} follows the stream of its primary, up to offset {offset:,}")
        server.executed += names
        if self.config.appendonly:
            server.buffered += [Place(name, facts["incr"], facts["end"]) for name in names]
        return Told(f"{machine} applies {ranged(names)}", True)

    def _role(self, machine: str, facts: Any) -> Told:
        server, primary = self.servers[machine], facts["primary"]
        was_primary, server.is_primary = server.is_primary, facts["role"] == "primary"
        if not server.ready:
            role = f"as a replica of {primary}" if primary else "as a primary"
            return Told(f"{machine} starts {role}")
        if primary:
            return Told(f"{machine} {'becomes a replica of' if was_primary else 'now follows'} {primary}", True)
        if was_primary:
            return Told(f"{machine} gives its history a new name", False)
        return Told(f"{machine} is a primary now, with a history of its own from offset {facts['offset']:,} on", True)

    # -- the disk ----------------------------------------------------------------------------------------------------

    def _append(self, machine: str) -> Told:
        server = self.servers[machine]
        if not server.buffered:
            return Told(f"{machine} writes to its log")
        names = [place.name for place in server.buffered]
        server.unsynced += server.buffered
        server.buffered.clear()
        return Told(f"{machine} writes {ranged(names)} to its page cache", server.is_primary)

    def _fsync(self, machine: str, task: str) -> Told:
        server = self.servers[machine]
        names = [place.name for place in server.unsynced]
        long = task != "main" or server.extra_fsync_us > LONG_FSYNC_US
        covered = f"it covers {ranged(names)}" if names else "there is nothing new for it"
        return Told(f"an fsync of {machine} begins: {covered}", long and bool(names) and server.is_primary)

    def _synced(self, machine: str, synced: Synced) -> Told:
        if synced.error:
            return Told(f"the fsync of {file_name(synced.path)} on {machine} fails: {synced.error}", True)
        if not self._in_log(synced.path):
            what = "the names of its files are" if synced.path.endswith("/") else f"{file_name(synced.path)} is"
            return Told(f"{machine} has synced: {what} on the platter")
        server, incr = self.servers[machine], int(synced.path.rsplit(".", 3)[-3])
        safe = [place for place in server.unsynced if (place.incr, place.end) <= (incr, synced.size)]
        del server.unsynced[: len(safe)]
        if not safe:
            return Told(f"{machine}'s fsync ends")
        names = [place.name for place in safe]
        verb = "is" if len(names) == 1 else "are"
        return Told(f"{machine}'s fsync ends: {ranged(names)} {verb} on the platter", server.is_primary)

    def _wrote_back(self, machine: str) -> Told:
        server = self.servers.get(machine)
        if server is not None:
            server.unsynced.clear()
        beat = server is not None and server.is_primary
        return Told(f"the kernel of {machine} moves old pages to the platter, unasked", beat)

    def _crashed(self, crashed: faults.Crashed) -> Told:
        text = OUTCOMES[crashed.kind].format(crashed.machine)
        for tail in crashed.tails:
            if tail.path is not None and self._in_log(tail.path):
                text += f"; of the last {tail.unsynced:,} bytes of the log, {tail.kept:,} had reached the platter"
        before = self.servers.get(crashed.machine)
        if before is not None:
            unsynced = before.unsynced if crashed.kind == "process kill" else []
            after = Server(before.is_primary, unsynced=unsynced, snapshot=before.snapshot)
            after.extra_fsync_us = before.extra_fsync_us
            self.servers[crashed.machine] = after
        return Told(text, True)

    def _in_log(self, path: str) -> bool:
        return path.startswith(f"{self.config.appenddirname}/") and path.endswith(".incr.aof")


def ends(connection: str) -> tuple[str, str]:
    """Who opened a connection, and to whom: it is in the name, `n2>n1#3`."""
    opener, _, rest = connection.partition(">")
    return opener, rest.rpartition("#")[0]
