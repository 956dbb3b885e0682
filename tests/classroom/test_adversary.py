"""The adversary: tries are real crashes, a reveal finds the worst instant, and says so when there is none."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

import durable_redis as dr
from durable_redis.classroom import ClassroomError, adversary
from durable_redis.classroom.adversary import Peak, _peaks


def played(count=60, every_ms=30, extra_ms=0, **options):
    run = dr.Redis(**({"appendonly": True} | options)).start(seed=7)
    run.write(count, every_ms=every_ms)
    if extra_ms:
        run.slow_disk("n1", extra_ms)
    run.play()
    return run


@pytest.fixture(scope="module")
def everysec():
    return played()


def test_a_try_is_a_real_crash_and_the_run_stays_as_it_is(everysec):
    before = everysec.replay_string(), list(everysec.playbacks)
    hunt = adversary(everysec, "power loss")
    tried = hunt.at(990)
    other = dr.Redis(appendonly=True).start(seed=7)
    other.write(60, every_ms=30)
    other.crash("n1", "power loss", tail="lost", at_ms=990)
    other.restart("n1")
    assert tried.lost == other.receipt().lost > 30
    assert re.fullmatch(
        rf"try 1, at 990 ms \(after step \d+\): {tried.lost} of {tried.lost} acknowledged writes are gone", repr(tried)
    )
    assert (everysec.replay_string(), list(everysec.playbacks)) == before


def test_the_best_try_stands_first_and_equals_stand_in_order(everysec):
    hunt = adversary(everysec)
    for instant in (500, 990, 1_010, 500):
        hunt.at(instant)
    assert [tried.order for tried in hunt.ranking()] == [2, 1, 4, 3]
    assert [line.split()[0] for line in repr(hunt).splitlines()[1:]] == ["1.", "2.", "3.", "4."]
    assert repr(adversary(everysec)).endswith("\n  no tries yet")


@pytest.mark.parametrize(
    ("instant", "sentence"),
    [
        ("noon", "the text 'noon'. Write it in digits."),
        ("1500", "Leave the quotes away."),
        (None, "this is None, which is nothing."),
        (True, "which is yes or no."),
        (-1, "-1 is out of range"),
        (1e9, "out of range: a number of milliseconds from 0 to "),
        (float("nan"), "not one that can be counted to."),
        ([], "this is a list."),
    ],
)
def test_what_is_no_instant_earns_a_sentence_and_is_no_try(everysec, instant, sentence):
    hunt = adversary(everysec)
    assert sentence in repr(hunt.at(instant))
    assert hunt.tries == []
    hunt.form.instant.value = str(instant)
    hunt.form.button.click()
    assert "Not a try." in hunt.form.status.value or hunt.tries


def test_the_reveal_finds_what_crashing_after_every_step_finds():
    run = played(count=12, every_ms=100)
    hunt = adversary(run)
    reveal = hunt.reveal()
    everywhere = dr.sweep(run, ["power loss"], steps=range(run.steps + 1), tail="lost")
    assert [point.lost for point in everywhere] == hunt.risks
    assert reveal.most == everywhere.worst("power loss").lost > 5
    assert reveal.proven
    assert reveal.peaks[0].last in [point.step for point in reveal.checked]


def test_with_always_there_is_no_instant_and_with_everysec_there_is(everysec):
    always = adversary(played(appendfsync="always")).reveal()
    assert (always.most, always.peaks) == (0, ())
    assert repr(always).startswith("There is none: after none of ")
    assert adversary(everysec).reveal().most > 30
    assert adversary(everysec, "process kill").reveal().most == 0
    assert adversary(played(extra_ms=1_500), "process kill").reveal().most > 20


def test_the_reveal_says_what_ended_the_worst_instant_and_names_the_best_try(everysec):
    hunt = adversary(everysec)
    hunt.at(500)
    said = repr(hunt.reveal())
    assert re.search(r"\n +\d\d writes, from 9\d\d\.\d{3} to 1,000\.000 ms: then an fsync ended\n", said)
    assert said.endswith(f"\nYour best: {hunt.tries[0]!r}.")


def test_marks_that_are_wrong_are_betrayed_by_the_crashes(everysec):
    hunt = adversary(everysec)
    hunt.risks = [lost + 1 for lost in hunt.risks]
    reveal = hunt.reveal()
    assert not reveal.proven
    assert "NOT ALWAYS were as many gone" in repr(reveal)


@pytest.mark.parametrize(
    ("risks", "peaks"),
    [
        ([0, 0], []),
        ([0, 1, 2, 2, 0, 1], [Peak(2, 3, 2), Peak(5, 5, 1)]),
        ([3, 1, 1, 2], [Peak(0, 0, 3), Peak(3, 3, 2)]),
    ],
)
def test_peaks(risks, peaks):
    assert list(_peaks(risks)) == peaks


def test_the_picture_is_plain_svg_and_small(everysec):
    hunt = adversary(everysec)
    hunt.at(500)
    data = hunt.reveal()._repr_mimebundle_()
    root = ElementTree.fromstring(data["image/svg+xml"])
    assert not {"style", "id", "class"} & {name for element in root.iter() for name in element.attrib}
    assert len(data["image/svg+xml"]) < 15_000
    assert "at most" in root.get("aria-label")


def test_the_form_tries_and_lists():
    hunt = adversary(played(count=20, every_ms=10))
    bundle = hunt._repr_mimebundle_()
    assert bundle["text/plain"] == repr(hunt)
    assert bundle["text/markdown"].startswith("**You are the adversary.")
    form = hunt.form
    form.button.click()
    assert "Not a try." in form.status.value
    form.instant.value = " 1_00 "
    form.button.click()
    assert "try 1, at 100 ms" in form.status.value
    assert form.ranking.value.startswith("<ol><li>try 1")


def test_a_hunt_that_makes_no_sense_is_refused(everysec):
    with pytest.raises(ClassroomError, match="no crash is called 'thunder'"):
        adversary(everysec, "thunder")
    with pytest.raises(ClassroomError, match="nothing to crash"):
        adversary(dr.Redis().start(seed=7))
