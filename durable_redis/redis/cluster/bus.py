r"""The cluster bus: what the nodes of a cluster say to one another, as values and as bytes.

Every message, whatever it is about, begins with the same header, in which a node says of itself: the greatest epoch it
has heard of, its config epoch and slots (a replica: those of its primary), its replication offset, its primary.  So
every message is news, and nobody need ask.

    kind            means                                                   carries besides the header
    PING, PONG      are you there?  I am here                               rumours: what I think of a few others
    MEET            a PING to be answered although you do not know me       rumours
    FAIL            a majority cannot reach this node                       its name
    UPDATE          what you say of your slots is out of date               who owns them, and since which epoch
    AUTH-REQUEST    vote for me                                             -
    AUTH-ACK        you have my vote for the current epoch                  -
    MFSTART         stop your clients: I am to take over from you           -

**The bytes are ours.**  Redis has a binary format of its own (cluster.h `clusterMsg`: 2 KB for the bitmap of slots
alone, and a port of its own, 16379).  Here a message is one RESP command, slots are written as ranges, and a
connection that begins with the command `CLUSTERBUS 1` belongs to the bus:

    PING n1 6 1 1024 - 0-5460 - "n2 ok 0 1637280001230"
         |  | | |    | |      |  a rumour: name, health, when I pinged it (0: not waiting), when it last answered; in ms
         |  | | |    | |      marks
         |  | | |    | slots
         |  | | |    the sender's primary; "-": it is one itself
         |  | | offset
         |  | config epoch
         |  current epoch
         sender

What is not such a message raises `BusError`; the connection is then closed.  Nothing is allocated because a peer
announced it, and a set of slots is read from at most 64 KiB of text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from durable_redis.formats.resp import (
    NEED_MORE,
    CommandParser,
    Limits,
    NeedMore,
    ProtocolError,
    encode_command,
    strict_integer,
)
from durable_redis.redis.cluster.slots import SlotError, SlotSet, parse_slots, slots_text
from durable_redis.redis.epochs import LARGEST_EPOCH, read_epoch

VERSION = b"1"
GREETING: Final = encode_command([b"CLUSTERBUS", VERSION])
"""The first bytes of a connection that belongs to the bus."""

LIMITS = Limits(bulk_bytes=64 * 1024, arguments=2_000, line_bytes=64)
LONGEST_NAME = 255

PAUSED = "paused"
"""Mark: the sender holds its clients back, because the receiver is to take over from it."""
FORCE = "force"
"""Mark: vote for me although my primary has not failed: a person has asked for it."""
NO_FAILOVER = "nofailover"
"""Mark: the sender never takes over (cluster-replica-no-failover)."""
MARKS: Final = (PAUSED, FORCE, NO_FAILOVER)


class BusError(Exception):
    """A peer sent something that is no message of the bus.  The text says what, and what would be one."""


class Kind(Enum):
    """What a message is about."""

    PING = "PING"
    PONG = "PONG"
    MEET = "MEET"
    FAIL = "FAIL"
    UPDATE = "UPDATE"
    AUTH_REQUEST = "AUTH-REQUEST"
    AUTH_ACK = "AUTH-ACK"
    MFSTART = "MFSTART"


HEARTBEATS: Final = (Kind.PING, Kind.PONG, Kind.MEET)


class Health(Enum):
    """What one node thinks of another: PFAIL is its own opinion, FAIL that of a majority."""

    OK = "ok"
    PFAIL = "fail?"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Rumour:
    """What the sender thinks of another node (Redis: an entry of the gossip section).  Times in ms since 1970."""

    name: str
    health: Health
    pinged_ms: int
    ponged_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message.  `primary` is "" if the sender is a primary; `about...` belong to FAIL and UPDATE."""

    kind: Kind
    sender: str
    current_epoch: int = 0
    config_epoch: int = 0
    offset: int = 0
    primary: str = ""
    slots: SlotSet = field(default=0, repr=False)  # Python refuses to print a number of 4,932 digits
    marks: tuple[str, ...] = ()
    rumours: tuple[Rumour, ...] = ()
    about: str = ""
    about_epoch: int = 0
    about_slots: SlotSet = field(default=0, repr=False)


