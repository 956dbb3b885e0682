"""Predictions: asked, locked in once, compared with the run, with or without a hand on the mouse."""

from __future__ import annotations

import pytest

from durable_redis.classroom import ClassroomError, ledger, observe, predict

QUESTION = "How many acknowledged writes are gone?"


@pytest.fixture(autouse=True)
def fresh():
    ledger().forget()
    yield
    ledger().forget()


def ask(**options):
    return predict("a kill", QUESTION, **({"options": [0, 4, 9]} | options))


# -- headless: what the committed notebooks hold ----------------------------------------------------------------------


def test_unanswered_it_is_one_stable_line():
    assert repr(ask()) == f"Predict: {QUESTION} (0 | 4 | 9)"
    assert repr(predict("n", QUESTION, unit="writes", within=10)) == (
        f"Predict: {QUESTION} (a number of writes, give or take 10)"
    )
    assert repr(predict("m", QUESTION)) == f"Predict: {QUESTION} (a number)"


def test_an_observation_without_a_prediction():
    assert repr(observe("never asked", 3)) == "No prediction was made; the run says 3."
    ask()
    assert repr(observe("a kill", 0)) == "No prediction was made; the run says 0."


def test_the_display_has_a_text_a_page_and_a_form():
    data = ask()._repr_mimebundle_()
    assert data["text/plain"] == f"Predict: {QUESTION} (0 | 4 | 9)"
    assert data["text/markdown"] == f"**Predict.** {QUESTION}\n\n- 0\n- 4\n- 9"
    assert "application/vnd.jupyter.widget-view+json" in data


def test_without_ipywidgets_the_text_is_left(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    assert set(ask()._repr_mimebundle_()) == {"text/plain", "text/markdown"}


# -- the comparison ---------------------------------------------------------------------------------------------------


def test_right_and_wrong():
    ask().lock(4, "fairly sure")
    assert repr(ask()) == f"You predicted 4 (fairly sure): {QUESTION}"
    assert repr(observe("a kill", 4)) == "You predicted 4 (fairly sure), and the run says 4."
    ledger().forget()
    ask().lock("4", "sure")
    assert repr(observe("a kill", 0)) == "You predicted 4 (sure); the run says 0."
    assert ask().came_true is False


@pytest.mark.parametrize(
    ("value", "option"),
    [(0, "none"), (9, "about ten"), (19.5, "about ten"), (290, "nearly all"), (70, None), ("none", "none")],
)
def test_an_option_in_words_says_what_it_means(value, option):
    meanings = {"none": 0, "about ten": range(5, 20), "nearly all": lambda lost: isinstance(lost, int) and lost > 250}
    prediction = ask(options=meanings, unit="writes")
    assert prediction.option_of(value) == option
    expected = {
        0: "the run says 0 writes, that is: none",
        70: "the run says 70 writes, no option",
        290: "the run says 290 writes, that is: nearly all",
    }
    if value in expected:
        assert observe("a kill", value).run_says == expected[value]


@pytest.mark.parametrize(
    ("value", "came_true"), [(190, True), (210, True), (189.9, False), (None, False), ("x", False)]
)
def test_a_number_may_be_near(value, came_true):
    predict("n", QUESTION, unit="writes", within=10).lock(" 2_00 ", "sure")
    assert observe("n", value).prediction.came_true is came_true
    assert "You predicted 200 writes (sure)" in repr(observe("n", value))


# -- the rules of honesty ---------------------------------------------------------------------------------------------


def test_locked_is_locked_also_when_the_cell_runs_again():
    ask().lock(4)
    assert ask().answer == "4"
    with pytest.raises(ClassroomError, match="locked in 4 already"):
        ask().lock(9)


def test_after_the_run_it_is_kept_and_not_counted():
    prediction = ask()
    observe("a kill", 0)
    prediction.lock(0, "sure")
    assert repr(observe("a kill", 0)) == (
        "You locked in 0 after the run was seen, so it is not counted; the run says 0."
    )
    assert prediction.came_true is None
    assert ledger().rows()[0].outcome == "not counted: after the run"


def test_who_begins_at_the_top_again_is_believed():
    ask()
    observe("a kill", 0)
    ask().lock(0)
    observe("a kill", 0)
    assert ask().came_true is True


def test_the_first_observation_counts_also_in_hindsight():
    prediction = ask()
    observe("a kill", 0)
    observe("a kill", 7)
    prediction.lock(9)
    assert ledger().rows()[0].the_run_said == "0"


def test_the_first_observation_counts():
    ask().lock(0)
    observe("a kill", 0)
    assert repr(observe("a kill", 7)) == "You predicted 0 (guess); the run says 7, no option."
    assert ask().came_true is True


def test_another_question_under_the_same_name_is_another_prediction():
    ask().lock(0)
    observe("a kill", 0)
    other = predict("a kill", "And with always?", options=[0, 1])
    assert not other.locked
    assert ledger().order == []
    assert repr(observe("a kill", 1)) == "No prediction was made; the run says 1."


@pytest.mark.parametrize(
    ("options", "answer", "confidence", "sentence"),
    [
        ([0, 4], 5, "sure", "choose one of the options: 0, 4"),
        ([0, 4], None, "sure", "choose one of the options"),
        ([0, 4], 4, "", "say how sure you are: guess, fairly sure, sure"),
        ([], "many", "sure", "write a number of writes, such as 12"),
        ([], "nan", "sure", "write a number of writes"),
        ([], None, "sure", "write a number of writes"),
    ],
)
def test_what_cannot_be_locked_in(options, answer, confidence, sentence):
    prediction = ask(options=options, unit="writes")
    with pytest.raises(ClassroomError, match=sentence):
        prediction.lock(answer, confidence)
    assert not prediction.locked


@pytest.mark.parametrize("options", [["one"], [4, "4"], {"a": 1}])
def test_a_question_that_cannot_be_answered_is_refused(options):
    with pytest.raises(ClassroomError, match="at least two different options"):
        ask(options=options)


# -- the form ---------------------------------------------------------------------------------------------------------


def test_pressing_the_button_locks_in():
    form = ask().form
    assert form.answer.value is None, "nothing may be chosen beforehand"
    form.button.click()
    assert "what do you predict?" in form.status.value
    form.answer.value = "4"
    form.button.click()
    assert "say how sure you are" in form.status.value
    form.confidence.value = "fairly sure"
    form.button.click()
    assert 'role="status">Locked in: 4 (fairly sure)' in form.status.value
    assert form.answer.disabled
    assert form.confidence.disabled
    assert form.button.disabled
    assert repr(observe("a kill", 0)) == "You predicted 4 (fairly sure); the run says 0."


def test_a_number_is_typed():
    form = predict("n", QUESTION, unit="writes").form
    form.confidence.value = "guess"
    for typed, said in (("", "what do you predict?"), ("many", "write a number of writes"), ("1,000", "1000 writes")):
        form.answer.value = typed
        form.button.click()
        assert said in form.status.value
    assert ledger().rows()[0].predicted == "1000 writes"


def test_two_views_are_one_form_and_a_later_one_shows_what_was_locked_in():
    prediction = ask()
    assert prediction.form is ask().form
    prediction.lock(9, "sure")
    assert prediction.form.button.disabled
    ledger().forget()
    assert ask().lock(9, "sure").form.answer.value == "9"


def test_markup_in_a_question_is_text():
    form = predict("x", "Is <b>a</b> < `b`, *really*?", options=["<i>", "no"]).form
    assert form.widget.children[0].value == ("<b>Is &lt;b&gt;a&lt;/b&gt; &lt; <code>b</code>, <em>really</em>?</b>")
