"""Tasks tick themselves when the run satisfies them, and never before, and never raise."""

from __future__ import annotations

import pytest

import durable_redis as dr
from durable_redis.lab.tasks import Checklist

LOSE_ONE = dr.Task("Lose exactly one acknowledged write.", lambda run: run.receipt().lost == 1)


def crashed(at_ms):
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(150)
    run.crash("n1", "power loss", tail="lost", at_ms=at_ms)
    return run


@pytest.mark.parametrize(("at_ms", "ticks"), [(1_010, True), (1_090, False)])
def test_a_task_ticks_when_the_run_satisfies_it(at_ms, ticks):
    run, checklist = crashed(at_ms), Checklist([LOSE_ONE])
    assert checklist.look(run) == []  # the server is down: nobody can say
    run.restart("n1")
    assert (run.receipt().lost == 1) == ticks
    assert checklist.look(run) == ([LOSE_ONE] if ticks else [])
    assert checklist.progress == ("1 of 1" if ticks else "0 of 1")
    assert checklist.troubles == [""]


def test_where_the_run_cannot_tell_the_answer_is_not_yet_and_a_tick_stays():
    run, checklist = crashed(1_010), Checklist([LOSE_ONE])
    run.restart("n1")
    end = run.step
    run.go(500)
    assert checklist.look(run) == []
    run.go(end)
    assert checklist.look(run) == [LOSE_ONE]
    run.go(500)
    assert checklist.look(run) == []
    run.go(end)
    assert checklist.look(run) == []  # it is no news any more
    assert checklist.ticked == [True]


def test_the_authors_mistake_is_kept_and_stops_nobody():
    checklist = Checklist([dr.Task("Divide.", lambda run: 1 / 0), dr.Task("Be.", lambda run: True)])
    assert [task.words for task in checklist.look(dr.Redis().start())] == ["Be."]
    assert checklist.troubles == ["ZeroDivisionError: division by zero", ""]


def test_a_condition_that_moves_the_run_is_asked_once():
    run = dr.Redis().start()
    checklist = Checklist([dr.Task("Go on.", lambda run: run.forward() or run.forward() or True)])
    run.listeners.append(lambda: checklist.look(run))
    run.write(1)
    assert checklist.ticked == [True]


def test_what_is_no_task_is_refused_in_one_sentence():
    with pytest.raises(dr.LabError, match="a task is written like"):
        dr.Task("Lose one write.", "lost == 1")
    with pytest.raises(dr.LabError, match="tasks is a list of Task"):
        Checklist(["Lose one write."])
