"""The life of one write, also of an older one to a key that was written again."""

from __future__ import annotations

import pytest

import durable_redis as dr


@pytest.fixture(scope="module")
def run():
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(120, every_ms=10, key="k")
    run.crash("n1", "power loss", tail="lost", at_ms=1_090)
    run.restart("n1")
    return run


def test_an_older_write_of_a_key_has_a_life_of_its_own(run):
    early, late = run.life("k", "v50"), run.life("k", "v107")
    assert early.synced is not None
    assert early.fate == ""
    assert late.synced is None
    assert late.fate == "gone: the restart did not find it"
    assert early.sent < early.executed < early.written < early.answered < early.synced < late.sent < late.crashed
    assert run.life("k") == run.life("k", run.history()[-1].argv[2].decode())


def test_a_write_that_nobody_has_sent(run):
    with pytest.raises(dr.LabError, match="no client has sent a SET of 'k' to 'v999' yet"):
        run.life("k", "v999")
    with pytest.raises(dr.LabError, match="no client has sent a SET of 'j' yet"):
        run.life("j")
