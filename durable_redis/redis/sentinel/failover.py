"""A failover: from "the primary is down" to "everybody follows another one", in six states.

    NONE                      nothing to do
    WAIT_START                1. take a new epoch, vote for oneself, ask the others; wait until elected
    SELECT_REPLICA            2. choose the best replica (`selection`)
    SEND_REPLICAOF_NO_ONE     3. tell it to be a primary
    WAIT_PROMOTION            4. wait until its INFO says that it is one: from here on there is no way back; the
                                 configuration has the failover's epoch, and hello spreads it
    RECONFIGURE_REPLICAS      5. point the other replicas to it, `parallel_syncs` at a time
    UPDATE_CONFIG             6. call it the primary, and the old one a replica

`TRANSITIONS` says which state may follow which.  Until 4 a failover may be given up: not elected in time, no good
replica, no promotion within the failover timeout.  Whoever gave up, and whoever voted for somebody else, waits for
twice the failover timeout before it tries (again), so that a leader has time to finish.

A *forced* failover (SENTINEL FAILOVER) takes an epoch and goes through WAIT_START without a vote: an operator has
decided, and the old primary may be alive and taking writes all the while.  Its epoch belongs to nobody else only as
long as nobody else takes it: two operators at once, at two sentinels, are not protected from each other.

Source: sentinel.c, sentinelFailoverStateMachine and the functions it calls.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.sentinel.hello import greet_soon
from durable_redis.redis.sentinel.instances import Reconfiguration, Server

if TYPE_CHECKING:
    from durable_redis.redis.sentinel.sentinel import Sentinel

MOST_DESYNC_US = 1_000_000
"""The start is dated up to so much later, by luck: those who try again do not do it at the same moment."""
ELECTION_TIMEOUT_US = 10_000_000
RECONFIGURATION_TIMEOUT_US = 10_000_000


class State(enum.Enum):
    """Where the failover is."""

    NONE = "none"
    WAIT_START = "wait start"
    SELECT_REPLICA = "select replica"
    SEND_REPLICAOF_NO_ONE = "send REPLICAOF NO ONE"
    WAIT_PROMOTION = "wait promotion"
    RECONFIGURE_REPLICAS = "reconfigure replicas"
    UPDATE_CONFIG = "update config"


TRANSITIONS: dict[State, tuple[State, ...]] = {
    State.NONE: (State.WAIT_START,),
    State.WAIT_START: (State.SELECT_REPLICA, State.NONE),
    State.SELECT_REPLICA: (State.SEND_REPLICAOF_NO_ONE, State.NONE),
    State.SEND_REPLICAOF_NO_ONE: (State.WAIT_PROMOTION, State.NONE),
    State.WAIT_PROMOTION: (State.RECONFIGURE_REPLICAS, State.NONE),
    State.RECONFIGURE_REPLICAS: (State.UPDATE_CONFIG, State.NONE),
    State.UPDATE_CONFIG: (State.NONE,),
}
"""From every state a way leads to NONE: a hello with a higher config epoch ends whatever goes on."""


class Failover:
    """The failover that this sentinel leads, or tries to lead."""

    def __init__(self, sentinel: Sentinel) -> None:
        self.sentinel = sentinel
        self.state = State.NONE
        self.changed_us = 0  # when the state last changed
        self.started_us = 0  # of the last attempt, one's own or of somebody one voted for
        self.epoch = 0
        self.forced = False
        self.replica = ""  # the name of the replica that is being promoted
        self._steps: dict[State, Callable[[int], Effects]] = {
            State.WAIT_START: self._wait_start,
            State.SELECT_REPLICA: self._select_replica,
            State.SEND_REPLICAOF_NO_ONE: self._send_replicaof_no_one,
            State.WAIT_PROMOTION: self._wait_promotion,
            State.RECONFIGURE_REPLICAS: self._reconfigure_replicas,
            State.UPDATE_CONFIG: self._update_config,
        }

    @property
    def running(self) -> bool:
        return self.state is not State.NONE

    @property
    def decided(self) -> bool:
        """The new primary is one already: what this sentinel tells others is the new configuration."""
        return self.state in (State.RECONFIGURE_REPLICAS, State.UPDATE_CONFIG)

    def may_start(self, now: int) -> bool:
        """The primary is down, objectively, and the last attempt is long enough ago."""
        wait_us = 2 * self.sentinel.config.failover_timeout_us
        return self.sentinel.odown and not self.running and now - self.started_us >= wait_us

    def stand_back(self, now: int) -> None:
        """Somebody else has this sentinel's vote: give it time."""
        self.started_us = now + self._desync_us()

    def step(self, now: int) -> Effects:
        """Do what the state asks for: at most one change of state."""
        if self.running:
            yield from self._steps[self.state](now)

    # -- 1. the election ---------------------------------------------------------------------------------------------

    def start(self, forced: bool, now: int) -> Effects:
        ballot = self.sentinel.ballot
        ballot.hear(ballot.epoch + 1)
        self.epoch = ballot.epoch
        self.forced = forced
        self.started_us = now + self._desync_us()
        yield from self._go(State.WAIT_START, "an operator's order" if forced else "the primary is down", now)

    def _wait_start(self, now: int) -> Effects:
        if not self.forced:
            tally = yield from self.sentinel.count_votes(self.epoch, now)
            if not (tally.elected and tally.candidate == self.sentinel.run_id):
                patience_us = min(ELECTION_TIMEOUT_US, self.sentinel.config.failover_timeout_us)
                if now - self.started_us > patience_us:
                    yield from self.abort(f"not elected: {tally.votes} of {tally.needed} votes at best", now)
                return
            facts = {"epoch": self.epoch, "votes": tally.votes, "needed": tally.needed}
            yield Note("leader", {"leader": self.sentinel.name, **facts})
        yield from self._go(State.SELECT_REPLICA, "forced" if self.forced else "elected", now)

    # -- 2. to 4. the promotion --------------------------------------------------------------------------------------

    def _select_replica(self, now: int) -> Effects:
        choice = self.sentinel.select(now)
        if not choice.replica:
            yield from self.abort("no good replica", now, others=choice.others)
            return
        self.replica = choice.replica
        yield Note("selected", {"replica": choice.replica, "epoch": self.epoch, "others": choice.others})
        yield from self._go(State.SEND_REPLICAOF_NO_ONE, f"{choice.replica} is the best replica", now)

    def _send_replicaof_no_one(self, now: int) -> Effects:
        replica = self.sentinel.replicas[self.replica]
        if not replica.link.ready:
            if self._timed_out(now):
                yield from self.abort(f"no connection to {self.replica}", now)
            return
        yield from self.sentinel.order(replica, "")
        yield Note("promoting", {"replica": self.replica, "epoch": self.epoch})
        yield from self._go(State.WAIT_PROMOTION, "REPLICAOF NO ONE is on its way", now)

    def _wait_promotion(self, now: int) -> Effects:
        if self._timed_out(now):
            yield from self.abort(f"{self.replica} did not become a primary", now)

    def awaits(self, server: Server) -> bool:
        """It is from this server that the word "primary" is awaited."""
        return self.state is State.WAIT_PROMOTION and server.name == self.replica

    def promoted(self, now: int) -> Effects:
        """The replica says that it is a primary: the configuration changes now, and everybody shall hear of it.

        The state first, then the file: what is written must be the new address *with* the new epoch.  The old address
        under the new epoch would be a lie that nobody could correct, since no hello would have a higher epoch."""
        yield Note("promoted", {"replica": self.replica, "epoch": self.epoch})
        yield from self._go(State.RECONFIGURE_REPLICAS, f"{self.replica} is a primary", now)
        self.sentinel.config_epoch = self.epoch
        yield from self.sentinel.save()
        greet_soon(self.sentinel)

    # -- 5. and 6. everybody else ------------------------------------------------------------------------------------

    def _reconfigure_replicas(self, now: int) -> Effects:
        sentinel = self.sentinel
        others = [server for server in sentinel.replicas.values() if server.name != self.replica]
        under_way = (Reconfiguration.SENT, Reconfiguration.IN_PROGRESS)
        busy = sum(server.reconfiguration in under_way for server in others)
        for server in others:
            if server.reconfiguration is Reconfiguration.SENT and self._ignored(server, now):
                server.reconfiguration = Reconfiguration.DONE  # `repair` will see to it
            if server.reconfiguration is Reconfiguration.NONE and server.link.ready and busy < self._parallel:
                yield from self._reconfigure(server, now)
                busy += 1
        if sentinel.replicas[self.replica].down:
            return
        waiting = [s for s in others if s.reconfiguration is not Reconfiguration.DONE and not s.down]
        if waiting and not self._timed_out(now):
            return
        for server in waiting:  # no more time: tell them all, as well as one can
            if server.link.ready:
                yield from self._reconfigure(server, now)
        yield from self._go(State.UPDATE_CONFIG, "timeout" if waiting else "all who can follow it", now)

    def _reconfigure(self, server: Server, now: int) -> Effects:
        server.reconfiguration, server.reconfigured_us = Reconfiguration.SENT, now
        yield from self.sentinel.order(server, self.replica)
        yield Note("reconfiguring", {"server": server.name, "primary": self.replica, "epoch": self.epoch})

    def _ignored(self, server: Server, now: int) -> bool:
        return now - server.reconfigured_us > RECONFIGURATION_TIMEOUT_US

    @property
    def _parallel(self) -> int:
        return self.sentinel.config.parallel_syncs

    def _update_config(self, now: int) -> Effects:
        yield from self.sentinel.switch(self.replica, "failover", now)

    # -- the end -----------------------------------------------------------------------------------------------------

    def abort(self, why: str, now: int, **facts: object) -> Effects:
        """Give up; nothing has been decided yet."""
        assert not self.decided, f"a failover in the state {self.state.value!r} cannot be given up: {why}"
        yield Note("abort", {"epoch": self.epoch, "state": self.state.value, "why": why, **facts})
        yield from self.end(why, now)

    def end(self, why: str, now: int) -> Effects:
        """Back to NONE, if it is not there."""
        if self.running:
            yield from self._go(State.NONE, why, now)
        self.forced = False
        self.replica = ""

    def _go(self, state: State, why: str, now: int) -> Effects:
        assert state in TRANSITIONS[self.state], f"from {self.state.value!r} no way leads to {state.value!r}: {why}"
        yield Note("failover", {"epoch": self.epoch, "from": self.state.value, "to": state.value, "why": why})
        self.state, self.changed_us = state, now

    def _timed_out(self, now: int) -> bool:
        return now - self.changed_us > self.sentinel.config.failover_timeout_us

    def _desync_us(self) -> int:
        return self.sentinel.random.randrange(MOST_DESYNC_US)
