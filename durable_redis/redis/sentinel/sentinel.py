"""A Sentinel: it watches one primary and its replicas, agrees with its fellows, and fails over.

Everything it does on its own happens in `_tick`, ten to twenty times a second; everything else is an answer: to a
client's or a fellow's command (`commands`), to its own questions (`_answered`).

The node holds beliefs (`instances`), a vote (`election`), a failover (`failover`), and writes down what it must not
forget (`memory`).  It never holds a client's data: it is asked where the primary is, and does not stand between.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from durable_redis.contract import (
    Close,
    Closed,
    Compute,
    Effect,
    Effects,
    Event,
    Exit,
    Note,
    Opened,
    Read,
    Received,
    SetTimer,
    TimerFired,
)
from durable_redis.formats.resp import ErrorReply, Reply
from durable_redis.redis.config import DEFAULT_PORT, ConfigError
from durable_redis.redis.replication.history import new_id
from durable_redis.redis.sentinel import detection, election, hello, memory, repair, selection
from durable_redis.redis.sentinel.clients import Clients
from durable_redis.redis.sentinel.config import SentinelConfig
from durable_redis.redis.sentinel.failover import Failover
from durable_redis.redis.sentinel.instances import PRIMARY, REPLICA, Instance, Peer, Server, read_info
from durable_redis.redis.sentinel.links import PING_PERIOD_US

if TYPE_CHECKING:
    from random import Random

TICK = "tick"
HZ = 10
"""The least number of ticks a second; the real one is drawn anew at each tick, up to twice as many, so that sentinels
which started together do not ask for votes together for ever (sentinel.c, sentinelTimer)."""
FAST_INFO_PERIOD_US = 1_000_000
TILT_TRIGGER_US = 2_000_000
TILT_US = 30_000_000


class Sentinel:
    """A node of the contract.  `name` is its machine's, one of `config.sentinels`."""

    def __init__(self, random: Random, name: str, config: SentinelConfig | None = None) -> None:
        self.random = random
        self.name = name
        self.config = config or SentinelConfig()
        if name not in self.config.sentinels:
            known = ", ".join(self.config.sentinels)
            raise ConfigError(f"{name} is not among the sentinels of the configuration ({known}): add it, or rename it")
        self.run_id = new_id(random)
        self.ballot = election.Ballot()
        self.config_epoch = 0
        self.primary = Server(self.config.primary, PRIMARY, 0)
        self.replicas: dict[str, Server] = {}
        self.peers = {other: Peer(other, 0) for other in self.config.sentinels if other != name}
        self.odown_since_us = 0  # 0: the primary is not objectively down
        self.failover = Failover(self)
        self.ticked_us = 0
        self.tilt_since_us = 0  # 0: not in TILT
        self.started_us = 0
        self.clients = Clients(self)

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Effects:
        """1. Remember what was promised in an earlier life.  2. Write it down again, or for the first time.  3. Go."""
        self.started_us = now
        yield Compute("start")
        text = yield Read(memory.FILE)
        try:
            remembered = memory.Memory.parse(text) if text is not None else None
        except ConfigError as error:
            yield Exit(1, str(error))
            return
        self._begin(remembered, now)
        yield from self.save()
        yield Note("monitor", {"primary": self.primary.name, "run_id": self.run_id, "epoch": self.ballot.epoch})
        yield SetTimer(TICK, now)

    def _begin(self, remembered: memory.Memory | None, now: int) -> None:
        primary, replicas, sentinels = self.config.primary, list(self.config.known_replicas), dict[str, str]()
        if remembered is not None:
            self.run_id, primary = remembered.run_id, remembered.primary
            self.ballot = election.Ballot(remembered.epoch, remembered.voted_epoch)
            self.config_epoch = remembered.config_epoch
            replicas, sentinels = remembered.known_replicas, remembered.known_sentinels
        self.primary = Server(primary, PRIMARY, now)
        self.replicas = {name: Server(name, REPLICA, now) for name in replicas if name != primary}
        for name in self.peers:
            self.peers[name] = Peer(name, now)
            self.peers[name].run_id = sentinels.get(name, "")

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case TimerFired():
                yield from self._tick(now)
            case Received(connection=connection, data=data):
                if (client := self.clients.connected.get(connection)) is not None:
                    yield from self.clients.receive(client, data, now)
                elif (instance := self._at(connection)) is not None:
                    for question, reply in instance.link.received(data, now):
                        yield from self._answered(instance, question, reply, now)
            case Opened(connection=connection, outgoing=True):
                if (instance := self._at(connection)) is not None:
                    instance.link.opened(now)
            case Opened(connection=connection, peer=peer):
                self.clients.opened(connection, peer)
            case Closed(connection=connection):
                self.clients.closed(connection)
                if (instance := self._at(connection)) is not None:
                    instance.link.lost()

    def before_sleep(self, now: int) -> Effects:
        yield from self.clients.send_replies()

    def view(self) -> Mapping[str, Any]:
        """`leader` is the sentinel that it voted for in this epoch, or ""; `failover` is the name of a state."""
        return {
            "role": "sentinel",
            "epoch": self.ballot.epoch,
            "config_epoch": self.config_epoch,
            "primary": self.announced_primary,
            "replicas": tuple(self.replicas),
            "sdown": tuple(instance.name for instance in self.instances() if instance.down),
            "odown": self.odown,
            "leader": self.sentinel_called(self.ballot.vote_in(self.ballot.epoch)),
            "failover": self.failover.state.value,
            "promoting": self.failover.replica,
            "tilt": self.tilt,
        }

    # -- on its own --------------------------------------------------------------------------------------------------

    def _tick(self, now: int) -> Effects:
        """What nobody asks for.

        1. Connections: keep them, and ask what is due: PING, INFO, hello.
        2. TILT: has the clock, or this process, stood still?  Then trust nothing for a while, and do no more.
        3. Who is subjectively down?
        4. Is the primary objectively down?
        5. The failover: start one, asking for votes at once; take it one step further.
        6. Ask the other sentinels for their opinion, or again for their vote.
        """
        yield SetTimer(TICK, now + 1_000_000 // (HZ + self.random.randrange(HZ)))
        # 1.
        for instance in self.instances():
            yield from instance.link.keep(now, self.config.down_after_us)
            if instance.link.ready:
                yield from self._ask(instance, now)
        # 2.
        yield from self._check_tilt(now)
        if self.tilt:
            return
        # 3.
        for instance in self.instances():
            yield from detection.check_subjectively(self, instance, now)
        # 4.
        yield from detection.check_objectively(self, now)
        # 5.
        if self.failover.may_start(now):
            yield from self.failover.start(forced=False, now=now)
            yield from detection.ask_peers(self, at_once=True, now=now)
        yield from self.failover.step(now)
        # 6.
        yield from detection.ask_peers(self, at_once=False, now=now)

    def _ask(self, instance: Instance, now: int) -> Effects:
        link = instance.link
        yield from link.ping_if_due(now, min(PING_PERIOD_US, self.config.down_after_us))
        if isinstance(instance, Server):
            if now - instance.informed_us > self._info_period_us(instance) and "info" not in link.questions:
                yield from link.ask("info", [b"INFO"])
        elif isinstance(instance, Peer) and now - instance.greeted_us > hello.HELLO_PERIOD_US:
            instance.greeted_us = now
            yield from link.ask("hello", hello.greeting(self))

    def _info_period_us(self, server: Server) -> int:
        """Replicas are looked at closely while something is wrong: they are what a failover chooses from."""
        trouble = self.odown or self.failover.running or server.link_down_us
        return FAST_INFO_PERIOD_US if server is not self.primary and trouble else detection.INFO_PERIOD_US

    def _check_tilt(self, now: int) -> Effects:
        """A gap between two ticks that is too long, or negative, means that no time measured across it can be believed:
        silence would be the peers' fault only if this process had been listening."""
        gap_us = now - self.ticked_us if self.ticked_us else 0
        self.ticked_us = now
        if not 0 <= gap_us <= TILT_TRIGGER_US:
            self.tilt_since_us = now
            yield Note("tilt", {"on": True, "gap_us": gap_us})
        elif self.tilt and now - self.tilt_since_us >= TILT_US:
            self.tilt_since_us = 0
            yield Note("tilt", {"on": False, "gap_us": gap_us})

    def _answered(self, instance: Instance, question: str, reply: Reply, now: int) -> Effects:
        if isinstance(instance, Server) and question == "info":
            report = read_info(reply)
            if report is not None:
                yield from repair.reported(self, instance, report, now)
        elif isinstance(instance, Peer) and question == "down?":
            detection.answered(instance, reply, now)
        elif question == "order" and isinstance(reply, ErrorReply):
            yield Note("refused", {"server": instance.name, "error": reply.text})

    # -- what it believes --------------------------------------------------------------------------------------------

    @property
    def odown(self) -> bool:
        return self.odown_since_us != 0

    @property
    def tilt(self) -> bool:
        return self.tilt_since_us != 0

    @property
    def announced_primary(self) -> str:
        """Whom it names to clients and fellows: from the promotion on, the new one."""
        return self.failover.replica if self.failover.decided else self.primary.name

    def instances(self) -> list[Instance]:
        return [self.primary, *self.replicas.values(), *self.peers.values()]

    def _at(self, connection: str) -> Instance | None:
        """The instance at the other end of a connection that this sentinel made."""
        return next((i for i in self.instances() if i.link.connection == connection), None)

    def sentinel_called(self, run_id: str) -> str:
        """The name of the sentinel with this run id; the run id itself, if nobody is known by it."""
        names = {self.run_id: self.name} | {peer.run_id: name for name, peer in self.peers.items() if peer.run_id}
        return names.get(run_id, run_id)

    def select(self, now: int) -> selection.Choice:
        return selection.select(self.replicas.values(), self.primary, self.config.down_after_us, now)

    # -- votes -------------------------------------------------------------------------------------------------------

    def vote(self, candidate: str, epoch: int, now: int) -> Effects:
        """Somebody, perhaps this sentinel, wants to lead in this epoch.  The disk hears of the vote before it does."""
        news = epoch > self.ballot.epoch
        cast = self.ballot.vote(candidate, epoch)
        if news or cast:
            yield from self.save()
        if cast:
            yield Note("vote", {"epoch": epoch, "candidate": self.sentinel_called(candidate)})
            if candidate != self.run_id:
                self.failover.stand_back(now)

    def count_votes(self, epoch: int, now: int) -> Generator[Effect, Any, election.Tally]:
        """Count the votes in an epoch.  Whoever counts, and has not voted yet, joins the strongest, or votes for
        itself."""
        votes = [peer.vote if peer.vote_epoch == epoch else "" for peer in self.peers.values()]
        strongest = election.count(votes, 1 + len(self.peers), self.config.quorum).candidate
        yield from self.vote(strongest or self.run_id, epoch, now)
        return election.count([*votes, self.ballot.vote_in(epoch)], 1 + len(self.peers), self.config.quorum)

    # -- the configuration -------------------------------------------------------------------------------------------

    def switch(self, new: str, how: str, now: int) -> Effects:
        """Another primary, by one's own failover or by somebody's hello; the old one is a replica from now on."""
        old = self.primary.name if self.primary.name != new else self.announced_primary
        replicas = [name for name in (self.primary.name, *self.replicas) if name != new]
        yield from self._start_over(new, replicas, how, now)
        yield Note("switch", {"epoch": self.config_epoch, "old": old, "new": new, "how": how})

    def reset(self, now: int) -> Effects:
        """SENTINEL RESET: forget the replicas and any failover, and discover again."""
        yield from self._start_over(self.announced_primary, [], "an operator's reset", now)

    def _start_over(self, primary: str, replicas: list[str], why: str, now: int) -> Effects:
        """Form all beliefs about the servers anew, over new connections; what was agreed on stays."""
        for server in (self.primary, *self.replicas.values()):
            if server.link.connection:
                yield Close(server.link.connection)
        yield from self.failover.end(why, now)
        self.failover.started_us = 0  # a failover of this primary may start at once
        self.odown_since_us = 0
        self.primary = Server(primary, PRIMARY, now)
        self.replicas = {name: Server(name, REPLICA, now) for name in replicas}
        for peer in self.peers.values():
            peer.forget_answer()
        yield from self.save()

    def order(self, server: Server, primary: str) -> Effects:
        """Tell a server whom to follow; nobody: be a primary.  And to remember it, over a restart."""
        address = [primary.encode(), b"%d" % DEFAULT_PORT] if primary else [b"NO", b"ONE"]
        yield from server.link.ask("order", [b"REPLICAOF", *address])
        yield from server.link.ask("remember", [b"CONFIG", b"REWRITE"])  # refused by a server without a config file

    def save(self) -> Effects:
        """Write down what must not be forgotten."""
        content = memory.Memory(
            self.run_id,
            self.announced_primary,
            self.config_epoch,
            self.ballot.voted_epoch,
            self.ballot.epoch,
            [name for name in (self.primary.name, *self.replicas) if name != self.announced_primary],
            {name: peer.run_id for name, peer in self.peers.items() if peer.run_id},
        )
        error = yield from memory.save(content.render(self.config.master_name, self.config.quorum))
        if error is not None:
            yield Note("not saved", {"error": str(error)})
