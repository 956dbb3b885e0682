"""Claims: what the entries carry that say who leads.

    leadership   this node leads from here on; its stream has this replid and begins at this offset
    renewal      it leads still: begin your backoff anew
    handover     it leads no more, and this other node need not wait

A claim is one RESP array of four words, so that anybody can read it: node, replid, offset, successor ("" but in a
handover).
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.formats.resp import encode_command, strict_integer
from durable_redis.memorydb.record import RecordError, words_of


class ClaimError(Exception):
    """The body of an entry is no claim.  The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """See above."""

    node: str
    replid: str
    offset: int
    successor: str = ""

    def encode(self) -> bytes:
        """The body of the entry."""
        return encode_command([self.node.encode(), self.replid.encode(), b"%d" % self.offset, self.successor.encode()])

    @classmethod
    def decode(cls, body: bytes) -> Claim:
        """The claim in a body.  Raises ClaimError, and nothing else."""
        try:
            words = words_of(body, "a claim", "node replid offset successor")
        except RecordError as error:
            raise ClaimError(str(error)) from error
        offset = strict_integer(words[2])
        if offset is None or not all(word.isascii() for word in words):
            raise ClaimError(f"a claim names an offset and nodes, not {words[2][:20]!r}")
        return cls(words[0].decode(), words[1].decode(), offset, words[3].decode())
