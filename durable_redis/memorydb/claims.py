"""Claims: what the entries carry that say who leads.

    leadership   this node leads from here on; its stream has this replid, and begins where that before it ends
    renewal      it leads still: begin your backoff anew
    handover     it leads no more, and this other node need not wait

A claim is one RESP array of three words, so that anybody can read it: node, replid, successor ("" but in a handover).
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.formats.resp import encode_command
from durable_redis.memorydb.record import RecordError, words_of


class ClaimError(Exception):
    """The body of an entry is no claim.  The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """See above."""

    node: str
    replid: str
    successor: str = ""

    def encode(self) -> bytes:
        """The body of the entry."""
        return encode_command([self.node.encode(), self.replid.encode(), self.successor.encode()])

    @classmethod
    def decode(cls, body: bytes) -> Claim:
        """The claim in a body.  Raises ClaimError, and nothing else."""
        try:
            words = words_of(body, "a claim", "node replid successor")
        except RecordError as error:
            raise ClaimError(str(error)) from error
        if strange := [word for word in words if not word.isascii()]:
            raise ClaimError(f"a claim names nodes and a history, not {strange[0][:20]!r}")
        return cls(*(word.decode() for word in words))
