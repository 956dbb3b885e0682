"""Small things for the tests of the shared log."""

from __future__ import annotations

from random import Random

from durable_redis.contract import TimerFired
from durable_redis.memorydb.log import Answer
from durable_redis.memorydb.log.local import LocalLog, LocalLogUser


def user(log: LocalLog, name: str = "n1") -> LocalLogUser:
    return LocalLogUser(name, "s1", log, Random(name))


def fire(user: LocalLogUser, now: int) -> list[Answer]:
    """Let the user's timer fire, and take what it was answered."""
    list(user.handle(TimerFired("log s1"), now))
    return user.take_answers()
