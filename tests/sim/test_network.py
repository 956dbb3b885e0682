"""Connections: first in first out, latency by zone, what a crash of either end does to them, and held messages."""

from __future__ import annotations

import pytest
from sim_toys import STEADY, Client, Logger, Toy, arrivals, node, play, play_until, room

from durable_redis.contract import Close, Closed, Connect, Effects, Event, Opened, Received, Send, SetTimer, TimerFired
from durable_redis.sim import EPOCH_US, Hardware, World
from durable_redis.sim.faults import Crash, FaultError, Hold, Release, Restart

TEN = tuple(b"message %d" % number for number in range(10))


class Talker(Client):
    messages = TEN


def test_messages_arrive_in_the_order_they_were_sent_whatever_the_jitter() -> None:
    world = room(seed=3, hardware=Hardware(jitter_us=5_000), client=Talker, server=Toy)
    while len(in_flight(world)) < len(TEN):
        world.step()
    due_us = [segment.due_us for segment in world.network.in_flight.values()]
    assert due_us == sorted(due_us), "what is shown as due is when it will arrive"
    times, contents = zip(*arrivals(play(world), "server"), strict=True)
    assert contents == TEN
    assert list(times) == sorted(times)
    assert len(set(times)) > 1, "without different delays this proves nothing"


def test_jitter_lies_between_zero_and_the_figure_and_takes_every_value() -> None:
    delays: set[int] = set()
    for seed in range(100):
        world = room(seed=seed, hardware=Hardware(same_zone_us=100, jitter_us=3), client=Client, server=Toy)
        play_until(world, Connect)
        delays.update(segment.due_us - segment.sent_us for segment in world.network.in_flight.values())
    assert delays == {100, 101, 102, 103}


@pytest.mark.parametrize(("zones", "latency_us"), [("aa", 100), ("ab", 600)])
def test_a_message_takes_the_latency_inside_a_zone_or_between_zones(zones: str, latency_us: int) -> None:
    world = play(room(zones=zones, client=Client, server=Toy))
    assert node(world, "server").told[0] == (latency_us, Opened("client>server#1", "client"))
    assert node(world, "client").told == [(2 * latency_us, Opened("client>server#1", "server", outgoing=True))]
    assert arrivals(world, "server") == [(3 * latency_us, b"hello")]


def test_a_process_may_send_before_its_connection_is_up() -> None:
    class Eager(Toy):
        def boot(self, now: int) -> Effects:
            connection = yield Connect("server")
            yield Send(connection, b"early")

    world = play(room(client=Eager, server=Toy))
    assert [event for _, event in node(world, "server").told] == [
        Opened("client>server#1", "client"),
        Received("client>server#1", b"early"),
    ]


# -- how connections end ---------------------------------------------------------------------


def connected(server: type[Toy] = Toy) -> World:
    """A client and a server, just connected, nothing else in flight."""

    class Silent(Client):
        messages = ()

    return play(room(client=Silent, server=server))


def last_told(world: World, name: str) -> tuple[int, Event]:
    told: tuple[int, Event] = node(world, name).told[-1]
    return told


def test_a_killed_process_closes_its_connections_one_latency_later() -> None:
    world = connected()
    world.act(Crash("server", "process kill"))
    at_us = world.now_us
    play(world)
    assert last_told(world, "client") == (at_us + 100, Closed("client>server#1", "closed by the peer"))
    assert world.network.connections == {}


@pytest.mark.parametrize("kind", ["power loss", "disk loss"])
def test_a_machine_without_power_says_nothing(kind: str) -> None:
    world = connected()
    world.act(Crash("server", kind))
    play(world)
    assert isinstance(last_told(world, "client")[1], Opened)


class Patient(Client):
    """Sends a second message five seconds after it connected."""

    def react(self, event: Event, now: int) -> Effects:
        yield from super().react(event, now)
        if isinstance(event, Opened):
            yield SetTimer(event.connection, now + 5_000_000)
        elif isinstance(event, TimerFired):
            yield Send(event.name, b"are you there?")


