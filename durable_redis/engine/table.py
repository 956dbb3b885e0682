"""The command table: what a command is, and what its handler is given.

A command is a row of data: name, arity, flags, handler, and where its keys stand.  The rows live at the end of each
module of `durable_redis.engine.commands`; a server adds rows of its own (INFO, CONFIG, BGSAVE ...) whose handlers are
bound methods.  Queueing in a transaction, arity errors and COMMAND INFO work for all of them alike, since the engine
looks at the rows only.

Arity is Redis's: the number of words with the name; a negative one is a minimum: `GET key` has 2, `DEL key ...` -2.
Flags are Redis's own words, in COMMAND INFO's order, separated by blanks.  The ones that the engine itself heeds:

    write       may change the keyspace; replicas refuse it to clients
    no_multi    refused inside a transaction, and aborts it
    at_once     ours: runs at once inside a transaction instead of being queued (EXEC, DISCARD, WATCH, RESET, QUIT)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from durable_redis.engine import errors
from durable_redis.engine.arguments import integer
from durable_redis.engine.errors import CommandError
from durable_redis.engine.values import Container, Value
from durable_redis.formats.resp_commands import strict_integer

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine
    from durable_redis.engine.keyspace import Database
    from durable_redis.engine.session import Session
    from durable_redis.formats.resp import Reply

ContainerType = TypeVar("ContainerType", bound=Container)


class Call:
    """One execution of a command, as its handler sees it.

    `argv` is the whole command, its name first, as in Redis: the key of most commands is `argv[1]`.  The engine reuses
    one Call for all commands, since making an object costs as much as a GET: a handler must not keep it.
    """

    __slots__ = ("argv", "database", "engine", "now_ms", "replacement", "session")

    argv: list[bytes]
    database: Database
    engine: Engine
    now_ms: int
    replacement: list[list[bytes]] | None
    session: Session

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, key: bytes) -> Value | None:
        """The value of a key, or None; a key that has expired is not there (and is deleted now, on a primary)."""
        database = self.database
        if key in database.expires and self.engine.expire_if_due(database, key, self.now_ms):
            return None
        return database.values.get(key)

    def string(self, key: bytes) -> bytes | None:
        """The string at a key, or None; WRONGTYPE for anything else."""
        value = self.read(key)
        if value is None or type(value) is bytes:
            return value
        raise CommandError(errors.WRONG_TYPE)

    def find(self, key: bytes, kind: type[ContainerType]) -> ContainerType | None:
        """The container at a key, to be read only, or None; WRONGTYPE for anything else."""
        value = self.read(key)
        if value is None or type(value) is kind:
            return value
        raise CommandError(errors.WRONG_TYPE)

    # -- writing -----------------------------------------------------------------------------------------------------

    def open(self, key: bytes, kind: type[ContainerType]) -> ContainerType | None:
        """The container at a key, to be written to, or None.  The write ends with `close`."""
        value = self.find(key, kind)
        return None if value is None else self.database.open(key, value)

    def open_or_create(self, key: bytes, kind: type[ContainerType]) -> ContainerType:
        """The same, and a new empty container where there is no key."""
        value = self.open(key, kind)
        if value is None:
            value = kind()
            self.database.put(key, value)
        return value

    def close(self, key: bytes, container: Container, changes: int) -> None:
        """The write to an open container is over: it made so many changes (an emptied container's key goes away).

        No changes must mean that nothing was written: nobody is told then, and nothing accounted for."""
        if changes or not len(container):
            self.database.close(key, container)
            self.engine.dirty += changes

    def store(self, key: bytes, value: Value) -> None:
        """Give a key a new value, whatever it held, without an expiry time: one change."""
        self.database.put(key, value)
        self.database.expires.pop(key, None)
        self.engine.dirty += 1

    def replace(self, key: bytes, container: Container) -> int:
        """Store a result (of SINTERSTORE, SORT STORE ...), or remove the key if the result is empty; its length."""
        if len(container):
            self.store(key, container)
        elif self.remove(key):
            self.engine.dirty += 1
        return len(container)

    def update(self, key: bytes, text: bytes) -> None:
        """Give a key a new string and keep its expiry time: one change."""
        self.database.put(key, text)
        self.engine.dirty += 1

    def remove(self, key: bytes) -> bool:
        """Remove a key; whether it was there (an expired one was not)."""
        return self.read(key) is not None and self.database.remove(key)

    def changed(self, changes: int = 1) -> None:
        """Count changes, as INFO's rdb_changes_since_last_save does.  No change means nothing to propagate."""
        self.engine.dirty += changes

    def propagate(self, *commands: list[bytes]) -> None:
        """Propagate these commands, the effect, instead of the one that the client sent."""
        self.replacement = list(commands)

    def expire(self, key: bytes, at_ms: int, *conditions: bytes) -> None:
        """Let an existing key expire at an absolute time, at once if that has come: one change, propagated absolutely.

        The conditions (NX, GT ...) have been met; they are propagated as they came, and are met there again.  While an
        effect is applied nothing is deleted: the deletion comes as an effect of its own."""
        if at_ms <= self.now_ms and self.engine.deletes_expired:
            self.database.remove(key)
            self.propagate([b"DEL", key])
        else:
            self.database.set_expiry(key, at_ms)
            self.propagate([b"PEXPIREAT", key, b"%d" % at_ms, *conditions])
        self.engine.dirty += 1

    def persist(self, key: bytes) -> bool:
        """Let a key live for ever; False, and no change, if it already does."""
        if not self.database.clear_expiry(key):
            return False
        self.engine.dirty += 1
        return True

    # -- helpers -----------------------------------------------------------------------------------------------------

    @property
    def resp3(self) -> bool:
        """Whether the client speaks RESP3, where some replies have another shape."""
        return self.session.protocol == 3

    def database_number(self, text: bytes) -> int:
        """The number of a database that exists."""
        number = integer(text)
        if not 0 <= number < len(self.engine.keyspace.databases):
            raise CommandError("ERR DB index is out of range")
        return number

    def option(self, index: int) -> bytes:
        """The argument at `index` in capitals, to be compared with option names; empty beyond the end."""
        return self.argv[index].upper() if index < len(self.argv) else b""


Handler: TypeAlias = "Callable[[Call], Reply]"
KeyFinder: TypeAlias = "Callable[[Sequence[bytes]], list[bytes]]"


def counted_keys(at: int, target: int = 0) -> KeyFinder:
    """Keys whose number stands before them, at `at`; `target` is the place of one more that is written to.

    `counted_keys(2, target=1)` finds in ZUNIONSTORE t 2 a b WEIGHTS 1 2: t, a, b."""

    def find(argv: Sequence[bytes]) -> list[bytes]:
        count = strict_integer(argv[at])
        if count is None or not 1 <= count < len(argv) - at:
            return []
        keys = list(argv[at + 1 : at + 1 + count])
        return [argv[target], *keys] if target else keys

    return find


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the command table.  `subcommands` makes a container, such as OBJECT (see `container`).

    `find_keys` is for a `movablekeys` command, whose arguments say where its keys are: `ZDIFF 2 a b` has two."""

    name: str
    arity: int
    flags: str
    handler: Handler
    first_key: int = 0
    last_key: int = 0
    step: int = 0
    subcommands: Sequence[Command] = ()
    find_keys: KeyFinder | None = None

    writes: bool = field(init=False)
    at_once: bool = field(init=False)
    least: int = field(init=False)
    most: int = field(init=False)

    def __post_init__(self) -> None:
        words = self.flags.split()
        object.__setattr__(self, "writes", "write" in words)
        object.__setattr__(self, "at_once", "at_once" in words)
        object.__setattr__(self, "least", abs(self.arity))
        object.__setattr__(self, "most", self.arity if self.arity > 0 else 2**31)

    def has_flag(self, flag: str) -> bool:
        """Whether the command carries this flag."""
        return flag in self.flags.split()

    def keys(self, argv: Sequence[bytes]) -> list[bytes]:
        """The keys among the arguments, in order; none if the command has none, or says wrongly how many."""
        if self.find_keys is not None:
            return self.find_keys(argv)
        if not self.first_key:
            return []
        last = self.last_key if self.last_key >= 0 else len(argv) + self.last_key
        return list(argv[self.first_key : last + 1 : self.step])


def container(name: str, arity: int, *subcommands: Command, flags: str = "", alone: Handler | None = None) -> Command:
    """A command that holds subcommands: `container("object", -2, Command("object|encoding", ...))`.

    `alone` is what it does without one, if its arity allows that (COMMAND)."""

    def never(call: Call) -> Reply:
        raise AssertionError(f"{name} was run without a subcommand: {call.argv!r}")

    return Command(name, arity, flags, alone or never, subcommands=subcommands)
