"""How much better predictions are than a constant: 1 is perfect, 0 no better, below 0 worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import evalharness as eh
from evalharness_regression import weighted
from evalharness_regression.deviance import check_power, deviance, outside
from evalharness_regression.errors import check_quantile, pinball
from evalharness_regression.pooled import OfAllNumbers

_OVER_CONSTANT = "which is 1 or 0 where all targets are alike, where ours is undefined"


def skill(lost: Any, baseline: Any) -> Any:
    """Return 1 less what is lost over what the baseline loses; NaN where that loses nothing."""
    import numpy as np

    return 1 - lost / np.where(baseline > 0, baseline, np.nan)


class RSquared(OfAllNumbers):
    """Share of the targets' variance that the predictions explain (R²), 1 at best, 0 for their mean, below 0 for worse.

    Numbers are taken less their median before they are squared, so that an offset of a million costs no digits. Undefined
    where all targets are alike. It draws predictions over targets. `prediction` and `target` name the columns, as in `mae`.

    >>> RSquared().evaluate(prediction=[1.0, 3.0], target=[1.0, 5.0]).scores["r2"].value
    0.5
    """

    name, better, range = "r2", "higher", (None, 1)
    formula: ClassVar[str] = "1 - sum (p - y)^2 / sum (y - mean y)^2"
    cite: ClassVar[str] = "Wright, Correlation and causation, Journal of Agricultural Research 20, 1921"
    reference: ClassVar[str] = f"sklearn.metrics.r2_score, {_OVER_CONSTANT}"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the share."""
        return skill(weights @ (prediction - target) ** 2, weighted.variation(weights, target))

    def figures(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Sequence[eh.Figure]:
        """Return predictions over targets, with the line on which they are equal."""
        ends = min(target.min(), prediction.min()), max(target.max(), prediction.max())
        curves = (
            eh.Curve(x=target, y=prediction, name="samples", style="points"),
            eh.Curve(x=ends, y=ends, name="equal", style="dashed"),
        )
        return [eh.Figure(title=f"{self.prediction} over {self.target}", x=self.target, y=self.prediction, curves=curves)]


class AdjustedRSquared(OfAllNumbers):
    """R² less what so many predictors explain by chance, 1 at best.

    `predictors` is how many numbers the predictions were fitted from. Undefined where there are not at least two more
    samples than predictors, and where all targets are alike. `prediction` and `target` name the columns, as in `mae`.

    >>> AdjustedRSquared().evaluate(prediction=[1.0, 3.0, 5.0], target=[1.0, 5.0, 3.0]).scores["adjusted_r2"].value
    -1.0
    """

    name, better, range = "adjusted_r2", "higher", (None, 1)
    formula: ClassVar[str] = "1 - (1 - R2) (n - 1) / (n - k - 1)"
    cite: ClassVar[str] = "Theil, Economic forecasts and policy, 1961"
    reference: ClassVar[str] = "torchmetrics.functional.r2_score(adjusted=k)"

    predictors: int = 1

    def __post_init__(self) -> None:
        if self.predictors < 0:
            raise ValueError(f"predictors is {self.predictors}, but must be 0 or more")

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the adjusted share."""
        import numpy as np

        unexplained = 1 - skill(weights @ (prediction - target) ** 2, weighted.variation(weights, target))
        count = weights.sum(-1)
        left = count - self.predictors - 1
        return 1 - unexplained * (count - 1) / np.where(left > 0, left, np.nan)


class ExplainedVariance(OfAllNumbers):
    """Share of the targets' variance that the predictions explain but for a constant offset, 1 at best.

    Undefined where all targets are alike. `prediction` and `target` name the columns, as in `mae`.

    >>> ExplainedVariance().evaluate(prediction=[11.0, 15.0], target=[1.0, 5.0]).scores["explained_variance"].value
    1.0
    """

    name, better, range = "explained_variance", "higher", (None, 1)
    formula: ClassVar[str] = "1 - var(y - p) / var(y)"
    cite: ClassVar[str] = "scikit-learn user guide, section Regression metrics"
    reference: ClassVar[str] = f"sklearn.metrics.explained_variance_score, {_OVER_CONSTANT}"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the share."""
        return skill(weighted.variation(weights, prediction - target), weighted.variation(weights, target))


class D2Pinball(OfAllNumbers):
    """Share of the pinball loss of the best constant that predicted quantiles save (D²), 1 at best, below 0 for worse.

    `quantile` as in `pinball`. Undefined where all targets are alike. `prediction` and `target` name the columns, as in
    `mae`.

    >>> D2Pinball().evaluate(prediction=[1.0, 3.0], target=[1.0, 5.0]).scores["d2_pinball"].value
    0.5
    """

    name, better, range = "d2_pinball", "higher", (None, 1)
    formula: ClassVar[str] = "1 - pinball(y, p) / pinball(y, quantile of y)"
    cite: ClassVar[str] = "Koenker and Machado, Goodness of fit and related inference processes for quantile regression, 1999"
    reference: ClassVar[str] = f"sklearn.metrics.d2_pinball_score, {_OVER_CONSTANT}"

    quantile: float = 0.5

    def __post_init__(self) -> None:
        check_quantile(self.quantile)

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the share."""
        return quantile_skill(weights, prediction, target, self.quantile)


class D2AbsoluteError(OfAllNumbers):
    """Share of the absolute error of the targets' median that the predictions save (D²), 1 at best, below 0 for worse.

    Undefined where all targets are alike. `prediction` and `target` name the columns, as in `mae`.

    >>> metric = D2AbsoluteError()
    >>> metric.evaluate(prediction=[1.0, 3.0], target=[1.0, 5.0]).scores["d2_absolute_error"].value
    0.5
    """

    name, better, range = "d2_absolute_error", "higher", (None, 1)
    formula: ClassVar[str] = "1 - mean |p - y| / mean |y - median y|"
    cite: ClassVar[str] = "Hastie, Tibshirani and Wainwright, Statistical learning with sparsity, 2015, equation 3.11"
    reference: ClassVar[str] = f"sklearn.metrics.d2_absolute_error_score, {_OVER_CONSTANT}"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the share."""
        return quantile_skill(weights, prediction, target, 0.5)


def quantile_skill(weights: Any, prediction: Any, target: Any, quantile: float) -> Any:
    """Return the share of the pinball loss of the best constant that is saved."""
    constant = weighted.quantile(weights, target, quantile)[..., None]
    baseline = (weights * pinball(constant, target, quantile)).sum(-1)
    return skill(weights @ pinball(prediction, target, quantile), baseline)


class D2Tweedie(OfAllNumbers):
    """Share of the Tweedie deviance of the targets' mean that the predictions save (D²), 1 at best, below 0 for worse.

    `power` and the samples that are unmeasured as in `tweedie_deviance`; at 0 it is R². Undefined where all targets are
    alike. `prediction` and `target` name the columns, as in `mae`.

    >>> D2Tweedie(power=0.0).evaluate(prediction=[1.0, 3.0], target=[1.0, 5.0]).scores["d2_tweedie"].value
    0.5
    """

    name, better, range = "d2_tweedie", "higher", (None, 1)
    replicates: ClassVar[int] = 200
    formula: ClassVar[str] = "1 - deviance(y, p) / deviance(y, mean y)"
    cite: ClassVar[str] = "Hastie, Tibshirani and Wainwright, Statistical learning with sparsity, 2015, equation 3.11"
    reference: ClassVar[str] = f"sklearn.metrics.d2_tweedie_score, {_OVER_CONSTANT}"

    power: float = 1.5

    def __post_init__(self) -> None:
        check_power(self.power)

    def refused(self, prediction: Any, target: Any) -> Iterator[tuple[str, Any]]:
        """Yield what is outside the domain."""
        yield from outside(self.reads, prediction, target, self.power)

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the share."""
        import numpy as np

        average = weighted.mean(weights, target)[..., None]
        baseline = (weights * deviance(average, target, self.power)).sum(-1)
        varied = np.where(weighted.spread(weights, target) > 0, baseline, 0.0)
        return skill(weights @ deviance(prediction, target, self.power), varied)
