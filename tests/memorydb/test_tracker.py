"""The tracker: marks on keys, and how far the log must have come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.memorydb.tracker import Tracker


def test_the_figure_at_its_top() -> None:
    tracker = Tracker()
    tracker.wrote([b"a"], 60)
    tracker.wrote([b"b"], 120)
    tracker.wrote([b"a"], 180)
    tracker.commit(60)
    assert [tracker.hazard([key]) for key in (b"a", b"b", b"c")] == [180, 120, 0]
    assert tracker.hazard(None) == 180
    assert tracker.hazard([b"b", b"c"]) == 120
    tracker.commit(120)
    assert tracker.hazard([b"b"]) <= tracker.committed < tracker.hazard([b"a"])


def test_a_change_that_names_no_key_is_a_hazard_to_all() -> None:
    tracker = Tracker(100)
    tracker.wrote([], 150)
    assert tracker.hazard([b"any"]) == 150
    tracker.commit(150)
    tracker.wrote([b"a"], 200)
    assert tracker.hazard([b"any"]) <= tracker.committed


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wrote"), st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=2)),
        st.tuples(st.just("commit"), st.integers(0, 30)),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(STEPS)
def test_it_says_what_a_list_of_all_changes_says(steps: list[tuple[str, list[bytes] | int]]) -> None:
    tracker, changes, committed = Tracker(), [], 0
    for _, argument in steps:
        if isinstance(argument, list):
            changes.append(argument)
            tracker.wrote(argument, len(changes))
        else:
            committed = max(committed, min(argument, len(changes)))
            tracker.commit(committed)
        for key in (b"a", b"b", b"c", b"d"):
            newest = max((n for n, keys in enumerate(changes, 1) if not keys or key in keys), default=0)
            assert (tracker.hazard([key]) > tracker.committed) == (newest > committed)
            assert newest <= committed or tracker.hazard([key]) == newest
        assert (tracker.hazard(None) > tracker.committed) == (len(changes) > committed)
        assert len(tracker.keys) <= 3
