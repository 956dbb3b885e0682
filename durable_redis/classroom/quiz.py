"""Exit questions: a scenario, some options, and for each option its own explanation.

Nothing is counted.  With a kernel one chooses, and may choose again; on a page without one the same question shows its
options, each of which opens to its explanation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable_redis.classroom import chapters
from durable_redis.classroom.errors import ClassroomError
from durable_redis.classroom.words import as_html, wrapped

if TYPE_CHECKING:
    from durable_redis.classroom.forms import QuestionForm


@dataclass(frozen=True)
class Question:
    """A question; `options` maps each option to what is said to whoever chooses it; `right` is one of them."""

    text: str
    options: Mapping[str, str]
    right: str

    def __post_init__(self) -> None:
        if self.right not in self.options or len(self.options) < 2:
            raise ClassroomError(f"the question {self.text!r} needs two options, and the right one among them")

    def explain(self, option: str) -> str:
        """What is said to this option."""
        return f"{'Yes.' if option == self.right else 'No.'} {self.options[option]}"

    def __repr__(self) -> str:
        return "\n".join([wrapped(self.text), *(f"  ( ) {option}" for option in self.options)])

    @property
    def markdown(self) -> str:
        """For a page without a kernel."""
        details = [
            f"<details><summary>{as_html(option)}</summary>{as_html(self.explain(option))}</details>"
            for option in self.options
        ]
        return "\n".join([f"**{self.text}**", "", *details])


class Quiz:
    """The exit questions of one chapter, in order."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self.questions = questions
        self._forms: list[QuestionForm] = []

    @property
    def forms(self) -> list[QuestionForm]:
        """The widgets, made when they are first needed.  Raises ImportError without ipywidgets."""
        if not self._forms:
            from durable_redis.classroom.forms import QuestionForm

            self._forms = [QuestionForm(question) for question in self.questions]
        return self._forms

    @property
    def markdown(self) -> str:
        return "\n\n".join(question.markdown for question in self.questions)

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.questions))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from durable_redis.classroom.forms import bundle, stacked

        return bundle(self, lambda: stacked(form.widget for form in self.forms))


def quiz(chapter: str) -> Quiz:
    """The exit questions of a chapter, by its number: `quiz("00")`.  Raises ClassroomError if it has none."""
    return Quiz(chapters.questions(chapter))
