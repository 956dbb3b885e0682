"""Hello: how a sentinel tells the others who it is, which epoch it has heard of, and who it holds to be the primary.

Every 2 s, and at once after a promotion, to every other sentinel:

    PUBLISH __sentinel__:hello  s1,26379,<run id>,<epoch>,mymaster,n1,6379,<config epoch>

That is how a failover's outcome spreads.  The rule is one line: *of two configurations the one with the higher config
epoch is right.*  It needs no agreement, since the epochs of two elected leaders differ; and since everybody ends with
the highest, everybody ends with the same.

Source: sentinel.c, sentinelSendHello and sentinelProcessHelloMessage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Effects, Note
from durable_redis.redis.config import DEFAULT_PORT
from durable_redis.redis.epochs import read_epoch
from durable_redis.redis.sentinel.config import SENTINEL_PORT

if TYPE_CHECKING:
    from durable_redis.redis.sentinel.sentinel import Sentinel

CHANNEL = b"__sentinel__:hello"
HELLO_PERIOD_US = 2_000_000


@dataclass(frozen=True, slots=True)
class Hello:
    """One message."""

    name: str
    run_id: str
    epoch: int
    master_name: str
    primary: str
    config_epoch: int

    def render(self) -> bytes:
        return (
            f"{self.name},{SENTINEL_PORT},{self.run_id},{self.epoch},"
            f"{self.master_name},{self.primary},{DEFAULT_PORT},{self.config_epoch}"
        ).encode()

    @classmethod
    def parse(cls, message: bytes) -> Hello | None:
        """The message in these bytes, or None."""
        text = message.decode("ascii", "replace")
        words = text.split(",")
        if len(words) != 8 or not all(words) or not text.isascii() or not text.isprintable() or " " in text:
            return None
        name, _, run_id, epoch, master_name, primary, _, config_epoch = words
        heard, configured = read_epoch(epoch.encode()), read_epoch(config_epoch.encode())
        if heard is None or configured is None:
            return None
        return cls(name, run_id, heard, master_name, primary, configured)


def greeting(sentinel: Sentinel) -> list[bytes]:
    """The command that carries what this sentinel holds to be so."""
    message = Hello(
        sentinel.name,
        sentinel.run_id,
        sentinel.ballot.epoch,
        sentinel.config.master_name,
        sentinel.announced_primary,
        sentinel.config_epoch,
    )
    return [b"PUBLISH", CHANNEL, message.render()]


def greet_soon(sentinel: Sentinel) -> None:
    """Something has changed: say hello at the next tick, not in two seconds."""
    for peer in sentinel.peers.values():
        peer.greeted_us = 0


def heard(sentinel: Sentinel, message: Hello, now: int) -> Effects:
    """1. Who is it?  2. Its epoch, if it is higher.  3. Its configuration, if its config epoch is higher."""
    # 1.
    peer = sentinel.peers.get(message.name)
    if peer is None or message.master_name != sentinel.config.master_name:
        return
    changed = peer.run_id != message.run_id
    peer.run_id, peer.hello_us = message.run_id, now
    # 2.
    if sentinel.ballot.hear(message.epoch):
        changed = True
        yield Note("epoch", {"epoch": message.epoch, "from": message.name})
    # 3.
    if message.config_epoch > sentinel.config_epoch:
        sentinel.config_epoch = message.config_epoch
        changed = True
        # A leader compares with its own choice.  (Redis compares with the address from before the failover: told that
        # the old primary is the newer one, it would carry on, and announce its own choice under the other's epoch.)
        if message.primary != sentinel.announced_primary:
            yield from sentinel.switch(message.primary, f"hello from {message.name}", now)
            return
    if changed:
        yield from sentinel.save()
