"""How commands, answers, names and numbers are spoken.

The law of this file: pure functions from bytes and names to a few plain words.
"""

from __future__ import annotations

from collections.abc import Sequence

from durable_redis.formats.resp import NEED_MORE, CommandParser, ErrorReply, ProtocolError, Reply, ReplyParser, Status

LONGEST_NAME = 12


def spoken(argv: Sequence[bytes]) -> str:
    """A command as people say it: `SET w17` (without the value)."""
    words = [word.decode("ascii", "backslashreplace") for word in argv[:2]]
    return " ".join([words[0].upper(), *(word[:LONGEST_NAME] for word in words[1:])]) if words else "nothing"


def label(data: bytes, reply: bool) -> str:
    """What a message on the wire says, in a word or two: `SET w17`, `OK`."""
    found = replies(data) if reply else commands(data)
    if not found:
        return f"{len(data)} bytes" if not reply or found is None else "a part of an answer"
    return spoken_reply(found[0]) if reply else spoken(found[0])  # type: ignore[arg-type]


def commands(data: bytes) -> list[list[bytes]] | None:
    """Every whole command in these bytes; None if they are something else."""
    parser = CommandParser()
    parser.feed(data)
    found = []
    try:
        while isinstance(argv := parser.next(), list):
            found.append(argv)
    except ProtocolError:
        return None
    return found


def replies(data: bytes) -> list[Reply] | None:
    """Every whole answer in these bytes; None if they are something else."""
    parser = ReplyParser()
    parser.feed(data)
    found: list[Reply] = []
    try:
        while (reply := parser.next()) is not NEED_MORE:
            found.append(reply)
    except ProtocolError:
        return None
    return found


def spoken_reply(reply: object) -> str:
    match reply:
        case Status(text=text):
            return text.decode("ascii", "backslashreplace")
        case ErrorReply(text=text):
            return f"error {text.partition(' ')[0]}"
        case bytes():
            return reply[:LONGEST_NAME].decode("ascii", "backslashreplace")
        case None:
            return "nothing there"
        case int():
            return str(reply)
    return "an answer"


def ranged(names: Sequence[str]) -> str:
    """`w1`, `w1 and w2`, `w1 to w12`."""
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]} to {names[-1]}"


def listed(names: Sequence[str]) -> str:
    """`n1`, `n1 and n2`, `n1, n2 and n3`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def counted(number: object, noun: str) -> str:
    """`1 write`, `1,200 writes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(machine: str) -> str:
    """A machine, as a sentence calls it."""
    return {"client": "the client", "you": "the operator", "endpoint": "the endpoint"}.get(machine, machine)


def them(things: Sequence[object]) -> str:
    return "it" if len(things) == 1 else "them"


def they_are(things: Sequence[object]) -> str:
    return "it is" if len(things) == 1 else "they are"
