"""Where the bytes are: the marks after each step of one write's way, and across crashes."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.contract import Append, Note, Rename, Send
from durable_redis.lab.ledger import Marks
from durable_redis.lab.logreach import LogReach
from durable_redis.redis.config import Config
from durable_redis.sim.disk import File
from durable_redis.sim.journal import Synced, WroteBack


def marks_after(run: dr.Run, what: type, **facts: object) -> Marks:
    """The marks after the last step of this kind."""
    for number in range(run.steps, 0, -1):
        step = run.playback.world.journal.steps[number - 1]
        matching = all(getattr(step.what, name, None) == value for name, value in facts.items())
        if isinstance(step.what, what) and step.machine == "n1" and matching:
            return run.frame(number).machines["n1"].marks
    raise AssertionError(what)


def test_a_write_goes_from_place_to_place() -> None:
    run = dr.Redis(appendonly=True, appendfsync="always").start()
    run.command("SET", "k", "v")
    assert marks_after(run, Note, kind="executed") == Marks(executed=1)
    assert marks_after(run, Append) == Marks(executed=1, written=1)
    assert marks_after(run, Synced, path="appendonlydir/appendonly.aof.1.incr.aof") == Marks(1, 1, 1)
    frames = [run.frame(step).machines["n1"] for step in range(run.steps + 1)]
    sent = next(
        number
        for number, step in enumerate(run.playback.world.journal, start=1)
        if isinstance(step.what, Send) and step.machine == "n1"
    )
    assert [frames[sent - 1].acknowledged, frames[sent].acknowledged] == [0, 1]


def test_a_snapshot_is_durable_when_its_name_is() -> None:
    run = dr.Redis(save=()).start()
    run.command("SET", "k", "v")
    run.command("BGSAVE")
    run.command("SET", "k", "w")
    run.play(run.now_ms + 20)
    assert marks_after(run, Rename) == Marks(executed=2, snapshot=1)
    assert run.frame().machines["n1"].marks == Marks(executed=2, snapshot=1, durable_snapshot=1)
    assert run.frame().machines["n1"].at_risk == {"process kill": 1, "power loss": 1, "disk loss": 2}


def test_the_marks_of_a_server_without_a_log_do_not_speak_of_one() -> None:
    run = dr.Redis(save=()).start()
    run.command("SET", "k", "v")
    assert run.frame().machines["n1"].marks == Marks(executed=1)


def test_the_kernels_write_back_moves_the_platter_mark() -> None:
    run = dr.Redis(appendonly=True, appendfsync="no").start()
    run.write(10, every_ms=1)
    run.play(31_000)
    steps = run.playback.world.journal.steps
    when = next(
        number for number, step in enumerate(steps, start=1) if isinstance(step.what, WroteBack) and number > 60
    )
    assert run.frame(when - 1).machines["n1"].marks.platter == 0
    assert run.frame(when).machines["n1"].marks.platter == 10


@pytest.mark.parametrize(
    ("crash", "appendonly", "survive"),
    [
        ("process kill", True, 4), ("power loss", True, 3), ("disk loss", True, 0),
        ("process kill", False, 2), ("power loss", False, 1), ("disk loss", False, 0),
    ],
)  # fmt: skip
def test_what_survives_follows_from_the_marks(crash: str, appendonly: bool, survive: int) -> None:
    assert Marks(5, 4, 3, 2, 1).surviving(crash, appendonly) == survive


def test_old_bytes_on_the_platter_are_not_taken_for_new_ones() -> None:
    """After a torn tail was cut, the platter still holds it, behind the cut: as long as the new record, and another."""
    run = dr.Redis(appendonly=True, appendfsync="no").start()
    run.command("SET", "k", "a long value that will be torn")
    run.crash("n1", "power loss", tail=75)
    run.restart("n1")
    run.command("SET", "k", "v")
    (file,) = [file for file in run.frame().machines["n1"].files if file.path.endswith(".1.incr.aof")]
    assert file.platter >= file.cached, "there is something on the platter"
    assert run.frame().machines["n1"].marks.platter == 0
    assert run.frame().machines["n1"].at_risk == {"process kill": 0, "power loss": 1, "disk loss": 1}


def test_a_snapshot_whose_name_survived_by_luck_counts() -> None:
    run = dr.Redis(save=()).start()
    run.command("SET", "k", "v")
    run.command("BGSAVE")
    run.playback.play_while(lambda: not isinstance(run.playback.world.journal.steps[-1].what, Rename), 1_000_000)
    run.go(run.steps)
    run.crash("n1", "power loss", tail="kept")
    run.restart("n1")
    assert run.frame().machines["n1"].marks == Marks(executed=1, snapshot=1, durable_snapshot=1)
    assert run.receipt().rows[0].why.startswith("in a durable snapshot since 0.02")


def test_the_count_goes_on_from_what_was_recovered() -> None:
    run = dr.Redis(appendonly=True, appendfsync="no").start()
    run.write(10, every_ms=1)
    run.play()
    run.crash("n1", "power loss", tail="lost")
    assert run.frame().machines["n1"].marks == Marks()
    run.restart("n1")
    run.write(3, every_ms=1)  # the first of them finds that the connection is gone
    run.play()
    assert run.frame().machines["n1"].marks == Marks(executed=2, written=2)


def test_a_log_that_is_off_holds_nothing_new() -> None:
    run = dr.Redis(appendonly=True).start()
    run.command("SET", "a", 1)
    run.command("CONFIG", "SET", "appendonly", "no")
    run.command("SET", "b", 1)
    assert run.frame().machines["n1"].marks == Marks(executed=2, written=1, platter=1)
    run.crash("n1", "process kill")
    run.restart("n1")
    assert [row.verdict for row in run.receipt().rows] == ["kept", "lost though acknowledged"]
    assert run.receipt().rows[1].why.endswith("the append-only file had been switched off")


def test_the_end_of_the_log_is_where_a_restart_would_stop() -> None:
    reach = LogReach(Config(appendonly=True))
    assert reach.end({}, platter=False) == (0, 0)
    listing = File()
    listing.cache += b"file x.1.incr.aof seq 1 type i\nfile x.2.incr.aof seq 2 type i\n"
    names = {"appendonlydir/appendonly.aof.manifest": listing}
    assert reach.end(names, platter=False) == (1, 0), "the first file is missing"
    names["appendonlydir/x.1.incr.aof"] = one = File()
    one.cache += b"12345"
    one.settle(3)
    assert reach.end(names, platter=False) == (2, 0)
    listing.settle(1_000)
    assert reach.end(names, platter=True) == (1, 3)
    listing.cache[:] = listing.platter[:] = b"nonsense"
    assert reach.end(names, platter=False) == (0, 0)
