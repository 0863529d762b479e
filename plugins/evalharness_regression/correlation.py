"""Whether two numbers of a sample go together: predictions with targets, or a score of the chain with a human's rating."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import evalharness as eh
from evalharness_regression import weighted
from evalharness_regression.pooled import OfAllNumbers
from evalharness_regression.reading import numbers


class _Correlation(OfAllNumbers):
    """Predictions, or with `of` the values of another score of the chain, against targets."""

    better: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float | None, float | None] | None] = (-1, 1)
    family: ClassVar[str] = "correlation"

    of: str | None = None
    parents: tuple[eh.Parent, ...] = dataclasses.field(default=(), repr=False, metadata={"option": False})

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        """The score that stands in place of predictions, if any."""
        return () if self.of is None else (self.of,)

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The targets and, unless a score of the chain stands in their place, the predictions."""
        return (self.prediction, self.target) if self.of is None else (self.target,)

    def signature(self) -> str:
        """Return the options and, once it is known, the signature of the score."""
        return "|".join([super().signature(), *(f"{{{each.score}={each.metric.signature()}}}" for each in self.parents)])

    def compose(self, parents: tuple[eh.Parent, ...]) -> _Correlation:
        """Return this metric with the score in its hands; raises ValueError for one that samples have no values of."""
        pooled = next((parent.score for parent in parents if parent.metric.pool == "rows"), None)
        if pooled is not None:
            raise ValueError(f"'{pooled}' has no value of each sample to correlate with '{self.target}': it needs all at once")
        return dataclasses.replace(self, parents=parents)

    def measure(  # type: ignore[override]
        self, *_: Any, values: Mapping[str, Any] | None = None, **columns: Sequence[Any]
    ) -> eh.Rows:
        """Return both numbers of each sample, with the score's own reason where it has no value."""
        if self.of is None:
            return super().measure(**columns)
        scores = (values or {})[self.of]
        given = {self.of: scores, self.target: columns[self.target]}
        (predictions, targets), reasons = numbers(given, (self.of, self.target))
        own = {row: f"{self.of}: {scores.statuses[row] or 'not a number'}" for row, value in enumerate(scores) if value is None}
        return eh.Rows(self.statistics(predictions, targets), reasons | own)


class Pearson(_Correlation):
    """Pearson's correlation of predictions and targets, -1 to 1: how well a straight line says one from the other.

    `prediction` and `target` name the columns, as in `mae`. With `of`, a score of the chain such as `token_f1`, the values
    of each sample in it take the place of predictions: a metric against a human's ratings. Undefined where either is the
    same for all samples. It draws one over the other.

    >>> round(Pearson().evaluate(prediction=[1, 2, 3], target=[1, 2, 9]).scores["pearson"].value, 4)
    0.9177
    """

    name = "pearson"
    formula: ClassVar[str] = "cov(p, y) / (sd(p) sd(y))"
    cite: ClassVar[str] = "Pearson, Notes on regression and inheritance in the case of two parents, 1895"
    reference: ClassVar[str] = "scipy.stats.pearsonr"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the correlation."""
        return correlation(weights, prediction, target)

    def figures(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Sequence[eh.Figure]:
        """Return the two numbers of each sample, without a line of equality: their units may differ."""
        name = self.of or self.prediction
        samples = eh.Curve(x=target, y=prediction, name="samples", style="points")
        return [eh.Figure(title=f"{name} over {self.target}", x=self.target, y=name, curves=(samples,))]


def correlation(weights: Any, x: Any, y: Any) -> Any:
    """Return Pearson's correlation of columns (n,) under weights (..., n); NaN where one does not vary."""
    import numpy as np

    x, y = _unit(x), _unit(y)
    sizes = np.sqrt(weighted.variation(weights, x) * weighted.variation(weights, y))
    return np.clip(_covariation(weights, x, y) / np.where(sizes > 0, sizes, np.nan), -1, 1)


def _unit(values: Any) -> Any:
    """Return values less their median and of a size at which squares neither vanish nor overflow."""
    import numpy as np

    shifted = weighted.centred(values)
    size = np.abs(shifted).max(initial=0.0)
    return shifted / size if size > 0 else shifted


