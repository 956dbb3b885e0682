"""One replica of one shard's log: what it is, what it remembers, and what it does with the messages of the others.

    blank       no memory: promises nothing (`newcomer`)
    follower    copies what a leader sends (`following`), and votes
    trial       has heard no leader for a while, and asks whether the others would vote for it
    candidate   asks for their votes, in a new term
    leader      puts entries in, sends them, and says what is committed (`leading`, `serving`)

Everything is done in two halves.  A message changes what the replica has in memory, and is answered at once only if the
answer promises nothing.  Then, when all that has arrived is handled, `flush` sends, writes, syncs once, and tells of
what is durable now.  So ten appends that came together cost one fsync.

The rules of voting and committing are in `election`; here is when they are applied.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from durable_redis.contract import Effects, Note, SetTimer
from durable_redis.memorydb.log.config import has_passed
from durable_redis.memorydb.log.election import Ballot, complete_enough
from durable_redis.memorydb.log.entries import NO_OP, EntryId
from durable_redis.memorydb.log.following import Following
from durable_redis.memorydb.log.leading import Leading
from durable_redis.memorydb.log.messages import AskState, Campaign, LogReply, Message, Replicate, StateIs, Stored, Vote
from durable_redis.memorydb.log.newcomer import Newcomer
from durable_redis.memorydb.log.sequence import Sequence
from durable_redis.memorydb.log.serving import Serving
from durable_redis.memorydb.log.storage import Storage

if TYPE_CHECKING:
    from random import Random

    from durable_redis.memorydb.log.config import LogConfig
    from durable_redis.memorydb.log.links import Links


class Role(Enum):
    """What a replica is; see the top."""

    BLANK = "blank"
    FOLLOWER = "follower"
    TRIAL = "trial"
    CANDIDATE = "candidate"
    LEADER = "leader"


TRANSITIONS: Final[dict[Role, tuple[Role, ...]]] = {
    Role.BLANK: (Role.FOLLOWER,),
    Role.FOLLOWER: (Role.TRIAL,),
    Role.TRIAL: (Role.FOLLOWER, Role.CANDIDATE),
    Role.CANDIDATE: (Role.FOLLOWER, Role.TRIAL, Role.LEADER),
    Role.LEADER: (Role.FOLLOWER,),
}
"""What a replica can become."""


class Replica:
    """`committed` is the last place known to be committed; `leader` whom it follows in this term, or ""."""

    storage_type: type[Storage] = Storage
    serving_type: type[Serving] = Serving
    leading_type: type[Leading] = Leading

    def __init__(
        self,
        shard: str,
        config: LogConfig,
        links: Links,
        random: Random,
        reply: Callable[[str, LogReply], None],
    ) -> None:
        self.shard = shard
        self.config = config
        self.links = links
        self.random = random
        self.name = links.name
        self.storage = self.storage_type(shard)
        self.following = Following(self)
        self.serving = self.serving_type(self, reply)
        self.newcomer = Newcomer(tuple(links.to))
        self.role = Role.BLANK
        self.ballot = Ballot()
        self.sequence = Sequence()
        self.committed = 0
        self.leader = ""
        self.leading: Leading | None = None
        self.votes: dict[str, None] = {}  # of those who said yes, in a trial or a campaign
        self.heard_us = 0  # the last time that a leader was heard
        self.waits_since_us = 0  # the last time that it had no reason to want another leader
        self.patience_us = 0  # how long it waits before it wants one

    # -- the life of a replica ---------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        """Remember, or find out that there is nothing to remember."""
        found = yield from self.storage.load()
        self.sequence, self.committed = found.sequence, found.sequence.cut.index
        if found.ballot is not None:
            self.ballot = found.ballot
            self._become(Role.FOLLOWER)
            self.heard_us = now  # perhaps: a leader may be there
        self._listen(now)
        yield Note("log starts", {"shard": self.shard, "role": self.role.value, "tail": str(self.sequence.last)})
        yield SetTimer(self.shard, now if self.is_blank else self._due_us)

    def tick(self, now: int) -> Effects:
        """Its timer: once a heartbeat for those who speak first; when patience may be over for those who listen."""
        if self.is_blank:
            self._ask_for_state()
        elif self.leading is not None:
            if self.leading.hears_majority(now):
                self.leading.next_round()
            else:
                yield from self._resign(now)
        elif has_passed(self.patience_us, self.waits_since_us, now):
            self._canvass(now)
        speaks = self.is_blank or self.leading is not None
        yield SetTimer(self.shard, now + self.config.heartbeat_us if speaks else self._due_us)

    def _ask_for_state(self) -> None:
        for peer in self.links.to:
            if self.newcomer.floor is None:
                self.links.say(peer, AskState(self.shard))

    def receive(self, peer: str, message: Message, now: int) -> Effects:
        """A message from another replica.  Raises LogError if it carries what is no entry."""
        match message:
            case Replicate():
                yield from self.following.receive(peer, message, now)
            case Stored():
                yield from self._stored(peer, message, now)
            case Campaign():
                yield from self._campaigned(peer, message, now)
            case Vote():
                yield from self._voted(peer, message, now)
            case AskState():
                self.links.say(peer, StateIs(self.shard, self.ballot.term, not self.is_blank))
            case StateIs(term=term, whole=whole) if self.is_blank:
                self.newcomer.hear(peer, term, whole)
                if self.newcomer.log_is_new:
                    yield from self._become_whole(Ballot(), now)

    def reconnected(self, peer: str) -> None:
        if self.leading is not None:
            self.leading.reconnected(peer)

    def flush(self, now: int) -> Effects:
        """Everything that has arrived is handled.

        1. Answer what is committed by now: it waits for nobody's disk.
        2. The leader sends what is new.
        3. Write, and sync once.
        4. Only now say that it is stored; and see what is committed with the leader's own copy."""
        # 1.
        yield from self._advance(now)
        # 2.
        if self.leading is not None:
            self.leading.send()
        yield from self.links.send()
        # 3.
        yield from self.storage.add(self.sequence.behind(self.storage.index))
        if self.is_blank and self.following.complete:
            yield from self._become_whole(Ballot(self.ballot.term, self.leader), now)
        # 4.
        self.following.answer()
        yield from self._advance(now)

    @property
    def is_blank(self) -> bool:
        """It has no memory, and promises nothing."""
        return self.role is Role.BLANK

    def _become(self, role: Role) -> None:
        assert role is self.role or role in TRANSITIONS[self.role], f"a {self.role.value} cannot become {role.value}"
        self.role = role

    def _listen(self, now: int) -> None:
        """Begin to wait for a leader, for as long as luck says."""
        self.patience_us = self.config.election_us + self.random.randrange(self.config.election_us)
        self.waits_since_us = now

    @property
    def _due_us(self) -> int:
        return self.waits_since_us + self.patience_us

    def _become_whole(self, ballot: Ballot, now: int) -> Effects:
        """It has learned what it must know: from now on it votes and counts."""
        self.ballot = ballot
        yield from self.storage.save_ballot(ballot)
        self._become(Role.FOLLOWER)
        self._listen(now)
        yield Note("whole", {"shard": self.shard, "term": ballot.term, "tail": str(self.sequence.last)})
        yield SetTimer(self.shard, self._due_us)

    # -- terms and elections -----------------------------------------------------------------------------------------

    def adopt(self, term: int, now: int, candidate: str = "") -> Effects:
        """There is a later term, or a candidate to vote for: remember it durably, and follow."""
        forgets = f"{self.shard}: {self.ballot} would be forgotten for {candidate or 'nobody'} in term {term}"
        assert self.ballot.may_vote(candidate, term), forgets
        self.leader = ""
        self.following.forget()
        if not self.is_blank:
            yield from self.follow(now)
        self.ballot = Ballot(term, candidate)
        if not self.is_blank:  # a ballot on its disk would make it whole
            yield from self.storage.save_ballot(self.ballot)

    def follow(self, now: int) -> Effects:
        """Be a follower, whatever it was."""
        if self.leading is not None:
            self.leading = None
            self._listen(now)
            self.serving.dismiss()
            yield SetTimer(self.shard, self._due_us)
        self._become(Role.FOLLOWER)

    def hear(self, leader: str, now: int) -> Effects:
        """A leader of this term speaks."""
        if not self.is_blank:
            yield from self.follow(now)
        self.leader, self.heard_us, self.waits_since_us = leader, now, now

    def _resign(self, now: int) -> Effects:
        """A leader that hears no majority: its clients had better ask others."""
        self.leader = ""
        yield Note("log leader resigns", {"shard": self.shard, "term": self.ballot.term})
        yield from self.follow(now)

    def _canvass(self, now: int) -> None:
        """Ask whether the others would vote for this replica; if too few answer in time, ask again."""
        self._become(Role.TRIAL)
        self.leader = ""
        self._listen(now)
        self._ask_for_votes(trial=True)

    def _ask_for_votes(self, trial: bool) -> None:
        self.votes = {self.name: None}
        for peer in self.links.to:
            self.links.say(peer, Campaign(self.shard, self._campaign_term, self.sequence.last, trial))

    @property
    def _campaign_term(self) -> int:
        return self.ballot.term + (self.role is Role.TRIAL)

    def would_elect(self, peer: str, asked: Campaign) -> bool:
        """Rules 1 and 3 (`election`)."""
        return self.ballot.may_vote(peer, asked.term) and complete_enough(asked.last, self.sequence.last)

    def _campaigned(self, peer: str, asked: Campaign, now: int) -> Effects:
        """Somebody wants a vote, or wants to know whether it would get one."""
        if self.is_blank:
            return
        fits = self.would_elect(peer, asked)
        if asked.trial:
            fits = fits and self.leading is None and has_passed(self.config.election_us, self.heard_us, now)
        elif fits:
            self._listen(now)
            yield from self.adopt(asked.term, now, peer)
        elif asked.term > self.ballot.term:
            yield from self.adopt(asked.term, now)
        self.links.say(peer, Vote(self.shard, asked.term, asked.last, asked.trial, fits, self.ballot.term))

    def _voted(self, peer: str, vote: Vote, now: int) -> Effects:
        if self.is_blank:
            return
        if vote.newest > self.ballot.term:
            yield from self.adopt(vote.newest, now)
        asking = self.role is (Role.TRIAL if vote.trial else Role.CANDIDATE)
        if asking and vote.granted and (vote.term, vote.last) == (self._campaign_term, self.sequence.last):
            self.votes[peer] = None
            yield from self._count_votes(now)

    def _count_votes(self, now: int) -> Effects:
        """With a majority a trial becomes a campaign, and a campaign a term."""
        if len(self.votes) < self.config.majority:
            return
        if self.role is Role.TRIAL:
            self._become(Role.CANDIDATE)
            self.ballot = Ballot(self.ballot.term + 1, self.name)
            yield from self.storage.save_ballot(self.ballot)
            self._ask_for_votes(trial=False)
        elif self.role is Role.CANDIDATE:
            self._become(Role.LEADER)
            self.leader = self.name
            self.leading = self.leading_type(self, now)
            self.sequence.make(self.ballot.term, NO_OP, b"", "")
            yield Note("log leader", {"shard": self.shard, "term": self.ballot.term})
            yield SetTimer(self.shard, now + self.config.heartbeat_us)

    # -- leading -----------------------------------------------------------------------------------------------------

    def _stored(self, peer: str, stored: Stored, now: int) -> Effects:
        if stored.term > self.ballot.term and not self.is_blank:
            yield from self.adopt(stored.term, now)
        elif self.leading is not None and stored.term == self.ballot.term:
            self.leading.heard(peer, stored, now)

    @property
    def knows_what_is_committed(self) -> bool:
        """A new leader has all that is committed, and knows that it is once an entry of its own term is."""
        return self.leading is not None and self.committed >= self.leading.own_term_from

    def _advance(self, now: int) -> Effects:
        """See what is committed now, and answer those who wait for it."""
        if self.leading is None:
            return
        point = self.leading.commit_point(self.storage.index)
        if point > self.committed:
            self.committed = point
            yield Note("committed", {"shard": self.shard, "index": point, "term": self.ballot.term})
        yield from self.serving.settle(now)

    def trim(self, upto: EntryId) -> Effects:
        """Forget the entries up to this one, which is committed, in memory and on the disk."""
        assert upto.index <= self.committed, f"{upto} is not committed: only what is can be trimmed"
        self.sequence.trim(upto)
        yield Note("trimmed", {"shard": self.shard, "cut": str(upto)})
        yield from self.storage.rewrite(self.sequence)

    def view(self) -> dict[str, Any]:
        """`tail`, `stored` (the last one on the platter), `committed` and `cut` are ids, such as "3-17"."""
        return {
            "role": self.role.value,
            "term": self.ballot.term,
            "leader": self.leader,
            "tail": str(self.sequence.last),
            "stored": str(self.sequence.id_at(self.storage.index) or self.sequence.cut),
            "committed": str(self.sequence.id_at(self.committed) or self.sequence.cut),
            "cut": str(self.sequence.cut),
        }
