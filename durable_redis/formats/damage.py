"""The sentence that a reader of bytes says when they are not what they should be: where, at which byte, and why.

The law of this file: three facts and how they are told.  Each format has its own error, made of this one.
"""

from __future__ import annotations


class DamageError(Exception):
    """Bytes that cannot be read.  `name`: of the file, or what else they are; `offset`: the byte in it, from 0."""

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(name, offset, reason)
        self.name = name
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: at byte {self.offset}: {self.reason}"
