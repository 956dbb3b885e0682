"""The object store: durable before it answers, a name changes in one step; and a client that asks until it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from durable_redis.contract import Close, Effects, Event, Opened, Received
from durable_redis.formats.resp import OK, ErrorReply, encode_command
from durable_redis.memorydb.store import ObjectStore
from durable_redis.memorydb.store_client import PATIENCE_US, RETRY_US, StoreClient, Stored
from durable_redis.sim import World
from durable_redis.sim.faults import Crash, Cut, FailDisk, HealNetwork, Pause, Restart

NAMES = (b"s1/a", b"s1/b c", b"\xff/+%", b"", b".")


class Asker:
    """A node that asks these questions at boot, one after the other's answer if `patient`."""

    def __init__(self, questions: Sequence[Sequence[bytes]], patient: bool, random: Random) -> None:
        self.client = StoreClient()
        self.questions = list(questions)
        self.patient = patient
        self.heard: list[Stored] = []

    def boot(self, now: int) -> Effects:
        yield from self._ask(now)

    def _ask(self, now: int) -> Effects:
        for _ in range(1 if self.patient else len(self.questions)):
            if self.questions:
                verb, *words = self.questions.pop(0)
                method = {b"LIST": "names"}.get(verb, verb.decode().lower())
                yield from getattr(self.client, method)(*words, now)

    def handle(self, event: Event, now: int) -> Effects:
        assert self.client.owns(event)
        yield from self.client.handle(event, now)
        for answer in self.client.take_answers():
            self.heard.append(answer)
            yield from self._ask(now)

    def before_sleep(self, now: int) -> Effects:
        yield from ()

    def view(self) -> Mapping[str, Any]:
        return {"heard": self.heard}


def room(*questions: Sequence[bytes], patient: bool = True, seed: int = 1) -> World:
    world = World(seed)
    world.add_machine("s3", "region", ObjectStore)
    world.add_machine("asker", "a", lambda random: Asker(questions, patient, random))
    for name in world.machines:
        world.start(name)
    return world


def replies(world: World) -> list[Any]:
    process = world.machines["asker"].process
    assert process is not None
    return [answer.reply for answer in process.node.view()["heard"]]


def ask(*questions: Sequence[bytes]) -> list[Any]:
    world = room(*questions)
    world.run_until(60_000_000)
    return replies(world)


# -- what it says ----------------------------------------------------------------------------------------------------


def test_put_get_list_delete() -> None:
    assert ask(
        [b"GET", b"s1/a"],
        [b"PUT", b"s1/a", b"one"],
        [b"PUT", b"s1/a", b"two"],
        [b"PUT", b"s2/a", b""],
        [b"GET", b"s1/a"],
        [b"GET", b"s2/a"],
        [b"LIST", b""],
        [b"LIST", b"s1/"],
        [b"DELETE", b"s1/a"],
        [b"DELETE", b"s1/a"],
        [b"LIST", b""],
    ) == [None, OK, OK, OK, b"two", b"", [b"s1/a", b"s2/a"], [b"s1/a"], 1, 0, [b"s2/a"]]


def test_what_it_lists_it_reads_from_the_disk() -> None:
    world = room([b"PUT", b"s1/a", b"one"], [b"LIST", b""])
    while not replies(world):
        world.step(60_000_000)
    store = world.machines["s3"].process
    assert store is not None
    store.node.objects = ()  # what it remembers, for people to see
    world.run_until(60_000_000)
    assert replies(world) == [OK, [b"s1/a"]]


def test_any_bytes_are_a_name() -> None:
    puts = [[b"PUT", name, b"of " + name] for name in NAMES]
    gets = [[b"GET", name] for name in NAMES]
    assert ask(*puts, [b"LIST", b""], *gets)[len(NAMES) :] == [sorted(NAMES), *(b"of " + name for name in NAMES)]


@pytest.mark.parametrize("argv", [[b"RENAME", b"a", b"b"], [b"GET"], [b"PUT", b"a"], [b"DELETE", b"a", b"b"]])
def test_what_it_does_not_know_is_refused_in_one_sentence(argv: list[bytes]) -> None:
    store = ObjectStore(Random(1))
    answer = store._answer(argv)
    with pytest.raises(StopIteration) as end:
        next(answer)
    assert isinstance(end.value.value, ErrorReply)


