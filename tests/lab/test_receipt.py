"""Receipts: the five verdicts, and the sentence that says what decided each."""

from __future__ import annotations

import re

import pytest

import durable_redis as dr
from durable_redis.contract import Send
from durable_redis.formats.resp import ErrorReply, Status
from durable_redis.lab import receipt as receipts
from durable_redis.lab.client import Operation
from durable_redis.lab.explain import DiskExplainer
from durable_redis.lab.receipt import _judged, _verdict
from durable_redis.lab.verdicts import BROKEN, KEPT, LUCKY, RESURRECTED, UNPROMISED
from durable_redis.sim.faults import Crashed
from durable_redis.sim.journal import Synced


def crashed(kind: str = "power loss", at_ms: float = 1_500, tail: str = "lost", **options: object) -> dr.Run:
    run = dr.Redis(**options).start(seed=7)
    run.write(200, every_ms=10)
    run.crash("n1", kind, tail=tail, at_ms=at_ms)
    run.restart("n1")
    return run


# -- verdicts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "stands", "verdict"),
    [
        ("ok", True, KEPT), ("ok", False, BROKEN), ("unknown", True, LUCKY), ("unknown", False, UNPROMISED),
        ("waiting", True, LUCKY), ("waiting", False, UNPROMISED), ("failed", True, RESURRECTED),
        ("failed", False, UNPROMISED),
    ],
)  # fmt: skip
def test_a_verdict_compares_what_was_told_with_what_is_there(told: str, stands: bool, verdict: str) -> None:
    assert _verdict(told, stands) == verdict


def test_kept_and_lost_though_acknowledged() -> None:
    receipt = crashed(appendonly=True).receipt()
    assert receipt.lost > 20
    assert receipt.counts[KEPT] > 50
    assert receipt.headline == f"{receipt.lost} acknowledged writes are gone, of {receipt.acknowledged}."
    verdicts = [row.verdict for row in receipt.rows]
    assert verdicts == [KEPT] * receipt.counts[KEPT] + [BROKEN] * receipt.lost + verdicts[receipt.acknowledged :]


def test_nothing_is_lost_with_always_and_the_headline_says_so() -> None:
    receipt = crashed(appendonly=True, appendfsync="always").receipt()
    assert receipt.lost == 0
    assert receipt.headline == f"No acknowledged write is gone: all {receipt.acknowledged} are there."


def test_a_write_that_nobody_was_told_of_may_survive_or_not() -> None:
    """Crashed after every step of one write: before the append it is lost, after it kept, acknowledged or not."""
    verdicts = []
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(1)
    first = run.step
    run.play()
    for step in range(first + 3, run.steps + 1):
        run.checkout("main")
        run.go(step)
        run.crash("n1", "process kill")
        run.restart("n1")
        verdicts.append(run.receipt().rows[0].verdict if run.receipt().rows else "")
    kinds = list(dict.fromkeys(verdicts))
    assert kinds == [UNPROMISED, LUCKY, KEPT]
    run.checkout(f"branch {verdicts.index(LUCKY) + 1}")
    assert run.receipt().rows[0].why.endswith("(the answer never reached the client)")


def test_a_write_that_was_refused_and_is_there_is_resurrected() -> None:
    """With `always` EIO ends the process before the answer; with everysec a refused write is never executed.  So no
    Redis here resurrects: the verdict is for other systems, and is judged from the records."""
    operation = Operation(1, [b"SET", b"k", b"v"], 0, 0, 1, "failed", ErrorReply("ERR no"))
    assert _judged([operation], {b"k": b"v"}, 0) == [(operation, True)]
    run = dr.Redis(appendonly=True).start()
    run.fail_disk("n1", "write")
    run.command("SET", "a", 1)
    assert run.command("SET", "b", 1) == ErrorReply("MISCONF Errors writing to the AOF file: Input/output error")
    run.crash("n1", "process kill")
    run.heal_disk("n1")
    run.restart("n1")
    assert [(row.verdict, row.why) for row in run.receipt().rows] == [
        (BROKEN, run.receipt().rows[0].why),
        (UNPROMISED, "the server refused it"),
    ]
    assert "in the AOF buffer only, not written yet" in run.receipt().rows[0].why


# -- what stands for what --------------------------------------------------------------------------------------------


def receipt_of(*commands: list[object]) -> list[str]:
    run = dr.Redis(appendonly=True).start()
    for argv in commands:
        run.command(*argv)  # type: ignore[arg-type]
    run.play(run.now_ms + 300)
    return [row.verdict for row in run.receipt().rows]


