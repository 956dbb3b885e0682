"""The log in one process: what every user of the log may rely on."""

from __future__ import annotations

import pytest
from logtools import fire, user

from durable_redis.contract import SetTimer, TimerFired
from durable_redis.memorydb.log import DATA, Appended, Conflict, Entries, EntryId, Refused, Tail, Trimmed, Unknown
from durable_redis.memorydb.log.local import LocalLog

ZERO = EntryId.ZERO


def filled(count: int = 3) -> tuple[LocalLog, list[EntryId]]:
    log, ids = LocalLog(), [ZERO]
    for number in range(count):
        answer = log.append(ids[-1], b"%d" % number, f"token {number}")
        assert isinstance(answer, Appended)
        ids.append(answer.id)
    return log, ids


def test_an_append_follows_the_entry_that_it_names():
    log, ids = filled()
    assert ids == [ZERO, EntryId(1, 1), EntryId(1, 2), EntryId(1, 3)]
    assert log.append(ids[1], b"late", "another") == Conflict(ids[3])
    assert log.tail().id == ids[3]


def test_a_retry_is_answered_with_the_entry_that_is_there():
    log, ids = filled()
    first = log.append(ids[1], b"1", "token 1")
    assert isinstance(first, Appended)
    assert first.id == ids[2]
    assert len(log.read(ZERO).entries) == 3


def test_an_append_after_what_is_not_there_is_refused_by_name():
    log, ids = filled()
    for after in (EntryId(1, 4), EntryId(2, 3)):
        answer = log.append(after, b"", "x")
        assert isinstance(answer, Refused)
        assert answer.code == "NOENTRY"
        assert str(after) in answer.reason
    assert log.tail().id == ids[3]


def test_what_was_trimmed_is_refused_by_name_and_the_checksum_stays():
    log, ids = filled()
    checksum = log.read(ids[2]).base
    assert log.trim(ids[2]) == Trimmed(ids[2], checksum)
    assert log.trim(ids[1]) == Trimmed(ids[2], checksum)
    assert log.read(ids[1]).code == log.append(ids[1], b"", "x").code == "BEHIND"
    assert log.read(ids[2]) == Entries(log.read(ids[2]).entries, ids[3], checksum)
    assert log.read(ids[2]).entries[0].follows(checksum)
    assert isinstance(log.append(ids[3], b"", "x"), Appended)


def test_answers_come_with_a_timer_and_in_order():
    log, ids = filled()
    one = user(log)
    effects = list(one.append(DATA, b"mine", ids[3], 1_000))
    assert effects == [SetTimer("log s1", 3_000)]
    assert one.owns(TimerFired("log s1"))
    assert not one.owns(TimerFired("log s2"))
    assert log.tail().id == ids[3]
    list(one.tail(1_000))
    appended, tail = fire(one, 3_000)
    assert appended == Appended(EntryId(1, 4), log.tail().checksum)
    assert tail == Tail(EntryId(1, 4), appended.checksum)


def test_a_log_that_is_down_leaves_the_outcome_unknown_once_and_answers_later():
    log, ids = filled()
    one = user(log)
    log.down = True
    list(one.append(DATA, b"mine", ids[3], 1_000))
    assert fire(one, 3_000) == []
    assert fire(one, 600_000) == [Unknown()]
    assert fire(one, 900_000) == []
    log.down = False
    assert fire(one, 902_000) == [Appended(EntryId(1, 4), log.tail().checksum)]


def test_of_two_that_append_behind_the_same_entry_one_wins():
    log, ids = filled()
    users = [user(log, "n1"), user(log, "n2")]
    for one in users:
        list(one.append(DATA, one.name.encode(), ids[3], 1))
    assert [type(fire(one, 3)[0]) for one in users] == [Appended, Conflict]


def test_a_subscription_brings_everything_once():
    log, ids = filled()
    one = user(log)
    list(one.subscribe(ids[1], 1))
    (first,) = fire(one, 3)
    assert [entry.id for entry in first.entries] == ids[2:]
    assert first.pushed
    assert first.tail == ids[3]
    (nothing,) = fire(one, 5)
    assert nothing == Entries((), ids[3], log.tail().checksum, pushed=True)
    log.append(ids[3], b"more", "x")
    (second,) = fire(one, 7)
    assert [entry.body for entry in second.entries] == [b"more"]
    assert second.base == nothing.base


def test_one_append_at_a_time():
    one = user(LocalLog())
    list(one.append(DATA, b"", ZERO, 1))
    with pytest.raises(AssertionError, match="in flight"):
        list(one.append(DATA, b"", ZERO, 2))
