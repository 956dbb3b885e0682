"""Crashed between any two effects; and that a run depends on its seed alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sim_toys import Client, Logger, Toy, arrivals, node, play, room

from durable_redis.contract import (
    Append,
    Compute,
    Effects,
    Event,
    Note,
    Received,
    SyncDirectory,
)
from durable_redis.sim import EPOCH_US, Hardware, World
from durable_redis.sim.faults import Crash, Restart

# -- crashing between any two effects ---------------------------------------------------------------------


class OneLine(Client):
    messages = (b"line;",)


class Careful(Logger):
    """Its files exist, with durable names, before the first client comes."""

    def boot(self, now: int) -> Effects:
        yield from super().boot(now)
        yield SyncDirectory("")


class Hasty(Careful):
    order = "append, reply, fsync"


def crash_after(steps: int, server: type[Toy], kind: str) -> tuple[bool, bool]:
    """Play so many steps, crash the server, let all messages arrive.  Was the line acknowledged?  Was it kept?"""
    world = room(client=OneLine, server=server)
    for _ in range(steps):
        world.step()
    world.act(Crash("server", kind, tail="lost"))
    world.act(Restart("server"))
    play(world)
    acknowledged = b"OK line;" in [data for _, data in arrivals(world, "client")]
    return acknowledged, b"line;" in (world.machines["server"].disk.read("log") or b"")


@pytest.mark.parametrize(
    ("server", "kind", "lies"),
    [
        (Careful, "power loss", False),
        (Hasty, "power loss", True),
        (Careful, "process kill", False),
        (Hasty, "process kill", False),  # the page cache survives the process
        (Careful, "disk loss", True),  # against this, no fsync helps
    ],
)
def test_crashed_at_every_step_an_acknowledged_line_is_kept_if_the_reply_follows_the_fsync(
    server: type[Toy], kind: str, lies: bool
) -> None:
    steps = len(play(room(client=OneLine, server=server)).journal)
    outcomes = {crash_after(step, server, kind) for step in range(1, steps)}
    assert ((True, False) in outcomes) == lies
    if kind != "disk loss":
        assert (True, True) in outcomes, "some crashes come late enough"
        assert (False, False) in outcomes, "and some early enough"


def test_a_crash_after_each_effect_leaves_exactly_the_effects_performed() -> None:
    class Writer(Toy):
        def boot(self, now: int) -> Effects:
            for letter in (b"a", b"b", b"c", b"d"):
                yield Append("log", letter)

    for performed in range(1, 5):
        world = room(n=Writer)
        for _ in range(1 + performed):  # the first step is that the boot begins
            world.step()
        world.act(Crash("n", "process kill"))
        play(world)
        assert world.machines["n"].disk.read("log") == b"abcd"[:performed]


# -- determinism ---------------------------------------------------------------------


class Lucky(Logger):
    def react(self, event: Event, now: int) -> Effects:
        yield Compute("sleep", self.random.randrange(1_000))
        yield from super().react(event, now)


class Chatter(Client):
    messages = tuple(b"message %d" % number for number in range(20))


def story(seed: int) -> World:
    """A run with everything that draws luck: jitter, fsyncs, nodes, torn tails."""
    world = room(seed=seed, hardware=Hardware(), zones="abc", client=Chatter, other=Chatter, server=Lucky)
    world.run_until(5_000)
    world.act(Crash("server", "power loss"))
    world.act(Restart("server"))
    world.run_until(8_000)
    world.act(Crash("server", "power loss"))
    return play(world)


def test_the_same_seed_gives_the_same_journal_and_another_seed_another() -> None:
    assert story(1).journal.digest() == story(1).journal.digest()
    assert len({story(seed).journal.digest() for seed in range(5)}) == 5


def test_the_digest_of_a_prefix_is_that_of_the_run_stopped_there() -> None:
    world = room(client=Client, server=Logger)
    for _ in range(10):
        world.step()
    assert story(1).journal.digests([0, 10])[0] == World().journal.digest()
    assert play(room(client=Client, server=Logger)).journal.digests([10]) == [world.journal.digest()]


def test_each_life_of_a_node_has_luck_of_its_own_whatever_the_one_before_drew() -> None:
    class Gambler(Toy):
        drawn_before = 0

        def boot(self, now: int) -> Effects:
            yield Note("draw", {"number": self.random.random()})
            for _ in range(self.drawn_before):
                self.random.random()

    class Spendthrift(Gambler):
        drawn_before = 100

    def second_life(program: type[Toy]) -> tuple[Any, Any]:
        world = play(room(n=program))
        world.act(Crash("n", "process kill"))
        world.act(Restart("n"))
        first, second = (step.what.facts["number"] for step in play(world).journal if isinstance(step.what, Note))
        assert first != second
        return first, second

    assert second_life(Gambler) == second_life(Spendthrift)


def test_the_digest_does_not_depend_on_the_hash_seed() -> None:
    here = str(Path(__file__).parent)
    root = str(Path(__file__).parents[2])
    code = "import test_crash_anywhere; print(test_crash_anywhere.story(7).journal.digest())"
    digests = []
    for hash_seed in ("0", "1", "random"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join([here, root])}
        answer = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
        )
        digests.append(answer.stdout.strip())
    assert digests == [story(7).journal.digest()] * 3


def test_received_bytes_are_what_was_sent() -> None:
    world = play(room(client=Chatter, server=Logger))
    received = [event.data for _, event in node(world, "server").told if isinstance(event, Received)]
    assert tuple(received) == Chatter.messages
    assert node(world, "client").received == [b"OK " + message for message in Chatter.messages]
    assert node(world, "server").told[0][0] + EPOCH_US > EPOCH_US