def test_a_later_write_stands_for_the_earlier_ones() -> None:
    assert receipt_of(["SET", "k", 1], ["SET", "k", 2]) == [KEPT, KEPT]


@pytest.mark.parametrize("deletion", [["DEL", "x", "k"], ["UNLINK", "k"], ["GETDEL", "k"], ["FLUSHALL"], ["FLUSHDB"]])
def test_a_deletion_stands_for_the_writes_before_it(deletion: list[object]) -> None:
    assert receipt_of(["SET", "k", 1], deletion) == [KEPT]
    assert receipt_of(["SET", "k", 1], deletion, ["SET", "k", 2]) == [KEPT, KEPT]


def test_a_write_after_the_deletion_is_not_excused_by_it() -> None:
    run = dr.Redis(appendonly=True, appendfsync="no").start()
    run.command("SET", "k", 1)
    run.command("DEL", "k")
    run.command("SET", "k", 2)
    run.crash("n1", "power loss", tail="lost")
    run.restart("n1")
    assert [row.verdict for row in run.receipt().rows] == [KEPT, BROKEN], "what is there is what the deletion left"


@pytest.mark.parametrize("words", [["PX", 100], ["px", "100"], ["EX", "1"], ["PXAT", 1_637_280_000_000 + 100]])
def test_a_write_whose_time_is_up_is_not_lost(words: list[object]) -> None:
    run = dr.Redis(appendonly=True).start()
    run.command("SET", "k", "v", *words)  # type: ignore[arg-type]
    run.play(1_500)
    run.crash("n1", "process kill")
    run.restart("n1")
    assert [row.verdict for row in run.receipt().rows] == [KEPT]


def test_what_did_not_happen_is_no_write() -> None:
    assert receipt_of(["SET", "k", 1], ["SET", "k", 2, "NX"], ["SET", "j", 1, "XX"]) == [KEPT]
    assert receipt_of(["MULTI"], ["SET", "k", 1], ["DISCARD"]) == []
    assert receipt_of(["SET", "k"]) == []
    queued = Operation(1, [b"SET", b"k", b"v"], 0, 0, 1, "ok", Status(b"QUEUED"))
    assert _judged([queued], {}, 0) == []


# -- sentences -------------------------------------------------------------------------------------------------------


def time_of(run: dr.Run, kind: type) -> list[str]:
    """When steps of this kind took place, as the sentences say it."""
    steps = run.playback.world.journal.steps
    return [f"{step.at_us / 1e6:.3f} s" for step in steps if isinstance(step.what, kind)]


def test_the_sentence_of_a_lost_write_names_the_crash_and_the_last_fsync() -> None:
    run = crashed(appendonly=True)
    (crash,) = time_of(run, Crashed)
    steps = run.playback.world.journal.steps
    fsyncs = [step.at_us for step in steps if isinstance(step.what, Synced) and step.what.path.endswith(".incr.aof")]
    before = max(at_us for at_us in fsyncs if at_us < 1_500_000)
    for row in run.receipt().lost_rows:
        assert row.why == (
            f"in the page cache only, at the power loss of n1 ({crash}); "
            f"the last fsync had ended at {before / 1e6:.3f} s"
        )
        assert row.answered_us is not None
        assert row.answered_us > before - 20_000


def test_an_fsync_that_failed_is_not_the_last_fsync() -> None:
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(10, every_ms=10)
    run.fail_disk("n1", "fsync")
    run.play(1_500)
    run.heal_disk("n1")
    run.crash("n1", "power loss", tail="lost")
    run.restart("n1")
    assert run.receipt().lost == 10
    assert run.receipt().rows[0].why.endswith("; no fsync had ended yet")


def test_the_sentence_of_a_kept_write_says_since_when_it_is_safe() -> None:
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(150, every_ms=10)
    run.play()
    row = run.receipt().rows[0]
    found = re.fullmatch(r"on the platter of n1 since (.*)", row.why)
    assert found
    assert found[1] in time_of(run, Synced)
    assert run.receipt().rows[-1].why == "in the page cache of n1, not on its platter yet"


