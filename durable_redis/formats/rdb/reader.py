"""From the bytes of an RDB file to its keys.

The law of this file: `decode` takes any bytes at all and either returns what they say or raises RdbError.  The steps:

    1. the header: which family wrote it (REDIS, VALKEY), which version
    2. records, each begun by one byte, up to the end-of-file opcode
    3. the checksum of everything before it, if the version has one and it is not 0 ("off")

A record is a key (type byte, key, value) or an opcode.  Some opcodes are about the next key (its expiry), one about all
keys to come (their database): the state between two records is therefore just these two.

Most keys of most files have a short name and a short string as value.  The loop of step 2 reads those by itself; what
is longer, or of another type, goes through a `Source`, which checks every step.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, pairwise
from operator import itemgetter
from typing import Final

from durable_redis.formats.crc64 import crc64
from durable_redis.formats.rdb import opcodes
from durable_redis.formats.rdb.objects import REDIS_READINGS, VALKEY_READINGS, Reading
from durable_redis.formats.rdb.opaque import SKIPPINGS, module_name, read_opaque, skip_module_pieces
from durable_redis.formats.rdb.source import Source
from durable_redis.formats.rdb.values import Entry, Opaque, Rdb

CHECKSUM_LENGTH: Final = 8

SHORT: Final = 0x40
"""Lengths below this are one byte, which is the length itself."""

LONGEST_SHORT_RECORD: Final = 1 + SHORT + SHORT
"""Type byte, a key of up to 63 bytes and a string of up to 63, each behind its length: 129 bytes."""


def decode(data: bytes, name: str = "dump.rdb", offset: int = 0, databases: int | None = None) -> Rdb:
    """The RDB file that begins at `offset` of `data`; `name` is what to call it in errors and warnings.

    Bytes may follow it, as in an append-only file that begins with an RDB: `Rdb.end` says where it ended.  With
    `databases`, a file with keys in a database beyond so many is refused, as by a server that has no more.

    Raises RdbError, and nothing else, if the bytes are not a whole RDB file that can be read; its offset counts from
    the beginning of `data`."""
    # 1. the header
    source = Source(data, name, offset)
    version, readings = _read_header(source)
    records = _Records(source, readings, Rdb(version), databases)
    # 2. the records
    with _collector_paused():
        records.read_all()
    _check_keys_distinct(source, records.rdb.entries, records.selected)
    # 3. the checksum
    if version >= opcodes.FIRST_VERSION_WITH_CHECKSUM:
        _check_checksum(source, offset)
    records.rdb.end = source.position
    return records.rdb


def _read_header(source: Source) -> tuple[int, Mapping[int, Reading]]:
    start = source.position
    header = source.data[start : start + opcodes.HEADER_LENGTH]
    for magic, readings, oldest, newest in (
        (opcodes.REDIS_MAGIC, REDIS_READINGS, 1, opcodes.NEWEST_REDIS_VERSION),
        (opcodes.VALKEY_MAGIC, VALKEY_READINGS, opcodes.VALKEY_VERSION, opcodes.VALKEY_VERSION),
    ):
        digits = header[len(magic) :]
        if not header.startswith(magic) or len(header) < opcodes.HEADER_LENGTH or not digits.isdigit():
            continue
        version = int(digits)
        if not oldest <= version <= newest:
            known = f"{oldest} to {newest}" if oldest < newest else f"only {newest}"
            raise source.error(f"version {version} of {magic.decode()} files is not known here, {known}")
        source.position = start + opcodes.HEADER_LENGTH
        return version, readings
    raise source.error(f"an RDB file begins with REDIS or VALKEY and a version, not with {header!r}")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Python's cycle collector looks through new objects again and again while millions are made; keys and values hold
    no cycle, so it would find nothing, and take half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _check_keys_distinct(source: Source, entries: list[Entry], selected: list[tuple[int, int]]) -> None:
    """A key that occurs twice in a database stops Redis as well.  `selected`: from which entry on, which database."""
    seen: dict[int, set[bytes]] = {}
    for (start, db), (end, _) in pairwise([*selected, (len(entries), 0)]):
        keys = seen.setdefault(db, set())
        before = len(keys)
        keys.update(map(itemgetter(1), islice(entries, start, end)))
        if len(keys) != before + end - start:
            raise source.error(f"a key of database {db} occurs twice: {_first_repeated(entries, db)!r}")


def _first_repeated(entries: list[Entry], db: int) -> bytes:
    seen: set[bytes] = set()
    for entry in entries:
        if entry.db == db and entry.key in seen:
            return entry.key
        if entry.db == db:
            seen.add(entry.key)
    raise AssertionError(f"no key of database {db} is repeated")


def _check_checksum(source: Source, start: int) -> None:
    end = source.position
    if source.left() < CHECKSUM_LENGTH:
        raise source.error(f"the file ends inside its checksum: {source.left()} of {CHECKSUM_LENGTH} bytes are there")
    expected = source.integer(CHECKSUM_LENGTH)
    if expected == 0:  # rdbchecksum no
        return
    found = crc64(memoryview(source.data)[start:end])
    if found != expected:
        raise source.error(f"the checksum says {expected:016x}, but the bytes before it give {found:016x}", end)


class _Records:
    """The records of one file, and what one may leave behind for the next: a database, an expiry."""

    def __init__(self, source: Source, readings: Mapping[int, Reading], rdb: Rdb, databases: int | None) -> None:
        self.source = source
        self.readings = readings
        self.rdb = rdb
        self.databases = databases
        self.db = 0
        self.expires_at_ms: int | None = None
        self.selected = [(0, 0)]

    def read_all(self) -> None:
        """All records, up to and with the end-of-file opcode."""
        source, data = self.source, self.source.data
        append, make = self.rdb.entries.append, tuple.__new__  # Entry(...) without its Python-level constructor
        # Before this position a short record needs no check of bounds: it ends before the file does.
        room_for_a_short_record = source.limit - LONGEST_SHORT_RECORD
        more = True
        while more:
            position, db, expires_at_ms = source.position, self.db, self.expires_at_ms
            # Short strings and expiries, as many as there are in a row.
            while position < room_for_a_short_record:
                first = data[position]
                if first == opcodes.STRING:
                    key_start = position + 2
                    key_length = data[position + 1]
                    value_start = key_start + key_length + 1
                    if key_length >= SHORT or (value_length := data[value_start - 1]) >= SHORT:
                        break
                    position = value_start + value_length
                    key, value = data[key_start : value_start - 1], data[value_start:position]
                    append(make(Entry, (db, key, "string", value, expires_at_ms)))
                    expires_at_ms = None
                elif first == opcodes.EXPIRETIME_MS:
                    expires_at_ms = int.from_bytes(data[position + 1 : position + 9], "little", signed=True)
                    position += 9
                else:
                    break
            source.position, self.expires_at_ms = position, expires_at_ms
            # One record of any sort.
            more = self._read_record()

    def _read_record(self) -> bool:
        """One record of any sort; False if it was the end of the file."""
        source = self.source
        start = source.position
        if source.left() == 0:
            raise source.error("the file is cut: it ends without an end-of-file mark")
        first = source.byte()
        reading = self.readings.get(first)
        if reading is not None or first in SKIPPINGS:
            self._read_key(first, start, reading)
        elif first in _OPCODES:
            _OPCODES[first](self)
        elif first != opcodes.END_OF_FILE:
            raise source.error(f"{first} is neither a type of value nor an opcode that is known here", start)
        return first != opcodes.END_OF_FILE

    def _read_key(self, type_byte: int, start: int, reading: Reading | None) -> None:
        """A key and its value; without a reading it is one that is kept as bytes."""
        source = self.source
        key = source.string()
        value: object
        if reading is None:
            kind, value = SKIPPINGS[type_byte].kind, read_opaque(source, type_byte)
            self.warn(start, f"the {kind} {key!r} is kept as bytes that are not understood")
        else:
            kind, value = reading.kind, reading.read(source)
            if reading.fields_expire:
                self.warn(start, f"the expiry of single fields of the hash {key!r} is dropped, the fields are kept")
        if kind != "string" and not value:
            # Redis skips these too: some old releases saved them by mistake.
            self.warn(start, f"the {kind} {key!r} is empty, which no key can be: it is left out")
        else:
            self.rdb.entries.append(tuple.__new__(Entry, (self.db, key, kind, value, self.expires_at_ms)))
        self.expires_at_ms = None

    def warn(self, start: int, sentence: str) -> None:
        self.rdb.warnings.append(f"{self.source.name}: at byte {start}: {sentence}")


# ---------------------------------------------------------------------------------------------------------------------
# Opcodes
# ---------------------------------------------------------------------------------------------------------------------


def _select_db(records: _Records) -> None:
    start = records.source.position
    records.db = records.source.length()
    if records.databases is not None and records.db >= records.databases:
        raise records.source.error(f"database {records.db} is not among the {records.databases} that are here", start)
    records.selected.append((len(records.rdb.entries), records.db))


def _expire_time_ms(records: _Records) -> None:
    records.expires_at_ms = records.source.integer(8, signed=True)


def _expire_time(records: _Records) -> None:
    records.expires_at_ms = records.source.integer(4, signed=True) * 1000


def _aux(records: _Records) -> None:
    field = records.source.string().decode("utf-8", "backslashreplace")
    records.rdb.aux[field] = records.source.string()


def _idle(records: _Records) -> None:
    records.source.length()


def _frequency(records: _Records) -> None:
    records.source.skip(1)


def _resize_db(records: _Records) -> None:
    """Two sizes, to make hash tables of: hints, and hostile ones allocate nothing here."""
    records.source.length()
    records.source.length()


def _slot_info(records: _Records) -> None:
    """A slot, its number of keys, its number of keys with an expiry: hints too."""
    for _ in range(3):
        records.source.length()


def _slot_import(records: _Records) -> None:
    source = records.source
    start = source.position
    source.skip_string()
    for _ in range(2 * source.count(smallest=2)):
        source.length()
    records.warn(start - 1, "a running import of slots is noted here; it is kept as bytes")
    records.rdb.opaque.append(Opaque(opcodes.SLOT_IMPORT, source.data[start : source.position]))


def _function(records: _Records) -> None:
    records.rdb.functions.append(records.source.string())


def _function_pre_ga(records: _Records) -> None:
    """Name, engine, whether a description follows, description, code: Redis 7.0 itself refuses this."""
    source = records.source
    start = source.position
    source.skip_string()
    source.skip_string()
    if source.length():
        source.skip_string()
    source.skip_string()
    records.warn(start - 1, "a function library in the form of a release candidate of Redis 7.0 is kept as bytes")
    records.rdb.opaque.append(Opaque(opcodes.FUNCTION_PRE_GA, source.data[start : source.position]))


def _module_aux(records: _Records) -> None:
    """The module's name, then when it is to be loaded (a piece of a number), then the pieces."""
    source = records.source
    start = source.position
    name = module_name(source.length())
    skip_module_pieces(source)
    records.warn(start - 1, f"what the module {name} keeps outside of keys is kept as bytes that are not understood")
    records.rdb.opaque.append(Opaque(opcodes.MODULE_AUX, source.data[start : source.position]))


_OPCODES: Final[Mapping[int, Callable[[_Records], None]]] = {
    opcodes.SLOT_IMPORT: _slot_import,
    opcodes.SLOT_INFO: _slot_info,
    opcodes.FUNCTION2: _function,
    opcodes.FUNCTION_PRE_GA: _function_pre_ga,
    opcodes.MODULE_AUX: _module_aux,
    opcodes.IDLE: _idle,
    opcodes.FREQ: _frequency,
    opcodes.AUX: _aux,
    opcodes.RESIZEDB: _resize_db,
    opcodes.EXPIRETIME_MS: _expire_time_ms,
    opcodes.EXPIRETIME: _expire_time,
    opcodes.SELECTDB: _select_db,
}
