"""The commands of a Sentinel: rows of the same command table that a server has, and no others.

    PING  INFO  ROLE  HELLO
    PUBLISH __sentinel__:hello message                                a fellow introduces itself (`hello`)
    SENTINEL GET-MASTER-ADDR-BY-NAME name                             what clients ask
    SENTINEL MASTERS | MASTER name | REPLICAS name | SENTINELS name   what this sentinel believes
    SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch runid|*             a fellow asks for an opinion, or for a vote
    SENTINEL FAILOVER name | CKQUORUM name | RESET pattern | MYID     what operators ask

Names, field names and error texts are those of Redis 7.0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from durable_redis.contract import Effects
from durable_redis.engine import Call, Command, container
from durable_redis.engine.arguments import integer
from durable_redis.engine.commands.connection import ping
from durable_redis.engine.glob import compile_glob
from durable_redis.formats.resp import OK, ErrorReply, Reply, Status, Verbatim
from durable_redis.redis import session
from durable_redis.redis.client import LATER
from durable_redis.redis.config import DEFAULT_PORT, REDIS_VERSION
from durable_redis.redis.epochs import LARGEST_EPOCH
from durable_redis.redis.sentinel import election, tables
from durable_redis.redis.sentinel.hello import CHANNEL, Hello, heard

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.sentinel.sentinel import Sentinel

Handler = Callable[["Sentinel", Call], Reply]

NO_SUCH_MASTER = ErrorReply("ERR No such master with that name")


def commands(sentinel: Sentinel) -> list[Command]:
    """The rows, bound to one sentinel."""

    def row(name: str, arity: int, handler: Handler) -> Command:
        return Command(name, arity, "", partial(handler, sentinel))

    def about_master(name: str, handler: Handler) -> Command:
        """A subcommand whose argument is the name of the primary."""

        def checked(sentinel: Sentinel, call: Call) -> Reply:
            return handler(sentinel, call) if _is_ours(sentinel, call.argv[2]) else NO_SUCH_MASTER

        return row(name, 3, checked)

    return [
        Command("ping", -1, "", ping),
        row("info", -1, info),
        row("role", 1, role),
        row("hello", -1, hello),
        row("publish", 3, publish),
        container(
            "sentinel",
            -2,
            row("sentinel|get-master-addr-by-name", 3, get_master_addr_by_name),
            row("sentinel|masters", 2, masters),
            about_master("sentinel|master", lambda sentinel, call: tables.primary(sentinel, call.now_ms * 1000)),
            about_master("sentinel|replicas", replicas),
            about_master("sentinel|slaves", replicas),
            about_master("sentinel|sentinels", sentinels),
            row("sentinel|is-master-down-by-addr", 6, is_master_down_by_addr),
            about_master("sentinel|failover", failover),
            about_master("sentinel|ckquorum", ckquorum),
            row("sentinel|reset", 3, reset),
            row("sentinel|myid", 2, lambda sentinel, call: sentinel.run_id.encode()),
        ),
    ]


# -- what any server answers -----------------------------------------------------------------------------------------


def info(sentinel: Sentinel, call: Call) -> Reply:
    sections = [argument.decode("latin-1").lower() for argument in call.argv[1:]]
    return Verbatim("txt", tables.info(sentinel, sections, call.now_ms * 1000).encode())


def role(sentinel: Sentinel, call: Call) -> Reply:
    return [b"sentinel", [sentinel.config.master_name.encode()]]


def hello(sentinel: Sentinel, call: Call) -> Reply:
    return session.plain_hello(call, REDIS_VERSION, b"sentinel")


# -- fellow sentinels ------------------------------------------------------------------------------------------------


def publish(sentinel: Sentinel, call: Call) -> Reply:
    if call.argv[1] != CHANNEL:
        return ErrorReply("ERR Only HELLO messages are accepted by Sentinel instances.")
    message = Hello.parse(call.argv[2])
    if message is not None:
        sentinel.clients.todo.append(partial(heard, sentinel, message))
    return 1


def is_master_down_by_addr(sentinel: Sentinel, call: Call) -> Reply:
    """[do I find it down, for whom did I vote, in which epoch].  With a run id it asks for this vote; * asks for none.

    1. the opinion;  2. the vote, and with it the disk;  3. the answer."""
    name, port, epoch, candidate = call.argv[2], integer(call.argv[3]), integer(call.argv[4]), call.argv[5]
    if not 0 <= epoch <= LARGEST_EPOCH:
        return ErrorReply(f"ERR Invalid epoch: it is a whole number, from 0 to {LARGEST_EPOCH}")
    client = _client(call)
    known = name == sentinel.primary.name.encode() and port == DEFAULT_PORT
    if not known:
        return [0, b"*", 0]
    # 1.
    down = int(sentinel.primary.down and not sentinel.tilt)
    if candidate == b"*":
        return [down, b"*", 0]

    def work(now: int) -> Effects:
        # 2.
        yield from sentinel.vote(candidate.decode("ascii", "replace"), epoch, now)
        # 3.
        ballot = sentinel.ballot
        client.reply([down, ballot.candidate.encode() or b"*", ballot.voted_epoch])

    sentinel.clients.todo.append(work)
    return LATER


# -- clients and operators -------------------------------------------------------------------------------------------


def get_master_addr_by_name(sentinel: Sentinel, call: Call) -> Reply:
    """[ip, port], or null if it monitors no such primary."""
    if not _is_ours(sentinel, call.argv[2]):
        return tables.NO_ADDRESS
    return [sentinel.announced_primary.encode(), b"%d" % DEFAULT_PORT]


def masters(sentinel: Sentinel, call: Call) -> Reply:
    return [tables.primary(sentinel, call.now_ms * 1000)]


def replicas(sentinel: Sentinel, call: Call) -> Reply:
    return [tables.replica(sentinel, server, call.now_ms * 1000) for server in sentinel.replicas.values()]


def sentinels(sentinel: Sentinel, call: Call) -> Reply:
    return [tables.peer(sentinel, peer, call.now_ms * 1000) for peer in sentinel.peers.values()]


def failover(sentinel: Sentinel, call: Call) -> Reply:
    """Fail over now, without anybody's agreement, whatever the primary's state."""
    if sentinel.failover.running:
        return ErrorReply("INPROG Failover already in progress")
    if not sentinel.select(call.now_ms * 1000).replica:
        return ErrorReply("NOGOODSLAVE No suitable replica to promote")
    sentinel.clients.todo.append(partial(sentinel.failover.start, True))
    return OK


def ckquorum(sentinel: Sentinel, call: Call) -> Reply:
    """Are enough sentinels up to find the primary down, and to authorise a failover?"""
    usable = 1 + sum(not peer.down and peer.link.up for peer in sentinel.peers.values())
    all_of_them = 1 + len(sentinel.peers)
    problems = ""
    if usable < sentinel.config.quorum:
        problems += "Not enough available Sentinels to reach the specified quorum for this master"
    if usable < election.votes_needed(all_of_them, quorum=1):
        problems += ". " if problems else ""
        problems += "Not enough available Sentinels to reach the majority and authorize a failover"
    if problems:
        return ErrorReply(f"NOQUORUM {usable} usable Sentinels. {problems}")
    return Status(b"OK %d usable Sentinels. Quorum and failover authorization can be reached" % usable)


def reset(sentinel: Sentinel, call: Call) -> Reply:
    """Forget and discover anew what the pattern names; how many primaries these were."""
    if not compile_glob(call.argv[2]).fullmatch(sentinel.config.master_name.encode()):
        return 0
    sentinel.clients.todo.append(sentinel.reset)
    return 1


def _is_ours(sentinel: Sentinel, name: bytes) -> bool:
    return name == sentinel.config.master_name.encode()


def _client(call: Call) -> Client:
    return cast("Client", call.session)
