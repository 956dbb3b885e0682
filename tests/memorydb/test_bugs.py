"""What each mechanism is for: a story that goes wrong without it, told of the broken node and of the good one."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from inspect import isfunction
from pkgutil import iter_modules, walk_packages

import pytest

from durable_redis import memorydb
from durable_redis.contract import Closed
from durable_redis.formats.resp import Status
from durable_redis.memorydb import planted
from durable_redis.memorydb.bugs import BUGS
from durable_redis.memorydb.log import LogClient
from durable_redis.memorydb.log.local import LocalLog
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.memorydb.shards import Shard
from tests.memorydb import migrationtools
from tests.memorydb.shardtools import Room

OK = Status(b"OK")
Node = type[MemoryDBServer]


def serving(room: Room) -> list[str]:
    return [name for name in room.names if room[name].node.leadership.serves(room.now)]


def until_served_by(room: Room, name: str) -> None:
    for _ in range(1_000):
        if name in serving(room):
            return
        room.advance(10)
    raise AssertionError(f"{name} never serves")


def told_before_the_log_has_it(node: Node) -> bool:
    room = Room("n1", node=node)
    room.send("n1", "SET", "k", "v")
    return room.told("n1") == [OK]


def seen_before_the_log_has_it(node: Node) -> bool:
    room = Room("n1", node=node)
    room.send("n1", "SET", "k", "v", connection="writer")
    room.send("n1", "GET", "k", connection="reader")
    return room.told("n1", "reader") == [b"v"]


def told_when_nobody_knows(node: Node) -> bool:
    room = Room("n1", node=node, log=LocalLog(patience_us=100_000))
    room.log.down = True
    room.send("n1", "SET", "k", "v")
    room.advance(300)
    return room.told("n1") == [OK]


def old_value_read_after_a_long_sleep(node: Node) -> bool:
    room = Room("n1", "n2", node=node)
    room.ask("n1", "SET", "k", "old")
    room["n1"].asleep = True
    until_served_by(room, "n2")
    room.ask("n2", "SET", "k", "new")
    room.send("n1", "GET", "k", connection="reader")
    room.wake("n1")
    return room.told("n1", "reader") == [b"old"]


def lease_longer_than_it_may_be(node: Node) -> bool:
    """The log takes 400 ms: so long ago the renewal was sent when its answer comes."""
    room = Room("n1", "n2", node=node, log=LocalLog(delay_us=400_000))
    room.advance(5_000)
    return room["n1"].node.leadership.lease_until_us - room.now > (2_000 - 400) * 1_000


def two_serve(node: Node) -> bool:
    room = Room("n1", "n2", node=node)
    room["n1"].asleep = True
    for _ in range(500):
        room.advance(10)
        if len(serving(room)) > 1:
            return True
    return False


def deposed_leader_differs(node: Node) -> bool:
    """It has executed a write, and is replaced before it has appended it."""
    room = Room("n1", "n2", node=node)
    room.ask("n1", "SET", "k", "old")
    room.execute("n1", "SET", "mine", "1", connection="writer")
    room["n1"].asleep = True
    until_served_by(room, "n2")
    room.ask("n2", "SET", "k", "new")
    room.wake("n1")
    room.advance(200)
    return room.data("n1") != room.data("n2") or room.told("n1", "writer") == [OK]


def acknowledged_and_not_served(node: Node) -> bool:
    """The leader was only asleep: it wakes, and is told to write when another one has taken its place."""
    room = Room("n1", "n2", node=node)
    room["n1"].asleep = True
    until_served_by(room, "n2")
    room.wake("n1")
    told = room.ask("n1", "SET", "k", "v")
    room.advance(2_000)
    return told == OK and b"k" not in room.data("n2")


def read_before_the_log_is_applied(node: Node) -> bool:
    """The log takes 400 ms to answer, and a node that has just started is asked what it had told before."""
    room = Room("n1", "n2", node=node, log=LocalLog(delay_us=400_000))
    room.ask("n1", "SET", "k", "v")
    room.advance(1_000)
    room.start("n2")
    room.send("n2", "READONLY", connection="reader")
    room.send("n2", "GET", "k", connection="reader")
    return room.told("n2", "reader") == [OK, None]


def a_slot_that_a_restart_takes_away(node: Node) -> bool:
    """A shard is given a slot, confirms it, and its only node starts again."""
    room = promised(node)
    room.ask("n2", "MIGRATION", "COMMIT", "s1", 5, 3300, connection="source")
    assert room.told("n2", "source")[-1] == [b"migration", 5, b"closed"]
    room.start("n2")
    until_served_by(room, "n2")
    return room["n2"].node.shards.elsewhere(3300) == "n1"


def promised(node: Node) -> Room:
    """A shard that has prepared to take a slot."""
    shards = (Shard("s1", ("n1",), 0, 8191), Shard("s2", ("n2",), 8192, 16383))
    room = Room("n2", node=node, shards=shards, shard="s2")
    for verb, *more in (("BEGIN",), ("PREPARE", "0", 0)):
        room.ask("n2", "MIGRATION", verb, "s1", 5, 3300, *more, connection="source")
    return room


def a_slot_served_before_its_source_has_decided(node: Node) -> bool:
    room = promised(node)
    room.advance(100)
    return room.ask("n2", "SET", "{b}", "v") == OK


def a_slot_that_nobody_takes(node: Node) -> bool:
    """The source's connection is lost; when it comes back, it has decided."""
    room = promised(node)
    room["n2"].deliver(Closed("source", "reset"), room.now)
    room.advance(1_000)
    room.ask("n2", "MIGRATION", "COMMIT", "s1", 5, 3300, connection="again")
    assert [b"migration", 5, b"closed"] in room.told("n2", "again")
    return room["n2"].node.shards.elsewhere(3300) == "n1"


