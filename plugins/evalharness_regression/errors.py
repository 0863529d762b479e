"""How far predicted numbers lie from those that they should be, in the unit of the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

from evalharness import Metric, Rows


class _OfNumbers(Metric):
    """What metrics of numbers share: direction, unit, and sums that are exact whatever the size of the targets."""

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    unit: ClassVar[str] = "target units"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, None)
    family: ClassVar[str] = "regression"

    scale: float = 1.0  # type: ignore[misc]


class MeanAbsoluteError(_OfNumbers):
    """Mean absolute difference of prediction and target, in the target's unit, 0 or more.

    A sample whose prediction or target is not a finite number is unmeasured. `scale`: a power of two to divide by before
    the exact sum, for differences that add up to more than 8.5 billion or are below a billionth.

    >>> metric = MeanAbsoluteError()
    >>> metric.measure(prediction=[1.0, 5.0], target=[2.0, 2.0]).statistics
    {'error': [1.0, 3.0]}
    """

    name = "mae"
    cite: ClassVar[str] = "Willmott and Matsuura, Advantages of the mean absolute error over the RMSE, Climate Research 30, 2005"
    reference: ClassVar[str] = "sklearn.metrics.mean_absolute_error"

    def measure(self, prediction: Sequence[float], target: Sequence[float]) -> Rows:
        """Return each sample's absolute difference."""
        return _differences("error", abs, prediction, target)


class RootMeanSquaredError(_OfNumbers):
    """Root of the mean squared difference of prediction and target, in the target's unit, 0 or more.

    One large difference weighs as much as many small ones. A sample whose prediction or target is not a finite number is
    unmeasured. `scale` as in `mae`, for the squares.

    >>> metric = RootMeanSquaredError()
    >>> float(metric.score(squared=8.0, rows=2.0))
    2.0
    """

    name = "rmse"
    cite: ClassVar[str] = (
        "Chai and Draxler, Root mean square error or mean absolute error?, Geoscientific Model Development 7, 2014"
    )
    reference: ClassVar[str] = "sklearn.metrics.root_mean_squared_error"

    def measure(self, prediction: Sequence[float], target: Sequence[float]) -> Rows:
        """Return each sample's squared difference, and 1."""
        rows = _differences("squared", lambda difference: difference * difference, prediction, target)
        return Rows({**rows.statistics, "rows": [1.0] * len(prediction)}, rows.unmeasured)

    def score(self, squared: Any, rows: Any) -> Any:
        """Return the root of the mean."""
        import numpy as np

        return np.sqrt(squared / rows)


def _differences(name: str, size: Callable[[float], float], predictions: Sequence[float], targets: Sequence[float]) -> Rows:
    """Return the size of each difference under this name, with the reason where one of the two is no number."""
    pairs = list(zip(predictions, targets, strict=True))
    unmeasured = {row: reason for row, pair in enumerate(pairs) if (reason := _fault(*pair))}
    sizes = [math.nan if row in unmeasured else size(float(found) - float(wanted)) for row, (found, wanted) in enumerate(pairs)]
    return Rows({name: sizes}, unmeasured)


def _fault(prediction: Any, target: Any) -> str | None:
    for name, value in (("prediction", prediction), ("target", target)):
        if not isinstance(value, Real) or not math.isfinite(value):
            return f"{name} is no finite number"
    return None