def _covariation(weights: Any, x: Any, y: Any) -> Any:
    """Return the sum of products of distances from the means."""
    return weights @ (x * y) - (weights @ x) * (weights @ y) / weights.sum(-1)


class Spearman(_Correlation):
    """Spearman's rank correlation of predictions and targets, -1 to 1: whether more of one means more of the other.

    Equal numbers share the mean of their ranks. `prediction`, `target` and `of` as in `pearson`. Undefined where either is
    the same for all samples.

    >>> Spearman().evaluate(prediction=[1, 2, 3, 4], target=[1, 2, 9, 8]).scores["spearman"].value
    0.8
    """

    name = "spearman"
    formula: ClassVar[str] = "pearson(rank p, rank y)"
    cite: ClassVar[str] = "Spearman, The proof and measurement of association between two things, 1904"
    reference: ClassVar[str] = "scipy.stats.spearmanr"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the correlation of ranks, which are those of each weighting."""
        import numpy as np

        x, y = _ranks(weights, prediction), _ranks(weights, target)  # (..., n), around 0
        products = [(weights * one * other).sum(-1) for one, other in ((x, y), (x, x), (y, y))]
        sizes = np.sqrt(products[1] * products[2])
        return np.clip(products[0] / np.where(sizes > 0, sizes, np.nan), -1, 1)


def _ranks(weights: Any, values: Any) -> Any:
    """Return the rank of each value among all, equal ones sharing the mean, less the mean rank: (..., n)."""
    import numpy as np

    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    counts = np.add.reduceat(weights[..., order], starts, axis=-1)
    until = counts.cumsum(-1)
    return ((2 * until - counts - until[..., -1:]) / 2)[..., place]


class Kendall(_Correlation):
    """Kendall's tau-b of predictions and targets, -1 to 1: pairs in the same order less pairs in the other, over all pairs.

    Ties are allowed for. 200 replicates are made, each in n log n. `prediction`, `target` and `of` as in `pearson`.
    Undefined where either is the same for all samples.

    >>> round(Kendall().evaluate(prediction=[1, 2, 3, 4], target=[1, 2, 9, 8]).scores["kendall"].value, 4)
    0.6667
    """

    name = "kendall"
    replicates: ClassVar[int] = 200
    formula: ClassVar[str] = "(concordant - discordant) / sqrt((pairs - ties in p) (pairs - ties in y))"
    cite: ClassVar[str] = "Kendall, The treatment of ties in ranking problems, Biometrika 33, 1945"
    reference: ClassVar[str] = "scipy.stats.kendalltau, which computes it"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return tau-b of one weighting (n,)."""
        import numpy as np
        from scipy import stats

        x, y = np.repeat(prediction, weights), np.repeat(target, weights)
        return stats.kendalltau(x, y, method="asymptotic").statistic


class ConcordanceCorrelation(_Correlation):
    """Lin's concordance correlation of predictions and targets, -1 to 1: how close they lie to being equal.

    Unlike Pearson's, it charges a different mean or spread. Variances are those of the samples, divided by n. Undefined
    where all numbers of both are one. `prediction`, `target` and `of` as in `pearson`.

    >>> metric = ConcordanceCorrelation()
    >>> round(metric.evaluate(prediction=[1, 2, 3], target=[2, 3, 4]).scores["concordance_correlation"].value, 4)
    0.5714
    """

    name = "concordance_correlation"
    formula: ClassVar[str] = "2 cov(p, y) / (var(p) + var(y) + (mean p - mean y)^2)"
    cite: ClassVar[str] = "Lin, A concordance correlation coefficient to evaluate reproducibility, Biometrics 45, 1989"
    reference: ClassVar[str] = "closed form; torchmetrics.functional.concordance_corrcoef divides variances by n - 1"

    def score(self, *_: Any, weights: Any, prediction: Any, target: Any) -> Any:
        """Return the correlation."""
        import numpy as np

        x, y = weighted.centred(prediction), weighted.centred(target)
        apart = weights.sum(-1) * weighted.mean(weights, prediction - target) ** 2
        size = weighted.variation(weights, prediction) + weighted.variation(weights, target) + apart
        return 2 * _covariation(weights, x, y) / np.where(size > 0, size, np.nan)