# -- values to bytes -------------------------------------------------------------------------------------------------


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    words = [message.kind.value, message.sender]
    words += map(str, (message.current_epoch, message.config_epoch, message.offset))
    words += [message.primary or "-", slots_text(message.slots), ",".join(message.marks) or "-"]
    if message.kind in HEARTBEATS:
        words += [f"{each.name} {each.health.value} {each.pinged_ms} {each.ponged_ms}" for each in message.rumours]
    elif message.kind is Kind.FAIL:
        words.append(message.about)
    elif message.kind is Kind.UPDATE:
        words += [message.about, str(message.about_epoch), slots_text(message.about_slots)]
    return encode_command([word.encode("ascii") for word in words])


# -- bytes to values -------------------------------------------------------------------------------------------------


class BusParser:
    """Bytes in, messages out, no socket."""

    def __init__(self) -> None:
        self._commands = CommandParser(LIMITS)

    def feed(self, data: bytes) -> None:
        """Bytes that have just arrived."""
        self._commands.feed(data)

    def next(self) -> Message | NeedMore:
        """The next whole message, or NEED_MORE.  Raises BusError, now and on every later call for the same bytes."""
        try:
            words = self._commands.next()
        except ProtocolError as error:
            raise BusError(f"not a message of the bus: {error}") from None
        return words if words is NEED_MORE else decode(words)


def decode(words: Sequence[bytes]) -> Message:
    """The message that these words are.  Raises BusError."""
    try:
        kind, *texts = [word.decode("ascii") for word in words]
        known = Kind(kind)
    except ValueError:
        raise BusError(f"no message of the bus begins with {_shown(words[:1])}") from None
    if len(texts) < 7:
        raise BusError(f"{kind} has a header of 8 words, not of {len(words)}")
    sender, current_epoch, config_epoch, offset, primary, slots, marks = texts[:7]
    header = Message(
        known,
        _name(sender),
        _epoch(current_epoch, "current epoch"),
        _epoch(config_epoch, "config epoch"),
        _number(offset, "offset"),
        "" if primary == "-" else _name(primary),
        _slots(slots),
        _marks(marks),
    )
    return _with_body(header, texts[7:])


def _with_body(header: Message, body: list[str]) -> Message:
    if header.kind in HEARTBEATS:
        return replace(header, rumours=tuple(map(_rumour, body)))
    match header.kind, body:
        case Kind.FAIL, [about]:
            return replace(header, about=_name(about))
        case Kind.UPDATE, [about, epoch, slots]:
            number = _epoch(epoch, "config epoch")
            return replace(header, about=_name(about), about_epoch=number, about_slots=_slots(slots))
        case ((Kind.AUTH_REQUEST | Kind.AUTH_ACK | Kind.MFSTART), []):
            return header
    raise BusError(f"{header.kind.value} does not carry {len(body)} words behind its header")


def _rumour(text: str) -> Rumour:
    words = text.split(" ")
    if len(words) != 4 or words[1] not in [health.value for health in Health]:
        raise BusError(f"a rumour is written like 'n2 ok 0 1637280001230', not {text[:80]!r}")
    name, health, pinged, ponged = words
    return Rumour(_name(name), Health(health), _number(pinged, "time"), _number(ponged, "time"))


def is_name(text: str) -> bool:
    """Whether a node can be called so: "-" stands for nobody."""
    return 0 < len(text) <= LONGEST_NAME and text != "-" and all("!" <= letter <= "~" for letter in text)


def _name(text: str) -> str:
    if not is_name(text):
        raise BusError(f"a node's name has 1 to {LONGEST_NAME} printable characters, not {text[:80]!r}")
    return text


def _number(text: str, what: str) -> int:
    number = strict_integer(text.encode("ascii"))
    if number is None or number < 0:
        raise BusError(f"the {what} is a whole number, 0 or more, not {text[:80]!r}")
    return number


def _epoch(text: str, what: str) -> int:
    epoch = read_epoch(text.encode("ascii"))
    if epoch is None:
        raise BusError(f"the {what} is a whole number, from 0 to {LARGEST_EPOCH}, not {text[:80]!r}")
    return epoch


def _marks(text: str) -> tuple[str, ...]:
    marks = () if text == "-" else tuple(text.split(","))
    if any(mark not in MARKS for mark in marks):
        raise BusError(f"the marks are some of {', '.join(MARKS)}, not {text[:80]!r}")
    return marks


def _slots(text: str) -> SlotSet:
    try:
        return parse_slots(text)
    except SlotError as error:
        raise BusError(str(error)) from None


def _shown(words: Sequence[bytes]) -> str:
    return repr(words[0][:40]) if words else "nothing"
