"""How a client finds its server: the routings as state machines, then a client over toy servers in a room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durable_redis.contract import Effects, Event, Received, Send, TimerFired
from durable_redis.formats.resp import NEED_MORE, OK, CommandParser, ErrorReply, Reply, encode
from durable_redis.lab.client import ALARM, Client, Operation
from durable_redis.lab.routing import (
    ASK_ROLE,
    ASK_SENTINEL,
    ASK_SLOTS,
    Advice,
    ByRole,
    BySlots,
    Direct,
    Hop,
    Routing,
    by_endpoint,
    by_sentinel,
)
from durable_redis.sim import EPOCH_US, World
from durable_redis.sim.faults import Crash, Restart

READONLY = ErrorReply("READONLY You can't write against a read only replica.")
PRIMARY: Reply = [b"master", 0, []]
REPLICA: Reply = [b"slave", b"n2", 6379, b"connected", 0]


# -- the routings ----------------------------------------------------------------------------------------------------


def test_by_sentinel_asks_in_order_and_trusts_nobody() -> None:
    routing = by_sentinel(["s1", "s2"])
    assert routing.next(()) == Hop("s1", ASK_SENTINEL)
    routing.lost("s1")
    assert routing.next(()) == Hop("s2", ASK_SENTINEL)
    assert not routing.told("s2", ErrorReply("IDONTKNOW"))
    assert routing.told("s1", [b"n1", b"6379"])
    assert routing.next(()) == Hop("n1", ASK_ROLE)
    assert not routing.told("n1", REPLICA), "the sentinel was behind"
    assert routing.next(()) == Hop("s2", ASK_SENTINEL), "so another one is asked"
    assert routing.told("s2", [b"n2", b"6379"])
    assert routing.told("n2", PRIMARY)
    assert routing.next(()) == Hop("n2")
    routing.lost("s1")
    assert routing.next(()) == Hop("n2"), "that one was not in use"
    assert routing.refused("n2", ErrorReply("NOREPLICAS Not enough good replicas to write.")) is Advice.FINAL
    assert routing.refused("n2", READONLY) is Advice.LEAVE
    assert routing.next(()).peer == "s2"


def test_an_endpoint_is_believed() -> None:
    routing = by_endpoint("endpoint")
    assert routing.told("endpoint", b"n1")
    assert routing.next(()) == Hop("n1")
    routing.lost("n1")
    assert routing.next(()).peer == "endpoint"


def test_by_role_goes_through_the_list() -> None:
    routing = ByRole(["n1", "n2"])
    assert routing.told("n1", PRIMARY)
    assert routing.next(()) == Hop("n1")
    routing.lost("n1")
    assert routing.next(()) == Hop("n2", ASK_ROLE)
    assert not routing.told("n2", REPLICA)
    assert routing.next(()) == Hop("n1", ASK_ROLE)


def test_by_slots_follows_moved_and_asks_for_a_new_map_when_somebody_falls_silent() -> None:
    routing = BySlots(["n1", "n2"], len)
    assert routing.next([b"GET", b"abc"]) == Hop("n1", ASK_SLOTS)
    assert routing.told("n1", [[0, 3, [b"n1", 6379, b"id"], [b"n4", 6379, b"id"]], [4, 5, [b"n2", 6379, b"id"]]])
    assert [routing.next([b"GET", b"k" * size]).peer for size in (3, 4)] == ["n1", "n2"]
    assert routing.next([b"GET", b"k" * 9]) == Hop("n1", ASK_SLOTS), "nobody has that slot"
    assert routing.refused("n1", ErrorReply("MOVED 3 n2:6379")) is Advice.AGAIN
    assert routing.next([b"GET", b"abc"]) == Hop("n2")
    assert routing.refused("n2", ErrorReply("CLUSTERDOWN The cluster is down")) is Advice.FINAL
    assert routing.next([b"GET", b"abc"]) == Hop("n1", ASK_SLOTS)
    routing.lost("n1")
    assert routing.next([]) == Hop("n2", ASK_SLOTS)


# -- a client over toy servers ---------------------------------------------------------------------------------------


class Toy:
    """Answers each command with what a function says; None: never."""

    def __init__(self, answer: Callable[[list[bytes]], Reply | object], log: list[str], name: str) -> None:
        self.answer, self.log, self.name = answer, log, name
        self.parser = CommandParser()

    def boot(self, now: int) -> Effects:
        return
        yield

    def handle(self, event: Event, now: int) -> Effects:
        if isinstance(event, Received):
            self.parser.feed(event.data)
            while (argv := self.parser.next()) is not NEED_MORE:
                self.log.append(f"{self.name} {b' '.join(argv).decode()}")
                reply = self.answer(argv)
                if reply is not SILENCE:
                    yield Send(event.connection, encode(reply, 2))  # type: ignore[arg-type]

    def before_sleep(self, now: int) -> Effects:
        return
        yield

    def view(self) -> dict[str, Any]:
        return {}


SILENCE = object()


class Room:
    """Toy servers by name, and one client with planned operations."""

    def __init__(self, routing: Routing, **answers: Callable[[list[bytes]], Reply | object]) -> None:
        self.world = World(1)
        self.log: list[str] = []
        for name, answer in answers.items():
            self.world.add_machine(name, "a", lambda random, n=name, a=answer: Toy(a, self.log, n))  # type: ignore[misc]
        self.world.add_machine("client", "a", lambda random: Client("client", routing))
        for name in (*answers, "client"):
            self.world.start(name)
        self.world.run_until(10_000)
        process = self.world.machines["client"].process
        assert process is not None
        assert isinstance(process.node, Client)
        self.client = process.node

    def do(self, *words: str, by_ms: int = 3_000, **options: Any) -> Operation:
        operation = self.client.plan([word.encode() for word in words], EPOCH_US + self.world.now_us, **options)
        self.world.ask("client", "do", TimerFired(ALARM))
        self.world.run_until(self.world.now_us + by_ms * 1000)
        return operation


def says(reply: Reply | object, **by_command: Reply | object) -> Callable[[list[bytes]], Reply | object]:
    return lambda argv: by_command.get(argv[0].decode(), reply)


def test_a_client_asks_a_sentinel_then_the_primary_and_stays_there() -> None:
    room = Room(by_sentinel(["s1"]), s1=says([b"n1", b"6379"]), n1=says(OK, ROLE=PRIMARY))
    assert [room.do("SET", "k", str(n)).outcome for n in range(2)] == ["ok", "ok"]
    assert room.log == [
        "s1 SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", "n1 ROLE", "n1 SET k 0", "n1 SET k 1",
    ]  # fmt: skip


def test_a_client_follows_a_failover_and_never_repeats_what_it_does_not_know_of() -> None:
    primary = [b"n1"]
    room = Room(
        by_sentinel(["s1"]),
        s1=lambda argv: [primary[0], b"6379"],
        n1=says(OK, ROLE=PRIMARY, INCR=SILENCE),
        n2=says(OK, ROLE=PRIMARY),
    )
    room.do("SET", "k", "1")
    unknown = room.do("INCR", "k", by_ms=500)
    primary[0] = b"n2"
    room.world.run_until(room.world.now_us + 3_000_000)
    assert (unknown.outcome, unknown.node) == ("unknown", "n1")
    after = room.do("SET", "k", "3")
    assert (after.outcome, after.node) == ("ok", "n2")
    assert [line for line in room.log if "INCR" in line] == ["n1 INCR k"]


def test_what_a_replica_refuses_has_failed_and_the_next_command_goes_elsewhere() -> None:
    primary = [b"n1"]
    room = Room(by_endpoint("e"), e=lambda argv: primary[0], n1=says(READONLY), n2=says(OK))
    refused = room.do("SET", "k", "1")
    primary[0] = b"n2"
    assert (refused.outcome, refused.node) == ("failed", "n1")
    assert room.do("SET", "k", "2").node == "n2"


def test_moved_is_followed_within_one_operation_and_not_for_ever() -> None:
    slots = [[0, 16383, [b"n1", 6379, b"id"]]]
    moved = ErrorReply("MOVED 1 n2:6379")
    room = Room(BySlots(["n1", "n2"], lambda key: 1), n1=says(moved, CLUSTER=slots), n2=says(OK))
    operation = room.do("SET", "k", "1")
    assert (operation.outcome, operation.node, operation.redirections) == ("ok", "n2", 1)
    lost = Room(BySlots(["n1"], lambda key: 1), n1=says(ErrorReply("MOVED 1 n1:6379"), CLUSTER=slots))
    operation = lost.do("SET", "k", "1")
    assert (operation.outcome, operation.redirections) == ("failed", 5)


@pytest.mark.parametrize(("copies", "outcome"), [(1, "ok"), (0, "unknown")])
def test_a_write_with_wait_is_ok_when_enough_replicas_have_it(copies: int, outcome: str) -> None:
    room = Room(Direct("n1"), n1=says(OK, WAIT=copies))
    operation = room.do("SET", "k", "1", wait=(1, 100))
    assert (operation.outcome, operation.copies, operation.command) == (outcome, copies, 1)
    assert room.log == ["n1 SET k 1", "n1 WAIT 1 100"]
    refused = Room(Direct("n1"), n1=says(READONLY))
    assert refused.do("SET", "k", "1", wait=(1, 100)).outcome == "failed"
    assert refused.log == ["n1 SET k 1"]


def test_an_operator_may_name_the_node() -> None:
    room = Room(by_endpoint("e"), e=says(b"n1"), n1=says(OK), n2=says(b"hello"))
    assert room.do("GET", "k", to="n2").reply == b"hello"
    assert room.do("SET", "k", "1").node == "n1"


def test_a_client_without_work_does_not_knock_at_dead_doors() -> None:
    """A client of one server does, all the time: it has nobody else to ask."""
    steps = []
    for routing in (by_endpoint("e"), Direct("n1")):
        room = Room(routing, e=says(b"n1"), n1=says(OK))
        room.do("SET", "k", "1")
        room.world.act(Crash("n1", "process kill"))
        before = len(room.world.journal)
        room.world.run_until(room.world.now_us + 10_000_000)
        steps.append(len(room.world.journal) - before)
        room.world.act(Restart("n1"))
        assert room.do("SET", "k", "2").outcome == "ok"
    assert steps[0] < 10
    assert steps[1] > 200
