"""Exit questions: each option has its explanation, with a kernel and without."""

from __future__ import annotations

import pytest

from durable_redis.classroom import ClassroomError, Question, chapters, quiz

CHAPTERS = sorted(chapters.tables())
TOY = Question("Is `a` *an* <option>?", {"a `b`": "It is.", "c & d": "It is not."}, right="a `b`")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_ends_with_four_questions_whose_options_are_all_explained(chapter):
    questions = quiz(chapter).questions
    assert len(questions) == 4
    for question in questions:
        assert len(question.options) >= 3
        explanations = list(question.options.values())
        assert len(set(explanations)) == len(explanations)
        assert all(text.endswith((".", "?")) for text in explanations)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_right_option_is_not_always_in_the_same_place(chapter):
    assert len({list(question.options).index(question.right) for question in quiz(chapter).questions}) > 1


def test_a_question_as_a_line_and_as_a_page():
    assert repr(TOY) == "Is `a` *an* <option>?\n  ( ) a `b`\n  ( ) c & d"
    assert TOY.markdown == (
        "**Is `a` *an* <option>?**\n\n"
        "<details><summary>a <code>b</code></summary>Yes. It is.</details>\n"
        "<details><summary>c &amp; d</summary>No. It is not.</details>"
    )


def test_the_display_of_a_chapter():
    shown = quiz(CHAPTERS[0])._repr_mimebundle_()
    assert shown["text/plain"].count("( )") == 12
    assert shown["text/markdown"].count("<details>") == 12
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_without_ipywidgets_the_page_is_left(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    assert set(quiz(CHAPTERS[0])._repr_mimebundle_()) == {"text/plain", "text/markdown"}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_pressing_the_button_explains_the_option_and_one_may_choose_again(chapter):
    for form in quiz(chapter).forms:
        assert form.answer.value is None
        form.button.click()
        assert "Choose one first." in form.status.value
        for option in form.question.options:
            form.answer.value = option
            form.button.click()
            expected = "Yes." if option == form.question.right else "No."
            assert form.status.value.startswith(f'<div role="status">{expected} ')


def test_a_chapter_without_questions():
    with pytest.raises(ClassroomError, match="no questions on chapter '99': there are on 00, 0"):
        quiz("99")


@pytest.mark.parametrize(("options", "right"), [({"a": "x"}, "a"), ({"a": "x", "b": "y"}, "c")])
def test_a_question_without_a_right_option_is_refused(options, right):
    with pytest.raises(ClassroomError, match="needs two options"):
        Question("?", options, right)
