"""Whatever clients and other shards say to the nodes of a shard, and whenever: an answer, and nobody falls over."""

from __future__ import annotations

from random import Random

import pytest

from durable_redis.memorydb.shards import Shard
from durable_redis.redis.cluster.slots import SLOTS
from tests.memorydb.shardtools import Room

SHARDS = (Shard("s1", ("n1", "n2"), 0, 8191), Shard("s2", ("n9",), 8192, SLOTS - 1))
SAID = tuple(
    tuple(line.split())
    for line in """
MULTI
EXEC
DISCARD
WATCH k
SET k v
GET k
DEL k
EXPIRE k 1
FLUSHALL
SORT k
DBSIZE
KEYS *
RANDOMKEY
SELECT 1
SWAPDB 0 1
READONLY
INFO
ROLE
HELLO 3
CLIENT LIST
RESET
QUIT
CLUSTER SLOTS
CLUSTER INFO
FAILOVER
FAILOVER TO n2
FAILOVER TO n9
CLUSTER MIGRATESLOTS SLOTSRANGE 0 8000 NODE n9
CLUSTER MIGRATESLOTS SLOTSRANGE 0 0 NODE n1
CLUSTER CANCELSLOTMIGRATIONS
CLUSTER GETSLOTMIGRATIONS
MIGRATION BEGIN s2 5 9000
MIGRATION BEGIN s2 6 9001-9100
MIGRATION DATA s2 5 PING
MIGRATION PREPARE s2 5 9000 00 1
MIGRATION COMMIT s2 5 9000
MIGRATION ABANDON s2 5 9000
MIGRATION ABANDON s2 7 9002
LEADS s2 n9 7 9000
LEADS s1 n1 7 0
LEADS s2 n9 x 9000
""".strip().splitlines()
)


@pytest.mark.parametrize("durability", ["sync", "async"])
@pytest.mark.parametrize("seed", range(6))
def test_no_words_at_no_time_are_an_exception_out_of_a_node(seed: int, durability: str) -> None:
    luck = Random(seed)
    room = Room("n1", "n2", shards=SHARDS, shard="s1", durability=durability)
    for _ in range(60):
        room.send(luck.choice(room.names), *luck.choice(SAID), connection=luck.choice("ab"))
        room.advance(luck.choice((0, 1, 5, 50, 700, 3_500)))
        if luck.random() < 0.1:
            room.log.down = not room.log.down
        if luck.random() < 0.1:
            machine = room[luck.choice(room.names)]
            machine.asleep = not machine.asleep
            if not machine.asleep:
                room.wake(machine.node.name)
    room.log.down = False
    for name in room.names:
        room.wake(name)
    room.advance(15_000)
    for name in room.names:
        assert room.ask(name, "PING", connection="c") is not ..., f"{name} does not answer any more"
