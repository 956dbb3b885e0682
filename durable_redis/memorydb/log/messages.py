"""What goes over the wires of the log: every message is one RESP array of words, the verb first.

Between replicas, each on a connection that its sender opened, and that begins with PEER:

    PEER name                                                      I am this replica
    CAMPAIGN shard term last trial                                 vote for me; `trial`: would you?
    VOTE shard term last trial granted newest                      an answer to exactly that; newest: my own term
    REPLICATE shard term round cut checksum prev committed tail [entry ...]   the leader: behind `prev` stand these
    STORED shard term round index fits whole                       on my platter up to here; or: send from behind here
    STATE shard                                                    a blank replica: what is your term?
    STATE-IS shard term whole

Between the log and those who use it; `number` is the asker's own, and comes back with the answer:

    APPEND shard number after token kind body      ->  APPENDED shard number id checksum | CONFLICT shard number tail
    READ shard number after limit                  ->  ENTRIES shard number tail base [entry ...]
    SUBSCRIBE shard number after                   ->  ENTRIES, again and again
    TAIL shard number                              ->  TAIL shard number id checksum
    TRIM shard number upto                         ->  TRIMMED shard number cut checksum
    any                                            ->  NOTLEADER shard number leader | REFUSED shard number code reason

Ids are written 3-17, checksums in 16 hexadecimal digits, entries as their bytes (`entries`).  Whatever is not such a
message raises `MessageError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, Final, TypeAlias

from durable_redis.formats.resp import Limits, encode_command, strict_integer
from durable_redis.memorydb.log.entries import LARGEST_BODY, EntryId, LogError

LIMITS: Final = Limits(bulk_bytes=2 * LARGEST_BODY, arguments=10_000, line_bytes=64)
LONGEST_WORD: Final = 255

Checksum: TypeAlias = int


class MessageError(Exception):
    """These words are no message of the log.  The text says which word is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Message:
    """The base of all messages: `verb` is the first word, the fields are the others, in order."""

    verb: ClassVar[str] = ""


# -- between replicas ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peer(Message):
    verb: ClassVar[str] = "PEER"
    name: str


@dataclass(frozen=True, slots=True)
class Campaign(Message):
    """`last` is the id of the candidate's last entry."""

    verb: ClassVar[str] = "CAMPAIGN"
    shard: str
    term: int
    last: EntryId
    trial: bool


@dataclass(frozen=True, slots=True)
class Vote(Message):
    """`last` repeats the candidate's: a vote is for a log, not for a name.  A replica that lost its disk since it asked
    has another log, and may not use the vote."""

    verb: ClassVar[str] = "VOTE"
    shard: str
    term: int
    last: EntryId
    trial: bool
    granted: bool
    newest: int


@dataclass(frozen=True, slots=True)
class Replicate(Message):
    """`committed` is a place, `tail` the place of the leader's last entry, `cut` where its log begins."""

    verb: ClassVar[str] = "REPLICATE"
    shard: str
    term: int
    round: int
    cut: EntryId
    cut_checksum: Checksum
    prev: EntryId
    committed: int
    tail: int
    entries: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored(Message):
    verb: ClassVar[str] = "STORED"
    shard: str
    term: int
    round: int
    index: int
    fits: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class AskState(Message):
    verb: ClassVar[str] = "STATE"
    shard: str


@dataclass(frozen=True, slots=True)
class StateIs(Message):
    verb: ClassVar[str] = "STATE-IS"
    shard: str
    term: int
    whole: bool


# -- questions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question(Message):
    """Something that a user of the log asks."""

    shard: str
    number: int


@dataclass(frozen=True, slots=True)
class AskAppend(Question):
    verb: ClassVar[str] = "APPEND"
    after: EntryId
    token: str
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class AskRead(Question):
    verb: ClassVar[str] = "READ"
    after: EntryId
    limit: int


@dataclass(frozen=True, slots=True)
class AskSubscription(Question):
    verb: ClassVar[str] = "SUBSCRIBE"
    after: EntryId


@dataclass(frozen=True, slots=True)
class AskTail(Question):
    verb: ClassVar[str] = "TAIL"


@dataclass(frozen=True, slots=True)
class AskTrim(Question):
    verb: ClassVar[str] = "TRIM"
    upto: EntryId


# -- replies ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogReply(Message):
    """What the log says to a question of this number."""

    shard: str
    number: int


@dataclass(frozen=True, slots=True)
class AppendedIs(LogReply):
    verb: ClassVar[str] = "APPENDED"
    id: EntryId
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class ConflictIs(LogReply):
    verb: ClassVar[str] = "CONFLICT"
    tail: EntryId


