"""The object store: a regional service that keeps bytes under names, and does not care what they are.

    PUT name bytes     +OK, once they are on the platter, under this name
    GET name           the bytes; nil if nothing has this name
    LIST prefix        the names that begin so, sorted
    DELETE name        :1, once the name is gone from the platter; :0 if there was none

A name changes its bytes in one step: whoever asks gets the old ones or the new ones, whole, whatever crashes when.
There is no renaming, and no two names change together.  So whoever wants to publish something only when it is known to
be good puts it under a name that nobody looks for, and then puts a small object, under a name that everybody looks for,
which says where the good one is.

Each request may be sent twice without harm: a client that got no answer asks again.

It keeps no checksums.  A real store does (S3 checks every part of an upload), and yet the check that counts is the one
at the end: of the bytes that a database is about to load, against what was written about them when they were made.

It keeps nothing in memory either: what it answers is read from the disk, object by object, in files of `objects/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from durable_redis.contract import DiskError, Effects, Event, ListDirectory, Read, Remove, SyncDirectory
from durable_redis.formats.resp import OK, ErrorReply, Reply
from durable_redis.redis.persistence.files import replace
from durable_redis.redis.responder import Answering, Responder

if TYPE_CHECKING:
    from random import Random

DIRECTORY = "objects"
INCOMING = f"{DIRECTORY}/+incoming"
"""What is being put.  No object has this path: a plus sign in a name is quoted."""

WORDS = {b"PUT": 3, b"GET": 2, b"LIST": 2, b"DELETE": 2}
"""The verbs, and how many words a request has."""


class ObjectStore:
    """A node of the contract.  `objects` are the names it has, as of the last change, for people to see."""

    def __init__(self, random: Random) -> None:
        self.objects: tuple[bytes, ...] = ()
        self._responder = Responder(self._answer)

    def boot(self, now: int) -> Effects:
        """Whatever was not put to the end has no name, and goes."""
        if INCOMING in (yield ListDirectory(DIRECTORY)):
            yield Remove(INCOMING)
        yield from self._look()

    def handle(self, event: Event, now: int) -> Effects:
        yield from self._responder.handle(event)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {"role": "object store", "objects": [name.decode("utf-8", "replace") for name in self.objects]}

    # -- requests ----------------------------------------------------------------------------------------------------

    def _answer(self, argv: list[bytes]) -> Answering:
        verb = argv[0].upper()
        if WORDS.get(verb) != len(argv):
            return ErrorReply("ERR the object store knows PUT name bytes, GET name, LIST prefix, DELETE name")
        name = argv[1]
        if verb == b"GET":
            content: bytes | None = yield Read(_path(name))
            return content
        if verb == b"LIST":
            yield from self._look()
            return [known for known in self.objects if known.startswith(name)]
        error: DiskError | None
        if verb == b"PUT":
            error = yield from replace(_path(name), INCOMING, [argv[2]])
            found: Reply = OK
        else:
            error = yield Remove(_path(name))
            found = int(error is None)
            if error is None or error.code == "ENOENT":  # it may have gone before, and the crash that took the answer
                error = yield SyncDirectory(DIRECTORY)  # may have left the name on the platter
        yield from self._look()
        return found if error is None else ErrorReply(f"ERR {error.description}: {name.decode('utf-8', 'replace')}")

    def _look(self) -> Effects:
        paths = yield ListDirectory(DIRECTORY)
        self.objects = tuple(sorted(_name(path) for path in paths if path != INCOMING))


def _path(name: bytes) -> str:
    """A file for each object, all in one directory: what the names mean by their slashes is not the store's affair."""
    return f"{DIRECTORY}/{quote_from_bytes(name, safe='')}"


def _name(path: str) -> bytes:
    return unquote_to_bytes(path.removeprefix(f"{DIRECTORY}/"))
