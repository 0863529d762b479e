"""Rankings by what they are good for: the area of precision-recall-gain, the H-measure and the curve of costs of errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalharness import Curve, Figure
from evalharness_classification.curves import Steps, curve, from_origin
from evalharness_classification.ranking import Ranked, ranking


@ranking(
    range=(None, 1),
    formula="area under 1 - c fp / tp over 1 - c fn / tp from 0 to 1, c = positives / negatives",
    cite="Flach and Kull, Precision-recall-gain curves: PR analysis done right, NeurIPS 2015",
    reference="closed form",
)
def pr_gain(rank_by: Any, right: Any, weights: Any) -> Any:
    """Area under the precision-recall-gain curve (AUPRG), at most 1; 0 for a ranking that gains nothing on taking all.

    Gains put precision and recall on the scale on which the F1 is linear, from 0 for the share of the class to 1, so that
    areas at different shares compare, and straight lines between thresholds are what mixtures of these reach.

    >>> round(pr_gain().evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["pr_gain"].value, 4)
    0.25
    """
    import numpy as np

    steps = Steps.of(rank_by, right, weights)
    tp, fp = from_origin(steps.hits), from_origin(steps.taken - steps.hits)
    start, end = tp[..., :-1], tp[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = steps.positives / steps.negatives
        least = steps.positives * odds / (1 + odds)  # true positives at a recall gain of 0
        cut = np.clip((least - start) / np.where(end > start, end - start, 1.0), 0.0, 1.0)
        begun, false = start + cut * (end - start), fp[..., :-1] + cut * np.diff(fp, axis=-1)
        gained = odds * steps.positives * (1 / begun - 1 / end)
        height = 1 - odds * (false / begun + fp[..., 1:] / end) / 2
        counts = (end > least) & (end > start)
        area = np.where(counts, gained * height, 0.0).sum(-1)
    return np.where((steps.positives * steps.negatives)[..., 0] > 0, area, np.nan)


@ranking(
    formula="1 - L / L_trivial, L = integral over c of the least cost at any threshold, c ~ Beta(2, 1 + 1 / severity_ratio)",
    cite="Hand, Machine Learning 77, 2009; Hand and Anagnostopoulos, Pattern Recognition Letters 40, 2014",
    reference="hmeasure 0.1.6",
    positive=("severity_ratio",),
)
def h_measure(rank_by: Any, right: Any, weights: Any, *, severity_ratio: float | None = None) -> Any:
    """Share of the trivial decision's cost that the best thresholds save, averaged over costs of errors, 0 to 1.

    Unlike the AUROC it averages over the same costs for every system. `severity_ratio` is where these lie: what deciding
    wrongly costs for a sample of the other classes over one of the class; by default the odds of the class,
    as in the reference.

    >>> round(h_measure().evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["h_measure"].value, 4)
    0.5
    """
    return _each(lambda hits, taken: _saved(hits, taken, severity_ratio), rank_by, right, weights)


def _saved(hits: Any, taken: Any, severity_ratio: float | None) -> float:
    """Return the H-measure from the samples of each probability, highest first, and how many of them are of the class."""
    positives, negatives = hits.sum(), (taken - hits).sum()
    if not positives or not negatives:
        return float("nan")
    hits, taken = _hull(hits, taken)
    b = 1 + 1 / (severity_ratio or positives / negatives)
    whole = _least_cost(positives, positives + negatives, b)
    return float(max(0.0, 1 - _least_cost(hits, taken, b).sum() / whole))


def _hull(hits: Any, taken: Any) -> tuple[Any, Any]:
    """Return the samples between the corners of the convex hull of the ROC curve, and how many are of the class.

    That hull is the monotone fit of the shares of the class.
    """
    import numpy as np
    from scipy.optimize import isotonic_regression

    hits, taken = hits[taken > 0], taken[taken > 0]
    fit = isotonic_regression(hits / taken, weights=taken, increasing=False)
    return np.add.reduceat(hits, fit.blocks[:-1]), np.add.reduceat(taken, fit.blocks[:-1])


def _least_cost(hits: Any, taken: Any, b: float) -> Any:
    """Return what blocks cost, each decided for the class where its share of it is above c, averaged over c ~ Beta(2, b).

    A sample of the class decided against costs 1 - c, one of the others decided for costs c.
    """
    from scipy.special import betainc

    a = 2.0
    share = hits / taken
    taken_for = (taken - hits) * a * betainc(a + 1, b, share)
    left_out = hits * b * (1 - betainc(a, b + 1, share))
    return (taken_for + left_out) / (a + b)


def _lower_envelope(self: Ranked, *, weights: Any, rank_by: Any, right: Any) -> tuple[Figure, ...]:
    """Return the cost curves, with the cost of the better of the two constant decisions."""
    import numpy as np

    x = np.linspace(0, 1, 101)
    curves = []
    for name, steps in self.rankings(weights, rank_by, right):
        missed, false = 1 - from_origin(steps.recall), from_origin(steps.false_alarms)
        curves.append(curve(x, (np.outer(x, missed) + np.outer(1 - x, false)).min(1), name))
    trivial = Curve(x=(0.0, 0.5, 1.0), y=(0.0, 0.5, 0.0), name="constant", style="dashed")
    axes = {"x": "weight of a miss beside a false alarm", "y": "cost"}
    return (Figure(title="Cost curve", curves=(*curves, trivial), x_range=(0, 1), y_range=(0, 0.5), **axes),) if curves else ()


@ranking(
    better="lower",
    range=(0, 0.25),
    formula="integral over x from 0 to 1 of the least x fnr + (1 - x) fpr at any threshold",
    cite="Drummond and Holte, Cost curves: an improved method for visualizing classifier performance, Machine Learning 65, 2006",
    reference="closed form",
    figures=_lower_envelope,
)
def cost_curve(rank_by: Any, right: Any, weights: Any) -> Any:
    """Area under the cost curve, 0 to 0.25: the cost at the best threshold, over all weights of misses and false alarms.

    `x` is the share of a miss in the cost of a miss and a false alarm, each times how often its class comes up. A ranking
    by chance has 0.25, as the better of the two constant decisions does.

    >>> cost_curve().evaluate(probabilities=[0.9, 0.8, 0.7, 0.1], target=[1, 0, 1, 0]).scores["cost_curve"].value
    0.125
    """
    return _each(_envelope, rank_by, right, weights)


def _envelope(hits: Any, taken: Any) -> float:
    """Return the area from the corners of the hull: between two of them, half the product of the rates over their sum."""
    positives, negatives = hits.sum(), (taken - hits).sum()
    if not positives or not negatives:
        return float("nan")
    hits, taken = _hull(hits, taken)
    found, false = hits / positives, (taken - hits) / negatives
    return float((found * false / (found + false)).sum() / 2)


def _each(area: Callable[[Any, Any], float], rank_by: Any, right: Any, weights: Any) -> Any:
    """Return a value for each replicate, of the samples of each probability, highest first, and how many are of the class."""
    import numpy as np

    steps = Steps.of(rank_by, right, np.atleast_2d(weights))
    counts = np.stack([np.diff(sums, axis=-1, prepend=0) for sums in (steps.hits, steps.taken)], 1).astype(float)
    return np.array([area(hits, taken) for hits, taken in counts]).reshape(weights.shape[:-1])


METRICS = (cost_curve, h_measure, pr_gain)
