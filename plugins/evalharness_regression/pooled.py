"""Metrics of all pairs of numbers at once: what is no sum over samples, and cheap for many weightings together."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from evalharness_regression import weighted
from evalharness_regression.reading import OfNumbers


class OfAllNumbers(OfNumbers):
    """A metric of all predictions and targets; `score` takes weights of shape (..., n)."""

    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return both numbers of each sample."""
        return {"prediction": prediction, "target": target}


class MaxError(OfAllNumbers):
    """Largest absolute difference of prediction and target, in the target's unit, 0 or more.

    `prediction` and `target` name the columns, as in `mae`. A replicate knows only the samples that are drawn, so the
    interval is too narrow, as for every maximum.

    >>> MaxError().evaluate(prediction=[1.0, 5.0], target=[2.0, 2.0]).scores["max_error"].value
    3.0
    """

    name, unit, range = "max_error", "target units", (0, None)
    formula: ClassVar[str] = "max |p - y|"
    cite: ClassVar[str] = "scikit-learn user guide, section Regression metrics"
    reference: ClassVar[str] = "sklearn.metrics.max_error"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the largest difference that has weight."""
        import numpy as np

        largest = np.where(weights > 0, abs(prediction - target), -1.0).max(-1)
        return np.where(largest < 0, np.nan, largest)


class MedianAbsoluteError(OfAllNumbers):
    """Median absolute difference of prediction and target, in the target's unit, 0 or more; outliers do not move it.

    Of an even number of samples it is the mean of the two in the middle. `prediction` and `target` name the columns, as in
    `mae`.

    >>> metric = MedianAbsoluteError()
    >>> metric.evaluate(prediction=[1.0, 5.0, 99.0], target=[2.0, 2.0, 2.0]).scores["median_absolute_error"].value
    3.0
    """

    name, unit, range = "median_absolute_error", "target units", (0, None)
    formula: ClassVar[str] = "median |p - y|"
    cite: ClassVar[str] = "scikit-learn user guide, section Regression metrics"
    reference: ClassVar[str] = "sklearn.metrics.median_absolute_error"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the median of the differences."""
        return weighted.median(weights, abs(prediction - target))


class _Normalised(OfAllNumbers):
    """An error divided by a size of the targets."""

    range: ClassVar[tuple[float | None, float | None] | None] = (0, None)

    by: Literal["sd", "mean", "range"] = "sd"

    def size(self, weights: Any, target: Any) -> Any:
        """Return the size of the targets under each weighting, NaN where it is 0."""
        import numpy as np

        if self.by == "sd":
            found = np.sqrt(weighted.variation(weights, target) / weights.sum(-1))
        else:
            found = weighted.spread(weights, target) if self.by == "range" else abs(weighted.mean(weights, target))
        return np.where(found > 0, found, np.nan)


class NormalisedRmse(_Normalised):
    """Root mean squared error in units of the targets' spread or size, 0 or more; by `sd`, 1 is as bad as their mean.

    `by`: their standard deviation (that of the samples, divided by n), the size of their mean, or their range. Undefined
    where that is 0. `prediction` and `target` name the columns, as in `mae`.

    >>> NormalisedRmse(by="range").evaluate(prediction=[1.0, 3.0], target=[0.0, 4.0]).scores["nrmse"].value
    0.25
    """

    name = "nrmse"
    formula: ClassVar[str] = "sqrt(mean (p - y)^2) / sd(y), |mean(y)| or max(y) - min(y)"
    cite: ClassVar[str] = "Armstrong and Collopy, Error measures for generalizing about forecasting methods, 1992"
    reference: ClassVar[str] = (
        "torchmetrics.functional.normalized_root_mean_squared_error, which divides by the mean with its sign"
    )

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the root of the mean squared difference over the size."""
        import numpy as np

        return np.sqrt(weighted.mean(weights, (prediction - target) ** 2)) / self.size(weights, target)


class NormalisedMae(_Normalised):
    """Mean absolute error in units of the targets' size or spread, 0 or more.

    `by`: the size of their mean (the default), their standard deviation (divided by n), or their range. Undefined where
    that is 0. `prediction` and `target` name the columns, as in `mae`.

    >>> NormalisedMae().evaluate(prediction=[1.0, 3.0], target=[0.0, 4.0]).scores["nmae"].value
    0.5
    """

    name = "nmae"
    formula: ClassVar[str] = "mean |p - y| / |mean(y)|, sd(y) or max(y) - min(y)"
    cite: ClassVar[str] = "Willmott and Matsuura, Climate Research 30, 2005"
    reference: ClassVar[str] = "closed form, of sklearn.metrics.mean_absolute_error and numpy"

    by: Literal["sd", "mean", "range"] = "mean"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the mean absolute difference over the size."""
        return weighted.mean(weights, abs(prediction - target)) / self.size(weights, target)
