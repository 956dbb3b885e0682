"""What an append-only log holds: its commands, executed in order in an engine that nobody else sees.

The law of this file: bytes of files in, keys and a judgement out, whatever the bytes.  A log that is not what it says
must not hurt.  So only commands that write are executed, as only those belong in a log; nothing is allocated on a
command's word (SETRANGE at an offset of 500 MB); and a log whose keys grow far beyond its own size (a COPY of a large
value takes thirty bytes) is left at the command that did it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from durable_redis.engine import Engine
from durable_redis.formats.aof import AofContent, read_records
from durable_redis.formats.rdb import Entry, Opaque, Rdb
from durable_redis.formats.resp import ErrorReply

LEAST_BUDGET_BYTES: Final = 64 << 20
GROWTH: Final = 100
"""An executed log may become this many times its own size, or `LEAST_BUDGET_BYTES`; LZF alone may give 88."""

STREAM_MAKERS: Final = (b"XADD", b"XGROUP", b"XSETID")
STREAM_WRITERS: Final = (*STREAM_MAKERS, b"XDEL", b"XTRIM", b"XACK", b"XCLAIM", b"XAUTOCLAIM", b"XREADGROUP")


class Damage(NamedTuple):
    """What is wrong: in which file, at which byte, and why.  `torn`: only the end of the last file is missing, as a
    power loss leaves it, and a server that starts cuts the torn command off (aof-load-truncated yes)."""

    file: str
    offset: int
    reason: str
    torn: bool = False


class Log(NamedTuple):
    """What was found.  `version` is that of the RDB that the log begins with, None if it begins with a command."""

    version: int | None
    entries: list[Entry]
    warnings: list[str]
    damage: Damage | None


def execute_log(files: Sequence[tuple[str, bytes]]) -> Log:
    """Execute the files of a log, each a name and its content, up to the first damage."""
    replay = _Replay(sum(len(data) for _, data in files))
    for name, data in files:
        replay.execute_file(name, data, last=name == files[-1][0])
        if replay.damage is not None:
            break
    left_out = [f"{times} x {reason}" for reason, times in replay.left_out.items()]
    return Log(replay.version, list(replay.engine.entries()), replay.warnings + left_out, replay.damage)


class _Replay:
    """The state between two commands: the keys, the selected database, and what could not be done."""

    def __init__(self, log_bytes: int) -> None:
        self.engine = Engine(random.Random(0))
        self.databases = self.engine.keyspace.databases
        self.budget_bytes = max(LEAST_BUDGET_BYTES, GROWTH * log_bytes)
        self.db: int | None = 0  # None: one that the engine does not have
        self.version: int | None = None
        self.warnings: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.damage: Damage | None = None

    def execute_file(self, name: str, data: bytes, last: bool) -> None:
        content = read_records(data, name)
        self.warnings += content.warnings
        if content.preamble is not None:
            self._take_preamble(content.preamble)
        self.db = 0  # each file selects its databases anew
        self._execute_records(content, name)
        if content.damage is not None and self.damage is None:
            torn = last and content.damage.truncated
            self.damage = Damage(content.damage.name, content.damage.offset, content.damage.reason, torn)

    def _take_preamble(self, preamble: Rdb) -> None:
        if self.version is None:
            self.version = preamble.version
        for entry in preamble.entries:
            if entry.db < len(self.databases):
                self.engine.load(entry)
            else:
                self.left_out[f"a key of database {entry.db}, above the {len(self.databases)} known here"] += 1

    def _execute_records(self, content: AofContent, name: str) -> None:
        for record in content.records:
            if record.argv[0].upper() == b"SELECT":
                self._select(record.argv)
            elif self.db is None:
                self.left_out[f"a command in a database above the {len(self.databases)} known here"] += 1
            elif _claimed_bytes(record.argv) > self.budget_bytes or not self._execute(self.db, record.argv):
                reason = (
                    f"this command makes the keys larger than {self.budget_bytes} bytes: the log stops being executed"
                )
                self.damage = Damage(name, record.offset, reason)
                return

    def _select(self, argv: list[bytes]) -> None:
        number = int(argv[1]) if len(argv) == 2 and argv[1].isdigit() and len(argv[1]) < 10 else len(self.databases)
        self.db = number if number < len(self.databases) else None

    def _execute(self, db: int, argv: list[bytes]) -> bool:
        """Run one command; False if the keys have become too large."""
        word = argv[0].upper()
        if word in STREAM_WRITERS:
            self._note_stream(db, argv)
            return True
        if word in (b"MULTI", b"EXEC"):
            return True
        command = self.engine.lookup(argv)
        name = word[:40].decode("ascii", "backslashreplace")
        if isinstance(command, ErrorReply):
            self.left_out[f"{name}, which is not executed here: {command.text.partition(', with args')[0][:100]}"] += 1
        elif not command.writes:
            self.left_out[f"{name}, which changes nothing and has no place in a log"] += 1
        else:
            reply = self.engine.apply(db, argv, now_ms=0)
            if isinstance(reply, ErrorReply):
                self.left_out[f"{name}, refused: {reply.text[:100]}"] += 1
        return self.databases[db].payload <= self.budget_bytes

    def _note_stream(self, db: int, argv: list[bytes]) -> None:
        """Streams are not understood here; that there is one is known, and later commands may rename or remove it."""
        key = argv[2 if argv[0].upper() == b"XGROUP" else 1] if len(argv) > 2 else None
        if key is not None and argv[0].upper() in STREAM_MAKERS and key not in self.databases[db].values:
            self.engine.load(Entry(db, key, "stream", Opaque(-1, b""), None))
            self.left_out[f"the stream {key!r}, which is not understood"] += 1


def _claimed_bytes(argv: list[bytes]) -> int:
    """How long a command says a string shall become: some fill up with zeros to an offset that they are given."""
    word = argv[0].upper()
    if word == b"SETRANGE":
        return _offset(argv[2:3])
    if word == b"SETBIT":
        return _offset(argv[2:3]) // 8
    if word == b"BITFIELD":  # ... SET type offset value ... INCRBY type #offset increment ...
        changes = [at for at, argument in enumerate(argv) if argument.upper() in (b"SET", b"INCRBY")]
        return max((_offset(argv[at + 2 : at + 3]) // 8 for at in changes), default=0)
    return 0


def _offset(argument: list[bytes]) -> int:
    """The offset of at most one argument, in the unit of the command; `#3` counts fields, of 64 bits at most."""
    digits = b"".join(argument)
    number = digits.removeprefix(b"#")
    if not number.isdigit() or len(number) > 20:
        return 0
    return int(number) * (64 if digits.startswith(b"#") else 1)
