"""The commands that concern the server and not the data: CONFIG, INFO, SAVE, BGSAVE, SHUTDOWN, CLIENT, HELLO ...

Their rows are added to the engine's command table, so that unknown subcommands, arity and transactions are treated
alike.  A handler answers at once.  What takes time it leaves in `server.todo`: the server does it after the command and
before the reply is sent; where the reply depends on it, the handler answers `LATER`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from durable_redis.contract import Compute, Effects
from durable_redis.engine import Call, Command, container
from durable_redis.engine.glob import compile_glob
from durable_redis.formats.resp import OK, ErrorReply, Map, Reply, Status, Verbatim
from durable_redis.redis import conf_file, info, session
from durable_redis.redis.client import LATER
from durable_redis.redis.config import OPTION_NAMES, REDIS_VERSION, ConfigError

if TYPE_CHECKING:
    from durable_redis.redis.server import RedisServer

LONGEST_SLEEP_S = 3600.0

Handler = Callable[["RedisServer", Call], Reply]


def commands(server: RedisServer) -> list[Command]:
    """The rows, bound to one server."""

    def row(name: str, arity: int, flags: str, handler: Handler) -> Command:
        return Command(name, arity, flags, partial(handler, server))

    return [
        container(
            "config",
            -2,
            row("config|get", -3, "admin loading stale", config_get),
            row("config|set", -4, "admin loading stale", config_set),
            row("config|resetstat", 2, "admin loading stale", config_resetstat),
            row("config|rewrite", 2, "admin loading stale no_multi", config_rewrite),
        ),
        container(
            "client",
            -2,
            *session.client_rows(),
            row("client|info", 2, "loading stale", client_info),
            row("client|list", -2, "admin loading stale", client_list),
        ),
        row("info", -1, "loading stale", server_info),
        row("hello", -1, "no_auth loading stale", hello),
        row("auth", -2, "no_auth loading stale", auth),
        Command("quit", -1, "no_auth loading stale at_once", session.quit_connection),
        row("save", 1, "admin no_multi", save),
        row("bgsave", -1, "admin", bgsave),
        row("bgrewriteaof", 1, "admin", bgrewriteaof),
        row("lastsave", 1, "loading stale", lastsave),
        row("shutdown", -1, "admin loading stale no_multi", shutdown_server),
        row("debug", -2, "admin loading stale", debug),
        row("flushall", -1, "write", partial(flushall, server.engine.commands["flushall"].handler)),
    ]


# -- CONFIG ----------------------------------------------------------------------------------------------------------


def config_get(server: RedisServer, call: Call) -> Reply:
    patterns = [compile_glob(argument.lower()) for argument in call.argv[2:]]
    names = [name for name in OPTION_NAMES if any(pattern.fullmatch(name.encode()) for pattern in patterns)]
    return Map([(name.encode(), server.config.get(name).encode()) for name in names])


def config_set(server: RedisServer, call: Call) -> Reply:
    """All or nothing: the options are checked first, then changed together (config.c `configSetCommand`)."""
    arguments = [argument.decode("latin-1") for argument in call.argv[2:]]
    if len(arguments) % 2:
        return ErrorReply("ERR syntax error")
    config = server.config
    seen = []
    for name, text in zip(arguments[::2], arguments[1::2], strict=True):
        name = name.lower()
        if name not in OPTION_NAMES:
            return ErrorReply(f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
        if name in seen:
            return ErrorReply(f"ERR CONFIG SET failed (possibly related to argument '{name}') - duplicate parameter")
        seen.append(name)
        try:
            config = config.set(name, text)
        except ConfigError as error:
            return ErrorReply(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {error}")
    was_on, server.config = server.config.appendonly, config
    if config.appendonly and not was_on:
        server.todo.append(server.rewrite.switch_on)
    elif was_on and not config.appendonly:
        server.todo.append(server.aof.switch_off)
    server.primary.resize_backlog()
    server.primary.count_good(call.now_ms * 1000)
    return OK


def config_resetstat(server: RedisServer, call: Call) -> Reply:
    for name in server.stats:
        server.stats[name] = 0
    return OK


def config_rewrite(server: RedisServer, call: Call) -> Reply:
    if not server.config.config_file:
        return ErrorReply("ERR The server is running without a config file")
    client = session.client_of(call)

    def work(now: int) -> Effects:
        error = yield from conf_file.rewrite(server)
        client.reply(ErrorReply(f"ERR Rewriting config file: {error.description}") if error else OK)

    server.todo.append(work)
    return LATER


# -- CLIENT, HELLO, AUTH ---------------------------------------------------------------------------------------------


def client_info(server: RedisServer, call: Call) -> Reply:
    return Verbatim("txt", info.client_line(session.client_of(call)).encode("latin-1"))


def client_list(server: RedisServer, call: Call) -> Reply:
    lines = "".join(info.client_line(client) for client in server.clients.values())
    return Verbatim("txt", lines.encode("latin-1"))


def hello(server: RedisServer, call: Call) -> Reply:
    """HELLO [2|3 [AUTH user password] [SETNAME name]]: choose the protocol; answers with what the server is."""
    protocol = call.session.protocol
    arguments = call.argv[1:]
    if arguments:
        wanted = session.protocol(arguments.pop(0))
        if isinstance(wanted, ErrorReply):
            return wanted
        protocol = wanted
    while arguments:
        option = arguments.pop(0)
        if option.upper() == b"AUTH" and len(arguments) >= 2:
            refusal = _authenticate(server, call, arguments.pop(0), arguments.pop(0))
        elif option.upper() == b"SETNAME" and arguments:
            refusal = session.set_name(call, arguments.pop(0))
        else:
            refusal = session.hello_syntax(option)
        if refusal is not None:
            return refusal
    if not call.session.authenticated:
        return ErrorReply(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> "
            "option can be used to authenticate the client and select the RESP protocol version at the same time"
        )
    call.session.protocol = protocol
    mode = b"cluster" if server.cluster is not None else b"standalone"
    return session.introduction(call, REDIS_VERSION, mode, b"replica" if server.replica.primary else b"master")


def auth(server: RedisServer, call: Call) -> Reply:
    if len(call.argv) > 3:
        return ErrorReply("ERR syntax error")
    if len(call.argv) == 2 and not server.config.requirepass:
        return ErrorReply(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
            "configuration is correct?"
        )
    user = call.argv[1] if len(call.argv) == 3 else b"default"
    return _authenticate(server, call, user, call.argv[-1]) or OK


def _authenticate(server: RedisServer, call: Call, user: bytes, password: bytes) -> ErrorReply | None:
    wanted = server.config.requirepass.encode()
    if user != b"default" or (wanted and password != wanted):
        return ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")
    call.session.authenticated = True
    return None


# -- persistence -----------------------------------------------------------------------------------------------------


def save(server: RedisServer, call: Call) -> Reply:
    if server.snapshots.running:
        return ErrorReply("ERR Background save already in progress")
    client = session.client_of(call)

    def work(now: int) -> Effects:
        error = yield from server.snapshots.save(now)
        client.reply(ErrorReply("ERR") if error else OK)

    server.todo.append(work)
    return LATER


def bgsave(server: RedisServer, call: Call) -> Reply:
    schedule = len(call.argv) > 1
    if schedule and (len(call.argv) > 2 or call.argv[1].upper() != b"SCHEDULE"):
        return ErrorReply("ERR syntax error")
    if server.snapshots.running:
        return ErrorReply("ERR Background save already in progress")
    if server.child is not None or server.in_exec:
        if schedule or server.in_exec:
            server.snapshots.scheduled = True
            return Status(b"Background saving scheduled")
        return ErrorReply(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to "
            "schedule a BGSAVE whenever possible."
        )
    server.todo.append(server.snapshots.start)
    return Status(b"Background saving started")


def bgrewriteaof(server: RedisServer, call: Call) -> Reply:
    if server.rewrite.running:
        return ErrorReply("ERR Background append only file rewriting already in progress")
    if server.child is not None or server.in_exec:
        server.rewrite.scheduled = True
        return Status(b"Background append only file rewriting scheduled")
    server.todo.append(server.rewrite.begin)
    return Status(b"Background append only file rewriting started")


def flushall(engine_handler: Callable[[Call], Reply], server: RedisServer, call: Call) -> Reply:
    """Forget everything, and a snapshot of it in progress; with save points, save the emptiness at once (db.c)."""
    reply = engine_handler(call)

    def work(now: int) -> Effects:
        yield from server.snapshots.kill_child(now)
        if server.config.save:
            yield from server.snapshots.save(now)

    if reply == OK and server.ready:  # and not read from the log at the start
        server.todo.append(work)
    return reply


def lastsave(server: RedisServer, call: Call) -> Reply:
    return server.snapshots.last_save_us // 1_000_000


def shutdown_server(server: RedisServer, call: Call) -> Reply:
    options = [argument.upper() for argument in call.argv[1:]]
    if options == [b"ABORT"]:
        return server.shutdown.abort()
    if any(option not in (b"SAVE", b"NOSAVE", b"NOW", b"FORCE") for option in options) or (
        b"SAVE" in options and b"NOSAVE" in options
    ):
        return ErrorReply("ERR syntax error")
    save = b"SAVE" in options or (bool(server.config.save) and b"NOSAVE" not in options)
    force, at_once = b"FORCE" in options, b"NOW" in options
    server.todo.append(partial(server.shutdown.ask, session.client_of(call), save, force, at_once))
    return LATER


# -- the rest --------------------------------------------------------------------------------------------------------


def server_info(server: RedisServer, call: Call) -> Reply:
    sections = [argument.decode("latin-1").lower() for argument in call.argv[1:]]
    return Verbatim("txt", info.render(server, sections, call.now_ms).encode("latin-1"))


def debug(server: RedisServer, call: Call) -> Reply:
    """DEBUG SLEEP seconds: let the one thread do nothing, so that everybody waits."""
    if call.argv[1].upper() != b"SLEEP" or len(call.argv) != 3:
        name = call.argv[1].decode("utf-8", "replace")
        return ErrorReply(f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.")
    try:
        seconds = min(max(0.0, float(call.argv[2])), LONGEST_SLEEP_S)
    except ValueError:
        seconds = 0.0

    def work(now: int) -> Effects:
        yield Compute("sleep", int(seconds * 1_000_000))

    server.todo.append(work)
    return OK
