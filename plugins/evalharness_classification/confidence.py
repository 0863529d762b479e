"""How sure a system is of each answer and whether it is right: from probabilities, or as the system states it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

from evalharness import Rows
from evalharness_classification.reading import OfClasses

_NUMBER = re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?|\.\d+)\s*(%|percent\b)?")

READING = """`of` "probabilities": the confidence is the probability of the most likely class, which is right where it is
    `target`; where several are equally likely, it is right by the part that each has in it. `probabilities` is that of class
    1, or one of each of `classes` or `labels`; `target` is the right class, its number or label. "confidence" and
    "response": what the system states, a number from 0 to 1 or a text whose last number is one, or a percentage; how right
    the answer is, is the value of another score of the chain, named by `right`, such as exact_match. A sample that cannot be
    read is unmeasured."""


class OfConfidence(OfClasses):
    """Metrics of confidence beside being right."""

    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"

    of: Literal["probabilities", "confidence", "response"] = "probabilities"
    right: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.right) == (self.of == "probabilities"):
            if self.right:
                raise ValueError("right goes with a stated confidence; write of: confidence or of: response, or leave it out")
            raise ValueError(f"of '{self.of}' needs right: the score that says whether an answer is right, such as exact_match")

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The fields that it reads."""
        return ("probabilities", "target") if self.of == "probabilities" else (self.of,)

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        """The score that says whether an answer is right, where confidence is stated."""
        return (self.right,) if self.right else ()

    def measure(self, values: Mapping[str, Sequence[Any]] | None = None, **columns: Sequence[Any]) -> Rows:
        """Return each sample's confidence, and how right it is, (rows, 1)."""
        if self.of == "probabilities":
            return self.of_probabilities(**columns)
        import numpy as np

        stated = [confidence_in(value) for value in columns[self.of]]
        right: Any = (values or {})[self.right]
        unmeasured = {row: "confidence is no share or percentage" for row, value in enumerate(stated) if value is None}
        unmeasured |= {
            row: right.statuses[row] or f"{self.right} is not from 0 to 1"
            for row, value in enumerate(right)
            if not _is_share(value)
        }
        pairs = [(0.0, 0.0) if row in unmeasured else pair for row, pair in enumerate(zip(stated, right, strict=True))]
        table = np.array(pairs, float).reshape(-1, 2)
        return Rows({"confidence": table[:, :1], "right": table[:, 1:]}, unmeasured)

    def of_probabilities(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Rows:
        """Return the confidence in the most likely class, and whether it is right."""
        read = self.read(probabilities, target)
        confidence = read.probabilities.max(1, keepdims=True)
        likeliest = read.probabilities == confidence
        right = (likeliest * read.is_target).sum(1, keepdims=True) / likeliest.sum(1, keepdims=True)
        return Rows({"confidence": confidence, "right": right}, read.unmeasured)


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) <= 1


def confidence_in(value: Any) -> float | None:
    """Return the confidence that a value states, from 0 to 1; None where it states none.

    >>> confidence_in("Paris. Confidence: 85%"), confidence_in("0.7"), confidence_in(0.2), confidence_in("sure")
    (0.85, 0.7, 0.2, None)
    """
    if isinstance(value, Real):
        return float(value) if _is_share(value) else None
    found = _NUMBER.findall(value) if isinstance(value, str) else []
    if not found:
        return None
    number, percent = found[-1]
    share = float(number) / (100 if percent else 1)
    return share if share <= 1 else None