@pytest.mark.parametrize(
    ("restarts", "answer"), [(True, Closed("client>server#1", "reset by the peer")), (False, None)]
)
def test_a_stale_connection_is_reset_once_the_machine_is_back_and_silent_while_it_is_not(
    restarts: bool, answer: Event | None
) -> None:
    world = room(client=Patient, server=Toy)
    world.run_until(1_000_000)
    world.act(Crash("server", "power loss"))
    if restarts:
        world.act(Restart("server"))
    play(world)
    events = [event for _, event in node(world, "client").told]
    assert events[-1] == (answer or TimerFired("client>server#1"))
    if restarts:
        assert node(world, "server").told == [], "the new process knows nothing of the old connection"


def test_a_connection_is_refused_where_nobody_listens_and_unanswered_without_power() -> None:
    world = room(client=Client, server=Toy)
    world.act(Crash("server", "process kill"))
    play(world)
    assert node(world, "client").told == [(200, Closed("client>server#1", "refused: nobody listens there"))]

    world = room(client=Client, server=Toy)
    world.act(Crash("server", "power loss"))
    play(world)
    assert node(world, "client").told == []


@pytest.mark.parametrize(
    ("peer", "reason"), [("nobody", "no machine is called nobody"), ("client", "a machine cannot connect to itself")]
)
def test_a_connection_to_an_impossible_peer_fails_at_once(peer: str, reason: str) -> None:
    class Lost(Client):
        server = peer

    world = play(room(client=Lost))
    assert node(world, "client").told == [(0, Closed(f"client>{peer}#1", reason))]


def test_what_a_killed_process_had_sent_arrives_before_its_peer_hears_of_the_end() -> None:
    world = room(client=Talker, server=Toy)
    play_until(world, Send, "client")
    world.act(Crash("client", "process kill"))
    play(world)
    events = [event for _, event in node(world, "server").told]
    assert events == [
        Opened("client>server#1", "client"),
        Received("client>server#1", TEN[0]),
        Closed("client>server#1", "closed by the peer"),
    ]


@pytest.mark.parametrize("kind", ["process kill", "power loss"])
def test_what_is_on_its_way_to_a_machine_that_crashes_is_lost(kind: str) -> None:
    world = room(client=Client, server=Toy)
    play_until(world, Send, "client")
    world.act(Crash("server", kind))
    world.act(Restart("server"))
    play(world)
    assert node(world, "server").told == []


def test_what_was_sent_before_a_close_still_arrives_and_nothing_after_it() -> None:
    class Brief(Client):
        def react(self, event: Event, now: int) -> Effects:
            assert isinstance(event, Opened)
            yield Send(event.connection, b"last words")
            yield Close(event.connection)
            yield Close(event.connection)
            yield Send(event.connection, b"from the grave")

    world = play(room(client=Brief, server=Toy))
    assert [event for _, event in node(world, "server").told][1:] == [
        Received("client>server#1", b"last words"),
        Closed("client>server#1", "closed by the peer"),
    ]
    assert len(node(world, "client").told) == 1, "who closes a connection is not told that it is closed"
    assert world.network.in_flight == {}


# -- luck ---------------------------------------------------------------------


def test_one_more_message_on_one_wire_changes_the_latency_of_no_other() -> None:
    """Two clients; the first says one thing more.  What the second one's messages take stays the same."""

    class Chatty(Client):
        messages = (b"hello", b"and another thing")

    def second_wire(first: type[Toy]) -> list[tuple[int, bytes]]:
        hardware = Hardware(jitter_us=10_000)
        world = play(room(seed=5, hardware=hardware, first=first, second=Talker, server=Toy))
        return [
            (step.at_us, step.what.data)
            for step in world.journal
            if getattr(step.what, "source", "") == "second" and step.machine == "server"
        ]

    assert second_wire(Client) == second_wire(Chatty)
    assert len(second_wire(Client)) == 1 + len(TEN)


# -- held messages ---------------------------------------------------------------------


def in_flight(world: World) -> list[int]:
    return list(world.network.in_flight)


