"""Leadership: who writes, decided by the log and by nothing else (paper, sections 4.1.1 to 4.1.3).

There is no quorum among the nodes, and they do not even talk to one another.  *Who leads is who appended a leadership
entry last*, and since an append names the entry that it must follow, of two who try only one succeeds, and only who has
seen everything can.

    RECOVERING     has begun to read the snapshot and the log; has nothing yet to show anybody
    FOLLOWING      applies what is committed, and begins its backoff anew at every leadership entry and renewal, and
                   when it hears the log again after a long silence
    CAMPAIGNING    has seen the tail, its backoff is over: it has sent a leadership entry
    EXPIRED        leads by its entry, and has no lease, not yet or not any more: it serves nothing, and renews
    LEADING        has a lease: it executes commands, and renews in time
    HANDING OVER   takes no more commands, and will name its successor in the log as soon as the log has all the rest
    STOPPED        the log speaks of a newer engine: this one might misread it, so it reads no more, and never leads

The *lease* is counted on the leader's own clock from before it sent the renewal, the *backoff* on the replica's from
when it saw it.  The backoff is longer, so the leases of two leaders never overlap: see `config`.  Both need clocks that
run equally fast; a clock that is *set* while a lease runs breaks it, and then an old leader may answer old reads.  No
write is lost even so: appends do not depend on any clock.

A leader that learns that somebody else has appended is *deposed*.  What it has executed and not got into the log never
happened; Redis cannot undo, so it throws everything away and recovers from the log.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note, SetTimer
from durable_redis.memorydb.claims import Claim
from durable_redis.memorydb.log import HANDOVER, LEADERSHIP, RENEWAL, Entry, EntryId
from durable_redis.redis.replication.history import NO_ID, new_id

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer

WAKE = "leadership"
"""The timer: a renewal is due, a lease ends, or a backoff."""


class Phase(Enum):
    """What a node is to its shard."""

    RECOVERING = "recovering"
    FOLLOWING = "following"
    CAMPAIGNING = "campaigning"
    EXPIRED = "expired"
    LEADING = "leading"
    HANDING_OVER = "handing over"
    STOPPED = "stopped"


TRANSITIONS = {
    Phase.RECOVERING: (Phase.FOLLOWING, Phase.STOPPED),
    Phase.FOLLOWING: (Phase.CAMPAIGNING, Phase.RECOVERING, Phase.STOPPED),
    Phase.CAMPAIGNING: (Phase.EXPIRED, Phase.FOLLOWING, Phase.STOPPED),
    Phase.EXPIRED: (Phase.LEADING, Phase.FOLLOWING, Phase.RECOVERING),
    Phase.LEADING: (Phase.HANDING_OVER, Phase.EXPIRED, Phase.FOLLOWING, Phase.RECOVERING),
    Phase.HANDING_OVER: (Phase.FOLLOWING, Phase.RECOVERING),
    Phase.STOPPED: (),
}
LEADERS = (Phase.LEADING, Phase.EXPIRED, Phase.HANDING_OVER)


class Leadership:
    """This node's part in it.  `leader` and `epoch` are what the log says: a name, and the place of its entry."""

    def __init__(self, server: MemoryDBServer) -> None:
        self.server = server
        self.phase = Phase.RECOVERING
        self.leader = ""
        self.epoch = EntryId.ZERO
        self.replid = NO_ID  # under which this node leads, or wants to
        self.lease_until_us = 0
        self.renew_at_us = 0
        self.backoff_until_us = 0
        self.successor = ""  # to whom this leader shall hand over

    @property
    def leads(self) -> bool:
        """Its leadership entry is the newest that it knows; that its lease holds, too, `serves` says."""
        return self.phase in LEADERS

    def serves(self, now: int) -> bool:
        """Whether it may execute commands, and tell what it holds.

        With durability "async" a lost lease does not stop it: there, an age limit on what is not in the log does
        (`MemoryDBServer.is_behind`), and a reader may be told something old.  That is the model's own choice."""
        if self.server.config.durability == "async":
            return self.phase in (Phase.LEADING, Phase.EXPIRED)
        return self.phase is Phase.LEADING and now < self.lease_until_us

    def enter(self, phase: Phase) -> None:
        assert phase in TRANSITIONS[self.phase], f"no way leads from {self.phase.value} to {phase.value}"
        self.phase = phase

    # -- what planted bugs change ------------------------------------------------------------------------------------

    def lease_end(self, sent_us: int, now: int) -> int:
        """The lease counts from before its entry was sent, not from when the answer came."""
        return sent_us + self.server.config.lease_ms * 1000

    def backoff_us(self) -> int:
        """How long a replica waits after the last sign of a leader; a little luck keeps two from always colliding."""
        config = self.server.config
        return (config.backoff_ms + self.server.random.randint(0, config.backoff_jitter_ms)) * 1000

    def may_campaign(self, now: int) -> bool:
        """It has seen the tail, and heard the log say so not long ago; and its backoff is over."""
        return self.server.logbook.is_caught_up and self.hears_the_log(now) and now >= self.backoff_until_us

    def hears_the_log(self, now: int) -> bool:
        """Not for as long as a lease has the log been silent, for this node."""
        return now - self.server.logbook.heard_us <= self.server.config.lease_ms * 1000

    def is_clean(self) -> bool:
        """Everything that this leader has executed is in the log."""
        return self.server.behind.is_clean

    # -- in every turn -----------------------------------------------------------------------------------------------

    def check(self, now: int) -> Effects:
        """Before anything is sent: is the lease over?  Is it time to campaign?"""
        if self.phase is Phase.LEADING and now >= self.lease_until_us:
            self.enter(Phase.EXPIRED)
            yield Note("lease over", {"epoch": self.epoch.index})
        if self.phase is Phase.FOLLOWING and not self.server.logbook.flight and self.may_campaign(now):
            yield from self._campaign(now)

    def _campaign(self, now: int) -> Effects:
        self.enter(Phase.CAMPAIGNING)
        self.replid = new_id(self.server.random)
        yield Note("candidate", {"after": str(self.server.logbook.position)})
        yield from self.server.logbook.append(LEADERSHIP, self._claim(), now)

    def wanted(self, now: int) -> str:
        """The kind of entry that a leader must append before any data; "" for none."""
        if self.phase in (Phase.LEADING, Phase.EXPIRED) and now >= self.renew_at_us:
            return RENEWAL
        if self.phase is Phase.HANDING_OVER and not self.server.behind.units:
            return HANDOVER
        return ""

    def append_wanted(self, kind: str, now: int) -> Effects:
        """Renew, or hand over."""
        self.renew_at_us = now + self.server.config.renew_ms * 1000
        yield SetTimer(WAKE, max(now, self.lease_until_us))
        yield from self.server.logbook.append(kind, self._claim(), now)

    def _claim(self) -> bytes:
        return Claim(self.server.name, self.replid, self.successor).encode()

    # -- what the log answers ----------------------------------------------------------------------------------------

    def appended(self, kind: str, id: EntryId, sent_us: int, now: int) -> Effects:
        """An entry of this node's own is committed."""
        if kind == LEADERSHIP:
            yield from self._won(id, sent_us, now)
        elif kind == RENEWAL:
            yield from self._renewed(sent_us, now)
        elif kind == HANDOVER:
            yield Note("handed over", {"successor": self.successor})
            yield from self._step_down(now)

    def _won(self, id: EntryId, sent_us: int, now: int) -> Effects:
        """The leadership entry is in the log, and nothing has followed it.  If the answer took longer than the lease, a
        renewal must show first that this is still so."""
        server, old = self.server, self.leader
        self.leader, self.epoch = server.name, id
        self.enter(Phase.EXPIRED)
        yield Note("leads", {"epoch": id.index, "shard": server.config.shard, "old": old})
        yield from server.lead(now)
        yield from self._renewed(sent_us, now)

    def _renewed(self, sent_us: int, now: int) -> Effects:
        """The lease begins anew, unless the answer came too late: then the next renewal is sent at once."""
        until_us = self.lease_end(sent_us, now)
        if now >= until_us:
            self.renew_at_us = now
            return
        if self.phase is Phase.EXPIRED:
            self.enter(Phase.LEADING)
        self.lease_until_us = until_us
        self.renew_at_us = sent_us + self.server.config.renew_ms * 1000
        yield Note("lease", {"until_us": until_us})
        yield SetTimer(WAKE, min(self.renew_at_us, until_us))

    def defeated(self, now: int) -> Effects:
        """An append of this node's own met somebody else's."""
        if self.phase is Phase.CAMPAIGNING:
            self.enter(Phase.FOLLOWING)
            yield from self.server.logbook.read_on(now)
            yield from self.wait(now)
        elif self.leads:
            yield from self._step_down(now)

    def see(self, entry: Entry, claim: Claim, now: int) -> Effects:
        """Somebody's leadership, renewal or handover, seen in the log by a replica.

        A renewal names the leader, too: of a leadership that began before its snapshot, a replica sees nothing else."""
        if entry.kind != HANDOVER:
            self.leader = claim.node
        if entry.kind == LEADERSHIP:
            self.epoch = entry.id
        if entry.kind == HANDOVER and claim.successor == self.server.name:
            self.backoff_until_us = now
        else:
            yield from self.wait(now)

    def heard_again(self, now: int) -> Effects:
        """The log speaks to this node.  If that is after a silence longer than a lease, a replica has learnt nothing of
        its leader meanwhile, who may have heard as little and could not renew: so its backoff begins anew.

        The log stands still from 0 to 4000 ms, and the leader has renewed at -200.  A backoff that ran on would be over
        at 2800, and the replica would take over at 4000, from a leader that lives and is about to renew.  This way it
        waits until 7000.  It is a matter of manners: what keeps two from leading is the condition of the append."""
        if self.phase is Phase.FOLLOWING and not self.hears_the_log(now):
            yield from self.wait(now)

    def wait(self, now: int) -> Effects:
        """The backoff begins anew.  In an empty log nobody leads whom one would have to wait for: so the node that is
        to begin need not, and the others let it."""
        begins = self.server.config.begins and self.server.logbook.position == EntryId.ZERO
        self.backoff_until_us = now if begins else now + self.backoff_us()
        yield SetTimer(WAKE, self.backoff_until_us)

    # -- the end of a leadership -------------------------------------------------------------------------------------

    def hand_over(self, successor: str) -> None:
        """From now on it takes no commands; when the log has all the rest, it names its successor there."""
        self.enter(Phase.HANDING_OVER)
        self.successor = successor

    def _step_down(self, now: int) -> Effects:
        """It leads no more.  Whatever is not in the log never happened."""
        server, self.successor = self.server, ""
        clean = self.is_clean()
        self.enter(Phase.FOLLOWING if clean else Phase.RECOVERING)
        yield Note(
            "deposed", {"epoch": self.epoch.index, "lost_bytes": server.behind.executed - server.behind.committed}
        )
        yield from server.follow(clean, now)
        yield from self.wait(now)
