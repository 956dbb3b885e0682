"""Errors that a command answers.

A handler that finds its input wrong raises `CommandError`; the engine turns it into an error reply.  A handler raises
before it has changed anything, because Redis has no roll back: whatever was changed by then would stay changed.
The texts are Redis 7.0's, word for word (server.c `createSharedObjects`), since clients compare them.
"""

from __future__ import annotations


class CommandError(Exception):
    """A command was refused; `text` is the error reply without its leading '-'."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_FLOAT = "ERR value is not a valid float"
OUT_OF_RANGE = "ERR value is out of range"
NOT_POSITIVE = "ERR value is out of range, must be positive"
OVERFLOW = "ERR increment or decrement would overflow"
NO_SUCH_KEY = "ERR no such key"
INDEX_OUT_OF_RANGE = "ERR index out of range"
STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"


def wrong_arity(name: str) -> str:
    """The error for a command called with too few or too many arguments."""
    return f"ERR wrong number of arguments for '{name}' command"


def invalid_expire(name: str) -> str:
    """The error for a time to live that is negative where it may not be, or too large for 64 bits."""
    return f"ERR invalid expire time in '{name}' command"
