"""What metrics of numbers read: two columns of numbers, or of texts that spell them, and why a sample has none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import evalharness as eh


class OfNumbers(eh.Metric):
    """Predictions against targets.

    `prediction` and `target` name the columns, such as `response` and `rating`. A text that spells a number ("7.5") is that
    number; a sample in which either is no finite number is unmeasured.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    family: ClassVar[str] = "regression"

    prediction: str = "prediction"
    target: str = "target"

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The two columns."""
        return self.prediction, self.target

    def measure(self, *_: Any, **columns: Sequence[Any]) -> eh.Rows:
        """Return what `statistics` makes of each sample that has both numbers and is in its domain."""
        import numpy as np

        (predictions, targets), reasons = numbers({name: columns[name] for name in self.reads}, self.reads)
        with np.errstate(all="ignore"):
            for reason, refused in self.refused(predictions, targets):
                reasons = dict.fromkeys(np.flatnonzero(refused).tolist(), reason) | reasons
            return eh.Rows(self.statistics(predictions, targets), reasons)

    def refused(self, prediction: Any, target: Any) -> Iterator[tuple[str, Any]]:
        """Yield for what numbers the quantity is undefined: a reason, and where that is so."""
        yield from ()

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return the statistics of the samples, from two arrays (n,)."""
        raise NotImplementedError


def numbers(columns: Mapping[str, Sequence[Any]], names: Sequence[str]) -> tuple[list[Any], dict[int, str]]:
    """Return the columns as float64 arrays in the order of the names, and by row why one holds no number."""
    import numpy as np

    found = {name: [_number(value) for value in columns[name]] for name in names}
    reasons = {
        row: f"{name} is no finite number" for name in reversed(names) for row, value in enumerate(found[name]) if value is None
    }
    return [np.array([math.nan if value is None else value for value in found[name]], np.float64) for name in names], reasons


def _number(value: Any) -> float | None:
    """Return a number, or a text that spells one, as a finite float."""
    if not isinstance(value, (Real, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
