"""Predictions and observations: say first what a run will do, then look at what it did.

    predict("a kill", "How many acknowledged writes are gone?", options=[0, 4, 9])
    predict("at 29 s", "How many are gone?", options={"none": 0, "a few": range(1, 50), "nearly all": range(50, 291)})
    predict("window", "How many are gone at most?", unit="writes", within=10)        # a number
    observe("a kill", kill.receipt().lost)

A prediction has a name, which the observation refers to.  Options are shown as they are written; where an option is a
phrase, it is given with what it means: a value, a `range`, or a function of the observed value.  Only the run decides
which option was right.

The rules of honesty.  What is locked in stays; running the cell again does not unlock it.  What is locked in after the
run was observed is kept and not counted, unless the cell of the prediction was run again in between: who has run the
whole chapter at once can still begin at its top.  The first observation counts; later ones are only shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from durable_redis.classroom.calibration import CONFIDENCE
from durable_redis.classroom.errors import ClassroomError
from durable_redis.classroom.ledger import Ledger, ledger
from durable_redis.classroom.words import inline

if TYPE_CHECKING:
    from durable_redis.classroom.forms import PredictionForm


@dataclass(eq=False, repr=False)
class Prediction:
    """A question about a run that has not been seen yet; with options, or (`options` empty) asking for a number.

    `answer` is an option, or the number; None until it is locked in.  `hindsight`: locked in after the observation."""

    name: str
    question: str
    options: Mapping[str, Any]
    unit: str
    within: float
    ledger: Ledger
    answer: str | float | None = None
    confidence: str = ""
    hindsight: bool = False
    observation: Observation | None = None

    def __post_init__(self) -> None:
        self._form: PredictionForm | None = None

    @property
    def locked(self) -> bool:
        return self.answer is not None

    @property
    def said(self) -> str:
        """The locked answer, as the reader gave it: `4`, `200 writes`."""
        return _with_unit(self.answer, "" if self.options else self.unit)

    @property
    def came_true(self) -> bool | None:
        """None: not known yet, or not counted."""
        if self.observation is None or self.answer is None or self.hindsight:
            return None
        return self.observation.agrees_with(self.answer)

    def lock(self, answer: Any, confidence: str = "guess") -> Prediction:
        """Lock the answer in; the form's button does the same.  Raises ClassroomError if it cannot be one."""
        if self.locked:
            raise ClassroomError(f"you have locked in {self.said} already: a prediction is made once")
        if confidence not in CONFIDENCE:
            raise ClassroomError(f"say how sure you are: {', '.join(CONFIDENCE)}")
        self.answer = self._option(answer) if self.options else self._number(answer)
        self.confidence = confidence
        self.ledger.locked(self)
        if self._form is not None:
            self._form.show_locked()
        return self

    def _option(self, answer: Any) -> str:
        if str(answer) not in self.options:
            raise ClassroomError(f"choose one of the options: {', '.join(self.options)}")
        return str(answer)

    def _number(self, answer: Any) -> float:
        text = str(answer).strip().replace("_", "").replace(",", "").replace(" ", "")
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            raise ClassroomError(f"write a number{self._of_units}, such as 12")
        return int(number) if number.is_integer() else number

    def option_of(self, value: Any) -> str | None:
        """The option that an observed value amounts to; None if there is none."""
        return next((option for option, meaning in self.options.items() if _means(option, meaning, value)), None)

    # -- looking -----------------------------------------------------------------------------------------------------

    @property
    def _of_units(self) -> str:
        return f" of {self.unit}" if self.unit else ""

    @property
    def choices(self) -> str:
        """What can be answered, in a line: `0 | 4 | 9`."""
        if self.options:
            return " | ".join(self.options)
        return f"a number{self._of_units}" + (f", give or take {self.within:g}" if self.within else "")

    def __repr__(self) -> str:
        if self.locked:
            return f"You predicted {self.said} ({self.confidence}): {self.question}"
        return f"Predict: {self.question} ({self.choices})"

    @property
    def markdown(self) -> str:
        """The same for a page: the question, and what can be answered as a list."""
        if self.locked:
            return f"**You predicted {self.said}** ({self.confidence}). {self.question}"
        choices = self.options or [f"*{self.choices}*"]
        return "\n".join([f"**Predict.** {self.question}", "", *(f"- {choice}" for choice in choices)])

    @property
    def form(self) -> PredictionForm:
        """The widgets, made when they are first needed.  Raises ImportError without ipywidgets."""
        if self._form is None:
            from durable_redis.classroom.forms import PredictionForm

            self._form = PredictionForm(self)
        return self._form

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from durable_redis.classroom.forms import bundle

        return bundle(self, lambda: self.form.widget)


