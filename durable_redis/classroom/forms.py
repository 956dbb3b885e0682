"""The forms: radio buttons, a field, a button.  The only module that knows ipywidgets, and it imports it when asked.

Everything is a native control: the tab key goes from one to the next, space chooses and presses; nothing is chosen
beforehand, so nobody locks in what they did not mean.  What happens is said in words, in a line that screen readers
announce.  No form runs anything but its own button.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from durable_redis.classroom.calibration import CONFIDENCE
from durable_redis.classroom.errors import ClassroomError
from durable_redis.classroom.words import as_html

if TYPE_CHECKING:
    from durable_redis.classroom.adversary import Adversary
    from durable_redis.classroom.prediction import Prediction
    from durable_redis.classroom.quiz import Question


def bundle(what: Any, widget: Callable[[], Any]) -> dict[str, Any]:
    """What is displayed: the live form where there is ipywidgets, and always the text and the Markdown beside it."""
    still = {"text/plain": repr(what), "text/markdown": what.markdown}
    try:
        live: dict[str, Any] = widget()._repr_mimebundle_()
    except ImportError:
        return still
    return {**live, **still}


def stacked(widgets: Iterable[Any]) -> Any:
    """One form under the other."""
    import ipywidgets

    return ipywidgets.VBox(list(widgets))


def _said(words: str) -> str:
    return f'<div role="status">{as_html(words)}</div>'


def _heading(words: str) -> Any:
    import ipywidgets

    return ipywidgets.HTML(f"<b>{as_html(words)}</b>")


def _radio(description: str, options: Iterable[str], across: bool) -> Any:
    """Radio buttons, none of them chosen."""
    import ipywidgets

    return ipywidgets.RadioButtons(
        options=list(options),
        index=None,
        description=description,
        orientation="horizontal" if across else "vertical",
        style={"description_width": "initial"},
        layout={"width": "auto"},
    )


def _button(words: str) -> Any:
    import ipywidgets

    return ipywidgets.Button(description=words, layout={"width": "10em"})


class PredictionForm:
    """Choose, say how sure, lock in."""

    def __init__(self, prediction: Prediction) -> None:
        import ipywidgets

        self.prediction = prediction
        across = sum(map(len, prediction.options)) < 40
        self.answer = (
            _radio("I predict", prediction.options, across)
            if prediction.options
            else ipywidgets.Text(
                description="I predict",
                placeholder=prediction.choices,
                style={"description_width": "initial"},
                layout={"width": "26em"},
            )
        )
        self.confidence = _radio("How sure?", CONFIDENCE, across=True)
        self.button = _button("lock in")
        self.status = ipywidgets.HTML(_said(""))
        self.button.on_click(lambda _: self._press())
        self.widget = ipywidgets.VBox(
            [_heading(prediction.question), self.answer, self.confidence, self.button, self.status]
        )
        if prediction.locked:
            self.show_locked()

    def _press(self) -> None:
        answer, confidence = self.answer.value, self.confidence.value
        try:
            if answer in (None, ""):
                raise ClassroomError("what do you predict? Nothing is chosen yet")
            self.prediction.lock(answer, confidence or "")
        except ClassroomError as error:
            self.status.value = _said(f"{error}.")

    def show_locked(self) -> None:
        """From now on the form only shows."""
        self.answer.value = self.prediction.answer if self.prediction.options else str(self.prediction.answer)
        self.confidence.value = self.prediction.confidence
        for control in (self.answer, self.confidence, self.button):
            control.disabled = True
        self.button.description = "locked in"
        said = f"Locked in: {self.prediction.said} ({self.prediction.confidence}). Now run the next cell."
        self.status.value = _said(said)


class QuestionForm:
    """Choose, and read what is said to it; choose again as often as you like."""

    def __init__(self, question: Question) -> None:
        import ipywidgets

        self.question = question
        self.answer = _radio("", question.options, across=False)
        self.button = _button("what about it?")
        self.status = ipywidgets.HTML(_said(""))
        self.button.on_click(lambda _: self._press())
        self.widget = ipywidgets.VBox([_heading(question.text), self.answer, self.button, self.status])

    def _press(self) -> None:
        option = self.answer.value
        self.status.value = _said(self.question.explain(option) if option else "Choose one first.")


class AdversaryForm:
    """Type an instant, crash, and read what it cost; as often as you like."""

    def __init__(self, hunt: Adversary) -> None:
        import ipywidgets

        self.hunt = hunt
        self.instant = ipywidgets.Text(
            description="crash at (ms)", placeholder="such as 500", style={"description_width": "initial"}
        )
        self.button = _button("crash")
        self.status = ipywidgets.HTML(_said(""))
        self.ranking = ipywidgets.HTML()
        self.button.on_click(lambda _: self._press())
        row = ipywidgets.HBox([self.instant, self.button])
        self.widget = ipywidgets.VBox([_heading(hunt.task), row, self.status, self.ranking])
        self._show()

    def _press(self) -> None:
        typed = self.instant.value.strip().replace(",", "").replace("_", "")
        try:
            instant: Any = float(typed)
        except ValueError:
            instant = self.instant.value
        self.status.value = _said(f"{self.hunt.at(instant)!r}.".replace("..", "."))
        self._show()

    def _show(self) -> None:
        listed = "".join(f"<li>{as_html(repr(tried))}</li>" for tried in self.hunt.ranking()[:8])
        self.ranking.value = f"<ol>{listed}</ol>" if listed else "<p>no tries yet</p>"
