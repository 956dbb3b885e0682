"""The ledger: the reader's predictions of this session, in the order of locking in, and what came of them.

It lives in memory and ends with the kernel.  Nothing is written to a file unless `save` is called; nobody is examined.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_redis.classroom.calibration import CAME_TRUE, DID_NOT, Bucket, calibrate
from durable_redis.classroom.errors import ClassroomError

if TYPE_CHECKING:
    import pandas as pd

    from durable_redis.classroom.prediction import Observation, Prediction


class Row(NamedTuple):
    """One locked prediction, in words."""

    order: int
    name: str
    question: str
    predicted: str
    confidence: str
    the_run_said: str
    outcome: str


class Ledger:
    """Every prediction asked for, by name; `order` has the names of the locked ones, the first first."""

    def __init__(self) -> None:
        self.predictions: dict[str, Prediction] = {}
        self.seen: dict[str, Observation] = {}  # the first observation under each name
        self.order: list[str] = []

    # -- kept by `prediction` ----------------------------------------------------------------------------------------

    def locked(self, prediction: Prediction) -> None:
        """A prediction was locked in; if its run was seen before, in hindsight."""
        prediction.hindsight = prediction.name in self.seen
        prediction.observation = self.seen.get(prediction.name)
        self.order.append(prediction.name)

    def observed(self, observation: Observation) -> None:
        """A run was seen.  The first observation counts."""
        first = self.seen.setdefault(observation.name, observation)
        if observation.prediction is not None and observation.prediction.observation is None:
            observation.prediction.observation = first

    def forget(self, name: str | None = None) -> None:
        """Forget one prediction, or all, so that it can be made again."""
        for each in [*self.predictions, *self.seen] if name is None else [name]:
            self.predictions.pop(each, None)
            self.seen.pop(each, None)
            self.order = [other for other in self.order if other != each]

    # -- looking -----------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """The locked predictions, in the order of locking in."""
        return [self._row(order, self.predictions[name]) for order, name in enumerate(self.order, start=1)]

    def _row(self, order: int, prediction: Prediction) -> Row:
        seen = prediction.observation
        said = "" if seen is None else seen.run_says.removeprefix("the run says ")
        outcome = "not run yet" if seen is None else "not counted: after the run"
        if prediction.came_true is not None:
            outcome = CAME_TRUE if prediction.came_true else DID_NOT
        return Row(
            order,
            prediction.name,
            prediction.question,
            prediction.said,
            prediction.confidence,
            said,
            outcome,
        )

    def calibration(self) -> tuple[Bucket, ...]:
        """What came true, by confidence, the least sure first."""
        locked = [self.predictions[name] for name in self.order]
        return calibrate((each.confidence, each.came_true) for each in locked if each.came_true is not None)

    def __len__(self) -> int:
        return len(self.order)

    def __repr__(self) -> str:
        rows = self.rows()
        if not rows:
            return "no predictions yet: press a button that says 'lock in', before you run the cell below it"
        lines = [f"{len(rows)} prediction{'s' * (len(rows) > 1)}, in the order of locking in"]
        for row in rows:
            run = f"; the run says {row.the_run_said}" if row.the_run_said else ""
            lines.append(f"{row.order:3}  {row.name}: {row.predicted} ({row.confidence}){run}: {row.outcome}")
        buckets = self.calibration()
        if any(bucket.counted for bucket in buckets):
            lines += ["", *(f"     {bucket}" for bucket in buckets)]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from durable_redis.classroom.picture import draw

        buckets = self.calibration()
        if not any(bucket.counted for bucket in buckets):
            return {"text/plain": repr(self)}
        return {"text/plain": repr(self), "image/svg+xml": draw(buckets, self.rows())}

    def table(self) -> pd.DataFrame:
        """One row a prediction, as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(Row._fields))

    def save(self, path: str | Path) -> None:
        """Write the rows to a new CSV file.  Raises ClassroomError rather than write over one that is there."""
        try:
            with open(path, "x", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([Row._fields, *self.rows()])
        except FileExistsError:
            raise ClassroomError(f"there is a file {str(path)!r} already: give another name") from None


_SESSION = Ledger()


def ledger() -> Ledger:
    """The ledger of this session."""
    return _SESSION
