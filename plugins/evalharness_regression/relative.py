"""Errors in proportion to the size of the target, or to what a naive forecast would have missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import evalharness as eh
from evalharness_regression.errors import Error
from evalharness_regression.reading import numbers


class _OfTargets(Error):
    """Errors divided by the target, which must not be 0."""

    unit: ClassVar[str] = ""

    def refused(self, prediction: Any, target: Any) -> Iterator[tuple[str, Any]]:
        """Yield targets that nothing can be divided by."""
        yield f"{self.target} is 0", target == 0


class MeanAbsolutePercentageError(_OfTargets):
    """Mean absolute difference of prediction and target in per cent of the target's size, 0 or more.

    The size is |target|, whatever its sign. A target of 0 is unmeasured; with `epsilon` above 0 no size is taken as less
    than that, and a target of 0 is measured. `prediction`, `target` and `scale` as in `mae`.

    >>> MeanAbsolutePercentageError().evaluate(prediction=[90.0, -11.0], target=[100.0, -10.0]).scores["mape"].value
    10.0
    """

    name, unit = "mape", "%"
    formula: ClassVar[str] = "100 mean |p - y| / max(|y|, epsilon)"
    cite: ClassVar[str] = "Hyndman and Koehler, Another look at measures of forecast accuracy, 2006"
    reference: ClassVar[str] = (
        "100 times sklearn.metrics.mean_absolute_percentage_error, which divides by machine epsilon where the target is 0"
    )

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if self.epsilon < 0:
            raise ValueError(f"epsilon is {self.epsilon}, but must be 0 or more")

    def refused(self, prediction: Any, target: Any) -> Iterator[tuple[str, Any]]:
        """Yield targets of 0 where nothing guards them."""
        if self.epsilon == 0:
            yield from super().refused(prediction, target)

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's error in per cent."""
        import numpy as np

        return {"percent": 100 * abs(prediction - target) / np.maximum(abs(target), self.epsilon)}


class SymmetricMape(Error):
    """Mean absolute difference of prediction and target in per cent of the mean of their sizes, 0 to 200.

    It is the same with prediction and target exchanged, but charges too low a prediction more than one that is as much
    too high. Where both are 0 the difference is 0 too and so is the sample's error. `prediction`, `target` and `scale` as
    in `mae`.

    >>> SymmetricMape().evaluate(prediction=[0.0, 0.0], target=[5.0, 0.0]).scores["smape"].value
    100.0
    """

    name, unit, range = "smape", "%", (0, 200)
    formula: ClassVar[str] = "mean of 200 |p - y| / (|p| + |y|), 0 where both are 0"
    cite: ClassVar[str] = "Armstrong, Long-range forecasting, 1985; Hyndman and Koehler, 2006"
    reference: ClassVar[str] = "100 times torchmetrics.functional.symmetric_mean_absolute_percentage_error"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's error in per cent."""
        import numpy as np

        size = abs(prediction) + abs(target)
        return {"percent": np.where(size == 0, 0.0, 200 * abs(prediction - target) / size)}


class MeanSquaredPercentageError(_OfTargets):
    """Mean squared difference of prediction and target as a share of the target, 0 or more; 0.01 is 10 % off.

    A target of 0 is unmeasured. `prediction`, `target` and `scale` as in `mae`.

    >>> MeanSquaredPercentageError().evaluate(prediction=[1.5], target=[1.0]).scores["mspe"].value
    0.25
    """

    name = "mspe"
    formula: ClassVar[str] = "mean ((p - y) / y)^2"
    cite: ClassVar[str] = "Makridakis et al., Forecasting: methods and applications, 3rd ed., 1998"
    reference: ClassVar[str] = "closed form"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's squared share."""
        return {"squared": ((prediction - target) / target) ** 2}


class MeanArctangentError(Error):
    """Mean arctangent of the absolute percentage error (MAAPE), 0 to half of pi, defined for targets of 0 too.

    Where the target alone is 0 it is half of pi, where prediction and target are both 0 it is 0. `prediction`, `target`
    and `scale` as in `mae`.

    >>> round(MeanArctangentError().evaluate(prediction=[1.0, 2.0], target=[0.0, 1.0]).scores["maape"].value, 4)
    1.1781
    """

    name, unit, range = "maape", "radians", (0, 1.5707963267948966)
    formula: ClassVar[str] = "mean arctan(|p - y| / |y|)"
    cite: ClassVar[str] = "Kim and Kim, A new metric of absolute percentage error for intermittent demand forecasts, 2016"
    reference: ClassVar[str] = "closed form"

    def statistics(self, prediction: Any, target: Any) -> dict[str, Any]:
        """Return each sample's angle."""
        import numpy as np

        return {"angle": np.arctan2(abs(prediction - target), abs(target))}


class MeanAbsoluteScaledError(Error):
    """Mean absolute error in units of the naive forecast's mean error over each sample's history, 0 or more; below 1 beats it.

    `history` names the column with the values before the target, oldest first; the naive forecast repeats the value
    `season` steps back. A history of `season` values or fewer, with what is no number, or that the naive forecast never
    misses is unmeasured. `prediction`, `target` and `scale` as in `mae`.

    >>> metric = MeanAbsoluteScaledError()
    >>> metric.evaluate(prediction=[5.0], target=[4.0], history=[[1, 3, 5]]).scores["mase"].value
    0.5
    """

    name, unit = "mase", ""
    formula: ClassVar[str] = "mean of |p - y| / mean_t |h[t] - h[t - season]|"
    cite: ClassVar[str] = "Hyndman and Koehler, Another look at measures of forecast accuracy, 2006"
    reference: ClassVar[str] = "closed form"

    season: int = 1
    history: str = "history"

    def __post_init__(self) -> None:
        if self.season < 1:
            raise ValueError(f"season is {self.season}, but must be at least 1")

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The two columns and the history."""
        return self.prediction, self.target, self.history

    def measure(self, *_: Any, **columns: Sequence[Any]) -> eh.Rows:
        """Return each sample's error over its scale."""
        import numpy as np

        (predictions, targets), reasons = numbers(columns, (self.prediction, self.target))
        scales = [self._scale(history) for history in columns[self.history]]
        reasons = {row: scale for row, scale in enumerate(scales) if isinstance(scale, str)} | reasons
        divisors = np.array([np.nan if isinstance(scale, str) else scale for scale in scales], np.float64)
        return eh.Rows({"error": abs(predictions - targets) / divisors}, reasons)

    def _scale(self, history: Any) -> float | str:
        """Return the mean error of the naive forecast, or why there is none."""
        if not isinstance(history, (list, tuple)):
            return f"{self.history} is no list"
        (values,), faults = numbers({"": history}, ("",))
        if faults:
            return f"{self.history} holds what is no finite number"
        if len(values) <= self.season:
            return f"{self.history} is no longer than a season"
        scale = float(abs(values[self.season :] - values[: -self.season]).mean())
        return scale if scale > 0 else f"the naive forecast is never wrong in {self.history}"
