"""The engine: one Redis in memory.

It executes commands on a keyspace and says what must be told to others.  It knows nothing of connections, files,
replicas or clocks: time comes in with every command, luck from the `random.Random` it was given.

**Effects, not commands.**  What a log or a replica must get is not what the client said but what happened: a fixed
member instead of SPOP's luck, an absolute time instead of `EX 10`, a DEL for a key that expired on being touched.
`execute` collects these effects; `take_effects` hands them over as (database, argv).  The law, and a test: applied in
order to an empty engine, all effects give the same keyspace.  Several effects of one command or transaction stand
between MULTI and EXEC, a single one stands alone (Redis 7.0, server.c `propagatePendingCommands`).

**Expiry.**  A key has an absolute time in milliseconds, and is expired when the clock has *passed* it.  A primary
deletes it when a command touches it (`expire_if_due`) or when its turn comes (`expire_cycle`), and propagates a DEL.  A
replica (`is_replica`) only hides it and waits for that DEL; `apply`, used for loading and by replicas, ignores expiry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from durable_redis.engine.commands import COMMANDS
from durable_redis.engine.errors import CommandError, wrong_arity
from durable_redis.engine.keyspace import Database, Keyspace
from durable_redis.engine.session import Session
from durable_redis.engine.table import Call, Command
from durable_redis.formats.resp import OK, ErrorReply, Reply, Status

if TYPE_CHECKING:
    from random import Random

    from durable_redis.formats.rdb import Entry

Effect: TypeAlias = tuple[int, list[bytes]]
"""A write to be repeated elsewhere: the database's number, and the command with its name first."""

QUEUED = Status(b"QUEUED")

_TRANSACTION_MARKS = (b"MULTI", b"EXEC")
_REDIRECTIONS = ("MOVED", "CROSSSLOT", "CLUSTERDOWN")


