"""Whatever is written, and whenever the link breaks: in the end a replica is its primary, to the byte."""

from __future__ import annotations

from random import Random

import pytest
from roomtools import Room

KEYS = [f"k{number}" for number in range(6)]


def a_command(luck: Random) -> list[str | int]:
    key, other = luck.choice(KEYS), luck.choice(KEYS)
    kind = key[-1]
    return luck.choice(
        [
            ["SET", f"s{kind}", luck.randrange(1000)],
            ["SET", f"s{kind}", "v", "PX", luck.randrange(1, 3_000)],
            ["INCR", f"n{kind}"],
            ["INCRBYFLOAT", f"f{kind}", "0.5"],
            ["APPEND", f"s{kind}", "x" * luck.randrange(300)],
            ["RPUSH", f"l{kind}", "a", "b"],
            ["LPOP", f"l{kind}"],
            ["SADD", f"t{kind}", luck.randrange(9), luck.randrange(9)],
            ["SPOP", f"t{kind}"],
            ["ZADD", f"z{kind}", luck.randrange(9), other],
            ["HSET", f"h{kind}", other, luck.randrange(99)],
            ["PEXPIRE", f"h{kind}", luck.randrange(1, 2_000)],
            ["DEL", f"s{kind}", f"l{other[-1]}"],
            ["SELECT", luck.randrange(3)],
            ["MULTI"],
            ["EXEC"],
            ["WAIT", 1, 20],
            *([["FLUSHALL"]] if luck.random() < 0.05 else []),
        ]
    )


def an_upset(room: Room, luck: Random) -> None:
    """Something that breaks the link, or stops a server for a while."""
    replica = luck.choice(["n2", "n3"])
    match luck.randrange(6):
        case 0:
            room.crash(replica, luck.choice(["process kill", "power loss", "disk loss"]))
            room.run(luck.random())
            room.restart(replica)
        case 1:
            room.command(replica, "REPLICAOF", "nobody", 6379)
            room.run(luck.random())
            room.command(replica, "REPLICAOF", "n1" if replica == "n2" else "n2", 6379)
        case 2:
            room.command("n1", "CONFIG", "SET", "repl-diskless-sync", luck.choice(["yes", "no"]))
        case 3:
            room.command("n1", "BGSAVE")
        case 4:
            room.command(replica, "BGREWRITEAOF")
        case 5:
            room.run(luck.random() * 2)


@pytest.mark.parametrize("seed", range(20))
def test_in_the_end_a_replica_is_its_primary(seed: int) -> None:
    luck = Random(seed)
    room = Room(
        seed,
        n1={"repl_backlog_size": 16_384, "appendonly": seed % 2 == 0},
        n2={"replicaof": "n1", "appendonly": seed % 3 == 0},
        n3={"replicaof": "n2", "repl_diskless_sync": False},
    )
    for _ in range(300):
        room.command("n1", *a_command(luck))
        if luck.random() < 0.03:
            an_upset(room, luck)
    room.command("n1", "DISCARD")
    room.run_until(lambda: room.linked("n2", "n3"))
    room.run(6)
    room.same("n1", "n2", "n3")
    assert room.notes("cannot apply") == []