def test_bytes_that_are_no_request_end_the_connection() -> None:
    store = ObjectStore(Random(1))
    list(store.handle(Opened("c", "x"), 0))
    effects = list(store.handle(Received("c", b"*1\r\n:5\r\n"), 0))
    assert isinstance(effects[-1], Close)
    assert list(store.handle(Received("c", encode_command([b"GET", b"a"])), 0)) == []


def test_a_disk_that_fails_is_an_answer() -> None:
    world = room([b"PUT", b"a", b"old"], [b"PUT", b"a", b"new"], [b"GET", b"a"])
    while not replies(world):
        world.step()
    world.act(FailDisk("s3", "fsync"))
    world.run_until(60_000_000)
    assert replies(world) == [OK, ErrorReply("ERR Input/output error: a"), b"old"]


# -- what it keeps ---------------------------------------------------------------------------------------------------


def crashed_after(steps: int, kind: str) -> tuple[bool, bytes | None]:
    """PUT one after PUT zero, crashed after so many steps; whether it was acknowledged then, and what was there after
    the restart.  The asker is cut off, so that it cannot ask again."""
    world = room([b"PUT", b"a", b"zero"], [b"PUT", b"a", b"one" * 50_000])
    for _ in range(steps):
        world.step()
    acknowledged = len(replies(world)) == 2
    world.act(Crash("s3", kind, tail="lost"))
    world.act(Cut("asker", "s3", both=True))
    world.act(Restart("s3"))
    world.run_until(world.now_us + 100_000)
    process = world.machines["s3"].process
    assert process is not None
    return acknowledged, world.machines["s3"].disk.read("objects/a")


@pytest.mark.parametrize("kind", ["power loss", "process kill"])
def test_crashed_at_every_step_it_has_the_old_object_or_the_new_and_what_it_acknowledged(kind: str) -> None:
    whole = room([b"PUT", b"a", b"zero"], [b"PUT", b"a", b"one" * 50_000])
    count = 0
    while len(replies(whole)) < 2:
        whole.step()
        count += 1
    seen = set()
    for steps in range(1, count + 3):
        acknowledged, content = crashed_after(steps, kind)
        assert content in (None, b"zero", b"one" * 50_000)
        assert content == b"one" * 50_000 or not acknowledged
        seen.add((acknowledged, content and content[:3]))
    assert seen == {(False, None), (False, b"zer"), (False, b"one"), (True, b"one")}


# -- who asks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("kind", ["power loss", "process kill"])
def test_crashed_at_every_step_the_client_is_answered_in_the_end(kind: str, patient: bool) -> None:
    questions = [[b"PUT", b"a", b"1"], [b"PUT", b"b", b"2"], [b"GET", b"a"], [b"LIST", b""]]
    expected = [OK, OK, b"1", [b"a", b"b"]]
    count = 0
    whole = room(*questions, patient=patient)
    while len(replies(whole)) < 4:
        whole.step()
        count += 1
    for steps in range(1, count, 3):
        world = room(*questions, patient=patient)
        for _ in range(steps):
            world.step()
        world.act(Crash("s3", kind, tail="lost"))
        world.run_until(world.now_us + 1_000_000)
        world.act(Restart("s3"))
        world.run_until(world.now_us + 30_000_000)
        assert replies(world) == expected


def test_a_connection_that_is_lost_is_made_again_soon_and_not_only_when_patience_ends() -> None:
    world = room([b"PUT", b"a", b"1"])
    world.run_until(1_000)
    world.act(Crash("s3", "process kill"))
    world.act(Restart("s3"))
    assert replies(world) == []
    world.run_until(world.now_us + RETRY_US + 100_000)
    assert replies(world) == [OK]
    assert RETRY_US + 100_000 < PATIENCE_US


def test_a_store_that_is_silent_is_asked_again() -> None:
    world = room([b"PUT", b"a", b"1"], [b"GET", b"a"])
    world.act(Cut("asker", "s3", both=True))
    world.run_until(7_000_000)
    assert replies(world) == []
    world.act(HealNetwork())
    world.act(Pause("s3", 8_000_000))
    world.run_until(30_000_000)
    assert replies(world) == [OK, b"1"]