def test_the_sentences_of_a_server_without_a_log() -> None:
    run = dr.Redis(save=((1, 1),)).start(seed=7)
    run.write(150, every_ms=10)
    run.play()
    assert run.receipt().rows[-1].why == "in the memory of n1 only"
    assert re.fullmatch(r"in a durable snapshot since 1\.\d+ s", run.receipt().rows[0].why)
    held = run.frame().machines["n1"].marks.snapshot
    run.crash("n1", "process kill")
    run.restart("n1")
    first = run.receipt().lost_rows[0]
    assert first.number == held + 1
    assert first.why.startswith("in RAM only, at the process kill of n1")
    assert first.why.endswith(f"the newest snapshot held {held} writes")


def test_the_sentence_of_a_clean_end_that_was_none() -> None:
    run = dr.Redis(save=()).start()
    run.command("SET", "k", "v")
    assert run.command("SHUTDOWN", "NOSAVE") is None
    at_us = run.playback.world.machines["n1"].down_since_us
    run.restart("n1")
    assert run.receipt().rows[0].why == (
        f"in RAM only, at the end of the process of n1 ({at_us / 1e6:.3f} s); there was no snapshot yet"
    )


def test_of_two_crashes_the_sentence_names_the_one_that_decided() -> None:
    """Killed with the write in the AOF buffer; then the power goes too, and takes what was in the page cache."""
    run = dr.Redis(appendonly=True).start(seed=7)
    run.slow_disk("n1", 1_500)
    run.write(150, every_ms=10)
    run.play()
    run.crash("n1", "process kill")
    run.crash("n1", "power loss", tail="lost")
    run.restart("n1")
    whys = [row.why for row in run.receipt().lost_rows]
    assert "at the power loss of n1" in whys[0]
    assert "page cache only" in whys[0]
    assert "at the process kill of n1" in whys[-1]
    assert "AOF buffer only" in whys[-1]


def test_a_lost_disk_and_a_write_that_never_arrived() -> None:
    run = crashed("disk loss", appendonly=True, appendfsync="always")
    receipt = run.receipt()
    assert receipt.rows[0].why == "on the disk of n1 when it was lost (1.500 s)"
    run = dr.Redis().start()
    run.write(1)
    run.playback.play_while(lambda: not isinstance(run.playback.world.journal.steps[-1].what, Send), 10_000)
    run.go(run.steps)
    run.crash("n1", "power loss")
    run.restart("n1")
    run.play()
    assert run.receipt().rows[0].why == "it never reached n1 alive"


# -- the rest --------------------------------------------------------------------------------------------------------


def test_of_other_commands_than_set_a_receipt_says_nothing_and_says_so() -> None:
    run = dr.Redis().start()
    run.command("INCR", "visits")
    assert run.receipt().others == 1
    assert str(run.receipt()) == "No key was SET, and of other commands a receipt says nothing."
    run.write(3)
    run.play()
    assert (len(run.receipt().rows), run.receipt().others) == (3, 1)
    assert run.receipt().headline == "No acknowledged write is gone: all 3 are there."


def test_a_receipt_needs_a_survivor() -> None:
    run = dr.Redis().start()
    assert str(run.receipt()) == "Nothing was written yet."
    run.write(3)
    run.play()
    run.crash("n1")
    with pytest.raises(dr.LabError, match=r"n1 is down \(power loss\): restart it, then ask what survived"):
        run.receipt()
    run.act("restart", "n1")
    with pytest.raises(dr.LabError, match="n1 is still loading: play on"):
        run.receipt()


def test_the_text_tells_neighbours_of_one_fate_together_and_the_table_each_alone() -> None:
    receipt = crashed(appendonly=True).receipt()
    lines = str(receipt).splitlines()
    assert lines[0] == receipt.headline
    ((who, why),) = receipt.lost_in_words()
    first, last = receipt.lost_rows[0], receipt.lost_rows[-1]
    assert who.startswith(f"{first.key} to {last.key} ({receipt.lost} writes), told OK from ")
    assert lines[-2:] == [f"  {who}:", f"    {why}"]
    table = receipt.table()
    assert len(table) == len(receipt.rows)
    assert list(table.columns) == ["write", "key", "sent_ms", "answered_ms", "told", "found", "verdict", "why"]
    assert (table["verdict"] == BROKEN).sum() == receipt.lost


def test_an_explanation_needs_a_recorded_run() -> None:
    run = crashed(appendonly=True)
    playback = type(run.playback)(run.deployment, 7, record=False)
    with pytest.raises(AssertionError, match="recorded run"):
        DiskExplainer(playback, "n1")
    playback.play_to(100_000)
    assert receipts.take(playback, explain=False).rows == ()
