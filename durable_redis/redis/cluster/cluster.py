"""Redis Cluster in one node: the component that a RedisServer has when `cluster_enabled` is set.

It puts the other files of this package together, and connects them with the server: events of the bus come in through
`handle`, ten times a second through its cron; commands are judged in `routing`; the server's role is changed in
`follow` and `lead`.

The order of things, as in the server: messages are taken in, beliefs change; `before_sleep` writes nodes.conf if they
have, and only then do messages leave.  A vote or a new epoch is a promise, and is on the platter before it is heard of.

The rules: cluster.c `clusterCron`, `clusterBeforeSleep`, `clusterInit`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from durable_redis.contract import (
    Closed,
    DiskError,
    Effect,
    Effects,
    Event,
    Exit,
    Note,
    Opened,
    Read,
    Received,
    Rename,
    SetTimer,
    SyncDirectory,
    TimerFired,
)
from durable_redis.formats.resp import NEED_MORE
from durable_redis.redis.cluster import detector, nodes_conf
from durable_redis.redis.cluster.bus import BusError, Health
from durable_redis.redis.cluster.candidate import Candidate
from durable_redis.redis.cluster.gossip import Gossip
from durable_redis.redis.cluster.handover import Handover
from durable_redis.redis.cluster.links import Link, Links
from durable_redis.redis.cluster.membership import ClusterNode, Membership
from durable_redis.redis.cluster.slots import ranges_of
from durable_redis.redis.cluster.state import ClusterState
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import DEFAULT_PORT
from durable_redis.redis.persistence.files import write_whole

if TYPE_CHECKING:
    from durable_redis.redis.client import Client
    from durable_redis.redis.server import RedisServer

CRON = "cluster cron"
CRON_US = 100_000
PING_EVERY = 10
"""Crons between two PINGs to somebody drawn by lot: one a second."""
LOTS = 5
CONNECT_PATIENCE_US = 1_000_000
"""After so long without an answer a connection is asked for again, as TCP would: its peer may have had no power."""


class Cluster:
    """One node's part in a cluster.

    `syncs_promises` is always so in Redis.  Set it to False to see what the fsync is for: a voter that loses power, and
    forgets that it has voted."""

    def __init__(self, server: RedisServer, name: str, topology: Topology) -> None:
        self.server = server
        self.name = name
        self.topology = topology
        self.membership = Membership(name)
        self.state = ClusterState()
        self.links = Links()
        self.gossip = Gossip(self)
        self.candidate = Candidate(self)
        self.handover = Handover(self)
        self.syncs_promises = True
        self._crons = 0

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def timeout_us(self) -> int:
        """NODE_TIMEOUT."""
        return self.server.config.cluster_node_timeout * 1000

    @property
    def siblings(self) -> list[ClusterNode]:
        """The other replicas of this node's primary."""
        me = self.membership.me
        return [node for node in self.membership.others if node.primary and node.primary == me.primary]

    @property
    def primary_failed(self) -> bool:
        primary = self.membership.nodes.get(self.membership.me.primary)
        return primary is not None and primary.failed

    def draw(self, count: int) -> int:
        """One of 0 .. count - 1, by lot."""
        return int(self.server.engine.random.random() * count)

    def view(self) -> Mapping[str, Any]:
        """`health` names the others that this node does not think well of; `epoch` is the config epoch of its slots."""
        me = self.membership.me
        shard = self.membership.primary_of(me) or me
        return {
            "state": "ok" if self.state.ok else "fail",
            "epoch": shard.config_epoch,
            "current_epoch": self.membership.current_epoch,
            "slots": tuple(ranges_of(me.slots)),
            "primary": me.primary,
            "health": {node.name: node.health.value for node in self.membership.others if node.health is not Health.OK},
            "campaign": self.candidate.campaign.phase.value,
        }

    # -- the node ----------------------------------------------------------------------------------------------------

    def boot(self, now: int) -> Generator[Effect, Any, bool]:
        """Read what this node believed before it went down, or else what its builder tells it.  False: it must end."""
        path = self.server.config.cluster_config_file
        content: bytes | None = yield Read(path)
        if content is None:
            self.membership = self.topology.beliefs_of(self.name)
        else:
            try:
                self.membership = nodes_conf.parse(content, path, self.name)
            except nodes_conf.NodesConfError as error:
                yield Exit(1, str(error))
                return False
        self.membership.me.takes_over = not self.server.config.cluster_replica_no_failover
        for node in self.membership.others:
            node.failed_us = now if node.failed else 0
        if not (yield from self._save()):
            return False
        yield Note("cluster state", {"state": "fail", "why": self.state.why_not})
        if self.membership.me.primary:
            self.server.replica.begin(self.membership.me.primary)
        yield SetTimer(CRON, now + CRON_US)
        return True

    def owns(self, event: Event) -> bool:
        """Whether an event is the bus's."""
        match event:
            case TimerFired(name=name):
                return name == CRON
            case Opened(connection=connection) | Received(connection=connection) | Closed(connection=connection):
                return connection in self.links.by_connection
        return False

    def handle(self, event: Event, now: int) -> Effects:
        match event:
            case Received(connection=connection, data=data):
                link = self.links.by_connection[connection]
                link.parser.feed(data)
                yield from self._listen(link, now)
            case Opened(connection=connection):
                self.gossip.ping(self.membership.nodes[self.links.opened(connection).peer], now)
            case Closed(connection=connection):
                self.links.forget(connection)
            case TimerFired():
                yield from self._cron(now)

    def adopt(self, client: Client, now: int) -> Effects:
        """A client has said CLUSTERBUS: what follows on its connection is for the bus."""
        client.end_transaction()
        del self.server.clients[client.connection]
        self.links.adopt(client.connection, client.parser.take_rest())
        yield from self._listen(self.links.by_connection[client.connection], now)

    def before_sleep(self, now: int) -> Generator[Effect, Any, bool]:
        """First what has been promised, then the messages that tell of it.  False: the process had to end."""
        if self.membership.changed and not (yield from self._save()):
            return False
        yield from self.links.take_outbox()
        return True

    def _listen(self, link: Link, now: int) -> Effects:
        try:
            while (message := link.parser.next()) is not NEED_MORE:
                yield from self.gossip.hear(link, message, now)
        except BusError as error:
            yield Note("bus error", {"connection": link.connection, "error": str(error)})
            yield from self.links.give_up(link)
        yield from self.look(now)

    def _save(self) -> Generator[Effect, Any, bool]:
        """Replace nodes.conf, its name durable if it holds a promise.  A node that cannot write it down ends."""
        path, members = self.server.config.cluster_config_file, self.membership
        must_sync = members.must_sync and self.syncs_promises
        members.changed = members.must_sync = False
        error: DiskError | None = yield from write_whole(f"{path}.tmp", [nodes_conf.render(members)])
        error = error or (yield Rename(f"{path}.tmp", path))
        if must_sync:
            error = error or (yield SyncDirectory(""))
        if error is not None:
            yield Exit(1, f"cannot write {path}: {error}")
        return error is None

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _cron(self, now: int) -> Effects:
        """Ten times a second: connect, ping, suspect, run for election (cluster.c `clusterCron`)."""
        yield SetTimer(CRON, now + CRON_US)
        for node in self.membership.others:
            yield from self._keep_in_touch(node, now)
        self._crons += 1
        if self._crons % PING_EVERY == 0:
            self._ping_by_lot(now)
        for node in self.membership.others:
            if detector.must_suspect(node, now, self.timeout_us):
                node.health = Health.PFAIL
                yield Note("pfail", {"node": node.name, "silence_us": detector.silence_us(node, now)})
        yield from self.look(now)
        yield from (self.candidate if self.membership.me.primary else self.handover).cron(now)

    def _keep_in_touch(self, node: ClusterNode, now: int) -> Effects:
        """Have a connection to it, and an answer that is not older than half of NODE_TIMEOUT."""
        half_us = self.timeout_us // 2
        link = self.links.to.get(node.name)
        overdue = detector.silence_us(node, now) > half_us
        patience_us = self.timeout_us if link is not None and link.up else CONNECT_PATIENCE_US
        if link is not None and (overdue or not link.up) and now - link.asked_us > patience_us:
            yield from self.links.give_up(link)  # perhaps only the connection is broken, or was never heard of
            link = None
        if link is None:
            node.pinged_us = node.pinged_us or now  # from now on it owes an answer, whether or not it accepts
            yield from self.links.connect(node.name, now)
        elif link.up and not node.pinged_us and now - node.ponged_us > half_us:
            self.gossip.ping(node, now)

    def _ping_by_lot(self, now: int) -> None:
        """Of a few drawn by lot, ping the one that has not answered for longest."""
        others = [node for node in self.membership.others if self.links.is_up(node.name) and not node.pinged_us]
        drawn = [others[self.draw(len(others))] for _ in range(LOTS) if others]
        if drawn:
            self.gossip.ping(min(drawn, key=lambda node: node.ponged_us), now)

    def look(self, now: int) -> Effects:
        """Is the cluster still, or again, in a state to be served?"""
        if self.state.look(self.membership, now, self.timeout_us, self.server.config.cluster_require_full_coverage):
            yield Note("cluster state", {"state": "ok" if self.state.ok else "fail", "why": self.state.why_not})

    # -- roles -------------------------------------------------------------------------------------------------------

    def follow(self, primary: str, now: int) -> Effects:
        """Be a replica of this primary: what its stream does not contain is given up."""
        self.membership.become_replica(self.membership.me, primary)
        self.candidate.rest()
        if self.server.replica.primary != primary:
            yield from self.server.replica.follow(primary, DEFAULT_PORT, now)
        self.handover.end()

    def lead(self, now: int) -> Effects:
        """Be a primary: this node was elected, or a person said so."""
        yield from self.server.replica.lead(now)

    def data_age_us(self, now: int) -> int | None:
        """For how long it has heard nothing from its primary; None: ever since it started, or was one itself."""
        link = self.server.replica
        if link.link == "up":
            return now - link.last_io_us
        return now - link.down_since_us if link.down_since_us else None
