"""Which replica becomes the primary.  Pure: beliefs in, a choice and its reasons out.

A replica is *passed over* if it

1. is subjectively down, or its link to this sentinel is,
2. has not answered a PING validly for 5 s,
3. has priority 0 (an operator's "never"),
4. has not been heard of through INFO for 5 s (30 s if the primary is up),
5. has been without its primary for longer than 10 x down-after, plus the time for which the primary has been down: its
   data is old.  (Down-after 5 s, the primary down for 8 s: 58 s.)

Of the others the first wins, sorted by *priority* (lowest first), then by *offset* (highest first: it lacks the least),
then by *run id* (so that all sentinels would agree).

Mind what is not asked: whether the winner has every write that was acknowledged.  Nobody knows, the old primary apart.

Source: sentinel.c, sentinelSelectSlave.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from durable_redis.redis.sentinel.instances import Server

AVAILABLE_US = 5_000_000
INFORMED_US = 5_000_000
INFORMED_CALM_US = 30_000_000


@dataclass(frozen=True, slots=True)
class Choice:
    """The replica's name, or an empty string; and why each of the others was not taken, by name."""

    replica: str
    others: dict[str, str]


def select(replicas: Iterable[Server], primary: Server, down_after_us: int, now: int) -> Choice:
    """The best replica to promote."""
    reasons: dict[str, str] = {}
    fit: list[Server] = []
    for replica in replicas:
        reason = reason_against(replica, primary, down_after_us, now)
        if reason:
            reasons[replica.name] = reason
        else:
            fit.append(replica)
    fit.sort(key=rank)
    for loser in fit[1:]:
        reasons[loser.name] = _comparison(fit[0], loser)
    return Choice(fit[0].name if fit else "", reasons)


def reason_against(replica: Server, primary: Server, down_after_us: int, now: int) -> str:
    """Why this replica cannot be promoted now, or an empty string."""
    if replica.down:
        return "it is down"
    if not replica.link.up:
        return "its link to this sentinel is down"
    if now - replica.link.available_us > AVAILABLE_US:
        return f"it has not answered for {(now - replica.link.available_us) // 1000} ms"
    if replica.priority == 0:
        return "its priority is 0"
    if now - replica.informed_us > (INFORMED_US if primary.down else INFORMED_CALM_US):
        return "its last INFO is too old"
    allowed_us = 10 * down_after_us + (now - primary.down_since_us if primary.down else 0)
    if replica.link_down_us > allowed_us:
        return f"it has been without its primary for {replica.link_down_us // 1000} ms"
    return ""


def rank(replica: Server) -> tuple[int, int, bool, str, str]:
    """The smallest wins.  A replica whose run id is not known comes after those whose is."""
    return replica.priority, -replica.offset, not replica.run_id, replica.run_id, replica.name


def _comparison(winner: Server, loser: Server) -> str:
    if loser.priority != winner.priority:
        return f"its priority is {loser.priority}, {winner.name} has {winner.priority}"
    if loser.offset != winner.offset:
        return f"its offset is {loser.offset}, {winner.name} has {winner.offset}"
    return f"{winner.name} has the smaller run id"