class Engine:
    """A keyspace, a command table, and the effects that have not been taken yet.

    * `dirty`: changes since whoever counts them (the server, at a save) last set it to 0.
    * `is_replica`: expired keys are hidden, not deleted.
    * `admit`: if set, asked before a command is run or queued; an ErrorReply from it refuses the command (NOAUTH,
      READONLY, LOADING, MISCONF ...), and inside a transaction aborts it.
    """

    def __init__(self, random: Random, commands: Iterable[Command] = COMMANDS) -> None:
        self.random = random
        self.keyspace = Keyspace()
        self.dirty = 0
        self.expired_keys = 0
        self.is_replica = False
        self.admit: Callable[[Session, Command, list[bytes]], ErrorReply | None] | None = None
        self.commands: dict[str, Command] = {}
        self._by_word: dict[bytes, Command] = {}
        self._loading = False
        self._effects: list[Effect] = []
        self._call = Call()
        self._call.engine = self
        self._call.replacement = None
        self._applier = Session("apply")
        self.add_commands(commands)

    # -- the command table -------------------------------------------------------------------------------------------

    def add_commands(self, commands: Iterable[Command]) -> None:
        """Add rows to the command table; one of the same name replaces the older."""
        for command in commands:
            self.commands[command.name] = command
            name = command.name.encode("ascii")
            self._by_word[name] = self._by_word[name.upper()] = command

    def lookup(self, argv: Sequence[bytes]) -> Command | ErrorReply:
        """The command that these words call, its subcommand where it has some, or why there is none."""
        command = self._by_word.get(argv[0]) or self._by_word.get(argv[0].lower())
        if command is None:
            return unknown_command(argv)
        if command.subcommands and len(argv) > 1:
            name = f"{command.name}|{argv[1].decode('latin-1').lower()}"
            wanted = [subcommand for subcommand in command.subcommands if subcommand.name == name]
            if not wanted:
                return unknown_subcommand(command, argv)
            command = wanted[0]
        if not command.least <= len(argv) <= command.most:
            return ErrorReply(wrong_arity(command.name))
        return command

    # -- running commands --------------------------------------------------------------------------------------------

    def execute(self, session: Session, argv: list[bytes], now_ms: int) -> Reply:
        """Run one command of a client, or queue it in the client's transaction.

        Never raises for what a client can send.  `argv` must not be changed afterwards: it may be an effect.
        """
        command = self._by_word.get(argv[0])
        if command is None or command.subcommands or not command.least <= len(argv) <= command.most:
            found = self.lookup(argv)
            if isinstance(found, ErrorReply):
                return self.refuse(session, argv, found)
            command = found
        if self.admit is not None and (refusal := self.admit(session, command, argv)) is not None:
            return self.refuse(session, argv, refusal)
        if session.queue is not None and not command.at_once:
            return self._queue(session, command, argv)

        effects = self._effects
        before = len(effects)
        reply = self.run(session, command, argv, now_ms)
        if len(effects) > before + 1:
            self._wrap(before)
        return reply

    def run(self, session: Session, command: Command, argv: list[bytes], now_ms: int) -> Reply:
        """Run a command that was looked up before, and collect its effects: a step of `execute` and of EXEC."""
        call = self._call
        call.session = session
        call.database = self.keyspace.databases[session.db]
        call.argv = argv
        call.now_ms = now_ms
        dirty = self.dirty
        if command.writes and self.is_replica and not self._loading:
            self._forget_expired(call.database, command.keys(argv), now_ms)
        try:
            reply = command.handler(call)
        except CommandError as error:
            return ErrorReply(error.text)
        if command.writes and (self.dirty != dirty or call.replacement is not None):
            if call.replacement is None:
                self._effects.append((call.database.index, argv))
            else:
                self._effects += [(call.database.index, effect) for effect in call.replacement]
        call.replacement = None
        return reply

    def refuse(self, session: Session, argv: Sequence[bytes], error: ErrorReply) -> ErrorReply:
        """Answer an error instead of running a command; a transaction in progress will not run either.

        If EXEC itself is refused, the transaction ends now (multi.c `execCommandAbort`).  A cluster's redirection is
        answered as it is, since the client must understand it (server.c `processCommand`)."""
        if argv[0].upper() == b"EXEC":
            session.end_transaction()
            if error.code in _REDIRECTIONS:
                return error
            return ErrorReply(f"EXECABORT Transaction discarded because of: {error.text.removeprefix('ERR ')}")
        if session.queue is not None:
            session.aborted = True
        return error

    def _queue(self, session: Session, command: Command, argv: list[bytes]) -> Reply:
        assert session.queue is not None
        if command.has_flag("no_multi"):
            return self.refuse(session, argv, ErrorReply("ERR Command not allowed inside a transaction"))
        session.queue.append((command, argv))
        return QUEUED

    def apply(self, db: int, argv: list[bytes], now_ms: int) -> Reply:
        """Repeat an effect: of a log that is being loaded, or of this replica's primary.

        Expiry is ignored, so that a key which the log goes on using is not deleted meanwhile, and nothing is collected
        for propagation.  MULTI and EXEC do nothing here: whoever reads the stream decides what a torn group means.
        """
        if argv[0].upper() in _TRANSACTION_MARKS:
            return OK
        command = self.lookup(argv)
        if isinstance(command, ErrorReply):
            return command
        session = self._applier
        session.db = db
        before = len(self._effects)
        self._loading = True
        reply = self.run(session, command, argv, now_ms)
        self._loading = False
        del self._effects[before:]
        return reply

    # -- effects -----------------------------------------------------------------------------------------------------

    def take_effects(self) -> list[Effect]:
        """What has to be propagated since the last call, in order.  The lists inside must not be changed."""
        effects = self._effects
        if effects:
            self._effects = []
        return effects

    def _wrap(self, start: int) -> None:
        """Put the effects from `start` on between MULTI and EXEC, so that nobody ever sees half of them."""
        effects = self._effects
        effects.insert(start, (effects[start][0], [b"MULTI"]))
        effects.append((effects[-1][0], [b"EXEC"]))

    # -- expiry ------------------------------------------------------------------------------------------------------

    @property
    def deletes_expired(self) -> bool:
        """Whether this engine decides on its own that a key is gone: a primary, and not while it applies effects."""
        return not (self.is_replica or self._loading)

    def expire_if_due(self, database: Database, key: bytes, now_ms: int) -> bool:
        """Whether a key must be treated as missing because its time has passed; a primary deletes it at once."""
        at_ms = database.expires.get(key)
        if at_ms is None or now_ms <= at_ms or self._loading:
            return False
        if not self.is_replica:
            self._expire(database, key)
        return True

    def _forget_expired(self, database: Database, keys: Iterable[bytes], now_ms: int) -> None:
        """A client writes to a replica, which its configuration allows: as on a primary, it begins with no old value.

        Else it would be told 1 by INCR, and nothing by GET (db.c, `EXPIRE_FORCE_DELETE_EXPIRED`)."""
        for key in keys:
            if self.expire_if_due(database, key, now_ms):
                self._expire(database, key)

    def expire_cycle(self, now_ms: int, limit: int = 1000) -> int:
        """Delete up to `limit` keys whose time has passed, the earliest first; how many.  A replica deletes none.

        Redis samples keys at random ten times a second (expire.c); a heap needs no luck and misses none.
        """
        deleted = 0
        if self.is_replica:
            return deleted
        for database in self.keyspace.databases:
            while deleted < limit and (deadline := database.next_deadline()) is not None and now_ms > deadline[0]:
                self._expire(database, deadline[1])
                deleted += 1
        return deleted

    def _expire(self, database: Database, key: bytes) -> None:
        database.remove(key)
        self.expired_keys += 1
        self._effects.append((database.index, [b"DEL", key]))

    # -- the whole keyspace ------------------------------------------------------------------------------------------

    def load(self, entry: Entry) -> None:
        """Put in what an RDB file holds for one key, without any effect on others."""
        self.keyspace.load(entry)

    def entries(self) -> Iterator[Entry]:
        """Everything in memory, expired or not, in the shape in which RDB files are written."""
        return self.keyspace.entries()

    def flush_all(self) -> int:
        """Remove every key of every database, without any effect on others; how many there were."""
        return sum(database.clear() for database in self.keyspace.databases)


def unknown_command(argv: Sequence[bytes]) -> ErrorReply:
    """The error for a name that is not in the table, quoting up to 128 bytes of what followed it (server.c)."""
    quoted = ""
    for argument in argv[1:]:
        if len(quoted) >= 128:
            break
        quoted += f"'{_one_line(argument[: 128 - len(quoted)])}' "
    return ErrorReply(f"ERR unknown command '{_one_line(argv[0][:128])}', with args beginning with: {quoted}")


def unknown_subcommand(command: Command, argv: Sequence[bytes]) -> ErrorReply:
    """The error for a subcommand that is not in the table."""
    return ErrorReply(f"ERR unknown subcommand '{_one_line(argv[1][:128])}'. Try {command.name.upper()} HELP.")


def _one_line(text: bytes) -> str:
    """Text from a client that may stand in an error: up to its first zero byte, and no line end (C's `%s`)."""
    return text.partition(b"\0")[0].decode("utf-8", "replace").replace("\r", " ").replace("\n", " ")
