"""Kappa: agreement beyond what raters who draw their labels by chance would reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness_agreement.reading import OfRatings, matrix, table


class FleissKappa(OfRatings):
    """Fleiss' kappa of raters over labels, 1 for perfect agreement, 0 for chance, below 0 for less than chance.

    `ratings` names the column: a list a sample, None where a rater gave none. Raters need not be the same for all samples.
    Where samples have different numbers of ratings, each sample's agreement counts alike and a label's share is that among
    all ratings. A sample with fewer than two is unmeasured. Undefined where all ratings are one label.

    >>> found = FleissKappa().evaluate(ratings=[["a", "a"], ["a", "b"], ["b", "b"], ["b", "b"]])
    >>> round(found.scores["fleiss_kappa"].value, 4)
    0.4667
    """

    name, range = "fleiss_kappa", (-1, 1)
    formula: ClassVar[str] = "(P - E) / (1 - E); P the mean share of agreeing pairs, E the sum of squared shares of labels"
    cite: ClassVar[str] = "Fleiss, Measuring nominal scale agreement among many raters, Psychological Bulletin 76, 1971"
    reference: ClassVar[str] = "statsmodels.stats.inter_rater.fleiss_kappa, where all samples have as many ratings"

    def score(self, *_: Any, weights: Any, given: Any) -> Any:
        """Return kappa for weights (n,) or (replicates, n)."""
        import numpy as np

        found = table(given)
        counts = found.counts()
        agreeing = ((counts**2).sum(-1) - found.sizes) / (found.sizes * (found.sizes - 1))
        totals = weights @ counts
        ratings = np.maximum(totals.sum(-1), 1)
        chance = (totals**2).sum(-1) / ratings**2
        several = (totals > 0).sum(-1) > 1
        return (weights @ agreeing / weights.sum(-1) - chance) / np.where(several, 1 - chance, np.nan)


class RatersCohenKappa(OfRatings):
    """Cohen's kappa of two raters, 1 for perfect agreement, 0 for chance, below 0 for less than chance.

    `ratings` names the column: a list a sample, the raters in the same order for all samples. `raters` are the places of the
    two in it, counted from 1; a sample that lacks one of them is unmeasured. `weigh`: how much a pair of different labels
    counts, "all" alike, or for numbers the "linear" or "quadratic" distance in the order of the values that occur.
    Undefined where both raters give one and the same label alone.

    >>> found = RatersCohenKappa().evaluate(ratings=[["a", "a"], ["a", "b"], ["b", "b"], ["b", "b"]])
    >>> found.scores["raters_cohen_kappa"].value
    0.5
    """

    name, range = "raters_cohen_kappa", (-1, 1)
    formula: ClassVar[str] = "1 - mean cost of the pairs of labels / mean cost of labels drawn by each rater's shares"
    cite: ClassVar[str] = "Cohen, A coefficient of agreement for nominal scales, 1960; weighted kappa, 1968"
    reference: ClassVar[str] = "sklearn.metrics.cohen_kappa_score"

    raters: tuple[int, ...] = (1, 2)
    weigh: Literal["all", "linear", "quadratic"] = "all"

    def __post_init__(self) -> None:
        if len(set(self.raters)) != 2 or len(self.raters) != 2 or min(self.raters) < 1:
            raise ValueError(f"raters are {list(self.raters)}, but must be two different places from 1 on, such as [1, 2]")

    @property
    def numeric(self) -> bool:
        """Whether ratings are numbers."""
        return self.weigh != "all"

    def why_not(self, given: Sequence[Any]) -> str | None:
        """Return which of the two raters gave none."""
        missing = next((rater for rater in self.raters if rater > len(given) or given[rater - 1] is None), None)
        return None if missing is None else f"no rating of rater {missing}"

    def score(self, *_: Any, weights: Any, given: Any) -> Any:
        """Return kappa for weights (n,) or (replicates, n)."""
        import numpy as np

        pairs = matrix(given, [rater - 1 for rater in self.raters])
        values, places = np.unique(pairs, return_inverse=True)
        first, second = places.reshape(pairs.shape).T
        chosen = np.eye(len(values))
        costs = self._costs(weights, places.reshape(pairs.shape), len(values))
        shares = [weights @ chosen[one] for one in (first, second)]
        expected = np.einsum("...i,...ij,...j->...", shares[0], costs, shares[1]) / weights.sum(-1)
        observed = (weights * costs[..., first, second]).sum(-1)
        return 1 - observed / np.where(expected > 0, expected, np.nan)

    def _costs(self, weights: Any, places: Any, count: int) -> Any:
        """Return what a pair of values costs, (values, values); a value that nobody drew has no place in the order."""
        import numpy as np

        if self.weigh == "all":
            return 1.0 - np.eye(count)
        drawn = np.stack([(weights * (places == value).any(1)).sum(-1) > 0 for value in np.arange(count)], axis=-1)
        order = drawn.cumsum(-1)
        apart = np.abs(order[..., :, None] - order[..., None, :]).astype(float)
        return apart if self.weigh == "linear" else apart**2
