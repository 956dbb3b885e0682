"""The mixed workload: the same from the same seed, of all types, and each write leaves a state of its own."""

from __future__ import annotations

from collections import Counter

import durable_redis as dr
from durable_redis.lab.workload import MIX, mixed
from durable_redis.verify.models import RULES


def test_it_is_decided_by_the_seed_and_the_number_of_the_command() -> None:
    assert [b" ".join(mixed(7, number)).decode() for number in range(1, 7)] == [
        "GET s0",
        "RPUSH l1 v2",
        "RPUSH l1 v3",
        "GET s2",
        "SREM t2 v4",
        "APPEND s2 +6",
    ]
    assert mixed(7, 3) == mixed(7, 3)
    assert [mixed(7, number) for number in range(1, 50)] != [mixed(8, number) for number in range(1, 50)]


def test_every_command_comes_and_every_value_once() -> None:
    commands = [mixed(1, number) for number in range(1, 1_001)]
    counts = Counter(words[0] for words in commands)
    assert counts.keys() == {pattern.split()[0].encode() for pattern, _ in MIX}
    assert min(counts.values()) > 10
    written = [words[2] for words in commands if words[0] in (b"SET", b"APPEND", b"RPUSH", b"SADD")]
    assert len(dict.fromkeys(written)) == len(written)


def test_a_run_works_and_all_clients_take_part() -> None:
    run = dr.Redis(clients=2).start(seed=3)
    run.work(40, every_ms=5)
    run.work(3, every_ms=5, client="client2")
    run.play()
    operations = run.playback.operations()
    assert Counter(one.connection.partition(">")[0] for one in operations) == {"client1": 20, "client2": 23}
    assert all(one.outcome == "ok" for one in operations)
    assert [one.argv for one in operations] == [mixed(3, number) for number in range(1, 44)]
    assert dr.replay(run.replay_string()).digest() == run.digest()
    state = None
    for one in operations:
        if one.argv[1] == b"s1":
            state, reply = RULES[one.argv[0]].apply(state, tuple(one.argv))
            assert one.reply == reply


def test_one_command_can_be_repeated_instead() -> None:
    run = dr.Redis().start(seed=3)
    run.work(2, command="INCR visits")
    run.work(1, command="RPUSH list v{n}")
    run.play()
    assert [(one.argv, one.reply) for one in run.history()] == [
        ([b"INCR", b"visits"], 1),
        ([b"INCR", b"visits"], 2),
        ([b"RPUSH", b"list", b"v3"], 1),
    ]
    assert dr.replay(run.replay_string()).digest() == run.digest()
