"""Krippendorff's alpha, for any number of raters and missing ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness_agreement.reading import OfRatings, Table, table

_COLUMNS = 512  # of the table of all pairs of values, which may be large


class KrippendorffAlpha(OfRatings):
    """Krippendorff's alpha of raters, 1 for perfect agreement, 0 for chance, below 0 for less than chance.

    `ratings` names the column: a list a sample, None where a rater gave none; samples may have different numbers of them, and
    one with fewer than two is unmeasured. `level`: "nominal" labels, which are texts; numbers as ranks ("ordinal"), by
    their differences ("interval"), or those in proportion to their sum ("ratio", of numbers from 0 on; 200 replicates,
    as each takes all pairs of values). Undefined where all ratings are one value.

    >>> metric = KrippendorffAlpha(level="interval")
    >>> found = metric.evaluate(ratings=[[1, 1, None], [2, 3, 3], [5, 5, 4]])
    >>> round(found.scores["krippendorff_alpha"].value, 4)
    0.9028
    """

    name, range = "krippendorff_alpha", (None, 1)
    formula: ClassVar[str] = "1 - observed disagreement / expected disagreement, over pairs of ratings of one sample"
    cite: ClassVar[str] = "Krippendorff, Content analysis, 4th ed., 2018, chapter 12"
    reference: ClassVar[str] = "krippendorff.alpha 0.9, which raises where all ratings are one value"

    level: Literal["nominal", "ordinal", "interval", "ratio"] = "nominal"

    @property
    def replicates(self) -> int:  # type: ignore[override]
        """How many replicates are made."""
        return 200 if self.level == "ratio" else 1000

    @property
    def numeric(self) -> bool:
        """Whether ratings are numbers."""
        return self.level != "nominal"

    def why_not(self, given: Sequence[Any]) -> str | None:
        """Return why a sample has no place in the score."""
        below = self.level == "ratio" and any(each is not None and each < 0 for each in given)
        return "a rating is below 0" if below else super().why_not(given)

    def score(self, *_: Any, weights: Any, given: Any) -> Any:
        """Return alpha for weights (n,) or (replicates, n)."""
        import numpy as np

        found = table(given)
        if self.level == "interval":
            observed, expected = _of_squares(found, weights, found.values - found.values.mean())
        elif self.level == "ordinal":
            observed, expected = _of_squares(found, weights, _ranks(found, weights))
        else:
            observed, expected = (_of_labels if self.level == "nominal" else _of_ratios)(found, weights)
        return 1 - observed / np.where(expected > 0, expected, np.nan)


def _of_labels(found: Table, weights: Any) -> tuple[Any, Any]:
    """Return the observed and the expected disagreement where any two different values cost 1."""
    import numpy as np

    given = found.totals(weights)
    ratings = given.sum(-1)
    expected = (ratings**2 - (given**2).sum(-1)) / np.maximum(ratings - 1, 1)
    return weights @ found.disagreement(lambda one, other: one != other), expected


def _of_ratios(found: Table, weights: Any) -> tuple[Any, Any]:
    """Return both disagreements where a pair costs the square of difference over sum."""
    import numpy as np

    values, given = found.values, found.totals(weights)
    pairs = np.zeros(weights.shape[:-1])
    for start in range(0, len(values), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        pairs = pairs + ((given @ _ratio(values[:, None], values[part])) * given[..., part]).sum(-1)
    observed = found.disagreement(lambda one, other: _ratio(values[one], values[other]))
    return weights @ observed, pairs / np.maximum(given.sum(-1) - 1, 1)


def _ratio(one: Any, other: Any) -> Any:
    import numpy as np

    return ((one - other) / np.where(one + other == 0, 1.0, one + other)) ** 2


def _of_squares(found: Table, weights: Any, places: Any) -> tuple[Any, Any]:
    """Return both disagreements where a pair costs the squared distance of its values' places (..., values)."""
    import numpy as np

    own = places[..., found.place]
    sums, squares = found.by_sample(own), found.by_sample(own**2)
    each = 2 * (found.sizes * squares - sums**2) / (found.sizes - 1)
    ratings = weights @ found.sizes
    total, square = (weights * sums).sum(-1), (weights * squares).sum(-1)
    varied = _varied(found, weights)
    expected = np.where(varied, 2 * (ratings * square - total**2) / np.maximum(ratings - 1, 1), 0.0)
    return (weights * each).sum(-1), expected


def _varied(found: Table, weights: Any) -> Any:
    """Return whether there are two different values among the ratings that have weight."""
    import numpy as np

    least, most = (rule.reduceat(found.place, found.starts) for rule in (np.minimum, np.maximum))
    there = weights > 0
    return np.where(there, most, -1).max(-1) > np.where(there, least, len(found.values)).min(-1)


def _ranks(found: Table, weights: Any) -> Any:
    """Return the mean rank of each value among all ratings of each weighting, around 0 (..., values)."""
    counts = found.totals(weights)
    until = counts.cumsum(-1)
    return until - counts / 2 - until[..., -1:] / 2