@dataclass(frozen=True, slots=True)
class EntriesAre(LogReply):
    verb: ClassVar[str] = "ENTRIES"
    tail: EntryId
    base: Checksum
    entries: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TailIs(LogReply):
    verb: ClassVar[str] = "TAIL"
    id: EntryId
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class TrimmedIs(LogReply):
    verb: ClassVar[str] = "TRIMMED"
    cut: EntryId
    checksum: Checksum


@dataclass(frozen=True, slots=True)
class NotLeader(LogReply):
    """`leader` is "" if the replica knows of none."""

    verb: ClassVar[str] = "NOTLEADER"
    leader: str


@dataclass(frozen=True, slots=True)
class RefusedIs(LogReply):
    verb: ClassVar[str] = "REFUSED"
    code: str
    reason: str


Kinds: TypeAlias = Mapping[str, type[Message]]

PEER_MESSAGES: Final[Kinds] = {kind.verb: kind for kind in (Campaign, Vote, Replicate, Stored, AskState, StateIs)}
QUESTIONS: Final[Kinds] = {kind.verb: kind for kind in (Peer, AskAppend, AskRead, AskSubscription, AskTail, AskTrim)}
"""What the first word on a new connection can be, and on a client's every word."""
REPLIES: Final[Kinds] = {
    kind.verb: kind for kind in (AppendedIs, ConflictIs, EntriesAre, TailIs, TrimmedIs, NotLeader, RefusedIs)
}

# -- words -----------------------------------------------------------------------------------------------------------

REMEMBERED: Final = 1024
"""So many words are not read anew: the same names, terms and ids come in message after message."""

_HEXADECIMAL = re.compile(rb"[0-9a-f]{16}")


@lru_cache(REMEMBERED)
def _text(word: bytes) -> str | None:
    return word.decode("ascii") if len(word) <= LONGEST_WORD and word.isascii() else None


@lru_cache(REMEMBERED)
def _number(word: bytes) -> int | None:
    number = strict_integer(word)
    return number if number is not None and number >= 0 else None


@lru_cache(REMEMBERED)
def _id(word: bytes) -> EntryId | None:
    try:
        return EntryId.parse(word.decode("ascii", "replace"))
    except LogError:
        return None


_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "str": lambda text: text[:LONGEST_WORD].encode("ascii", "backslashreplace"),
    "int": lambda number: b"%d" % number,
    "bool": lambda truth: b"yes" if truth else b"no",
    "EntryId": lambda id: str(id).encode(),
    "Checksum": lambda checksum: b"%016x" % checksum,
    "bytes": lambda data: data,
}
_READERS: Final[dict[str, tuple[Callable[[bytes], Any], str]]] = {
    "str": (_text, "a short word"),
    "int": (_number, "a number"),
    "bool": ({b"yes": True, b"no": False}.get, "yes or no"),
    "EntryId": (_id, "an id such as 3-17"),
    "Checksum": (lambda word: int(word, 16) if _HEXADECIMAL.fullmatch(word) else None, "16 hexadecimal digits"),
    "bytes": (lambda word: word, "bytes"),
}
_REST: Final = "tuple[bytes, ...]"
"""The type of a last field that takes all the words that are left."""


_WORDS: Final = {
    kind: tuple((field.name, str(field.type)) for field in fields(kind))
    for kind in (*PEER_MESSAGES.values(), *QUESTIONS.values(), *REPLIES.values())
}
"""The name and the type of every word behind the verb."""


def encode(message: Message) -> bytes:
    """A message as bytes."""
    words = [message.verb.encode()]
    for name, kind in _WORDS[type(message)]:
        value = getattr(message, name)
        words += value if kind == _REST else [_WRITERS[kind](value)]
    return encode_command(words)


def decode(words: Sequence[bytes], kinds: Kinds) -> Message:
    """The message that these words are, of one of these kinds.  Raises MessageError."""
    verb = words[0].decode("ascii", "replace") if words else ""
    kind = kinds.get(verb.upper())
    if kind is None:
        raise MessageError(f"{verb[:40]!r} is no verb here: {', '.join(kinds)} are")
    wanted = _WORDS[kind]
    rest = bool(wanted) and wanted[-1][1] == _REST
    least = len(wanted) - rest
    if len(words) - 1 < least or (len(words) - 1 > least and not rest):
        names = " ".join(name for name, _ in wanted)
        raise MessageError(f"{verb} wants {least} words ({names}), not {len(words) - 1}")
    values: list[Any] = []
    for word, (name, type_name) in zip(words[1:], wanted[:least], strict=False):
        read, what = _READERS[type_name]
        if (value := read(word)) is None:
            raise MessageError(f"{name} of {verb} must be {what}, not {word[:40]!r}")
        values.append(value)
    if rest:
        values.append(tuple(words[least + 1 :]))
    return kind(*values)
