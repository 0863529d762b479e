"""Arithmetic of rows under weights: every function takes whole-number weights (..., n) and columns (n,)."""

from __future__ import annotations

from typing import Any


def mean(weights: Any, values: Any) -> Any:
    """Return the mean of each weighting; NaN where nothing has weight."""
    return weights @ values / weights.sum(-1)


def centred(values: Any) -> Any:
    """Return values less their median, so that squares of what lies far from 0 lose no digits.

    The mean would not do: one value of 10^12 moves it far away from all others, whose squares then lose their digits in
    each replicate without that value.
    """
    import numpy as np

    return values - np.median(values)


def spread(weights: Any, values: Any) -> Any:
    """Return the largest less the smallest value that has weight; 0 exactly where all are alike."""
    import numpy as np

    there = weights > 0
    return np.where(there, values, -np.inf).max(-1) - np.where(there, values, np.inf).min(-1)


def variation(weights: Any, values: Any) -> Any:
    """Return the sum of squared distances from the mean: 0 exactly where all values that have weight are alike."""
    import numpy as np

    shifted = centred(values)
    sums = weights @ shifted**2 - (weights @ shifted) ** 2 / weights.sum(-1)
    return np.where(spread(weights, values) > 0, np.maximum(sums, 0), 0.0)


def order_statistic(weights: Any, values: Any, place: Any) -> Any:
    """Return the value at this place (...,), counted from 0, of the sorted values, each as often as its weight says."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    until = weights[..., order].cumsum(-1)
    index = (until <= np.asarray(place)[..., None]).sum(-1)
    return np.where(weights.sum(-1) > 0, values[order][np.minimum(index, len(values) - 1)], np.nan)


def median(weights: Any, values: Any) -> Any:
    """Return the median; of an even number of values the mean of the two in the middle."""
    total = weights.sum(-1)
    return (order_statistic(weights, values, (total - 1) // 2) + order_statistic(weights, values, total // 2)) / 2


def quantile(weights: Any, values: Any, share: float) -> Any:
    """Return the smallest value that this share of all does not exceed, which no other beats in pinball loss."""
    import numpy as np

    return order_statistic(weights, values, np.ceil(share * weights.sum(-1) - 1e-9) - 1)
