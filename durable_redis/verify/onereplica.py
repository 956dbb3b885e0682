"""One replica, read by one client: its answers are the shard's log, read from front to back.

A replica of a shard whose log is in three zones applies what the log has got, in the order of the log, and nothing
else.  So what a client reads from one replica is *sequentially consistent* (paper, section 3.2): it may be old, and it
never goes back.  From two replicas in turn it may go back, since one may be behind the other; and on the primary alone
it is never old (`promises.one_copy`).

The law of this file: nothing is asked of the replica.  The order of all writes of a shard is known at the end: it is
the history of whoever answers for its keys then (`reference`).  A client that has said READONLY stands at a place in
this order; each answer must be right at its place or at a later one, which is its place from then on:

    order      w1 w2 w3 w4        SET x 1, SET y 1, SET x 2, SET y 2
    answers    x is 1, y is 1     right at w1, and then at w2
               x is 2, y is 1     right at w3, and there still
               x is 1             right at no place from w3 on: it has gone back

The first place that is possible is the best one to take, for it leaves the most to the answers that follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durable_redis.lab.client import Operation
from durable_redis.verify.evidence import Held
from durable_redis.verify.judging import Case
from durable_redis.verify.models import RULES, comparable
from durable_redis.verify.streams import Place

Found = tuple[int, int, str, str]
READONLY = b"READONLY"


def asks_for_less(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The operations on connections that had said READONLY before: their client does not ask for the latest."""
    said: dict[str, int] = {}
    for operation in operations:
        if operation.argv[0].upper() == READONLY and operation.outcome == "ok":
            said.setdefault(operation.connection, operation.command)
        if operation.connection in said:
            yield operation


def one_past(case: Case) -> Iterator[Found]:
    """What a client reads from one replica never goes back."""
    if case.evidence.deployment.loses_nothing:
        yield from gone_back(case, by_node=True)


def gone_back(case: Case, by_node: bool) -> Iterator[Found]:
    """Each answer that is right at no place from which its client is on; `by_node`: it has a place for each node."""
    places: dict[tuple[str, ...], int] = {}
    orders: dict[str, Sequence[Held]] = {}
    for operation in asks_for_less(case.evidence.operations):
        rule = RULES.get(operation.argv[0].upper())
        if operation.outcome != "ok" or rule is None or not rule.only_reads:
            continue
        home = case.evidence.homes.get(operation.argv[1], "")
        if home not in case.reference.at or case.reference.has_moved(operation.argv[1]):
            continue  # nobody can say in which order the writes were
        if home not in orders:
            orders[home] = states_of(case.reference.at[home])
        client = operation.connection.partition(">")[0]
        reader = (client, home, operation.node) if by_node else (client, home)
        place = _first_right(operation, orders[home], places.get(reader, 0))
        if place is None:
            words = b" ".join(operation.argv).decode("utf-8", "backslashreplace")
            before = places.get(reader, 0)
            yield (
                *case.end,
                operation.node,
                f"it answered {operation.reply!r} to {client}'s {words}, which is right nowhere in the log from write "
                f"{before} on, which {client} had seen",
            )
        else:
            places[reader] = place


def states_of(end: Place) -> Sequence[Held]:
    """What a server holds on the way to a place: before the first write, after it, after the second one, and so on."""
    way = list(end.way_back())[::-1]
    states: list[Held] = [way[0].stream.held]
    for stream, size in way:
        states += [write.held for write in stream.writes[:size]]
    return states


def _first_right(operation: Operation, states: Sequence[Held], begin: int) -> int | None:
    """The first place from `begin` on where this is the answer."""
    words = tuple(operation.argv)
    rule, reply = RULES[words[0].upper()], comparable(words, operation.reply)
    for place in range(begin, len(states)):
        if rule.apply(states[place].get((0, words[1])), words)[1] == reply:
            return place
    return None
