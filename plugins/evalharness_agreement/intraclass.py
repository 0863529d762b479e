"""Intraclass correlation: how much of the variance of ratings lies between samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness_agreement.reading import OfRatings, matrix


class IntraclassCorrelation(OfRatings):
    """Intraclass correlation of raters' numbers, 1 for perfect agreement, about 0 for none.

    `ratings` names the column: a number of each rater, in the same order for all samples; a sample that lacks one is
    unmeasured, and so is one whose number of ratings is not `raters`. `model` as Shrout and Fleiss count them: 1 where raters
    differ from sample to sample, 2 where they are drawn from many, 3 where they are all there are, and their constant
    differences do not matter. `average`: of the mean of all raters, not of a single one. Undefined where nothing varies.

    >>> metric = IntraclassCorrelation(raters=2)
    >>> round(metric.evaluate(ratings=[[1, 2], [5, 6], [9, 10]]).scores["icc"].value, 4)
    0.9697
    """

    name, range = "icc", (None, 1)
    formula: ClassVar[str] = "(MSB - MSE) / (MSB + (k - 1) MSE + k (MSR - MSE) / n) for model 2 and a single rater"
    cite: ClassVar[str] = "Shrout and Fleiss, Intraclass correlations: uses in assessing rater reliability, 1979"
    reference: ClassVar[str] = "closed form; the example of Shrout and Fleiss"

    raters: int = 3
    model: Literal["1", "2", "3"] = "2"
    average: bool = False

    def __post_init__(self) -> None:
        if self.raters < 2:
            raise ValueError(f"raters is {self.raters}, but must be at least 2")

    @property
    def numeric(self) -> bool:
        """Whether ratings are numbers."""
        return True

    def why_not(self, given: Sequence[Any]) -> str | None:
        """Return why these are not the ratings of all raters."""
        return f"not {self.raters} ratings" if len(given) != self.raters or None in given else None

    def score(self, *_: Any, weights: Any, given: Any) -> Any:
        """Return the correlation for weights (n,) or (replicates, n)."""
        import numpy as np

        numbers = matrix(given, range(self.raters))
        numbers = numbers - numbers.mean()
        raters, count = self.raters, weights.sum(-1)
        means, sums = numbers.mean(1), weights @ numbers
        grand = sums.sum(-1) / (count * raters)
        between = raters * (weights @ means**2 - count * grand**2)
        of_raters = (sums**2).sum(-1) / count - count * raters * grand**2
        total = weights @ (numbers**2).sum(1) - count * raters * grand**2
        ms_between, ms_raters = between / (count - 1), of_raters / (raters - 1)
        ms_within = (total - between) / (count * (raters - 1))
        ms_error = (total - between - of_raters) / ((count - 1) * (raters - 1))
        noise = ms_within if self.model == "1" else ms_error
        bias = (ms_raters - ms_error) / count if self.model == "2" else 0.0
        size = ms_between + bias if self.average else ms_between + (raters - 1) * noise + raters * bias
        there = weights > 0
        least, most = (np.where(there, edge, beyond) for edge, beyond in ((numbers.min(1), np.inf), (numbers.max(1), -np.inf)))
        varied = most.max(-1) > least.min(-1)
        return (ms_between - noise) / np.where(varied, size, np.nan)