def test_a_held_message_keeps_back_what_follows_it_until_it_is_released() -> None:
    world = room(client=Talker, server=Toy)
    play_until(world, Connect)
    while len(in_flight(world)) < len(TEN):
        world.step()
    held = in_flight(world)[4]
    world.act(Hold(held))
    world.run_until(1_000_000)
    assert [data for _, data in arrivals(world, "server")] == list(TEN[:4])
    world.act(Release(held))
    play(world)
    assert arrivals(world, "server")[4:] == [(1_000_000, data) for data in TEN[4:]]


def test_messages_due_at_the_moment_of_the_release_are_not_stranded() -> None:
    """The release of one message, while the one behind it is due at this very microsecond and not yet delivered."""

    class Twice(Client):
        def react(self, event: Event, now: int) -> Effects:
            yield from super().react(event, now)
            if isinstance(event, Opened):
                yield SetTimer(event.connection, now + 50)
            elif isinstance(event, TimerFired):
                yield Send(event.name, b"again")

    class Clock(Toy):
        def boot(self, now: int) -> Effects:
            yield SetTimer("tick", now + 350)  # when the second message is due

    world = room(client=Twice, server=Toy, clock=Clock)
    play_until(world, Send, "client")
    (held,) = in_flight(world)
    world.act(Hold(held))
    play_until(world, TimerFired, "clock")
    world.act(Release(held))
    play(world)
    assert arrivals(world, "server") == [(350, b"hello"), (350, b"again")]
    assert in_flight(world) == []


def test_a_message_released_before_it_is_due_arrives_when_it_is_due() -> None:
    world = room(client=Client, server=Toy)
    play_until(world, Send, "client")
    (number,) = in_flight(world)
    world.act(Hold(number))
    world.act(Release(number))
    play(world)
    assert arrivals(world, "server") == [(300, b"hello")]


def test_two_held_messages_released_in_the_wrong_order_arrive_in_the_right_one() -> None:
    world = room(client=Talker, server=Toy)
    play_until(world, Connect)
    while len(in_flight(world)) < len(TEN):
        world.step()
    first, second = in_flight(world)[2], in_flight(world)[5]
    world.act(Hold(first))
    world.act(Hold(second))
    world.run_until(10_000)
    world.act(Release(second))
    world.run_until(20_000)
    assert len(arrivals(world, "server")) == 2
    world.act(Release(first))
    play(world)
    assert [data for _, data in arrivals(world, "server")] == list(TEN)


def test_a_held_close_keeps_a_connection_half_open() -> None:
    world = connected()
    world.act(Crash("server", "process kill"))
    (number,) = in_flight(world)
    world.act(Hold(number))
    world.run_until(2_000_000)
    assert isinstance(last_told(world, "client")[1], Opened)
    world.act(Release(number))
    play(world)
    assert last_told(world, "client")[1] == Closed("client>server#1", "closed by the peer")


def test_holding_makes_sense_only_for_a_message_in_flight() -> None:
    world = room(client=Client, server=Toy)
    play_until(world, Send, "client")
    (number,) = in_flight(world)
    with pytest.raises(FaultError, match=f"message {number} from client to server is not held: hold it before"):
        world.act(Release(number))
    world.act(Hold(number))
    with pytest.raises(FaultError, match=f"message {number} from client to server is held already: release it"):
        world.act(Hold(number))
    world.act(Release(number))
    play(world)
    with pytest.raises(FaultError, match=f"no message {number} is in flight: it arrived, or was lost"):
        world.act(Hold(number))


def test_a_connection_lives_between_two_lives() -> None:
    """A peer that restarts while the answer to its old life's request is on its way must not receive it."""
    world = room(client=Client, server=Logger)
    play_until(world, Send, "server")
    world.act(Crash("client", "process kill"))
    world.act(Restart("client"))
    world.run_until(world.now_us + 150)
    assert node(world, "client").received == []
    play(world)
    assert node(world, "client").received == [b"OK hello"], "only the answer on the new connection"


def test_the_steady_hardware_of_these_tests_has_no_luck() -> None:
    assert (STEADY.jitter_us, STEADY.fsync_jitter_us) == (0, 0)
    assert EPOCH_US % 1_000_000 == 0
