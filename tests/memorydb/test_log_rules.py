"""The rules of the log as tables: votes, completeness, commitment, newcomers; and what settles an append."""

from __future__ import annotations

from collections.abc import Sequence as Several

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.memorydb.log.election import Ballot, commit_point, complete_enough, reached_by
from durable_redis.memorydb.log.entries import DATA, NO_OP, EntryId
from durable_redis.memorydb.log.newcomer import Newcomer
from durable_redis.memorydb.log.replica import TRANSITIONS, Role
from durable_redis.memorydb.log.sequence import Sequence, batch

QUICK = settings(max_examples=60, deadline=None)


# -- elections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ballot", "candidate", "term", "may"),
    [
        (Ballot(5, ""), "log-b", 5, True),
        (Ballot(5, "log-a"), "log-b", 5, False),
        (Ballot(5, "log-a"), "log-a", 5, True),  # a repeated answer to a repeated question
        (Ballot(5, "log-a"), "log-b", 6, True),
        (Ballot(5, ""), "log-b", 4, False),
        (Ballot(5, "log-b"), "log-b", 4, False),
    ],
)
def test_one_vote_a_term(ballot, candidate, term, may):
    assert ballot.may_vote(candidate, term) is may


@pytest.mark.parametrize(
    ("candidate", "own", "enough"),
    [
        ("3-7", "2-9", True),  # a later term outweighs any number of entries
        ("3-7", "3-8", False),
        ("3-8", "3-8", True),
        ("3-9", "3-8", True),
        ("2-99", "3-1", False),
        ("0-0", "0-0", True),
    ],
)
def test_a_candidate_must_have_as_complete_a_log(candidate, own, enough):
    assert complete_enough(EntryId.parse(candidate), EntryId.parse(own)) is enough


@pytest.mark.parametrize(
    ("marks", "majority", "reached"),
    [([9, 7, 4], 2, 7), ([9, 0, 0], 2, 0), ([4, 9, 9], 2, 9), ([5, 4, 3, 2, 1], 3, 3), ([8], 1, 8)],
)
def test_how_far_a_majority_has_come(marks, majority, reached):
    assert reached_by(marks, majority) == reached


@pytest.mark.parametrize(
    ("stored", "own_term_from", "point"),
    [
        ([9, 7, 4], 7, 7),
        ([9, 7, 4], 8, 0),  # place 7 is of an older term: a majority has it, and it may be overwritten all the same
        ([9, 8, 4], 8, 8),  # and with place 8 everything before it is committed
        ([9, 4, 4], 5, 0),
        ([0, 9, 9], 9, 9),  # the leader's own disk need not be among the majority
    ],
)
def test_what_is_committed(stored, own_term_from, point):
    assert commit_point(stored, 2, own_term_from) == point


@QUICK
@given(st.permutations([3, 8, 5]), st.integers(0, 9))
def test_what_is_committed_does_not_depend_on_who_has_it(stored, own_term_from):
    assert commit_point(stored, 2, own_term_from) == commit_point([3, 5, 8], 2, own_term_from)


# -- newcomers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "new", "floor"),
    [
        ({}, False, None),
        ({"b": (0, False)}, False, None),
        ({"b": (0, False), "c": (0, False)}, True, None),  # three new disks
        ({"b": (0, True), "c": (0, False)}, True, 0),  # one of them was quicker, and has promised nothing yet
        ({"b": (4, True), "c": (7, True)}, False, 7),
        ({"b": (4, True)}, False, None),
        ({"b": (4, True), "c": (0, False)}, False, None),  # two disks are lost: nobody guesses
        ({"b": (4, True), "c": (4, False)}, False, None),
    ],
)
def test_what_a_newcomer_knows(heard, new, floor):
    newcomer = Newcomer(("b", "c"))
    for other, (term, whole) in heard.items():
        newcomer.hear(other, term, whole)
    assert newcomer.log_is_new is new
    assert newcomer.floor == (None if new and not all(whole for _, whole in heard.values()) else floor)


def test_every_role_can_be_reached_and_only_a_candidate_becomes_leader():
    assert {role for roles in TRANSITIONS.values() for role in roles} == set(Role) - {Role.BLANK}
    assert [role for role, then in TRANSITIONS.items() if Role.LEADER in then] == [Role.CANDIDATE]


# -- a log in memory -------------------------------------------------------------------------------------------------


def sequence(kinds: str = "dndd") -> Sequence:
    """One entry for each letter: d for data, n for a no-op; terms grow with the no-ops."""
    made, term = Sequence(), 1
    for number, letter in enumerate(kinds):
        term += letter == "n"
        made.make(term, NO_OP if letter == "n" else DATA, b"%d" % number, f"t{number}")
    return made


@pytest.mark.parametrize(
    ("after", "follower"),
    [("0-0", "1-1"), ("1-1", "2-3"), ("2-3", "2-4"), ("2-4", None)],
)
def test_what_follows_an_entry_is_the_next_one_that_users_see(after, follower):
    found = sequence().follower_of(EntryId.parse(after))
    assert (str(found.id) if found else None) == follower


@pytest.mark.parametrize(("upto", "tail"), [(0, "0-0"), (1, "1-1"), (2, "1-1"), (3, "2-3"), (4, "2-4")])
def test_the_tail_is_the_last_entry_that_users_see(upto, tail):
    assert str(sequence().tail(upto)) == tail


def test_trimming_moves_the_cut_and_changes_no_checksum():
    whole, trimmed = sequence("ddndnd"), sequence("ddndnd")
    trimmed.trim(EntryId(1, 2))
    assert (trimmed.cut, trimmed.last) == (EntryId(1, 2), whole.last)
    assert [trimmed.checksum_at(index) for index in range(2, 7)] == [whole.checksum_at(index) for index in range(2, 7)]
    assert trimmed.at(2) is None
    assert trimmed.holds(EntryId(1, 2))
    assert not trimmed.holds(EntryId(1, 1))
    assert trimmed.make(9, DATA, b"more", "t") == whole.make(9, DATA, b"more", "t")


def test_what_is_dropped_can_be_put_again_differently():
    changed = sequence("ddd")
    changed.drop_behind(1)
    changed.make(5, DATA, b"other", "t")
    assert [str(entry.id) for entry in changed.entries] == ["1-1", "5-2"]
    assert not changed.holds(EntryId(1, 2))
    with pytest.raises(AssertionError, match="cannot stand behind"):
        changed.put(sequence("dddd").entries[3])


@pytest.mark.parametrize(
    ("sizes", "most", "most_bytes", "count"),
    [([1, 1, 1], 2, 100, 2), ([60, 60, 1], 9, 100, 1), ([50, 50, 1], 9, 100, 2), ([999], 9, 100, 1), ([], 9, 100, 0)],
)
def test_a_message_holds_what_fits_and_at_least_one(sizes: Several[int], most, most_bytes, count):
    made = Sequence()
    for size in sizes:
        made.make(1, DATA, bytes(size), "t")
    assert len(batch(made.entries, most, most_bytes)) == count
