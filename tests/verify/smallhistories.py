"""Histories that are small enough for the definition of linearizability to be tried out, word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from random import Random

from durable_redis.formats.resp import Reply
from durable_redis.verify.history import NEVER_US, Call, History
from durable_redis.verify.models import RULES, State, comparable


def call(client: str, words: str, began_us: int, ended_us: int = NEVER_US, reply: Reply = None) -> Call:
    return Call(client, tuple(words.encode().split()), began_us, ended_us, reply)


def history(*calls: Call) -> History:
    return History(tuple(calls))


# -- the definition, word for word ------------------------------------------------------------------------------------


def orders(calls: Sequence[Call]) -> Iterator[Sequence[Call]]:
    """Every order of all answered calls and some of the others that keeps who ended before whom began."""
    answered = [one for one in calls if one.answered]
    unheard = [one for one in calls if not one.answered]
    for chosen in range(2 ** len(unheard)):
        some = answered + [one for bit, one in enumerate(unheard) if chosen >> bit & 1]
        for order in permutations(some):
            if all(
                order[later].ended_us > order[sooner].began_us
                for sooner in range(len(order))
                for later in range(sooner + 1, len(order))
            ):
                yield order


def explains(order: Sequence[Call]) -> bool:
    state: State = None
    for one in order:
        state, reply = RULES[one.argv[0]].apply(state, one.argv)
        if one.answered and reply != comparable(one.argv, one.reply):
            return False
    return True


def brute_force(calls: Sequence[Call]) -> bool:
    return any(map(explains, orders(calls)))


MIXES = {
    "register": ["SET x 1", "SET x 2", "GET x", "GET x", "DEL x"],
    "counter": ["INCR x", "INCRBY x 2", "DECR x", "GET x"],
    "list": ["RPUSH x a", "RPUSH x b", "LPUSH x c", "LPOP x", "RPOP x", "LRANGE x 0 -1"],
    "set": ["SADD x a", "SADD x b", "SREM x a", "SISMEMBER x a", "SMEMBERS x", "SCARD x"],
}


def random_history(random: Random, mix: Sequence[str], most: int) -> list[Call]:
    """Overlapping calls of three clients on one key.  The answers come from a true order, most of the time: now and
    then one is taken from another state, or an answer got lost."""
    free_us = {"a": 0, "b": 0, "c": 0}
    plans = []
    for _ in range(random.randint(4, most)):
        client = random.choice("abc")
        began_us = free_us[client] + random.randint(0, 4)
        ended_us = free_us[client] = began_us + random.randint(1, 6)
        plans.append((random.randint(began_us, ended_us), client, began_us, ended_us))
    states: list[State] = [None]
    calls = []
    for _, client, began_us, ended_us in sorted(plans):
        words = tuple(random.choice(mix).encode().split())
        happened = random.random() < 0.85
        after, reply = RULES[words[0]].apply(states[-1], words)
        if random.random() < 0.4:
            _, reply = RULES[words[0]].apply(random.choice(states), words)
        states.append(after if happened else states[-1])
        on_the_wire = sorted(reply) if isinstance(reply, frozenset) else reply
        if random.random() < 0.15 or not happened:
            calls.append(Call(client, words, began_us))
        else:
            calls.append(Call(client, words, began_us, ended_us, on_the_wire))
    return calls
