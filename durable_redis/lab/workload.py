"""A mixed workload: strings, counters, lists and sets on a few keys, all clients among one another.

The law of this file: every write leaves a state that no other write leaves, so that a data set tells which writes made
it, and in which order.  A write that is left out, done twice, or done in another order shows.
"""

from __future__ import annotations

from random import Random

KEYS = 4
"""Of each type."""

MIX = (
    ("SET s{k} v{n}", 5),
    ("GET s{k}", 4),
    ("INCR c{k}", 3),
    ("GET c{k}", 1),
    ("APPEND s{k} +{n}", 1),
    ("DEL s{k}", 1),
    ("RPUSH l{k} v{n}", 3),
    ("LPOP l{k}", 1),
    ("LRANGE l{k} 0 -1", 1),
    ("SADD t{k} v{n}", 2),
    ("SREM t{k} v{m}", 1),
    ("SMEMBERS t{k}", 1),
)
"""What is done, and how often: {k} is the number of a key, {n} that of the command, {m} that of one before it."""

READS = ("GET s{k}", "GET c{k}", "LRANGE l{k} 0 -1", "SMEMBERS t{k}")


def mixed(seed: int | str, number: int) -> list[bytes]:
    """The words of command `number` of the workload of this seed."""
    random = Random(f"{seed}/work {number}")
    (pattern,) = random.choices([pattern for pattern, _ in MIX], [weight for _, weight in MIX])
    numbers = {"k": random.randrange(KEYS), "n": number, "m": random.randint(1, number)}
    return pattern.format(**numbers).encode().split()


def looked_at(seed: int | str, number: int) -> list[bytes]:
    """The words of read `number` of somebody who only looks: at any of the keys."""
    random = Random(f"{seed}/look {number}")
    pattern = random.choice(READS)
    return pattern.format(k=random.randrange(KEYS)).encode().split()
