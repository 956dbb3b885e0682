"""Histories: whose stream it is, how many bytes of it there are, and who may go on where it stopped.

A *replication id* is the name of one history of a data set, 40 hexadecimal digits; an *offset* counts the bytes of its
stream.  Two servers with the same (replid, offset) hold the same data: that is the whole idea, and everything else in
this package keeps it true.

A replica takes over the id of its primary.  When it is promoted it begins a history of its own, under a new id, and
remembers the old one as its second id, with the first offset that it does *not* share:

    50 bytes of history "aa.." are applied, then the promotion:
    replid = "bb.." (new)   replid2 = "aa.."   second_offset = 51

Another replica of the old primary asks for what comes next: "aa.. from 51" if it has all 50 bytes, "aa.. from 31" if it
has 30: both can go on here.  One that has 60 bytes asks for "aa.. from 61": it has ten bytes that never became part of
this history.  It is refused, and will throw away all it has.  So does an old primary that comes back with writes that
its replicas never got.

What this file must not know: connections, and where the bytes are kept (replication.c `shiftReplicationId`,
`masterTryPartialResynchronization`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

NO_ID = "0" * 40
"""Stands for a second id when there is none; nobody's history has this name."""

NO_OFFSET = -1

ANY = "?"
"""What a replica asks for that has nothing to go on from."""


def new_id(random: Random) -> str:
    """A name that nothing else has: for a history, a process, the end of a snapshot on the wire."""
    return f"{random.getrandbits(160):040x}"


@dataclass(frozen=True, slots=True)
class History:
    """The names under which a server's stream may be asked for."""

    replid: str
    replid2: str = NO_ID
    second_offset: int = NO_OFFSET

    def continued_as(self, replid: str, offset: int) -> History:
        """The same stream under a new name, `offset` bytes after its beginning.

        At a promotion the name is fresh; a replica whose primary was promoted learns it with +CONTINUE."""
        return History(replid, self.replid, offset + 1)


class Verdict(NamedTuple):
    """Whether a replica may go on where it stopped, and why (not): a sentence."""

    partial: bool
    why: str


def decide(history: History, backlog: tuple[int, int] | None, replid: str, offset: int) -> Verdict:
    """PSYNC `replid` `offset`: may a replica that wants the stream from this byte on go on, or must it start anew?

    `backlog` is (offset of its first byte, number of bytes), None if there is none.  Two questions, in this order: is
    it the same history, and are the bytes still there?  With replid "bb..", replid2 "aa..", second_offset 51, and a
    backlog that holds the bytes 21 to 60, which is (21, 40):

        bb.. 61    partial: it has everything, and gets 0 bytes
        bb.. 21    partial: it gets all 40
        bb.. 20    full: byte 20 is not in the backlog any more
        bb.. 62    full: it asks for what comes after a byte 61 that does not exist here
        aa.. 51    partial: the histories part behind byte 50, and it has no more than that
        aa.. 52    full: byte 51 of "aa.." is not ours
        cc.. 30    full: another history altogether
        ?    -1    full: it has nothing
    """
    asked = replid.lower()
    if asked == ANY:
        return Verdict(False, "it has nothing to go on from")
    if asked not in (history.replid, history.replid2):
        return Verdict(False, f"it knows another history, {asked[:8]}, and not {history.replid[:8]}")
    if asked != history.replid and offset > history.second_offset:
        return Verdict(
            False,
            f"it is ahead: it asks for byte {offset} of {asked[:8]}, and the common history ends before byte "
            f"{history.second_offset}",
        )
    if backlog is None:
        return Verdict(False, "there is no backlog")
    first, length = backlog
    if offset > first + length:
        return Verdict(
            False, f"it is ahead: it asks for byte {offset}, and the stream ends with byte {first + length - 1}"
        )
    if offset < first:
        return Verdict(False, f"it asks for byte {offset}, and the backlog begins with byte {first}")
    return Verdict(True, f"the backlog has the {first + length - offset} bytes that it lacks")
