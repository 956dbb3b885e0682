"""Who may go on where it stopped: the decision of PSYNC, case by case."""

from __future__ import annotations

import pytest

from durable_redis.redis.replication.history import NO_ID, History, decide

OURS, OLD, OTHER = "b" * 40, "a" * 40, "c" * 40
PROMOTED = History(OURS, OLD, 51)  # it was promoted behind 50 bytes of "aa.."
WINDOW = (21, 40)  # the backlog holds the bytes 21 to 60

CASES = [
    # our own history: both ends of the backlog, just inside and just outside
    (OURS, 61, True, "0 bytes"),
    (OURS, 60, True, "1 bytes"),
    (OURS, 21, True, "40 bytes"),
    (OURS, 20, False, "the backlog begins with byte 21"),
    (OURS, 62, False, "it is ahead: it asks for byte 62, and the stream ends with byte 60"),
    (OURS, 10**18, False, "it is ahead"),
    (OURS, 0, False, "the backlog begins"),
    (OURS, -1, False, "the backlog begins"),
    # the history before the promotion
    (OLD, 51, True, "10 bytes"),
    (OLD, 50, True, "11 bytes"),
    (OLD, 21, True, "40 bytes"),
    (OLD, 20, False, "the backlog begins"),
    (OLD, 52, False, "it is ahead: it asks for byte 52 of aaaaaaaa, and the common history ends before byte 51"),
    (OLD, 61, False, "it is ahead"),
    # another one, or none
    (OTHER, 30, False, "another history, cccccccc"),
    (NO_ID[:-1] + "1", 30, False, "another history"),
    ("?", -1, False, "nothing to go on from"),
    ("?", 30, False, "nothing to go on from"),
    ("", 30, False, "another history"),
    (OURS.upper(), 61, True, "0 bytes"),
]


@pytest.mark.parametrize(("replid", "offset", "partial", "why"), CASES)
def test_the_decision(replid: str, offset: int, partial: bool, why: str) -> None:
    verdict = decide(PROMOTED, WINDOW, replid, offset)
    assert verdict.partial is partial
    assert why in verdict.why


@pytest.mark.parametrize("replid", [OURS, OLD])
def test_without_a_backlog_everybody_starts_anew(replid: str) -> None:
    assert decide(PROMOTED, None, replid, 51) == (False, "there is no backlog")


def test_an_empty_backlog_serves_who_has_everything_and_nobody_else() -> None:
    assert decide(History(OURS), (61, 0), OURS, 61).partial
    assert not decide(History(OURS), (61, 0), OURS, 60).partial
    assert not decide(History(OURS), (61, 0), OURS, 62).partial


def test_who_was_never_promoted_has_no_second_history() -> None:
    """Forty zeros stand for no id: asking for them must not help."""
    assert not decide(History(OURS), WINDOW, NO_ID, 21).partial
    assert not decide(History(OURS), WINDOW, NO_ID, -1).partial


def test_a_promotion_remembers_the_first_byte_that_it_does_not_share() -> None:
    assert History(OLD).continued_as(OURS, 50) == PROMOTED


def test_only_the_last_name_is_remembered() -> None:
    twice = PROMOTED.continued_as(OTHER, 70)
    assert (twice.replid, twice.replid2, twice.second_offset) == (OTHER, OURS, 71)
    assert not decide(twice, (21, 60), OLD, 51).partial
