"""The engine beside fakeredis: SET and GET, without a network, in this process.

Ours is a call of `Engine.execute` with the words of the command; fakeredis is asked through its client object, which is
the only way it offers.  Both keep the same thousand keys, and both answer every command.
"""

from __future__ import annotations

from functools import partial
from random import Random

from durable_redis.bench.measure import Peer, Row, compare, seconds
from durable_redis.engine import Engine, Session

COMMANDS = 100_000
KEYS = [b"key:%d" % number for number in range(1_000)]
VALUE = bytes(64)


def measure_engine(scale: float, rounds: int) -> list[Row]:
    """Commands a second."""
    count = max(1, round(COMMANDS * scale))
    few = max(1, count // 50)  # fakeredis is asked fewer times, for the same patience
    rows = []
    for name in ("SET", "GET"):
        peer = Peer("fakeredis", ("fakeredis",), partial(_peer_rate, name, few))
        rows.append(
            compare(f"engine: {name}", "commands/s", partial(_our_rate, name.encode(), count), peer, 50.0, rounds)
        )
    return rows


def _our_rate(name: bytes, count: int) -> float:
    redis, session = Engine(Random(1)), Session("bench")
    for key in KEYS:
        redis.execute(session, [b"SET", key, VALUE], 0)
    redis.take_effects()
    rest = [VALUE] if name == b"SET" else []

    def work() -> None:
        execute = redis.execute
        for number in range(count):
            execute(session, [name, KEYS[number % 1_000], *rest], 0)
            if not number % 100:
                redis.take_effects()

    return count / seconds(work)


def _peer_rate(name: str, count: int) -> float:
    import fakeredis

    client = fakeredis.FakeRedis()
    for key in KEYS:
        client.set(key, VALUE)

    def work() -> None:
        for number in range(count):
            if name == "SET":
                client.set(KEYS[number % 1_000], VALUE)
            else:
                client.get(KEYS[number % 1_000])

    return count / seconds(work)
