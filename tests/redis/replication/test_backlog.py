"""The ring of the last bytes, judged by a plain string of all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.redis.config import Config, ConfigError
from durable_redis.redis.replication.backlog import Backlog


def test_the_worked_example() -> None:
    backlog = Backlog(8, 101)
    backlog.append(b"abcde")
    assert backlog.window == (101, 5)
    backlog.append(b"fghijk")
    assert backlog.window == (104, 8)
    assert backlog.since(104) == b"defghijk"
    assert backlog.since(111) == b"k"
    assert backlog.since(112) == b""


@settings(max_examples=150, deadline=None)
@given(size=st.integers(1, 12), first=st.integers(1, 99), pieces=st.lists(st.binary(max_size=30), max_size=12))
def test_it_holds_the_last_bytes_and_counts_right(size: int, first: int, pieces: list[bytes]) -> None:
    backlog, everything = Backlog(size, first), b""
    for piece in pieces:
        backlog.append(piece)
        everything += piece
        held = everything[-size:]
        end = first + len(everything)
        assert backlog.window == (end - len(held), len(held))
        for offset in range(backlog.first, end + 1):
            assert backlog.since(offset) == everything[offset - first :]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 12), st.lists(st.binary(max_size=9), max_size=6), st.lists(st.binary(max_size=9))
)
def test_another_size_keeps_what_it_can(old: int, new: int, before: list[bytes], after: list[bytes]) -> None:
    backlog = Backlog(old, 1)
    for piece in before:
        backlog.append(piece)
    held = backlog.since(backlog.first)[-new:]
    other = backlog.resized(new)
    assert other.since(other.first) == held
    for piece in after:
        other.append(piece)
        held = (held + piece)[-new:]
    assert other.since(other.first) == held
    assert other.first + len(other) == 1 + sum(map(len, before)) + sum(map(len, after))


def test_nobody_may_ask_for_what_it_does_not_hold() -> None:
    backlog = Backlog(4, 1)
    backlog.append(b"abcdef")
    for offset in (2, 8):
        with pytest.raises(AssertionError, match="is not among 4 bytes from 3 on"):
            backlog.since(offset)


def test_sizes_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match="repl_backlog_size can be 1 or more, not 0"):
        Config.of(repl_backlog_size=0)
    assert Config.of(repl_backlog_size=100).repl_backlog_size == 16_384, "as a real one does (tried)"
