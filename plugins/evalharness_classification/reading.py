"""Probabilities and target classes of a batch as arrays, and what all metrics of classes share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

from evalharness import Metric

MOST_CLASSES = 64  # a table of classes by classes is a statistic of at most 4,096 numbers
_OFF_BY = 1e-3  # probabilities in half precision add up to 1 only so far


@dataclass(frozen=True)
class Read:
    """`probabilities` (rows, classes) float64 and `target` (rows,) int64; class 0 for certain in rows that are unmeasured."""

    probabilities: Any
    target: Any
    unmeasured: Mapping[int, str]

    @property
    def of_target(self) -> Any:
        """The probability of each row's target; float64, (rows,)."""
        import numpy as np

        return self.probabilities[np.arange(len(self.target)), self.target]

    @property
    def is_target(self) -> Any:
        """1 at each row's target, 0 elsewhere; float64, (rows, classes)."""
        import numpy as np

        return np.eye(self.probabilities.shape[1])[self.target]


class OfClasses(Metric):
    """What metrics of classes share: `probabilities` and `target` are read in one way.

    Of two classes `probabilities` is that of class 1, or one of each; of more, one of each, which add up to 1. `target`
    is the number of the right class, from 0.
    """

    family: ClassVar[str] = "classification"
    example: ClassVar[Mapping[str, Any]] = {"classes": 3}

    classes: int = 2

    def __post_init__(self) -> None:
        if not 2 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"classes is {self.classes}, but must be from 2 to {MOST_CLASSES}")

    def read(self, probabilities: Sequence[Any], target: Sequence[Any]) -> Read:
        """Return the rows as arrays, with the reason of each that cannot be read."""
        import numpy as np

        rows = [_spread(row) for row in probabilities]
        pairs = zip(rows, target, strict=True)
        unmeasured = {row: reason for row, pair in enumerate(pairs) if (reason := _fault(*pair, self.classes))}
        certain = [1.0] + [0.0] * (self.classes - 1)
        kept = [certain if row in unmeasured else values for row, values in enumerate(rows)]
        right = [0 if row in unmeasured else int(number) for row, number in enumerate(target)]
        return Read(np.array(kept, float).reshape(-1, self.classes), np.array(right, np.int64), unmeasured)


def _spread(row: Any) -> Sequence[Any]:
    """Return one probability of each class."""
    return (1 - row, row) if isinstance(row, Real) else row


def _fault(row: Sequence[Any], target: Any, classes: int) -> str | None:
    if not isinstance(row, (list, tuple)) or len(row) != classes:
        return f"not one probability of each of {classes} classes"
    if not all(isinstance(value, Real) and 0 <= float(value) <= 1 for value in row) or abs(math.fsum(row) - 1) > _OFF_BY:
        return "probabilities are not from 0 to 1 with the sum 1"
    if not isinstance(target, (Integral, float)) or target not in range(classes):
        return f"target is none of {classes} classes"
    return None
