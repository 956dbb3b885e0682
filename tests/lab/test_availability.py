"""For how long no write got through, from operations made by hand and from runs."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.lab.availability import LEAST_US, Availability, _gaps
from durable_redis.lab.client import Operation


def op(wanted: int, sent: int | None, answered: int | None, outcome: str = "ok") -> Operation:
    return Operation(1, [b"SET", b"k", b"v"], wanted, sent, answered, outcome)


@pytest.mark.parametrize(
    ("writes", "gaps"),
    [
        ([op(10, 10, 12), op(20, 20, 22)], [(10, 12), (20, 22)]),
        # One is never answered, the next waits in the queue behind it: from when the first was wanted.
        ([op(10, 10, 12), op(20, 20, None, "unknown"), op(30, 90, 95)], [(10, 12), (20, 95)]),
        # A refused write is no OK either.
        ([op(20, 20, 21, "failed"), op(30, 30, 31)], [(20, 31)]),
        # Two clients: the second got its OK while the first waited.
        ([op(10, 10, 90), op(20, 20, 22)], [(10, 22), (22, 90)]),
        # The last is not answered yet, or not even sent: until now.
        ([op(10, 10, 12), op(20, 20, None, "waiting")], [(10, 12), (20, 100)]),
        ([op(10, 10, 12), op(20, None, None, "waiting")], [(10, 12), (20, 100)]),
        # What was given up long ago leaves nothing open.
        ([op(10, 10, None, "unknown"), op(40, 40, 42), op(80, 80, 81)], [(10, 42), (80, 81)]),
    ],
)
def test_a_gap_lasts_from_a_wish_to_the_next_ok(writes: list[Operation], gaps: list[tuple[int, int]]) -> None:
    assert list(_gaps(writes, 100)) == gaps


def test_a_server_that_is_down_for_a_second_is_a_gap_of_a_second() -> None:
    run = dr.Redis(appendonly=True).start()
    run.write(200, every_ms=10)
    run.play(500)
    assert run.availability().gaps == ()
    run.crash("n1", "process kill")
    run.play(1_500)
    run.restart("n1")
    run.play()
    found = run.availability()
    ((begin, end),) = found.gaps
    assert 490_000 <= begin <= 510_000, "the first write that was wanted and not answered"
    assert 1_500_000 <= end <= 1_600_000
    assert (found.longest_us, found.total_us, found.wanted) == (end - begin, end - begin, 200)
    assert str(found) == (
        f"{found.ok} of 200 writes were answered OK; no write got through for {(end - begin) / 1e6:.3f} s in 1 gap, "
        f"the longest of {(end - begin) / 1e6:.3f} s"
    )


def test_without_writes_there_is_nothing_to_measure() -> None:
    with pytest.raises(dr.LabError, match="no write was wanted yet"):
        dr.Redis().start().availability()
    assert (
        str(Availability((), 3, 3))
        == f"3 of 3 writes were answered OK, none of them after a gap of {LEAST_US / 1e6} s or more"
    )
