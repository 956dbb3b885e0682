"""The replica's side: the link to the primary, and what comes over it.

The link goes from phase to phase (`phase`), and from each of them back to CONNECT.  Nothing that a primary sends ends
this process: a damaged snapshot, a broken stream, nonsense, silence for longer than repl-timeout are a reason, written
down, to hang up and try again.  (Redis ends its own process over a damaged snapshot that it has stored; we look at it
before we throw our own data away.)

*When the link breaks, a replica keeps what it has, and its position.*  Only a snapshot that has arrived whole replaces
the data.

What is done with a snapshot and with the stream is the subject of `replay`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Close, Compute, Connect, Effect, Effects, Note, Send
from durable_redis.engine.keyspace import DATABASES
from durable_redis.formats.rdb import RdbError, decode
from durable_redis.formats.resp import encode_command
from durable_redis.redis.config import DEFAULT_PORT, is_address
from durable_redis.redis.persistence import aof
from durable_redis.redis.replication import replay
from durable_redis.redis.replication.history import ANY, new_id
from durable_redis.redis.replication.phase import TRANSITIONS, Phase
from durable_redis.redis.replication.stream import Stream, Unit
from durable_redis.redis.replication.transfer import LONGEST_LINE, Transfer, TransferError

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

_MAY_BE_SAID_TO_PING = ("+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted")


class Replica:
    """The link of one server to its primary.  `primary` is "" on a server that has none: then it is one."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.primary = ""
        self.port = DEFAULT_PORT
        self.phase = Phase.NONE
        self.connection: str | None = None
        self.can_continue = False  # the server's (replid, offset) is a place where a primary may let us go on
        self.selected_db = 0  # the database that the stream's last SELECT named
        self.last_io_us = 0
        self.down_since_us = 0  # when the link to the primary broke; 0: it is up, or there was none in this role
        self.transfer = Transfer()
        self.output = bytearray()  # leaves after the log is written, like a reply
        self._line = bytearray()
        self._answers_due: list[str] = []
        self._promised = ("", 0)  # what the snapshot that is arriving will be
        self._stream = Stream()
        self._last_reason = ""

    @property
    def address(self) -> str:
        """Whom it follows, as REPLICAOF says it; "" on a primary."""
        return f"{self.primary} {self.port}" if self.primary else ""

    @property
    def link(self) -> str:
        """ "up" or "down", "" on a primary."""
        return ("up" if self.phase is Phase.CONNECTED else "down") if self.primary else ""

    @property
    def unread(self) -> int:
        """Bytes of the stream that have arrived and are not executed: of an unfinished command or transaction."""
        return self._stream.waiting

    def enter(self, phase: Phase) -> None:
        assert phase in TRANSITIONS[self.phase], f"the link cannot go from {self.phase.value} to {phase.value}"
        self.phase = phase

    # -- roles -------------------------------------------------------------------------------------------------------

    def begin(self, primary: str, port: str = str(DEFAULT_PORT)) -> None:
        """Be a replica from the start: the configuration says so."""
        self.primary, self.port = primary, int(port)
        self.server.engine.is_replica = True
        self.enter(Phase.CONNECT)

    def follow(self, primary: str, port: int, now: int) -> Effects:
        """REPLICAOF: from now on repeat what this primary does (replication.c `replicationSetMaster`)."""
        server = self.server
        was_primary = not self.primary
        if self.connection is not None:
            yield from self._hang_up(f"it shall follow {primary} now", now)
        server.primary.waiters.give_up()
        if was_primary:
            # We hold (replid, offset) of our own history: the new primary may have been our replica, and let us go on.
            server.primary.create_backlog()
            self.can_continue = True
            self.selected_db = 0  # any will do: its stream begins with a SELECT
        self.primary, self.port = primary, port
        self._last_reason = ""
        self._changed_role()
        if self.phase is not Phase.CONNECT:
            self.enter(Phase.CONNECT)
        yield server.role_note()
        yield from self._connect(now)

    def lead(self, now: int) -> Effects:
        """REPLICAOF NO ONE: become a primary, with a history of one's own (replication.c `replicationUnsetMaster`)."""
        server = self.server
        if not self.primary:
            return
        if self.connection is not None:
            yield from self._hang_up("it shall be a primary now", now)
        self.primary, self.can_continue = "", False
        self.down_since_us = 0  # whoever demotes it must be reached once, before one speaks of a link that is down
        self.enter(Phase.NONE)
        server.history = server.history.continued_as(new_id(server.random), server.offset)
        # Our replicas must hear of the new name; they will be able to go on under the old one.
        yield from server.primary.drop_all("this server is a primary now: ask again", now)
        self._changed_role()
        server.primary.alone_since_us = now
        if server.config.appendonly and server.aof.state is aof.State.OFF:
            yield from server.rewrite.switch_on(now)
        yield server.role_note()

    def _changed_role(self) -> None:
        server = self.server
        if is_address(self.address):  # a file could hold no other
            server.config = server.config.edited(replicaof=self.address)
        server.engine.is_replica = bool(self.primary) or server.pause.active
        server.selected_db = None  # the stream goes on with a SELECT: a replica may have come from elsewhere

    # -- the link ----------------------------------------------------------------------------------------------------

    def _connect(self, now: int) -> Effects:
        self.enter(Phase.CONNECTING)
        self._line.clear()
        self.last_io_us = now
        self.connection = yield Connect(self.primary)

    def cron(self, now: int) -> Effects:
        """Once a second: lose patience, try again, say how far we are (replication.c `replicationCron`)."""
        timeout_s = self.server.config.repl_timeout
        if self.connection is not None and now - self.last_io_us > timeout_s * 1_000_000:
            yield from self._fail(f"silence for more than repl-timeout, {timeout_s} s", now)
        if self.phase is Phase.CONNECT:
            yield from self._connect(now)
        if self.phase is Phase.CONNECTED:
            self.acknowledge()

    def opened(self, connection: str, now: int) -> Effects:
        """The connection that we asked for is there."""
        if connection != self.connection:
            return
        self.last_io_us = now
        self.enter(Phase.PING)
        yield Send(connection, encode_command([b"PING"]))

    def closed(self, connection: str, reason: str, now: int) -> Effects:
        """The connection is gone, or could not be made."""
        if connection != self.connection:
            return
        was_connected = self.phase is Phase.CONNECTED
        self.connection = None
        yield from self._lost(reason, now)
        if was_connected:  # do not wait for the cron: meanwhile the backlog moves on
            yield from self._connect(now)

    def _fail(self, reason: str, now: int) -> Effects:
        yield from self._hang_up(reason, now)
        self._last_reason = reason

    def _hang_up(self, reason: str, now: int) -> Effects:
        if self.connection is not None:
            yield Close(self.connection)
            self.connection = None
        yield from self._lost(reason, now)

    def _lost(self, reason: str, now: int) -> Effects:
        """Half a transaction, half a snapshot, what was not understood: all of it will be asked for again."""
        was_up = self.phase is Phase.CONNECTED
        if was_up:
            self.down_since_us = now
        self.enter(Phase.CONNECT)
        self.output.clear()
        self._stream, self.transfer = Stream(), Transfer()
        if was_up or reason != self._last_reason:
            yield self._link_note("down", reason)
        self._last_reason = reason

    def _link_note(self, state: str, reason: str) -> Note:
        return Note("link", {"state": state, "primary": self.primary, "reason": reason})

    # -- the handshake -----------------------------------------------------------------------------------------------

    def received(self, connection: str, data: bytes, now: int) -> Effects:
        """Bytes from the primary."""
        if connection != self.connection:
            return
        self.last_io_us = now
        while data and self.connection == connection:
            match self.phase:
                case Phase.CONNECTED:
                    yield from self._apply(self._stream.feed(data), now)
                    return
                case Phase.TRANSFER:
                    data = yield from self._transfer(data, now)
                case _:
                    line, end, data = data.partition(b"\n")
                    self._line += line
                    if len(self._line) > LONGEST_LINE:
                        yield from self._fail(f"a line of more than {LONGEST_LINE} bytes came as an answer", now)
                    elif end:
                        text, self._line = self._line.decode("ascii", "backslashreplace").rstrip("\r"), bytearray()
                        yield from self._answered(text, now)

    def _answered(self, line: str, now: int) -> Effects:
        assert self.connection is not None
        match self.phase:
            case Phase.PING if line.startswith(_MAY_BE_SAID_TO_PING):
                yield from self._introduce(self.connection)
            case Phase.PING:
                yield from self._fail(f"PING was answered with {line[:80]}", now)
            case Phase.INTRODUCE:
                about = self._answers_due.pop(0)
                if about == "AUTH" and line.startswith("-"):
                    yield from self._fail(f"the primary refuses our password: {line[1:80]}", now)
                elif not self._answers_due:  # who does not know REPLCONF may still know PSYNC
                    yield from self._ask(self.connection)
            case Phase.PSYNC if line:  # an empty line only says that the primary lives
                yield from self._decided(line, now)

    def _introduce(self, connection: str) -> Effects:
        self.enter(Phase.INTRODUCE)
        config = self.server.config
        commands = [[b"REPLCONF", b"listening-port", b"%d" % DEFAULT_PORT]]
        commands += [[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]]
        if config.masterauth:
            commands.insert(0, [b"AUTH", config.masterauth.encode()])
        self._answers_due = [command[0].decode() for command in commands]
        yield Send(connection, b"".join(map(encode_command, commands)))

    def _ask(self, connection: str) -> Effects:
        """PSYNC: for what comes after our last byte, or for everything."""
        self.enter(Phase.PSYNC)
        server = self.server
        words = [ANY, "-1"] if not self.can_continue else [server.history.replid, str(server.offset + 1)]
        if server.failover.in_progress:
            words.append("FAILOVER")
        yield Send(connection, encode_command([b"PSYNC", *(word.encode() for word in words)]))

    def _decided(self, line: str, now: int) -> Effects:
        """What the primary answered to PSYNC (replication.c `slaveTryPartialResynchronization`)."""
        server = self.server
        words = line.split()
        fresh = len(words) == 3 and len(words[1]) == 40 and words[2].isdecimal()
        accepted = (words[0] == "+FULLRESYNC" and fresh) or (words[0] == "+CONTINUE" and self.can_continue)
        yield from server.failover.answered(accepted, now)
        if not accepted or self.phase is not Phase.PSYNC:
            if self.phase is Phase.PSYNC:
                yield from self._fail(f"PSYNC was answered with {line[:120]}", now)
        elif words[0] == "+FULLRESYNC":
            self._promised = words[1], int(words[2])
            self.transfer = Transfer()
            self.enter(Phase.TRANSFER)
        else:
            if len(words) > 1 and len(words[1]) == 40 and words[1] != server.history.replid:
                # The same stream has another name now; our own replicas must hear of it.
                server.history = server.history.continued_as(words[1], server.offset)
                yield server.role_note()
                yield from server.primary.drop_all("the history has another name now: ask again", now)
            server.primary.create_backlog()
            yield from self._connected("partial", now)

    def _connected(self, how: str, now: int) -> Effects:
        server = self.server
        self.enter(Phase.CONNECTED)
        self.can_continue = True
        self.down_since_us = 0
        self._last_reason = ""
        self._stream = Stream()
        yield Note("synced", {"how": how, "primary": self.primary, **server.place()})
        yield self._link_note("up", how)

    # -- a snapshot --------------------------------------------------------------------------------------------------

    def _transfer(self, data: bytes, now: int) -> Generator[Effect, Any, bytes]:
        """Take a part of the snapshot; returns what belongs to the stream already."""
        transfer = self.transfer
        try:
            transfer.feed(data)
            if transfer.content is None:
                return b""
            rdb = decode(transfer.content, "the primary's snapshot", databases=DATABASES)
            if rdb.end != len(transfer.content):
                raise TransferError(f"{len(transfer.content) - rdb.end} bytes stand behind the end of the snapshot")
        except (TransferError, RdbError) as error:
            yield from self._fail(str(error), now)
            return b""
        disk_error = yield from replay.store(self.server, transfer.content)
        if disk_error is not None:
            yield from self._fail(f"the snapshot cannot be stored: {disk_error}", now)
            return b""
        self.can_continue = False
        yield from replay.replace_all(self.server, rdb, self._promised, len(transfer.content), now)
        yield from self._connected("full", now)
        if transfer.marked:  # the primary waits for this word
            self.acknowledge()
        return transfer.rest

    # -- the stream --------------------------------------------------------------------------------------------------

    def acknowledge(self) -> None:
        """Say how far we are: what is executed, and what is on the disk if there is a log (as 7.2 does)."""
        words = [b"REPLCONF", b"ACK", b"%d" % self.server.offset]
        if self.server.aof.logging:
            words += [b"FACK", b"%d" % self.server.aof.fsynced_offset]
        self.output += encode_command(words)

    def send(self) -> Effects:
        """Hand over to the kernel what we have to say: after the log is written, as with any reply."""
        if self.output and self.connection is not None:
            yield Send(self.connection, bytes(self.output))
        self.output.clear()

    def _apply(self, units: list[Unit], now: int) -> Effects:
        """Execute what has arrived, count its bytes, keep and pass on the very same bytes."""
        server = self.server
        if units:
            yield Compute("replay", sum(len(unit.commands) for unit in units))
            for unit in units:
                yield from replay.execute(server, unit, now)
                server.offset += len(unit.data)
                server.primary.feed(unit.data)
            yield Note("applied", server.place())
        if self._stream.broken:
            # Where the next command begins nobody knows: going on after a reconnection would be a guess.
            self.can_continue = False
            yield from self._fail(f"the stream of the primary broke: {self._stream.broken}", now)