def acknowledged_and_left_behind(bug: str) -> bool:
    """A write to a slot of which the source has promised that nobody writes to it any more."""
    room = migrationtools.Room(count=0, replicas=0, bug=bug)
    room.command("SET", "{b}", "old")
    room.begin(3300, 3300)
    room.until("prepared", "n1")
    told = room.command("SET", "{b}", "new", node="n1")
    room.rest()
    assert room.end() == "committed"
    return told == OK and room.command("GET", "{b}") == b"old"


def leads_without_what_was_written(node: Node) -> bool:
    """It wakes after a long sleep, its backoff over, and hears of the log a millisecond later."""
    room = Room("n1", "n2", node=node)
    room["n2"].asleep = True
    assert room.ask("n1", "SET", "k", "v") == OK
    room.advance(5_000)
    room["n1"].asleep = True
    room["n2"].timers["log s1"] = room.now + 1_000
    room.wake("n2")
    until_served_by(room, "n2")
    return b"k" not in room.data("n2")


def takes_writes_that_the_log_has_not_got(node: Node) -> bool:
    room = Room("n1", node=node, durability="async", buffer_ms=1_000)
    room.log.down = True
    assert room.ask("n1", "SET", "k", "1") == OK
    room.advance(1_500)
    return room.ask("n1", "SET", "k", "2") == OK


STORIES: dict[str, Callable[[Node], bool]] = {
    "answers before the commit": told_before_the_log_has_it,
    "no tracker": seen_before_the_log_has_it,
    "unknown is taken for done": told_when_nobody_knows,
    "no lease": old_value_read_after_a_long_sleep,
    "lease from the answer": lease_longer_than_it_may_be,
    "backoff shorter than the lease": two_serve,
    "reads while recovering": read_before_the_log_is_applied,
    "append behind anything": deposed_leader_differs,
    "buffer without bound": takes_writes_that_the_log_has_not_got,
    "election without catching up": leads_without_what_was_written,
    "check, apply, serve": acknowledged_and_not_served,
    "promise taken for the commit": a_slot_served_before_its_source_has_decided,
    "promise without the source": a_slot_that_nobody_takes,
    "slots decided in memory": a_slot_that_a_restart_takes_away,
    "no rollback": deposed_leader_differs,
}


OF_TWO_SHARDS = "writes to slots that go"
OF_A_NODE = [
    name
    for name, bug in BUGS.items()
    if bug.node is not MemoryDBServer and bug.log_client is LogClient and name != OF_TWO_SHARDS
]
"""The others are of the snapshotter (`test_snapshotter`), of the log, or need wires: `test_bughunt` hunts them all."""


@pytest.mark.parametrize("name", OF_A_NODE)
def test_the_story_goes_wrong_with_the_bug_and_right_without(name: str) -> None:
    assert STORIES[name](BUGS[name].node), "the mechanism would not be missed"
    assert not STORIES[name](MemoryDBServer)
    assert BUGS[name].sentence.endswith(".")


def test_writes_to_slots_that_go_are_left_behind_and_wait_without_the_bug() -> None:
    assert acknowledged_and_left_behind(OF_TWO_SHARDS)
    assert not acknowledged_and_left_behind("")


# -- what is wrong says so --------------------------------------------------------------------------------------------

PLANTED = [
    what
    for module in iter_modules(planted.__path__, f"{planted.__name__}.")
    for what in vars(import_module(module.name)).values()
    if isinstance(what, type) and what.__module__ == module.name and any(map(isfunction, vars(what).values()))
]
"""Every class that overrides something; the others only put one of these in its place."""


@pytest.mark.parametrize("wrong", PLANTED, ids=lambda wrong: wrong.__name__)
def test_a_planted_bug_names_the_module_whose_law_it_breaks(wrong: type) -> None:
    said = re.match(r"Breaks [^`]*`(\w+)`", wrong.__doc__ or "")
    assert said
    modules = walk_packages(memorydb.__path__, f"{memorydb.__name__}.")
    assert said[1] in [module.name.rpartition(".")[2] for module in modules]
