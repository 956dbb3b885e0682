"""Recovery: what a server makes of its disk when it starts.

The rules (aof.c `loadAppendOnlyFiles`, redis.conf):

1. If the append-only file is on, it is loaded and the RDB file is not even looked at: the log is the better copy.  So a
   server whose configuration says `appendonly yes` for the first time, and which has only an RDB, starts *empty*.
2. The manifest says which files are the log: the base first, then the incr files in order.  A single file of the old
   layout (before Redis 7) is moved into the directory and becomes the base.
3. A *torn tail* of the last file is the ordinary trace of a crash: it is cut off and the server starts
   (`aof-load-truncated yes`).  Of a transaction that was cut, nothing is applied.
4. Anything else that is wrong, in the middle or in another file, is refused: the server says what and where, and does not
   start.  A server that guesses would lose data silently.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from durable_redis.contract import Compute, DiskError, Effect, Effects, Exit, ListDirectory, Note, Read, Rename
from durable_redis.formats.aof import AofContent, Manifest, read_records
from durable_redis.formats.aof_manifest import AofError
from durable_redis.formats.rdb import Rdb, RdbError, decode, encode
from durable_redis.redis.persistence.aof import State
from durable_redis.redis.persistence.files import write_whole

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

Outcome = Generator[Effect, Any, bool]
"""Effects that end in True, or in False if the process had to end."""


def load(server: RedisServer, now: int) -> Outcome:
    """Load the data set from the disk, by the rules above."""
    try:
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
    if content is not None:
        yield Compute("load", len(content))
        _take(server, decode(content, server.config.dbfilename), now)


def _take(server: RedisServer, rdb: Rdb, now: int) -> None:
    """Put the keys into the keyspace, except those that have expired while the server was down."""
    for entry in rdb.entries:
        if entry.expires_at_ms is None or entry.expires_at_ms > now // 1000:
            server.engine.load(entry)


# -- the log ---------------------------------------------------------------------------------------------------------


def _load_log(server: RedisServer, now: int) -> Effects:
    aof = server.aof
    text: bytes | None = yield Read(aof.path(aof.manifest_name))
    if text is not None:
        aof.manifest = Manifest.parse(text, aof.manifest_name)
        yield from _load_files(server, now)
    elif server.config.appendfilename in (yield ListDirectory("")):
        yield from _adopt_old_file(server, now)
    else:
        yield from _begin_log(server)
    aof.enter(State.ON)


def _begin_log(server: RedisServer) -> Effects:
    """No log yet: an empty base, an empty incr file, and a manifest that names both."""
    aof = server.aof
    manifest = aof.manifest.rewritten("rdb", aof.manifest.next_incr_number)
    base = encode([], {**server.rdb_facts(), "aof-base": b"1"})
    error = yield from write_whole(aof.path(manifest.files[0].name), [base])
    yield from _open_first_incr(server, manifest, error)
    aof.base_size = aof.size_after_rewrite = len(base)


def _adopt_old_file(server: RedisServer, now: int) -> Effects:
    """Rule 2: the single file of the old layout becomes the base (aof.c `aofUpgradePrepare`)."""
    aof = server.aof
    name = server.config.appendfilename
    yield Rename(name, aof.path(name))
    yield from aof.persist_manifest(Manifest.of_old_file(name))
    yield from _load_files(server, now)


def _open_first_incr(server: RedisServer, manifest: Manifest, error: DiskError | None = None) -> Effects:
    """Create the incr file that this manifest names last, then let the manifest count."""
    error = error or (yield from server.aof.open_incr(manifest.incr_number))
    error = error or (yield from server.aof.persist_manifest(manifest))
    if error is not None:
        raise AofError(server.aof.manifest_name, 0, f"cannot begin the log: {error}")


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
    aof.size_after_rewrite = aof.current_size


def _load_file(server: RedisServer, name: str, content: bytes, last: bool, now: int) -> Generator[Effect, Any, int]:
    """Apply one file; returns how many bytes of it are good.  Raises AofError by rules 3 and 4."""
    found = read_records(content, name)
    if found.damage is not None:
        if not (found.damage.truncated and last and server.config.aof_load_truncated):
            raise AofError(name, found.damage.offset, found.damage.reason)
        yield from server.aof.cut(server.aof.path(name), found.valid_to)
    if found.preamble is not None:
        yield Compute("load", found.preamble.end)
        _take(server, found.preamble, now)
    if found.records:
        yield Compute("replay", len(found.records))
        replay(server, found, now)
    yield Note("loaded", {"file": name, "records": len(found.records), "bytes": found.valid_to})
    return found.valid_to


def replay(server: RedisServer, found: AofContent, now: int) -> None:
    """Execute the records, in order.  A transaction needs no care here: a torn one is not among the records."""
    db = 0
    now_ms = now // 1000
    apply = server.engine.apply
    for record in found.records:
        argv = record.argv
        if argv[0].upper() == b"SELECT":
            db = int(argv[1])
        else:
            apply(db, argv, now_ms)
