"""What a sentinel makes of INFO: it learns, and it mends what does not fit the configuration.

With each report of a server:

1. believe it; a primary's replicas become known through it;
2. a replica that calls itself *primary*: if it is the one that is being promoted, the failover takes a step.  Otherwise
   it is the old primary that came back, or somebody's mistake: after 8 s, in which a newer configuration would have
   arrived, it is *demoted*, and with that everything only it had is lost;
3. a replica that follows *the wrong primary* for longer than the failover timeout is pointed to the right one;
4. a replica that was told to follow the new primary: has it begun, is it done?

2 and 3 wait, and want a primary that looks sane: a sentinel with an old configuration must not undo a newer one.

Source: sentinel.c, sentinelRefreshInstanceInfo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.sentinel.detection import INFO_PERIOD_US
from durable_redis.redis.sentinel.hello import HELLO_PERIOD_US
from durable_redis.redis.sentinel.instances import PRIMARY, REPLICA, Reconfiguration, Report, Server

if TYPE_CHECKING:
    from durable_redis.redis.sentinel.sentinel import Sentinel

DEMOTION_WAIT_US = 4 * HELLO_PERIOD_US


def reported(sentinel: Sentinel, server: Server, report: Report, now: int) -> Effects:
    """A server has answered INFO."""
    # 1. Believe it.
    if server.learn(report, now):
        yield Note("restarted", {"server": server.name, "run_id": server.run_id})
    if server is sentinel.primary:
        yield from _discover(sentinel, report, now)
    if sentinel.tilt or server is sentinel.primary:
        return
    failover = sentinel.failover
    if server.role == PRIMARY:
        # 2. A replica that calls itself primary.
        if failover.awaits(server):
            yield from failover.promoted(now)
        elif _may_demote(sentinel, server, now):
            yield from _follow(sentinel, "demoted", server)
    elif server.primary != sentinel.primary.name and _may_fix(sentinel, server, now):
        # 3. The wrong primary.
        yield from _follow(sentinel, "fixed", server)
    # 4. On its way to the new primary.
    yield from _progress(sentinel, server, now)


def _discover(sentinel: Sentinel, report: Report, now: int) -> Effects:
    new = [name for name in report.replicas if name not in sentinel.replicas and name != sentinel.primary.name]
    for name in new:
        sentinel.replicas[name] = Server(name, REPLICA, now)
        yield Note("replica", {"name": name, "primary": sentinel.primary.name})
    if new:
        yield from sentinel.save()


def _may_demote(sentinel: Sentinel, server: Server, now: int) -> bool:
    return (
        server.name != sentinel.failover.replica
        and _primary_looks_sane(sentinel, now)
        and _no_down_for(server, DEMOTION_WAIT_US, now)
        and now - server.role_since_us > DEMOTION_WAIT_US
    )


def _may_fix(sentinel: Sentinel, server: Server, now: int) -> bool:
    wait_us = sentinel.config.failover_timeout_us
    return (
        _primary_looks_sane(sentinel, now)
        and _no_down_for(server, wait_us, now)
        and now - server.primary_since_us > wait_us
    )


def _primary_looks_sane(sentinel: Sentinel, now: int) -> bool:
    primary = sentinel.primary
    fresh = now - primary.informed_us < 2 * INFO_PERIOD_US
    return primary.role == PRIMARY and not primary.down and not sentinel.odown and fresh


def _no_down_for(server: Server, wait_us: int, now: int) -> bool:
    """It has not become down within this time."""
    return now - server.down_since_us > wait_us


def _follow(sentinel: Sentinel, kind: str, server: Server) -> Effects:
    if server.link.ready:
        yield from sentinel.order(server, sentinel.primary.name)
        yield Note(kind, {"server": server.name, "primary": sentinel.primary.name, "epoch": sentinel.config_epoch})


def _progress(sentinel: Sentinel, server: Server, now: int) -> Effects:
    replica = sentinel.failover.replica
    if server.reconfiguration is Reconfiguration.SENT and server.role == REPLICA and server.primary == replica:
        server.reconfiguration = Reconfiguration.IN_PROGRESS
    if server.reconfiguration is Reconfiguration.IN_PROGRESS and server.link_up:
        server.reconfiguration = Reconfiguration.DONE
        facts = {"server": server.name, "primary": replica, "epoch": sentinel.failover.epoch}
        yield Note("reconfigured", facts)
