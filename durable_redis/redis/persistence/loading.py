"""Recovery: what a server makes of its disk when it starts.

The rules (aof.c `loadAppendOnlyFiles`, redis.conf):

1. If the append-only file is on, it is loaded and the RDB file is not even looked at: the log is the better copy.  So a
   server whose configuration says `appendonly yes` for the first time, and which has only an RDB, starts *empty*.
2. The manifest says which files are the log: the base first, then the incr files in order.  A single file of the old
   layout (before Redis 7) is moved into the directory and becomes the base.
3. A *torn tail* of the last file is the ordinary trace of a crash: it is cut off and the server starts
   (`aof-load-truncated yes`).  Of a transaction that was cut, nothing is applied.
4.  Anything else that is wrong, in the middle or in another file, is refused: the server says what and where, and does
   not start.  A server that guesses would lose data silently.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Compute, DiskError, Effect, Effects, Exit, ListDirectory, Note, Read
from durable_redis.engine.keyspace import DATABASES, database_number
from durable_redis.formats.aof import AofContent, Manifest, read_records
from durable_redis.formats.aof_manifest import AofError
from durable_redis.formats.rdb import Rdb, RdbError, decode, encode
from durable_redis.formats.resp import ErrorReply
from durable_redis.redis.persistence.aof import State
from durable_redis.redis.persistence.files import put_in_place, write_whole
from durable_redis.redis.replication import facts

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

Outcome = Generator[Effect, Any, bool]
"""Effects that end in True, or in False if the process had to end."""


def load(server: RedisServer, now: int) -> Outcome:
    """Load the data set from the disk, by the rules above.

    The manifest is read even if the log is off: CONFIG SET may switch it on, and no file may then be named twice."""
    aof = server.aof
    text: bytes | None = yield Read(aof.path(aof.manifest_name))
    try:
        if text is not None:
            aof.manifest = Manifest.parse(text, aof.manifest_name)
        if server.config.appendonly:
            yield from _load_log(server, now)
        else:
            yield from _load_snapshot(server, now)
    except (AofError, RdbError) as error:
        yield Exit(1, str(error))
        return False
    return True


# -- the snapshot ----------------------------------------------------------------------------------------------------


def _load_snapshot(server: RedisServer, now: int) -> Effects:
    content: bytes | None = yield Read(server.config.dbfilename)
    if content is None:
        return
    yield Compute("load", len(content))
    rdb = decode(content, server.config.dbfilename, databases=DATABASES)
    expired = []
    for entry in rdb.entries:
        # A primary leaves out what has expired while it was down; a replica waits for its primary's DEL.
        if entry.expires_at_ms is None or entry.expires_at_ms >= now // 1000 or server.replica.primary:
            server.engine.load(entry)
        else:
            expired.append((entry.db, [b"DEL", entry.key]))
    facts.go_on_from(server, rdb.aux, expired)


def _take_base(server: RedisServer, base: Rdb) -> None:
    """Put in the keys of a base, also those that have expired: the log behind it may have given them more time before
    that (rdb.c, RDBFLAGS_AOF_PREAMBLE).  Who has not is deleted when it is looked at, as ever."""
    for entry in base.entries:
        server.engine.load(entry)


# -- the log ---------------------------------------------------------------------------------------------------------


def _load_log(server: RedisServer, now: int) -> Effects:
    aof = server.aof
    if (yield from _has_old_file(server)):
        yield from _adopt_old_file(server)
    if aof.manifest.files:
        yield from _load_files(server, now)
    else:
        yield from _begin_log(server)
    aof.enter(State.ON)


def _has_old_file(server: RedisServer) -> Generator[Effect, Any, bool]:
    """Whether there is a file of the old layout to be adopted; perhaps a crash has interrupted just that."""
    aof, name = server.aof, server.config.appendfilename
    if [file.name for file in aof.manifest.files] not in ([], [name]):
        return False
    return name in (yield ListDirectory("")) and aof.path(name) not in (yield ListDirectory(aof.directory))


def _begin_log(server: RedisServer) -> Effects:
    """No log yet: an empty base, an empty incr file, and a manifest that names both."""
    aof = server.aof
    manifest = aof.manifest.rewritten("rdb", aof.manifest.next_incr_number)
    base = encode([], facts.of_log(server))
    error = yield from write_whole(aof.path(manifest.files[0].name), [base])
    yield from _open_first_incr(server, manifest, error)
    aof.base_size = aof.size_after_rewrite = len(base)
    yield Note("log begun", {})


def _adopt_old_file(server: RedisServer) -> Effects:
    """Rule 2: the single file of the old layout becomes the base (aof.c `aofUpgradePrepare`).

    The manifest comes first: after a crash in between, it says that the file at the old place is the log."""
    aof = server.aof
    name = server.config.appendfilename
    error = yield from aof.persist_manifest(Manifest.of_old_file(name))
    error = error or (yield from put_in_place(name, aof.path(name)))
    if error is not None:
        raise AofError(name, 0, f"cannot move the file of the old layout into {aof.directory}: {error}")


def _open_first_incr(server: RedisServer, manifest: Manifest, error: DiskError | None = None) -> Effects:
    """Create the incr file that this manifest names last, then let the manifest count."""
    error = error or (yield from server.aof.create_incr(manifest.incr_number))
    error = error or (yield from server.aof.persist_manifest(manifest))
    if error is not None:
        raise AofError(server.aof.manifest_name, 0, f"cannot begin the log: {error}")
    server.aof.go_on_in(manifest.incr_number)


def _load_files(server: RedisServer, now: int) -> Effects:
    """Load every file that the manifest names; the log goes on in the last incr file."""
    aof, manifest = server.aof, server.aof.manifest
    sizes = []
    for file in manifest.files:
        content: bytes | None = yield Read(aof.path(file.name))
        if content is None:
            raise AofError(file.name, 0, "the manifest names this file, and it is not there: restore it from a backup")
        size = yield from _load_file(server, file.name, content, file is manifest.files[-1], now)
        sizes.append(size)
    aof.base_size = sizes.pop(0) if manifest.base else 0
    if not manifest.incrs:
        yield from _open_first_incr(server, manifest.with_incr(manifest.next_incr_number))
    else:
        aof.incr_number, aof.incr_size = manifest.incrs[-1].number, sizes.pop()
        aof.synced_size = aof.incr_size
        aof.older_incrs_size = sum(sizes)
    # How large the log was after the last rewrite is written down nowhere; the base is the best guess (aof.c).
    aof.size_after_rewrite = aof.base_size


def _load_file(server: RedisServer, name: str, content: bytes, last: bool, now: int) -> Generator[Effect, Any, int]:
    """Apply one file; returns how many bytes of it are good.  Raises AofError by rules 3 and 4."""
    found = read_records(content, name, databases=DATABASES)
    if found.damage is not None:
        if not (found.damage.truncated and last and server.config.aof_load_truncated):
            raise AofError(name, found.damage.offset, found.damage.reason)
        yield from server.aof.cut(server.aof.path(name), found.valid_to)
    if found.preamble is not None:
        yield Compute("load", found.preamble.end)
        _take_base(server, found.preamble)
    if found.records:
        yield Compute("replay", len(found.records))
        replay(server, found, name, now)
    yield Note("loaded", {"file": name, "records": len(found.records), "bytes": found.valid_to})
    return found.valid_to


def replay(server: RedisServer, found: AofContent, name: str, now: int) -> None:
    """Execute the records, in order.  A transaction needs no care here: a torn one is not among the records.

    Raises AofError at a command that does not exist: whoever wrote it meant something that we would leave out."""
    db = 0
    now_ms = now // 1000
    engine = server.engine
    for record in found.records:
        argv = record.argv
        command = engine.lookup(argv)
        if isinstance(command, ErrorReply):
            raise AofError(name, record.offset, f"this cannot be executed: {command.text}")
        if command.name == "select":
            selected = database_number(argv[1])
            if selected is None:
                raise AofError(name, record.offset, f"there is no database {argv[1]!r}")
            db = selected
        elif command.writes:
            engine.apply(db, argv, now_ms)
