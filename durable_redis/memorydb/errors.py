"""Why a shard's data cannot be made of what is there.

Recovery guesses nothing: whatever does not fit is refused, by name, with what was found and where.  What to do differs
with the name: from a damaged snapshot one goes back to an older one, as long as the log still reaches back to it; a
newer engine's data wait for a newer engine.
"""

from __future__ import annotations


class RecoveryError(Exception):
    """`where` is a snapshot or an entry of the log, `reason` a sentence."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class Truncated(RecoveryError):
    """The end of a snapshot is missing."""


class Damaged(RecoveryError):
    """Bytes are not those that were written: a checksum says so, or they make no sense."""


class NoLabel(RecoveryError):
    """An RDB file that is no shard's snapshot: it does not say which log it belongs to, and where."""


class OtherShard(RecoveryError):
    """A snapshot of another shard: good data, and not ours."""


class NewerEngine(RecoveryError):
    """A newer engine has written this, and this one must not guess what it means."""


class WrongPrefix(RecoveryError):
    """The log's running checksum here is another: this has not seen what the log says came before."""
