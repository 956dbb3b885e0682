r"""The append-only file: every command that changed the data, in order, as it travels on the wire.

The law of this module: bytes in, records and a judgement out.  It opens no file and runs no command; what to do about
damage is the server's decision (`aof-load-truncated`), so damage is a *value* here, `AofContent.damage`, and never
raised by `read_records`.  Whoever wants it raised says `raise content.damage`.

A file is an optional RDB (the *preamble*, what a rewrite puts in front), then commands, and annotations between them:

    REDIS0010...            an RDB with its own end mark and checksum
    #TS:1637280000\r\n      the time (aof-timestamp-enabled), before the first command of that second
    *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n
    *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n

Two kinds of damage must be told apart (aof.c, loadSingleAppendOnlyFile):

* *truncated*: the file ends before a command does.  That is what a power loss leaves, so a server may cut the file at
  `valid_to` and go on.  A transaction that lacks its EXEC never happened: `valid_to` is then the start of its MULTI.
* *corrupt*: something stands where no command can stand.  Nobody knows what else is wrong; the server refuses to start.

Three things follow from the format itself, and every reader of it has them:

* There is no checksum.  A length field that rot has made larger swallows what follows, and if it reaches beyond the end
  of the file it looks exactly like a truncated tail: the server cuts off good commands with it.
* The server steps over the two bytes after a bulk string unseen, while redis-check-aof refuses a file in which they
  are not CRLF.  We go with the server and add a warning.
* When the last command stops short *inside a transaction*, Redis 7.0 (and Valkey 8) cuts the file at the end of the
  last whole command, and so leaves the MULTI open.  What it then appends, and acknowledges, is lost at the next start,
  when the open MULTI is cut away.  Valkey 9 cuts before the MULTI, and so do we.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from durable_redis.formats import rdb
from durable_redis.formats.aof_manifest import AofError
from durable_redis.formats.aof_manifest import Manifest as Manifest
from durable_redis.formats.aof_manifest import ManifestFile as ManifestFile
from durable_redis.formats.resp_commands import encode_command

encode_record = encode_command
"""A record is a command as a client would send it: `encode_record(argv) -> bytes`."""


class AofDamage(AofError):
    """Where and why reading stopped.  `kind` is "truncated" or "corrupt"; see the top of this module."""

    def __init__(self, name: str, offset: int, reason: str, kind: str) -> None:
        super().__init__(name, offset, reason)
        self.kind = kind

    @property
    def truncated(self) -> bool:
        """Only the end is missing: the file may be cut at `valid_to` and used."""
        return self.kind == "truncated"


class Record(NamedTuple):
    """One command and the bytes of the file that it is: `data[offset:end]`."""

    offset: int
    end: int
    argv: list[bytes]


@dataclass(slots=True)
class AofContent:
    """What a file holds, up to the first damage."""

    preamble: rdb.Rdb | None = None
    records: list[Record] = field(default_factory=list)
    timestamps: list[tuple[int, int]] = field(default_factory=list)  # (offset of the annotation, Unix time in seconds)
    warnings: list[str] = field(default_factory=list)
    valid_to: int = 0  # everything before this byte was understood, and no transaction is open there
    damage: AofDamage | None = None


def timestamp_annotation(unix_s: int) -> bytes:
    r"""The line that dates what follows: `#TS:1637280000\r\n`."""
    return b"#TS:%d\r\n" % unix_s


def read_records(data: bytes, name: str, offset: int = 0, databases: int | None = None) -> AofContent:
    """Read a file, or its bytes from `offset` on.  `name` is for the sentences; offsets count from `data[0]`;
    `databases` is for the preamble (`rdb.decode`).

    1. Read the preamble, if there is one.
    2. Read commands and annotations up to the end or the first damage.
    3. If a transaction is open at the end, go back to before it.
    """
    content = AofContent(valid_to=offset)
    at = offset
    try:
        if data.startswith((b"REDIS", b"VALKEY"), at):
            content.preamble = rdb.decode(data, name, at, databases)
            content.warnings += content.preamble.warnings
            at = content.valid_to = content.preamble.end
        _read_commands(data, name, at, content)
    except rdb.RdbError as error:
        content.damage = AofDamage(name, error.offset, f"the RDB preamble is damaged: {error.reason}", "corrupt")
    except AofDamage as damage:
        content.damage = damage
    _drop_open_transaction(content, name)
    return content


# The line in front of a command or of a bulk string.  Digits that are followed by something else than CRLF: atoi(3)
# stops there, and the server with it looks no further (aof.c reads lines of 1,024 bytes at most).
_HEADER = re.compile(rb"([*$])([0-9]{1,18})([^\n]{0,1000})\n")
_LONGEST_LINE = 1024

_COUNT_OF_LINE: Final = {b"*%d\r" % count: count for count in range(1, 64)}
_LENGTH_OF_LINE: Final = {b"$%d\r" % length: length for length in range(512)}
"""Nearly every header line, so that the hot path is a search, a slice and a lookup."""


def _read_commands(data: bytes, name: str, at: int, content: AofContent) -> None:
    """Every command from `at` on, into `content`; raises AofDamage at the first that is not whole."""
    records, size = content.records, len(data)
    while at < size:
        start = at
        end = data.find(b"\n", at)
        count = _COUNT_OF_LINE.get(data[at:end]) if end >= 0 else None
        if count is None:
            if data[at] == 35:  # ord("#")
                at = _annotation(data, name, at, end, content)
                continue
            count = _header(data, name, at, end, b"*", content)
        at = end + 1
        argv: list[bytes] = []
        while count:
            end = data.find(b"\n", at)
            length = _LENGTH_OF_LINE.get(data[at:end]) if end >= 0 else None
            if length is None:
                length = _header(data, name, at, end, b"$", content)
            stop = end + 1 + length
            if stop + 2 > size:
                raise _truncated(name, start, f"a string of {length} bytes is announced, {size - end - 1} are left")
            argv.append(data[end + 1 : stop])
            if data[stop] != 13 or data[stop + 1] != 10:
                content.warnings.append(f"{name}: at byte {stop}: no CRLF after a string; the server overlooks it")
            at = stop + 2
            count -= 1
        records.append(Record(start, at, argv))
        content.valid_to = at


def _header(data: bytes, name: str, at: int, end: int, mark: bytes, content: AofContent) -> int:
    """The number in a header line that is not one of the usual ones."""
    match = _HEADER.match(data, at)
    if match is None or match[1] != mark or (mark == b"*" and int(match[2]) == 0):
        if end < 0 and data[at : at + 1] in (mark, b""):
            raise _truncated(name, content.valid_to, "the file ends within a command")
        raise AofDamage(name, at, f"expected a line {mark.decode()}N, found {data[at : at + 16]!r}", "corrupt")
    if match[3] != b"\r":
        content.warnings.append(f"{name}: at byte {at}: a damaged header {match[0]!r}; the server overlooks it")
    return int(match[2])


def _truncated(name: str, start: int, reason: str) -> AofDamage:
    return AofDamage(name, start, reason, "truncated")


def _annotation(data: bytes, name: str, at: int, end: int, content: AofContent) -> int:
    """Step over an annotation; result: where it ends.  One that is cut short is a truncated tail: the server would
    let it stand, and write its next command into the same line."""
    if end < 0 and len(data) - at < _LONGEST_LINE:
        raise _truncated(name, at, "the file ends within an annotation")
    if end < 0 or end - at >= _LONGEST_LINE:
        raise AofDamage(name, at, f"an annotation of more than {_LONGEST_LINE} bytes", "corrupt")
    key, _, value = data[at:end].rstrip(b"\r").partition(b":")
    if key == b"#TS" and value.isdigit() and len(value) < 19:
        content.timestamps.append((at, int(value)))
    content.valid_to = end + 1
    return end + 1


def _drop_open_transaction(content: AofContent, name: str) -> None:
    """Records after a MULTI without EXEC have not happened.  Only the last MULTI or EXEC of the file matters, so look
    for it from the end."""
    records = content.records
    for index in range(len(records) - 1, -1, -1):
        argv = records[index].argv
        if len(argv) != 1 or (word := argv[0].upper()) not in (b"MULTI", b"EXEC", b"DISCARD"):
            continue
        if word == b"MULTI":
            content.valid_to = records[index].offset
            content.timestamps = [stamp for stamp in content.timestamps if stamp[0] < content.valid_to]
            del records[index:]
            if content.damage is None:
                content.damage = _truncated(name, content.valid_to, "the file ends within a transaction")
        return