@dataclass(frozen=True, eq=False, repr=False)
class Observation:
    """What the run says, beside what was predicted.  `option`: the option that the value amounts to."""

    name: str
    value: Any
    prediction: Prediction | None
    option: str | None = None

    def agrees_with(self, answer: str | float) -> bool:
        """Whether this answer of the reader's is what the run says."""
        assert self.prediction is not None
        if self.prediction.options:
            return answer == self.option
        try:
            return abs(float(answer) - float(self.value)) <= self.prediction.within
        except (TypeError, ValueError):
            return False

    @property
    def run_says(self) -> str:
        """`the run says 290 writes, that is: nearly all`."""
        said = _with_unit(self.value, self.prediction.unit if self.prediction else "")
        if self.prediction is None or not self.prediction.options or self.option == inline(self.value):
            return f"the run says {said}"
        return f"the run says {said}, that is: {self.option}" if self.option else f"the run says {said}, no option"

    def __repr__(self) -> str:
        prediction = self.prediction
        if prediction is None or prediction.answer is None:
            return f"No prediction was made; {self.run_says}."
        if prediction.hindsight:
            return f"You locked in {prediction.said} after the run was seen, so it is not counted; {self.run_says}."
        word = ", and" if self.agrees_with(prediction.answer) else ";"
        return f"You predicted {prediction.said} ({prediction.confidence}){word} {self.run_says}."


def predict(
    name: str,
    question: str,
    options: Sequence[Any] | Mapping[str, Any] = (),
    *,
    unit: str = "",
    within: float = 0,
) -> Prediction:
    """Ask for a prediction: an option, or (without options) a number that counts as right `within` so much.

    Raises ClassroomError for a question that cannot be answered."""
    meanings = dict(options) if isinstance(options, Mapping) else {inline(option): option for option in options}
    if len(meanings) == 1 or len(meanings) != len(options):
        raise ClassroomError(f"the prediction {name!r} needs at least two different options, or none for a number")
    session = ledger()
    asked = session.predictions.get(name)
    if asked is not None and (asked.question, tuple(asked.options)) == (question, tuple(meanings)):
        if not asked.locked:
            asked.observation = None
            session.seen.pop(name, None)
        return asked
    session.forget(name)
    session.predictions[name] = Prediction(name, question, meanings, unit, within, session)
    return session.predictions[name]


def observe(name: str, value: Any) -> Observation:
    """Say what the run said, beside what was predicted under this name.  Made for the last line of a cell."""
    session = ledger()
    prediction = session.predictions.get(name)
    option = prediction.option_of(value) if prediction is not None else None
    observation = Observation(name, value, prediction, option)
    session.observed(observation)
    return observation


def _means(option: str, meaning: Any, value: Any) -> bool:
    """Whether an observed value is what an option means."""
    if isinstance(meaning, range):
        return isinstance(value, int | float) and meaning.start <= value < meaning.stop
    if callable(meaning):
        return bool(meaning(value))
    return bool(meaning == value) or option == inline(value)


def _with_unit(value: Any, unit: str) -> str:
    return f"{inline(value)} {unit}".rstrip()
