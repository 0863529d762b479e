"""How far predicted numbers lie from those that they should be: errors of each sample, whose means add up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from evalharness_regression.reading import OfNumbers


class Error(OfNumbers):
    """A mean over samples of an error, 0 or more, whose sums are exact whatever the size of the numbers.

    `scale`: a power of two to divide by before the exact sum, for errors that add up to more than 8.5 billion or are below
    a billionth.
    """

    range: ClassVar[tuple[float | None, float | None] | None] = (0, None)
    unit: ClassVar[str] = "target units"

    scale: float = 1.0  # type: ignore[misc]


class Root(Error):
    """The root of the mean of a squared error."""

    def score(self, squared: Any, rows: Any) -> Any:
        """Return the root of the mean."""
        import numpy as np

        return np.sqrt(squared / rows)


class MeanAbsoluteError(Error):
    """Mean absolute difference of prediction and target, in the target's unit, 0 or more.

    `prediction` and `target` name the columns; a text that spells a number is that number, and a sample in which either is
    no finite number is unmeasured. `scale`: a power of two to divide by before the exact sum, for differences that add up
    to more than 8.5 billion or are below a billionth.

    >>> metric = MeanAbsoluteError()
    >>> metric.evaluate(prediction=[1.0, "5"], target=[2.0, 2.0]).scores["mae"].value
    2.0
    """

    name = "mae"
    formula: ClassVar[str] = "mean |p - y|"
    cite: ClassVar[str] = "Willmott and Matsuura, Advantages of the mean absolute error over the RMSE, Climate Research 30, 2005"
    reference: ClassVar[str] = "sklearn.metrics.mean_absolute_error"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's absolute difference."""
        return {"error": abs(prediction - target)}


class MeanSquaredError(Error):
    """Mean squared difference of prediction and target, in squared units of the target, 0 or more.

    `prediction`, `target` and `scale` as in `mae`, the scale for the squares.

    >>> MeanSquaredError().evaluate(prediction=[1.0, 5.0], target=[2.0, 2.0]).scores["mse"].value
    5.0
    """

    name, unit = "mse", "squared target units"
    formula: ClassVar[str] = "mean (p - y)^2"
    cite: ClassVar[str] = "Gauss, Theoria combinationis observationum erroribus minimis obnoxiae, 1823"
    reference: ClassVar[str] = "sklearn.metrics.mean_squared_error"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's squared difference."""
        return {"squared": (prediction - target) ** 2}


class RootMeanSquaredError(Root):
    """Root of the mean squared difference of prediction and target, in the target's unit, 0 or more.

    One large difference weighs as much as many small ones. `prediction`, `target` and `scale` as in `mae`, the scale for
    the squares.

    >>> metric = RootMeanSquaredError()
    >>> float(metric.score(squared=8.0, rows=2.0))
    2.0
    """

    name = "rmse"
    formula: ClassVar[str] = "sqrt(mean (p - y)^2)"
    cite: ClassVar[str] = (
        "Chai and Draxler, Root mean square error or mean absolute error?, Geoscientific Model Development 7, 2014"
    )
    reference: ClassVar[str] = "sklearn.metrics.root_mean_squared_error"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's squared difference, and 1."""
        return {"squared": (prediction - target) ** 2, "rows": prediction * 0 + 1}


class _OfLogarithms(Error):
    """Errors of log(1 + x), which both numbers must have."""

    unit: ClassVar[str] = ""

    def refused(self, prediction: Any, target: Any) -> Iterator[tuple[str, Any]]:
        """Yield what has no logarithm."""
        for name, values in ((self.prediction, prediction), (self.target, target)):
            yield f"{name} is -1 or less", values <= -1

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's squared difference of logarithms, and for a root 1."""
        import numpy as np

        squared = (np.log1p(prediction) - np.log1p(target)) ** 2
        return {"squared": squared} if self.is_mean else {"squared": squared, "rows": squared * 0 + 1}


class MeanSquaredLogError(_OfLogarithms):
    """Mean squared difference of log(1 + prediction) and log(1 + target), 0 or more.

    It weighs ratios rather than differences. A sample in which either number is -1 or less is unmeasured. `prediction`,
    `target` and `scale` as in `mae`.

    >>> round(MeanSquaredLogError().evaluate(prediction=[0.0], target=[1.0]).scores["msle"].value, 4)
    0.4805
    """

    name = "msle"
    formula: ClassVar[str] = "mean (log(1 + p) - log(1 + y))^2"
    cite: ClassVar[str] = "scikit-learn user guide, section Regression metrics"
    reference: ClassVar[str] = "sklearn.metrics.mean_squared_log_error"


class RootMeanSquaredLogError(_OfLogarithms, Root):
    """Root of the mean squared difference of log(1 + prediction) and log(1 + target), 0 or more.

    A sample in which either number is -1 or less is unmeasured. `prediction`, `target` and `scale` as in `mae`.

    >>> round(RootMeanSquaredLogError().evaluate(prediction=[0.0], target=[1.0]).scores["rmsle"].value, 4)
    0.6931
    """

    name = "rmsle"
    formula: ClassVar[str] = "sqrt(mean (log(1 + p) - log(1 + y))^2)"
    cite: ClassVar[str] = "scikit-learn user guide, section Regression metrics"
    reference: ClassVar[str] = "sklearn.metrics.root_mean_squared_log_error"


class Pinball(Error):
    """Mean pinball loss of predicted quantiles, in the target's unit, 0 or more; half the absolute error at 0.5.

    `quantile`, between 0 and 1, is the share of targets that should lie below their predictions: a unit too low costs
    `quantile`, a unit too high 1 - `quantile`. `prediction`, `target` and `scale` as in `mae`.

    >>> Pinball(quantile=0.9).evaluate(prediction=[1.0, 3.0], target=[2.0, 2.0]).scores["pinball"].value
    0.5
    """

    name = "pinball"
    formula: ClassVar[str] = "mean of q max(y - p, 0) + (1 - q) max(p - y, 0)"
    cite: ClassVar[str] = "Koenker and Bassett, Regression quantiles, Econometrica 46, 1978"
    reference: ClassVar[str] = "sklearn.metrics.mean_pinball_loss"

    quantile: float = 0.5

    def __post_init__(self) -> None:
        check_quantile(self.quantile)

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's loss."""
        return {"loss": pinball(prediction, target, self.quantile)}


def pinball(prediction: Any, target: Any, quantile: float) -> Any:
    """Return the pinball loss of each pair of numbers."""
    import numpy as np

    error = target - prediction
    return np.maximum(quantile * error, (quantile - 1) * error)


def check_quantile(quantile: float) -> None:
    """Raise ValueError for what is no quantile."""
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}, but must lie between 0 and 1, such as 0.9")
