"""What any server answers a client about their connection: CLIENT, HELLO, QUIT.  The texts are Redis 7.0's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from durable_redis.engine import Call, Command
from durable_redis.formats.resp import OK, ErrorReply, Map, Reply
from durable_redis.formats.resp_commands import strict_integer

if TYPE_CHECKING:
    from durable_redis.redis.client import Client


def client_rows() -> list[Command]:
    """Subcommands of CLIENT."""
    return [
        Command("client|id", 2, "loading stale", client_id),
        Command("client|getname", 2, "loading stale", client_getname),
        Command("client|setname", 3, "loading stale", client_setname),
        Command("client|setinfo", 4, "loading stale", client_setinfo),
    ]


def client_of(call: Call) -> Client:
    """The connection that a command came by."""
    return cast("Client", call.session)


def client_id(call: Call) -> Reply:
    return client_of(call).number


def client_getname(call: Call) -> Reply:
    return call.session.name.encode("latin-1") or None


def client_setname(call: Call) -> Reply:
    return set_name(call, call.argv[2]) or OK


def set_name(call: Call, name: bytes) -> ErrorReply | None:
    """Call this connection so, or say why not."""
    if any(not 0x21 <= byte <= 0x7E for byte in name):
        return ErrorReply("ERR Client names cannot contain spaces, newlines or special characters.")
    call.session.name = name.decode("latin-1")
    return None


def client_setinfo(call: Call) -> Reply:
    if call.argv[2].lower() not in (b"lib-name", b"lib-ver"):
        return ErrorReply(f"ERR Unrecognized option '{call.argv[2].decode('latin-1')}'")
    return OK


def quit_connection(call: Call) -> Reply:
    client_of(call).closing = True
    return OK


def protocol(word: bytes) -> int | ErrorReply:
    """HELLO's first argument, 2 or 3, or why not."""
    wanted = strict_integer(word)
    if wanted is None:
        return ErrorReply("ERR Protocol version is not an integer or out of range")
    return wanted if wanted in (2, 3) else ErrorReply("NOPROTO unsupported protocol version")


def hello_syntax(option: bytes) -> ErrorReply:
    return ErrorReply(f"ERR Syntax error in HELLO option '{option.decode('latin-1')}'")


def plain_hello(call: Call, version: str, mode: bytes, role: bytes = b"") -> Reply:
    """HELLO [2|3], where nobody needs a password: choose the protocol."""
    if len(call.argv) > 1:
        wanted = protocol(call.argv[1])
        if isinstance(wanted, ErrorReply):
            return wanted
        if len(call.argv) > 2:
            return hello_syntax(call.argv[2])
        call.session.protocol = wanted
    return introduction(call, version, mode, role)


def introduction(call: Call, version: str, mode: bytes, role: bytes = b"") -> Reply:
    """What HELLO answers: who speaks here."""
    roles: list[tuple[Reply, Reply]] = [(b"role", role)] if role else []
    return Map(
        [
            (b"server", b"redis"),
            (b"version", version.encode()),
            (b"proto", call.session.protocol),
            (b"id", client_of(call).number),
            (b"mode", mode),
            *roles,
            (b"modules", []),
        ]
    )
