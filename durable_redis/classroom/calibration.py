"""Calibration: do the things come true that one is sure of?

The law of this file: arithmetic only.  Each word of confidence promises a share: who says "sure" twenty times should be
right nineteen times.  Few predictions prove nothing, so a verdict is passed only if the promise would make what
happened improbable: with `n` predictions that each come true with probability `p`, the number that do is binomial.

Worked: "sure" promises 19 in 20.  One right of three: such a thing, or worse, happens to a reader who keeps that
promise with probability 0.05**3 + 3 * 0.95 * 0.05**2 = 0.007.  So the reader was surer than the runs allow.
Two right of three: 1 - 0.95**3 = 0.14, which is bad luck and no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import comb

CONFIDENCE = {"guess": Fraction(1, 3), "fairly sure": Fraction(3, 4), "sure": Fraction(19, 20)}
"""The words, and the share that each promises.  A guess has about three options to hit."""
CAME_TRUE, DID_NOT = "came true", "did not come true"
IMPROBABLE = Fraction(1, 20)
TOO_FEW = 3
"""Fewer predictions than this get no verdict."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """All predictions made with one word of confidence: how many are counted, and how many of them came true."""

    confidence: str
    right: int
    counted: int

    @property
    def promised(self) -> Fraction:
        return CONFIDENCE[self.confidence]

    @property
    def share(self) -> Fraction | None:
        """The share that came true; None without predictions."""
        return Fraction(self.right, self.counted) if self.counted else None

    @property
    def verdict(self) -> str:
        """A sentence on these predictions, or "" if they are too few to say anything."""
        if self.counted < TOO_FEW:
            return ""
        if at_most(self.right, self.counted, self.promised) <= IMPROBABLE:
            return "surer than the runs allow"
        if at_most(self.counted - self.right, self.counted, 1 - self.promised) <= IMPROBABLE:
            return "you know more than you say"
        return "as good as your word"

    def __str__(self) -> str:
        promised = f"promises {self.promised.numerator} in {self.promised.denominator}"
        said = f"{self.right} of {self.counted} came true" if self.counted else "none yet"
        return f"{self.confidence:11} ({promised:17}): {said}" + (f"; {self.verdict}" if self.verdict else "")


def at_most(right: int, counted: int, probability: Fraction) -> Fraction:
    """The probability that at most `right` of `counted` come true, if each does with this probability."""
    return sum(
        (comb(counted, hits) * probability**hits * (1 - probability) ** (counted - hits) for hits in range(right + 1)),
        Fraction(0),
    )


def calibrate(judged: Iterable[tuple[str, bool]]) -> tuple[Bucket, ...]:
    """(confidence, came true) of each prediction, gathered: one bucket a word, the least sure first."""
    right, counted = dict.fromkeys(CONFIDENCE, 0), dict.fromkeys(CONFIDENCE, 0)
    for confidence, came_true in judged:
        counted[confidence] += 1
        right[confidence] += came_true
    return tuple(Bucket(confidence, right[confidence], counted[confidence]) for confidence in CONFIDENCE)
