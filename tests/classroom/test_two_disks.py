"""What chapter 08 says of two lost disks of the log: nothing acknowledged is gone, and no OK is ever said again."""

from __future__ import annotations

from durable_redis.classroom.chapters.ch08 import two_disks


def test_the_log_stands_still_rather_than_guess():
    run = two_disks(after_ms=1_000)
    roles = [run.frame().machines[log].node["role"] for log in run.deployment.logs]
    assert roles == ["blank", "blank", "trial"], "two know that they know nothing, and one would not be voted for"
    answered = [row.answered_us or 0 for row in run.receipt().rows if row.told == "ok"]
    assert answered, "before it"
    assert max(answered) < 1_100_000, "and never again"
    assert run.receipt().lost == 0
