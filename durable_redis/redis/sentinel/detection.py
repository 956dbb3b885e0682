"""Down: one sentinel's opinion (SDOWN), and the opinion of enough of them (ODOWN).

*Subjectively down* (any instance): there has been no valid answer to a PING for `down_after_ms`; or, of the primary: it
has called itself a replica for `down_after_ms` and two INFO periods more.  A sentinel cannot tell a dead server from a
cut wire.  That is why it asks.

*Objectively down* (the primary only): I find it down, and so many others told me so lately that we are `quorum`.  It is
a weak agreement, not taken at one moment: it allows a failover to be *tried*, and the election decides.

Source: sentinel.c, sentinelCheckSubjectivelyDown, sentinelCheckObjectivelyDown, sentinelAskMasterStateToOtherSentinels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.formats.resp import Reply
from durable_redis.redis.config import DEFAULT_PORT
from durable_redis.redis.sentinel.instances import REPLICA, Instance, Peer

if TYPE_CHECKING:
    from durable_redis.redis.sentinel.sentinel import Sentinel

INFO_PERIOD_US = 10_000_000
ASK_PERIOD_US = 1_000_000
OPINION_LASTS_US = 5_000_000


def check_subjectively(sentinel: Sentinel, instance: Instance, now: int) -> Effects:
    """Change one's mind about an instance, if there is reason to."""
    reason = _reason_down(sentinel, instance, now)
    if bool(reason) == instance.down:
        return
    instance.down = bool(reason)
    if reason:
        instance.down_since_us = now
    yield Note("sdown", {"instance": instance.name, "down": bool(reason), "why": reason or "it answers again"})


def _reason_down(sentinel: Sentinel, instance: Instance, now: int) -> str:
    down_after_us = sentinel.config.down_after_us
    silence_us = instance.link.silence_us(now)
    if silence_us > down_after_us:
        return f"no valid reply for {silence_us // 1000} ms"
    primary = sentinel.primary
    if instance is primary and primary.role == REPLICA:
        as_replica_us = now - primary.role_since_us
        if as_replica_us > down_after_us + 2 * INFO_PERIOD_US:
            return f"it has called itself a replica for {as_replica_us // 1000} ms"
    return ""


def check_objectively(sentinel: Sentinel, now: int) -> Effects:
    """Count those who find the primary down, oneself among them."""
    agree = 1 + sum(peer.says_down for peer in sentinel.peers.values()) if sentinel.primary.down else 0
    quorum = sentinel.config.quorum
    down = agree >= quorum
    if down == sentinel.odown:
        return
    sentinel.odown_since_us = now if down else 0
    yield Note("odown", {"primary": sentinel.primary.name, "down": down, "agree": agree, "quorum": quorum})


def ask_peers(sentinel: Sentinel, at_once: bool, now: int) -> Effects:
    """While one finds the primary down, ask the others every second: you too?  And in a failover: your vote, please."""
    primary = sentinel.primary
    failover = sentinel.failover
    candidate, epoch = (sentinel.run_id, failover.epoch) if failover.running else ("*", sentinel.ballot.epoch)
    argv = [b"SENTINEL", b"IS-MASTER-DOWN-BY-ADDR", primary.name.encode(), b"%d" % DEFAULT_PORT, b"%d" % epoch]
    for peer in sentinel.peers.values():
        if now - peer.answered_us > OPINION_LASTS_US:
            peer.forget_answer()
        if primary.down and peer.link.ready and (at_once or now - peer.answered_us >= ASK_PERIOD_US):
            yield from peer.link.ask("down?", [*argv, candidate.encode()])


def answered(peer: Peer, reply: Reply, now: int) -> None:
    """A peer's answer: [is it down, the run id it voted for or *, the epoch of that vote].  Others mean nothing."""
    match reply:
        case [int(down), bytes(vote), int(epoch)]:
            peer.answered_us = now
            peer.says_down = down == 1
            if vote != b"*":
                peer.vote, peer.vote_epoch = vote.decode("ascii", "replace"), epoch
