"""Kappa: agreement beyond what raters who draw their labels by chance would reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness_agreement.reading import OfRatings, matrix, table, totals


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
        agreeing = 1 - found.disagreement(lambda one, other: one != other) / found.sizes
        given = found.totals(weights)
        chance = (given**2).sum(-1) / np.maximum(given.sum(-1), 1) ** 2
        several = (given > 0).sum(-1) > 1
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
        shares = [totals(weights, np.arange(len(pairs)), one, len(values)) for one in (first, second)]
        if self.weigh == "all":
            observed, expected = weights @ (first != second), _count(shares) - (shares[0] * shares[1]).sum(-1) / _count(shares)
        else:
            # A value that nobody drew has no place in the order.
            order = (shares[0] + shares[1] > 0).cumsum(-1)
            apart = np.abs(order[..., first] - order[..., second])
            linear = self.weigh == "linear"
            observed = (weights * (apart if linear else apart**2)).sum(-1)
            expected = (_linear if linear else _quadratic)(shares, order)
        return 1 - observed / np.where(expected > 0, expected, np.nan)


def _count(shares: Sequence[Any]) -> Any:
    """Return the number of samples that have weight."""
    return shares[0].sum(-1)


def _linear(shares: Sequence[Any], order: Any) -> Any:
    """Return the summed distance of labels drawn by each rater's shares: how often a step of the order lies between them."""
    import numpy as np

    below, below_other = (share.cumsum(-1)[..., :-1] for share in shares)
    count = _count(shares)[..., None]
    between = below * (count - below_other) + below_other * (count - below)
    return (np.diff(order, axis=-1) * between / count).sum(-1)


def _quadratic(shares: Sequence[Any], order: Any) -> Any:
    """Return the summed squared distance of labels drawn by each rater's shares."""
    means = [(share * order).sum(-1) for share in shares]
    squares = sum((share * order**2).sum(-1) for share in shares)
    return squares - 2 * means[0] * means[1] / _count(shares)
