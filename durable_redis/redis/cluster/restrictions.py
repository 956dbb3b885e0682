"""What is otherwise with commands where keys are spread over nodes: by slots, in one database.

Nothing may reach a key that the command does not name: such a key may be anywhere, and nobody could say beforehand
whether this node serves it (cluster.c `getNodeByQuery`, db.c, sort.c).  The texts are Redis 7.0's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from durable_redis.engine import Call, Command
from durable_redis.engine.arguments import integer
from durable_redis.formats.resp import OK, ErrorReply, Reply

if TYPE_CHECKING:
    from durable_redis.redis.client import Client

Handler = Callable[[Call], Reply]

FORBIDDEN = {
    "move": "MOVE is not allowed in cluster mode",
    "swapdb": "SWAPDB is not allowed in cluster mode",
}
"""There is one database."""


def restricted(table: Mapping[str, Command], forbidden: Mapping[str, str] = FORBIDDEN) -> list[Command]:
    """The rows that take the place of those in `table`; `forbidden` maps names to what is answered."""

    def checked(name: str, check: Callable[[Call], ErrorReply | None]) -> Command:
        return replace(table[name], handler=partial(_unless, check, table[name].handler))

    return [
        checked("select", _other_database),
        checked("copy", _copy_elsewhere),
        checked("sort", _unnamed_keys),
        checked("sort_ro", _unnamed_keys),
        *(replace(table[name], handler=partial(_forbidden, text)) for name, text in forbidden.items()),
        Command("readonly", 1, "fast loading stale", readonly),
        Command("readwrite", 1, "fast loading stale", readwrite),
    ]


def _unless(check: Callable[[Call], ErrorReply | None], handler: Handler, call: Call) -> Reply:
    return check(call) or handler(call)


def _other_database(call: Call) -> ErrorReply | None:
    return ErrorReply("ERR SELECT is not allowed in cluster mode") if integer(call.argv[1]) else None


def _copy_elsewhere(call: Call) -> ErrorReply | None:
    if any(word.upper() == b"DB" for word in call.argv[3:]):
        return ErrorReply("ERR Copying to another database is not allowed in cluster mode")
    return None


def _unnamed_keys(call: Call) -> ErrorReply | None:
    """Patterns lead to keys that nobody can know beforehand, and that may be anywhere."""
    for word, pattern in pairwise(call.argv[2:]):
        if (word.upper() == b"BY" and b"*" in pattern) or word.upper() == b"GET":
            return ErrorReply(f"ERR {word.decode('latin-1').upper()} option of SORT denied in Cluster mode.")
    return None


def _forbidden(text: str, call: Call) -> Reply:
    return ErrorReply(f"ERR {text}")


def readonly(call: Call) -> Reply:
    """From now on this client may read what a replica has."""
    cast("Client", call.session).reads_replica = True
    return OK


def readwrite(call: Call) -> Reply:
    cast("Client", call.session).reads_replica = False
    return OK
